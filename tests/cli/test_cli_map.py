"""ebit map at the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ebit.cli import run

KEYS = "pairs colours circuits jobs shots mode backend"
OF_A_PAIR = "qubits S S_interval p_value e_value no_signalling violates"


def test_json_has_what_is_promised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["map", "--backend", "aer:fez", "--shots", "1024", "--seed", "1", "--json"]
    assert run([*arguments, "--out", str(tmp_path / "chip")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(KEYS.split()) <= set(found)
    assert (found["colours"], found["circuits"], found["jobs"]) == (3, 14, 0)
    assert found["shots"] == 1024
    pairs = [tuple(pair["qubits"]) for pair in found["pairs"]]
    assert len(pairs) == len(set(pairs)) == 176
    for pair in found["pairs"]:
        assert set(OF_A_PAIR.split()) <= set(pair)
        assert pair["n"] == 1024
    assert {p.name for p in (tmp_path / "chip").iterdir()} >= {
        "chip.png",
        "chip.svg",
        "results.json",
    }
    assert 100 < found["violating"] < 176


def test_both_modes_and_left_for_later(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["map", "--backend", "aer:fez", "--shots", "400", "--mode", "both", "--seed", "2"]
    arguments += ["--pairs", "3-4,4-5,5-6"]
    assert run([*arguments, "--json"]) == 0
    direct = json.loads(capsys.readouterr().out)
    assert run([*arguments, "--no-wait", "--json", "--quiet"]) == 0
    job = json.loads(capsys.readouterr().out)["job"]
    assert run(["resume", job, "--json", "--quiet"]) == 0
    later = json.loads(capsys.readouterr().out)
    assert later["pairs"] == direct["pairs"]
    assert later["crosstalk"] == 0
    assert later["job"] == job


def test_coins_where_neighbours_allow(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["map", "--shots", "4096", "--settings", "per-shot", "--pairs", "3-4,0-1", "--json"]
    assert run([*arguments, "--seed", "3"]) == 0
    found = json.loads(capsys.readouterr().out)
    settings = {tuple(p["qubits"]): p["settings"] for p in found["pairs"]}
    assert settings == {(3, 4): "per-shot", (0, 1): "per-circuit"}


def test_as_people_read_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["map", "--shots", "1024", "--seed", "1", "--pairs", "3-4,4-5"]) == 0
    text = capsys.readouterr().out
    assert "2 of 2 pairs violate local realism in simulation" in text
    assert "false-discovery rate at most 0.05" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--backend", "aer"], "couplings"),
        (["--backend", "cirq"], "couplings"),
        (["--pairs", "3-9"], "3-9 is not"),
        (["--pairs", "3-999"], "3-999 is not"),
        (["--pairs", "3"], "--pairs"),
        (["--fdr", "0"], "fdr"),
        (["--shots", "3"], "at least 4"),
        (["--mode", "sideways"], "sideways"),
    ],
)
def test_bad_arguments(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["map", *arguments]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert words in lines[0]
