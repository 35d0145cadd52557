r"""Key rates of endless runs: bits of key per bit of raw key, by the error rate and the CHSH value.

All of them are of the form r = H(A|E) - H(A|B): what Eve does not know of Alice's bit, less what Bob has
to be told of it. With noise q Alice flips each raw bit with probability q before Bob corrects his: both
terms grow, and near the threshold Eve's grows more.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ebit.games import ArgumentError

__all__ = [
    "MOST_S",
    "bb84_rate",
    "best_noise",
    "binary_entropy",
    "check_error_rate",
    "check_s",
    "chsh_rate",
    "chsh_threshold",
    "conference_rate",
    "flipped",
    "highest",
    "six_state_rate",
    "threshold",
]

MOST_S = 2 * math.sqrt(2)
# Noise "just below 1/2", where many thresholds are highest: rates there are about its square.
_NEARLY_HALF = 0.5 - 1e-3


def check_error_rate(name: str, value: float) -> float:
    """Return an error rate as float, or say that it must lie in [0, .5].

    >>> check_error_rate("qber", 0.02)
    0.02
    """
    try:
        rate = float(value)
    except (TypeError, ValueError):
        rate = math.nan
    if not 0 <= rate <= 0.5:
        raise ArgumentError(
            f"{name} must be an error rate between 0 and 0.5, but was {value!r}: above one half, "
            "flip all bits of one side"
        )
    return rate


def check_s(value: float) -> float:
    """Return a CHSH value as float, or say that it must lie in [0, 2 sqrt 2].

    >>> check_s(2.64)
    2.64
    """
    try:
        S = float(value)
    except (TypeError, ValueError):
        S = math.nan
    if not 0 <= S <= MOST_S + 1e-12:
        raise ArgumentError(
            f"S must lie between 0 and 2 sqrt 2 = {MOST_S:.6f}, but was {value!r}: more is a fault "
            "of the data"
        )
    return min(S, MOST_S)


def binary_entropy(p: float) -> float:
    r"""Return h(p) = -p log2 p - (1-p) log2(1-p), the entropy of a coin in bits.

    Args:
        p: probability, in [0, 1].

    Example:
        >>> round(binary_entropy(0.11), 6)
        0.499916
    """
    if p <= 0 or p >= 1:
        return 0.0
    return -(p * math.log(p) + (1 - p) * math.log1p(-p)) / math.log(2)


def _phi(x: float) -> float:
    """Entropy of a qubit whose Bloch vector has length x."""
    return binary_entropy((1 + min(max(x, 0.0), 1.0)) / 2)


def flipped(q: float, noise: float) -> float:
    """Return the error rate after one side has flipped bits with probability ``noise``.

    >>> round(flipped(0.1, 0.5), 12)
    0.5
    """
    return noise + (1 - 2 * noise) * q


def _blurred(c: float, noise: float) -> float:
    """Entropy of two pure states of overlap c, mixed with weights 1 - noise and noise."""
    return _phi(math.sqrt(max(0.0, 1 - 4 * noise * (1 - noise) * (1 - c * c))))


def bb84_rate(q_key: float, q_test: float | None = None, *, noise: float = 0.0) -> float:
    r"""Return the asymptotic rate of BB84, BBM92 and E91 with trusted devices, per raw bit.

    .. math:: r = 1 - h(Q_x) + h\!\left(\tfrac{1+\sqrt{1-16q(1-q)Q_x(1-Q_x)}}{2}\right) - h(q+(1-2q)Q_z)

    Args:
        q_key: error rate Q_z in the basis that makes the key, [0, .5].
        q_test: error rate Q_x in the other basis; the same if None.
        noise: q, how often Alice flips a raw bit, [0, .5].

    Returns:
        Bits per raw bit; below zero there is no key.

    Raises:
        ArgumentError: a rate out of range.

    Example:
        >>> [round(bb84_rate(q), 6) for q in (0.01, 0.03, 0.05)]
        [0.838414, 0.611216, 0.427206]

    Source:
        Shor, Preskill, PRL 85, 441 (2000); noise: Renner, Gisin, Kraus, PRA 72, 012332 (2005).
    """
    qz = check_error_rate("qber", q_key)
    qx = qz if q_test is None else check_error_rate("test_qber", q_test)
    q = check_error_rate("noise", noise)
    eve = 1 - binary_entropy(qx) + _blurred(1 - 2 * qx, q)
    return eve - binary_entropy(flipped(qz, q))


def six_state_rate(qber: float, *, noise: float = 0.0) -> float:
    r"""Return the asymptotic rate of the six-state protocol, the same error rate in X, Y and Z.

    Without noise :math:`r = 1 + (1-\tfrac{3Q}{2})\log_2(1-\tfrac{3Q}{2}) + \tfrac{3Q}{2}\log_2\tfrac Q2`.
    With it, Eve's states given Alice's bit are pure with overlap (1-2Q)/(1-Q) where Bob has no error
    and orthogonal where he has one.

    Args:
        qber: Q, [0, .5]. noise: q, how often Alice flips a raw bit.

    Example:
        >>> [round(six_state_rate(q), 6) for q in (0.01, 0.05)]
        [0.863865, 0.496816]

    Source:
        Bruss, PRL 81, 3018 (1998); Renner, Gisin, Kraus, PRA 72, 012332 (2005).
    """
    Q = check_error_rate("qber", qber)
    q = check_error_rate("noise", noise)
    weights = (max(0.0, 1 - 1.5 * Q), Q / 2, Q / 2, Q / 2)
    whole = -sum(w * math.log2(w) for w in weights if w > 0)
    given = binary_entropy(Q) + (1 - Q) * _blurred((1 - 2 * Q) / (1 - Q), q)
    given += Q * binary_entropy(q)
    return 1 + given - whole - binary_entropy(flipped(Q, q))


def _chsh_term(s: float, a: float, noise: float) -> float:
    """f(s) = 1 + phi(sqrt((1-2q)^2 + 4q(1-q)(s^2/4 - a^2))) - phi(sqrt(s^2/4 - a^2))."""
    root = min(max(s * s / 4 - a * a, 0.0), 1.0)
    both = (1 - 2 * noise) ** 2 + 4 * noise * (1 - noise) * root
    return 1 + _phi(math.sqrt(both)) - _phi(math.sqrt(root))


def _chsh_entropy(s: float, a: float, noise: float) -> float:
    """The convex hull of f, begun at the local bound, where Eve may know all but the noise."""
    a = abs(a)
    local, base = 2 * max(1.0, a), binary_entropy(noise)
    if s <= local:
        return base
    if a >= 1:
        return _chsh_term(s, a, noise)
    # The tangent from (local, base): f lies above its chord up to where it touches.
    most = 2 * math.sqrt(1 + a * a)
    low, high = local, most

    def slope(x: float) -> float:
        return (_chsh_term(x, a, noise) - base) / (x - local)

    touch = highest(lambda x: -slope(x), low, high, 44)  # where the chord is flattest
    return _chsh_term(s, a, noise) if s >= touch else base + slope(touch) * (s - local)


def chsh_rate(S: float, qber: float, *, noise: float = 0.0, asymmetry: float = 1.0) -> float:
    r"""Return the asymptotic rate of device-independent keys from a CHSH test.

    With :math:`s = \alpha(\langle A_0B_0\rangle+\langle A_0B_1\rangle)+\langle A_1B_0\rangle-\langle
    A_1B_1\rangle` and :math:`\phi(x)=h((1+x)/2)`,

    .. math:: r = \bar f(s) - h(q+(1-2q)Q), \quad
              f(s) = 1 + \phi\sqrt{(1-2q)^2+4q(1-q)(s^2/4-\alpha^2)} - \phi\sqrt{s^2/4-\alpha^2},

    f convexified from the local bound. At :math:`\alpha=1` and q = 0 that is
    :math:`1-h(Q)-h((1+\sqrt{S^2/4-1})/2)`.

    Args:
        S: CHSH value of the standard angles, [0, 2 sqrt 2]. Where alpha is not 1, Bob's angles are
            turned for it and the same visibility S/(2 sqrt 2) is taken: s = S sqrt((1+alpha^2)/2).
        qber: error rate of the rounds that make the key.
        noise: q, how often Alice flips a raw bit.
        asymmetry: alpha.

    Example:
        >>> round(chsh_rate(2.64, 0.018), 6)
        0.50706
        >>> round(chsh_rate(2.0, 0.01), 6) < 0
        True

    Source:
        Acin et al., PRL 98, 230501 (2007); Ho et al., PRL 124, 230502 (2020); Woodhead, Acin,
        Pironio, Quantum 5, 443 (2021).
    """
    value, Q = check_s(S), check_error_rate("qber", qber)
    q = check_error_rate("noise", noise)
    s = value * math.sqrt((1 + asymmetry * asymmetry) / 2)
    return _chsh_entropy(s, asymmetry, q) - binary_entropy(flipped(Q, q))


def conference_rate(q_test: float, q_pairs: tuple[float, ...] | list[float]) -> float:
    r"""Return the asymptotic rate of a conference key from GHZ states.

    .. math:: r = 1 - h(Q_x) - \max_i h(Q_{AB_i})

    Args:
        q_test: Q_x, how often the product of all X outcomes is wrong.
        q_pairs: how often the key bit of each other party differs from Alice's.

    Example:
        >>> round(conference_rate(0.02, (0.02, 0.01)), 3)
        0.717

    Source:
        Grasselli, Kampermann, Bruss, New J. Phys. 20, 113014 (2018), N-BB84.
    """
    if not len(q_pairs):
        raise ArgumentError("q_pairs must name an error rate for at least one other party")
    worst = max(check_error_rate("qber", q) for q in q_pairs)
    test = check_error_rate("test_qber", q_test)
    return 1 - binary_entropy(test) - binary_entropy(worst)


def highest(value: Callable[[float], float], low: float, high: float, steps: int = 40) -> float:
    """Return where a function with one hill is highest, by golden section.

    Args:
        value: the function. low, high: ends of the search. steps: each leaves .618 of the rest.

    >>> round(highest(lambda x: -((x - 0.3) ** 2), 0.0, 1.0), 6)
    0.3
    """
    g = 0.6180339887498949
    one, two = high - g * (high - low), low + g * (high - low)
    f1, f2 = value(one), value(two)
    for _ in range(steps):
        if f1 >= f2:
            high, two, f2 = two, one, f1
            one = high - g * (high - low)
            f1 = value(one)
        else:
            low, one, f1 = one, two, f2
            two = low + g * (high - low)
            f2 = value(two)
    return (low + high) / 2


def best_noise(rate: Callable[[float], float]) -> tuple[float, float]:
    """Return the noise that makes a rate highest, and that rate.

    Args:
        rate: key rate as a function of the noise q in [0, .5).

    Example:
        >>> q, rate = best_noise(lambda q: bb84_rate(0.115, noise=q))
        >>> rate > 0 > bb84_rate(0.115), 0.1 < q < 0.2
        (True, True)
    """
    grid = [0.5 * (i / 24) ** 2 for i in range(24)] + [0.499]
    values = [rate(q) for q in grid]
    top = max(range(len(grid)), key=values.__getitem__)
    low, high = grid[max(0, top - 1)], grid[min(len(grid) - 1, top + 1)]
    middle = highest(rate, low, high, 30)
    found = rate(middle)
    return (middle, found) if found > values[top] else (grid[top], values[top])


def threshold(rate: Callable[[float], float], *, high: float = 0.5) -> float:
    """Return the error rate at which a falling rate reaches zero, by bisection.

    Args:
        rate: key rate as a function of the error rate, positive at 0.
        high: where it is below zero.

    Example:
        >>> round(threshold(bb84_rate), 6), round(threshold(six_state_rate), 6)
        (0.110028, 0.126193)
        >>> most = threshold(lambda Q: bb84_rate(Q, noise=0.499))  # towards noise 1/2
        >>> round(most, 5)
        0.12412
    """
    low, up = 0.0, high
    for _ in range(60):
        middle = (low + up) / 2
        low, up = (middle, up) if rate(middle) > 0 else (low, middle)
    return (low + up) / 2


def chsh_threshold(*, noise: bool = False, asymmetric: bool = False) -> tuple[float, float]:
    r"""Return the highest error rate with a device-independent key, and S there.

    White noise: a pair of visibility 1 - 2Q has S = 2 sqrt 2 (1 - 2Q).

    Args:
        noise: whether Alice flips bits as often as is best (towards 1/2 at the threshold).
        asymmetric: whether the weight alpha is free.

    Example:
        >>> Q, S = chsh_threshold()
        >>> round(Q, 5), round(S, 4)
        (0.07149, 2.424)

    Source:
        Woodhead, Acin, Pironio, Quantum 5, 443 (2021), table of thresholds.
    """
    q = _NEARLY_HALF if noise else 0.0

    def best(a: float) -> float:
        return threshold(
            lambda Q: chsh_rate(MOST_S * (1 - 2 * Q), Q, noise=q, asymmetry=a), high=0.14
        )

    if not asymmetric:
        found = best(1.0)
        return found, MOST_S * (1 - 2 * found)
    found = best(highest(best, 0.5, 1.5, 28))
    return found, MOST_S * (1 - 2 * found)
