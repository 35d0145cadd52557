"""Every wrong file gets one line that names it, says what it must be and what it was."""

import gzip
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ebit.games import ArgumentError, Trials, chsh, csvtext, read_trials

ROW = "0,1,1,0\n"
GOOD = "x,y,a,b\n" + ROW * 5
MARKED = (
    '# ebit trials 1 {"settings": [2, 2], "outcomes": [2, 2], "chosen": "per-shot", '
    '"chosen_reason": "declared", "source": "host", "ordered": true}\n'
)

fuzz = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])


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


def file(folder: Path, content: str | bytes, name: str = "trials.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_missing(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.csv") == "the file does not exist"
    assert refused(tmp_path / "none" / "none.npz") == "the file does not exist"
    assert refused(file(tmp_path, "x") / "none.csv") == "the file does not exist"


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "txt", "npz", "parquet", "json"])
def test_empty(ending: str, tmp_path: Path) -> None:
    assert refused(file(tmp_path, "", f"t.{ending}")) == "the file is empty"


@pytest.mark.parametrize("name", ["folder", "folder.csv", "folder.npz", "folder.json"])
def test_a_folder(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    assert "but is a folder" in refused(tmp_path / name)


@pytest.mark.parametrize("name", ["t.xlsx", "t", "t.gz", "t.json.gz", "csv"])
def test_another_ending(name: str, tmp_path: Path) -> None:
    assert "must end in .csv, .csv.gz" in refused(file(tmp_path, GOOD, name))


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "npz", "parquet", "json"])
def test_no_permission(ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs this may be allowed everything, so the refusal is put in the way."""
    path = file(tmp_path, GOOD, f"t.{ending}")

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
    path = file(tmp_path, GOOD)
    path.chmod(0)
    assert refused(path) == "cannot be read: Permission denied"


def test_a_name_too_long_for_the_system(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError) as caught:
        read_trials(tmp_path / ("t" * 5000 + ".csv"))
    assert "\n" not in str(caught.value)


HEADERS = {
    "no a, b": "x,y\n0,0\n",
    "one setting": "x,a,b\n0,0,0\n",
    "three settings": "x,y,z,a,b\n0,0,0,0,0\n",
    "another column": "x,y,a,b,fidelity\n0,0,0,0,1\n",
    "no header": ROW * 5,
    "semicolons": GOOD.replace(",", ";"),
    "tabs": GOOD.replace(",", "\t"),
    "twice the same": "x,y,a,a\n0,0,0,0\n",
    "numbers with a gap": "x1,x3,a1,a3\n0,0,0,0\n",
    "numbers from two": "x2,x3,a2,a3\n0,0,0,0\n",
    "number twice": "x1,x01,a1,a2\n0,0,0,0\n",
    "arabic numbers": "x١,x٢,a١,a٢\n0,0,0,0\n",
    "words": "hello world\n",
    "utf-16": GOOD.encode("utf-16"),
    "carriage returns alone": GOOD.replace("\n", "\r"),
    "a bell": "x,y,a,\x07\n0,0,0,0\n",
    "line separator": "x,y,a,\u2028\n0,0,0,0\n",
    "null": "x,y,a,b\0\n0,0,0,0\n",
    "very long": ",".join(f"c{i}" for i in range(3000)) + "\n",
    "very long without an end": "x" * 200_000,
    "only blank lines": "\n\n  \n",
    "only comments": "# one\n# two\n",
    "only a comment without an end": "# one",
}


@pytest.mark.parametrize("case", HEADERS)
def test_wrong_columns(case: str, tmp_path: Path) -> None:
    text = refused(file(tmp_path, HEADERS[case]))
    assert "column" in text or "header" in text or "first lines" in text
    packed = HEADERS[case]
    packed = gzip.compress(packed.encode() if isinstance(packed, str) else packed)
    assert refused(file(tmp_path, packed, "t.csv.gz")) == text


@pytest.mark.parametrize(
    "text",
    [
        "x,y,a,b\n",
        "x,y,a,b",
        "x,y,a,b\r\n",
        "x,y,a,b\n\n \n# no\n",
        "x,y,a,b,count\n",
        MARKED + "x,y,a,b\n",
    ],
)
def test_header_only(text: str, tmp_path: Path) -> None:
    assert "only a header" in refused(file(tmp_path, text))


BODIES = {
    # what stands in one line among good ones: what the message says about it
    "setting": ("2,1,0,0", "settings of party 1 must lie in 0..1, but {line} has 2"),
    "other setting": ("0,9,0,0", "settings of party 2 must lie in 0..1, but {line} has 9"),
    "outcome": ("0,1,3,0", "outcomes of party 1 must lie in 0..1, but {line} has 3"),
    "negative setting": ("0,-1,0,0", "settings of party 2 must lie in 0..1, but {line} has -1"),
    "negative outcome": ("0,1,0,-2", "outcomes of party 2 must lie in 0..1, but {line} has -2"),
    "large setting": ("12345678901,0,0,0", "settings of party 1 must lie in 0..1, but {line} has"),
    "nan": ("0,1,nan,0", "must be a whole number, but {line} has 'nan' in column 3"),
    "infinity": ("0,1,0,inf", "must be a whole number, but {line} has 'inf' in column 4"),
    "fraction": ("0.5,1,0,0", "must be a whole number, but {line} has '0.5' in column 1"),
    "small fraction": ("0,1e-3,0,0", "must be a whole number, but {line} has '1e-3' in column 2"),
    "text": ("0,one,0,0", "must be a whole number, but {line} has 'one' in column 2"),
    "nothing": ("0,,0,0", "must be a whole number, but {line} has '' in column 2"),
    "quoted": ('"0",1,0,0', "but {line} has '\"0\"' in column 1"),
    "arabic digit": ("٠,1,0,0", "must be a whole number, but {line} has '٠' in column 1"),
    "superscript": ("0,1,0,²", "must be a whole number, but {line} has '²' in column 4"),
    "fullwidth digit": ("0,１,0,0", "must be a whole number, but {line} has '１' in column 2"),
    "underscore": ("1_0,1,0,0", "must be a whole number, but {line} has '1_0' in column 1"),
    "hexadecimal": ("0x1,1,0,0", "must be a whole number, but {line} has '0x1' in column 1"),
    "true": ("True,1,0,0", "must be a whole number, but {line} has 'True' in column 1"),
    "beyond 63 bits": ("9223372036854775808,1,0,0", "must be below 2^63, but {line} has 92233"),
    "beyond floats": ("1e400,1,0,0", "must be a whole number, but {line} has '1e400'"),
    "inexact": ("1e30,1,0,0", "must be below 2^63, but {line} has 1e30 in column 1"),
    "many digits": ("9" * 5000 + ",1,0,0", "must be a whole number, but {line} has '9999"),
    "short": ("0,1,0", "every line must have 4 columns, but {line} has 3"),
    "long": ("0,1,0,0,0", "every line must have 4 columns, but {line} has 5"),
    "trailing comma": ("0,1,0,0,", "every line must have 4 columns, but {line} has 5"),
    "no commas": ("0 1 0 0", "every line must have 4 columns, but {line} has 1"),
    "two digits run together": ("0,1,000", "every line must have 4 columns, but {line} has 3"),
    "null byte": ("0,1,0,0\0", "must be a whole number, but {line} has '0?' in column 4"),
    "bytes": (b"0,1,0,\xff\xfe", "must be a whole number, but {line} has"),
    "a tab": ("0,1\t1,0,0", "must be a whole number, but {line} has '1?1' in column 2"),
    "another header": ("x,y,a,b", "must be a whole number, but {line} has 'x' in column 1"),
}


@pytest.mark.parametrize("chunk", [1 << 23, 30])
@pytest.mark.parametrize("before", [0, 1, 7])
@pytest.mark.parametrize("front", ["plain", "marked", "commented", "blank"])
@pytest.mark.parametrize("case", BODIES)
def test_a_bad_line_is_named(
    case: str, front: str, before: int, chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, message = BODIES[case]
    monkeypatch.setattr(csvtext, "CHUNK", max(chunk, len(bad) + 9))
    head = {
        "plain": "x,y,a,b\n",
        "marked": MARKED + "x,y,a,b\n",
        "commented": "# one\n# two\nx,y,a,b\n# three\n",
        "blank": "\nx,y,a,b\n\n \n",
    }[front]
    lines = ROW * before if front != "blank" else (ROW + "\n") * before
    raw = bad if isinstance(bad, bytes) else bad.encode()
    content = (head + lines).encode() + raw + b"\n" + ROW.encode() * 6
    number = (head + lines).count("\n") + 1
    text = refused(file(tmp_path, content), known_game=front != "marked")
    assert message.format(line=f"line {number}") in text
    # The same with CR LF at the ends of lines.
    text = refused(file(tmp_path, content.replace(b"\n", b"\r\n")), known_game=front != "marked")
    assert message.format(line=f"line {number}") in text


def test_a_bad_last_line_without_an_end(tmp_path: Path) -> None:
    assert "line 7 has 2" in refused(file(tmp_path, GOOD + "0,2,0,0"), known_game=True)
    assert "line 7 has 3" in refused(file(tmp_path, GOOD + "0,2,0"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0,1,0,0,-3", "counts must not be negative, but line 4 has -3"),
        ("0,1,0,0,2.5", "must be a whole number, but line 4 has '2.5' in column 5"),
        ("0,1,0,0,nan", "must be a whole number, but line 4 has 'nan' in column 5"),
        ("0,1,0,0,", "must be a whole number, but line 4 has '' in column 5"),
        ("0,1,0,0,1e19", "below 2^63, but line 4 has 1e19 in column 5"),
        ("0,1,0,0,99999999999999999999", "below 2^63, but line 4"),
        ("0,1,0,0,9223372036854775807", "sum to less than 2^62"),
        ("0,2,0,0,3", "settings of party 2 must lie in 0..1, but line 4 has 2"),
        ("0,1,0,-3,3", "outcomes of party 2 must lie in 0..1, but line 4 has -3"),
    ],
)
def test_bad_counts(line: str, message: str, tmp_path: Path) -> None:
    text = f"x,y,a,b,count\n0,0,0,0,5\n\n{line}\n1,1,0,0,5\n"
    assert message in refused(file(tmp_path, text), known_game=True)


def test_counts_that_are_all_zero_or_too_wide(tmp_path: Path) -> None:
    assert "all be zero" in refused(file(tmp_path, "x,y,a,b,count\n0,0,0,0,0\n"))
    assert "too large to hold" in refused(file(tmp_path, "x,y,a,b,count\n255,255,255,255,1\n"))
    assert "0..255, but line 2" in refused(file(tmp_path, "x,y,a,b,count\n256,0,0,0,1\n"))
    assert "0..255, but line 2" in refused(file(tmp_path, "x,y,a,b\n256,0,0,0\n"))


def test_a_setting_never_asked(tmp_path: Path) -> None:
    trials = read_trials(file(tmp_path, GOOD), game=chsh())
    with pytest.raises(ArgumentError, match="x=0, y=0 never was"):
        trials.game_counts(chsh())


@pytest.mark.parametrize(
    "mark",
    [
        "# ebit trials 1 {}",
        "# ebit trials 1 ",
        "# ebit trials 1 [1]",
        "# ebit trials 1 " + "[" * 5000,
        MARKED.strip().replace("[2, 2]", "[2]", 1),
        MARKED.strip().replace("[2, 2]", "2"),
        MARKED.strip().replace("[2, 2]", "[2, 1000000]"),
        MARKED.strip().replace("[2, 2]", "[2, 2.5]"),
        MARKED.strip().replace("[2, 2]", "[2, true]"),
        MARKED.strip().replace("[2, 2]", "[0, 2]"),
        MARKED.strip().replace("per-shot", "per-chance"),
        MARKED.strip().replace('"per-shot"', "{}"),
        MARKED.strip().replace("host", "me"),
        MARKED.strip().replace("true", '"yes"'),
        MARKED.strip()[:-1],
        "# ebit trials 2 {}",
        "# ebit trials",
    ],
)
def test_a_damaged_mark(mark: str, tmp_path: Path) -> None:
    path = file(tmp_path, f"{mark}\n{GOOD}")
    if mark == "# ebit trials":  # a comment like any other
        assert read_trials(path).n == 5
    else:
        refused(path)


def test_a_mark_of_other_parties(tmp_path: Path) -> None:
    text = refused(file(tmp_path, MARKED + "x1,x2,x3,a1,a2,a3\n0,0,0,0,0,0\n"))
    assert text == ("the file says that it holds 2 parties, but its columns are those of 3")


def _trials() -> Trials:
    rows = np.random.default_rng(3).integers(0, 2, (200, 4))
    return Trials.from_rounds(rows[:, :2], rows[:, 2:], block=np.arange(200) // 10)


def _saved(folder: Path, ending: str) -> bytes:
    return _trials().save(folder / f"whole{ending}").read_bytes()


@pytest.mark.parametrize("ending", [".npz", ".parquet", ".csv.gz"])
def test_cut_short_anywhere(ending: str, tmp_path: Path) -> None:
    whole = _saved(tmp_path, ending)
    for size in sorted(
        {*range(1, 40), *range(1, len(whole), 23), *range(len(whole) - 40, len(whole))}
    ):
        text = refused(file(tmp_path, whole[:size], f"cut{ending}"))
        assert "not a whole" in text or "cut short" in text


@pytest.mark.parametrize("ending", [".npz", ".parquet", ".csv.gz"])
@fuzz
@given(data=st.data())
def test_flipped_bytes_are_refused_or_harmless(
    ending: str, data: st.DataObject, tmp_path: Path
) -> None:
    whole = bytearray(_saved(tmp_path, ending))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at] = data.draw(st.integers(0, 255))
    path = file(tmp_path, bytes(whole), f"flipped{ending}")
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
    refused(file(tmp_path, content, f"noise{ending}"))


@fuzz
@given(
    head=st.sampled_from(["x,y,a,b\n", "x,y,a,b,count\n", "block,x,y,a,b\n", MARKED + "x,y,a,b\n"]),
    body=st.text(st.sampled_from("01,\n\r -+.e#9\t\0\ufeff٣")),
)
def test_random_text_below_a_header(head: str, body: str, tmp_path: Path) -> None:
    path = file(tmp_path, head + body)
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
    path = file(tmp_path_factory.getbasetemp(), json.dumps(data), "random.json")
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
        refused(file(tmp_path, _saved(tmp_path, other), f"wrong{ending}"))


def test_json_that_is_none(tmp_path: Path) -> None:
    for content in (b"{", b"[" * 100_000, b"\xff\xfe", b"1" * 5000, b'{"a": 1}x', b"\x00"):
        assert "not JSON, or cut short" in refused(file(tmp_path, content, "t.json"))


def _npz(folder: Path, **arrays: object) -> Path:
    if arrays.get("meta") is META:
        listed = json.dumps(sorted(set(arrays) - {"meta"}))
        arrays["meta"] = META[:-1] + f', "arrays": {listed}}}'
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return file(folder, buffer.getvalue(), "t.npz")


META = MARKED.removeprefix("# ebit trials 1 ").strip()
ONES = np.ones((2, 2, 2, 2), dtype=np.int64)


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"cells": np.zeros(3, dtype=np.uint8)},
        {"meta": META},
        {"meta": np.array("{}"), "cells": np.zeros(3, dtype=np.uint8)},
        {"meta": np.zeros(3), "cells": np.zeros(3, dtype=np.uint8)},
        {"meta": META, "cells": np.array([0, 16], dtype=np.uint8)},
        {"meta": META, "cells": np.array([], dtype=np.uint8)},
        {"meta": META, "cells": np.array([0, -1])},
        {"meta": META, "cells": np.array([0.5])},
        {"meta": META, "cells": np.zeros((2, 2), dtype=np.uint8)},
        {"meta": META, "cells": np.array(["a"])},
        {"meta": META, "cells": np.zeros(3, dtype=np.uint8), "blocks": np.array([0, 3])},
        {"meta": META, "cells": np.zeros(3, dtype=np.uint8), "blocks": np.array([1])},
        {"meta": META, "cells": np.zeros(3, dtype=np.uint8), "blocks": np.array([0.0])},
        {"meta": META, "counts": ONES[0]},
        {"meta": META, "counts": -ONES},
        {"meta": META, "counts": ONES * 0.5},
        {"meta": META, "counts": ONES * np.nan},
        {"meta": META, "counts": ONES * 0},
        {"meta": META, "counts": ONES * 2**60},
        {"meta": META, "counts": ONES.astype(str)},
    ],
)
def test_npz_of_other_things(arrays: dict[str, object], tmp_path: Path) -> None:
    refused(_npz(tmp_path, **arrays))


def test_npz_that_is_no_archive_of_arrays(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    assert "not a whole NPZ" in refused(file(tmp_path, buffer.getvalue(), "array.npz"))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("meta.npy", "hello")
        archive.writestr("cells.npy", "hello")
        archive.writestr("other.txt", "hello")
    assert "damaged" in refused(file(tmp_path, buffer.getvalue(), "zip.npz"))
    raw = io.BytesIO()
    np.savez(raw, meta=META[:-1] + ', "arrays": ["cells"]}')
    with zipfile.ZipFile(raw, "a") as archive:
        archive.writestr("cells.npy", "hello")
    assert "cells must be" in refused(file(tmp_path, raw.getvalue(), "raw.npz"))
    buffer = io.BytesIO()
    np.savez(buffer, meta=np.array([{"a": 1}], dtype=object))
    assert "not a whole NPZ" in refused(file(tmp_path, buffer.getvalue(), "pickle.npz"))
    # A header that promises more than any memory holds.
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (999999999999999,), }"
    header = header.ljust(117) + b"\n"
    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as archive:
        archive.writestr(
            "cells.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
        )
    assert "not a whole NPZ" in refused(file(tmp_path, buffer.getvalue(), "huge.npz"))


def _parquet(
    folder: Path, columns: dict[str, object], metadata: dict[str, str] | None = None
) -> Path:
    table = pa.table(columns)
    pq.write_table(table.replace_schema_metadata(metadata), folder / "t.parquet")
    return folder / "t.parquet"


FINE: dict[str, object] = {"x": [0, 1], "y": [0, 1], "a": [0, 1], "b": [0, 1]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": ["0", "1"]}, "column 'x' must be whole numbers, but had type"),
        ({"x": [0, None]}, "column 'x' must be complete, but has missing values"),
        ({"b": [0.0, float("nan")]}, "column 'b' must be whole numbers, but had NaN"),
        ({"b": [0.0, 0.5]}, "column 'b' must be whole numbers, but had fractions such as 0.5"),
        ({"b": [0.0, 1e30]}, "column 'b' must be exact"),
        ({"x": [0, 2]}, "settings of party 1 must lie in 0..1, but row 2 has 2"),
        ({"a": [2, 0]}, "outcomes of party 1 must lie in 0..1, but row 1 has 2"),
        ({"a": [-1, 0]}, "outcomes must be all 0, 1, ... or all +1 and -1, but row 1 has 0"),
        ({"count": [1, -1]}, "counts must not be negative, but row 2 has -1"),
        ({"count": [0, 0]}, "all be zero"),
        ({"count": [1, 0.5]}, "column 'count' must be whole numbers, but had fractions"),
        ({"count": [1, None]}, "column 'count' must be complete"),
        ({"x": pa.array([1, 2], pa.timestamp("s"))}, "column 'x' must be whole numbers"),
        ({"x": pa.array([[0], [1]])}, "column 'x' must be whole numbers"),
        ({"x": pa.array([2**63, 0], pa.uint64())}, "column 'x' must be below 2^63"),
        ({"more": [0, 0]}, "columns must be settings x,y"),
        ({"a,b\n": [0, 0]}, "columns must be settings x,y"),
        (dict.fromkeys("xyab", pa.array([], pa.int8())), "only a header"),
    ],
)  # fmt: skip
def test_parquet_of_other_things(change: dict[str, object], message: str, tmp_path: Path) -> None:
    assert message in refused(_parquet(tmp_path, {**FINE, **change}), known_game=True)


def test_parquet_rows_are_numbered_over_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ebit.games.binaryfiles._ROWS", 3)
    columns = {n: [0] * 10 + [7] + [0] * 5 for n in "xyab"}
    assert "but row 11 has 7" in refused(_parquet(tmp_path, columns), known_game=True)
    columns = {**{n: [0] * 16 for n in "xyab"}, "count": [1] * 8 + [-5] + [1] * 7}
    assert "but row 9 has -5" in refused(_parquet(tmp_path, columns), known_game=True)


@pytest.mark.parametrize("note", ["", "{}", "[]", "\xff", '{"settings": [2, 2]}'])
def test_parquet_with_a_damaged_note(note: str, tmp_path: Path) -> None:
    assert "damaged" in refused(_parquet(tmp_path, FINE, {"ebit": note}))


def test_bytes_that_vanish_while_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails in the middle of a file."""
    monkeypatch.setattr(csvtext, "CHUNK", 64)
    path = file(tmp_path, GOOD * 30)

    def failing(opened: Path) -> io.BufferedReader:
        class Failing(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                raise OSError(5, "Input/output error")

        return Failing(opened.read_bytes())  # type: ignore[return-value]

    monkeypatch.setattr("ebit.games.csvfiles.open_bytes", failing)
    assert "cut short or damaged: [Errno 5]" in refused(path)


def test_a_line_longer_than_a_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csvtext, "CHUNK", 64)
    assert "a line is longer than 64 bytes" in refused(file(tmp_path, "x,y,a,b\n" + "0" * 500))


@pytest.mark.parametrize("reader", [lambda p: Trials.load(p), lambda p: read_trials(str(p))])
def test_other_doors_refuse_alike(reader: Callable[[Path], Trials], tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="the file does not exist"):
        reader(tmp_path / "none.csv")
