"""Random numbers that are refused: by their arguments, by their rounds, by their health."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ebit
from ebit.analysis.certifying import plan_certificate
from ebit.games import ArgumentError, EbitError, RefusedError
from ebit.protocols.random_result import RandomBits

QUICK: dict[str, Any] = {"certify": "eat", "epsilon": 2.0**-20, "seed": 1}


def test_more_bits_than_the_certificate_allows() -> None:
    """A trusted source's entropy is known only when its bits are there."""
    how: dict[str, Any] = {"source": "hadamard", "size": 8, "shots": 3000, "seed": 1}
    most = ebit.random_bits("aer", **how)
    found = ebit.random_bits("aer", most.bits + 1, **how)
    assert found.status == "refused"
    assert (found.bits, found.packed.size, found.seed_bits) == (0, 0, 0)
    assert f"{most.bits + 1} bits were asked for, but the certificate allows {most.bits}" in (
        found.refused
    )
    assert (
        f"{most.certificate.entropy_bits:.1f} bits of min-entropy in 3000 rounds" in found.refused
    )
    assert found.to_dict()["refused"] == found.refused
    assert str(found).startswith("no bits: ")
    assert "refused" in repr(found)
    with pytest.raises(RefusedError, match="no bits to save"):
        found.save("nowhere")
    assert not Path("nowhere").exists()


def test_more_bits_than_a_bell_test_can_give_are_refused_before_it_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    most = ebit.random_bits("aer", shots=60_000, **QUICK)
    assert ebit.random_bits("aer", most.bits, shots=60_000, **QUICK).bits == most.bits
    monkeypatch.setattr("ebit.protocols.resuming.run_experiment", lambda *_, **__: 1 / 0)
    monkeypatch.setattr("ebit.protocols.resuming.start_experiment", lambda *_, **__: 1 / 0)
    words = f"bits must be at most {most.bits}, which 60000 rounds .* but was {most.bits + 1}"
    with pytest.raises(ArgumentError, match=words):
        ebit.random_bits("aer", most.bits + 1, shots=60_000, **QUICK)
    with pytest.raises(ArgumentError, match=words):
        ebit.begin("random", "aer", bits=most.bits + 1, shots=60_000, **QUICK)


def test_entropy_that_the_hash_would_eat_is_refused_before_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ebit.protocols.resuming.run_experiment", lambda *_, **__: 1 / 0)
    with pytest.raises(RefusedError, match="which the hash needs for its own error"):
        ebit.random_bits("aer", shots=_barely(), **QUICK)


def _barely() -> int:
    """The fewest rounds that certify something by eat: less than the hash costs."""
    low, high = 2_000, 60_000
    while high - low > 1:
        n = (low + high) // 2
        try:
            plan_certificate("eat", n, wins=(2 + 2**0.5) / 4, tau=0.002, epsilon=2.0**-21)
        except RefusedError:
            low = n
        else:
            high = n
    return high


def test_a_seed_file_that_was_spent_is_refused_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "seed"
    path.write_bytes(np.random.default_rng(3).bytes(40_000))
    how: dict[str, Any] = {**QUICK, "shots": 60_000, "hash_seed": path}
    assert ebit.random_bits("aer", 64, **how).bits == 64
    monkeypatch.setattr("ebit.protocols.resuming.run_experiment", lambda *_, **__: 1 / 0)
    with pytest.raises(ArgumentError, match=r"hash_seed must have .* of its error budget left"):
        ebit.random_bits("aer", 64, **how)


def test_missed_threshold() -> None:
    # A chip that cannot give what is expected of it.
    found = ebit.random_bits("aer:fez", 64, expected_S=2.82, **QUICK)
    assert found.refused.startswith("the threshold was missed")
    assert "expected S of 2.8200" in found.refused
    assert found.bits == 0
    assert not found.health


def test_too_few_rounds_are_refused_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ebit.protocols.resuming.run_experiment", lambda *_, **__: 1 / 0)
    with pytest.raises(RefusedError, match="1000 rounds certify nothing by eat"):
        ebit.random_bits("aer", 16, shots=1000, **QUICK)


def test_unhealthy_raw_bits_stop_the_output(monkeypatch: pytest.MonkeyPatch) -> None:
    from ebit.protocols import random_extract

    kept = random_extract.watch

    def stuck(packed: Any, bits: int, claim: float) -> dict[str, Any]:
        return kept(np.zeros_like(packed), bits, claim)

    monkeypatch.setattr(random_extract, "watch", stuck)
    found = ebit.random_bits("aer", 203, **QUICK)
    assert found.status == "refused"
    assert found.bits == 0
    assert found.packed.size == 0
    assert "repetition" in found.refused


def test_unhealthy_output_is_not_given_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ebit.analysis.toeplitz.ToeplitzHash.__call__",
        lambda self, _: np.zeros((self.m + 7) // 8, np.uint8),
    )
    found = ebit.random_bits("aer", 203, **QUICK)
    assert found.refused.startswith("the extracted bits are unhealthy")
    assert (found.bits, found.packed.size) == (0, 0)


def test_seed_files_that_will_not_do_are_refused_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ebit.protocols.resuming.run_experiment", lambda *_, **__: 1 / 0)
    path = tmp_path / "seed"
    path.write_bytes(b"short")
    with pytest.raises(
        ArgumentError, match=r"must have 120063 bits \(15008 bytes\) .* has 5 bytes"
    ):
        ebit.random_bits("aer", 64, shots=60_000, hash_seed=str(path), **QUICK)
    with pytest.raises(ArgumentError, match="cannot read the seed"):
        ebit.random_bits("aer", 64, hash_seed=str(tmp_path / "none"), **QUICK)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"source": "dice"}, "source must be one of chsh, spot, hadamard, bell, ghz"),
        ({"certify": "none"}, "certify must be one of pef, renyi, renyi-one, geat, eat for source"),
        ({"certify": "magic"}, "certify must be one of"),
        ({"certify": "pef", "source": "hadamard"}, "certify must be none"),
        ({"epsilon": 0}, "epsilon must lie strictly between 0 and 1, but was 0"),
        ({"epsilon": 1}, "but was 1"),
        ({"epsilon": 2}, "but was 2"),
        ({"epsilon": float("nan")}, "but was nan"),
        ({"epsilon": "small"}, "but was 'small'"),
        ({"tau": 0.6}, r"tau must lie in \[0, 0.5\), but was 0.6"),
        ({"tau": -0.1}, "tau"),
        ({"tau": float("nan")}, "tau"),
        ({"source": "spot", "gamma": 0}, "gamma"),
        ({"source": "spot", "gamma": 1}, "gamma"),
        ({"expected_S": 1.9}, r"above 2 and at most 2 sqrt 2 .* but was 1.9"),
        ({"expected_S": 3}, "but was 3"),
        ({"expected_S": float("nan")}, "but was nan"),
        ({"expected_S": "2.7"}, "but was '2.7'"),
        ({"bits": 0}, "bits must be a whole number of at least 1, but was 0"),
        ({"bits": 2.5}, "but was 2.5"),
        ({"bits": True}, "but was True"),
        ({"bits": None}, "give bits .* or shots"),
        ({"shots": 0}, "shots"),
        ({"pilot": 0}, "shots"),
        ({"source": "hadamard", "certify": None, "size": 0}, "0"),
        ({"hash_seed": -1, "certify": None, "source": "hadamard"}, "0 or more, .* but was -1"),
        ({"hash_seed": True, "certify": None, "source": "hadamard"}, "hash_seed .* but was True"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(EbitError, match=words) as caught:
        ebit.random_bits("aer", **{"bits": 16, **QUICK, **arguments})
    assert "\n" not in str(caught.value)


def test_begin_knows_its_options() -> None:
    with pytest.raises(ArgumentError, match="colour"):
        ebit.begin("random", "aer", shots=100, bits=5, colour="red")


@pytest.mark.parametrize("faulty", ["signalling", "predictable coins", "too strong"])
def test_runs_that_certify_nothing(faulty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shots that a broken or a lying device could return, through the whole path."""
    from ebit.games import Shots
    from ebit.protocols import random_numbers

    kept = random_numbers.score_random

    def lying(run: Any, purpose: Any) -> RandomBits:
        rng, n = np.random.default_rng(1), run.outcome.shots.n
        x, y = rng.integers(0, 2, n), rng.integers(0, 2, n)
        if faulty == "predictable coins":
            x = (rng.random(n) < 0.52).astype(int)
        a = rng.integers(0, 2, n)
        lost = rng.random(n) < (0.02 if faulty == "too strong" else 0.148)
        if faulty == "signalling":
            a = np.where(rng.random(n) < 0.05, y, a)
        bits = np.empty((n, 4), np.uint8)
        readout = run.experiment.readouts[0]
        for columns, values in (
            (readout.settings, (x, y)),
            (readout.outcomes, (a, a ^ (x & y) ^ lost)),
        ):
            for (column,), value in zip(columns, values, strict=True):
                bits[:, column] = value
        shots = Shots.from_bits([bits])
        return kept(replace(run, outcome=replace(run.outcome, shots=shots)), purpose)

    monkeypatch.setattr(random_numbers, "score_random", lying)
    found = ebit.random_bits("aer", 64, shots=60_000, expected_S=2.75, **QUICK)
    words = {
        "signalling": "signalling found",
        "predictable coins": "declare a larger tau before the next run",
        "too strong": "quantum",
    }
    assert words[faulty] in found.refused, str(found)
    assert (found.bits, found.packed.size, found.seed_bits) == (0, 0, 0)
    assert found.certificate.entropy_bits == 0
