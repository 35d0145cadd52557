"""Small files to read, what must be the same after a round trip, and how a refusal must look."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from ebit.games import ArgumentError, Trials, chsh, read_trials

ENDINGS = [".csv", ".csv.gz", ".npz", ".parquet"]
ROWS = [[0, 0, 0, 1], [0, 1, 1, 1], [1, 0, 1, 0], [1, 1, 0, 0], [1, 1, 0, 1]]
LINES = "".join(",".join(map(str, row)) + "\n" for row in ROWS)
ROW = "0,1,1,0\n"
GOOD = "x,y,a,b\n" + ROW * 5
MARKED = (
    '# ebit trials 1 {"settings": [2, 2], "outcomes": [2, 2], "chosen": "per-shot", '
    '"chosen_reason": "declared", "source": "host", "ordered": true}\n'
)

in_one_folder = settings(
    max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
fuzz = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])


def assert_same(one: Trials, other: Trials) -> None:
    """Everything agrees, the order of rounds and the starts of blocks included."""
    for name in ("settings", "outcomes", "chosen", "chosen_reason", "source", "ordered"):
        assert getattr(one, name) == getattr(other, name), name
    for name in ("cells", "given_counts", "blocks"):
        left, right = getattr(one, name), getattr(other, name)
        assert (left is None) == (right is None), name
        if left is not None:
            assert left.dtype == right.dtype, name
            assert np.array_equal(left, right), name


def assert_rows(trials: Trials, rows: list[list[int]] | None = None) -> None:
    table = np.array(ROWS if rows is None else rows)
    n = table.shape[1] // 2
    assert trials.rounds()[0].tolist() == table[:, :n].tolist()
    assert trials.rounds()[1].tolist() == table[:, n:].tolist()


def refused(path: Path, *, known_game: bool = False) -> str:
    """The one line with which a file is refused; any other exception fails the test."""
    with pytest.raises(ArgumentError) as caught:
        read_trials(path, game=chsh() if known_game else None)
    text = str(caught.value)
    assert text.startswith(f"{path}: "), text
    assert text.isprintable(), text
    assert text.count(str(path)) == 1, text
    assert len(text) - len(str(path)) < 400, text
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    return text.removeprefix(f"{path}: ")


def written(folder: Path, content: str | bytes, name: str = "trials.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
