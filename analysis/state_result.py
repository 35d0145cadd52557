"""What a state score holds, and how it prints."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal

from ebit.analysis.intervals import Interval
from ebit.analysis.sheet import Sheet, Shown, interval_dict, p_text, run_dict, run_rows, span
from ebit.games import Trials

if TYPE_CHECKING:
    from ebit.analysis.results import RunInfo
    from ebit.analysis.state_words import Status

__all__ = ["PassRate", "StateScore", "Threshold"]

_SHOWN = 40


@dataclass(frozen=True)
class PassRate:
    """How often the rounds of one question did what the state does.

    Attributes:
        question: a Pauli letter per qubit, with the sign in front for a stabiliser.
        rate: rounds that passed over rounds asked.
        interval: Clopper-Pearson, for this question alone.
        n: rounds asked.
    """

    question: str
    rate: float
    interval: Interval
    n: int


@dataclass(frozen=True)
class Threshold:
    """A fidelity that states without something cannot exceed.

    Attributes:
        claim: "entangled" or "genuine" (entanglement that needs all the qubits).
        value: the largest fidelity without it.
        shown: whether the lower limit lies above it.
        p_value: against a fidelity of at most this value; 0.0 below the smallest float.
        log10_p: its decimal logarithm.
        source: why the value is what it is.
    """

    claim: Literal["entangled", "genuine"]
    value: float
    shown: bool
    p_value: float
    log10_p: float
    source: str


@dataclass(frozen=True, eq=False)
class StateScore(Shown):
    """A state's fidelity, and what it proves about its entanglement.

    Prints as text, as rich HTML in a notebook, as JSON (`to_dict`) and as a data frame
    (`to_frame`); `cite` lists what its numbers rest on.

    Attributes:
        state: the state asked for, such as "ghz:5".
        n_qubits: its number of qubits.
        status: "genuine", "entangled", "not shown", or "fault" where the rates contradict any
            state.
        verdict: "genuinely n-party entangled", "entangled" or "not shown".
        statement: the verdict with its numbers.
        fidelity: the estimate of <target| rho |target>, straight from the data.
        interval: its interval, conservative.
        concurrence_low: for two qubits, a lower limit of the concurrence, max(0, 2F - 1).
        thresholds: what has to be exceeded for each claim, with p-values.
        rates: pass rate of each question.
        circuits: how many questions were asked, and how many there are.
        n: rounds.
        method: what makes the interval cover.
        source: where the formula for the fidelity comes from.
        level: with what probability each limit, and so the verdict, may err.
        strong: the level below which a p-value is called strong.
    """

    state: str
    n_qubits: int
    status: Status
    verdict: str
    statement: str
    fidelity: float
    interval: Interval
    concurrence_low: float | None
    thresholds: tuple[Threshold, ...]
    rates: tuple[PassRate, ...]
    circuits: tuple[int, int]
    n: int
    method: str
    source: str
    level: float
    strong: float
    separation: str
    randomness: str
    assumptions: tuple[str, ...]
    not_given: tuple[str, ...]
    run: RunInfo | None = None
    trials: Trials | None = field(default=None, repr=False)

    def _sheet(self) -> Sheet:
        rows = run_rows(self.run)
        rows.append(("fidelity", f"{self.fidelity:.4f}  {span(self.interval)}"))
        for t in self.thresholds:
            name = "entangled" if t.claim == "entangled" else f"all {self.n_qubits} qubits"
            word = "shown" if t.shown else "not shown"
            rows.append((name, f"{word}: needs F > {t.value:.4f} ({p_text(t.p_value, t.log10_p)})"))
        if self.concurrence_low is not None:
            rows.append(("concurrence", f"at least {self.concurrence_low:.4f}"))
        asked, all_of_them = self.circuits
        part = "all" if asked == all_of_them else f"{asked} drawn at random of {all_of_them}"
        rows.append(("rounds", f"{self.n}, in {asked} circuits ({part})"))
        rows.append(("interval by", self.method))
        order = sorted(self.rates, key=lambda r: r.rate) if len(self.rates) > _SHOWN else self.rates
        cells = [(r.question, f"{r.rate:.4f}", span(r.interval), str(r.n)) for r in order[:_SHOWN]]
        title = "pass rates"
        if len(self.rates) > _SHOWN:
            title = f"pass rates (the {_SHOWN} lowest of {len(self.rates)})"
        return Sheet(
            title=self.state,
            sentence=self.statement,
            good=self.status in ("genuine", "entangled"),
            bad=self.status == "fault",
            rows=tuple(rows),
            table_title=title,
            head=("question", "rate", "interval", "rounds"),
            table=tuple(cells),
            lists=(("assumptions", self.assumptions), ("not given", self.not_given)),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data that JSON can hold."""
        return {
            "state": self.state,
            "n_qubits": self.n_qubits,
            "status": self.status,
            "verdict": self.verdict,
            "statement": self.statement,
            "fidelity": self.fidelity,
            "fidelity_interval": interval_dict(self.interval),
            "concurrence_low": self.concurrence_low,
            "thresholds": [
                {
                    "claim": t.claim,
                    "fidelity": t.value,
                    "shown": t.shown,
                    "p_value": t.p_value,
                    "log10_p": t.log10_p if isfinite(t.log10_p) else None,
                    "source": t.source,
                }
                for t in self.thresholds
            ],
            "pass_rates": [
                {
                    "question": r.question,
                    "rate": r.rate,
                    "interval": interval_dict(r.interval),
                    "n": r.n,
                }
                for r in self.rates
            ],
            "circuits_asked": self.circuits[0],
            "circuits_in_all": self.circuits[1],
            "n": self.n,
            "interval_method": self.method,
            "level": {"limit": self.level, "strong": self.strong},
            "separation": self.separation,
            "randomness": self.randomness,
            **run_dict(self.run, self.n),
            "assumptions": list(self.assumptions),
            "not_given": list(self.not_given),
        }

    def to_frame(self) -> Any:
        """Return the fidelity and the pass rates as a pandas data frame.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        from ebit.analysis.results import pandas_or_raise

        lines = [("fidelity", self.fidelity, self.interval, self.n)]
        lines += [(r.question, r.rate, r.interval, r.n) for r in self.rates]
        rows = [
            {"quantity": name, "value": value, "low": i.low, "high": i.high, "n": n}
            for name, value, i, n in lines
        ]
        return pandas_or_raise().DataFrame(rows).set_index("quantity")

    def cite(self) -> str:
        """Return the sources of the numbers, one a line."""
        from importlib.metadata import version

        lines = [f"ebit {version('ebit')}: the program", f"{self.source}"]
        lines += [f"{t.source}: the threshold {t.value:.4f}" for t in self.thresholds]
        if self.concurrence_low is not None:
            lines.append("C. H. Bennett et al., PRA 54, 3824 (1996): fidelity and entanglement")
        if "betting" in self.method:
            lines.append("I. Waudby-Smith, A. Ramdas, JRSS B 86, 1 (2024): intervals by betting")
        else:
            lines.append("C. J. Clopper, E. S. Pearson, Biometrika 26, 404 (1934): the interval")
        lines.append("W. Hoeffding, Ann. Math. Stat. 27, 713 (1956): sums of unlike rounds")
        return "\n".join(dict.fromkeys(lines))
