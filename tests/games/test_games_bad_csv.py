"""Every wrong CSV gets one line that names the file, what it must be and what it was."""

import gzip
from pathlib import Path

import pytest

from ebit.games import ArgumentError, chsh, csvtext, read_trials
from tests.games.filehelp import GOOD, MARKED, ROW, refused, written

HEADERS = {
    "no a, b": "x,y\n0,0\n",
    "one setting": "x,a,b\n0,0,0\n",
    "three settings": "x,y,z,a,b\n0,0,0,0,0\n",
    "another column": "x,y,a,b,fidelity\n0,0,0,0,1\n",
    "no header": ROW * 5,
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
    text = refused(written(tmp_path, HEADERS[case]))
    assert "column" in text or "header" in text or "first lines" in text
    packed = HEADERS[case]
    packed = gzip.compress(packed.encode() if isinstance(packed, str) else packed)
    assert refused(written(tmp_path, packed, "t.csv.gz")) == text


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
    assert "only a header" in refused(written(tmp_path, text))


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
    text = refused(written(tmp_path, content), known_game=front != "marked")
    assert message.format(line=f"line {number}") in text
    # The same with CR LF at the ends of lines.
    text = refused(written(tmp_path, content.replace(b"\n", b"\r\n")), known_game=front != "marked")
    assert message.format(line=f"line {number}") in text


def test_a_bad_last_line_without_an_end(tmp_path: Path) -> None:
    assert "line 7 has 2" in refused(written(tmp_path, GOOD + "0,2,0,0"), known_game=True)
    assert "line 7 has 3" in refused(written(tmp_path, GOOD + "0,2,0"))


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
    assert message in refused(written(tmp_path, text), known_game=True)


def test_counts_that_are_all_zero_or_too_wide(tmp_path: Path) -> None:
    assert "all be zero" in refused(written(tmp_path, "x,y,a,b,count\n0,0,0,0,0\n"))
    assert "too large to hold" in refused(written(tmp_path, "x,y,a,b,count\n255,255,255,255,1\n"))
    assert "0..255, but line 2" in refused(written(tmp_path, "x,y,a,b,count\n256,0,0,0,1\n"))
    assert "0..255, but line 2" in refused(written(tmp_path, "x,y,a,b\n256,0,0,0\n"))


def test_a_setting_never_asked(tmp_path: Path) -> None:
    trials = read_trials(written(tmp_path, GOOD), game=chsh())
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
    path = written(tmp_path, f"{mark}\n{GOOD}")
    if mark == "# ebit trials":  # a comment like any other
        assert read_trials(path).n == 5
    else:
        refused(path)


def test_a_mark_of_other_parties(tmp_path: Path) -> None:
    text = refused(written(tmp_path, MARKED + "x1,x2,x3,a1,a2,a3\n0,0,0,0,0,0\n"))
    assert text == ("the file says that it holds 2 parties, but its columns are those of 3")
