r"""Entropy accumulation with the improved second-order term: what finite n costs.

Rounds are processed one after the other. In each, a device with memory gets settings that are
independent of the past outcomes given what the adversary holds, and answers with A_i B_i; C_i is the
score's symbol. A *min-tradeoff function* f is affine in the distribution of C_i, and its value at the
distribution of a quantum device is at most the von Neumann entropy H(A_i B_i | X_i Y_i E') of that
device's answers. For an event in which f of the observed frequencies is at least h,

.. math:: H_{min}^{\varepsilon}(A^n B^n | X^n Y^n E)_{|\Omega} > n h - n b \frac{\ln 2}{2} V^2
    - n b^2 K - \frac{1 - 2 \log_2(\varepsilon P(\Omega))}{b}

    V = \log_2(2 d^2 + 1) + \sqrt{2 + Var f}, \quad
    K = \frac{2^{bD}}{6 (1-b)^3 \ln 2} \ln^3(2^D + e^2), \quad D = \log_2 d + Max f - Min f

for 0 < b = alpha - 1 < 1. Max f is over single symbols, Min f and Var f over what quantum devices can
reach; d is the number of values of A_i B_i. The symbol depends on both outputs, so both are in the
accumulated system (d = 4) and both strings have to be hashed, even where f bounds H(A|XYE) alone.
"""

from __future__ import annotations

import math

from ebit.games import ArgumentError

__all__ = ["eat_loss", "second_order"]


def second_order(b: float, spread: float, variance: float, logs: float, d: int = 4) -> float:
    r"""Return b (ln 2 / 2) V^2 + b^2 K, bits per round, of both accumulation theorems.

    Args:
        b: alpha - 1 in EAT, (alpha - 1)/(2 - alpha) in its generalisation; in (0, 1).
        spread: Max f - Min f in bits.
        variance: bound on Var f in bits squared.
        logs: how many times log2 d enters D: 1 in EAT, 2 in its generalisation.
        d: values of one round's outputs.

    Raises:
        ArgumentError: b is not in (0, 1).

    Example:
        >>> round(second_order(0.001, 10.0, 30.0, 1), 6)
        0.039829

    Source:
        Dupuis, Fawzi, IEEE Trans. Inf. Theory 65, 7596 (2019), arXiv:1805.11652, theorem V.2.
    """
    if not 0 < b < 1:
        raise ArgumentError(f"Argument `b` must lie strictly between 0 and 1, but was {b!r}.")
    v = math.log2(2 * d * d + 1) + math.sqrt(2 + variance)
    reach = logs * math.log2(d) + spread
    log_k = (
        b * reach * math.log(2)
        + 3 * math.log(_log_shifted(reach))
        - 3 * math.log1p(-b)
        - math.log(6 * math.log(2))
    )
    return b * math.log(2) / 2 * v * v + b * b * math.exp(min(log_k, 700.0))


def _log_shifted(reach: float) -> float:
    """Ln(2^reach + e^2), for any reach."""
    x = reach * math.log(2)
    return max(x, 2.0) + math.log1p(math.exp(-abs(x - 2.0)))


def eat_loss(
    b: float, spread: float, variance: float, *, epsilon: float, epsilon_accept: float
) -> tuple[float, float]:
    """Return what EAT subtracts from f: bits per round, and bits once.

    Args:
        b: alpha - 1, in (0, 1).
        spread: Max f - Min f in bits. variance: bound on Var f.
        epsilon: smoothing.
        epsilon_accept: the smallest probability to pass for which the statement is made.

    Raises:
        ArgumentError: b is not in (0, 1).

    Example:
        >>> rate, once = eat_loss(0.001, 10.0, 30.0, epsilon=2**-65, epsilon_accept=2**-65)
        >>> round(rate, 6), once
        (0.039829, 261000.0)

    Source:
        Dupuis, Fawzi, IEEE Trans. Inf. Theory 65, 7596 (2019), arXiv:1805.11652, theorem V.2.
    """
    once = (1 - 2 * (math.log2(epsilon) + math.log2(epsilon_accept))) / b
    return second_order(b, spread, variance, 1), once
