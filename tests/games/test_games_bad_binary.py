"""NPZ and Parquet files of other things, or with damage in the right place."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.games.filehelp import MARKED, refused, written


def _npz(folder: Path, **arrays: object) -> Path:
    if arrays.get("meta") is META:
        listed = json.dumps(sorted(set(arrays) - {"meta"}))
        arrays["meta"] = META[:-1] + f', "arrays": {listed}}}'
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return written(folder, buffer.getvalue(), "t.npz")


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
    assert "not a whole NPZ" in refused(written(tmp_path, buffer.getvalue(), "array.npz"))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("meta.npy", "hello")
        archive.writestr("cells.npy", "hello")
        archive.writestr("other.txt", "hello")
    assert "damaged" in refused(written(tmp_path, buffer.getvalue(), "zip.npz"))
    raw = io.BytesIO()
    np.savez(raw, meta=META[:-1] + ', "arrays": ["cells"]}')
    with zipfile.ZipFile(raw, "a") as archive:
        archive.writestr("cells.npy", "hello")
    assert "cells must be" in refused(written(tmp_path, raw.getvalue(), "raw.npz"))
    buffer = io.BytesIO()
    np.savez(buffer, meta=np.array([{"a": 1}], dtype=object))
    assert "not a whole NPZ" in refused(written(tmp_path, buffer.getvalue(), "pickle.npz"))
    # A header that promises more than any memory holds.
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (999999999999999,), }"
    header = header.ljust(117) + b"\n"
    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as archive:
        archive.writestr(
            "cells.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
        )
    assert "not a whole NPZ" in refused(written(tmp_path, buffer.getvalue(), "huge.npz"))


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
        ({"more": [0, 0]}, "must be removed"),
        ({"a,b\n": [0, 0]}, "must be removed"),
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
