"""Files of any kind that are not there, cannot be opened, or are not what their name says."""

import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebit.games import ArgumentError, Trials, csvtext, read_trials
from tests.games.filehelp import GOOD, MARKED, fuzz, refused, written


def test_missing(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.csv") == "the file does not exist"
    assert refused(tmp_path / "none" / "none.npz") == "the file does not exist"
    assert refused(written(tmp_path, "x") / "none.csv") == "the file does not exist"


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "txt", "npz", "parquet", "json"])
def test_empty(ending: str, tmp_path: Path) -> None:
    assert refused(written(tmp_path, "", f"t.{ending}")) == "the file is empty"


@pytest.mark.parametrize("name", ["folder", "folder.csv", "folder.npz", "folder.json"])
def test_a_folder(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    assert "but is a folder" in refused(tmp_path / name)


@pytest.mark.parametrize("name", ["t.xlsx", "t", "t.gz", "t.json.gz", "csv"])
def test_another_ending(name: str, tmp_path: Path) -> None:
    assert "must end in .csv, .csv.gz" in refused(written(tmp_path, GOOD, name))


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "npz", "parquet", "json"])
def test_no_permission(ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs this may be allowed everything, so the refusal is put in the way."""
    path = written(tmp_path, GOOD, f"t.{ending}")

    def refuse(*words: object, **more: object) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr("io.open", refuse)
    monkeypatch.setattr("gzip.open", refuse)
    assert refused(path) == "cannot be read: Permission denied"


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions do not bind this user"
)
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    path.chmod(0)
    assert refused(path) == "cannot be read: Permission denied"


def test_a_name_too_long_for_the_system(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError) as caught:
        read_trials(tmp_path / ("t" * 5000 + ".csv"))
    assert "\n" not in str(caught.value)


def _trials() -> Trials:
    rows = np.random.default_rng(3).integers(0, 2, (200, 4))
    return Trials.from_rounds(rows[:, :2], rows[:, 2:], block=np.arange(200) // 10)


def saved(folder: Path, ending: str) -> bytes:
    return _trials().save(folder / f"whole{ending}").read_bytes()


@pytest.mark.parametrize("ending", [".npz", ".parquet", ".csv.gz"])
def test_cut_short_anywhere(ending: str, tmp_path: Path) -> None:
    whole = saved(tmp_path, ending)
    for size in sorted(
        {*range(1, 40), *range(1, len(whole), 23), *range(len(whole) - 40, len(whole))}
    ):
        text = refused(written(tmp_path, whole[:size], f"cut{ending}"))
        assert "not a whole" in text or "cut short" in text


@pytest.mark.parametrize("ending", [".npz", ".parquet", ".csv.gz"])
@fuzz
@given(data=st.data())
def test_flipped_bytes_are_refused_or_harmless(
    ending: str, data: st.DataObject, tmp_path: Path
) -> None:
    whole = bytearray(saved(tmp_path, ending))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at] = data.draw(st.integers(0, 255))
    path = written(tmp_path, bytes(whole), f"flipped{ending}")
    try:
        trials = read_trials(path)
    except ArgumentError:
        refused(path)
    else:
        assert np.array_equal(trials.cells, _trials().cells)
        assert np.array_equal(trials.blocks, _trials().blocks)


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".txt", ".npz", ".parquet", ".json"])
@fuzz
@given(content=st.binary(min_size=1, max_size=300))
def test_random_bytes(ending: str, content: bytes, tmp_path: Path) -> None:
    refused(written(tmp_path, content, f"noise{ending}"))


@fuzz
@given(
    head=st.sampled_from(["x,y,a,b\n", "x,y,a,b,count\n", "block,x,y,a,b\n", MARKED + "x,y,a,b\n"]),
    body=st.text(st.sampled_from("01,\n\r -+.e#9\t\0\ufeff٣")),
)
def test_random_text_below_a_header(head: str, body: str, tmp_path: Path) -> None:
    path = written(tmp_path, head + body)
    try:
        trials = read_trials(path)
    except ArgumentError:
        refused(path)
    else:
        assert trials.n >= 1


@fuzz
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["0", "01", "x"]),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["00", "01", "10", "11", "counts", "bits", "chosen", "0,1"]),
                inner,
                max_size=5,
            )
        ),
    )
)
def test_random_json(tmp_path_factory: pytest.TempPathFactory, data: object) -> None:
    path = written(tmp_path_factory.getbasetemp(), json.dumps(data), "random.json")
    try:
        trials = read_trials(path)
    except ArgumentError:
        refused(path)
    else:
        assert trials.n >= 1


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".npz", ".parquet", ".json"])
@pytest.mark.parametrize("other", [".csv", ".csv.gz", ".npz", ".parquet"])
def test_a_file_under_another_name(ending: str, other: str, tmp_path: Path) -> None:
    if ending != other:
        refused(written(tmp_path, saved(tmp_path, other), f"wrong{ending}"))


def test_json_that_is_none(tmp_path: Path) -> None:
    for content in (b"{", b"[" * 100_000, b"\xff\xfe", b"1" * 5000, b'{"a": 1}x', b"\x00"):
        assert "not JSON, or cut short" in refused(written(tmp_path, content, "t.json"))


def test_bytes_that_vanish_while_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails in the middle of a file."""
    monkeypatch.setattr(csvtext, "CHUNK", 64)
    path = written(tmp_path, GOOD * 30)

    def failing(opened: Path) -> io.BufferedReader:
        class Failing(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                raise OSError(5, "Input/output error")

        return Failing(opened.read_bytes())  # type: ignore[return-value]

    monkeypatch.setattr("ebit.games.csvfiles.open_bytes", failing)
    assert "cut short or damaged: [Errno 5]" in refused(path)


def test_a_line_longer_than_a_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csvtext, "CHUNK", 64)
    assert "a line is longer than 64 bytes" in refused(written(tmp_path, "x,y,a,b\n" + "0" * 500))


@pytest.mark.parametrize("reader", [lambda p: Trials.load(p), lambda p: read_trials(str(p))])
def test_other_doors_refuse_alike(reader: Callable[[Path], Trials], tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="the file does not exist"):
        reader(tmp_path / "none.csv")
