"""What a score says: frozen values with their interval, evidence, assumptions and limits."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ebit.analysis.corrected import Corrected
from ebit.analysis.evidence import EvidencePath
from ebit.analysis.intervals import Interval
from ebit.analysis.nosignalling import NoSignalling
from ebit.analysis.sheet import interval_dict, run_dict
from ebit.games import MissingExtraError, Trials, Trust

__all__ = ["Convention", "Correlator", "Evidence", "RunInfo", "Score", "Status"]

Status = Literal["violation", "no violation", "signalling", "fault"]


@dataclass(frozen=True)
class Correlator:
    """Mean product of the outcomes of one question, +1 for equal parity."""

    question: str
    value: float
    interval: Interval
    n: int


@dataclass(frozen=True)
class Convention:
    """Which correlators carry a minus sign, and whether that was said before the data.

    Attributes:
        signs: the sign of each question's correlator in the score.
        minus: labels of the questions with a minus.
        declared: whether it was fixed beforehand; a declared convention is free.
        cost: by how many conventions the evidence was divided (1 if declared).
    """

    signs: tuple[int, ...]
    minus: tuple[str, ...]
    declared: bool
    cost: int


@dataclass(frozen=True)
class Evidence:
    """One statistic against the null, or the reason why these data do not support it.

    Attributes:
        name: what it is.
        kind: "p" (small is evidence) or "e" (large is evidence).
        valid: whether the data support it; if not, value is None and reason says why.
        value: the number; 0.0 or inf where a float cannot hold it: then use log10.
        log10: its decimal logarithm.
        assumption: what has to hold for it to mean what it says.
        reason: why it is withheld.
    """

    name: str
    kind: Literal["p", "e"]
    valid: bool
    value: float | None
    log10: float | None
    assumption: str
    reason: str = ""


@dataclass(frozen=True)
class RunInfo:
    """Where and how the rounds were taken.

    Attributes:
        backend: its name.
        qubits: physical qubits, in the experiment's order.
        experiment, experiment_id: its name and content hash.
        shots: rounds taken.
        seed: of a simulator.
        method: what ran.
        guard: how the compiled circuits were compared with the source.
        calibration: its date and source.
        predicted: the game value that the calibration predicts.
        date: when it was begun, ISO 8601.
        versions: of the packages in use.
        job: its id in the ledger, where it has one.
        labels: the provider's own names of the qubits, where they are not numbers.
    """

    backend: str
    qubits: tuple[int, ...] | None = None
    experiment: str = ""
    experiment_id: str | None = None
    shots: int | None = None
    seed: int | None = None
    method: str | None = None
    guard: str | None = None
    calibration: str | None = None
    predicted: float | None = None
    date: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    job: str | None = None
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class Score:
    """What rounds of a game are worth.

    Prints as text, as rich HTML in a notebook, as JSON (`to_dict`) and as a data frame
    (`to_frame`); `cite` lists what its numbers rest on.

    Attributes:
        game: the game's name.
        S: sum over questions of sign times correlator (None for games without correlators).
        S_interval: its interval; rounds are taken as independent, not as identical.
        local_bound, quantum_bound: the largest S of local and of quantum models.
        win_rate: rounds won over rounds played, straight from the data.
        floor: the most often that the null wins a round, predictable settings included.
        p_value: against devices with memory; None when the data do not support it.
        e_value: the same as evidence that is valid whenever one stops; None likewise.
        evidence: every statistic, the withheld ones with their reason.
        path: how the evidence grew, where the order is known.
        level: the two levels used: a note and a fault.
        corrected: what it would be without readout errors, where they were measured in the same
            run; shown only.
    """

    game: str
    status: Status
    verdict: str
    S: float | None
    S_interval: Interval | None
    local_bound: float | None
    quantum_bound: float | None
    win_rate: float
    win_rate_interval: Interval
    floor: float
    floor_source: str
    tau: float
    n: int
    correlators: tuple[Correlator, ...]
    convention: Convention
    p_value: float | None
    log10_p: float | None
    e_value: float | None
    log10_e: float | None
    evidence: tuple[Evidence, ...]
    no_signalling: NoSignalling | None
    trust: Trust
    settings: str
    settings_reason: str
    settings_source: str
    order: Literal["known", "unknown"]
    separation: str
    randomness: str
    assumptions: tuple[str, ...]
    not_given: tuple[str, ...]
    withheld: dict[str, str]
    level: tuple[float, float] = (0.01, 1e-6)
    path: EvidencePath | None = field(default=None, repr=False)
    run: RunInfo | None = None
    trials: Trials | None = field(default=None, repr=False)
    corrected: Corrected | None = None

    def __repr__(self) -> str:
        value = f"win rate {self.win_rate:.6f}" if self.S is None else f"S = {self.S:.4f}"
        span = self.win_rate_interval if self.S_interval is None else self.S_interval
        return (
            f"Score({self.game}: {value} [{span.low:.4f}, {span.high:.4f}], n = {self.n}, "
            f"{self.status})"
        )

    def __str__(self) -> str:
        from ebit.analysis.render import score_text

        return score_text(self)

    def _repr_html_(self) -> str:
        from ebit.analysis.render import score_html

        return score_html(self)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data that JSON can hold; withheld values are None."""
        run = self.run
        ns = self.no_signalling
        return {
            "game": self.game,
            "status": self.status,
            "verdict": self.verdict,
            "S": self.S,
            "abs_S": None if self.S is None else abs(self.S),
            "S_interval": interval_dict(self.S_interval),
            "local_bound": self.local_bound,
            "quantum_bound": self.quantum_bound,
            "win_rate": self.win_rate,
            "win_rate_interval": interval_dict(self.win_rate_interval),
            "floor": self.floor,
            "tau": self.tau,
            "n": self.n,
            "correlators": [
                {
                    "question": c.question,
                    "value": c.value,
                    "interval": interval_dict(c.interval),
                    "n": c.n,
                }
                for c in self.correlators
            ],
            "convention": {
                "minus": list(self.convention.minus),
                "declared": self.convention.declared,
                "cost": self.convention.cost,
            },
            "p_value": self.p_value,
            "log10_p": self.log10_p,
            "e_value": _finite(self.e_value),
            "log10_e": self.log10_e,
            "evidence": [
                {
                    "name": e.name,
                    "kind": e.kind,
                    "valid": e.valid,
                    "value": _finite(e.value),
                    "log10": e.log10,
                    "assumption": e.assumption,
                    "reason": e.reason,
                }
                for e in self.evidence
            ],
            "no_signalling": None
            if ns is None
            else {"holds": ns.holds, "p_value": ns.p_value, "method": ns.method},
            "trust": self.trust,
            "settings": self.settings,
            "settings_reason": self.settings_reason,
            "settings_source": self.settings_source,
            "order": self.order,
            "separation": self.separation,
            "randomness": self.randomness,
            **run_dict(run, self.n),
            "predicted": run.predicted if run else None,
            "prediction_error": None
            if run is None or run.predicted is None
            else self.win_rate - run.predicted,
            "corrected": None if self.corrected is None else self.corrected.to_dict(),
            "level": {"note": self.level[0], "fault": self.level[1]},
            "assumptions": list(self.assumptions),
            "not_given": list(self.not_given),
            "withheld": dict(self.withheld),
        }

    def to_frame(self) -> Any:
        """Return the correlators and the totals as a pandas data frame.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        pandas = pandas_or_raise()
        rows = [
            {
                "quantity": f"E({c.question})",
                "value": c.value,
                "low": c.interval.low,
                "high": c.interval.high,
                "n": c.n,
            }
            for c in self.correlators
        ]
        if self.S is not None and self.S_interval is not None:
            rows.append(
                {
                    "quantity": "S",
                    "value": self.S,
                    "low": self.S_interval.low,
                    "high": self.S_interval.high,
                    "n": self.n,
                }
            )
        rows.append(
            {
                "quantity": "win rate",
                "value": self.win_rate,
                "low": self.win_rate_interval.low,
                "high": self.win_rate_interval.high,
                "n": self.n,
            }
        )
        return pandas.DataFrame(rows).set_index("quantity")

    def cite(self) -> str:
        """Return the sources of the numbers, one a line."""
        from ebit.analysis.render import citations

        return citations(self)


def pandas_or_raise() -> Any:
    """Return pandas, or say which extra brings it."""
    try:
        return importlib.import_module("pandas")
    except ImportError:
        raise MissingExtraError("a data frame", "notebook") from None


def _finite(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)
