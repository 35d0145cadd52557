"""Correction of readout errors: exact where it can be, honest about its own error."""

from __future__ import annotations

import numpy as np
import pytest

import ebit
from ebit.analysis.corrected import correct_readout
from ebit.backends import AerBackend, distributions, joint, load_calibration
from ebit.circuits import chsh
from ebit.games import ArgumentError


def flipped(table: np.ndarray, errors: list[tuple[float, float]]) -> np.ndarray:
    """Readout errors put on a distribution bit by bit, written out: the second route."""
    n = len(errors)
    out = np.zeros_like(table)
    for true in range(len(table)):
        for seen in range(len(table)):
            p = table[true]
            for j, (p10, p01) in enumerate(errors):
                t, s = true >> j & 1, seen >> j & 1
                p *= {(0, 0): 1 - p10, (0, 1): p10, (1, 0): p01, (1, 1): 1 - p01}[t, s]
            out[seen] += p
    assert n <= 4
    return out


def test_exact_inverse() -> None:
    rng = np.random.default_rng(3)
    errors = [(0.02, 0.08), (0.1, 0.03), (0.0, 0.2)]
    table = rng.dirichlet(np.ones(8))
    ones = np.array([[e[0] for e in errors], [1 - e[1] for e in errors]]) * 1e6
    seen = flipped(table, errors)
    found: list[np.ndarray] = []

    def value(tables: object) -> tuple[float, None]:
        found.append(tables[0])  # type: ignore[index]
        return 0.5, None

    # Bit 0 reads qubit 2, bit 1 qubit 0, bit 2 qubit 1.
    order = [2, 0, 1]
    seen = flipped(table, [errors[q] for q in order])
    correct_readout([seen * 1e6], [order], ones, 10**6, value)
    assert found[0] == pytest.approx(table, abs=1e-12)


def test_the_corrected_S_is_that_of_the_device_without_readout_errors() -> None:
    """Second route: the exact S of Fez with gate noise alone."""
    where = AerBackend(load_calibration("fez"))
    score = ebit.bell(
        "aer:fez", shots=400_000, settings="per-circuit", pair=(3, 4), readout=True, seed=2
    )
    test = chsh()
    compiled = where.compile(test, qubits=(3, 4))

    class GatesOnly:
        """The same noise, all outcomes read right."""

        def __getattr__(self, name: str) -> object:
            return getattr(where.noise, name)

        def assignment(self, qubit: int) -> None:
            return None

    tables = [joint(distributions(c, GatesOnly()), 2) for c in compiled.circuits]  # type: ignore[arg-type]
    exact = test.game.bell_value(test.behaviour(tables))
    assert score.corrected is not None
    span = score.corrected.S_interval
    assert span is not None
    assert abs(score.corrected.S - exact) < 1.5 * (span.high - span.low)
    assert exact - score.S > 4 * (span.high - span.low) / 4
    assert score.corrected.S > score.S


@pytest.mark.slow
def test_intervals_cover() -> None:
    rng = np.random.default_rng(11)
    errors, truth = [(0.03, 0.06), (0.02, 0.04)], np.array([0.4, 0.1, 0.15, 0.35])
    seen = flipped(truth, errors)
    hits = 0
    for _ in range(300):
        counts = rng.multinomial(2000, seen)
        ones = np.array(
            [
                [rng.binomial(2000, e[0]) for e in errors],
                [rng.binomial(2000, 1 - e[1]) for e in errors],
            ]
        )
        found = correct_readout(
            [counts], [[0, 1]], ones, 2000, lambda t: (float(t[0][0] + t[0][3]), None)
        )
        hits += found.win_rate_interval.low <= 0.75 <= found.win_rate_interval.high
    assert hits >= 300 * 0.95 - 3 * np.sqrt(300 * 0.95 * 0.05)
    assert hits < 300


def test_it_changes_no_evidence() -> None:
    score = ebit.bell("aer:fez", shots=4000, readout=True, seed=4)
    plain = score.to_dict()
    assert plain["corrected"]["use"].startswith("shown beside the raw value only")
    again = ebit.score(score.trials, minus="game", settings="per-shot", settings_source="device")
    assert again.p_value == score.p_value
    assert again.S == score.S
    assert "shown only" in str(score)


def test_a_qubit_that_reads_nothing_is_refused() -> None:
    with pytest.raises(ArgumentError, match="qubit 0 must read 1 more often"):
        correct_readout([[50, 50]], [[0]], [[50], [50]], 100, lambda t: (0.5, None))
