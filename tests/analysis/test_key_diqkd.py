"""Device-independent keys: the published working point, and eq. 73 written out a second time."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from ebit.analysis.key_asymptotic import MOST_S, binary_entropy, chsh_rate
from ebit.analysis.key_diqkd import (
    LEAST_EPSILON,
    DiqkdParameters,
    accumulated_length,
    chsh_entropy,
    diqkd_leak,
    tolerated_win_rate,
)
from ebit.analysis.key_diqkd_optimise import best_parameters, diqkd_length, diqkd_rounds_needed
from ebit.games import ArgumentError

N, GAMMA, S, Q = 1_500_000, 13 / 256, 2.64, 0.018


def test_working_point_of_nadlinger() -> None:
    # Nature 607, 682 (2022): m = 296,517, w_thr = .825538, 95,884 bits, 95,628 net.
    assert round(diqkd_leak(N, GAMMA, S, Q)) == 296_517
    assert round(tolerated_win_rate(N, GAMMA, S), 6) == 0.825538
    found = diqkd_length(N, S=S, qber=Q, test_fraction=GAMMA, epsilon=1e-10)
    assert abs(found.length - 95_884) <= 5
    assert abs(found.net_length - 95_628) <= 5
    assert found.leak == 296_518
    lost = N * GAMMA * (1 - found.tolerated_win_rate)
    assert found.tolerated_losses == math.floor(lost)


def written_out(n: int, gamma: float, w_thr: float, m: float, p: DiqkdParameters) -> float:
    """Eq. 73 in its own letters, the infimum over a grid."""

    def eta(w: np.ndarray) -> np.ndarray:
        x = (1 + np.sqrt(np.maximum(16 * w * (w - 1) + 3, 0))) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            h = np.nan_to_num(-x * np.log2(x) - (1 - x) * np.log2(1 - x))
        return np.where((w < 0.25) | (w > 0.75), 1 - h, 0.0)

    t, step = p.tangent, 1e-7
    slope = float(eta(np.array(t + step)) - eta(np.array(t - step))) / (2 * step)

    def g(w: np.ndarray | float) -> np.ndarray:
        return eta(np.array(t)) + slope * (np.asarray(w) - t)

    f0 = float(g(0)) / gamma + (1 - 1 / gamma) * float(g(1))
    f1 = float(g(1))
    low, high = (2 - math.sqrt(2)) / 4, (2 + math.sqrt(2)) / 4
    w = np.concatenate([np.linspace(low, high, 20_001), np.linspace(t - 0.02, t + 0.02, 400_001)])
    w = w[(w >= low) & (w <= high)]
    delta = eta(w) - (gamma * (1 - w) * f0 + (1 - gamma * (1 - w)) * f1)
    lost = gamma * (1 - w)
    v = math.log(2) / 2 * (math.log2(33) + np.sqrt(2 + lost * (1 - lost) * (f0 - f1) ** 2)) ** 2
    a, b = 1 + p.order, 1 + p.order_test
    x = 2 + f1 - float(g(low))
    k = 2 ** ((a - 1) * x) * math.log(2**x + math.e**2) ** 3 / (6 * (2 - a) ** 3 * math.log(2))

    def th(e: float) -> float:
        return -math.log2(e * e / (1 + math.sqrt(1 - e * e)))

    inside = (
        n * float(g(w_thr))
        + n * float((delta - (a - 1) * v).min())
        - n * (a - 1) ** 2 * k
        - n * gamma
        - n * (b - 1) * math.log2(5) ** 2
        - (th(p.smooth_key) - a * math.log2(p.accept)) / (a - 1)
        - (th(p.smooth_test) - b * math.log2(p.accept)) / (b - 1)
        - 3 * th(p.smooth - p.smooth_key - 2 * p.smooth_test)
        + 5 * math.log2(p.hash)
        - m
        - 264
    )
    low_y, high_y = 1.0, inside
    for _ in range(200):
        y = (low_y + high_y) / 2
        low_y, high_y = (y, high_y) if y + 4 / math.log(2) * math.log(y) < inside else (low_y, y)
    return low_y


@pytest.mark.parametrize("tangent", [0.805, 0.8118, 0.83])
@pytest.mark.parametrize("order", [3e-4, 6e-4, 1.2e-3])
def test_eq_73_written_out_again(tangent: float, order: float) -> None:
    p = DiqkdParameters(tangent, order, 3.7e-3, 4.99e-11, 4.2e-11, 3.5e-12, 1e-10, 1.3e-13)
    n = 4 * N  # so that poor parameters give a key too
    w_thr, m = tolerated_win_rate(n, GAMMA, S), diqkd_leak(n, GAMMA, S, Q)
    expected = written_out(n, GAMMA, w_thr, m, p)
    assert expected > 10_000
    assert accumulated_length(n, GAMMA, w_thr, m, p) == pytest.approx(expected, abs=0.2)


def test_no_other_parameters_give_more() -> None:
    w_thr, m = tolerated_win_rate(N, GAMMA, S), diqkd_leak(N, GAMMA, S, Q)
    p = best_parameters(N, GAMMA, w_thr, m, 1e-10)
    best = accumulated_length(N, GAMMA, w_thr, m, p)
    assert 2 * p.smooth + p.hash <= 1e-10 - LEAST_EPSILON + 1e-24
    rng = np.random.default_rng(2)
    for _ in range(300):
        size = 10 ** rng.uniform(-3, -0.5)
        shifted = replace(
            p,
            tangent=p.tangent + 0.02 * size * rng.normal(),
            order=p.order * math.exp(size * rng.normal()),
            order_test=p.order_test * math.exp(size * rng.normal()),
            smooth_key=p.smooth_key * math.exp(size * rng.normal()),
            smooth_test=p.smooth_test * math.exp(size * rng.normal()),
        )
        assert accumulated_length(N, GAMMA, w_thr, m, shifted) <= best + 1


def test_the_best_share_of_tests() -> None:
    best = diqkd_length(N, S=S, qber=Q)
    assert best.length > 101_500
    for share in (0.03, 0.05, 0.06, 0.07, 0.1, 0.2):
        assert diqkd_length(N, S=S, qber=Q, test_fraction=share).length <= best.length + 1


@pytest.mark.slow
def test_first_key_in_the_depolarising_model() -> None:
    # Positive from about 2.6e5 rounds on, of devices without noise.
    needed = diqkd_rounds_needed(S=MOST_S, qber=0.0)
    assert needed is not None
    assert 2.5e5 < needed < 2.65e5
    assert diqkd_length(needed, S=MOST_S, qber=0.0).net_length > 0
    assert diqkd_length(round(0.97 * needed), S=MOST_S, qber=0.0).length == 0


def test_endless_runs_are_the_limit() -> None:
    found = diqkd_length(10**13, S=S, qber=Q)
    assert 0.98 * chsh_rate(S, Q) < found.length / 1e13 < chsh_rate(S, Q)


def test_too_noisy_and_too_short() -> None:
    assert diqkd_rounds_needed(S=2.0, qber=0.0) is None
    assert diqkd_rounds_needed(S=MOST_S * 0.84, qber=0.08) is None
    for n in (1, 10, 1000):
        assert diqkd_length(n, S=S, qber=Q).length == 0


def test_entropy_curve() -> None:
    for value in (2.1, 2.5, 2.8):
        known = 1 - binary_entropy((1 + math.sqrt(value**2 / 4 - 1)) / 2)
        assert chsh_entropy(0.5 + value / 8) == pytest.approx(known, abs=1e-12)
        assert chsh_entropy(0.5 - value / 8) == pytest.approx(known, abs=1e-12)
    assert chsh_entropy(0.75) == chsh_entropy(0.5) == chsh_entropy(0.25) == 0


def test_parameters_that_are_not_allowed() -> None:
    p = DiqkdParameters(0.81, 6e-4, 3.7e-3, 4.99e-11, 4.2e-11, 3.5e-12, 1e-10, 1.3e-13)
    for wrong in (
        replace(p, order=1.0),
        replace(p, order_test=0.0),
        replace(p, smooth_key=5e-11),
        replace(p, hash=0.0),
    ):
        assert accumulated_length(N, GAMMA, 0.82, 1e5, wrong) == -math.inf


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rounds": 0}, "`rounds`"),
        ({"S": 2.83}, "2 sqrt 2"),
        ({"qber": 0.51}, "qber must be an error rate"),
        ({"epsilon": 0.0}, "`epsilon`"),
        ({"epsilon": 1e-19}, "epsilon must be above 1.73e-18"),
        ({"test_fraction": 0.0}, "test_fraction must lie strictly between 0 and 1"),
        ({"test_fraction": 1.0}, "test_fraction must lie strictly between 0 and 1"),
    ],
)
def test_refusals(change: dict[str, float], words: str) -> None:
    good = {"rounds": 1000, "S": S, "qber": Q}
    with pytest.raises(ArgumentError, match=words):
        diqkd_length(**{**good, **change})  # type: ignore[arg-type]
