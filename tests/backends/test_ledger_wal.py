"""A write-ahead log cut or damaged at any byte: the ledger opens, with a state it had been in."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ebit.backends import begin, collect, open_job
from ebit.backends.ledger import Ledger
from ebit.backends.ledger_file import LedgerFile
from ebit.circuits import chsh
from tests.fakeprovider import LabBackend
from tests.killing import in_child, needs_fork, same_shots, sound

pytestmark = needs_fork

HEADER, FRAME = 32, 24  # bytes of the log's header, and of a frame's before its page


def state(place: Path) -> str:
    """Everything that is in a ledger, as text; "" before it has tables."""
    db = sqlite3.connect(place, isolation_level=None)
    try:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("BEGIN")
        tables = [n for (n,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return repr([(t, db.execute(f"SELECT * FROM {t}").fetchall()) for t in sorted(tables)])
    finally:
        db.close()


class Log:
    """A ledger whose last process was killed, so that everything is still in its log.

    Attributes:
        states: what was in it after each transaction, the empty file first.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.place = folder, folder / "ledger.sqlite"
        self.lab = LabBackend(folder / "lab")
        assert in_child(self._write) == -signal.SIGKILL
        self.states: list[str] = json.loads((folder / "states.json").read_text())
        self.base = self.place.read_bytes()
        self.log = self.place.with_name("ledger.sqlite-wal").read_bytes()
        self.memory = self.place.with_name("ledger.sqlite-shm").read_bytes()
        self.page = int.from_bytes(self.log[8:12], "big")

    def _write(self) -> None:
        first = sqlite3.connect(self.place, isolation_level=None)
        first.execute("PRAGMA journal_mode = wal")
        first.execute("BEGIN")
        first.execute("SELECT * FROM sqlite_master").fetchall()  # a reader: nothing is moved
        states = [state(self.place)]
        plain = LedgerFile.write

        @contextmanager
        def write(file: LedgerFile) -> Iterator[Any]:
            if not file._checked:
                file._current().close()
                states.append(state(self.place))
            with plain(file) as db:
                yield db
            states.append(state(self.place))

        LedgerFile.write = write  # type: ignore[method-assign]
        book, test = Ledger(self.place), chsh()
        job = begin(self.lab, self.lab.compile(test), shots=200, ledger=book)
        collect(job, backend=self.lab)
        (self.folder / "states.json").write_text(json.dumps(states))
        os.kill(os.getpid(), signal.SIGKILL)

    @property
    def ends(self) -> list[int]:
        """Where frames end."""
        step = FRAME + self.page
        return [HEADER, *range(HEADER + step, len(self.log) + 1, step)]

    def damaged(self, folder: Path, log: bytes) -> Path:
        """The ledger with another log."""
        folder.mkdir(exist_ok=True)
        place = folder / "ledger.sqlite"
        for name in ("ledger.sqlite-shm", "ledger.sqlite-wal"):
            (folder / name).unlink(missing_ok=True)
        place.write_bytes(self.base)
        place.with_name("ledger.sqlite-wal").write_bytes(log)
        return place

    def number(self, place: Path) -> int:
        """Which of the states a ledger is in."""
        found = state(place)
        assert found in self.states
        return len(self.states) - 1 - self.states[::-1].index(found)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    made = Log(tmp_path_factory.mktemp("log"))
    assert len(made.states) == 8  # empty, tables, intent, three parts, all sent, done
    assert len(set(made.states)) == 8
    assert (len(made.log) - HEADER) % (FRAME + made.page) == 0
    return made


def test_a_log_that_is_whole(log: Log, tmp_path: Path) -> None:
    place = log.damaged(tmp_path, log.log)
    assert log.number(place) == 7
    assert len(sound(place)) == 1


def cut(log: Log, folder: Path, sizes: list[int]) -> None:
    before = 0
    for size in sizes:
        now = log.number(log.damaged(folder, log.log[:size]))
        assert now >= before  # a longer log never knows less
        before = now
    print(f"\nlog cut at {len(sizes)} of {len(log.log)} bytes: each time one of the states before")


def test_cut_at_some_bytes(log: Log, tmp_path: Path) -> None:
    near = {end + d for end in log.ends[::5] for d in (-1, 0, 1)}
    sizes = sorted(n for n in near | set(range(0, len(log.log), 2503)) if 0 <= n <= len(log.log))
    cut(log, tmp_path, sizes)


@pytest.mark.slow
def test_cut_at_many_bytes(log: Log, tmp_path: Path) -> None:
    """All bytes near the ends of frames, and every ninth of the others (all were tried once)."""
    near = {end + d for end in log.ends for d in range(-FRAME - 1, FRAME + 2)}
    every = near | set(range(0, len(log.log), 9))
    cut(log, tmp_path, sorted(n for n in every if 0 <= n <= len(log.log)))


def test_every_state_is_complete_and_goes_on(log: Log, tmp_path: Path) -> None:
    """Cut where each transaction ends, the ledger is sound, and the run is collected, sent once."""
    seen: dict[int, int] = {}
    for end in log.ends:
        seen.setdefault(log.number(log.damaged(tmp_path, log.log[:end])), end)
    assert sorted(seen) == list(range(8))
    whole = log.damaged(tmp_path, log.log)
    right = open_job(sound(whole)[0], ledger=Ledger(whole)).shots
    for number, end in seen.items():
        place = log.damaged(tmp_path, log.log[:end])
        ids = sound(place)
        assert len(ids) == (number >= 2)
        for id in ids:
            assert same_shots(collect(id, backend=log.lab, ledger=Ledger(place)).shots, right)
            assert same_shots(open_job(id, ledger=Ledger(place)).shots, right)
    assert set(log.lab.lab.accepted().values()) == {1}


def flip(log: Log, folder: Path, positions: list[int]) -> None:
    whole = 0
    for i in positions:
        bad = bytearray(log.log)
        bad[i] ^= 1 << (i % 8)
        whole += log.number(log.damaged(folder, bytes(bad))) == len(log.states) - 1
    print(f"\nlog damaged at {len(positions)} bytes: each time one of the states before")
    assert whole < len(positions) / 20  # the log's own sums were looked at


def test_damaged_at_some_bytes(log: Log, tmp_path: Path) -> None:
    flip(log, tmp_path, list(range(0, len(log.log), 2003)))


@pytest.mark.slow
def test_damaged_at_many_bytes(log: Log, tmp_path: Path) -> None:
    flip(log, tmp_path, list(range(0, len(log.log), 37)))


def test_shared_memory_of_the_dead_is_ignored(log: Log, tmp_path: Path) -> None:
    place = log.damaged(tmp_path, log.log)
    place.with_name("ledger.sqlite-shm").write_bytes(bytes(range(256)) * 128)
    assert log.number(place) == 7
    place = log.damaged(tmp_path, log.log[: log.ends[-3]])
    place.with_name("ledger.sqlite-shm").write_bytes(log.memory)  # knows of more than is there
    assert log.number(place) == 6
    assert len(sound(place)) == 1
