"""The notebooks run from their first cell to their last, and carry nothing of one machine."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="needs the extra: pip install 'ebit[notebook]'")
nbclient = pytest.importorskip("nbclient", reason="needs the extra: pip install 'ebit[notebook]'")

MACHINE = re.compile(
    r"(?<![\w.~$])/(home|root|work|tmp|farm|Users|var/folders)/\w|[A-Z]:\\+Users\\"
)
ENCODED = re.compile(r"[A-Za-z0-9+/=]{120,}")  # pictures inside HTML


def texts(value: Any) -> Iterator[str]:
    """Every string of a notebook, pictures left out."""
    if isinstance(value, str):
        yield ENCODED.sub("", value)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key not in {"image/png", "image/jpeg", "application/pdf"}:
                yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def _read(root: Path, notebook: str) -> Any:
    return nbformat.read(root / notebook, as_version=4)


@pytest.mark.slow
def test_notebook_runs(
    notebook: str, root: Path, away: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(away / "ipython"))  # nobody's start-up files
    monkeypatch.delenv("MPLBACKEND")  # the kernel shows its pictures inline
    client = nbclient.NotebookClient(
        _read(root, notebook),
        timeout=900,
        kernel_name="python3",
        resources={"metadata": {"path": away}},
    )
    client.execute()
    assert any(cell.cell_type == "code" for cell in client.nb.cells)


def test_notebook_is_of_no_machine(notebook: str, root: Path) -> None:
    found = _read(root, notebook)
    nbformat.validate(found)
    assert [t[:200] for t in texts(found) if MACHINE.search(t)] == []
    outputs = [o for c in found.cells if c.cell_type == "code" for o in c.outputs]
    assert not [o for o in outputs if o.output_type == "error"]


def test_there_is_a_notebook(files: list[str]) -> None:
    assert [n for n in files if n.startswith("notebooks/") and n.endswith(".ipynb")]


@pytest.mark.parametrize("path", ["home/ann/ebit", "Users/ann", "tmp/x"])
def test_a_path_is_seen(path: str) -> None:
    cell = {"cells": [{"outputs": [{"data": {"text/plain": [f"saved to /{path}"]}}]}]}
    assert [t for t in texts(cell) if MACHINE.search(t)]
