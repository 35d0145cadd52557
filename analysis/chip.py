"""A whole chip: a score for every pair, and what may be said of all of them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2, norm

from ebit.analysis.chip_result import ChipMap, CrossTalk, PairScore, Prediction
from ebit.analysis.discovery import discover_by_e, discover_by_p
from ebit.analysis.gathering import INDEPENDENT_E, INDEPENDENT_P, MEMORY_E, MEMORY_P
from ebit.analysis.intervals import Interval
from ebit.analysis.results import Evidence, RunInfo, Score
from ebit.analysis.scoring import score
from ebit.games import ArgumentError, Game, Trials

__all__ = ["Place", "corrected_values", "score_chip"]

_FAULT = 1e-6
_RESAMPLES = 200
Float = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Place:
    """The rounds of one pair.

    Attributes:
        qubits: physical qubits of Alice and Bob.
        group: number of the circuits' group.
        mode: "simultaneous" or "separated".
        trials: its rounds.
        predicted: S that the calibration predicts, None where it does not.
        corrected: S without readout errors and half its interval, None where not measured.
    """

    qubits: tuple[int, int]
    group: int
    mode: str
    trials: Trials
    predicted: float | None = None
    corrected: tuple[float, float] | None = None


def score_chip(
    places: Sequence[Place],
    game: Game,
    *,
    fdr: float = 0.05,
    confidence: float = 0.95,
    separation: str = "unknown",
    randomness: str = "unknown",
    assumptions: Sequence[str] = (),
    not_given: Sequence[str] = (),
    run: RunInfo | None = None,
    facts: Mapping[str, Any] | None = None,
) -> ChipMap:
    """Score every pair of a chip, and say which of them may be said to violate.

    A pair violates when its null hypothesis is rejected with the false-discovery rate over the chip
    controlled (whatever the pairs depend on), it does not signal, and its S is no fault. A bare
    S > 2 decides nothing. Where pairs were also tested apart, the difference shows cross-talk.

    Args:
        places: the rounds of every pair, tested together, apart, or both.
        game: the CHSH game.
        fdr: largest expected share of false ones among the pairs called violating.
        confidence: level of the intervals of each pair.
        separation, randomness, assumptions, not_given, run: as in `ebit.analysis.score`.
        facts: what the map was made of: backend, circuits, jobs, positions ...

    Raises:
        ArgumentError: no pair, or a level out of range.

    Source:
        Benjamini and Yekutieli, Ann. Stat. 29, 1165 (2001); Wang and Ramdas (2022) for e-values.
    """
    if not places:
        raise ArgumentError("places must be at least one pair, but were none")
    modes = {place.mode for place in places}
    main = "simultaneous" if "simultaneous" in modes else "separated"
    context: dict[str, Any] = {
        "confidence": confidence,
        "separation": separation,
        "randomness": randomness,
    }
    first = [place for place in places if place.mode == main]
    scores = [score(place.trials, game, minus="game", **context) for place in first]
    pairs = [_pair(place, one) for place, one in zip(first, scores, strict=True)]
    pairs = _discovered(pairs, scores, fdr)
    if len(modes) > 1:
        apart = {
            frozenset(place.qubits): score(place.trials, game, minus="game", **context)
            for place in places
            if place.mode == "separated"
        }
        pairs = _compared(
            pairs, scores, [apart[frozenset(p.qubits)] for p in pairs], fdr, confidence
        )
    known = dict(facts or {})
    by_e = discover_by_e([-np.inf if _barred(p) else p.log10_e or 0.0 for p in pairs], fdr)
    return ChipMap(
        backend=str(known.get("backend", run.backend if run else "unknown")),
        mode="both" if len(modes) > 1 else main,
        pairs=tuple(pairs),
        fdr=fdr,
        fdr_method=discover_by_p([], fdr).method,
        violating_by_e=int(by_e.found.sum()),
        colours=len({place.group for place in first}),
        circuits=int(known.get("circuits", 0)),
        jobs=int(known.get("jobs", 0)),
        shots=int(known.get("shots", max(pair.n for pair in pairs))),
        prediction=_prediction(pairs, scores),
        positions=dict(known.get("positions") or {}),
        readout=dict(known.get("readout") or {}),
        separation=separation,
        randomness=randomness,
        assumptions=_union([*assumptions, *(a for s in scores for a in s.assumptions)]),
        not_given=_union([*not_given, *(a for s in scores for a in s.not_given)]),
        run=run,
    )


def _pair(place: Place, one: Score) -> PairScore:
    p, e = _supported(one, (MEMORY_P, INDEPENDENT_P)), _supported(one, (MEMORY_E, INDEPENDENT_E))
    if one.S is None or one.S_interval is None or one.no_signalling is None:
        raise ArgumentError("game must have correlators, such as CHSH")
    corrected = place.corrected
    return PairScore(
        qubits=place.qubits,
        group=place.group,
        settings=one.settings,
        n=one.n,
        S=one.S,
        S_interval=one.S_interval,
        win_rate=one.win_rate,
        p_value=None if p is None else p.value,
        log10_p=None if p is None else p.log10,
        e_value=None if e is None or e.value is None or not np.isfinite(e.value) else e.value,
        log10_e=None if e is None else e.log10,
        evidence="" if p is None else f"{p.name}: {p.assumption}",
        no_signalling=one.no_signalling.p_value,
        signals=False,
        violates=False,
        fault=one.status == "fault",
        predicted=place.predicted,
        S_corrected=None if corrected is None else corrected[0],
        S_corrected_interval=None
        if corrected is None
        else Interval(
            corrected[0] - corrected[1],
            corrected[0] + corrected[1],
            one.S_interval.level,
            "bootstrap, normal",
        ),
    )


def _supported(one: Score, names: Sequence[str]) -> Evidence | None:
    """The strongest of several statistics that the data support."""
    named = {evidence.name: evidence for evidence in one.evidence}
    return next((named[n] for n in names if n in named and named[n].valid), None)


def _discovered(pairs: Sequence[PairScore], scores: Sequence[Score], fdr: float) -> list[PairScore]:
    """Call pairs violating, or signalling, with all pairs of the chip allowed for."""
    limit = _FAULT / len(pairs)
    seen = [
        replace(pair, signals=one.no_signalling is not None and one.no_signalling.p_value < limit)
        for pair, one in zip(pairs, scores, strict=True)
    ]
    # A pair that is barred enters with p = 1: taken out afterwards, it would have helped others to
    # be called, and the share of false ones among those left could be larger than promised.
    logs = [0.0 if _barred(p) or p.log10_p is None else p.log10_p for p in seen]
    found = discover_by_p(logs, fdr).found
    return [
        replace(pair, violates=bool(hit) and not _barred(pair))
        for pair, hit in zip(seen, found.tolist(), strict=True)
    ]


def _barred(pair: PairScore) -> bool:
    """Whether nothing may be said of entanglement, whatever its S."""
    return pair.signals or pair.fault


def _compared(
    pairs: Sequence[PairScore],
    together: Sequence[Score],
    apart: Sequence[Score],
    fdr: float,
    confidence: float,
) -> list[PairScore]:
    """What testing its neighbours at the same time did to each pair.

    The normal law, with the errors of `_error`: they are never 0, so that few rounds that happen to
    agree look no surer than they are.
    """
    errors = np.hypot([_error(s) for s in together], [_error(s) for s in apart])
    change = np.array(
        [float(a.S or 0) - float(b.S or 0) for a, b in zip(together, apart, strict=True)]
    )
    log_p = (norm.logsf(np.abs(change) / errors) + np.log(2)) / np.log(10)
    found = discover_by_p(log_p, fdr).found
    width = norm.ppf((1 + confidence) / 2) * errors
    out = []
    for i, (pair, alone) in enumerate(zip(pairs, apart, strict=True)):
        span = Interval(change[i] - width[i], change[i] + width[i], confidence, "normal")
        cross = CrossTalk(float(change[i]), span, float(10 ** log_p[i]), bool(found[i]))
        out.append(
            replace(
                pair,
                S_separated=alone.S,
                S_separated_interval=alone.S_interval,
                crosstalk=cross,
            )
        )
    return out


def _error(one: Score) -> float:
    """Standard error of S from its correlators."""
    return float(np.sqrt(sum((1 - c.value**2 + 1 / c.n) / c.n for c in one.correlators)))


def _prediction(pairs: Sequence[PairScore], scores: Sequence[Score]) -> Prediction | None:
    known = [(p, s) for p, s in zip(pairs, scores, strict=True) if p.predicted is not None]
    if not known:
        return None
    gap = np.array([p.S - float(p.predicted or 0) for p, _ in known])
    error = np.array([_error(s) for _, s in known])
    statistic = float(((gap / error) ** 2).sum())
    worst = int(np.argmax(np.abs(gap)))
    return Prediction(
        rms=float(np.sqrt((gap**2).mean())),
        expected_rms=float(np.sqrt((error**2).mean())),
        bias=float(gap.mean()),
        largest=float(gap[worst]),
        largest_pair=known[worst][0].qubits,
        chi_square=statistic,
        dof=len(known),
        p_value=float(chi2.sf(statistic, len(known))),
    )


def corrected_values(
    counts: npt.NDArray[np.int64],
    reads: npt.NDArray[np.intp],
    ones: npt.NDArray[np.int64],
    shots: int,
    signs: npt.NDArray[np.int8],
    *,
    confidence: float = 0.95,
) -> tuple[Float, Float]:
    """S of many pairs without the readout errors that were measured in the same run.

    Args:
        counts: (P, Q, 2, 2) answers of Alice and Bob.
        reads: (P, 2), the column of `ones` of each party's qubit.
        ones: (2, qubits), how often each read 1 after 0 and after 1 was prepared.
        shots: shots of each of those two circuits.
        signs: (Q,) signs of the correlators in S.
        confidence: level of the intervals.

    Returns:
        S and half its interval, each (P,); nan for a pair with a qubit that reads nothing.

    Source:
        As `ebit.analysis.corrected.correct_readout`, whose values these equal.
    """
    frequency = counts / counts.sum(axis=(2, 3), keepdims=True)
    read = ones / shots
    middle = _corrected(frequency, read[:, reads], signs)
    rng = np.random.default_rng(0)
    drawn = np.empty((_RESAMPLES, len(counts)))
    flat = frequency.reshape(*frequency.shape[:2], 4)
    totals = counts.sum(axis=(2, 3))
    for i in range(_RESAMPLES):
        again = rng.multinomial(totals, flat).reshape(counts.shape) / totals[:, :, None, None]
        flips = rng.binomial(shots, np.clip(read, 0, 1)) / shots
        drawn[i] = _corrected(again, flips[:, reads], signs)
    return middle, norm.ppf((1 + confidence) / 2) * drawn.std(axis=0, ddof=1)


def _corrected(frequency: Float, read: Float, signs: npt.NDArray[np.int8]) -> Float:
    """S (P,) from frequencies (P, Q, 2, 2) and the chances to read 1, (2, P, 2)."""
    contrast = read[1] - read[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        # The observable Z is read as (p01 - p10) + (1 - p10 - p01) Z: solve for Z.
        sign = np.array([1.0, -1.0])
        shift = 1 - read[0] - read[1]
        values = (sign - shift[..., None]) / np.where(contrast > 0.01, contrast, np.nan)[..., None]
        e = np.einsum("pqab,pa,pb->pq", frequency, values[:, 0], values[:, 1])
    return np.asarray(e @ signs.astype(np.float64), dtype=np.float64)


def _union(items: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))
