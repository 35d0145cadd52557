"""Rates of endless runs: published values, and the entropies of Eve's states worked out as matrices."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebit.analysis.key_asymptotic import (
    MOST_S,
    bb84_rate,
    best_noise,
    binary_entropy,
    chsh_rate,
    chsh_threshold,
    conference_rate,
    flipped,
    six_state_rate,
    threshold,
)
from ebit.games import ArgumentError

BELL = np.array([[1, 0, 0, 1], [1, 0, 0, -1], [0, 1, 1, 0], [0, 1, -1, 0]]) / math.sqrt(2)


def von_neumann(rho: np.ndarray) -> float:
    values = np.linalg.eigvalsh(rho)
    values = values[values > 1e-14]
    return float(-(values * np.log2(values)).sum())


def eve_entropy(weights: list[float], noise: float, angle: float = 0.0) -> float:
    """H(A'|E) of a Bell-diagonal state that Eve purifies, A measured at an angle from Z in the X-Z plane."""
    # |psi> = sum_i sqrt(w_i) |Bell_i>|i>; Eve's states given Alice's bit and Bob's are traced out.
    purified = np.sqrt(np.array(weights))[:, None] * BELL  # (Eve, AB)
    tensor = purified.reshape(4, 2, 2)
    c, s = math.cos(angle / 2), math.sin(angle / 2)
    given_bit = []
    for vector in (np.array([c, s]), np.array([-s, c])):
        left = np.einsum("eab,a->eb", tensor, vector)
        given_bit.append(left @ left.T)
    mixed = [
        (1 - noise) * given_bit[0] + noise * given_bit[1],
        (1 - noise) * given_bit[1] + noise * given_bit[0],
    ]
    joint = sum(von_neumann(rho / np.trace(rho)) * np.trace(rho) for rho in mixed)
    outcome = [float(np.trace(rho)) for rho in mixed]
    return float(-sum(p * math.log2(p) for p in outcome if p > 0) + joint - von_neumann(sum(mixed)))


def test_published_rates() -> None:
    # Shor and Preskill 2000; Bruss 1998.
    assert [round(bb84_rate(q), 6) for q in (0.01, 0.03, 0.05)] == [0.838414, 0.611216, 0.427206]
    assert [round(six_state_rate(q), 6) for q in (0.01, 0.05)] == [0.863865, 0.496816]
    assert bb84_rate(0.02, 0.05) == pytest.approx(1 - binary_entropy(0.02) - binary_entropy(0.05))
    assert bb84_rate(0.0) == six_state_rate(0.0) == 1.0


def test_published_thresholds() -> None:
    assert threshold(bb84_rate) == pytest.approx(0.110028, abs=5e-7)
    assert threshold(six_state_rate) == pytest.approx(0.126193, abs=5e-7)
    # Renner, Gisin, Kraus 2005: noise towards one half.
    assert threshold(lambda Q: bb84_rate(Q, noise=0.499)) == pytest.approx(0.12412, abs=5e-6)
    assert threshold(lambda Q: six_state_rate(Q, noise=0.499)) == pytest.approx(0.14112, abs=5e-6)


def test_threshold_with_noise_in_closed_form() -> None:
    # The rate at noise 1/2 - d is d^2 times something that vanishes where, with c = 1 - 2Q,
    # (1 - c^2)/c ln((1 + c)/(1 - c)) = 2 c^2.
    def sign(Q: float) -> float:
        c = 1 - 2 * Q
        return 2 * c**2 - (1 - c * c) / c * math.log((1 + c) / (1 - c))

    assert threshold(sign, high=0.4) == pytest.approx(
        threshold(lambda Q: bb84_rate(Q, noise=0.4995)), abs=2e-6
    )


def test_device_independent_thresholds() -> None:
    # Acin 2007; Ho 2020; Woodhead, Acin, Pironio 2021.
    plain, S = chsh_threshold()
    assert (round(plain, 5), round(S, 4)) == (0.07149, 2.4240)
    assert round(chsh_threshold(noise=True)[0], 5) == 0.08085
    assert round(chsh_threshold(asymmetric=True)[0], 5) == pytest.approx(0.07418, abs=1.1e-5)
    assert round(chsh_threshold(noise=True, asymmetric=True)[0], 5) == pytest.approx(
        0.08345, abs=1.1e-5
    )


def test_chsh_rate_without_noise_is_the_known_formula() -> None:
    for S, Q in ((2.2, 0.01), (2.64, 0.018), (MOST_S, 0.0)):
        eve = binary_entropy((1 + math.sqrt(S * S / 4 - 1)) / 2)
        assert chsh_rate(S, Q) == pytest.approx(1 - binary_entropy(Q) - eve, abs=1e-12)
    # With noise: Ho et al. add h((1 + sqrt(1 - q (1 - q) (8 - S^2))) / 2).
    S, Q, q = 2.5, 0.03, 0.1
    more = binary_entropy((1 + math.sqrt(1 - q * (1 - q) * (8 - S * S))) / 2)
    eve = binary_entropy((1 + math.sqrt(S * S / 4 - 1)) / 2)
    told = binary_entropy(flipped(Q, q))
    assert chsh_rate(S, Q, noise=q) == pytest.approx(1 - told - eve + more, abs=1e-12)


def test_local_devices_give_no_key() -> None:
    for a, q in product((0.7, 1.0, 1.3), (0.0, 0.1)):
        # At the local bound Eve knows everything but the noise.
        assert chsh_rate(2.0, 0.0, asymmetry=1.0, noise=q) == pytest.approx(0, abs=1e-12)
        local = 2 * max(1, a) / math.sqrt((1 + a * a) / 2)
        assert chsh_rate(local, 0.0, asymmetry=a, noise=q) == pytest.approx(0, abs=1e-9)


@given(st.floats(0.001, 0.3), st.floats(0.001, 0.3), st.floats(0, 0.5))
def test_bb84_against_eves_matrix(qz: float, qx: float, noise: float) -> None:
    # Independent bit and phase errors: Phi+, Phi-, Psi+, Psi-.
    weights = [(1 - qz) * (1 - qx), (1 - qz) * qx, qz * (1 - qx), qz * qx]
    told = binary_entropy(flipped(qz, noise))
    assert bb84_rate(qz, qx, noise=noise) == pytest.approx(
        eve_entropy(weights, noise) - told, abs=1e-9
    )


@given(st.floats(0.001, 0.3), st.floats(0, 0.5))
def test_six_state_against_eves_matrix(q: float, noise: float) -> None:
    weights = [1 - 1.5 * q, q / 2, q / 2, q / 2]
    told = binary_entropy(flipped(q, noise))
    assert six_state_rate(q, noise=noise) == pytest.approx(
        eve_entropy(weights, noise) - told, abs=1e-9
    )


@pytest.mark.parametrize("noise", [0.0, 0.15])
@pytest.mark.parametrize("alpha", [0.8, 1.0, 1.2])
def test_no_attack_beats_the_chsh_bound(noise: float, alpha: float) -> None:
    # Random Bell-diagonal states and angles; S of any other asymmetry is turned into s.
    rng = np.random.default_rng(7)
    for _ in range(400):
        weights = rng.dirichlet([2.0, 0.3, 0.3, 0.3])
        signs = np.array([[1, 1], [-1, 1], [1, -1], [-1, -1]])  # (XX, ZZ) of each Bell state
        xx, zz = weights @ signs
        a0, a1 = 0.0, math.pi / 2 + rng.normal(0, 0.3)
        b = rng.normal([0.7, -0.7], 0.3)

        def e(u: float, v: float, xx: float = xx, zz: float = zz) -> float:
            return zz * math.cos(u) * math.cos(v) + xx * math.sin(u) * math.sin(v)

        s = alpha * (e(a0, b[0]) + e(a0, b[1])) + e(a1, b[0]) - e(a1, b[1])
        s = min(abs(s), 2 * math.sqrt(1 + alpha**2))
        S = min(MOST_S, s / math.sqrt((1 + alpha**2) / 2))
        bound = chsh_rate(S, 0.0, noise=noise, asymmetry=alpha) + binary_entropy(noise)
        assert eve_entropy(list(weights), noise, a0) >= bound - 1e-7


@pytest.mark.parametrize("noise", [0.0, 0.15])
def test_the_chsh_bound_is_reached(noise: float) -> None:
    # Phi+ with weight (1 + C)/2 and Phi- else: s = 2 sqrt(alpha^2 + C^2).
    for alpha, C in ((1.0, 0.6), (1.3, 0.8), (0.9, 0.95)):
        s = 2 * math.sqrt(alpha**2 + C * C)
        S = s / math.sqrt((1 + alpha**2) / 2)
        bound = chsh_rate(S, 0.0, noise=noise, asymmetry=alpha) + binary_entropy(noise)
        found = eve_entropy([(1 + C) / 2, (1 - C) / 2, 0, 0], noise)
        assert found == pytest.approx(bound, abs=1e-9)


def test_conference_key() -> None:
    # Grasselli et al. 2018: white noise p GHZ + (1 - p) I / 2^N has all error rates (1 - p)/2.
    at = threshold(lambda Q: conference_rate(Q, (Q, Q, Q)))
    assert 1 - 2 * at == pytest.approx(0.779944, abs=1e-6)
    assert round(conference_rate(0.02, (0.02, 0.02)), 3) == 0.717
    assert conference_rate(0.0, (0.01, 0.05)) == pytest.approx(1 - binary_entropy(0.05))


def test_noise_helps_only_near_the_threshold() -> None:
    q, rate = best_noise(lambda q: bb84_rate(0.12, noise=q))
    assert rate > 0 > bb84_rate(0.12)
    assert 0.2 < q < 0.35
    few, more = best_noise(lambda q: bb84_rate(0.01, noise=q))
    assert few < 1e-3
    assert more >= bb84_rate(0.01)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: bb84_rate(0.6), "qber must be an error rate between 0 and 0.5, but was 0.6"),
        (lambda: bb84_rate(math.nan), "between 0 and 0.5"),
        (lambda: bb84_rate(0.1, noise=-0.1), "noise"),
        (lambda: chsh_rate(3.0, 0.0), "2 sqrt 2 = 2.828427, but was 3.0"),
        (lambda: conference_rate(0.1, ()), "at least one other party"),
    ],
)
def test_refusals(call: object, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        call()  # type: ignore[operator]
