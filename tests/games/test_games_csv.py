"""The tables that other people write, and the quick and the careful way to read them."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebit.games import ArgumentError, chsh, csvtext, magic_square, read_trials
from tests.games.filehelp import LINES, ROWS, assert_rows, assert_same, in_one_folder, written


def test_outcomes_beyond_ten_without_being_told(tmp_path: Path) -> None:
    """The largest value comes late, in another chunk."""
    rows = [[0, 0, 0, 0]] * 30 + [[0, 11, 200, 0]] + [[2, 0, 0, 1]] * 3
    text = "x,y,a,b\n" + "".join(",".join(map(str, r)) + "\n" for r in rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csvtext, "CHUNK", 32)
        trials = read_trials(written(tmp_path, text))
    assert (trials.settings, trials.outcomes) == ((3, 12), (201, 2))
    assert_rows(trials, rows)


STYLES = {
    "plain": "x,y,a,b\n" + LINES,
    "crlf": ("x,y,a,b\n" + LINES).replace("\n", "\r\n"),
    "crlf in the body only": "x,y,a,b\n" + LINES.replace("\n", "\r\n"),
    "byte order mark": "\ufeffx,y,a,b\n" + LINES,
    "no final newline": "x,y,a,b\n" + LINES.rstrip("\n"),
    "crlf without the final one": ("x,y,a,b\n" + LINES.rstrip("\n")).replace("\n", "\r\n"),
    "spaces": "x , y, a ,b \n" + LINES.replace(",", " , "),
    "tabs around": "x,y,a,b\n" + LINES.replace(",", "\t,\t"),
    "quoted header": '"x","y","a","b"\n' + LINES,
    "upper case": "X,Y,A,B\n" + LINES,
    "numbered": "x1,x2,a1,a2\n" + LINES,
    "numbered from zero": "x0,x1,a0,a1\n" + LINES,
    "underscores": "x_1,x_2,a_1,a_2\n" + LINES,
    "blank lines": "\n\nx,y,a,b\n\n" + LINES.replace("\n", "\n\n   \n"),
    "comments": "# a lab\n# and more\nx,y,a,b\n# here\n" + LINES.replace("\n", " # note\n"),
    "decimal points": "x,y,a,b\n" + LINES.replace(",", ".0,"),
    "plus and minus one": "x,y,a,b\n0,0,+1,-1\n0,1,-1,-1\n1,0,-1,+1\n1,1,1,1\n1,1,1,-1\n",
    "trailing spaces": "x,y,a,b\n" + LINES.replace("\n", "  \n"),
    "leading zeros": "x,y,a,b\n" + LINES.replace("1", "001"),
    "form feed between lines": "x,y,a,b\n" + LINES + "\x0c\n",
}


@pytest.mark.parametrize("chunk", [1 << 23, 24, 16])
@pytest.mark.parametrize("style", STYLES)
def test_csv_styles(
    style: str, chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csvtext, "CHUNK", chunk)
    assert_rows(read_trials(written(tmp_path, STYLES[style])))
    packed = gzip.compress(STYLES[style].encode())
    assert_rows(read_trials(written(tmp_path, packed, "trials.CSV.GZ")))


def test_lone_carriage_returns_end_lines_too(tmp_path: Path) -> None:
    assert_rows(read_trials(written(tmp_path, "x,y,a,b\n" + LINES.replace("\n", "\r"))))


@pytest.mark.parametrize(
    "order",
    [("b", "a", "y", "x"), ("a", "b", "x", "y"), ("x", "a", "y", "b"), ("y", "b", "x", "a")],
)
@pytest.mark.parametrize("extra", [(), ("block",), ("shot",), ("index", "blocks"), ("",)])
def test_columns_in_any_order(
    order: tuple[str, ...], extra: tuple[str, ...], tmp_path: Path
) -> None:
    names = [*extra, *order]
    text = ",".join(names) + "\n"
    for i, row in enumerate(ROWS):
        values = {**dict(zip("xyab", row, strict=True)), **dict.fromkeys(extra, i // 2 + 9)}
        text += ",".join(str(values[name]) for name in names) + "\n"
    trials = read_trials(written(tmp_path, text))
    assert_rows(trials)
    has_block = {"block", "blocks"} & set(extra)
    assert (trials.blocks.tolist() == [0, 2, 4]) if has_block else trials.blocks is None


@pytest.mark.parametrize("chunk", [1 << 23, 20, 33])
def test_signs_that_show_late(chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first chunks hold nothing but +1, which might be outcome 1 as well."""
    monkeypatch.setattr(csvtext, "CHUNK", chunk)
    rows = "0,0,1,1\n" * 20
    signed = read_trials(written(tmp_path, f"x,y,a,b\n{rows}1,1,-1,1\n{rows}"))
    assert signed.table(0, 0).tolist() == [[40, 0], [0, 0]]
    assert signed.table(1, 1).tolist() == [[0, 0], [1, 0]]
    plain = read_trials(written(tmp_path, f"x,y,a,b\n{rows}1,1,0,1\n{rows}"))
    assert plain.table(0, 0).tolist() == [[0, 0], [0, 40]]
    assert plain.table(1, 1).tolist() == [[0, 1], [0, 0]]
    undecided = read_trials(written(tmp_path, f"x,y,a,b\n{rows}"))
    assert undecided.table(0, 0).tolist() == [[0, 0], [0, 20]]


@pytest.mark.parametrize("chunk", [1 << 23, 16])
@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ("0,0,1,-1\n0,0,1,1\n0,0,0,1\n", 4),
        ("0,0,0,1\n0,0,1,1\n0,0,1,-1\n", 4),
        ("0,0,1,1\n0,0,1,1\n0,0,-1,0\n", 4),
        ("0,0,2,1\n0,0,1,-1\n", 3),
    ],
)
def test_signs_and_zeros_mixed(
    chunk: int, rows: str, line: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csvtext, "CHUNK", chunk)
    for text in (f"x,y,a,b\n{rows}", "x,y,a,b,count\n" + rows.replace("\n", ",5\n")):
        with pytest.raises(ArgumentError, match=f"all \\+1 and -1, but line {line} has"):
            read_trials(written(tmp_path, text))


def test_signs_need_two_outcomes(tmp_path: Path) -> None:
    path = written(tmp_path, "x,y,a,b\n0,0,1,-1\n")
    with pytest.raises(ArgumentError, match=r"outcomes of party 2 must lie in 0..3, but line 2"):
        read_trials(path, game=magic_square())
    assert read_trials(path, game=chsh()).counts[0, 0, 0, 1] == 1


def test_counts_in_a_csv(tmp_path: Path) -> None:
    text = "count,x,y,a,b\n3,0,0,0,0\n4,1,1,0,1\n\n2,0,0,0,0\n0,0,1,0,0\n"
    trials = read_trials(written(tmp_path, text))
    assert trials.cells is None
    assert trials.counts[0, 0, 0, 0] == 5
    assert trials.counts[1, 1, 0, 1] == 4
    assert trials.n == 9
    signed = read_trials(written(tmp_path, "x,y,a,b,n\n0,0,1,-1,3\n1,1,-1,-1,2.0\n"))
    assert signed.counts[0, 0, 0, 1] == 3
    assert signed.counts[1, 1, 1, 1] == 2


@in_one_folder
@given(
    rows=st.lists(st.tuples(*[st.integers(0, 9)] * 4), min_size=1, max_size=30),
    first=st.sampled_from(["", "block", "shot"]),
    widths=st.lists(st.sampled_from([0, 7, 12, 345, 10**14]), min_size=30, max_size=30),
)
def test_quick_and_careful_readers_agree(
    rows: list[tuple[int, ...]], first: str, widths: list[int], tmp_path: Path
) -> None:
    """The same digits, once as bytes and once with a space that only the slow reader takes."""
    front = [f"{w}," if first else "" for w in widths]
    header = f"{first},x,y,a,b\n" if first else "x,y,a,b\n"
    lines = [f"{f}{','.join(map(str, r))}\n" for f, r in zip(front, rows, strict=False)]
    quick = read_trials(written(tmp_path, header + "".join(lines), "quick.csv"))
    slow = read_trials(written(tmp_path, header + " ".join(["", *lines]), "slow.csv"))
    careful = read_trials(written(tmp_path, header + "#\n".join(["", *lines]), "careful.csv"))
    assert_rows(quick, [list(row) for row in rows])
    assert_same(quick, slow)
    assert_same(quick, careful)
