"""The package is light to import, and its names lead where type checkers think they lead."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import ebit.circuits as c


def test_importing_the_package_loads_no_sdk() -> None:
    code = (
        "import sys, ebit.circuits; "
        "print([m for m in ('qiskit', 'cirq', 'matplotlib') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_building_and_hashing_load_no_cirq() -> None:
    code = "import sys, ebit.circuits as c; c.chsh().id; print('cirq' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_every_public_name_is_there_and_documented() -> None:
    for name in c.__all__:
        value = getattr(c, name)
        if callable(value):
            assert value.__doc__, name
    assert set(c.__all__) <= set(dir(c))


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(str(c.__file__)).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert set(seen) == set(c.__all__)
    assert seen == {name: f"ebit.circuits.{module}" for name, module in c._MODULE.items()}


def test_no_module_hides_a_function() -> None:
    modules = {module.name for module in pkgutil.iter_modules(c.__path__)}
    assert not modules & set(c.__all__)
    for module in modules:
        importlib.import_module(f"ebit.circuits.{module}")
    assert callable(c.chsh)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        c.nonsense  # noqa: B018
