"""`ebit health`: formats, verdicts, exit codes, pictures, and one line for each bad file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ebit.analysis.health_estimate import estimate_entropy
from ebit.analysis.health_report import health_report
from ebit.cli import run
from ebit.games import RefusedError

BITS = np.random.default_rng(21).integers(0, 2, 40_000).astype(np.uint8)


def found(
    arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 0
) -> dict[str, Any]:
    assert run(["health", *arguments, "--json", "--quiet"]) == code
    result = json.loads(capsys.readouterr().out)
    assert isinstance(result, dict)
    return result


def complaint(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 2) -> str:
    assert run(["health", *arguments, "--quiet"]) == code
    output = capsys.readouterr()
    assert output.out == ""
    lines = output.err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "bits.bin"
    path.write_bytes(BITS.tobytes())
    return path


def test_json_has_what_the_analysis_found(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = found([str(file)], capsys)
    assert result["passed"] is True
    assert result["samples"] == 40_000
    assert result["bits_per_symbol"] == 1
    expected = health_report(BITS).to_dict()
    del expected["health"]  # a false-alarm rate from the length either way
    assert {key: result[key] for key in expected} == expected
    assert result["health"]["samples"] == 40_000
    assert result["min_entropy"] == estimate_entropy(BITS).min_entropy
    assert any("not unpredictability" in line for line in result["not_given"])


def test_packed_and_text_are_the_same_bits(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed, text = tmp_path / "packed.bin", tmp_path / "bits.txt"
    packed.write_bytes(np.packbits(BITS).tobytes())
    letters = "".join(map(str, BITS.tolist()))
    text.write_text("\n".join(letters[i : i + 77] for i in range(0, len(letters), 77)) + "\n")
    plain = found([str(file)], capsys)
    for result in (found([str(packed), "--packed"], capsys), found([str(text), "--text"], capsys)):
        assert result["entropy"] == plain["entropy"]
        assert result["health"]["longest_run"] == plain["health"]["longest_run"]


def test_packed_symbols(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nibbles = np.random.default_rng(3).integers(0, 16, 9000).astype(np.uint8)
    packed, plain = tmp_path / "packed.bin", tmp_path / "plain.bin"
    packed.write_bytes((16 * nibbles[::2] + nibbles[1::2]).astype(np.uint8).tobytes())
    plain.write_bytes(nibbles.tobytes())
    one = found([str(packed), "--packed", "--bits", "4"], capsys)
    two = found([str(plain)], capsys)
    assert one["entropy"] == two["entropy"]
    assert two["bits_per_symbol"] == 4


def test_text_for_people(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["health", str(file)]) == 0
    text = capsys.readouterr().out
    for words in (
        "as many as the largest symbol needs",
        "assessed min-entropy",
        "compression",
        "Ideal data do not score 1",
        "cut-off",
    ):
        assert words in text
    assert text.count("Passing is not unpredictability") == 1


def test_a_failed_health_test_leaves_with_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stuck = BITS.copy()
    stuck[30_000:30_200] = 1
    path = tmp_path / "stuck.bin"
    path.write_bytes(stuck.tobytes())
    result = found([str(path)], capsys, 3)
    assert result["passed"] is False
    assert "repetition count" in result["health"]["failure"]
    assert 30_000 < result["health"]["failed_at"] < 30_200
    assert result["samples"] == 40_000  # the estimates are there all the same
    assert found([str(path), "--claim", "0.1"], capsys)["passed"] is True
    # The standard's rate per symbol finds more: some run of 40000 ideal bits has 12 equal ones.
    assert found([str(path), "--alpha-bits", "10"], capsys, 3)["health"]["failed_at"] < 30_000


def test_estimates_of_the_beginning_say_so(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = found([str(file), "--samples", "10000"], capsys)
    assert result["entropy"]["samples"] == 10_000
    assert result["health"]["samples"] == 40_000
    assert result["entropy"] == json.loads(json.dumps(estimate_entropy(BITS[:10_000]).to_dict()))
    assert "first 10000 of 40000" in result["notes"][0]


def test_iid_tests_on_request(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(file), "--iid", "--samples", "7000", "--permutations", "200", "--seed", "5"]
    result = found(arguments, capsys)["iid"]
    assert result["samples"] == 7000
    assert result["seed"] == 5
    assert len(result["statistics"]) == 19
    assert found([str(file)], capsys)["iid"] is None


@pytest.mark.parametrize("bits", [1, 3])
def test_pictures(bits: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "in.bin", tmp_path / "out"
    samples = np.random.default_rng(2).integers(0, 1 << bits, 8000).astype(np.uint8)
    samples[5000:5300] = 0
    path.write_bytes(samples.tobytes())
    assert run(["health", str(path), "--out", str(out), "--quiet"]) == 3
    capsys.readouterr()
    assert sorted(p.name for p in out.iterdir()) == ["health.png", "health.svg", "results.json"]
    assert (out / "health.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((out / "results.json").read_text())["bits_per_symbol"] == bits


def test_axes_are_given_back() -> None:
    from ebit.plots.health import health_canvas, plot_estimates, plot_runs, plot_windows

    report = health_report(BITS)
    bars = plot_estimates(report.entropy)
    assert len([p for p in bars.patches if p.get_width() > 0]) == 10
    values = sorted(p.get_width() for p in bars.patches)
    assert values[0] == report.entropy.min_entropy
    for draw in (plot_runs, plot_windows):
        axes = draw(report.health)
        assert "cut-off" in axes.get_title(loc="left")
        assert draw(report.health, axes) is axes
    assert len(health_canvas(report).axes) == 3


@pytest.mark.parametrize(
    ("content", "arguments", "words", "code"),
    [
        (b"", [], "empty", 2),
        (bytes(10_000), [], "all 10000 samples are 0", 3),
        (b"1" * 9000, ["--text"], "all 9000 samples are 1", 3),
        (b"\x00\x01" * 1500, [], "MultiMCW estimate needs at least 4096 symbols", 2),
        (b"\x00\x01" * 2500, [], "compression estimate needs at least 6012 bits", 2),
        (b"\x00\x01\x05" * 3000, ["--bits", "2"], "byte 2 of", 2),
        (b"0101a" * 3000, ["--text"], "byte 4 of", 2),
        (b" \n" * 3000, ["--text"], "holds no symbols", 2),
        (b"01" * 5000, ["--text", "--bits", "2"], "--text has 1 bit", 2),
        (b"01" * 5000, ["--text", "--packed"], "not both", 2),
        (b"01" * 5000, ["--packed", "--bits", "3"], "1, 2, 4 or 8", 2),
        (b"\x00\x01" * 5000, ["--claim", "0"], "above 0 and at most 1", 2),
        (b"\x00\x01" * 5000, ["--claim", "1.01"], "above 0 and at most 1", 2),
        (b"\x00\x01" * 5000, ["--bits", "9"], "--bits", 2),
    ],
)
def test_a_bad_file_gets_one_line(
    content: bytes,
    arguments: list[str],
    words: str,
    code: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "bad.bin"
    path.write_bytes(content)
    assert words in complaint([str(path), *arguments], capsys, code)


def test_what_is_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is a folder" in complaint([str(tmp_path)], capsys)
    assert "is not there" in complaint([str(tmp_path / "none")], capsys)


def test_pieces_of_a_file_are_joined(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = found([str(file)], capsys)
    monkeypatch.setattr("ebit.cli.health._PIECE", 777)
    assert found([str(file)], capsys) == whole


def test_all_equal_in_python() -> None:
    with pytest.raises(RefusedError, match="repetition count test failed at sample"):
        health_report(np.ones(9000, np.uint8))


def test_the_certificate_beside_a_file_says_how_it_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = np.packbits(BITS)
    for name, form, content, how in (
        ("a.bin", "raw", packed.tobytes(), "packed"),
        ("a.txt", "numbers", (BITS + ord("0")).tobytes(), "text"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        (tmp_path / f"{name}.json").write_text(json.dumps({"format": form}))
        told = found([str(path)], capsys)
        assert told["format"] == f"{how} ({name}.json says so)"
        assert told["min_entropy"] == estimate_entropy(BITS).min_entropy
    (tmp_path / "a.bin.json").write_text(json.dumps({"format": "hex"}))
    assert "a.bin.json says that it is hex" in complaint([str(tmp_path / "a.bin")], capsys)
    (tmp_path / "a.txt.json").unlink()
    assert "give --text" in complaint([str(tmp_path / "a.txt")], capsys)
    as_bytes = found([str(tmp_path / "a.txt"), "--bits", "8"], capsys, 3)  # two symbols of 256
    assert as_bytes["bits_per_symbol"] == 8


def test_what_is_too_short_to_be_estimated_is_tested_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "few"
    path.write_bytes(np.packbits(BITS[:2000]).tobytes())
    line = complaint([str(path), "--packed"], capsys)
    assert "needs at least 4096 symbols, but there are 2000" in line
    assert "The health tests of these 2000 passed" in line
    path.write_bytes(bytes(100) + np.packbits(BITS[:1200]).tobytes())
    assert "The health tests of these 2000 failed: the repetition" in complaint(
        [str(path), "--packed"], capsys
    )
