"""The fringe: a correlator over the angle of one side, its visibility, and what that is worth."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, hypot, pi, sin, sqrt
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import special

from ebit.analysis.binomial import check_level
from ebit.analysis.fringe_result import FringePoint, FringeScore
from ebit.analysis.intervals import Interval, correlator_interval, sum_interval
from ebit.games import ArgumentError, Trials

if TYPE_CHECKING:
    from ebit.analysis.results import RunInfo

__all__ = ["FringePoint", "FringeScore", "score_fringe"]

Array = npt.NDArray[np.float64]

_NORMAL = "weighted least squares, normal approximation"
_NOT_GIVEN = (
    "a Bell violation, or entanglement: with one angle of Alice, product states give a full "
    "fringe too",
    "the visibility in another basis of Alice: sweep again with another --alice",
)


def score_fringe(
    trials: Trials,
    angles: Sequence[float],
    *,
    alice: float = 0.0,
    ideal: Sequence[float] | None = None,
    state: str = "phi+",
    level: float = 0.95,
    separation: str = "unknown",
    randomness: str = "unknown",
    assumptions: Sequence[str] = (),
    not_given: Sequence[str] = (),
    run: RunInfo | None = None,
) -> FringeScore:
    r"""Score an angle sweep: the correlator at each angle, and the visibility of the fringe.

    For any state and any fixed observable A of Alice's, Bob's cos(b) Z + sin(b) X gives

    .. math:: E(b) = \langle A Z \rangle \cos b + \langle A X \rangle \sin b = v \cos(b - b_0)

    fitted by least squares with weights n_j / (1 - E(b_j)^2) of binomial counts, iterated; the
    interval of v is a normal approximation. Beside it, for the phase b0 of the ideal curve, the
    unweighted fit of v cos(b0 - ideal) is a fixed sum of correlators: its interval is
    conservative and its lower limit one for v.

    Args:
        trials: rounds with one setting of Alice and one setting of Bob per angle.
        angles: Bob's angles in radians, in the order of his settings; three different ones or
            more.
        alice: Alice's angle in radians, for the record.
        ideal: the ideal correlators; cos(alice - b) if left out.
        state: the state's name, for the record.
        level: level of the intervals.
        separation, randomness, assumptions, not_given, run: as in `ebit.analysis.states.score_state`.

    Raises:
        ArgumentError: angles that do not fit the rounds, or do not fix a fringe.

    Example:
        >>> counts = np.zeros((1, 4, 2, 2), dtype=int)
        >>> for j, equal in enumerate([950, 500, 50, 500]):
        ...     counts[0, j] = [[equal // 2, 500 - equal // 2]] * 2
        ...     counts[0, j, 1] = counts[0, j, 1, ::-1]
        >>> found = score_fringe(Trials.from_counts(counts), [0, pi / 2, pi, 3 * pi / 2])
        >>> round(found.visibility, 6), round(found.projected, 6)
        (0.9, 0.9)

    Source:
        The form of E(b): linearity in Bob's observable. Intervals: `ebit.analysis.intervals`.
    """
    bob = np.asarray(angles, dtype=np.float64)
    check_level(level)
    equal, shots = _counts(trials, bob)
    design = np.stack([np.cos(bob), np.sin(bob)], axis=1)
    if np.linalg.matrix_rank(design, tol=1e-9) < 2:
        raise ArgumentError("angles must hold two or more that do not differ by 180 degrees")
    curve = np.cos(bob - alice) if ideal is None else np.asarray(ideal, dtype=np.float64)
    if curve.shape != bob.shape:
        raise ArgumentError(f"ideal must have one value per angle ({len(bob)}): {curve.shape}")
    values = 2 * equal / shots - 1
    fit, covariance, variance = _fit(design, values, shots)
    v = hypot(fit[0], fit[1])
    phase = float(np.arctan2(fit[1], fit[0]))
    gradient = fit / v if v else np.array([1.0, 0.0])
    spread = sqrt(float(gradient @ covariance @ gradient))
    reach = float(special.ndtri((1 + level) / 2)) * spread
    interval = Interval(max(v - reach, 0.0), min(v + reach, 1.0), level, _NORMAL)
    chi = float((((values - design @ fit) ** 2) / variance).sum())
    dof = len(bob) - 2
    inverse = np.linalg.pinv(design)
    best = inverse @ curve
    best_v = hypot(best[0], best[1])
    shift = projected = conservative = None
    if best_v > 1e-9:
        ideal_phase = float(np.arctan2(best[1], best[0]))
        shift = (phase - ideal_phase + pi) % (2 * pi) - pi
        weights = np.array([cos(ideal_phase), sin(ideal_phase)]) @ inverse
        # A share of 1e-12 is rounding, and no reason to widen the interval.
        weights = np.where(np.abs(weights) > 1e-12, weights, 0.0)
        projected = float(weights @ values)
        found = sum_interval(equal, shots, 2 * weights, level).affine(1, -float(weights.sum()))
        conservative = Interval(
            max(found.low, -1.0), min(found.high, 1.0), found.level, found.method
        )
    return FringeScore(
        state=state,
        alice=float(alice),
        points=tuple(
            FringePoint(
                float(b), float(e), correlator_interval(int(k), int(n), level), int(n), float(c)
            )
            for b, e, k, n, c in zip(bob, values, equal, shots, curve, strict=True)
        ),
        visibility=v,
        visibility_interval=interval,
        phase=phase,
        phase_shift=shift,
        ideal_visibility=best_v,
        projected=projected,
        projected_interval=conservative,
        chi_square=chi,
        dof=dof,
        fit_p=float(special.gammaincc(dof / 2, chi / 2)) if dof > 0 else None,
        n=trials.n,
        separation=separation,
        randomness=randomness,
        assumptions=(
            "independent rounds, and the same state, on average, at every angle",
            "Bob's angles are what they are called (trusted measuring devices)",
            *assumptions,
        ),
        not_given=(*_NOT_GIVEN, *not_given),
        run=run,
        trials=trials,
    )


def _counts(trials: Trials, bob: Array) -> tuple[Array, Array]:
    """Rounds with equal outcomes, and all rounds, per angle."""
    if bob.ndim != 1 or not np.isfinite(bob).all():
        raise ArgumentError("angles must be a list of finite angles in radians")
    shape, wanted = trials.counts.shape, (1, len(bob), 2, 2)
    if shape != wanted:
        raise ArgumentError(
            f"rounds of a fringe with {len(bob)} angles must have settings {wanted[:2]} and "
            f"outcomes {wanted[2:]}, but have {shape[:2]} and {shape[2:]}"
        )
    table = trials.counts[0]
    shots = table.sum(axis=(1, 2)).astype(np.float64)
    if (shots == 0).any():
        raise ArgumentError(f"every angle must have rounds, but {int(np.argmin(shots))} has none")
    return (table[:, 0, 0] + table[:, 1, 1]).astype(np.float64), shots


def _fit(design: Array, values: Array, shots: Array) -> tuple[Array, Array, Array]:
    """Weighted fit, its covariance, and the variance of each point under it."""
    weights = shots.copy()
    fit = np.zeros(2)
    for _ in range(20):
        covariance = np.linalg.inv(design.T @ (weights[:, None] * design))
        fit = covariance @ (design.T @ (weights * values))
        # Near |E| = 1 a variance of 0 would fix the fit to one point: about one count is kept.
        curve = np.clip(design @ fit, -1 + 2 / (shots + 2), 1 - 2 / (shots + 2))
        weights = shots / (1 - curve**2)
    covariance = np.linalg.inv(design.T @ (weights[:, None] * design))
    return fit, np.asarray(covariance, dtype=np.float64), 1 / weights
