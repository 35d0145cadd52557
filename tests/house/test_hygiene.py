"""The tree is kept in order: sizes, names, paths, versions, packages."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from ebit import __version__

MACHINE = re.compile(r"(?<![\w.~$])/(home|root|work|tmp|farm|Users)/[A-Za-z.]|[A-Z]:\\+Users\\")
TEXT = {".py", ".md", ".toml", ".txt", ".json", ".cff", ".csv", ".yml", ".yaml", ".in", ".html", ""}
LONGEST = 400


def test_no_file_is_large(root: Path, files: list[str]) -> None:
    assert [n for n in files if (root / n).stat().st_size > 1_000_000] == []


def test_no_path_of_a_machine(root: Path, files: list[str]) -> None:
    found = []
    for name in files:
        if Path(name).suffix in TEXT:
            lines = (root / name).read_text("utf-8").splitlines()
            found += [f"{name}:{i}" for i, line in enumerate(lines, 1) if MACHINE.search(line)]
    assert found == []


@pytest.mark.parametrize("inside", ["home/ann/x", "root/.cache", "work/main", "Users/ann"])
def test_a_path_of_a_machine_is_seen(inside: str) -> None:
    assert MACHINE.search(f"open('/{inside}')")
    assert not MACHINE.search(f"https://example.org/{inside}")


def test_modules_are_short(root: Path, files: list[str]) -> None:
    lengths = {n: len((root / n).read_bytes().splitlines()) for n in files if n.endswith(".py")}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_only_the_command_line_prints(root: Path, modules: dict[str, Path]) -> None:
    found = [
        f"{path}:{node.lineno}"
        for path in modules.values()
        if path.parts[0] != "cli"
        for node in ast.walk(ast.parse((root / path).read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "print"
    ]
    assert found == []


def test_packages_are_listed(
    root: Path, files: list[str], folders: dict[str, str], pyproject: dict[str, Any]
) -> None:
    listed = pyproject["tool"]["setuptools"]["packages"]
    assert sorted(listed) == sorted(folders)
    assert sorted(folders.values()) == sorted(
        Path(n).parent.as_posix() for n in files if re.fullmatch(r"[^/]+/__init__\.py", n)
    )
    for package, folder in folders.items():
        assert folder == ("front" if package == "ebit" else package.removeprefix("ebit."))
    deeper = [n for n in files if n.endswith(".py") and n.split("/")[0] in folders.values()]
    assert [n for n in deeper if n.count("/") > 1] == []  # packages stay flat
    assert not (root / "ebit").exists()  # it would stand in front of the installed package


def test_versions_agree(root: Path) -> None:
    citation = (root / "CITATION.cff").read_text("utf-8")
    assert re.findall(r"^version: \"?([\w.]+)\"?$", citation, re.MULTILINE) == [__version__]
    changes = (root / "CHANGELOG.md").read_text("utf-8")
    newest = re.findall(r"^## \[?v?(\d[\w.]*)", changes, re.MULTILINE)[0]
    assert newest == __version__


def test_constraints_are_names_and_versions(root: Path, pyproject: dict[str, Any]) -> None:
    lines = (root / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert [p for p in pins if not re.fullmatch(r"[\w.-]+==\d[\w.]*", p)] == []
    pinned = {_plain(p.partition("==")[0]) for p in pins}
    assert len(pinned) == len(pins)
    wanted = list(pyproject["project"]["dependencies"])
    for extra in pyproject["project"]["optional-dependencies"].values():
        wanted += extra
    names = {_plain(re.match(r"[\w.-]+", w)[0]) for w in wanted}  # type: ignore[index]
    assert names - pinned - {"ebit"} == set()


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_test_files_have_names_of_their_own(files: list[str]) -> None:
    names = [Path(n).name for n in files if re.match(r"tests/.*/test_[^/]*\.py$", n)]
    assert sorted(names) == sorted(set(names))


def test_order_of_tests_is_random(pytestconfig: pytest.Config) -> None:
    assert pytestconfig.pluginmanager.has_plugin("randomly")
    assert pytestconfig.getoption("randomly_reorganize")
