"""One side's part in Cascade, with nobody to talk to: which parities come next, and when to end.

Two passes of blocks, then checks. The first pass has about .8 / Q bits in a block, a power of two: a
block with an odd number of errors is then halved without remainder. The second has eight times as many;
errors that it finds make blocks of the first odd again, and back. What survives both is a handful of
errors that hide in pairs. They are looked for by checks: parities of random halves of the key, 20 at a
time; an odd check is halved like a block. The end is reached when 20 checks more have been even than
were used up by halving, or when every position is known exactly.
"""

from __future__ import annotations

import math
from collections.abc import Generator

import numpy as np
import numpy.typing as npt

from ebit.analysis.parity import hear_tops, step, tell_tops
from ebit.analysis.parity_layout import (
    CONFLICT,
    EXACT,
    FOUND,
    PASSES,
    SLOTS,
    check_words,
    lay_pass,
    new_store,
    seed_words,
)
from ebit.games import ArgumentError, EbitError

__all__ = ["CHECKS", "MOST_LEVEL", "ContradictionError", "ParityBook", "first_level"]

Packed = npt.NDArray[np.uint8]

CHECKS = 20
"""Even checks at the end: errors that are left pass them with probability 2^-20."""
MOST_LEVEL = 40
_WIDER = 3  # log2 of a block of the second pass over one of the first
_BLOCK_PASSES = 5
_WORD = 64  # checks that are drawn at once
_ALL = 1 << 40  # more than any key has bits

# The share of odd blocks is (1 - exp(-2 k Q)) / 2 for k bits in a block. Blocks of k Q = .57 to 1.13 were
# wanted: odd are 33.9 to 45 %. Below the first figure, in thousandths, k Q is under .57, below the second
# under .28, and so on by halves; the blocks of the second pass are then wider by so many doublings.
_SHARES = (339, 216, 123, 66, 34, 17, 9, 4, 2, 1)
_MANY = 450
_HALF = 490  # nearly one half: k Q may be anything above 2


class ContradictionError(EbitError):
    """What was answered cannot be true of any pair of keys."""

    exit_code = 1


def first_level(qber: float) -> int:
    """Return log2 of the bits in a block of the first pass: the power of two nearest to .8 / Q.

    Args:
        qber: the error rate that is expected, in [0, 1/2).

    Raises:
        ArgumentError: out of range.

    Example:
        >>> [2 ** first_level(q) for q in (0.01, 0.05, 0.1)]
        [64, 16, 8]
    """
    if not 0 <= qber < 0.5:
        raise ArgumentError(
            f"Argument `qber` must be an error rate from 0 to below 0.5, but was {qber!r}: at one half "
            "the keys have nothing in common."
        )
    return MOST_LEVEL if qber < 1e-12 else max(1, min(MOST_LEVEL, round(math.log2(0.8 / qber))))


class ParityBook:
    """What one side knows and says in the course of a reconciliation.

    Both sides run the same book over their own bits. Where their parities differ is all that it is
    told, so both books stand at the same place after every round, and neither has to say which blocks
    it means.

    Args:
        bits: 0 or 1, uint8 (n,); copied.
        level: log2 of the bits in a block of the first pass, 1 to 40.
        seed: 16 bytes, the same on both sides.
        corrects: whether this side's bits are corrected.

    Attributes:
        own: packed parities of this side, for the blocks that the last round asks about.
        passes: passes of blocks; checks that were halved are not counted.
        halved: checks that were halved.

    Raises:
        ArgumentError: bits, level or seed of another kind.

    Example:
        >>> bits = np.array([0, 1, 1, 0, 1, 0, 0, 1], np.uint8)
        >>> ours, theirs = (ParityBook(b, 2, bytes(16), corrects=True) for b in (bits, bits ^ (bits < 0)))
        >>> rounds, other = ours.rounds(), theirs.rounds()
        >>> next(rounds), next(other)  # two blocks of four
        (2, 2)
        >>> rounds.send(ours.own ^ theirs.own)  # no difference; the second pass tells nothing new
        20

    Source:
        G. Brassard and L. Salvail, EUROCRYPT 1993, LNCS 765, 410, for Cascade; T. Sugimoto and K.
        Yamazaki, IEICE Trans. E83-A, 1987 (2000), for checks of random halves after two passes; J.
        Martinez-Mateo et al., arXiv:1407.3257, for blocks that are powers of two and for parities of
        parts of blocks that are used again. Sizes, the number of checks and the rules for what follows
        from what are ours, by measurement (benchmarks/cascade.py).
    """

    def __init__(
        self, bits: npt.NDArray[np.uint8], level: int, seed: bytes, *, corrects: bool
    ) -> None:
        if len(seed) != 16:
            raise ArgumentError(f"Argument `seed` must have 16 bytes, but had {len(seed)}.")
        if not 1 <= level <= MOST_LEVEL:
            raise ArgumentError(f"Argument `level` must be 1 to {MOST_LEVEL}, but was {level!r}.")
        self._store = new_store(bits, corrects=corrects)
        self._seed, self._level, self._n = seed_words(seed), level, len(bits)
        self.own: Packed = np.zeros(len(bits) // 8 + 16, np.uint8)
        self._width = _ALL
        self.passes = 0
        self.halved = 0

    @property
    def bits(self) -> npt.NDArray[np.uint8]:
        """The bits, with every error that was found corrected if this side corrects."""
        return self._store.small[: self._n].copy()

    @property
    def errors(self) -> int:
        """Errors found."""
        return int(self._store.meta[FOUND])

    def rounds(self) -> Generator[int, Packed, None]:
        """Yield how many parities `own` holds, and take the packed differences of the two sides'.

        Ends when there is nothing left to ask.

        Raises:
            ContradictionError: the differences contradict each other.
        """
        block = 1 << self._level
        for _ in range(_BLOCK_PASSES - 1):
            odd, blocks = yield from self._pass(block)
            above = 100 * odd - 44 * blocks  # two standard deviations of odd: sqrt(blocks)
            if 1000 * odd <= _HALF * blocks or above * above <= 10_000 * blocks or block == 2:
                break
            block //= 2  # more errors than was thought
        if blocks > 1:
            doublings = sum(1000 * odd < share * blocks for share in _SHARES)
            fewer = 1000 * odd > _MANY * blocks
            yield from self._pass(block << (_WIDER + doublings - fewer))
        yield from self._checks()

    def _pass(self, block: int) -> Generator[int, Packed, tuple[int, int]]:
        s, q = self._store, self.passes
        blocks = lay_pass(s, q, block, self._seed, q, -1)
        # Every block of the passes before is even by now, so all that is open is: the last follows.
        asked = blocks - 1 if q and blocks else blocks
        differ = self.own
        if asked:
            tell_tops(s, q, asked, self.own)
            differ = yield asked
        odd = hear_tops(s, q, asked, 0, differ)
        self.passes += 1
        yield from self._halve(differ)
        return odd, blocks

    def _halve(self, differ: Packed) -> Generator[int, Packed, None]:
        s, own = self._store, self.own
        while True:
            asked = step(s, differ, own, self._width)
            if s.meta[CONFLICT]:
                raise ContradictionError(
                    "the parities contradict each other: they were changed on the way, or one side "
                    "holds other bits than it held before"
                )
            if not asked:
                return
            differ = yield asked

    def _checks(self) -> Generator[int, Packed, None]:
        s = self._store
        self._width = 0
        told, drawn, have, own = 0, 0, _WORD, 0
        while s.meta[EXACT] < self._n and told - self.halved < CHECKS:
            if have == _WORD:
                own, have = int(check_words(s, self._seed, 1000 + drawn)), 0
                s.sums[0], drawn = 0, drawn + 1
            more = min(_WORD - have, CHECKS - told + self.halved)
            self.own[: (more + 7) // 8] = _packed(own >> have, more)
            differ = yield more
            odd = np.unpackbits(differ[: (more + 7) // 8], count=more)
            s.sums[0] ^= np.uint64(sum(int(bit) << (have + t) for t, bit in enumerate(odd)))
            told, have = told + more, have + more
            while left := int(s.sums[0]) & ((1 << have) - 1):
                yield from self._halve_check((left & -left).bit_length() - 1)

    def _halve_check(self, check: int) -> Generator[int, Packed, None]:
        s = self._store
        # The oldest of these passes is forgotten when there is no room: what it told is asked again.
        q = self.passes + self.halved % (PASSES - self.passes)
        lay_pass(s, q, _ALL, self._seed, 0, check)
        hear_tops(s, q, 0, 1, self.own)
        self.halved += 1
        if not s.shape[q, SLOTS]:  # an odd number of errors, and nowhere that they may be
            s.meta[CONFLICT] = 1
        yield from self._halve(self.own)


def _packed(word: int, bits: int) -> Packed:
    """The lowest bits of a word, the lowest first."""
    return np.packbits(np.array([(word >> t) & 1 for t in range(bits)], np.uint8))
