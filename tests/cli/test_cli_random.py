"""ebit random and ebit resume of its jobs: files, words, exit codes, refusals in one line."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ebit.cli import run
from ebit.protocols import Pool

QUICK = ["random", "--certify", "eat", "--epsilon", "1e-6", "--quiet"]
SEEDED = [*QUICK, "--seed", "1"]
MISSES = ["--backend", "aer:fez", "--expect", "2.82"]  # more than that chip can give
KEYS = {
    "bits",
    "file",
    "entropy_bits",
    "entropy_rate",
    "method",
    "adversary",
    "epsilon",
    "raw_bits",
    "seed_bits",
    "net_bits",
    "health",
    "assumptions",
    "not_given",
}


def printed(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> Any:
    assert run([*arguments, "--json"]) == code, capsys.readouterr()
    return json.loads(capsys.readouterr().out)


def told(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> str:
    assert run(arguments) == code, capsys.readouterr()
    return capsys.readouterr().out


def complaint(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 2) -> str:
    assert run(arguments) == code
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("ebit: ")
    assert captured.out == ""
    return lines[0]


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    found = printed([*SEEDED, "--bits", "77"], capsys)
    assert set(found) >= KEYS
    assert (found["bits"], found["file"], found["format"]) == (77, None, "hex")
    assert len(bytes.fromhex(found["value"])) == 10
    assert found["net_bits"] < 0
    assert found["randomness"] == "pseudo (simulator)"
    assert (found["method"], found["epsilon"]) == ("eat", 1e-6)
    again = printed([*SEEDED, "--bits", "77"], capsys)
    dated = ("bell", "backend")
    assert {k: v for k, v in found.items() if k not in dated} == {
        k: v for k, v in again.items() if k not in dated
    }
    assert found["value"] != printed([*QUICK, "--seed", "2", "--bits", "77"], capsys)["value"]


def test_text(capsys: pytest.CaptureFixture[str]) -> None:
    text = told([*SEEDED, "--bits", "64", "--format", "numbers"], capsys)
    assert text.startswith("64 pseudo-random bits from chsh: a simulator drew them from its seed")
    digits = text.strip().splitlines()[-1]
    assert len(digits) == 64
    assert set(digits) == {"0", "1"}
    [net] = [line for line in text.splitlines() if line.split()[:1] == ["net"]]
    assert net.split()[1].startswith("-")
    assert "assumptions" in text
    assert "not given" in text


def test_formats_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = {}
    for form in ("raw", "hex", "base64", "numbers"):
        path = tmp_path / form
        found = printed([*SEEDED, "--bits", "100", "--out", str(path), "--format", form], capsys)
        assert "value" not in found
        assert found["file"] == str(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        side = json.loads(Path(f"{path}.json").read_text())
        assert set(side) >= KEYS
        assert side["format"] == form
        content[form] = path.read_bytes()
    raw = content["raw"]
    assert len(raw) == 13
    assert bytes.fromhex(content["hex"].decode()) == raw
    assert base64.b64decode(content["base64"]) == raw
    digits = [int(c) for c in content["numbers"].decode().replace("\n", "")]
    assert len(digits) == 100
    assert np.packbits(digits).tobytes() == raw
    shown = told([*SEEDED, "--bits", "100", "--format", "base64"], capsys)
    assert shown.strip().splitlines()[-1] == content["base64"].decode().strip()
    assert len(list(tmp_path.glob(".*"))) == 0  # no trace of the trial whether it can be written
    assert str(tmp_path / "raw") in told(
        [*SEEDED, "--bits", "100", "--out", str(tmp_path / "raw")], capsys
    )


def test_refused_is_exit_code_three(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bits"
    more = [*SEEDED, *MISSES, "--bits", "16", "--out", str(out)]
    found = printed(more, capsys, 3)
    assert "the threshold was missed" in found["refused"]
    assert set(found) >= KEYS
    assert (found["bits"], found["status"]) == (0, "refused")
    assert told(more, capsys, 3).startswith("no bits: the threshold was missed")
    assert list(tmp_path.glob("bits*")) == []
    out.write_bytes(b"earlier")
    assert run([*more]) == 3
    assert "its bits are of an earlier run" in capsys.readouterr().err
    assert out.read_bytes() == b"earlier"
    line = complaint([*SEEDED, "--bits", "100000", "--shots", "60000"], capsys, 2)
    assert "bits must be at most " in line
    assert "but was 100000" in line
    line = complaint([*SEEDED, "--bits", "16", "--shots", "1000"], capsys, 3)
    assert "1000 rounds certify nothing by eat" in line


def test_trusted_source(capsys: pytest.CaptureFixture[str]) -> None:
    for more in ([], ["--certify", "none"]):
        found = printed(
            ["random", "--source", "hadamard", "--bits", "1e3", "--seed", "1", "--quiet", *more],
            capsys,
        )
        assert (found["bits"], found["method"], found["status"]) == (1000, "none", "trusted source")
        assert found["randomness"] == "pseudo (simulator)"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--bits", "16", "--epsilon", "0"], "between 0 and 1, but was 0.0"),
        (["--bits", "16", "--epsilon", "1"], "between 0 and 1, but was 1.0"),
        (["--bits", "16", "--epsilon", "2"], "between 0 and 1, but was 2.0"),
        (["--bits", "16", "--epsilon", "nan"], "nan"),
        (["--bits", "16", "--tau", ".6"], "[0, 0.5), but was 0.6"),
        (["--bits", "16", "--source", "spot", "--gamma", "0"], "gamma"),
        (["--bits", "16", "--source", "spot", "--gamma", "2"], "gamma"),
        (["--bits", "16", "--expect", "1.9"], "but was 1.9"),
        (["--bits", "16", "--expect", "3"], "but was 3.0"),
        (["--bits", "16", "--source", "dice"], "dice"),
        (
            ["--bits", "16", "--certify", "none"],
            "certify must be one of pef, renyi, renyi-one, geat, eat for source",
        ),
        (["--bits", "16", "--source", "ghz"], "certify must be none"),
        (["--bits", "16", "--certify", "magic"], "magic"),
        (["--bits", "16", "--format", "octal"], "octal"),
        (["--bits", "0"], "at least 1"),
        (["--bits", "2.5"], "whole number"),
        ([], "give bits"),
        (["--bits", "16", "--no-wait"], "--no-wait needs --shots"),
        (["--shots", "60000", "--pilot", "100", "--no-wait"], "--pilot is waited for"),
        (["--bits", "16", "--hash-seed", "no-such-file"], "no-such-file"),
        (["--bits", "16", "--backend", "aqua"], "aqua"),
        (["--bits", "16", "--pair", "0,0", "--backend", "aer:fez"], "different"),
    ],
)
def test_bad_arguments(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in complaint([*SEEDED, *arguments], capsys)


def test_where_nothing_can_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("kept")
    line = complaint([*SEEDED, "--bits", "16", "--out", str(occupied / "deeper")], capsys)
    assert "cannot write" in line
    line = complaint([*SEEDED, "--bits", "16", "--out", str(tmp_path)], capsys)
    assert "--out must be a file" in line
    assert occupied.read_text() == "kept"


def test_seed_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "seed.bin"
    path.write_bytes(b"too short")
    asked = [*SEEDED, "--bits", "16", "--shots", "60000", "--hash-seed", str(path)]
    line = complaint(asked, capsys)
    assert "must have 120015 bits (15002 bytes)" in line
    assert "has 9 bytes" in line
    path.write_bytes(np.random.default_rng(1).bytes(16_000))
    found = printed(asked, capsys)
    assert found["seed_source"] == "the file seed.bin"
    assert found["seed_bits"] == 120_015
    line = complaint(asked, capsys)
    assert "has spent 5e-07 of 5e-07" in line
    assert "fresh seed" in line


@pytest.mark.parametrize(
    "more", [["--out", "a.bin", "--pool", "p"], ["--no-wait", "--pool", "p", "--shots", "9000"]]
)
def test_bits_go_to_one_place(
    more: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "--pool" in complaint([*QUICK, "--bits", "200", *more], capsys)
    assert not list(tmp_path.glob("*"))


def test_pool(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "pool"
    found = printed([*SEEDED, "--bits", "200", "--pool", str(folder)], capsys)
    assert found["bits"] == 200
    assert "value" not in found  # a pool's bits are handed out once, and not by this command
    pool = Pool(folder)
    assert pool.available() == 200
    [parcel] = pool.parcels()
    assert parcel.randomness == "pseudo (simulator)"
    assert pool.certificate(parcel.name)["method"] == "eat"
    taken = pool.take(200)
    out = tmp_path / "bits"
    printed([*SEEDED, "--bits", "200", "--out", str(out)], capsys)
    assert np.packbits(taken.unpacked()).tobytes() == out.read_bytes()
    assert Pool(folder).available() == 0
    # The same rounds again are the same bits, and no pool takes them twice.
    line = complaint([*SEEDED, "--bits", "200", "--pool", str(folder)], capsys)
    assert "must be new bits" in line
    text = told([*QUICK, "--seed", "2", "--bits", "200", "--pool", str(folder)], capsys)
    assert str(folder) in text
    assert Pool(folder).available() == 200


def begun(capsys: pytest.CaptureFixture[str], *more: str) -> str:
    found = printed([*SEEDED, "--shots", "60000", *more, "--no-wait"], capsys)
    assert found["stage"] == "submitted"
    return str(found["job"])


def test_begun_and_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = begun(capsys, "--bits", "120")
    folder = tmp_path / "r"
    first = printed(["resume", job[:8], "--out", str(folder), "--quiet"], capsys)
    assert (first["bits"], first["job"]) == (120, job)
    assert first["file"] == str(folder / "bits.bin")
    assert not any("these very rounds before" in text for text in first["not_given"])
    assert {p.name for p in folder.iterdir()} == {"bits.bin", "bits.bin.json"}
    assert stat.S_IMODE((folder / "bits.bin").stat().st_mode) == 0o600
    direct = printed([*SEEDED, "--shots", "60000", "--bits", "120"], capsys)
    assert direct["value"] == (folder / "bits.bin").read_bytes().hex()
    again = printed(["resume", job, "--quiet"], capsys)
    assert again["value"] == direct["value"]
    assert any("these very rounds before" in text for text in again["not_given"])
    assert "the ledger says so" in told(["resume", job, "--quiet"], capsys)


def test_no_wait_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    text = told([*SEEDED, "--shots", "60000", "--no-wait"], capsys)
    assert "certify and extract its bits with: ebit resume" in text


def test_all_unfinished_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, greedy = begun(capsys, "--bits", "64"), begun(capsys, "--bits", "64", *MISSES)
    text = told(["resume", "--out", str(tmp_path / "all"), "--quiet"], capsys, 3)
    lines = text.strip().splitlines()
    assert lines[0].startswith(good[:8])
    assert f"64 pseudo-random bits in {tmp_path / 'all' / good[:8]}.bits" in lines[0]
    assert "the threshold was missed" in lines[1]
    names = {p.name for p in (tmp_path / "all").iterdir()}
    assert names == {
        f"{good[:8]}.bits",
        f"{good[:8]}.bits.json",
        f"{good[:8]}.json",
        f"{greedy[:8]}.json",
    }
    other = begun(capsys, "--bits", "64")
    [line] = printed(["resume", "--quiet"], capsys)["jobs"]
    assert line["job"] == other
    assert len(bytes.fromhex(line["result"]["value"])) == 8
    assert "pseudo" in line["result"]["randomness"]


def test_words_of_resume_follow_the_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    begun(capsys, "--bits", "64")
    assert "64 pseudo-random bits" in told(["resume", "--quiet"], capsys)


def test_a_refused_job_is_exit_code_three(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = begun(capsys, "--bits", "64", *MISSES)
    found = printed(["resume", job, "--out", str(tmp_path / "r"), "--quiet"], capsys, 3)
    assert found["status"] == "refused"
    assert list((tmp_path / "r").iterdir()) == []


def test_help_names_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    text = told(["random", "--help"], capsys)
    for word in ("--bits", "--out", "--source", "--certify", "--hash-seed", "--pool", "renyi"):
        assert word in text
