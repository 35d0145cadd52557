r"""Length of device-independent keys from finitely many rounds, by entropy accumulation.

In each of n rounds Bob learns with probability gamma that it is a test, in which the CHSH game is played,
and otherwise both take the settings of the key. Both strings of outcomes are the raw key's source; a
one-way syndrome and a hash correct Bob's; the run is aborted where more tests are lost than were
tolerated beforehand. The length is a theorem about devices with memory that nobody knows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from ebit.analysis.binomial import check_count, check_probability
from ebit.analysis.geat import smoothing_bits
from ebit.analysis.key_asymptotic import binary_entropy, check_error_rate, check_s
from ebit.games import ArgumentError

__all__ = [
    "CONSUMED",
    "LEAST_EPSILON",
    "DiqkdLength",
    "DiqkdParameters",
    "accumulated_length",
    "chsh_entropy",
    "diqkd_leak",
    "tolerated_win_rate",
]

CONSUMED = 256
"""Pre-shared bits that a run uses up to authenticate itself."""

LEAST_EPSILON = 4 * 2.0**-61
"""Soundness error of verification and authentication: what is left of epsilon is for secrecy."""

_LN2 = math.log(2)
_MIN_W, _MAX_W = (2 - math.sqrt(2)) / 4, (2 + math.sqrt(2)) / 4
_Curve = Callable[[float], float]


@dataclass(frozen=True)
class DiqkdParameters:
    """What the theorem leaves free: every choice is valid, good ones give long keys.

    Attributes:
        tangent: win rate at which the entropy curve is replaced by its tangent.
        order: alpha' - 1, of the accumulated entropy. order_test: alpha'' - 1, of Bob's test outcomes.
        smooth: smoothing of the whole string. smooth_key, smooth_test: of its two parts.
        accept: the smallest probability of not aborting for which secrecy is claimed.
        hash: error of the last hash.
    """

    tangent: float
    order: float
    order_test: float
    smooth: float
    smooth_key: float
    smooth_test: float
    accept: float
    hash: float


@dataclass(frozen=True)
class DiqkdLength:
    """The length of a device-independent key, and all it came from.

    Attributes:
        rounds: n. test_fraction: gamma.
        S, qber: expected of honest devices.
        tolerated_win_rate: the run is aborted below it.
        tolerated_losses: tests that may be lost.
        leak: bits of the syndrome.
        length: bits of key, rounded down, 0 if there is none.
        net_length: less the 256 bits that authentication uses up.
        bits: before rounding, below zero where there is no key.
        epsilon: soundness error: that the keys differ or are not secret.
        parameters: what was chosen.
    """

    rounds: int
    test_fraction: float
    S: float
    qber: float
    tolerated_win_rate: float
    tolerated_losses: int
    leak: int
    length: int
    net_length: int
    bits: float
    epsilon: float
    parameters: DiqkdParameters

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return asdict(self)


def chsh_entropy(w: float) -> float:
    r"""Return eta(w), the least entropy of Alice's outcome given everything, at win rate w.

    .. math:: \eta(w) = 1 - h\!\left(\frac{1 + \sqrt{16 w (w-1) + 3}}{2}\right), \quad
              0 \text{ for } 1/4 \le w \le 3/4

    Example:
        >>> round(chsh_entropy(0.5 + 2.64 / 8), 6), chsh_entropy(0.7)
        (0.637118, 0.0)

    Source:
        Pironio et al., New J. Phys. 11, 045021 (2009).
    """
    if 0.25 <= w <= 0.75:
        return 0.0
    return 1 - binary_entropy((1 + _root(w)) / 2)


def _root(w: float) -> float:
    return math.sqrt(min(1.0, max(0.0, 16 * w * (w - 1) + 3)))


def _slope(w: float) -> float:
    r = _root(w)
    if r <= 0:
        return 0.0
    ratio = math.log2((1 + r) / max(1e-300, 1 - r))
    return 0.5 * ratio * 8 * (2 * w - 1) / r


def tolerated_win_rate(n: int, test_fraction: float, S: float, *, sigmas: float = 3.0) -> float:
    r"""Return the win rate below which a run is aborted.

    .. math:: n\gamma(1-w_{thr}) = n\gamma(1-w) + s\sqrt{n\gamma(1-w)(1-\gamma(1-w))}, \quad w = 1/2 + S/8

    Args:
        n: rounds. test_fraction: gamma. S: expected. sigmas: s, standard deviations of the losses.

    Example:
        >>> round(tolerated_win_rate(1_500_000, 13 / 256, 2.64), 6)
        0.825538

    Source:
        Nadlinger et al., Nature 607, 682 (2022), supplement: the threshold at 3 sigma.
    """
    lost = test_fraction * (0.5 - S / 8)
    return 0.5 + S / 8 - sigmas * math.sqrt(lost * (1 - lost) / n) / test_fraction


def diqkd_leak(n: int, test_fraction: float, S: float, qber: float) -> float:
    r"""Return the bits of a one-way syndrome that corrects honest rounds.

    .. math:: m = n\left((1-\gamma) h(Q) + \gamma h\!\left(\tfrac{4-S}{8}\right)\right) + 50\sqrt n

    Example:
        >>> round(diqkd_leak(1_500_000, 13 / 256, 2.64, 0.018), 1)
        296517.3

    Source:
        Nadlinger et al., Nature 607, 682 (2022), methods.
    """
    kept = (1 - test_fraction) * binary_entropy(qber)
    return n * (kept + test_fraction * binary_entropy((4 - S) / 8)) + 50 * math.sqrt(n)


def accumulated_length(
    n: int, test_fraction: float, threshold: float, leak: float, p: DiqkdParameters
) -> float:
    r"""Return the key length of eq. 73 at given parameters, before rounding down.

    With g the tangent to `chsh_entropy`, f(1) = g(1), f(0) = g(0)/gamma + (1-1/gamma) g(1),
    :math:`\vartheta(e) = -\log_2(1-\sqrt{1-e^2})`, and y + (4/ln 2) ln y = x solved for y,

    .. math:: x = n g(w_{thr}) + n \inf_w [\eta(w) - g(w) - (\alpha'-1)V(w)] - n(\alpha'-1)^2 K - n\gamma
              - n(\alpha''-1)\log_2^2 5 - \frac{\vartheta(\epsilon_s') + \alpha'\log_2(1/\epsilon_{EA})}{\alpha'-1}
              - \frac{\vartheta(\epsilon_s'') + \alpha''\log_2(1/\epsilon_{EA})}{\alpha''-1}
              - 3\vartheta(\epsilon_s - \epsilon_s' - 2\epsilon_s'') - 5\log_2\frac1{\epsilon_{PA}} - m - 264

    The infimum is over what quantum devices reach; its argument is convex.

    Args:
        n: rounds. test_fraction: gamma. threshold: w_thr. leak: m, bits of the syndrome.
        p: what is free.

    Returns:
        Bits; minus infinity where the parameters are not allowed.

    Source:
        Nadlinger et al., Nature 607, 682 (2022), supplement, eq. 73.
    """
    rest = p.smooth - p.smooth_key - 2 * p.smooth_test
    epsilons = (rest, p.smooth_key, p.smooth_test, p.hash, p.accept)
    if min(epsilons) <= 0 or not 0 < p.order < 1 or not 0 < p.order_test < 1:
        return -math.inf
    g0 = chsh_entropy(p.tangent) - _slope(p.tangent) * p.tangent
    slope, g1 = _slope(p.tangent), g0 + _slope(p.tangent)
    jump = ((g0 - g1) / test_fraction) ** 2

    def margin(w: float) -> float:
        lost = test_fraction * (1 - w)
        v = math.log2(33) + math.sqrt(2 + lost * (1 - lost) * jump)
        return chsh_entropy(w) - (g0 + slope * w) - p.order * _LN2 / 2 * v * v

    def rise(w: float) -> float:
        lost = test_fraction * (1 - w)
        root = math.sqrt(2 + lost * (1 - lost) * jump)
        falls = test_fraction * (1 - 2 * lost) * jump / (2 * root)
        return _slope(w) - slope + p.order * _LN2 * (math.log2(33) + root) * falls

    spread = 2 + g1 - (g0 + slope * _MIN_W)
    log_k = p.order * spread * _LN2 + 3 * math.log(spread * _LN2 + _log1p_exp(2 - spread * _LN2))
    k = math.exp(min(700.0, log_k)) / (6 * (1 - p.order) ** 3 * _LN2)
    accept = -math.log2(p.accept)
    bits = n * (
        g0 + slope * threshold + _least(margin, rise, p.tangent) - p.order**2 * k - test_fraction
    )
    bits -= n * p.order_test * math.log2(5) ** 2
    bits -= (smoothing_bits(p.smooth_key) + (1 + p.order) * accept) / p.order
    bits -= (smoothing_bits(p.smooth_test) + (1 + p.order_test) * accept) / p.order_test
    bits -= 3 * smoothing_bits(rest) - 5 * math.log2(p.hash) + leak + 264
    return _shortened(bits)


def _log1p_exp(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _least(value: _Curve, rise: _Curve, tangent: float) -> float:
    """The smallest value of a convex function, whose derivative is positive at the tangent."""
    low, high = 0.75 + 1e-9, tangent
    a, b = rise(low), rise(high)
    if a >= 0 or b <= 0:  # at the kink, or at an end
        return min(value(0.75), value(low), value(high))
    for _ in range(60):  # false position, Illinois
        middle = (low * b - high * a) / (b - a)
        c = rise(middle)
        if c > 0:
            high, b, a = middle, c, a / 2
        else:
            low, a, b = middle, c, b / 2
        if high - low < 1e-10 or abs(c) < 1e-9:
            break
    # A convex function lies above its tangents: from there it falls by no more than this.
    return value(middle) - abs(c) * (high - low)


def _shortened(x: float) -> float:
    """Solve y + (4 / ln 2) ln y = x; x itself where that is below one bit."""
    b = 4 / _LN2
    if x <= 1:
        return x - 1
    y = max(1.0, x - b * math.log(x))
    for _ in range(40):
        step = (y + b * math.log(y) - x) / (1 + b / y)
        y = max(1e-9, y - step)
        if abs(step) < 1e-9:
            break
    return y


def checked_diqkd(
    n: int, S: float, qber: float, test_fraction: float | None, epsilon: float
) -> tuple[int, float, float]:
    """Return rounds, S and error rate of a device-independent key, or refuse them.

    Raises:
        ArgumentError: an argument out of range.
    """
    n = check_count("rounds", n, low=1, high=10**15)
    check_probability("epsilon", epsilon, open_ends=True)
    if epsilon <= LEAST_EPSILON:
        raise ArgumentError(
            f"epsilon must be above {LEAST_EPSILON:.3g}, what verification and authentication take, "
            f"but was {epsilon:g}"
        )
    if test_fraction is not None and not 0 < test_fraction < 1:
        raise ArgumentError(
            f"test_fraction must lie strictly between 0 and 1, but was {test_fraction!r}"
        )
    return n, check_s(S), check_error_rate("qber", qber)
