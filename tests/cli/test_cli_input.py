"""Bad input at the command line: one clear line, exit code 2, no traceback, no half-written file."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from ebit.backends import load_calibration
from ebit.cli import run
from ebit.games import Trials

HEADER = "x,y,a,b\n"
ROUNDS = "0,0,0,0\n0,1,1,1\n1,0,0,0\n1,1,0,1\n"


def complaint(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    code = run(arguments)
    printed = capsys.readouterr()
    assert code == 2, printed
    assert printed.out == ""
    lines = printed.err.strip().splitlines()
    assert len(lines) == 1, printed.err
    assert lines[0].startswith("ebit: ")
    assert "Traceback" not in printed.err
    return lines[0]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.csv", "", "empty"),
        ("header.csv", HEADER, "at least one round"),
        ("columns.csv", "x,y,p,q\n0,0,0,0\n", "columns"),
        ("settings.csv", HEADER + ROUNDS + "2,0,0,0\n", "settings"),
        ("outcomes.csv", HEADER + ROUNDS + "0,0,0,3\n", "outcomes"),
        ("never.csv", HEADER + "0,0,0,0\n0,1,1,1\n1,0,0,0\n", "never"),
        ("nan.csv", "x,y,a,b,count\n0,0,0,0,nan\n", "whole number"),
        ("negative.csv", "x,y,a,b,count\n0,0,0,0,5\n0,0,0,1,-3\n", "negative"),
        ("text.csv", HEADER + "0,0,zero,0\n", "whole number"),
        ("ragged.csv", HEADER + "0,0,0,0\n0,0,0\n", "columns"),
        ("nan.json", "[[1,2,3,4],[1,2,3,NaN],[1,2,3,4],[1,2,3,4]]", "nan"),
        ("negative.json", "[[1,2,3,4],[1,2,3,-4],[1,2,3,4],[1,2,3,4]]", "negative"),
        ("shape.json", "[[1,2,3,4],[1,2,3,4]]", "rows"),
        ("broken.json", '{"00": {"00": 1', "JSON"),
        ("broken.npz", "PK not a zip", "NPZ"),
        ("kind.xlsx", "x", "end in"),
    ],
)
def test_bad_files(
    name: str, content: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_text(content)
    line = complaint(["score", str(path)], capsys)
    assert words in line
    assert name in line or words == "never"


def test_missing_file_and_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "does not exist" in complaint(["score", str(tmp_path / "no.csv")], capsys)
    assert "folder" in complaint(["score", str(tmp_path)], capsys)


def test_parquet_cut_short(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pyarrow")
    rng = np.random.default_rng(1)
    whole = Trials.from_rounds(rng.integers(0, 2, (500, 2)), rng.integers(0, 2, (500, 2)))
    path = whole.save(tmp_path / "rounds.parquet")
    data = path.read_bytes()
    for size in (4, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:size])
        assert "Parquet" in complaint(["score", str(path)], capsys)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["bell", "--shots", "0"], "at least 1"),
        (["bell", "--shots", "-5"], "at least 1"),
        (["bell", "--shots", "2.5"], "whole number"),
        (["bell", "--shots", "3", "--settings", "per-circuit"], "at least 4"),
        (["bell", "--backend", "aer:fezz"], "aer:fez"),
        (["bell", "--backend", "aqua"], "aqua"),
        (["bell", "--backend", "ibm:ibm_fez"], "no account of IBM is known here"),
        (["bell", "--backend", "aer:fez", "--pair", "0,99"], "coupled"),
        (["bell", "--backend", "aer:fez", "--pair", "0,0"], "different"),
        (["bell", "--backend", "aer:fez", "--pair", "0,9999"], "9999"),
        (["bell", "--backend", "aer:fez", "--pair", "3"], "pair"),
        (["bell", "--state", "ghz"], "ghz"),
        (["bell", "--angles", "1,2,3"], "four numbers"),
        (["bell", "--angles", "1,2,3,nan"], "finite"),
        (["bell", "--tau", "0.7"], "tau"),
        (["bell", "--tau", "nan"], "tau"),
        (["bel"], "bell"),
        (["score"], "FILE"),
        (["score", "--wins", "3"], "--trials"),
        (["score", "--wins", "300", "--trials", "245"], "wins"),
        (["score", "--wins", "-1", "--trials", "245"], "wins"),
        (["score", "--wins", "3", "--trials", "0"], "trials"),
        (["score", "--wins", "3", "--trials", "9", "--game", "chess"], "chess"),
        (["score", "--wins", "3", "--trials", "9", "--efficiency", "1.2"], "efficiency"),
        (["plan"], "expectation"),
        (["plan", "--S", "1.9"], "above"),
        (["plan", "--S", "2.5", "--win-rate", ".8"], "one expectation"),
        (["plan", "--S", "2.5", "--p", "0"], "p_value"),
        (["state", "bee:3"], "bee"),
        (["state", "ghz:1"], "ghz"),
    ],
)
def test_bad_arguments(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in complaint(arguments, capsys)


def test_device_without_its_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # A submodule that is loaded already would be found without its parent.
    for name in [m for m in sys.modules if m.split(".")[0] == "qiskit_ibm_runtime"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "qiskit_ibm_runtime", None)
    monkeypatch.delitem(sys.modules, "ebit.backends.extract", raising=False)
    load_calibration.cache_clear()
    line = complaint(["bell", "--backend", "aer:marrakesh"], capsys)
    assert "pip install 'ebit[ibm]'" in line


@pytest.mark.parametrize("command", [["bell", "--shots", "100"], ["demo"], ["state", "ghz:2"]])
def test_folder_that_cannot_be_written(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("kept")
    line = complaint([*command, "--out", str(occupied / "deeper")], capsys)
    assert "cannot write" in line
    assert occupied.read_text() == "kept"


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="does not exist"):
        run(["score", str(tmp_path / "no.csv"), "--debug"])
