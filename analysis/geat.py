r"""Generalised entropy accumulation: what finite n costs.

The same scores and the same event as in `ebit.analysis.eat`, with side information that may be
updated from round to round as long as past outputs are not signalled into it. With
b = (alpha - 1)/(2 - alpha) in (0, 1), that is alpha = (1 + 2b)/(1 + b) < 3/2,

.. math:: H_{min}^{\varepsilon}(A^n B^n | E_n)_{|\Omega} \ge n h - n b \frac{\ln 2}{2} V^2
    - n b^2 K' - \frac{(1 + b) G(\varepsilon) + (1 + 2b) \log_2(1/P(\Omega))}{b}

    G(\varepsilon) = -\log_2(1 - \sqrt{1 - \varepsilon^2})

where K' is EAT's K with D = 2 log2 d + Max f - Min f. In the paper's letters the last term is
(G + alpha log2(1/P)) / (alpha - 1) and K' has (2 - alpha)^3 / (3 - 2 alpha)^3 = 1/(1 - b)^3.
"""

from __future__ import annotations

import math

from ebit.analysis.eat import second_order

__all__ = ["geat_loss", "smoothing_bits"]


def smoothing_bits(epsilon: float) -> float:
    r"""Return G(epsilon) = -log2(1 - sqrt(1 - epsilon^2)), without cancellation.

    It is log2((1 + sqrt(1 - epsilon^2)) / epsilon^2), close to log2(2 / epsilon^2).

    Args:
        epsilon: purified distance, in (0, 1).

    Example:
        >>> round(smoothing_bits(2**-65), 6)
        131.0

    Source:
        Tomamichel, Quantum Information Processing with Finite Resources (2016), eq. 6.80 and
        proposition 6.5.
    """
    return math.log2(1 + math.sqrt((1 - epsilon) * (1 + epsilon))) - 2 * math.log2(epsilon)


def geat_loss(
    b: float, spread: float, variance: float, *, epsilon: float, epsilon_accept: float
) -> tuple[float, float]:
    """Return what generalised EAT subtracts from f: bits per round, and bits once.

    Args:
        b: (alpha - 1)/(2 - alpha), in (0, 1).
        spread: Max f - Min f in bits. variance: bound on Var f.
        epsilon: smoothing.
        epsilon_accept: the smallest probability to pass for which the statement is made.

    Raises:
        ArgumentError: b is not in (0, 1).

    Example:
        >>> rate, once = geat_loss(0.001, 10.0, 30.0, epsilon=2**-65, epsilon_accept=2**-65)
        >>> round(rate, 6), round(once)
        (0.039911, 196261)

    Source:
        Metger, Fawzi, Sutter, Renner, Commun. Math. Phys. 405, 261 (2024), arXiv:2203.04989,
        theorem 4.3; the second-order term follows arXiv:1805.11652.
    """
    once = ((1 + b) * smoothing_bits(epsilon) - (1 + 2 * b) * math.log2(epsilon_accept)) / b
    return second_order(b, spread, variance, 2), once
