"""Random numbers end to end: planned, run, certified, hashed, written, and refused with the reason."""

from __future__ import annotations

import base64
import json
import math
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ebit
from ebit.analysis.hash_lemma import output_length
from ebit.backends.model import Description
from ebit.games import ArgumentError, RefusedError
from ebit.protocols import random_plan
from ebit.protocols.random_result import FORMATS, RandomBits
from ebit.protocols.seeds import draw_seed
from tests.fakeprovider import LabBackend

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
QUICK: dict[str, Any] = {"certify": "eat", "epsilon": 2.0**-20, "seed": 1}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> RandomBits:
    """Bits of the ideal simulator, by accumulation: a second or so."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EBIT_HOME", str(tmp_path_factory.mktemp("home")))
        return ebit.random_bits("aer", 203, **QUICK)


class Chip(LabBackend):
    """The provider's jobs as if a processor had run them."""

    def describe(self) -> Description:
        return replace(super().describe(), kind="processor")


def schoolbook(seed: np.ndarray, x: np.ndarray, m: int) -> np.ndarray:
    """y_i = XOR over j of seed[i - j + n - 1] x_j, one row of the matrix after the other."""
    n = len(x)
    return np.array([(seed[i : i + n][::-1] & x).sum() % 2 for i in range(m)], np.uint8)


def test_what_is_said_of_them(made: RandomBits) -> None:
    plain = json.loads(json.dumps(made.to_dict(), allow_nan=False))
    assert set(plain) >= KEYS
    assert (made.bits, made.wanted, made.refused, made.status) == (203, 203, "", "certified")
    assert plain["refused"] is None
    assert plain["method"] == "eat"
    assert "quantum" in plain["adversary"]
    assert plain["epsilon"] == 2.0**-20
    assert plain["certificate"]["epsilon"] == 2.0**-21
    assert plain["entropy_rate"] == plain["entropy_bits"] / plain["certificate"]["n"]
    assert plain["raw_bits"] == 2 * plain["certificate"]["n"]
    assert plain["seed_bits"] == made.raw_bits + 203 - 1
    assert plain["net_bits"] == pytest.approx(203 - plain["seed_bits"] - made.raw_bits)
    assert set(plain["health"]) == {"raw", "output"}
    assert plain["bell"]["S"] == plain["certificate"]["S"] == pytest.approx(2.83, abs=0.05)
    assert plain["secrecy"] == "demonstration"
    assert made.assumptions
    assert made.not_given
    assert any("simulator's bits follow from its seed" in text for text in made.not_given)
    assert any("seed of the hash is pseudo-random" in text for text in made.not_given)
    assert any("seed is uniform and independent" in text for text in made.assumptions)


def test_a_simulators_bits_are_pseudo_random(made: RandomBits) -> None:
    assert made.randomness == "pseudo (simulator)"
    for text in (str(made), made._repr_html_(), repr(made)):
        assert "203 pseudo-random bits" in text
        assert "203 random bits" not in text


def test_the_net_is_printed_though_negative(made: RandomBits) -> None:
    assert made.net_bits < 0
    assert f"{made.net_bits:+,.0f} bits" in str(made)
    assert f"{made.seed_bits:,} of the seed" in str(made)
    assert f"{made.net_bits:+,.0f} bits" in made._repr_html_()


def test_the_bits_are_the_schoolbook_hash_of_the_outcomes(made: RandomBits) -> None:
    assert made.score is not None
    assert made.score.trials is not None
    raw = made.score.trials.rounds()[1].ravel()  # a, b of each round
    assert len(raw) == made.raw_bits
    drawn = draw_seed(made.seed_bits, 1)
    seed = np.unpackbits(drawn.packed, count=made.seed_bits)
    assert made.unpacked().tolist() == schoolbook(seed, raw, made.bits).tolist()
    assert made.seed_source == drawn.source


def test_formats_agree(made: RandomBits) -> None:
    raw = made.content("raw")
    assert raw == made.packed.tobytes()
    assert len(raw) == 26
    assert bytes.fromhex(made.content("hex").decode()) == raw
    assert base64.b64decode(made.content("base64"), validate=False) == raw
    lines = made.content("numbers").decode().splitlines()
    assert [len(line) for line in lines] == [64, 64, 64, 11]
    digits = [int(c) for c in "".join(lines)]
    assert digits == made.unpacked().tolist()
    assert np.packbits(digits).tobytes() == raw
    assert raw[-1] & 0b11111 == 0  # 203 = 8 * 25 + 3
    with pytest.raises(ArgumentError, match=r"raw, hex, base64, numbers, but was 'octal'"):
        made.content("octal")


@pytest.mark.parametrize("form", FORMATS)
def test_files(form: str, made: RandomBits, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "bits.bin"
    saved = made.save(path, format=form)
    assert path.read_bytes() == made.content(form)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    side = json.loads((tmp_path / "deep" / "bits.bin.json").read_text())
    assert set(side) >= KEYS | {"format", "certificate"}
    assert (side["file"], side["format"], side["bits"]) == (str(path), form, 203)
    assert side["randomness"] == "pseudo (simulator)"
    assert saved.file == str(path)
    assert str(path) in str(saved)
    assert made.file is None
    assert sorted(p.name for p in path.parent.iterdir()) == ["bits.bin", "bits.bin.json"]


def test_the_certificate_is_written_first(
    made: RandomBits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> Any:
        assert (tmp_path / "b.json").exists()
        raise ArgumentError(f"cannot write {path}: no space")

    monkeypatch.setattr("ebit.protocols.private_files.private_file", full)
    with pytest.raises(ArgumentError, match="no space"):
        made.save(tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_a_seed_repeats_everything(made: RandomBits) -> None:
    again = ebit.random_bits("aer", 203, **QUICK)
    assert again.packed.tobytes() == made.packed.tobytes()
    assert again.to_dict()["certificate"] == made.to_dict()["certificate"]
    other = ebit.random_bits("aer", 203, **{**QUICK, "seed": 2})
    assert other.packed.tobytes() != made.packed.tobytes()


def test_the_hash_has_its_own_seed_without_one() -> None:
    # Planned for far less than it gives: it passes whatever the run's own seed is.
    found = ebit.random_bits("aer", 16, expected_S=2.7, **{**QUICK, "seed": None})
    assert "os.urandom" in found.seed_source
    assert not any("seed of the hash" in text for text in found.not_given)
    assert found.randomness == "pseudo (simulator)"  # as the raw bits are


def test_all_that_the_certificate_allows() -> None:
    found = ebit.random_bits("aer", shots=60_000, **QUICK)
    assert found.wanted is None
    assert found.bits == output_length(found.certificate.entropy_bits, 2.0**-21)
    assert found.bits == math.floor(found.certificate.entropy_bits - 2 * 21 + 2)


def test_a_run_on_a_device_says_one_chip(tmp_path: Path) -> None:
    where = Chip(tmp_path / "lab", most=10**6)
    with pytest.raises(ArgumentError, match="expected_S must be given"):
        ebit.random_bits(where, 64, certify="eat")
    found = ebit.random_bits(
        where, 64, expected_S=2.8, certify="eat", epsilon=2.0**-20, confirm=True
    )
    assert found.status == "certified", found.refused
    assert (found.certificate.separation, found.randomness) == ("one chip", "device")
    S = found.certificate.S
    assert found.certificate.sentence == (
        f"entropy consistent with S = {S:.4f}, assuming no cross-talk beyond the tested bound, an "
        "honest provider and trusted settings"
    )
    assert f"64 random bits from chsh: {found.certificate.sentence}" in str(found)
    assert "pseudo" not in str(found)
    assert any("honest provider" in text for text in found.assumptions)
    assert any("device's own coins" in text for text in found.assumptions)
    assert any("locality and the provider stay open" in text for text in found.not_given)


def test_a_pilot_run(tmp_path: Path) -> None:
    lab = Chip(tmp_path / "lab", most=10**6)
    found = ebit.random_bits(lab, 64, pilot=20_000, certify="eat", epsilon=2.0**-20, confirm=True)
    assert found.bits == 64
    assert found.certificate.expected_S is not None
    assert 2.74 < found.certificate.expected_S < 2.83
    assert found.certificate.n != 20_000
    assert len(lab.lab.jobs()) == 2  # the pilot's rounds are not among those that are hashed


@pytest.mark.parametrize(("source", "size"), [("hadamard", 8), ("bell", 2), ("ghz", 3)])
def test_trusted_sources(source: Any, size: int) -> None:
    found = ebit.random_bits("aer", 1000, source=source, size=size, seed=3)
    assert (found.bits, found.status, found.certificate.method) == (1000, "trusted source", "none")
    assert found.score is None
    assert found.settings_bits == 0
    assert found.net_bits == 1000 - found.seed_bits
    assert "1,000 pseudo-random bits" in str(found)
    assert found.raw_bits % found.certificate.n == 0
    assert 0 < found.certificate.entropy_bits < found.raw_bits
    assert set(found.to_dict()) >= KEYS
    assert found.to_dict()["bell"] is None


def test_a_trusted_chip_is_certified_by_nothing(tmp_path: Path) -> None:
    lab = Chip(tmp_path / "lab", most=10**6)
    found = ebit.random_bits(lab, 500, source="hadamard", size=4, confirm=True)
    assert found.bits == 500
    assert found.certificate.sentence.endswith("trust in the device: nothing was certified")


def test_seed_files(tmp_path: Path) -> None:
    path = tmp_path / "seed"
    path.write_bytes(np.random.default_rng(5).bytes(20_000))
    found = ebit.random_bits("aer", 64, hash_seed=path, **QUICK)
    assert found.seed_source == "the file seed"
    assert found.seed_bits == found.raw_bits + 63
    assert not any("seed of the hash" in text for text in found.not_given)
    # The first use fixed the budget: half of epsilon, which is spent.
    record = json.loads((tmp_path / "seed.spent.json").read_text())
    [entry] = record.values()
    assert entry["budget"] == 2.0**-21
    with pytest.raises(ArgumentError, match=r"seed has spent 4\.77e-07 of 4\.77e-07"):
        ebit.random_bits("aer", 64, hash_seed=str(path), **QUICK)


def test_begun_and_resumed(made: RandomBits) -> None:
    job = ebit.begin("random", "aer", shots=made.certificate.n, bits=203, hash_seed=1, **QUICK)
    first = ebit.resume(job.id)
    assert first.packed.tobytes() == made.packed.tobytes()
    assert first.run.job == job.id
    assert not any("before" in text and "ledger" in text for text in first.not_given)
    events = [what for _, what in ebit.open_job(job.id).entry.events]
    assert "203 random bits extracted" in events
    # The rounds are spent: whoever extracts from them again is told so.
    again = ebit.resume(job.id)
    assert again.packed.tobytes() == first.packed.tobytes()
    assert any("these very rounds before (the ledger says so)" in t for t in again.not_given)


def test_the_plan_is_fixed_when_a_run_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    job = ebit.begin("random", "aer", shots=60_000, bits=64, **QUICK)
    purpose = job.purpose
    assert purpose["rounds"] == 60_000
    assert np.allclose(purpose["expected"]["wins"], 0.5 + math.sqrt(2) / 4)
    with pytest.raises(RefusedError, match="1000 rounds certify nothing"):
        ebit.begin("random", "aer", shots=1000, bits=64, **QUICK)
    monkeypatch.setattr(random_plan, "forecast", lambda *_: 1 / 0)
    assert ebit.resume(job.id).bits == 64


def test_numpy_numbers_are_numbers() -> None:
    found = ebit.random_bits("aer", np.int64(16), **QUICK)  # type: ignore[arg-type]
    assert found.bits == 16
    json.dumps(found.to_dict())


@pytest.mark.slow
def test_pef_on_a_chip() -> None:
    found = ebit.random_bits("aer:fez", 256, seed=1)
    assert (found.bits, found.certificate.method) == (256, "pef")
    assert "classical" in found.certificate.adversary
    assert found.certificate.tau >= 0.002
    assert found.certificate.n < 10_000


@pytest.mark.slow
def test_spot_checks_end_to_end() -> None:
    found = ebit.random_bits("aer", 500, source="spot", gamma=0.2, **QUICK)
    assert found.bits == 500, found.refused
    assert found.settings_bits < 2 * found.certificate.n
    q = 1 - math.sqrt(0.8)
    h = -q * math.log2(q) - (1 - q) * math.log2(1 - q)
    assert found.settings_bits == pytest.approx(2 * h * found.certificate.n, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("more", [{"expected_S": 2.5}, {"pilot": 100_000}, {}])
def test_spot_checks_of_a_chip_expect_its_own_coins(more: dict[str, Any]) -> None:
    """A coin that is built for 0.106 comes out as 0.112 on the chip: planned for, never refused."""
    found = ebit.random_bits("aer:fez", 64, source="spot", gamma=0.2, **QUICK, **more)
    assert found.status == "certified", found.refused
    assert found.score is not None
    assert found.score.trials is not None
    counts = found.score.trials.counts.sum(axis=(2, 3))
    assert counts[1].sum() / counts.sum() > 0.109


def test_numpy_draws_from_what_a_run_gave() -> None:
    found = ebit.random_bits("aer", 203, **QUICK)
    raw = ebit.EbitBits(found).random_raw(2)
    assert raw.tolist() == np.frombuffer(found.packed[:16].tobytes(), ">u8").tolist()
    missed = ebit.random_bits("aer:fez", 64, expected_S=2.82, **QUICK)
    with pytest.raises(ebit.EbitError, match=r"the run was refused \(the threshold was missed"):
        ebit.EbitBits(missed)
