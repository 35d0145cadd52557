"""A ledger of an older version is brought up to date, once, and loses nothing."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import time
from pathlib import Path

import pytest

from ebit.backends import LedgerError, collect, list_jobs, load_calibration, open_job
from ebit.backends.ledger import Ledger
from ebit.backends.schema import _STEPS, VERSION, bring_up_to_date
from ebit.circuits import chsh
from ebit.games import Shots
from tests.killing import in_child, killed_at, lines_of, needs_fork, start, wait_for

STORED = Path(__file__).parents[1] / "data" / "ledger-v1.sqlite"
DONE, SUBMITTED, INTENT = (f"5b1d0c1e9a7f4e0{k}" for k in (1, 2, 3))
# SHA-256 of the packed bits, noted when the file was made: of the run that was done, and of what
# the other two give, which their seeds decide.
RIGHT = {
    DONE: "6b2bae98f002611285f1395427dcff9490acbb79a82b225309963b20d8c87814",
    SUBMITTED: "8616adac7256e04b58ec8dae8e2606f02fdc165f8f2f15417d1b9a14aeb60f27",
    INTENT: "7b14f4e545e4c43bf3664846d4c7b622e6006a77a7cf4efb02d3f9252b193d4b",
}


def sum_of(shots: Shots | None) -> str:
    assert shots is not None
    return hashlib.sha256(b"".join(array.tobytes() for array in shots.packed)).hexdigest()


def number(place: Path, pragma: str) -> int:
    with sqlite3.connect(place) as db:
        found = int(db.execute(f"PRAGMA {pragma}").fetchone()[0])
    db.close()
    return found


@pytest.fixture(params=[1, 2])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The stored ledger of version 1, or what version 2 made of it."""
    place = tmp_path / "ledger.sqlite"
    shutil.copy(STORED, place)
    if request.param == 2:
        db = sqlite3.connect(place, isolation_level=None)
        for statement in _STEPS[2]:
            db.execute(statement)
        db.execute("PRAGMA user_version = 2")
        db.close()
    assert number(place, "user_version") == request.param
    return place


def check(place: Path) -> None:
    lines = list_jobs(ledger=Ledger(place))
    assert number(place, "user_version") == VERSION
    assert [(line.id, line.stage) for line in lines] == [
        (INTENT, "intent"),
        (SUBMITTED, "submitted"),
        (DONE, "done"),
    ]
    assert [line.shots for line in lines] == [400, 400, 2000]
    job = open_job(DONE, ledger=Ledger(place))
    assert job.program.id == chsh().id
    assert job.layout == (3, 4)
    circuit = job.compiled.circuits[0]
    assert circuit.num_qubits == 156
    assert {circuit.find_bit(q).index for item in circuit.data for q in item.qubits} == {3, 4}
    assert job.calibration is not None
    assert job.calibration.to_json() == load_calibration("fez").to_json()
    assert sum_of(job.shots) == RIGHT[DONE]
    assert job.trials.n == 2000
    assert job.purpose == {"kind": "bell", "seed": 7}
    assert job.outcome is not None
    assert "exact" in job.outcome.method


def test_it_is_small_and_old() -> None:
    assert STORED.stat().st_size < 40_000
    with sqlite3.connect(f"{STORED.as_uri()}?mode=ro&immutable=1", uri=True) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        names = {n for (n,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    db.close()
    assert names == {"runs", "shots", "sqlite_sequence"}


def test_nothing_is_lost(old: Path) -> None:
    check(old)
    check(old)


def test_its_unfinished_runs_are_collected(old: Path) -> None:
    for id in (SUBMITTED, INTENT):
        collect(id, ledger=Ledger(old))
        assert sum_of(open_job(id, ledger=Ledger(old)).shots) == RIGHT[id]
    assert {line.stage for line in list_jobs(ledger=Ledger(old))} == {"done"}
    with sqlite3.connect(old) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        # The same circuits stand there once: three runs, one experiment, two compilations.
        assert db.execute("SELECT count(*) FROM content").fetchone() == (4,)
    db.close()


@needs_fork
def test_several_processes_bring_it_up_to_date_at_once(old: Path) -> None:
    begun = time.time() + 0.3

    def work() -> None:
        time.sleep(max(0.0, begun - time.time()))
        check(old)

    children = [start(work) for _ in range(6)]
    assert [wait_for(child) for child in children] == [0] * 6


@needs_fork
def test_killed_on_the_way(tmp_path: Path) -> None:
    """It is of one version or of the other, never in between."""

    def work(place: Path) -> None:
        Ledger(place).runs()

    def fresh(name: str) -> Path:
        shutil.copy(STORED, tmp_path / name)
        return tmp_path / name

    place = fresh("count")
    lines = lines_of(lambda: work(place))
    versions = set()
    for line in range(1, lines + 1, 7):
        place = fresh(f"{line}.sqlite")
        assert killed_at(line, lambda place=place: work(place))  # type: ignore[misc]
        versions.add(number(place, "user_version"))
        check(place)
    print(f"\nkilled {len(range(1, lines + 1, 7))} times while it was brought up to date")
    assert versions == {1, VERSION}


@needs_fork
def test_an_old_one_that_cannot_be_written_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "fixed"
    folder.mkdir()
    place = folder / "ledger.sqlite"
    shutil.copy(STORED, place)
    before = place.read_bytes()
    place.chmod(0o444)
    folder.chmod(0o555)
    for path in (tmp_path, *tmp_path.parents[:2]):
        if path.stat().st_uid == os.geteuid():
            path.chmod(path.stat().st_mode | 0o111)

    def work() -> None:
        if os.geteuid() == 0:
            os.setuid(65534)
        with pytest.raises(LedgerError, match="cannot be written"):
            Ledger(place).runs()

    try:
        assert in_child(work) == 0
    finally:
        folder.chmod(0o755)
    assert place.read_bytes() == before


def test_a_new_ledger_takes_every_step() -> None:
    """The same tables, whether a file was made now or grew."""

    def tables(db: sqlite3.Connection) -> list[tuple[str, str]]:
        return db.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()

    one, other = sqlite3.connect(":memory:"), sqlite3.connect(":memory:")
    bring_up_to_date(one, 0)
    for statement in _STEPS[1]:
        other.execute(statement)
    bring_up_to_date(other, 1)
    assert tables(one) == tables(other)
    one.close()
    other.close()
