"""Jobs at the command line: begun, listed, priced, resumed, cancelled; faults in one line each."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ebit.backends import Ledger
from ebit.cli import run


def printed(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> Any:
    assert run([*arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def complaint(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int) -> str:
    assert run(arguments) == code
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1, captured.err
    assert captured.out == ""
    return lines[0]


@pytest.fixture
def job(capsys: pytest.CaptureFixture[str]) -> str:
    found = printed(
        ["bell", "--backend", "aer:fez", "--shots", "20000", "--seed", "3", "--no-wait"], capsys
    )
    assert found["stage"] == "submitted"
    return str(found["job"])


def test_begun_listed_resumed(job: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = printed(["jobs"], capsys)["jobs"]
    assert [(line["job"], line["stage"]) for line in listed] == [(job, "submitted")]
    shown = printed(["jobs", job[:8], "--check"], capsys)
    assert shown["state"] == "queued"
    assert shown["purpose"]["kind"] == "bell"
    assert shown["events"][0]["what"] == "intent"
    score = printed(["resume", job[:8], "--out", str(tmp_path / "r")], capsys)
    direct = printed(["bell", "--backend", "aer:fez", "--shots", "20000", "--seed", "3"], capsys)
    assert score["S"] == direct["S"]
    assert score["job"] == job
    assert {p.name for p in (tmp_path / "r").iterdir()} >= {"results.json", "trials.npz"}
    assert printed(["jobs", "--open"], capsys)["jobs"] == []
    again = printed(["resume", job], capsys)
    assert again["S"] == score["S"]


def test_all_unfinished_ones_at_once(job: str, capsys: pytest.CaptureFixture[str]) -> None:
    other = printed(["state", "ghz:3", "--shots", "7000", "--no-wait"], capsys)["job"]
    waiting = printed(["resume"], capsys)["jobs"]
    assert [line["job"] for line in waiting] == [job, other]
    assert all(line["stage"] == "done" and line["result"] for line in waiting)
    assert printed(["resume"], capsys)["jobs"] == []


def test_as_people_read_it(job: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["jobs"]) == 0
    text = capsys.readouterr().out
    assert job[:8] in text
    assert "1 unfinished: ebit resume picks them up" in text
    assert run(["jobs", job[:6]]) == 0
    assert "history (UTC)" in capsys.readouterr().out
    assert run(["resume"]) == 0
    assert "local realism violated in simulation" in capsys.readouterr().out
    assert run(["resume"]) == 0
    assert "no unfinished job" in capsys.readouterr().out


def test_cancelled(job: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(["cancel", job[:8]], capsys)["stage"] == "cancelled"
    assert "was cancelled" in complaint(["resume", job], capsys, 1)


@pytest.mark.parametrize("what", ["bell", "fringe", "ghz:3"])
def test_estimates(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(["estimate", what, "--backend", "aer:fez", "--shots", "7000"], capsys)
    assert found["shots"] <= 7000
    assert found["circuits"] >= 1
    assert found["jobs"] == 0
    assert found["quantum_seconds"] is None
    assert run(["estimate", what, "--backend", "aer:fez"]) == 0
    assert "circuit" in capsys.readouterr().out


def test_a_budget_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    line = complaint(["bell", "--shots", "1e7", "--max-seconds", "1e-6"], capsys, 1)
    assert "nothing was sent" in line


@pytest.mark.parametrize(
    "command", [["resume", "0123abcd"], ["cancel", "0123abcd"], ["jobs", "0123abcd"]]
)
def test_an_id_nobody_knows(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert "'0123abcd' is not there" in complaint(command, capsys, 2)


def test_no_job_yet(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["jobs"]) == 0
    assert "no job yet" in capsys.readouterr().out
    assert not Ledger().path.exists()  # looking makes no file


def _ledger_place() -> Path:
    place = Path(os.environ["EBIT_HOME"]) / "ledger.sqlite"
    place.parent.mkdir(parents=True)
    return place


def test_a_ledger_that_is_no_database(capsys: pytest.CaptureFixture[str]) -> None:
    _ledger_place().write_bytes(b"dear diary, " * 1000)
    assert "is no database" in complaint(["jobs"], capsys, 1)


def test_a_ledger_of_another_program(capsys: pytest.CaptureFixture[str]) -> None:
    with sqlite3.connect(_ledger_place()) as other:
        other.execute("CREATE TABLE songs (title TEXT)")
    assert "some other program's database" in complaint(["jobs"], capsys, 1)


def test_a_ledger_of_a_newer_ebit(job: str, capsys: pytest.CaptureFixture[str]) -> None:
    with sqlite3.connect(Ledger().path) as db:
        db.execute("PRAGMA user_version = 99")
    assert "written by a newer ebit" in complaint(["jobs"], capsys, 1)


def test_a_clock_that_went_back(job: str, capsys: pytest.CaptureFixture[str]) -> None:
    with sqlite3.connect(Ledger().path) as db:
        db.execute("UPDATE runs SET updated = '2999-01-01T00:00:00.000+00:00'")
    assert run(["jobs"]) == 0
    captured = capsys.readouterr()
    assert "the clock of this machine" in captured.err
    assert len(captured.err.strip().splitlines()) == 1
    assert job[:8] in captured.out
    assert "clock" in printed(["jobs"], capsys)["warning"]


def test_a_home_that_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("EBIT_HOME", str(tmp_path / "file"))
    line = complaint(["bell", "--shots", "100", "--no-wait", "--quiet"], capsys, 1)
    assert "EBIT_HOME" in line
