"""SP 800-90B estimators that predict, part one: windows, lags, and what a score is worth."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from ebit.analysis.health_counting import upper_limit
from ebit.analysis.health_result import Estimate

__all__ = ["lag", "local_limit", "log_no_run", "multi_mcw", "prediction_estimate"]

Samples = npt.NDArray[np.uint8]

_WINDOWS = np.array([63, 255, 1023, 4095])
_LAGS = 128


def log_no_run(p: float, r: int, n: int) -> float:
    """Return the logarithm of the chance of no run of r successes in n trials (Feller's form).

    With q = 1 - p and y the smallest root of 1 + y = 1 + q p^r (1+y)^(r+1), it is
    log(1 - p y / q) - log(1 - r y) - (n+1) log(1 + y).

    Args:
        p: success rate, in (0, 1). r: length of the run. n: trials.

    Example:
        >>> round(math.exp(log_no_run(0.5, 10, 1000)), 3)
        0.615

    Source: SP 800-90B, 6.3.7 step 6; W. Feller, vol. 1, XIII.7.
    """
    q = 1 - p
    start = q * p**r
    y = 0.0
    for _ in range(65):
        last, y = y, start * (1 + y) ** (r + 1)
        if p * y >= q or r * y >= 1:
            return -math.inf
        if y - last <= 1e-17 * y:
            break
    return math.log1p(-p * y / q) - math.log1p(-r * y) - (n + 1) * math.log1p(y)


def local_limit(r: int, n: int, low: float) -> float | None:
    """Return the success rate at which no run of r in n trials has a chance of 99 %.

    Args:
        r: one more than the longest run seen. n: predictions. low: smallest rate of interest.

    Returns:
        The rate; None where it is not above ``low``.
    """
    target = math.log(0.99)
    if log_no_run(low, r, n) <= target:
        return None
    high = 1.0
    while True:
        middle = (low + high) / 2
        if not low < middle < high:
            return high
        if log_no_run(middle, r, n) > target:
            low = middle
        else:
            high = middle


def prediction_estimate(
    name: str, on: str, section: str, *, correct: int, n: int, longest: int, alphabet: int
) -> Estimate:
    """Turn a predictor's record into an estimate: the larger of its global and local success.

    Args:
        name, on, section: for the result.
        correct: predictions that came true.
        n: predictions made.
        longest: the longest run of true ones.
        alphabet: number of different symbols; a predictor is never taken for worse than guessing.

    Source: SP 800-90B, 6.3.7 steps 4 to 7.
    """
    rate = correct / n
    limit = upper_limit(rate, n) if correct else -math.expm1(math.log(0.01) / n)
    best = max(limit, 1 / alphabet)
    details: dict[str, float | int] = {"C": correct, "r": longest + 1, "N": n}
    details |= {"p_global": rate, "p_global_limit": limit}
    if best < 1:
        local = local_limit(longest + 1, n, best)
        if local is not None:
            details["p_local"] = local
            best = max(best, local)
    return Estimate(name, on, section, -math.log2(best) if best < 1 else 0.0, details)


@njit(cache=True)
def _window_record(samples, alphabet, windows):  # type: ignore[no-untyped-def]
    """Play the four windows' commonest values; ties go to the value seen last."""
    n, kinds = samples.size, windows.size
    counts = np.zeros((kinds, alphabet), np.int64)
    seen = np.full((kinds, alphabet), -1, np.int64)
    mode = np.zeros(kinds, np.int64)
    score = np.zeros(kinds, np.int64)
    winner, correct, run, longest = 0, 0, 0, 0
    for i in range(n):
        now = samples[i]
        if i >= windows[0]:
            if mode[winner] == now:
                correct += 1
                run += 1
                longest = max(longest, run)
            else:
                run = 0
            for j in range(kinds):
                if i >= windows[j] and mode[j] == now:
                    score[j] += 1
                    if score[j] >= score[winner]:
                        winner = j
        for j in range(kinds):
            counts[j, now] += 1
            seen[j, now] = i
            if i >= windows[j]:
                gone = samples[i - windows[j]]
                counts[j, gone] -= 1
                if gone == mode[j] and gone != now:
                    for k in range(alphabet):
                        ahead = counts[j, k] - counts[j, mode[j]]
                        if ahead > 0 or (ahead == 0 and seen[j, k] > seen[j, mode[j]]):
                            mode[j] = k
                    continue
            if counts[j, now] >= counts[j, mode[j]]:
                mode[j] = now
    return correct, longest


def multi_mcw(samples: Samples, on: str, alphabet: int) -> Estimate:
    """Estimate by predicting the commonest value of the last 63, 255, 1023 or 4095 samples.

    Args:
        samples: symbols below ``alphabet``, shape (n,), at least 4096. on: for the result.
        alphabet: number of different symbols.

    Source: SP 800-90B, 6.3.7.
    """
    correct, longest = _window_record(samples, alphabet, _WINDOWS)
    return prediction_estimate(
        "MultiMCW",
        on,
        "6.3.7",
        correct=correct,
        n=samples.size - int(_WINDOWS[0]),
        longest=longest,
        alphabet=alphabet,
    )


@njit(cache=True)
def _lag_record(backwards):  # type: ignore[no-untyped-def]
    """Play the 128 lags on samples in reverse order, so that lags lie one behind the other."""
    n = backwards.size
    score = np.zeros(_LAGS, np.int32)
    high = np.int32(0)
    winner, correct, run, longest = 0, 0, 0, 0
    for i in range(1, n):
        at = n - 1 - i
        now = backwards[at]
        if backwards[at + 1 + winner] == now:
            correct += 1
            run += 1
            longest = max(longest, run)
        else:
            run = 0
        lags = min(i, _LAGS)
        past = backwards[at + 1 : at + 1 + lags]
        best = np.int32(0)
        for d in range(lags):
            hit = np.int32(past[d] == now)
            new = score[d] + hit
            score[d] = new
            best = max(best, new * hit)
        # Scores grow by one at most: the last lag that was right and leads is the new winner.
        if best >= high and best > 0:
            high = best
            for d in range(lags - 1, -1, -1):
                if score[d] == best and past[d] == now:
                    winner = d
                    break
    return correct, longest


def lag(samples: Samples, on: str, alphabet: int) -> Estimate:
    """Estimate by predicting the sample that stood 1 to 128 places before, whichever did best.

    Args:
        samples: symbols below ``alphabet``, shape (n,), at least 3. on: for the result.
        alphabet: number of different symbols.

    Source: SP 800-90B, 6.3.8.
    """
    correct, longest = _lag_record(samples[::-1].copy())
    return prediction_estimate(
        "lag",
        on,
        "6.3.8",
        correct=correct,
        n=samples.size - 1,
        longest=longest,
        alphabet=alphabet,
    )
