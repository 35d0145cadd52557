"""Takers of one pool in many processes, and takers that are killed: no bit comes twice."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import numpy as np
import pytest

from ebit.protocols import pool as pool_module
from ebit.protocols import pool_bits, pool_index, private_files
from ebit.protocols.pool import Pool
from tests import killing
from tests.killing import in_child, killed_after, killed_at, lines_of, needs_fork, some, wait_for

SIMULATOR = "pseudo (simulator)"


@needs_fork
def test_processes_share_no_bit(tmp_path: Path) -> None:
    pool = Pool(tmp_path / "pool")
    pool.append(np.arange(1, 301, dtype=">u2").tobytes(), {}, randomness=SIMULATOR)

    def work(k: int) -> None:
        mine = Pool(tmp_path / "pool")
        with (tmp_path / f"out{k}").open("wb") as out:
            for _ in range(15):
                out.write(mine.take(80).packed.tobytes())

    children = [killing.start(lambda k=k: work(k)) for k in range(4)]  # type: ignore[misc]
    assert [wait_for(child) for child in children] == [0] * 4
    found = np.concatenate([np.fromfile(tmp_path / f"out{k}", ">u2") for k in range(4)])
    assert sorted(found.tolist()) == list(range(1, 301))


WATCHED = frozenset(
    str(module.__file__) for module in (pool_module, pool_bits, pool_index, private_files)
)


class Bench:
    """A pool of numbered bits, and a taker that writes down what it got before it goes on."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.pool = Pool(folder / "pool")
        self.out = folder / "out"
        for part in np.split(np.arange(1, 61, dtype=">u2"), 3):
            self.pool.append(part.tobytes(), {}, randomness=SIMULATOR)

    def work(self) -> None:
        """One take that empties a parcel and starts another, and an append."""
        handle = os.open(self.out, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(handle, self.pool.take(16 * 25).packed.tobytes())
        self.pool.append(np.arange(1001, 1011, dtype=">u2").tobytes(), {}, randomness=SIMULATOR)
        os.write(handle, self.pool.take(16 * 5).packed.tobytes())

    def check(self) -> int:
        """Nothing came twice, and what was not handed out is all still there; the numbers lost."""
        had = np.fromfile(self.out, ">u2").tolist() if self.out.exists() else []
        left = self.pool.available()
        assert left % 16 == 0
        rest = np.frombuffer(self.pool.take(left).packed.tobytes(), ">u2").tolist() if left else []
        every = had + rest
        assert len(set(every)) == len(every), "bits came twice"
        assert set(every) <= {*range(1, 61), *range(1001, 1011)}
        for parcel in self.pool:
            assert json.loads((self.pool.folder / f"{parcel.name}.json").read_text()) == {}
        return 60 - len([k for k in every if k <= 60])


@needs_fork
@pytest.mark.parametrize("count", [10, pytest.param(120, marks=pytest.mark.slow)])
def test_killed_at_any_line_repeats_nothing(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(killing, "WATCHED", WATCHED)
    Bench(tmp_path / "warm").work()
    lines = lines_of(Bench(tmp_path / "count").work)
    assert lines > 100
    kills = lost = 0
    for line in some(random.Random(1), range(1, lines + 1), count):
        bench = Bench(tmp_path / f"line{line}")
        kills += killed_at(line, bench.work)
        lost += bench.check() > 0
    print(f"\nkill -9: {kills} kills, bits lost in {lost}, none repeated")
    assert kills >= 0.9 * count
    assert lost > 0 or count < 100  # or the kills came where nothing could go wrong


@needs_fork
@pytest.mark.slow
def test_killed_at_any_time_repeats_nothing(tmp_path: Path) -> None:
    rng = random.Random(2)
    kills = 0
    for k in range(40):
        bench = Bench(tmp_path / f"time{k}")
        kills += killed_after(rng.uniform(0, 0.08), bench.work)
        bench.check()
    print(f"\nkill -9 at random times: {kills} kills, none repeated")
    assert kills > 0  # how many depends on how busy the machine is


@needs_fork
def test_a_killed_taker_leaves_the_pool_usable(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "x")
    assert in_child(bench.work) == 0
    assert bench.check() == 0
