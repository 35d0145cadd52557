"""Several processes and threads on one ledger at once."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ebit.backends import Job, begin, cancel_job, collect, open_job
from ebit.backends.ledger import Ledger
from ebit.backends.ledger_file import LedgerFile
from ebit.circuits import chsh
from ebit.games import JobError, NetworkError
from tests.fakeprovider import LabBackend
from tests.killing import in_child, needs_fork, sound, start, wait_for

TEST = chsh()
SHOTS, PARTS = 200, 3


class SlowLab(LabBackend):
    """A provider that takes its time to accept a part."""

    def __init__(self, folder: Path, seconds: float = 0.2) -> None:
        super().__init__(folder)
        plain = self.lab.accept

        def accept(*args: Any) -> str:
            (folder / "accepting").touch()
            time.sleep(seconds)
            return plain(*args)

        self.lab.accept = accept  # type: ignore[method-assign]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def lab(tmp_path: Path) -> LabBackend:
    return LabBackend(tmp_path / "lab")


def unsent(lab: LabBackend, place: Path) -> str:
    """A run that was begun while its provider did not answer."""
    lab.lab.break_next("lose")
    with pytest.raises(NetworkError, match="is in the ledger: ebit resume") as caught:
        begin(lab, lab.compile(TEST), shots=SHOTS, ledger=Ledger(place))
    (line,) = Ledger(place).runs()
    assert line.stage == "intent"
    assert line.id[:8] in str(caught.value)
    assert not lab.lab.accepted()
    return line.id


@needs_fork
@pytest.mark.parametrize("count", [8])
def test_many_processes_write_at_once(place: Path, lab: LabBackend, count: int) -> None:
    """They meet at a ledger that does not exist yet: making it is part of the race."""
    compiled = lab.compile(TEST)
    runs = 4
    begun = time.time() + 0.5

    def work() -> None:
        time.sleep(max(0.0, begun - time.time()))
        for _ in range(runs):
            book = Ledger(place)
            job = begin(lab, compiled, shots=SHOTS, ledger=book)
            book.note(job.id, "a remark")
            assert job.id in {line.id for line in book.runs()}
            collect(job.id, backend=lab, ledger=Ledger(place))

    children = [start(work) for _ in range(count)]
    assert [wait_for(child) for child in children] == [0] * count
    ids = sound(place)
    assert len(ids) == count * runs
    assert {line.stage for line in Ledger(place).runs()} == {"done"}
    assert lab.lab.accepted() == {(id, k): 1 for id in ids for k in range(PARTS)}
    assert all("a remark" in [w for _, w in Ledger(place).entry(id).events] for id in ids)


def race_to_make(folder: Path, races: int) -> None:
    """Processes that meet at a file which is not there: the narrowest moment of all."""
    for race in range(races):
        place = folder / f"{race}.sqlite"
        begun = time.time() + 0.02

        def work(place: Path = place, begun: float = begun) -> None:
            while time.time() < begun:
                pass
            for k in range(3):
                with LedgerFile(place).write() as db:
                    db.execute("INSERT INTO content VALUES (?, x'00')", (f"{os.getpid()} {k}",))

        children = [start(work) for _ in range(8)]
        assert [wait_for(child) for child in children] == [0] * 8
        with LedgerFile(place).read() as db:
            assert db.execute("SELECT count(*) FROM content").fetchone() == (24,)


@needs_fork
def test_a_ledger_is_made_once(tmp_path: Path) -> None:
    race_to_make(tmp_path, 12)


@needs_fork
@pytest.mark.slow
def test_a_ledger_is_made_once_many_times(tmp_path: Path) -> None:
    race_to_make(tmp_path, 200)


@needs_fork
def test_many_processes_resume_one_run(tmp_path: Path, place: Path) -> None:
    """Exactly one sends; the others are told by whom, or find it done."""
    lab = SlowLab(tmp_path / "lab", 0.05)
    id = unsent(lab, place)
    told = tmp_path / "told"
    told.mkdir()

    def work() -> None:
        try:
            collect(id, backend=lab, ledger=Ledger(place))
        except JobError as error:
            (told / str(os.getpid())).write_text(str(error))

    children = [start(work) for _ in range(6)]
    assert [wait_for(child) for child in children] == [0] * 6
    assert lab.lab.accepted() == {(id, k): 1 for k in range(PARTS)}
    assert open_job(id, ledger=Ledger(place)).stage == "done"
    for file in told.iterdir():
        assert "is being sent by another process (number " in file.read_text()
    assert len(list(told.iterdir())) < 6


@needs_fork
def test_a_run_that_is_being_sent_is_left_alone(tmp_path: Path, place: Path) -> None:
    lab = SlowLab(tmp_path / "lab", 0.4)

    def work() -> None:
        begin(lab, lab.compile(TEST), shots=SHOTS, ledger=Ledger(place))

    child = start(work)
    while not (tmp_path / "lab" / "accepting").exists():
        time.sleep(0.01)
    (line,) = Ledger(place).runs()
    for act in (collect, cancel_job):
        with pytest.raises(JobError, match=rf"another process \(number {child[0]} on"):
            act(line.id, backend=lab, ledger=Ledger(place))
    assert wait_for(child) == 0
    assert collect(line.id, backend=lab, ledger=Ledger(place)).trials.n == SHOTS
    assert set(lab.lab.accepted().values()) == {1}


@needs_fork
def test_the_claim_of_a_killed_process_is_free(tmp_path: Path, place: Path) -> None:
    lab = SlowLab(tmp_path / "lab", 0.3)

    def work() -> None:
        begin(lab, lab.compile(TEST), shots=SHOTS, ledger=Ledger(place))

    assert in_child(work, after=0.5) != 0
    (line,) = Ledger(place).runs()
    assert line.stage in ("intent", "submitted")
    assert collect(line.id, backend=lab, ledger=Ledger(place)).trials.n == SHOTS
    assert set(lab.lab.accepted().values()) == {1}


@needs_fork
def test_a_killed_process_that_nobody_waited_for_holds_nothing(place: Path) -> None:
    """A zombie: its number is still taken."""
    book = Ledger(place)
    _intend(book, "a" * 16)

    def work() -> None:
        book.claim("a" * 16)

    book.release("a" * 16)
    pid, reading = start(work)
    os.close(reading)
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.01)
    assert book.claim("a" * 16) is None
    os.waitpid(pid, 0)


def in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(count)))


def test_threads_write_at_once(place: Path, lab: LabBackend) -> None:
    compiled, book = lab.compile(TEST), Ledger(place)

    def work(_: int) -> str:
        found = ""
        for _ in range(3):
            job = begin(lab, compiled, shots=SHOTS, ledger=book)
            found = collect(job, backend=lab).id
        return found

    assert len(set(in_threads(8, work))) == 8
    ids = sound(place)
    assert len(ids) == 24
    assert lab.lab.accepted() == {(id, k): 1 for id in ids for k in range(PARTS)}


def test_threads_resume_one_run(tmp_path: Path, place: Path) -> None:
    """The later ones wait for the first."""
    lab = SlowLab(tmp_path / "lab", 0.05)
    id = unsent(lab, place)
    found = in_threads(6, lambda _: collect(id, backend=lab, ledger=Ledger(place)).trials.n)
    assert found == [SHOTS] * 6
    assert lab.lab.accepted() == {(id, k): 1 for k in range(PARTS)}


def test_a_run_is_not_resumed_while_this_process_sends_it(tmp_path: Path, place: Path) -> None:
    lab = SlowLab(tmp_path / "lab", 0.1)
    sending = threading.Thread(
        target=lambda: begin(lab, lab.compile(TEST), shots=SHOTS, ledger=Ledger(place))
    )
    sending.start()
    while not (tmp_path / "lab" / "accepting").exists():
        time.sleep(0.01)
    (line,) = Ledger(place).runs()
    assert collect(line.id, backend=lab, ledger=Ledger(place)).trials.n == SHOTS
    sending.join()
    assert lab.lab.accepted() == {(line.id, k): 1 for k in range(PARTS)}


@needs_fork
def test_a_fork_while_threads_write(place: Path) -> None:
    """Locks are a process's own: a child must not be born in the middle of a transaction."""
    book = Ledger(place)
    _intend(book, "a" * 16)
    stop = threading.Event()
    written = [0] * 3

    def keep_writing(k: int) -> None:
        while not stop.is_set():
            book.note("a" * 16, f"thread {k}")
            written[k] += 1

    threads = [threading.Thread(target=keep_writing, args=(k,)) for k in range(3)]
    for thread in threads:
        thread.start()
    try:
        for k in range(15):

            def work(k: int = k) -> None:
                for _ in range(5):
                    book.note("a" * 16, f"child {k}")

            assert in_child(work) == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    words = [what for _, what in book.entry("a" * 16).events]
    assert len(words) == 1 + sum(written) + 75
    assert sum(what.startswith("child") for what in words) == 75
    with sqlite3.connect(place) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()


def _intend(book: Ledger, id: str) -> Job:
    from ebit.circuits.record import circuits_to_bytes, program_to_bytes

    entry = book.intend(
        id,
        backend="aer",
        name="test",
        program_id=TEST.id,
        program=program_to_bytes(TEST),
        compiled=circuits_to_bytes(TEST.circuits),
        calibration=None,
        facts={"shots": 1},
    )
    return Job(id, entry, book)
