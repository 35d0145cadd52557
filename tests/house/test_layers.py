"""Imports run downwards only, and heavy libraries are met only where they are needed."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SDKS = {"qiskit_ibm_runtime", "cirq_google", "grpc", "google"}
EXTRAS = {
    *SDKS,
    "pandas",
    "pyarrow",
    "nbclient",
    "nbformat",
    "IPython",
    "cvxpy",
    "cryptography",
    "aiohttp",
}  # not in a default install


@dataclass(frozen=True)
class Room:
    """What the modules of one package may import."""

    ebit: set[str]  # rooms below, also inside functions
    top: set[str]  # third parties, anywhere
    inside: set[str]  # third parties, inside functions only
    ebit_top: set[str] | None = None  # rooms at the top of a module, where fewer than `ebit`


FLOORS = {"games", "circuits", "backends", "analysis", "protocols", "plots"}
ROOMS = {
    "games": Room(set(), {"numpy"}, {"pyarrow", "pandas"}),
    "circuits": Room(
        {"games"}, {"numpy", "qiskit", "rustworkx"}, {"cirq", "cirq_google", "pandas"}
    ),
    "backends": Room(
        {"circuits", "games"},
        {"numpy", "scipy", "qiskit", "qiskit_aer", "stim", "cirq", "platformdirs", *SDKS},
        {"pandas", "networkx"},
    ),
    "analysis": Room({"games"}, {"numpy", "scipy", "numba"}, {"pandas", "cvxpy"}),
    "protocols": Room(
        {"backends", "circuits", "analysis", "games"},
        {"numpy", "platformdirs"},
        {"pandas", "numba", "cryptography", "aiohttp"},
    ),
    "plots": Room({"analysis", "games"}, {"numpy", "matplotlib", "mpl_toolkits"}, {"pandas"}),
    "cli": Room(
        {*FLOORS, "notebooks"},
        {"numpy", "click", "rich"},
        {"pandas", "platformdirs"},
        ebit_top={"games", "notebooks"},
    ),
    "notebooks": Room(set(), set(), set()),
    "front": Room({*FLOORS, "notebooks", "cli"}, set(), set(), ebit_top={"cli"}),
}
# No `import ebit`, no command's help and no import of a package waits for one of these.
HEAVY = {"qiskit", "qiskit_aer", "scipy", "numba", "matplotlib", "cirq", "stim", *EXTRAS}


@dataclass(frozen=True)
class Import:
    """One import: its line, the dotted name, and whether a function makes it."""

    line: int
    name: str
    inside: bool


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", None)
    return name == "TYPE_CHECKING"


def _named_in_call(node: ast.Call) -> str | None:
    """The module that `import_module("x")` or `__import__("x")` names, if it is spelt out."""
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", 0)
    if called in {"import_module", "__import__"} and node.args:
        first = node.args[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            return first.value
    return None


def imports(node: ast.AST, *, inside: bool = False) -> Iterator[Import]:
    """Every import below `node`, those made inside functions and by name included."""
    if isinstance(node, ast.If) and _is_type_checking(node.test):
        for statement in node.orelse:
            yield from imports(statement, inside=inside)
        return
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(node.lineno, alias.name, inside)
    elif isinstance(node, ast.ImportFrom):
        if node.level:
            yield Import(node.lineno, "." * node.level + (node.module or ""), inside)
        elif node.module == "ebit":
            for alias in node.names:
                yield Import(node.lineno, f"ebit.{alias.name}", inside)
        else:
            yield Import(node.lineno, node.module or "", inside)
    elif isinstance(node, ast.Call) and (name := _named_in_call(node)):
        yield Import(node.lineno, name, inside)
    inside = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for child in ast.iter_child_nodes(node):
        yield from imports(child, inside=inside)


def faults(source: str, room_name: str) -> list[str]:
    """What `source`, a module of the room, imports and may not."""
    room = ROOMS[room_name]
    found = []
    for made in imports(ast.parse(source)):
        first, _, rest = made.name.partition(".")
        where = "" if made.inside else " at the top of a module"
        if made.name.startswith("."):
            allowed = False
        elif first in sys.stdlib_module_names:
            allowed = True
        elif first == "ebit":
            below = rest.partition(".")[0]
            if below in {"_version", "__version__"}:  # a leaf below every room
                allowed = True
            else:
                target = below if below in ROOMS else "front"
                reach = room.ebit if made.inside or room.ebit_top is None else room.ebit_top
                allowed = target in reach | {room_name}
        else:
            allowed = first in room.top or (made.inside and first in room.inside)
        if not allowed:
            found.append(f"line {made.line}: {room_name} may not import {made.name}{where}")
    return found


def test_every_package_has_a_place_in_the_table(folders: dict[str, str]) -> None:
    assert set(folders.values()) == set(ROOMS)


def test_imports_run_downwards(root: Path, modules: dict[str, Path]) -> None:
    assert len(modules) >= len(ROOMS)
    found = [
        f"{path}, {fault}"
        for path in modules.values()
        for fault in faults((root / path).read_text("utf-8"), path.parts[0])
    ]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("games", "import scipy"),
        ("games", "import pyarrow"),
        ("games", "def f():\n    import qiskit"),
        ("games", "def f():\n    from ebit.analysis import score"),
        ("games", "from ebit import circuits"),
        ("games", "class A:\n    import pandas"),
        ("games", "from .game import Game"),
        ("circuits", "import cirq"),
        ("circuits", "f = lambda: __import__('stim')"),
        ("analysis", "try:\n    import matplotlib.pyplot\nexcept ImportError:\n    pass"),
        ("analysis", "from importlib import import_module\nimport_module('ebit.backends')"),
        ("backends", "import matplotlib"),
        ("backends", "from ebit.analysis import score"),
        ("protocols", "from ebit.plots import fringe"),
        ("protocols", "import rich"),
        ("plots", "from ebit.backends import open_backend"),
        ("cli", "from ebit.analysis import score"),
        ("cli", "from typing import TYPE_CHECKING\nif not TYPE_CHECKING:\n    import scipy"),
        ("front", "from ebit.games import Game"),
    ],
)
def test_an_import_that_runs_upwards_is_seen(room: str, source: str) -> None:
    assert len(faults(source, room)) == 1


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("games", "import os, numpy as np\nfrom ebit.games.shots import Shots"),
        ("games", "def f():\n    import pyarrow.parquet"),
        ("games", "from ebit._version import __version__"),
        ("games", "if TYPE_CHECKING:\n    import qiskit"),
        (
            "games",
            "import typing\nif typing.TYPE_CHECKING:\n    import qiskit\nelse:\n    import os",
        ),
        ("circuits", "from qiskit import QuantumCircuit\ndef f():\n    import cirq"),
        ("cli", "import click\ndef f():\n    from ebit.analysis import score"),
        ("front", "def __getattr__(name):\n    from ebit.protocols import bell"),
    ],
)
def test_an_import_that_runs_downwards_passes(room: str, source: str) -> None:
    assert faults(source, room) == []


def _loaded_after(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after `code`."""
    code += "\nimport sys; print('\\nLOADED', *{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("LOADED")[2].split())


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['ebit', '--help']\n"
        "from ebit.__main__ import main\n"
        "try:\n    main()\n"
        "except SystemExit as leaving:\n    assert not leaving.code, leaving.code"
    )
    loaded = _loaded_after(code)
    assert "ebit" in loaded
    assert not loaded & HEAVY


def test_packages_load_nothing_heavy() -> None:
    loaded = _loaded_after(
        "import ebit, ebit.cli, ebit.circuits, ebit.backends, ebit.protocols, ebit.plots"
    )
    assert not loaded & HEAVY


def test_public_names_need_no_extra(folders: dict[str, str]) -> None:
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({sorted(EXTRAS)!r}))\n"
        "from importlib import import_module\n"
        f"for package in map(import_module, {sorted(folders)!r}):\n"
        "    for name in getattr(package, '__all__', []):\n"
        "        getattr(package, name)"
    )
    assert "scipy" in _loaded_after(code)


def test_a_heavy_import_would_be_seen() -> None:
    assert "scipy" in _loaded_after("import scipy")
