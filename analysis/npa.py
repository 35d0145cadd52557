r"""Polynomials in two parties' observables, and what sums of squares prove about them.

Two parties, two settings, two outcomes: observables A_x and B_y with A_x^2 = B_y^2 = 1 and
A_x B_y = B_y A_x, nothing else known (neither the state nor the dimension). An operator that is a sum
of squares q_k^* q_k of polynomials is positive in every quantum realisation. With the q_k spanned by
1, A_x, B_y and A_x B_y ("level 1+AB") there are 17 moments: the real parts of the products of two of
the nine words.

**A bound with its proof.** Let P_e be the projector on the outcomes that Eve bets on. If

.. math:: c - P_e = \sum_k q_{ek}^* q_{ek} + r_e \qquad \text{for every bet } e

with c a combination of 1, A_x, B_y, A_x B_y, then Eve's chance to guess is at most <c> plus the
largest ``|r_e|``, whatever she holds: her bet e leaves the devices in some state, and the sum over bets
of her chances is sum_e <P_e>_e <= sum_e <c>_e = <c>. Each word has norm at most 1, so ``|r_e|`` is at
most the sum of the absolute values of its coefficients. A solver proposes c and the squares;
rounding leaves a rest r, which is added. What comes out is therefore a bound however badly the
solver did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from ebit.games import ArgumentError, MissingExtraError

__all__ = [
    "BASIS",
    "CHSH",
    "MONOMIALS",
    "OBSERVED",
    "Functional",
    "Word",
    "best_functional",
    "bet_projectors",
    "monomial",
    "squares",
]

Array = npt.NDArray[np.float64]
Word = tuple[tuple[int, ...], tuple[int, ...]]

_LETTERS: tuple[tuple[int, ...], ...] = ((), (0,), (1,))

# The nine words of level 1+AB: 1, B0, B1, A0, A0 B0, A0 B1, A1, A1 B0, A1 B1.
BASIS: tuple[Word, ...] = tuple(product(_LETTERS, _LETTERS))


def _reduced(letters: tuple[int, ...]) -> tuple[int, ...]:
    """Cancel equal neighbours, which are squares of observables."""
    left: list[int] = []
    for letter in letters:
        if left and left[-1] == letter:
            left.pop()
        else:
            left.append(letter)
    return tuple(left)


def monomial(left: Word, right: Word) -> Word:
    """Return the word of left^* right; a word and its adjoint have the same real part and name.

    Args:
        left: letters of Alice and of Bob, such as ((0,), ()) for A0.
        right: the same.

    Example:
        >>> monomial(((0,), ()), ((0,), (1,)))  # A0 A0 B1 = B1
        ((), (1,))
        >>> monomial(((1,), ()), ((0,), ())) == monomial(((0,), ()), ((1,), ()))
        True
    """
    a = _reduced(left[0][::-1] + right[0])
    b = _reduced(left[1][::-1] + right[1])
    return min((a, b), (a[::-1], b[::-1]))


# First the nine that experiments show, in the order of BASIS; then the eight that they do not.
_HIDDEN = {monomial(left, right) for left in BASIS for right in BASIS} - set(BASIS)
MONOMIALS: tuple[Word, ...] = BASIS + tuple(sorted(_HIDDEN))
OBSERVED = len(BASIS)
_INDEX = np.array([[MONOMIALS.index(monomial(u, v)) for v in BASIS] for u in BASIS])
# Rows: monomials. Columns: entries of a 9 x 9 matrix, row by row.
_SUMS = (_INDEX.reshape(-1) == np.arange(len(MONOMIALS))[:, None]).astype(np.float64)

CHSH: Array = np.zeros(OBSERVED)
for _x, _y in product((0, 1), (0, 1)):
    CHSH[BASIS.index(((_x,), (_y,)))] = -1.0 if _x and _y else 1.0


def squares(vectors: Sequence[Sequence[int]]) -> list[int]:
    """Return the coefficients of sum_k q_k^* q_k, exactly, for polynomials with whole coefficients.

    Args:
        vectors: per polynomial q_k its nine coefficients, in the order of `BASIS`.

    Returns:
        The 17 coefficients, in the order of `MONOMIALS`.

    Example:
        >>> squares([[1, 0, 0, -1, 0, 0, 0, 0, 0]])[:4]  # (1 - A0)^2 = 2 - 2 A0
        [2, 0, 0, -2]
    """
    total = [0] * len(MONOMIALS)
    for vector in vectors:
        for i, left in enumerate(vector):
            if left:
                for j, right in enumerate(vector):
                    total[int(_INDEX[i, j])] += left * right
    return total


def bet_projectors(outputs: str, setting: tuple[int, int]) -> Array:
    """Return, per bet, the projector on the outcomes that it names, over the nine words of `BASIS`.

    Args:
        outputs: "A", "B" or "AB": what Eve guesses.
        setting: (x, y) at which she guesses it.

    Returns:
        (E, 9): E = 2 bets for one output, outcome 0 first, 4 for both: 00, 01, 10, 11.

    Raises:
        ArgumentError: other outputs or settings.

    Example:
        >>> bet_projectors("A", (0, 0))[1, [0, 3]].tolist()  # (1 - A0) / 2
        [0.5, -0.5]
    """
    if outputs not in ("A", "B", "AB"):
        raise ArgumentError(f"Argument `outputs` must be 'A', 'B' or 'AB', but was {outputs!r}.")
    if tuple(setting) not in set(product((0, 1), (0, 1))):
        raise ArgumentError(f"Argument `setting` must be two bits (x, y), but was {setting!r}.")
    x, y = ((int(s),) for s in setting)
    signs = {"A": (1, -1), "B": (1, -1), "AB": tuple(product((1, -1), (1, -1)))}[outputs]
    bets = np.zeros((len(signs), OBSERVED))
    for bet, sign in zip(bets, signs, strict=True):
        if isinstance(sign, tuple):
            s, t = sign
            words = {((), ()): 1, (x, ()): s, ((), y): t, (x, y): s * t}
        else:
            words = {((), ()): 1, (x, ()) if outputs == "A" else ((), y): sign}
        for word, value in words.items():
            bet[BASIS.index(word)] = value / len(words)
    return bets


@dataclass(frozen=True, eq=False)
class Functional:
    """A combination c of what is observed, with <c> at least Eve's chance to guess.

    Attributes:
        coefficients: (9,) over `BASIS`; repaired, so that it is a bound in every quantum state.
        repair: what was added to the solver's own constant.
        matrices: (E, 9, 9), per bet the matrix of the sum of squares, positive semidefinite.
    """

    coefficients: Array
    repair: float
    matrices: Array

    def value(self, moments: Array) -> float:
        """Return <c> for the nine observed moments."""
        return float(self.coefficients @ moments)


def best_functional(
    moments: Array, bets: Array, *, given: Array | None = None, slope: float | None = None
) -> Functional:
    """Return the best bound on Eve's chance to guess that level 1+AB proves.

    Args:
        moments: (9,) observed moments, over `BASIS`; only those that c may use matter.
        bets: (E, 9) projectors, see `bet_projectors`.
        given: (K, 9), what c may be made of: the bound then rests on these K numbers alone. None
            is all nine.
        slope: with two rows in `given`, the coefficient of the second; None leaves it free.

    Raises:
        ArgumentError: no quantum state has such moments.
        MissingExtraError: cvxpy is not installed.

    Example:
        >>> moments = np.array([1, 0, 0, 0, 0.65, 0.65, 0, 0.65, -0.65])  # S = 2.6
        >>> of_s = np.vstack([np.eye(9)[0], CHSH])  # a bound in S alone
        >>> found = best_functional(moments, bet_projectors("A", (0, 0)), given=of_s)
        >>> round(found.value(moments), 5)  # 1/2 + sqrt(2 - 2.6^2/4)/2
        0.77839

    Source:
        The hierarchy: Navascues, Pironio, Acin, New J. Phys. 10, 073013 (2008). Guessing
        probabilities from all of the statistics: Nieto-Silleras, Pironio, Silman, New J. Phys. 16,
        013035 (2014); solved here is the dual.
    """
    try:
        cp: Any = import_module("cvxpy")
    except ImportError:
        raise MissingExtraError("a bound by semidefinite programming", "sdp") from None
    span = np.eye(OBSERVED) if given is None else np.asarray(given, np.float64)
    weights = cp.Variable(len(span))
    squared = [cp.Variable((OBSERVED, OBSERVED), PSD=True) for _ in bets]
    shown = span.T @ weights
    constraints = [] if slope is None else [weights[1] == slope]
    for matrix, bet in zip(squared, bets, strict=True):
        sums = _SUMS @ cp.vec(matrix, order="C")
        constraints += [sums[:OBSERVED] == shown - bet, sums[OBSERVED:] == 0]
    problem = cp.Problem(cp.Minimize((span @ moments) @ weights), constraints)
    _solve(problem, cp)
    proposed = span.T @ np.asarray(weights.value, np.float64)
    return _repaired(proposed, np.array([m.value for m in squared]), bets)


def _solve(problem: Any, cp: Any) -> None:
    import warnings

    close = {"tol_gap_abs": 1e-11, "tol_gap_rel": 1e-11, "tol_feas": 1e-11}
    with warnings.catch_warnings():
        # The solver stops short of tolerances this fine; the repair pays for what is missing.
        warnings.simplefilter("ignore")
        try:
            problem.solve(solver=cp.CLARABEL, **close)
        except cp.error.SolverError:
            problem.solve(solver=cp.CLARABEL)
    if problem.status not in ("optimal", "optimal_inaccurate"):
        raise ArgumentError(
            "The behaviour must be one that quantum mechanics allows, but no state has it at level "
            f"1+AB (solver: {problem.status}): a fault of the data, or frequencies used as "
            "probabilities."
        )


def _repaired(proposed: Array, matrices: Array, bets: Array) -> Functional:
    """Clip to positive matrices and add the rest, so that the bound holds by itself."""
    values, vectors = np.linalg.eigh((matrices + matrices.transpose(0, 2, 1)) / 2)
    clipped = (vectors * np.maximum(values, 0)[:, None, :]) @ vectors.transpose(0, 2, 1)
    rest = -clipped.reshape(len(bets), -1) @ _SUMS.T
    rest[:, :OBSERVED] += proposed - bets
    missing = np.abs(rest[:, 1:]).sum(axis=1) - rest[:, 0]
    # Float arithmetic over some 10^3 terms: 1e-13 of the largest covers its own rounding.
    repair = float(missing.max()) + 1e-13 * float(1 + np.abs(clipped).max())
    coefficients = proposed.copy()
    coefficients[0] += repair
    return Functional(coefficients, repair, clipped)
