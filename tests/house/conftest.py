"""What the tests of the house share: the tree's files, its packages, its modules and documents."""

import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Where git cannot say what belongs to the tree (a source archive), these are left out.
NOT_OURS = {"build", "dist", "out", "typings", "htmlcov", "__pycache__", "ebit.egg-info"}
HIDDEN = {".ci", ".gitignore"}


def _git(*arguments: str) -> list[str] | None:
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return [entry for entry in done.stdout.strip("\n").replace("\0", "\n").split("\n") if entry]


def _walk() -> Iterator[str]:
    for folder, below, names in os.walk(ROOT):
        below[:] = [n for n in below if n not in NOT_OURS and (n[0] != "." or n in HIDDEN)]
        for name in names:
            if name[0] != "." or name in HIDDEN:
                yield (Path(folder) / name).relative_to(ROOT).as_posix()


def _files() -> list[str]:
    """Every file that is tracked, or would be if it were added."""
    top = _git("rev-parse", "--show-toplevel")
    if top and Path(top[0]).resolve() == ROOT:
        listed = _git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
        if listed:
            return sorted({name for name in listed if (ROOT / name).is_file()})
    return sorted(_walk())


FILES = _files()
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
FOLDERS: dict[str, str] = PYPROJECT["tool"]["setuptools"]["package-dir"]


def _modules() -> dict[str, Path]:
    """Dotted name and path of every module of every package."""
    found = {}
    for name in FILES:
        path = Path(name)
        for package, folder in FOLDERS.items():
            if path.parent == Path(folder) and path.suffix == ".py":
                found[package if path.stem == "__init__" else f"{package}.{path.stem}"] = path
    return found


MODULES = _modules()
DOCUMENTS = [n for n in FILES if re.fullmatch(r"README\.md|CONTRIBUTING\.md|docs/.*\.md", n)]
NOTEBOOKS = [n for n in FILES if n.startswith("notebooks/") and n.endswith(".ipynb")]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once for each module, document or notebook when it asks for one."""
    for fixture, values in {
        "module_name": sorted(MODULES),
        "package_name": sorted(FOLDERS),
        "document": DOCUMENTS,
        "notebook": NOTEBOOKS,
    }.items():
        if fixture in metafunc.fixturenames:
            metafunc.parametrize(fixture, values)


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the tree."""
    return ROOT


@pytest.fixture(scope="session")
def files() -> list[str]:
    """Every file of the tree, relative to the root."""
    return FILES


@pytest.fixture(scope="session")
def pyproject() -> dict[str, Any]:
    """What pyproject.toml says."""
    return PYPROJECT


@pytest.fixture(scope="session")
def folders() -> dict[str, str]:
    """The folder of every package."""
    return FOLDERS


@pytest.fixture(scope="session")
def modules() -> dict[str, Path]:
    """The file of every module, relative to the root."""
    return MODULES


@pytest.fixture
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run in, with a ledger of its own and no window for pictures."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EBIT_HOME", str(tmp_path / "home-of-ebit"))
    monkeypatch.setenv("MPLBACKEND", "Agg")
    return tmp_path
