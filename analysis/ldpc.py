"""Syndromes of long keys: how many bits to tell, fixed before the run, and what the other side does.

A key of n bits is put into an announced random order, cut into equal blocks, and each block's syndrome
under one quasi-cyclic code is told. The code is made for exactly the number of bits that the plan says,
so no bit is punctured; bits that the last block lacks are zeros on both sides and cost nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy import special

from ebit.analysis.binomial import check_count, check_probability
from ebit.analysis.ldpc_code import Bits, Code, draw, make_code, syndrome_of
from ebit.analysis.ldpc_degrees import FEWEST, MOST_SHARE, expected_cost
from ebit.games import ArgumentError

__all__ = ["SyndromePlan", "cut", "key_syndrome", "plan_syndrome", "priors_of"]

Priors = float | npt.NDArray[np.floating]
LARGEST_BLOCK = 1 << 21
MOST_BITS = 1 << 28
_SEED = 5


@dataclass(frozen=True)
class SyndromePlan:
    """What will be told about a key, fixed before the run.

    Attributes:
        n: bits of the key.
        blocks: how many blocks it is cut into, all under the same code.
        columns, rows, lift, seed: the code, see `ebit.analysis.ldpc_code.make_code`.
        entropy: bits of uncertainty that the planned error rates leave per bit, the mean of h(q).
        failure: chance that was planned for that Bob cannot decode; None if the leak was given.

    `leak_bits` = blocks * rows * lift is exactly what is told.
    """

    n: int
    blocks: int
    columns: int
    rows: int
    lift: int
    seed: int
    entropy: float
    failure: float | None

    @property
    def leak_bits(self) -> int:
        """Bits of all syndromes."""
        return self.blocks * self.rows * self.lift

    @property
    def f(self) -> float:
        """Bits told for every bit of uncertainty, leak_bits / (n * entropy)."""
        return self.leak_bits / (self.n * self.entropy)

    @property
    def code(self) -> Code:
        """The code; made at the first use and kept."""
        return make_code(self.columns, self.rows, self.lift, self.seed)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "n": self.n,
            "blocks": self.blocks,
            "columns": self.columns,
            "rows": self.rows,
            "lift": self.lift,
            "seed": self.seed,
            "entropy": self.entropy,
            "failure": self.failure,
            "leak_bits": self.leak_bits,
            "f": self.f,
        }

    def __str__(self) -> str:
        chance = (
            "" if self.failure is None else f", planned to fail once in {1 / self.failure:,.0f}"
        )
        return (
            f"syndrome of {self.n:,} bits: {self.leak_bits:,} bits told, f = {self.f:.3f}{chance}\n"
            f"  {self.blocks} block{'s' * (self.blocks > 1)}, code of {self.columns} x {self.rows} "
            f"circulants of size {self.lift}"
        )


def plan_syndrome(
    n: int,
    qber: Priors,
    *,
    failure: float = 1e-3,
    leak_bits: int | None = None,
    largest_block: int = LARGEST_BLOCK,
) -> SyndromePlan:
    r"""Return how a key's syndrome is told, its length fixed before the run.

    .. math:: m = g\,b\,\bar h + 65 + z \sqrt{g^2\,b\,V + 3m/2}, \quad
        V = \overline{q(1-q)\log_2^2\frac{1-q}{q}}

    for a block of b bits: g is what the code needs per bit of uncertainty (density evolution, and a
    loss that was measured; like the constants, see `ebit.analysis.ldpc_degrees`), V the variance of the
    uncertainty that a bit's error brings, and z the normal quantile of failure / blocks.

    Args:
        n: bits of the key, at least 256.
        qber: expected error rate, or an array (n,) of every bit's: only the mean of h(q) and V count.
        failure: chance that decoding may fail at that error rate, in (0, 1/2]. An estimate, good to a
            factor of a few for failures down to 1e-3, at error rates of .5 to 11 %; below and above, codes
            need more than this says, and most blocks fail: give `leak_bits` there (1.1 n h(q) below,
            1.13 above). A higher error rate than planned makes failures likelier.
        leak_bits: bits to tell, instead of what the formula says; rounded up to what a code can have.
        largest_block: bits of a block at most; larger is better and needs more memory, 30 bytes a bit.

    Raises:
        ArgumentError: something out of range, or so many errors that the whole key would be told.

    Example:
        >>> plan = plan_syndrome(100_000, 0.02)
        >>> plan.blocks, 1.05 < plan.f < 1.15
        (1, True)

    Source:
        Amraoui, Montanari, Richardson, Urbanke, IEEE Trans. Inf. Theory 55, 473 (2009), for the square
        root; Tomamichel, Martinez-Mateo, Pacher, Elkouss, Quantum Inf. Process. 16, 280 (2017), for V.
    """
    n = check_count("n", n, low=FEWEST, high=MOST_BITS)
    check_probability("failure", failure, open_ends=True)
    largest = check_count("largest_block", largest_block, low=FEWEST, high=1 << 24)
    if failure > 0.5:
        raise ArgumentError(f"Argument `failure` must be at most 0.5, but was {failure!r}.")
    rates = _rates(n, qber)
    entropy = float(np.mean(special.entr(rates) + special.entr(1 - rates))) / math.log(2)
    spread = float(np.mean(rates * (1 - rates) * (special.logit(rates) / math.log(2)) ** 2))
    blocks = -(-n // largest)
    block = -(-n // blocks)
    planned: float | None = failure
    if leak_bits is None:
        z = -float(special.ndtri(failure / blocks))
        needed = math.ceil(expected_cost(block, entropy, spread, z))
    else:
        needed = -(-check_count("leak_bits", leak_bits, low=1) // blocks)
        planned = None
    columns, rows, lift = _sizes(block, needed)
    return SyndromePlan(n, blocks, columns, rows, lift, _SEED, entropy, planned)


def _rates(n: int, qber: Priors) -> npt.NDArray[np.float64]:
    rates = np.atleast_1d(np.asarray(qber, np.float64))
    if rates.shape not in ((1,), (n,)):
        raise ArgumentError(
            f"Argument `qber` must be a number or an array of shape ({n},), but had {rates.shape}."
        )
    if not (np.all(rates > 0) and np.all(rates < 0.5)):
        bad = rates[~((rates > 0) & (rates < 0.5))][0]
        raise ArgumentError(
            f"Argument `qber` must lie strictly between 0 and 0.5, but was {float(bad)!r}."
        )
    return rates


def _sizes(block: int, needed: int) -> tuple[int, int, int]:
    """Columns, rows and lift of a code of at least `block` bits and `needed` checks, few of both."""
    if needed > MOST_SHARE * block:
        raise ArgumentError(
            f"{needed} of {block} bits would have to be told, more than {MOST_SHARE:.0%}: the error rate "
            "is too high, or the key too short, for a syndrome to leave any key"
        )
    share = needed / block
    fewest = min(max(512, math.ceil(64 / share)), 4096, max(block // 64, 64))
    columns = np.arange(fewest, fewest + fewest // 4 + 1)
    # A prime lift: no shift comes back to itself before `lift` turns, which would make short cycles.
    lift = np.array([_prime(-(-block // int(c))) for c in columns])
    rows = np.maximum(-(-needed // lift), 3)
    best = int(np.lexsort((columns * lift, rows * lift))[0])
    return int(columns[best]), int(rows[best]), int(lift[best])


def _prime(least: int) -> int:
    """The smallest prime that is not below."""
    while any(least % d == 0 for d in range(2, math.isqrt(least) + 1)):
        least += 1
    return least


@lru_cache(maxsize=2)
def _order(n: int, seed: int) -> npt.NDArray[np.int32]:
    order = np.arange(n, dtype=np.int32)
    _shuffle(order, np.full(1, seed, np.uint64))
    order.flags.writeable = False
    return order


@njit(cache=True)
def _shuffle(order, state):  # type: ignore[no-untyped-def]
    for i in range(order.size - 1, 0, -1):
        j = draw(state) % (i + 1)
        order[i], order[j] = order[j], order[i]


def cut(plan: SyndromePlan) -> list[npt.NDArray[np.int32]]:
    """Return, for each block, the numbers of the key's bits in it, in the order of the code's bits.

    Example:
        >>> blocks = cut(plan_syndrome(1000, 0.02, largest_block=500))
        >>> [len(b) for b in blocks], len(np.unique(np.concatenate(blocks)))
        ([500, 500], 1000)
    """
    order, size = _order(plan.n, plan.seed), -(-plan.n // plan.blocks)
    return [order[k * size : (k + 1) * size] for k in range(plan.blocks)]


def padded(code: Code, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a block's values with zeros for the bits of the code that the block lacks."""
    found = np.zeros(code.bits, values.dtype)
    found[: len(values)] = values
    return found


def priors_of(plan: SyndromePlan, priors: Priors) -> npt.NDArray[np.float32]:
    """Return every bit's chance of an error, (n,), from a number or an array.

    Raises:
        ArgumentError: not strictly between 0 and 1/2, or of another length than the key.
    """
    return np.broadcast_to(_rates(plan.n, priors).astype(np.float32), (plan.n,))


def key_syndrome(bits: Bits, plan: SyndromePlan) -> Bits:
    """Return the syndromes of all blocks, uint8 (plan.leak_bits,) of 0 and 1.

    Args:
        bits: the key, uint8 (plan.n,) of 0 and 1.

    Raises:
        ArgumentError: other bits than the plan's.

    Example:
        >>> plan = plan_syndrome(1000, 0.02)
        >>> a, b = np.random.default_rng(1).integers(0, 2, (2, 1000), np.uint8)
        >>> both = key_syndrome(a, plan) ^ key_syndrome(b, plan)
        >>> bool(np.array_equal(both, key_syndrome(a ^ b, plan)))
        True
    """
    if bits.dtype != np.uint8 or bits.shape != (plan.n,) or (plan.n and bits.max() > 1):
        raise ArgumentError(
            f"Argument `bits` must be uint8 of shape ({plan.n},), each 0 or 1, but was {bits.dtype} "
            f"of shape {bits.shape} with the largest {bits.max() if bits.size else 'of none'}."
        )
    code = plan.code
    return np.concatenate([syndrome_of(code, padded(code, bits[where])) for where in cut(plan)])
