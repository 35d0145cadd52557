r"""Lines above Eve's chance to guess both outputs at a given S, each with a proof in whole numbers.

A line (a, b) says p_guess(AB) <= a + b S in every quantum realisation. Its proof are two identities
(see `ebit.analysis.npa`), with S the operator A0 B0 + A0 B1 + A1 B0 - A1 B1:

    a + b S - (1 + A0)(1 + B0)/4 = sum of squares + r      for the bet 00
    a + b S - (1 + A0)(1 - B0)/4 = sum of squares + r'     for the bet 01

The bets 11 and 10 follow by turning every outcome round, which leaves S as it is; the other three
pairs of settings follow because relabelling settings and outcomes maps S to itself and takes them to
(0, 0). All coefficients are whole numbers of 1e-8, so that the squares can be multiplied out and r
found without rounding; a line is proven when its r is positive: its constant is at least the sum of
the absolute values of its other coefficients.

Each square is the square of a polynomial that is even or odd under exchange of the two parties
(for bet 01, exchange with a turned sign), so few coefficients say it all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from ebit.analysis.npa import BASIS, CHSH, MONOMIALS, OBSERVED, Word, squares

__all__ = ["BLOCKS", "UNIT", "CertifiedLine"]

# Coefficients are whole multiples of 1 / UNIT.
UNIT = 10**8

# In the order of BASIS: 1, B0, B1, A0, A0 B0, A0 B1, A1, A1 B0, A1 B1.
_ONE, _B0, _B1, _A0, _A0B0, _A0B1, _A1, _A1B0, _A1B1 = BASIS

# What a polynomial's coefficients stand for: even and odd for the bet 00, even and odd for 01.
_TERMS: tuple[tuple[dict[Word, int], ...], ...] = (
    (
        {_ONE: 1},
        {_A0: 1, _B0: 1},
        {_A1: 1, _B1: 1},
        {_A0B0: 1},
        {_A1B1: 1},
        {_A0B1: 1, _A1B0: 1},
    ),
    ({_A0: 1, _B0: -1}, {_A1: 1, _B1: -1}, {_A0B1: 1, _A1B0: -1}),
    ({_ONE: 1}, {_A0: 1, _B0: -1}, {_A1: 1, _B1: -1}),
    ({_A0: 1, _B0: 1}, {_A1: 1, _B1: 1}),
)
BLOCKS: tuple[tuple[tuple[int, ...], ...], ...] = tuple(
    tuple(tuple(term.get(word, 0) for word in BASIS) for term in block) for block in _TERMS
)

Polynomials = Sequence[Sequence[int]]


def _words(polynomials: Polynomials, block: int) -> list[list[int]]:
    """Coefficients over the nine words, from those of a block."""
    terms = BLOCKS[block]
    return [
        [sum(c * term[i] for c, term in zip(short, terms, strict=True)) for i in range(OBSERVED)]
        for short in polynomials
    ]


@dataclass(frozen=True)
class CertifiedLine:
    """A line above the guessing probability of both outputs, with its proof.

    Attributes:
        a: constant, in units of 1e-8.
        b: slope against S, in units of 1e-8; negative.
        even: polynomials for the bet 00 that are even under exchange, six coefficients each.
        odd: those that are odd, three each.
        even_01: the same for the bet 01, three each.
        odd_01: two each.
    """

    a: int
    b: int
    even: tuple[tuple[int, ...], ...]
    odd: tuple[tuple[int, ...], ...]
    even_01: tuple[tuple[int, ...], ...]
    odd_01: tuple[tuple[int, ...], ...]

    def margin(self) -> Fraction:
        """Return by how much a exceeds what the squares prove; the line holds if not negative.

        Exact: whole numbers all the way.

        Example:
            >>> CertifiedLine(10**8, 0, (), (), (), ()).margin()  # p <= 1 needs more than that
            Fraction(0, 1)
        """
        first = _words(self.even, 0) + _words(self.odd, 1)
        second = _words(self.even_01, 2) + _words(self.odd_01, 3)
        worst = min(self._excess(first, 1), self._excess(second, -1))
        return Fraction(worst, UNIT * UNIT)

    def _excess(self, polynomials: list[list[int]], sign: int) -> int:
        """The rest's constant minus its other coefficients, in units of 1e-16."""
        rest = [-value for value in squares(polynomials)]
        for i, value in enumerate(CHSH):
            rest[i] += int(value) * self.b * UNIT
        quarter = UNIT * UNIT // 4
        for word, part in ((_ONE, 1), (_A0, 1), (_B0, sign), (_A0B0, sign)):
            rest[MONOMIALS.index(word)] -= part * quarter
        rest[0] += self.a * UNIT
        return rest[0] - sum(abs(value) for value in rest[1:])
