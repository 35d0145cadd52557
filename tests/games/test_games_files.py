"""Trials to files and back, declarations kept, and Parquet and JSON of others."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given

from ebit.games import (
    ArgumentError,
    MissingExtraError,
    Trials,
    chsh,
    csvtext,
    magic_square,
    mermin_ghz,
    read_trials,
    stabilisers,
    write_trials,
)
from tests.games.filehelp import ENDINGS, ROWS, assert_rows, assert_same, in_one_folder, written
from tests.strategies import counted_trials, ordered_trials


@pytest.mark.parametrize("ending", ENDINGS)
@in_one_folder
@given(trials=ordered_trials() | counted_trials())
def test_round_trip(ending: str, trials: Trials, tmp_path: Path) -> None:
    path = trials.save(tmp_path / f"trials{ending}")
    assert_same(Trials.load(path), trials)


@pytest.mark.parametrize("chunk", [16, 17, 40, 64])
@in_one_folder
@given(trials=ordered_trials())
def test_round_trip_across_chunks(chunk: int, trials: Trials, tmp_path: Path) -> None:
    """Lines and blocks that lie across the borders of chunks."""
    path = trials.save(tmp_path / "trials.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csvtext, "CHUNK", chunk)
        assert_same(Trials.load(path), trials)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@in_one_folder
@given(trials=ordered_trials())
def test_round_trip_written_in_pieces(ending: str, trials: Trials, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ebit.games.csvfiles._WRITE_ROWS", 3)
        patch.setattr("ebit.games.binaryfiles._ROWS", 3)
        path = trials.save(tmp_path / f"trials{ending}")
        assert_same(Trials.load(path), trials)


@pytest.mark.parametrize("ending", ENDINGS)
def test_round_trip_of_a_long_run(ending: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    trials = Trials.from_cells(
        rng.integers(0, 16, 300_000, dtype=np.uint8),
        settings=(2, 2),
        outcomes=(2, 2),
        blocks=np.arange(0, 300_000, 100),
        source="device",
    )
    assert trials.chosen == "per-shot"
    assert_same(Trials.load(trials.save(tmp_path / f"t{ending}")), trials)


@pytest.mark.parametrize("ending", ENDINGS)
def test_round_trip_of_the_weakest_kinds(ending: str, tmp_path: Path) -> None:
    """Merged, sliced, and with a declaration that the rounds themselves would contradict."""
    one = Trials.from_rounds([[0, 0]] * 4, [[0, 0]] * 4, block=[0, 0, 1, 1], chosen="per-block")
    two = Trials.from_rounds([[1, 1]], [[1, 0]], block=[0], source="host")
    merged = one + two
    assert_same(Trials.load(merged.save(tmp_path / f"merged{ending}")), merged)
    assert_same(Trials.load(merged[1:4].save(tmp_path / f"part{ending}")), merged[1:4])
    cells = np.repeat(np.arange(4, dtype=np.uint8) * 4, 100)
    held = Trials((2, 2), (2, 2), cells=cells, chosen="per-shot", ordered=False)
    assert_same(Trials.load(held.save(tmp_path / f"held{ending}")), held)


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet", ".npz"])
def test_ten_parties(ending: str, tmp_path: Path) -> None:
    """10^20 cells, were every digit possible, do not fit 64 bits."""
    rng = np.random.default_rng(10)
    asked, answered = rng.integers(0, 2, (500, 10)), rng.integers(0, 2, (500, 10))
    trials = Trials.from_rounds(asked, answered)
    assert_same(Trials.load(trials.save(tmp_path / f"t{ending}")), trials)
    header = ",".join([*(f"x{i}" for i in range(1, 11)), *(f"a{i}" for i in range(1, 11))])
    lines = "\n".join(",".join(map(str, row)) for row in np.c_[asked, answered])
    bare = read_trials(written(tmp_path, f"{header}\n{lines}\n"))
    assert np.array_equal(bare.cells, trials.cells)
    assert bare.cells.dtype == np.uint32


def test_gzip_bytes_depend_on_the_trials_alone(tmp_path: Path) -> None:
    trials = Trials.from_rounds([[0, 1]] * 9, [[1, 0]] * 9)
    one, two = trials.save(tmp_path / "one.csv.gz"), trials.save(tmp_path / "two.csv.gz")
    assert one.read_bytes() == two.read_bytes()


def test_wide_tables_of_counts_leave_zeros_out(tmp_path: Path) -> None:
    counts = np.zeros((9, 9, 9, 9), dtype=int)
    counts[8, 0, 3, 1] = 5
    trials = Trials.from_counts(counts)
    path = trials.save(tmp_path / "t.csv")
    assert len(path.read_text().splitlines()) == 3
    assert_same(Trials.load(path), trials)


def test_a_count_beyond_53_bits_survives(tmp_path: Path) -> None:
    trials = Trials.from_counts(np.full((2, 2, 2, 2), 2**53 + 1))
    for ending in ENDINGS:
        assert_same(Trials.load(trials.save(tmp_path / f"t{ending}")), trials)


@in_one_folder
@given(trials=ordered_trials())
def test_counts_and_rounds_agree(trials: Trials, tmp_path: Path) -> None:
    counted = Trials.from_counts(trials.counts)
    back = Trials.load(counted.save(tmp_path / "counts.csv"))
    assert np.array_equal(back.counts, Trials.load(trials.save(tmp_path / "r.csv")).counts)


def test_the_game_gives_the_shape(tmp_path: Path) -> None:
    path = written(tmp_path, "x,y,a,b\n0,0,0,0\n")
    trials = read_trials(path, game=magic_square())
    assert (trials.settings, trials.outcomes) == ((3, 3), (4, 4))
    path = written(tmp_path, "x1,x2,x3,a1,a2,a3\n0,1,1,0,0,0\n")
    assert read_trials(path, game=mermin_ghz(3)).settings == (2, 2, 2)


@pytest.mark.parametrize("ending", ENDINGS)
def test_files_of_another_game_are_refused(ending: str, tmp_path: Path) -> None:
    three = Trials.from_rounds([[0, 0, 1]], [[0, 0, 1]]).save(tmp_path / f"three{ending}")
    with pytest.raises(ArgumentError, match="'chsh' has 2 parties, but the file has 3"):
        read_trials(three, game=chsh())
    wide = Trials.from_rounds([[0, 2]], [[0, 3]]).save(tmp_path / f"wide{ending}")
    with pytest.raises(ArgumentError, match=r"settings must lie within the \(2, 2\)"):
        read_trials(wide, game=chsh())
    assert read_trials(wide, game=magic_square()).n == 1


def test_declarations(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 2, (400, 4))
    text = "x,y,a,b\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)
    path = written(tmp_path, text)
    assert read_trials(path).chosen == "per-shot"
    declared = read_trials(path, chosen="per-block", source="host")
    assert (declared.chosen, declared.chosen_reason) == ("per-block", "declared")
    assert declared.source == "host"
    assert read_trials(path).source == "unknown"
    for ending in ENDINGS:
        kept = declared.save(tmp_path / f"kept{ending}")
        assert_same(read_trials(kept), declared)
        again = read_trials(kept, chosen="per-circuit", source="device")
        assert (again.chosen, again.chosen_reason) == ("per-circuit", "declared")
        assert again.source == "device"
        counted = Trials.from_counts(np.ones((2, 2, 2, 2)), chosen="per-shot")
        kept = counted.save(tmp_path / f"counted{ending}")
        assert read_trials(kept, chosen="per-circuit").chosen == "per-circuit"
        assert read_trials(kept).chosen == "per-shot"


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_contradicted_declaration_names_the_file(ending: str, tmp_path: Path) -> None:
    rows = np.repeat([[0, 0], [0, 1], [1, 0], [1, 1]], 50, axis=0)
    path = Trials.from_rounds(rows, rows).save(tmp_path / f"circuits{ending}")
    with pytest.raises(ArgumentError, match=f"circuits{ending}: settings were declared per-shot"):
        read_trials(path, chosen="per-shot")


def test_an_unknown_word_is_refused_before_the_file_is_read(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="chosen must be one of"):
        read_trials(tmp_path / "none.csv", chosen="by hand")


def test_parquet_of_others(tmp_path: Path) -> None:
    """Other integer types, whole floats, booleans, and the index that pandas leaves behind."""
    table = np.array(ROWS)
    for kind in (pa.int64(), pa.int8(), pa.uint16(), pa.float64(), pa.float32(), pa.bool_()):
        columns = {n: pa.array(table[:, i]).cast(kind) for i, n in enumerate("xyab")}
        columns["__index_level_0__"] = pa.array(np.arange(len(ROWS)))
        path = tmp_path / "t.parquet"
        pq.write_table(pa.table(columns), path)
        assert_rows(read_trials(path))
    signed = {
        n: pa.array(1 - 2 * table[:, i] if n in "ab" else table[:, i]) for i, n in enumerate("xyab")
    }
    signed["block"] = pa.array(["one", "one", "two", "two", "three"])
    pq.write_table(pa.table(signed), path, row_group_size=2)
    assert_rows(read_trials(path))
    assert read_trials(path).blocks.tolist() == [0, 2, 4]
    counted = {n: pa.array(table[:, i]) for i, n in enumerate("xyab")}
    counted["count"] = pa.array([5, 4, 3, 2, 1])
    pq.write_table(pa.table(counted), path)
    assert read_trials(path).counts[0, 0, 0, 1] == 5
    assert read_trials(path).n == 15


def test_parquet_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trials = Trials.from_rounds([[0, 0]], [[0, 0]])
    path = trials.save(tmp_path / "t.parquet")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    for call in (lambda: Trials.load(path), lambda: trials.save(tmp_path / "u.parquet")):
        with pytest.raises(MissingExtraError, match=r"pip install 'ebit\[parquet\]'") as caught:
            call()
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "u.parquet").exists()


@pytest.mark.parametrize("name", ["t.xlsx", "t", "t.json", "t.txt", "t.csv.bz2"])
def test_unknown_endings_for_writing(name: str, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"must end in \.csv, \.csv\.gz, \.npz or \.parquet"):
        write_trials(Trials.from_rounds([[0, 0]], [[0, 0]]), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_json_file(tmp_path: Path) -> None:
    path = written(tmp_path, json.dumps([[1, 2, 3, 4]] * 4), "counts.json")
    trials = read_trials(path, source="host", chosen="per-shot")
    assert trials.table(1, 0).tolist() == [[1, 2], [3, 4]]
    assert (trials.source, trials.chosen) == ("host", "per-shot")


def test_twelve_qubit_stabiliser_rounds(tmp_path: Path) -> None:
    asked = stabilisers("ghz", 12, which="generators")
    rows = np.repeat(asked.questions, 3, axis=0)
    trials = Trials.from_rounds(rows, rows % 2, shape=(asked.settings, asked.outcomes))
    for ending in ENDINGS:
        assert_same(Trials.load(trials.save(tmp_path / f"t{ending}")), trials)
