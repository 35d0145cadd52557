"""Lengths and errors of Trevisan's extractor, against quantum side information.

One bit. A family of hashes to one bit in which two different inputs collide for at most a fraction d
of the keys turns min-entropy k into a bit whose trace distance from uniform, key and quantum side
information E included, is at most

    sqrt(2 d - 1 + 2^(1 - k)) / 2.

With rho_x the unnormalised states of E, rho_E their sum, and every operator weighted on both sides with
rho_E^(-1/4), the distance is at most half the root of 2 (sum_z tr rho_z^2 - tr rho_E^2 / 2) (Renner,
lemma 5.1.3, sigma = rho_E, so that tr rho_E^2 = 1). The mean over keys of sum_z tr rho_z^2 is at most
d + sum_x tr rho_x^2, and the last sum is the success of the pretty good measurement, at most
2^-k. For the polynomial hash d = 1/2 + (s - 1)/2^w, s words of w bits.

m bits. If the one-bit hash has error e at entropy k - r m, and the design has overlap r, the whole has
error m e at entropy k: bit i given the earlier ones and the rest of the seed is a one-bit hash of an
input about which at most r m bits more are known.

Source: R. Renner, quant-ph/0512258; De, Portmann, Vidick and Renner, arXiv:0912.5514, section 4;
Mauerer, Portmann and Scholz, arXiv:1212.0520.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ebit.analysis.binomial import check_count, check_probability
from ebit.analysis.trevisan_design import OVERLAP, design_seed_length
from ebit.games import ArgumentError

__all__ = ["TrevisanPlan", "one_bit_error", "plan_trevisan"]

Design = Literal["block", "polynomial"]
_WIDEST = 1024


@dataclass(frozen=True)
class TrevisanPlan:
    """What a Trevisan extractor takes and gives.

    Attributes:
        n: bits of the input.
        entropy_bits: min-entropy of the input that is relied on.
        bits: bits of the output, m.
        epsilon: proven error of the whole output.
        width: w, bits of a field element.
        set_size: t, positions per set of the design: a prime of at least 2 w.
        design: "block" (r = 1) or "polynomial" (r = 2 e, the shorter seed).
        seed_bits: bits of the seed.
    """

    n: int
    entropy_bits: float
    bits: int
    epsilon: float
    width: int
    set_size: int
    design: Design
    seed_bits: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"Trevisan: {self.bits} bits from {self.n} with {self.entropy_bits:.1f} bits of min-entropy, "
            f"error {self.epsilon:.3g}, seed {self.seed_bits} bits ({self.design} design, w = {self.width})"
        )


def one_bit_error(n: int, width: int, entropy_bits: float) -> float:
    """Return the error of one bit by polynomial hashing: sqrt(2 (s - 1)/2^w + 2^(1 - k)) / 2.

    Args:
        n: bits of the input. width: w, so that s = ceil(n / w).
        entropy_bits: k, min-entropy given quantum side information.

    Raises:
        ArgumentError: out of range.

    Example:
        >>> one_bit_error(1, 1, 2.0) == 0.5**1.5
        True

    Source: see the module.
    """
    n, width = check_count("n", n, low=1), check_count("width", width, low=1)
    if not entropy_bits >= 0:
        raise ArgumentError(f"Argument `entropy_bits` must be 0 or more, but was {entropy_bits!r}.")
    words = -(-n // width)
    return math.sqrt(math.ldexp(words - 1, 1 - width) + 2.0 ** (1 - entropy_bits)) / 2


def _next_prime(least: int) -> int:
    while any(least % p == 0 for p in range(2, math.isqrt(least) + 1)):
        least += 1
    return least


def plan_trevisan(
    n: int, entropy_bits: float, *, bits: int, epsilon: float, design: Design = "block"
) -> TrevisanPlan:
    """Choose the shortest seed with which Trevisan's extractor gives the bits wanted.

    Args:
        n: bits of the input.
        entropy_bits: k, its (smooth) min-entropy given quantum side information.
        bits: m, bits wanted.
        epsilon: error allowed for all of them, strictly between 0 and 1.
        design: "block" spends m bits of entropy on m bits, "polynomial" 2 e m and has a shorter seed.

    Raises:
        ArgumentError: out of range, or more bits than the entropy allows.

    Example:
        >>> plan = plan_trevisan(10**6, 5e5, bits=128, epsilon=2**-32)
        >>> plan.width, plan.set_size, plan.epsilon <= 2**-32
        (91, 191, True)
        >>> print(plan)
        Trevisan: 128 bits from 1000000 with 500000.0 bits of min-entropy, error 1.91e-10, seed 36481 bits (block design, w = 91)

    Source: see the module.
    """
    n = check_count("n", n, low=1)
    m = check_count("bits", bits, low=1, high=n)
    check_probability("epsilon", epsilon, open_ends=True)
    if design not in ("block", "polynomial"):
        raise ArgumentError(
            f"Argument `design` must be 'block' or 'polynomial', but was {design!r}."
        )
    if not 0 <= entropy_bits <= n:
        raise ArgumentError(
            f"Argument `entropy_bits` must lie between 0 and n = {n}, but was {entropy_bits!r}."
        )
    spent = (1.0 if design == "block" else OVERLAP) * m
    each = epsilon / m
    needed = spent - 1 - 2 * math.log2(each)
    left = entropy_bits - spent
    if entropy_bits <= needed:
        raise ArgumentError(
            f"Argument `entropy_bits` must be more than {needed:.1f} for {m} bits at epsilon "
            f"{epsilon:.3g} with the {design} design, but was {entropy_bits:.1f}: ask for fewer bits, or "
            "take Toeplitz hashing, which loses less."
        )
    width = 1
    while one_bit_error(n, width, left) > each:
        width += 1
        if width > _WIDEST:
            raise ArgumentError(
                f"Argument `epsilon` must be larger for {m} bits from {n}: {epsilon:.3g} needs field "
                f"elements of more than {_WIDEST} bits."
            )
    size = _next_prime(2 * width)
    return TrevisanPlan(
        n,
        float(entropy_bits),
        m,
        m * one_bit_error(n, width, left),
        width,
        size,
        design,
        design_seed_length(m, size, block=design == "block"),
    )
