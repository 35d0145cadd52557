r"""Entropy of n rounds against quantum side information, planned before the data are seen.

A plan fixes everything: the number of rounds, what each round's outcome is worth (a score f(z, c)),
and the threshold that the mean score must reach. The statement is then

    either the chance to reach the threshold is below ``epsilon_accept``, or, given that it is
    reached, H_min^epsilon(A^n B^n | X^n Y^n E) >= bits, the number stated in the plan.

A run that scores higher than the threshold gets no more bits, one that scores lower gets none: only
the comparison depends on the data. Devices may have memory and be entangled with the adversary, who
learns all settings. Both output strings are in the entropy, so both must be hashed.

| method | one round | n rounds |
|---|---|---|
| ``eat`` | tangent to the von Neumann entropy of one output | Dupuis-Fawzi second order |
| ``geat`` | the same | generalised entropy accumulation |
| ``renyi-one`` | Renyi entropy of one output, closed form | estimation factors, no remainder |
| ``renyi`` | Renyi entropy of both outputs, proven cell by cell | the same |
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
from scipy import optimize

from ebit.analysis.accumulation_plan import AccumulationPlan
from ebit.analysis.accumulation_score import (
    LEAST_WIN_RATE,
    MOST_WIN_RATE,
    Settings,
    passing_threshold,
)
from ebit.analysis.binomial import check_count, check_probability
from ebit.analysis.eat import eat_loss
from ebit.analysis.entropy_round import von_neumann_entropy_one, von_neumann_entropy_one_slope
from ebit.analysis.geat import geat_loss
from ebit.analysis.renyi_bound import largest_weight, renyi_loss, tilt, weight_one
from ebit.analysis.renyi_bound_both import Kinds, largest_sum, likely_sum
from ebit.games import ArgumentError

__all__ = ["Method", "accumulate", "likely_bits"]

Array = npt.NDArray[np.float64]
Method = Literal["eat", "geat", "renyi-one", "renyi"]

_WIDTH = MOST_WIN_RATE - 0.75
# Starts for (w0 or the tilt, log b): found to lead to the optimum between n = 1e3 and 1e12.
_STARTS = {
    "eat": ((0.0, -7.0), (1.0, -5.0)),
    "geat": ((0.0, -7.0), (1.0, -5.0)),
    "renyi-one": ((0.0, -6.0), (1.0, -4.0)),
    "renyi": ((2.3, -5.0), (1.5, -2.5)),
}


class _Candidate(NamedTuple):
    """One choice of parameters: scores (z, c), the unscored round's, losses, and parameters."""

    values: Array
    unscored: float
    rate_loss: float
    once_loss: float
    b: float
    pivot: float
    tangent: float | None


class _Task(NamedTuple):
    """What a plan is asked for."""

    method: Method
    n: int
    win_rate: float
    settings: Settings
    epsilon: float
    epsilon_accept: float
    completeness: float | None
    resolution: float


def tradeoff(settings: Settings, w0: float, pivot: float) -> tuple[float, float]:
    """Return k and m of the score whose mean is the tangent to the entropy at w0, coins paid for.

    Args:
        settings: how rounds are asked.
        w0: where the tangent touches, in (3/4, (2 + sqrt 2)/4).
        pivot: c0.

    Example:
        >>> k, m = tradeoff(Settings(), 0.825, 0.825)
        >>> round(k, 6), round(m, 4)  # the curve and its slope at S = 2.6
        (0.58158, 10.7498)
    """
    m = 8 * von_neumann_entropy_one_slope(8 * w0 - 4)
    height = von_neumann_entropy_one(8 * w0 - 4)
    return height + m * (pivot - w0 - settings.shift(pivot)), m


def _tangent(task: _Task, x: Array, pivot: float) -> _Candidate:
    """EAT and GEAT at one point."""
    settings = task.settings
    w0, b = 0.75 + _WIDTH * _squash(x[0]), min(math.exp(x[1]), 0.9)
    k, m = tradeoff(settings, w0, pivot)
    spread = settings.most(pivot) + pivot - LEAST_WIN_RATE - settings.shift(pivot, down=True)
    loss = eat_loss if task.method == "eat" else geat_loss
    rate, once = loss(
        b,
        m * spread,
        m * m * _variance(settings, pivot),
        epsilon=task.epsilon,
        epsilon_accept=task.epsilon_accept,
    )
    return _Candidate(settings.values(k, m, pivot), k, rate, once, b, pivot, w0)


def _factor(task: _Task, x: Array, pivot: float, proven: bool) -> _Candidate | None:
    """Estimation factors at one point: log2 F / b is the score. None if a weight is not positive."""
    settings = task.settings
    b = min(math.exp(x[1]), 1.0)
    one = task.method == "renyi-one"
    w0 = 0.75 + _WIDTH * _squash(x[0])
    mu = tilt(w0, b, pivot) if one else b * math.exp(min(x[0], 20.0))
    weights = settings.values(1.0, mu, pivot)
    if not weights.min() > 1e-9:
        return None
    if not one:
        most = _both(settings, weights, b, task.resolution if proven else None)
    elif proven or settings.tau:
        most = largest_weight(settings, mu, pivot, b, tolerance=max(1e-13, b * 1e-3 / task.n))
    else:
        most = (1 - mu * pivot) * float(weight_one(w0, b)) + mu * w0
    scores = (np.log2(weights) - math.log2(most)) / b
    once = renyi_loss(b, epsilon=task.epsilon, epsilon_accept=task.epsilon_accept)
    unscored = -math.log2(most) / b
    return _Candidate(scores, unscored, 0.0, once, b, pivot, w0 if one else None)


def _both(settings: Settings, weights: Array, b: float, resolution: float | None) -> float:
    """The largest sum over devices and over what the coins may do; likely, or proven."""
    found = 0.0
    for ratio in settings.ratios:
        law = ratio * settings.scored
        kinds = [[0, 0, 1, 1], [0, 1, 0, 1], law, weights[:, 0], weights[:, 1]]
        if settings.gamma < 1:
            extra = (0, 0, 1 - settings.gamma, 1.0, 1.0)
            kinds = [[*row, more] for row, more in zip(kinds, extra, strict=True)]
        key = tuple(tuple(float(v) for v in row) for row in kinds)
        found = max(found, _sum(key, b, resolution))
    return found


@lru_cache(maxsize=256)
def _sum(key: tuple[tuple[float, ...], ...], b: float, resolution: float | None) -> float:
    x, y, p, lost, won = (np.array(row) for row in key)
    kinds = Kinds(x.astype(np.int64), y.astype(np.int64), p, lost, won)
    if resolution is None:
        return likely_sum(kinds, b)
    return largest_sum(kinds, b, tolerance=resolution * b * math.log(2))


@lru_cache(maxsize=4096)
def _variance(settings: Settings, pivot: float) -> float:
    return settings.variance(pivot)


def _squash(x: float) -> float:
    return min(max(1 / (1 + math.exp(-max(min(x, 30.0), -30.0))), 1e-6), 1 - 1e-9)


def _candidate(task: _Task, x: Array, proven: bool) -> _Candidate | None:
    # At p = 1/4 the pivot has no effect. Otherwise few values are enough.
    pivot = 0.0 if task.settings.uniform else min(round(_squash(x[2]), 3), 0.999)
    if task.method in ("eat", "geat"):
        return _tangent(task, x, pivot)
    return _factor(task, x, pivot, proven)


def _threshold(task: _Task, found: _Candidate) -> tuple[float, float]:
    values = np.append(found.values.reshape(-1), found.unscored)
    chances = np.append(
        task.settings.probabilities(task.win_rate).reshape(-1), 1 - task.settings.gamma
    )
    return passing_threshold(values, chances, task.n, task.completeness)


def _bits(task: _Task, found: _Candidate, share: float | None) -> float:
    """Bits at the threshold; ``share`` is the winning share that it stands for, if only wins count."""
    if share is None:
        threshold = _threshold(task, found)[0]
    else:
        lost, won = found.values[0]
        threshold = lost + (won - lost) * share
    return float(task.n * (threshold - found.rate_loss) - found.once_loss)


def _search(task: _Task) -> tuple[Array, float]:
    """The best parameters found and the bits they would give."""
    share = None
    if task.settings.uniform:  # the same for all parameters
        share = passing_threshold(
            [0.0, 1.0], [1 - task.win_rate, task.win_rate], task.n, task.completeness
        )[0]

    def cost(x: Array) -> float:
        found = _candidate(task, x, False)
        return 1e6 if found is None else -_bits(task, found, share) / task.n

    best: tuple[float, Array] | None = None
    for start in _STARTS[task.method]:
        for third in ((),) if task.settings.uniform else ((1.5,), (4.0,)):
            first = np.array([*start, *third])
            simplex = np.vstack([first, first + 0.7 * np.eye(len(first))])
            options = {"initial_simplex": simplex, "xatol": 1e-4, "fatol": 1e-7, "maxiter": 400}
            found = optimize.minimize(cost, first, method="Nelder-Mead", options=options)
            if best is None or found.fun < best[0]:
                best = (float(found.fun), found.x)
    if best is None:
        raise ArgumentError("Argument `method` has no starting points.")
    return best[1], -best[0] * task.n


def _task(
    n: int,
    win_rate_expected: float,
    method: Method,
    settings: Settings | None,
    epsilon: float,
    epsilon_accept: float | None,
    completeness: float | None,
    resolution: float,
) -> _Task:
    check_count("n", n, low=1)
    if method not in get_args(Method):
        raise ArgumentError(
            f"Argument `method` must be one of {', '.join(get_args(Method))}, but was {method!r}."
        )
    if not 0.75 < win_rate_expected <= MOST_WIN_RATE:
        raise ArgumentError(
            "Argument `win_rate_expected` must be above 3/4, which needs no entanglement and gives "
            f"no entropy, and at most {MOST_WIN_RATE:.6f}, but was {win_rate_expected:.6f}."
        )
    check_probability("epsilon", epsilon, open_ends=True)
    accept = epsilon if epsilon_accept is None else epsilon_accept
    check_probability("epsilon_accept", accept, open_ends=True)
    if completeness is not None:
        check_probability("completeness", completeness, open_ends=True)
    if not 1e-4 <= resolution < 1:
        raise ArgumentError(
            f"Argument `resolution` must be in [0.0001, 1) bits per round, but was {resolution!r}."
        )
    return _Task(
        method,
        int(n),
        float(win_rate_expected),
        settings or Settings(),
        float(epsilon),
        float(accept),
        completeness,
        float(resolution),
    )


def likely_bits(
    n: int,
    win_rate_expected: float,
    *,
    method: Method = "renyi",
    settings: Settings | None = None,
    epsilon: float = 2**-65,
    epsilon_accept: float | None = None,
    completeness: float | None = None,
    resolution: float = 0.005,
) -> float:
    """Return the bits that `accumulate` would come to, without its proof; below 0 if none.

    For planning: what ``accumulate`` proves differs by the proof's resolution at most, which is
    already subtracted here for method ``renyi``.

    Args:
        n: as in `accumulate`, like all others.
        win_rate_expected: of an honest device under uniform settings.
        method: ``eat``, ``geat``, ``renyi-one`` or ``renyi``.
        settings: how rounds are asked.
        epsilon: smoothing.
        epsilon_accept: chance to pass below which nothing is claimed.
        completeness: chance to pass; None puts the threshold at the expected score.
        resolution: of the proof.

    Example:
        >>> round(likely_bits(10**6, 0.825, method="geat") / 10**6, 3)
        0.41
    """
    task = _task(
        n, win_rate_expected, method, settings, epsilon, epsilon_accept, completeness, resolution
    )
    lost = resolution * n if method == "renyi" else 0.0
    return _search(task)[1] - lost


def accumulate(
    n: int,
    win_rate_expected: float,
    *,
    method: Method = "renyi",
    settings: Settings | None = None,
    epsilon: float = 2**-65,
    epsilon_accept: float | None = None,
    completeness: float | None = 0.99,
    resolution: float = 0.005,
) -> AccumulationPlan:
    r"""Plan the certificate of n CHSH rounds: score, threshold and bits, before the data.

    The parameters are those that give most bits at the win rate expected. The bits hold whatever
    the device does; the expectation decides only how many they are and how likely an honest device
    is to pass.

    Args:
        n: rounds, fixed beforehand.
        win_rate_expected: of an honest device under *uniform* settings, w = 1/2 + S/8; from earlier
            data, not from these.
        method: ``eat``, ``geat``, ``renyi-one`` or ``renyi``.
        settings: law of the settings, share of scored rounds, predictability of the coins.
        epsilon: smoothing, as a purified distance.
        epsilon_accept: the chance to pass below which nothing is claimed; as epsilon if left out.
        completeness: chance to pass that independent rounds of the expected win rate shall have at
            least; None puts the threshold at the expected score, which about half of them reach.
        resolution: bits per round that the cell-by-cell proof of ``renyi`` may lose; time grows
            as its inverse.

    Returns:
        The plan.

    Raises:
        ArgumentError: an argument out of range.

    Example:
        >>> plan = accumulate(10**6, 0.825, method="eat", completeness=None)
        >>> round(plan.bits / plan.n, 3)
        0.384
        >>> plan.entropy(825_300).bits == plan.bits, plan.entropy(824_000).bits
        (True, 0.0)

    Source:
        `ebit.analysis.eat`, `ebit.analysis.geat`, `ebit.analysis.renyi_bound` and
        `ebit.analysis.renyi_bound_both` state the theorems.
    """
    task = _task(
        n, win_rate_expected, method, settings, epsilon, epsilon_accept, completeness, resolution
    )
    x, _ = _search(task)
    found = _candidate(task, x, True)
    if found is None:
        raise ArgumentError(
            f"Argument `settings` leaves no positive weights for method {method!r}: ask every pair "
            "of settings more often."
        )
    threshold, reached = _threshold(task, found)
    return AccumulationPlan(
        method=method,
        n=task.n,
        win_rate_expected=task.win_rate,
        settings=task.settings,
        epsilon=task.epsilon,
        epsilon_accept=task.epsilon_accept,
        completeness=reached,
        b=found.b,
        pivot=found.pivot,
        tangent_at=found.tangent,
        scores=tuple((float(a), float(c)) for a, c in found.values),
        unscored=float(found.unscored),
        threshold=float(threshold),
        loss_per_round=float(found.rate_loss),
        loss_once=float(found.once_loss),
    )
