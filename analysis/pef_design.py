"""Search for the best probability estimation factor: a guess, which `pef_certify` then proves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize

from ebit.analysis.pef_certify import certify
from ebit.analysis.pef_constraint import constraint, powers, two_qubit_behaviour

__all__ = ["Candidate", "best_factor", "fit_factor", "starting_behaviours"]

Floats = npt.NDArray[np.float64]
_COARSE, _CELLS, _ENOUGH, _ROUNDS = 0.02, 50_000, 2e-5, 12


@dataclass(frozen=True)
class Candidate:
    """A factor that satisfies its constraint as far as was searched: no proof.

    Attributes:
        beta: the power.
        factors: F, (2, 2, 2) indexed [x, y, won].
        rate: expected bits per round, the cost of epsilon included.
    """

    beta: float
    factors: Floats
    rate: float


def starting_behaviours() -> Floats:
    """Return the 16 deterministic behaviours and Tsirelson's: (17, 2, 2, 2, 2).

    Example:
        >>> starting_behaviours().shape
        (17, 2, 2, 2, 2)

    Source:
        Their constraints are the active ones for CHSH with fair settings and small beta.
    """
    half = math.pi / 2
    points = [
        two_qubit_behaviour(0.0, [i * math.pi, j * math.pi], [k * math.pi, m * math.pi])
        for i in (0, 1)
        for j in (0, 1)
        for k in (0, 1)
        for m in (0, 1)
    ]
    points.append(two_qubit_behaviour(half, [0.0, half], [half / 2, -half / 2]))
    return np.array(points)


def fit_factor(
    weights: Floats, beta: float, laws: Sequence[Floats], behaviours: Floats, *, tied: bool
) -> Floats:
    r"""Return the F with the largest expected log that obeys the constraint at the given points.

    .. math:: \max \sum w \log F \;\text{ s.t. }\; \sum q(xy) F(abxy) p(ab|xy)^{1+\beta} \le 1

    A geometric program in log F, solved by SLSQP from a feasible point and scaled at the end so that
    the largest constraint is exactly 1.

    Args:
        weights: expected frequency of each (x, y, won), (2, 2, 2), sum 1.
        beta: the power.
        laws: laws of the settings that must be obeyed, each (2, 2).
        behaviours: (N, 2, 2, 2, 2).
        tied: whether F knows won and lost only, not the question.

    Example:
        >>> fair, w = np.full((2, 2), 0.25), np.tile([0.05, 0.2], (2, 2, 1))
        >>> f = fit_factor(w, 0.003, [fair], starting_behaviours(), tied=True)
        >>> [round(float(v), 4) for v in f[0, 0]]
        [0.976, 1.008]

    Source:
        arXiv:1812.07786 (the optimisation problem).
    """
    power = powers(behaviours, beta)
    rows = np.concatenate([(law[:, :, None] * power).reshape(-1, 8) for law in laws])
    share = weights.reshape(8)
    if tied:
        rows, share = rows.reshape(-1, 4, 2).sum(axis=1), share.reshape(4, 2).sum(axis=0)
    rows = np.unique(rows.round(15), axis=0)

    def slack(u: Floats) -> Floats:
        return np.asarray(-np.log(rows @ np.exp(beta * u)) / beta)

    def slope(u: Floats) -> Floats:
        terms = rows * np.exp(beta * u)
        return np.asarray(-terms / terms.sum(axis=1, keepdims=True))

    begin = np.full(len(share), float(slack(np.zeros(len(share))).min()))
    found = optimize.minimize(
        lambda u: -float(share @ u),
        begin,
        jac=lambda u: -share,
        method="SLSQP",
        bounds=[(-60.0 / beta, 60.0 / beta)] * len(share),
        constraints={"type": "ineq", "fun": slack, "jac": slope},
        options={"ftol": 1e-12, "maxiter": 300},
    )
    u = np.asarray(found.x if np.isfinite(found.x).all() else begin)
    if share @ (u + slack(u).min()) < share @ begin:
        u = begin
    factors = np.exp(beta * (u + float(slack(u).min())))
    return np.tile(factors, (2, 2, 1)) if tied else factors.reshape(2, 2, 2)


def best_factor(
    weights: Floats, n: int, log2_error: float, laws: Sequence[Floats], *, tied: bool
) -> Candidate:
    """Return the power and the factor with the most expected bits in n rounds, as far as searched.

    Behaviours that break the constraint are found on a coarse grid over the whole quantum set,
    climbed from there, added, and the factor fitted anew until none is left.

    Args:
        weights: expected frequency of each (x, y, won), (2, 2, 2), sum 1.
        n: rounds.
        log2_error: log2(1/epsilon).
        laws: laws of the settings that must be obeyed.
        tied: whether F knows won and lost only.

    Example:
        >>> fair, w = np.full((2, 2), 0.25), np.tile([0.05, 0.2], (2, 2, 1))
        >>> round(best_factor(w, 10**6, 64, [fair], tied=True).rate, 2)
        0.71

    Source:
        Reference value: bits per round at S = 2.4, n = 10^6, epsilon = 2^-64, found by maximising
        over two-qubit states.
    """
    pool = starting_behaviours()

    def rate(log_beta: float) -> float:
        beta = math.exp(log_beta)
        factors = fit_factor(weights, beta, laws, pool, tied=tied)
        gain = float(np.sum(weights * np.log2(factors)))
        return (gain - log2_error / n) / beta

    scale = math.sqrt(
        log2_error / n
    )  # of the best beta: a quarter for fair settings, less for rare tests
    low, high = 1e-3 * scale, min(max(30 * scale, 0.1), 2.0)
    for _ in range(_ROUNDS):
        tries = np.linspace(math.log(low), math.log(high), 18)
        values = [rate(t) for t in tries]
        k = int(np.argmax(values))
        ends = tries[max(k - 1, 0)], tries[min(k + 1, len(tries) - 1)]
        best = optimize.minimize_scalar(
            lambda t: -rate(t), bounds=ends, method="bounded", options={"xatol": 1e-3}
        )
        beta = math.exp(best.x)
        factors = fit_factor(weights, beta, laws, pool, tied=tied)
        worse = _violations(factors, beta, laws)
        if not len(worse):
            break
        pool = np.concatenate([pool, worse])
        low, high = beta / 10, min(beta * 100, 2.0)
    return Candidate(beta, factors, rate(math.log(beta)))


def _violations(factors: Floats, beta: float, laws: Sequence[Floats]) -> Floats:
    """Behaviours, climbed to, that break the constraint by more than a few 1e-5 bits per round."""
    broken = []
    for law in laws:
        start = certify(factors, beta, law, tolerance=_COARSE, most=_CELLS).point

        def fall(v: Floats, law: Floats = law) -> float:
            p = two_qubit_behaviour(v[0], v[1:3], v[3:])
            return (1 - constraint(factors, beta, law, p)) / beta

        end = optimize.minimize(fall, np.array(start), method="BFGS").x
        if fall(end) < -_ENOUGH:
            broken.append(two_qubit_behaviour(end[0], end[1:3], end[3:]))
    return np.array(broken).reshape(-1, 2, 2, 2, 2)
