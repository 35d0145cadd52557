"""Kill -9 at every line of what writes and sends: no run lost, none sent twice, no row half written."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from ebit.backends import begin, collect, open_job
from ebit.backends.ledger import Ledger
from ebit.circuits import chsh
from ebit.games import Shots
from tests.fakeprovider import LabBackend, joined, sample
from tests.killing import (
    Tally,
    in_child,
    killed_after,
    killed_at,
    lines_of,
    needs_fork,
    some,
    sound,
)

pytestmark = needs_fork

SHOTS, PARTS = 200, 3
TEST = chsh()


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> Shots:
    """The shots of a run that nothing befell."""
    # Once in this process, so that all children inherit the same caches and run the same lines.
    Place(tmp_path_factory.mktemp("warm")).all()
    parts = [[17, 17, 17, 17], [17, 17, 17, 17], [16, 16, 16, 16]]
    return joined([sample(TEST.circuits, shots, k) for k, shots in enumerate(parts)])


class Place:
    """A ledger and a provider of their own."""

    def __init__(self, folder: Path) -> None:
        self.ledger = folder / "ledger.sqlite"
        self.lab = LabBackend(folder / "lab")

    def begin(self) -> str:
        compiled = self.lab.compile(TEST)
        return begin(self.lab, compiled, shots=SHOTS, ledger=Ledger(self.ledger)).id

    def collect(self, id: str) -> None:
        collect(id, backend=self.lab, ledger=Ledger(self.ledger))

    def all(self) -> None:
        self.collect(self.begin())

    def only_id(self) -> str | None:
        ids = sound(self.ledger)
        if not ids:
            assert not self.lab.lab.accepted()  # on disk before it is on the wire
            return None
        return ids[0]

    def finish(self, tally: Tally, right: Shots) -> None:
        """Collect what is there, in this process, and count."""
        id = self.only_id()
        if id is not None:
            self.collect(id)
            tally.count(
                self.lab.lab, id, PARTS, open_job(id, ledger=Ledger(self.ledger)).shots, right
            )


def check(tally: Tally, least: int) -> None:
    print(f"\nkill -9: {tally}")
    assert tally.kills >= least
    assert (tally.lost, tally.twice) == (0, 0)


def each_line(folder: Path, right: Shots, lines: list[int]) -> Tally:
    tally = Tally()
    for line in lines:
        place = Place(folder / str(line))
        tally.kills += killed_at(line, place.all)
        place.finish(tally, right)
    assert tally.repeated == 0
    return tally


@pytest.fixture
def lines(tmp_path: Path, right: Shots) -> range:
    return range(1, lines_of(Place(tmp_path / "count").all) + 1)


def test_killed_at_some_lines(tmp_path: Path, right: Shots, lines: range) -> None:
    chosen = some(random.Random(5), lines, 30)
    tally = each_line(tmp_path, right, chosen)
    check(tally, len(chosen))


def test_killed_on_a_network_file_system(
    tmp_path: Path, right: Shots, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With SQLite's plain journal in place of the write-ahead log."""
    monkeypatch.setattr("ebit.backends.ledger_file.on_network", lambda folder: True)
    count = lines_of(Place(tmp_path / "count").all)
    chosen = some(random.Random(6), range(1, count + 1), 12)
    check(each_line(tmp_path, right, chosen), len(chosen))


@pytest.mark.slow
def test_killed_at_every_line(tmp_path: Path, right: Shots, lines: range) -> None:
    tally = each_line(tmp_path, right, list(lines))
    check(tally, len(lines))
    assert tally.begun > len(lines) // 2


def timed(place: Place) -> float:
    begun = time.perf_counter()
    assert in_child(place.all) == 0
    return time.perf_counter() - begun


def any_time(folder: Path, right: Shots, kills: int, seed: int) -> Tally:
    """Kill so often at random times, in C code as well, among others while SQLite writes.

    Who was through before its time is up does not count: how many are depends on the machine.
    """
    rng, tally = random.Random(seed), Tally()
    longest = min(timed(Place(folder / f"clock{i}")) for i in range(3))
    for i in range(20 * kills):
        if tally.kills == kills:
            break
        place = Place(folder / str(i))
        tally.kills += killed_after(rng.uniform(0, longest), place.all)
        place.finish(tally, right)
    assert tally.repeated == 0
    return tally


def test_killed_at_some_times(tmp_path: Path, right: Shots) -> None:
    check(any_time(tmp_path, right, 10, 1), 10)


@pytest.mark.slow
def test_killed_at_many_times(tmp_path: Path, right: Shots) -> None:
    check(any_time(tmp_path, right, 150, 2), 150)


def again_and_again(folder: Path, right: Shots, runs: int, seed: int) -> Tally:
    """Kill whoever begins a run, and whoever resumes it, until one of them gets through."""
    rng, tally = random.Random(seed), Tally()
    for i in range(runs):
        place = Place(folder / str(i))
        tally.kills += killed_at(rng.randrange(250, 900), place.all)
        id = place.only_id()
        faults = rng.sample(["drop", "twice", None, None], 2)
        for fault in filter(None, faults):
            place.lab.lab.break_next(fault)
        for attempt in range(40):
            if id is None:
                break
            # The later the attempt, the longer it may live.
            line = rng.randrange(1, 200 + 60 * attempt)
            killed = killed_at(line, lambda id=id, place=place: place.collect(id))  # type: ignore[misc]
            tally.kills += killed
            place.only_id()
            if not killed:
                break
        place.finish(tally, right)
    return tally


def test_those_who_resume_are_killed_too(tmp_path: Path, right: Shots) -> None:
    check(again_and_again(tmp_path, right, 4, 3), 8)


@pytest.mark.slow
def test_those_who_resume_are_killed_many_times(tmp_path: Path, right: Shots) -> None:
    check(again_and_again(tmp_path, right, 60, 4), 300)
