"""Long runs are read and written in pieces."""

import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from ebit.games import Trials, chsh, read_trials

ROUNDS = 10**7
MEGABYTE = 1 << 20
# What a piece of a file takes while it is read, whatever the length of the file.
PIECES = 64 * MEGABYTE


@pytest.fixture(scope="module")
def long_run() -> Trials:
    cells = np.random.default_rng(1).integers(0, 16, ROUNDS, dtype=np.uint8)
    return Trials.from_cells(
        cells, settings=(2, 2), outcomes=(2, 2), blocks=np.arange(0, ROUNDS, 1000)
    )


def peak(call: object) -> int:
    tracemalloc.start()
    try:
        call()  # type: ignore[operator]
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".npz", ".parquet"])
def test_memory_of_reading_and_writing(ending: str, long_run: Trials, tmp_path: Path) -> None:
    path = tmp_path / f"long{ending}"
    # Parquet is written by Arrow, whose own memory this does not see; see the next test.
    assert peak(lambda: long_run.save(path)) < 6 * ROUNDS + 2 * PIECES
    back: list[Trials] = []
    assert peak(lambda: back.append(read_trials(path))) < 6 * ROUNDS + PIECES
    assert back[0].cells.nbytes == ROUNDS
    assert np.array_equal(back[0].cells, long_run.cells)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the peak of a process")
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_memory_of_a_whole_process(kind: str, long_run: Trials, tmp_path: Path) -> None:
    """A bare table with wide integers, the peak of the process, libraries subtracted."""
    path = tmp_path / f"bare.{kind}"
    if kind == "csv":
        long_run.save(path)
    else:
        arrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        table = np.concatenate(long_run.rounds(), axis=1).astype(np.int64)
        columns = {name: table[:, i] for i, name in enumerate("xyab")}
        parquet.write_table(arrow.table(columns), path, row_group_size=1 << 20)
    code = (
        "import resource, sys, ebit.games, numpy, pyarrow.parquet\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "trials = ebit.games.read_trials(sys.argv[1])\n"
        "print(trials.n, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    n, kilobytes = map(int, done.stdout.split())
    assert n == ROUNDS
    assert kilobytes * 1024 < 6 * ROUNDS + 3 * PIECES


@pytest.mark.slow
def test_memory_of_looking_at_a_game(long_run: Trials) -> None:
    """Questions and wins are a byte each; the rest is a piece at a time."""
    found: list[object] = []
    assert peak(lambda: found.append(long_run.question_outcomes(chsh()))) < 3 * ROUNDS + PIECES
    assert peak(lambda: found.append(long_run.rounds())) < 5 * ROUNDS + PIECES
