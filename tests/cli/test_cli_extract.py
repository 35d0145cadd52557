"""ebit extract: files of raw bits, what is refused, and the record beside the output."""

import json
from pathlib import Path

import numpy as np
import pytest

from ebit.analysis import toeplitz_hash
from ebit.cli.main import run


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    path = tmp_path / "raw.bin"
    path.write_bytes(np.random.default_rng(5).bytes(2_000))
    return path


def test_bits_are_the_hash_of_the_file(raw, tmp_path, capsys):
    seed = tmp_path / "seed.bin"
    seed.write_bytes(np.random.default_rng(6).bytes(3_500))
    target = tmp_path / "out.bin"
    code = run(
        f"extract {raw} --rate 0.5 --bits 4000 --out {target} --hash-seed {seed} --json --quiet".split()
    )
    told = json.loads(capsys.readouterr().out)
    assert code == 0
    assert told == json.loads((tmp_path / "out.bin.json").read_text())
    bits = np.unpackbits(np.frombuffer(raw.read_bytes(), np.uint8))
    key = np.unpackbits(np.frombuffer(seed.read_bytes(), np.uint8))[: told["seed_bits"]]
    wanted = np.packbits(toeplitz_hash(bits, key, 4000, method="fft")).tobytes()
    assert target.read_bytes() == wanted
    assert told["seed_bits"] == 16_000 + 4_000 - 1
    assert told["net_bits"] == 4_000 - told["seed_bits"]


@pytest.mark.parametrize(
    ("more", "word"),
    [
        (["--rate", "1.5"], "at most 1, but was 1.5"),
        (["--rate", "0.5", "--bits", "9000"], "at most 7922, but was 9000"),
        (["--rate", "0.5", "--epsilon", "2"], "but was 2"),
        (["--rate", "0.5", "--raw-bits", "99999"], "16000 bits"),
        (["--rate", "0.001"], "give no bit"),
    ],
)
def test_what_is_refused(raw, tmp_path, capsys, more, word):
    target = tmp_path / "out.bin"
    assert run(["extract", str(raw), *more, "--out", str(target), "--quiet"]) == 2
    said = capsys.readouterr().err.strip()
    assert word in said
    assert "\n" not in said
    assert not target.exists()


def test_a_seed_is_not_used_twice(raw, tmp_path, capsys):
    seed = tmp_path / "seed.bin"
    seed.write_bytes(np.random.default_rng(7).bytes(4_000))
    ask = ["extract", str(raw), "--rate", "0.5", "--hash-seed", str(seed), "--quiet"]
    assert run([*ask, "--out", str(tmp_path / "a.bin")]) == 0
    assert run([*ask, "--out", str(tmp_path / "b.bin")]) == 2
    assert "take a fresh seed" in capsys.readouterr().err
    assert not (tmp_path / "b.bin").exists()
