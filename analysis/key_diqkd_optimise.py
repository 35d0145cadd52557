"""Device-independent keys: the parameters of the theorem that make the key longest."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ebit.analysis.geat import smoothing_bits
from ebit.analysis.key_asymptotic import chsh_rate, highest
from ebit.analysis.key_diqkd import (
    CONSUMED,
    LEAST_EPSILON,
    DiqkdLength,
    DiqkdParameters,
    accumulated_length,
    checked_diqkd,
    diqkd_leak,
    tolerated_win_rate,
)

__all__ = ["best_parameters", "diqkd_length", "diqkd_rounds_needed"]

_MOST = 10**13
_NONE = 1e18  # lost bits that stand for "not allowed"


def diqkd_length(
    rounds: int,
    *,
    S: float,
    qber: float,
    epsilon: float = 1e-10,
    test_fraction: float | None = None,
    sigmas: float = 3.0,
    leak: float | None = None,
) -> DiqkdLength:
    """Return the length of a device-independent key, with everything free chosen for it.

    Args:
        rounds: n, key and test together.
        S: expected CHSH value. qber: expected error rate of the rounds that make the key.
        epsilon: soundness error.
        test_fraction: gamma; the best one if None.
        sigmas: standard deviations of the lost tests that are tolerated.
        leak: bits of the syndrome; `ebit.analysis.key_diqkd.diqkd_leak` if None.

    Raises:
        ArgumentError: an argument out of range.

    Example:
        >>> found = diqkd_length(1_500_000, S=2.64, qber=0.018, test_fraction=13 / 256)
        >>> abs(found.length - 95_884) <= 5, found.length - found.net_length
        (True, 256)

    Source:
        Nadlinger et al., Nature 607, 682 (2022): 95,884 bits, of which 256 replace what was used.
    """
    n, S, qber = checked_diqkd(rounds, S, qber, test_fraction, epsilon)
    if test_fraction is None:

        def bits(x: float) -> float:
            share = math.exp(x)
            threshold = tolerated_win_rate(n, share, S, sigmas=sigmas)
            told = diqkd_leak(n, share, S, qber) if leak is None else leak
            return _best(n, share, threshold, told, epsilon, coarse=True)[1]

        test_fraction = math.exp(highest(bits, math.log(1e-4), math.log(0.6), 22))
    threshold = tolerated_win_rate(n, test_fraction, S, sigmas=sigmas)
    told = math.ceil(diqkd_leak(n, test_fraction, S, qber) if leak is None else leak)
    parameters, best = _best(n, test_fraction, threshold, told, epsilon)
    length = math.floor(max(0.0, best))
    net = length - CONSUMED
    return DiqkdLength(
        rounds=n,
        test_fraction=test_fraction,
        S=S,
        qber=qber,
        tolerated_win_rate=threshold,
        tolerated_losses=math.floor(n * test_fraction * (1 - threshold)),
        leak=told,
        length=length if net > 0 else 0,
        net_length=max(0, net),
        bits=best,
        epsilon=epsilon,
        parameters=parameters,
    )


def best_parameters(
    n: int, test_fraction: float, threshold: float, leak: float, epsilon: float
) -> DiqkdParameters:
    """Return the parameters that make `accumulated_length` highest, by a simplex search.

    Args:
        n, test_fraction, threshold, leak: as in `ebit.analysis.key_diqkd.accumulated_length`.
        epsilon: soundness error: twice the smoothing, the hash and 2^-59 add up to it.
    """
    return _best(n, test_fraction, threshold, leak, epsilon)[0]


def _parameters(n: int, epsilon: float, x: Sequence[float]) -> DiqkdParameters:
    """x: the tangent's win rate, ln(alpha' - 1), and logits of the shares of epsilon."""
    share = 1 / (1 + math.exp(-x[2]))
    key, test = math.exp(min(x[3], 50.0)), math.exp(min(x[4], 50.0))
    smooth = (epsilon - LEAST_EPSILON) * share / 2
    smooth_test = smooth * test / (1 + key + test) / 2
    accept = -math.log2(epsilon)
    # alpha'' has a closed form: n x log2(5)^2 + (theta + accept) / x is least there.
    order_test = math.sqrt((smoothing_bits(smooth_test) + accept) / n) / math.log2(5)
    return DiqkdParameters(
        tangent=x[0],
        order=math.exp(min(x[1], 0.0)),
        order_test=min(order_test, 0.999),
        smooth=smooth,
        smooth_key=smooth * key / (1 + key + test),
        smooth_test=smooth_test,
        accept=epsilon,
        hash=(epsilon - LEAST_EPSILON) * (1 - share),
    )


def _best(
    n: int,
    test_fraction: float,
    threshold: float,
    leak: float,
    epsilon: float,
    *,
    coarse: bool = False,
) -> tuple[DiqkdParameters, float]:
    from scipy.optimize import minimize

    def loss(x: Sequence[float]) -> float:
        if not 0.7501 <= x[0] <= 0.8535:
            return _NONE * (1 + abs(x[0] - 0.8))
        bits = accumulated_length(n, test_fraction, threshold, leak, _parameters(n, epsilon, x))
        return min(_NONE, -bits)

    # A tangent a little above the threshold, the order where n x V and 150 / x balance.
    start = [min(0.853, max(0.751, threshold)), 0.5 * math.log(2.0 / n), 4.0, 3.0, 1.0]
    steps = (0.004, 0.5, 1.0, 1.0, 1.0)
    best = start
    for tolerance in (1.0,) if coarse else (0.05, 0.005):
        simplex = [best] + [
            [v + (s if i == j else 0.0) for i, v in enumerate(best)] for j, s in enumerate(steps)
        ]
        found = minimize(
            loss,
            best,
            method="Nelder-Mead",
            options={
                "initial_simplex": simplex,
                "fatol": tolerance,
                "xatol": 1e9,
                "maxfev": 300 if coarse else 900,
            },
        )
        best = [float(v) for v in found.x]
    return _parameters(n, epsilon, best), -loss(best)


def diqkd_rounds_needed(
    *,
    S: float,
    qber: float,
    epsilon: float = 1e-10,
    test_fraction: float | None = None,
    above: int = 1,
) -> int | None:
    """Return the rounds, within 1 %, from which on the net length is positive; None if never.

    Args:
        S, qber, epsilon, test_fraction: as in `diqkd_length`.
        above: rounds that are known to be too few.
    """
    if chsh_rate(S, qber) <= 0:
        return None

    low, high = above, max(100_000, 2 * above)

    def enough(n: int) -> bool:
        threshold = tolerated_win_rate(n, share, S)
        told = diqkd_leak(n, share, S, qber)
        return _best(n, share, threshold, told, epsilon, coarse=True)[1] >= CONSUMED + 1

    share = test_fraction if test_fraction is not None else 0.1
    while not enough(high):
        low, high = high, 4 * high
        if high > _MOST:
            return None
    for _ in range(1 if test_fraction is not None else 2):
        if test_fraction is None:  # the best share depends on the rounds, and only weakly
            share = diqkd_length(high, S=S, qber=qber, epsilon=epsilon).test_fraction
            low = max(above, high // 16)
        while high > 1.01 * low:
            middle = round(math.sqrt(low * high)) if low > 1 else high // 2
            low, high = (low, middle) if enough(middle) else (middle, high)
    return high
