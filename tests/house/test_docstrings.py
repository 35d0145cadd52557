"""Public names are documented, and the examples in docstrings run."""

import doctest
import importlib
import inspect
from pathlib import Path
from typing import get_origin

import pytest

# Rooms whose functions a reader tries out; the others may have examples, these must.
WITH_EXAMPLES = ["ebit.analysis", "ebit.backends", "ebit.circuits", "ebit.games"]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def _examples(module_name: str) -> list[doctest.DocTest]:
    module = importlib.import_module(module_name)
    return [t for t in doctest.DocTestFinder().find(module, module_name) if t.examples]


def test_examples_run(module_name: str, away: Path) -> None:
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    report: list[str] = []
    for example in _examples(module_name):
        runner.run(example, out=report.append)
    assert not runner.summarize(verbose=False).failed, "\n" + "".join(report)


@pytest.mark.parametrize("room", WITH_EXAMPLES)
def test_a_room_has_examples(room: str, modules: dict[str, Path]) -> None:
    assert any(_examples(name) for name in modules if name.startswith(f"{room}."))


def test_an_example_that_is_wrong_is_seen() -> None:
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    runner.run(test, out=lambda _: None)
    assert runner.summarize(verbose=False).failed == 1


def _inner(value: object) -> object:
    """The function below decorators: caches and compiled kernels are no routines themselves."""
    return inspect.unwrap(value) if callable(value) else value


def _undocumented(holder: object, name: str) -> bool:
    value = getattr(holder, name)  # an AttributeError here: `__all__` names what is not there
    if get_origin(value) or not (inspect.isclass(value) or inspect.isroutine(_inner(value))):
        return False  # a constant or an alias of types
    written = (value.__doc__ or "").strip()
    # A dataclass without a docstring is given its signature for one.
    return not written or (inspect.isclass(value) and written.startswith(f"{value.__name__}("))


def test_public_names_are_documented(module_name: str) -> None:
    module = importlib.import_module(module_name)
    assert (module.__doc__ or "").strip(), f"{module_name} has no docstring"
    public = getattr(module, "__all__", [])
    assert len(public) == len(set(public))
    assert not [name for name in public if _undocumented(module, name)]


def test_packages_say_what_is_public(package_name: str) -> None:
    if package_name != "ebit.notebooks":  # data alone
        assert importlib.import_module(package_name).__all__
