"""How a file of raw bits is cut into blocks, and how many bits each of them gives."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from ebit.games import ArgumentError

__all__ = ["BlockPlan", "plan_blocks"]


@dataclass(frozen=True)
class BlockPlan:
    """Blocks of raw bits and what is made of them.

    Attributes:
        raw_bits: raw bits that are used.
        block_bits: raw bits of every block but the last.
        last_bits: raw bits of the last block.
        block_output: bits from every block but the last.
        last_output: bits from the last block.
        blocks: how many blocks.
        epsilon: error of each block; they add up.
        bits: bits given out, no more than all blocks give.
    """

    raw_bits: int
    block_bits: int
    last_bits: int
    block_output: int
    last_output: int
    blocks: int
    epsilon: float
    bits: int

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Raw bits and output bits per block."""
        full = [(self.block_bits, self.block_output)] * (self.blocks - 1)
        return [*full, (self.last_bits, self.last_output)]

    @property
    def seed_bits(self) -> int:
        """Bits of the one seed that all blocks share: n + m - 1 of the largest block."""
        return max(n + m - 1 for n, m in set(self.sizes))


def plan_blocks(
    raw_bits: int, rate: float | Fraction, epsilon: float, block_bits: int, bits: int | None
) -> BlockPlan:
    """Cut raw bits into blocks so that the errors of all blocks add up to at most `epsilon`.

    Args:
        raw_bits: how many there are.
        rate: min-entropy per raw bit, given all earlier blocks.
        epsilon: error of the whole output.
        block_bits: raw bits per block.
        bits: bits wanted, or None for all, in whole bytes.

    Raises:
        ArgumentError: more bits than the entropy allows, or too little of it for any.
    """
    from ebit.analysis.hash_lemma import output_length

    total = -(-raw_bits // block_bits)

    def plan(blocks: int) -> BlockPlan:
        each = epsilon / blocks
        used = min(raw_bits, blocks * block_bits)
        last = used - (blocks - 1) * block_bits
        full = output_length(float(rate * block_bits), each) if blocks > 1 else 0
        end = output_length(float(rate * last), each)
        given = (blocks - 1) * full + end
        first = block_bits if blocks > 1 else last
        return BlockPlan(used, first, last, full, end, blocks, each, given)

    whole = _best(plan, total)
    if whole is None:
        raise ArgumentError(
            f"Argument `epsilon` must be larger, or blocks longer: {min(raw_bits, block_bits)} raw bits with "
            f"{float(rate * min(raw_bits, block_bits)):.1f} bits of min-entropy give no bit at {epsilon:.3g} over "
            f"{total} block{'s' if total > 1 else ''}."
        )
    if bits is None:
        if whole.bits < 8:
            raise ArgumentError(
                f"Argument `epsilon` must be larger, or the raw bits more: {raw_bits} of them with "
                f"{float(rate * raw_bits):.1f} bits of min-entropy give {whole.bits} bits at {epsilon:.3g}, not a byte."
            )
        return _cut(whole, whole.bits // 8 * 8)
    if bits > whole.bits:
        raise ArgumentError(
            f"Argument `bits` must be at most {whole.bits}, but was {bits}: {raw_bits} raw bits with "
            f"{float(rate * raw_bits):.1f} bits of min-entropy give no more at epsilon {epsilon:.3g} in {total} "
            f"block{'s' if total > 1 else ''}."
        )
    low, high = 1, whole.blocks  # the fewest blocks that suffice: more blocks give more
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if plan(middle).bits >= bits else (middle + 1, high)
    return _cut(plan(low), bits)


def _best(plan: Callable[[int], BlockPlan], total: int) -> BlockPlan | None:
    """The plan for all blocks, or for all but a short last one that costs more than it gives."""
    found = None
    for blocks in (total - 1, total):
        with contextlib.suppress(ArgumentError):
            made = plan(blocks) if blocks else None
            if made and (found is None or made.bits >= found.bits):
                found = made
    return found


def _cut(plan: BlockPlan, bits: int) -> BlockPlan:
    """The same plan with fewer bits given out; a single block is hashed to no more than those."""
    return replace(plan, bits=bits, last_output=bits if plan.blocks == 1 else plan.last_output)
