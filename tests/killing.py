"""Processes that are killed on purpose: at the k-th line of the modules that must bear it, or at a time."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import numpy as np
import pytest

from ebit.backends import (
    Job,
    claims,
    home,
    jobs,
    ledger,
    ledger_file,
    ledger_rows,
    runs,
    schema,
    sending,
)
from ebit.backends.ledger import Ledger
from ebit.games import Shots
from tests import fakeprovider
from tests.fakeprovider import Provider

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

_MODULES: tuple[ModuleType, ...] = (
    claims,
    home,
    jobs,
    ledger,
    ledger_file,
    ledger_rows,
    runs,
    schema,
    sending,
    fakeprovider,
)
WATCHED = frozenset(str(module.__file__) for module in _MODULES)


def lines_of(work: Callable[[], object]) -> int:
    """How many lines of the watched modules some work runs."""
    reading, writing = os.pipe()

    def count() -> None:
        steps = _Steps(0)
        sys.settrace(steps)
        work()
        sys.settrace(None)
        os.write(writing, str(steps.count).encode())

    assert in_child(count) == 0
    os.close(writing)
    with os.fdopen(reading) as answer:
        return int(answer.read())


def killed_at(line: int, work: Callable[[], object]) -> bool:
    """Run some work in a child that is killed at a line of the watched modules; whether it was."""

    def traced() -> None:
        sys.settrace(_Steps(line))
        work()

    return in_child(traced) == -signal.SIGKILL


def killed_after(seconds: float, work: Callable[[], object]) -> bool:
    """Run some work in a child that is killed after a time; whether it was."""
    return in_child(work, after=seconds) == -signal.SIGKILL


def in_child(work: Callable[[], object], *, after: float | None = None) -> int:
    """Run some work in a child; 0, or minus the signal that ended it.

    Raises:
        AssertionError: the work raised something.
    """
    return wait_for(start(work), after=after)


def start(work: Callable[[], object]) -> tuple[int, int]:
    """Begin some work in a child: its number, and where its complaints are read."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    code = 3
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(120)  # a child that hangs is a failure, not a hang
        work()
        code = 0
    except BaseException:
        sys.settrace(None)
        os.write(writing, traceback.format_exc()[-4000:].encode())
    finally:
        os._exit(code)


def wait_for(child: tuple[int, int], *, after: float | None = None) -> int:
    """Wait for a child, or kill it after a time; 0, or minus the signal that ended it."""
    pid, reading = child
    if after is not None:
        time.sleep(after)
        os.kill(pid, signal.SIGKILL)
    with os.fdopen(reading, encoding="utf-8") as words:
        said = words.read()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, -signal.SIGKILL), f"a child ended with {code}:\n{said}"
    return code


class _Steps:
    """Counts lines of the watched modules, and kills at one of them."""

    def __init__(self, last: int) -> None:
        self.count, self.last = 0, last

    def __call__(self, frame: FrameType, event: str, arg: Any) -> Any:
        if frame.f_code.co_filename not in WATCHED:
            return None
        if event == "line":
            self.count += 1
            if self.count == self.last:
                os.kill(os.getpid(), signal.SIGKILL)
        return self


def sound(place: Path) -> tuple[str, ...]:
    """Check that a ledger is whole and every row complete for its stage; the ids in it."""
    if not place.exists():
        return ()
    book = Ledger(place)
    lines = book.runs()
    for line in lines:
        entry = book.entry(line.id)
        job = Job(line.id, entry, book)
        assert job.compiled.circuits
        assert job.program.id == line.program_id
        assert {"qubits", "guard", "versions", "seed", "asked", "purpose"} <= set(entry.facts)
        assert (entry.handle is None) <= (line.stage in ("intent", "cancelled", "failed"))
        assert (entry.outcome is not None) == (line.stage == "done")
        assert entry.events[0][1] == "intent"
        shots = book.shots(line.id)
        assert (shots is not None) == (line.stage == "done")
        if shots is not None:
            assert shots.n == line.shots
            assert job.trials.n == line.shots
    db = sqlite3.connect(place)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    db.close()
    return tuple(line.id for line in lines)


def same_shots(one: Shots | None, other: Shots | None) -> bool:
    """Whether all bits are the same."""
    if one is None or other is None:
        return False
    return one.widths == other.widths and all(
        np.array_equal(a, b) for a, b in zip(one.packed, other.packed, strict=True)
    )


class Tally:
    """What became of the runs of many killed processes."""

    def __init__(self) -> None:
        self.kills = self.begun = self.lost = self.twice = self.repeated = 0

    def count(self, lab: Provider, id: str, parts: int, kept: Shots | None, right: Shots) -> None:
        """Count a run that was collected."""
        self.begun += 1
        accepted, alive = lab.accepted(), lab.alive()
        assert {tag for tag, _ in accepted} == {id}
        self.lost += not same_shots(kept, right)
        self.repeated += sum(accepted.values()) - parts
        self.twice += sum(alive.values()) != parts or set(alive.values()) != {1}

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.begun} runs: {self.lost} lost, {self.twice} counted twice, "
            f"{self.repeated} repeated by the client and cancelled"
        )


def some(rng: random.Random, values: Iterable[int], count: int) -> list[int]:
    """A sorted choice of some values, the first and the last among them."""
    every = list(values)
    if len(every) <= count:
        return every
    return sorted({every[0], every[-1], *rng.sample(every[1:-1], count - 2)})
