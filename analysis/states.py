"""From rounds to a statement about a state: its fidelity, and whether that needs entanglement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ebit.analysis.state_fidelity import STRONG, asked_of, from_stabilisers, from_w
from ebit.analysis.state_result import StateScore, Threshold
from ebit.analysis.state_targets import Target, target
from ebit.analysis.state_words import limits, rests_on, verdict_of
from ebit.games import Trials

if TYPE_CHECKING:
    from ebit.analysis.results import RunInfo

__all__ = ["score_state"]


def score_state(
    trials: Trials,
    state: Target | str,
    *,
    sampled: bool = False,
    level: float = 0.98,
    separation: str = "unknown",
    randomness: str = "unknown",
    assumptions: Sequence[str] = (),
    not_given: Sequence[str] = (),
    run: RunInfo | None = None,
) -> StateScore:
    r"""Score rounds of the tests of a state: fidelity, interval, and whether it is entangled.

    GHZ, graph and Bell states: the fidelity is the mean of all N = 2^n stabilisers,

    .. math:: F = \frac1N \Big[ 1 + \sum_{g \ne 1} (2 p_g - 1) \Big]

    with p_g the rate at which stabiliser g passes. The identity passes always: it is counted as
    known, and rounds that ask it are left out. W states: see `ebit.circuits.w_fidelity`.

    Settings 0 = X, 1 = Y, 2 = Z, 3 = nothing asked, one party per qubit, as in the games
    ``stabilisers`` and ``bases_agree("XYZ")``. The verdict follows from the lower limit.

    Args:
        trials: the rounds.
        state: the state that was to be prepared, such as "ghz:5".
        sampled: say True if only some stabilisers were asked, and these were drawn uniformly at
            random before the run; the interval then includes what was not drawn.
        level: level of the interval, [0.5, 1); each side errs by at most (1 - level)/2, and so
            does the verdict.
        separation: "simulated", "one chip", "distant" or "unknown".
        randomness: "pseudo (simulator)", "device" or "unknown".
        assumptions: what the run already rests on.
        not_given: what the run cannot give.
        run: where the rounds come from.

    Raises:
        ArgumentError: rounds that do not belong to the state, or questions that are missing.

    Example:
        >>> import numpy as np
        >>> counts = np.zeros((3, 3, 2, 2), dtype=int)
        >>> for basis in range(3):
        ...     counts[basis, basis] = [[25, 475], [475, 25]]
        >>> found = score_state(Trials.from_counts(counts), "bell:psi-")
        >>> round(found.fidelity, 6), found.verdict
        (0.925, 'entangled')

    Source:
        G. Toth, O. Guehne, PRA 72, 022340 (2005); intervals: `ebit.analysis.intervals` and
        `ebit.analysis.state_bounds`.
    """
    aim = target(state) if isinstance(state, str) else state
    asked = asked_of(trials, aim)
    bounds = aim.bounds()
    limits_at = [b.value for b in bounds]
    if aim.kind == "w":
        found = from_w(asked, aim, level, limits_at)
    else:
        found = from_stabilisers(asked, aim, level, limits_at, sampled=sampled)
    drawn = sampled and len(found.rates) < 2**aim.n - 1
    thresholds = tuple(
        Threshold(
            claim=b.claim,
            value=b.value,
            shown=not found.fault and found.interval.low > b.value,
            p_value=tail.value,
            log10_p=tail.log10,
            source=b.source,
        )
        for b, tail in zip(bounds, found.tails, strict=True)
    )
    status, verdict, statement = verdict_of(
        aim, found.value, found.interval, thresholds, found.fault, STRONG, separation, drawn
    )
    two = aim.n == 2
    # A run says itself what a simulation cannot give.
    known = "" if not_given else separation
    return StateScore(
        state=aim.name,
        n_qubits=aim.n,
        status=status,
        verdict=verdict,
        statement=statement,
        fidelity=found.value,
        interval=found.interval,
        concurrence_low=max(0.0, 2 * found.interval.low - 1) if two else None,
        thresholds=thresholds,
        rates=found.rates,
        circuits=(len(found.rates), 2**aim.n - 1 if aim.kind != "w" else len(found.rates)),
        n=trials.n,
        method=found.interval.method,
        source=found.source,
        level=(1 - level) / 2,
        strong=STRONG,
        separation=separation,
        randomness=randomness,
        assumptions=(*rests_on(aim, drawn, len(found.rates)), *assumptions),
        not_given=(*limits(aim, status, known, drawn), *not_given),
        run=run,
        trials=trials,
    )
