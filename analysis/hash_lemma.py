"""How many bits a hash may give: the leftover hash lemma, against quantum side information."""

from __future__ import annotations

import math

from ebit.analysis.binomial import check_count, check_probability
from ebit.games import ArgumentError

__all__ = ["entropy_needed", "hashing_error", "output_length", "seed_length"]


def _check_entropy(value: float) -> float:
    try:
        entropy = float(value)
    except (TypeError, ValueError):
        entropy = math.nan
    if not 0 <= entropy < math.inf:
        raise ArgumentError(
            f"Argument `entropy_bits` must be a min-entropy in bits, 0 or more, but was {value!r}."
        )
    return entropy


def output_length(entropy_bits: float, epsilon: float) -> int:
    """Return how many bits a two-universal hash may give at an error.

    m = floor(k + 2 - 2 log2(1/eps)), and never more than k. The output and the hash's seed together
    are then within trace distance eps (half the trace norm) of uniform bits that are independent of
    the side information, quantum or classical. With k a smooth min-entropy of smoothing error s, a
    purified distance, the whole error is eps + 2 s.

    Args:
        entropy_bits: k, the min-entropy of the raw bits given the side information, in bits.
        epsilon: eps, strictly between 0 and 1.

    Returns:
        m, at least 1.

    Raises:
        ArgumentError: eps out of range, k negative, or too little entropy for a single bit.

    Example:
        >>> output_length(1000, 2**-64)
        874

    Source:
        Tomamichel, Schaffner, Smith and Renner, IEEE Trans. Inf. Theory 57, 5524 (2011),
        arXiv:1002.2436, eq. 1; R. Renner, quant-ph/0512258, corollary 5.6.1, has the same against
        quantum side information, the trace norm bounded by sqrt(2^(m-k)). The argument of
        `ebit.analysis.trevisan_plan` with collisions at a rate of 2^-m gives it once more.
    """
    entropy = _check_entropy(entropy_bits)
    check_probability("epsilon", epsilon, open_ends=True)
    cost = -2 * math.log2(epsilon) - 2
    m = min(math.floor(entropy - cost), math.floor(entropy))
    if m < 1:
        raise ArgumentError(
            f"Argument `entropy_bits` must be at least {max(cost + 1, 1):.2f} for one bit at epsilon "
            f"{epsilon:.3g}, but was {entropy:.2f}: take more rounds, or a larger epsilon."
        )
    return m


def entropy_needed(bits: int, epsilon: float) -> float:
    """Return the min-entropy in bits that `bits` bits at an error need: the inverse of `output_length`.

    k = m - 2 + 2 log2(1/eps), and never less than m.

    Args:
        bits: m, at least 1.
        epsilon: strictly between 0 and 1.

    Raises:
        ArgumentError: out of range.

    Example:
        >>> entropy_needed(874, 2**-64)
        1000.0
    """
    m = check_count("bits", bits, low=1)
    check_probability("epsilon", epsilon, open_ends=True)
    return max(m - 2 - 2 * math.log2(epsilon), float(m))


def hashing_error(entropy_bits: float, bits: int) -> float:
    """Return the error of hashing to a number of bits: eps = 2^(-(k - m)/2) / 2, at most 1.

    Args:
        entropy_bits: k, the min-entropy of the raw bits.
        bits: m, at least 1.

    Raises:
        ArgumentError: out of range.

    Example:
        >>> hashing_error(1000, 874) == 2**-64
        True
    """
    entropy, m = _check_entropy(entropy_bits), check_count("bits", bits, low=1)
    power = -(entropy - m) / 2 - 1
    return min(1.0, 2.0**power) if power < 1 else 1.0


def seed_length(n: int, m: int) -> int:
    """Return the seed of a Toeplitz hash from n bits to m: n + m - 1 bits.

    Raises:
        ArgumentError: not 1 <= m <= n.

    Example:
        >>> seed_length(10**6, 500_000)
        1499999
    """
    n = check_count("n", n, low=1)
    m = check_count("m", m, low=1, high=n)
    return n + m - 1
