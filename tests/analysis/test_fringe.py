"""Fringes: exact on exact counts, intervals that cover, and what a fringe does not show."""

from __future__ import annotations

import json
from math import pi

import numpy as np
import numpy.typing as npt
import pytest

from ebit.analysis.fringe import score_fringe
from ebit.circuits import bell_vector
from ebit.games import ArgumentError, Trials

Floats = npt.NDArray[np.float64]

SWEEP = np.linspace(0, 2 * pi, 13)


def counts_of(curve: npt.ArrayLike, shots: int, rng: np.random.Generator | None = None) -> Trials:
    """Counts with these correlators and fair coins on each side."""
    equal = (1 + np.asarray(curve)) / 2
    shares = np.stack([equal / 2, (1 - equal) / 2, (1 - equal) / 2, equal / 2], axis=1)
    shares = np.clip(shares, 0, 1)
    if rng is None:
        table = np.rint(shots * shares).astype(np.int64)
    else:
        table = rng.multinomial(shots, shares / shares.sum(axis=1, keepdims=True))
    return Trials.from_counts(table.reshape(1, -1, 2, 2))


def correlator(rho: npt.NDArray[np.complex128], a: float, b: float) -> float:
    """E(a, b) as a trace; qubit 0 (Alice) is the least significant bit."""
    z, x = np.diag([1.0, -1.0]), np.array([[0.0, 1.0], [1.0, 0.0]])
    both = np.kron(np.cos(b) * z + np.sin(b) * x, np.cos(a) * z + np.sin(a) * x)
    return float(np.trace(rho @ both).real)


@pytest.mark.parametrize("alice", [0.0, 0.7, pi / 2])
@pytest.mark.parametrize("state", ["phi+", "psi-"])
def test_visibility_and_phase_of_a_density_matrix(state: str, alice: float) -> None:
    """White noise of weight .1 and a turn of Bob's axis by .2: v = .9, shifted by .2."""
    pure = np.outer(bell_vector(state), bell_vector(state).conj())
    rho = 0.9 * pure + 0.1 * np.eye(4) / 4
    real = [correlator(rho, alice, b - 0.2) for b in SWEEP]
    ideal = [correlator(pure, alice, b) for b in SWEEP]
    found = score_fringe(counts_of(real, 10**9), SWEEP.tolist(), alice=alice, ideal=ideal)
    assert found.visibility == pytest.approx(0.9, abs=1e-6)
    assert found.phase_shift == pytest.approx(0.2, abs=1e-6)
    assert found.projected == pytest.approx(0.9 * np.cos(0.2), abs=1e-6)
    assert found.ideal_visibility == pytest.approx(1, abs=1e-9)
    assert found.fit(SWEEP) == pytest.approx(np.array(real), abs=1e-6)
    assert found.chi_square < 1e-3
    assert found.dof == 11


@pytest.mark.slow
@pytest.mark.parametrize("visibility", [0.3, 0.93])
def test_conservative_limits_cover(visibility: float) -> None:
    rng, curve, runs = np.random.default_rng(6), visibility * np.cos(SWEEP - 0.1), 120
    below = above = 0
    for _ in range(runs):
        found = score_fringe(counts_of(curve, 150, rng), SWEEP.tolist(), ideal=np.cos(SWEEP))
        assert found.projected_interval is not None
        below += found.projected_interval.low > visibility * np.cos(0.1)
        above += found.projected_interval.high < visibility * np.cos(0.1)
    assert max(below, above) <= runs * 0.025 + 3 * (runs * 0.025) ** 0.5


@pytest.mark.parametrize("visibility", [0.3, 0.93, 1.0])
def test_the_normal_interval_is_about_right(visibility: float) -> None:
    """The ideal curve is flat, so that the conservative interval, which takes time, is left out."""
    rng, curve, runs = np.random.default_rng(11), visibility * np.cos(SWEEP - 0.1), 400
    flat, missed = np.zeros(13).tolist(), 0
    for _ in range(runs):
        found = score_fringe(counts_of(curve, 300, rng), SWEEP.tolist(), ideal=flat)
        missed += visibility not in found.visibility_interval
    assert missed <= runs * 0.06 + 3 * (runs * 0.06) ** 0.5
    if visibility < 1:  # at 1 the interval is cut, and its variance kept above one count
        assert missed >= runs * 0.02


@pytest.mark.slow
def test_the_fit_is_judged_fairly() -> None:
    rng, good, bad = np.random.default_rng(7), [], []
    wrong = 0.9 * np.cos(SWEEP) + 0.12  # an offset is no fringe
    for _ in range(60):
        for curve, into in ((0.9 * np.cos(SWEEP), good), (wrong, bad)):
            p = score_fringe(counts_of(curve, 400, rng), SWEEP.tolist()).fit_p
            assert p is not None
            into.append(p)
    assert 0.3 < np.mean(good) < 0.7
    assert np.mean(np.array(good) < 0.01) < 0.1
    assert np.median(bad) < 0.01


def test_a_product_state_gives_a_full_fringe() -> None:
    """|00> with Alice at Z: E(b) = cos b. The score says that this proves nothing."""
    rho = np.diag([1.0, 0, 0, 0]).astype(complex)
    full = score_fringe(
        counts_of([correlator(rho, 0.0, b) for b in SWEEP], 10**6), SWEEP.tolist(), state="product"
    )
    assert full.visibility == pytest.approx(1, abs=1e-5)
    assert any("product states" in text for text in full.not_given)
    flat = [correlator(rho, pi / 2, b) for b in SWEEP]
    none = score_fringe(counts_of(flat, 1000), SWEEP.tolist(), alice=pi / 2, ideal=flat)
    assert none.visibility < 0.05
    assert none.phase_shift is None
    assert none.projected_interval is None
    assert "at least" not in str(none)


def test_prints_and_dumps() -> None:
    found = score_fringe(
        counts_of(0.9 * np.cos(SWEEP), 500), SWEEP.tolist(), separation="simulated"
    )
    text = str(found)
    assert text.startswith("fringe: visibility 0.8979")
    assert "in simulation" in text
    assert sum(line.rstrip().endswith("o") or "o " in line for line in text.splitlines()) >= 13
    assert "visibility" in found._repr_html_()
    result = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert len(result["points"]) == 13
    assert result["points"][6]["angle_deg"] == pytest.approx(180)
    assert result["visibility_at_least"]["low"] < result["visibility"]
    assert list(found.to_frame().columns) == ["E", "low", "high", "ideal", "n"]
    assert found.angles == tuple(SWEEP)
    assert "ebit" in found.cite()


@pytest.mark.parametrize(
    ("angles", "words"),
    [
        ([0.0, pi], "do not differ by 180"),
        ([0.0, 1.0, 2.0], "3 angles must have settings"),
        ([0.0, float("nan")], "finite angles"),
    ],
)
def test_angles_that_are_refused(angles: list[float], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        score_fringe(counts_of([0.5, 0.5], 100), angles)


def test_rounds_that_are_refused() -> None:
    counts = np.zeros((1, 3, 2, 2), dtype=int)
    counts[0, :2] = 5
    with pytest.raises(ArgumentError, match="every angle must have rounds"):
        score_fringe(Trials.from_counts(counts), [0.0, 1.0, 2.0])
    with pytest.raises(ArgumentError, match="one value per angle"):
        score_fringe(counts_of([0.5, 0.5], 100), [0.0, 1.0], ideal=[1.0])
    with pytest.raises(ArgumentError, match="level"):
        score_fringe(counts_of([0.5, 0.5], 100), [0.0, 1.0], level=1.5)
