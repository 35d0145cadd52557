"""How well an adversary can guess the outcomes of a round, given S or the whole behaviour."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ebit.analysis.entropy_round import TSIRELSON
from ebit.analysis.npa import BASIS, CHSH, OBSERVED, best_functional, bet_projectors
from ebit.games import ArgumentError

__all__ = [
    "Adversary",
    "GuessingBound",
    "behaviour_moments",
    "guessing_probability",
    "no_signalling_guessing",
]

Array = npt.NDArray[np.float64]
Adversary = Literal["quantum", "no-signalling"]

# Probabilities that miss no-signalling by more than this are frequencies, not a behaviour.
_EXACT = 1e-7

_ASSUMED = {
    "quantum": "the adversary may be entangled with the devices and knows the settings",
    "no-signalling": "the adversary may prepare the devices in any way that does not signal, "
    "quantum or not, and knows the settings",
}


@dataclass(frozen=True, eq=False)
class GuessingBound:
    """A bound on the chance to guess the outcomes of one round, and the inequality that shows it.

    Attributes:
        p_guess: the bound.
        min_entropy: -log2 of it, in bits.
        outputs: "A", "B" or "AB", what is guessed.
        setting: (x, y) at which it is guessed.
        adversary: "quantum" or "no-signalling": what limits the adversary.
        given: "S" or "behaviour": what the bound uses.
        functional: (4, 2, 2) F over questions 00, 01, 10, 11 and outcomes, such that the guessing
            probability is at most sum F p for *every* behaviour of that kind, not this one alone.
        method: how it was found.
        assumptions: what it rests on.
        not_given: what it does not say.
    """

    p_guess: float
    min_entropy: float
    outputs: str
    setting: tuple[int, int]
    adversary: Adversary
    given: str
    functional: Array
    method: str
    assumptions: tuple[str, ...]
    not_given: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"Outcomes {self.outputs} at setting {self.setting[0]}{self.setting[1]}: guessed with "
            f"probability at most {self.p_guess:.6f}, so at least {self.min_entropy:.6f} bits of "
            f"min-entropy against a {self.adversary} adversary ({self.method}; from {self.given})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data that JSON can hold."""
        return {
            "p_guess": self.p_guess,
            "min_entropy": self.min_entropy,
            "outputs": self.outputs,
            "setting": list(self.setting),
            "adversary": self.adversary,
            "given": self.given,
            "functional": self.functional.tolist(),
            "method": self.method,
            "assumptions": list(self.assumptions),
            "not_given": list(self.not_given),
        }


def behaviour_moments(behaviour: Array, *, tolerance: float = _EXACT) -> Array:
    """Return the nine observed moments of a behaviour, in the order of `ebit.analysis.npa.BASIS`.

    Args:
        behaviour: (4, 2, 2) or (2, 2, 2, 2), p(ab|xy) over x, y, a, b; outcome 0 counts as +1.
        tolerance: how far probabilities may miss their sums and no-signalling.

    Returns:
        1, <B0>, <B1>, <A0>, <A0 B0>, <A0 B1>, <A1>, <A1 B0>, <A1 B1>.

    Raises:
        ArgumentError: another shape, not probabilities, or signalling.

    Example:
        >>> always = np.zeros((4, 2, 2)); always[:, 0, 1] = 1  # a = 0, b = 1
        >>> behaviour_moments(always).tolist()
        [1.0, -1.0, -1.0, 1.0, -1.0, -1.0, 1.0, -1.0, -1.0]
    """
    given = np.asarray(behaviour, dtype=np.float64)
    if given.shape not in ((4, 2, 2), (2, 2, 2, 2)):
        raise ArgumentError(
            f"Argument `behaviour` must have shape (4, 2, 2) or (2, 2, 2, 2), but has {given.shape}."
        )
    p = given.reshape(2, 2, 2, 2)
    sums = p.sum(axis=(2, 3))
    if not (np.all(p >= -tolerance) and np.all(np.abs(sums - 1) <= tolerance)):
        raise ArgumentError(
            "Argument `behaviour` must hold probabilities p(ab|xy) that sum to 1 per question, but "
            f"its smallest entry was {p.min():.3g} and its sums {np.round(sums.ravel(), 6).tolist()}."
        )
    sign = np.array([1.0, -1.0])
    alice = p.sum(axis=3) @ sign  # (x, y)
    bob = np.einsum("xyab,b->xy", p, sign)
    signalling = max(float(np.max(np.ptp(alice, axis=1))), float(np.max(np.ptp(bob, axis=0)))) / 2
    if not signalling <= tolerance:
        raise ArgumentError(
            "Argument `behaviour` must not signal, but a marginal probability moves by "
            f"{signalling:.3g} with the other party's setting (allowed: {tolerance:g}): frequencies "
            "have to be fitted by a behaviour first, or give S instead."
        )
    both = np.einsum("xyab,a,b->xy", p, sign, sign)
    a, b = alice.mean(axis=1), bob.mean(axis=0)
    return np.array([1.0, b[0], b[1], a[0], both[0, 0], both[0, 1], a[1], both[1, 0], both[1, 1]])


def _moments(given: float | Array, most: float) -> tuple[Array, Array | None, str]:
    """Moments, what a bound may be made of (None: all), and the name of what was given."""
    if np.ndim(given) > 0:
        return behaviour_moments(np.asarray(given, dtype=np.float64)), None, "behaviour"
    s = abs(float(given))
    if not s <= most + 1e-9:
        raise ArgumentError(
            f"Argument `given` must be a value of S of at most {most:.6f} in size, but was {given!r}: "
            "a fault of the data, or chance; use a lower confidence limit of S."
        )
    constant = np.eye(OBSERVED)[0]
    return constant + CHSH * s / 4, np.vstack([constant, CHSH]), "S"


def _bound(
    coefficients: Array,
    moments: Array,
    outputs: str,
    setting: tuple[int, int],
    adversary: Adversary,
    given: str,
    negative: bool,
    method: str,
) -> GuessingBound:
    if negative:
        # |S| was used: with Bob's outcomes turned round, every word with a B changes sign.
        coefficients = coefficients * np.array([1.0 if not bob else -1.0 for _, bob in BASIS])
        moments = moments * np.array([1.0 if not bob else -1.0 for _, bob in BASIS])
    functional = np.zeros((2, 2, 2, 2))
    sign = np.array([1.0, -1.0])
    for (alice, bob), value in zip(BASIS, coefficients, strict=True):
        x = [alice[0]] if alice else [0, 1]
        y = [bob[0]] if bob else [0, 1]
        word = np.outer(sign if alice else np.ones(2), sign if bob else np.ones(2))
        for i, j in product(x, y):
            functional[i, j] += value * word / (len(x) * len(y))
    p = min(1.0, float(coefficients @ moments))
    return GuessingBound(
        p_guess=p,
        min_entropy=0.0 - math.log2(p),
        outputs=outputs,
        setting=(int(setting[0]), int(setting[1])),
        adversary=adversary,
        given=given,
        functional=functional.reshape(4, 2, 2),
        method=method,
        assumptions=(
            _ASSUMED[adversary],
            f"the round is described by this {given} exactly",
            "the parties' devices do not communicate within a round",
        ),
        not_given=(
            "a certificate for measured data: estimates have errors",
            "the entropy of n rounds",
        ),
    )


def guessing_probability(
    given: float | Array,
    *,
    outputs: Literal["A", "B", "AB"] = "AB",
    setting: tuple[int, int] = (0, 0),
) -> GuessingBound:
    r"""Bound the chance to guess outcomes, for an adversary with quantum side information.

    .. math:: p_{guess} = \max \sum_e p_e(e|xy), \quad \sum_e p_e = p

    over quantum behaviours p_e of any dimension, relaxed to level 1+AB of the NPA hierarchy. The
    dual program is solved, and its solution repaired so that the bound holds up to float rounding
    whatever the solver did (see `ebit.analysis.npa`). The whole behaviour never gives less entropy
    than its S, and often more.

    Args:
        given: S, or the behaviour p(ab|xy) as (4, 2, 2) or (2, 2, 2, 2) over x, y, a, b.
        outputs: what is guessed.
        setting: (x, y) at which it is guessed; for one output only that party's matters.

    Raises:
        ArgumentError: S or behaviour beyond quantum mechanics, or signalling.
        MissingExtraError: cvxpy is not installed.

    Example:
        >>> bound = guessing_probability(2.6)
        >>> round(bound.min_entropy, 5), bound.adversary
        (0.44561, 'quantum')

    Source:
        Nieto-Silleras, Pironio, Silman, New J. Phys. 16, 013035 (2014); Bancal, Sheridan, Scarani,
        New J. Phys. 16, 033011 (2014).
    """
    bets = bet_projectors(outputs, setting)
    moments, span, name = _moments(given, TSIRELSON)
    found = best_functional(moments, bets, given=span)
    negative = name == "S" and float(given) < 0
    return _bound(
        found.coefficients,
        moments,
        outputs,
        setting,
        "quantum",
        name,
        negative,
        "semidefinite program at level 1+AB, repaired",
    )


def _vertices() -> Array:
    """(24, 9): moments of the 16 deterministic behaviours and the 8 boxes that win always."""
    found = []
    for a0, a1, b0, b1 in product((1, -1), repeat=4):
        found.append([1, b0, b1, a0, a0 * b0, a0 * b1, a1, a1 * b0, a1 * b1])
    for e00, e01, e10 in product((1, -1), repeat=3):
        found.append([1, 0, 0, 0, e00, e01, 0, e10, -e00 * e01 * e10])
    return np.array(found, dtype=np.float64)


def no_signalling_guessing(
    given: float | Array,
    *,
    outputs: Literal["A", "B", "AB"] = "AB",
    setting: tuple[int, int] = (0, 0),
    most: float = TSIRELSON,
) -> GuessingBound:
    r"""Bound the chance to guess outcomes, for an adversary bound by no-signalling alone.

    The adversary's best preparation is a mixture of the 24 extreme behaviours, v with weight w_v,
    and she bets on the likeliest outcome of each:

    .. math:: p_{guess} = \max \sum_v w_v \max_e v(e|xy), \quad \sum_v w_v v = p

    a linear program. Its dual is solved and then checked at each of the 24.

    Args:
        given: S, or the behaviour p(ab|xy) as (4, 2, 2) or (2, 2, 2, 2) over x, y, a, b.
        outputs: what is guessed.
        setting: (x, y) at which it is guessed; for one output only that party's matters.
        most: the largest S that is not called a fault, where S is given: 2 sqrt 2 for devices, 4
            for boxes that need not obey quantum mechanics.

    Raises:
        ArgumentError: S or behaviour out of range, or signalling.

    Example:
        >>> bound = no_signalling_guessing(2.6, outputs="A")
        >>> round(bound.p_guess, 9), bound.adversary  # 3/2 - S/4
        (0.85, 'no-signalling')

    Source:
        The extreme behaviours: Barrett et al., PRA 71, 022101 (2005), section III.
    """
    from scipy import optimize

    bets = bet_projectors(outputs, setting)
    moments, span, name = _moments(given, most)
    rows = np.eye(OBSERVED) if span is None else span
    vertices = _vertices()
    needed = (vertices @ bets.T).max(axis=1)
    solved = optimize.linprog(
        rows @ moments, A_ub=-vertices @ rows.T, b_ub=-needed, bounds=(None, None), method="highs"
    )
    if solved.status != 0:
        raise ArgumentError(
            f"Argument `given` must be a behaviour that does not signal (solver: {solved.message})."
        )
    coefficients = rows.T @ np.asarray(solved.x, dtype=np.float64)
    coefficients[0] += max(0.0, float((needed - vertices @ coefficients).max())) + 1e-14
    negative = name == "S" and float(given) < 0
    return _bound(
        coefficients,
        moments,
        outputs,
        setting,
        "no-signalling",
        name,
        negative,
        "linear program over the 24 extreme behaviours, checked at each",
    )
