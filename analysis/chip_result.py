"""What a map of a chip says: a score for every pair, and the chip as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ebit.analysis.intervals import Interval
from ebit.analysis.results import RunInfo, pandas_or_raise
from ebit.analysis.sheet import Sheet, Shown, interval_dict, run_dict, run_rows

__all__ = ["ChipMap", "CrossTalk", "PairScore", "Prediction"]

_GROUNDS = 3  # kinds of evidence that a summary spells out


@dataclass(frozen=True)
class CrossTalk:
    """What testing all pairs of a group at once did to one pair.

    Attributes:
        change: S tested together minus S tested apart.
        interval: of the change.
        p_value: of no change.
        found: whether it is a discovery among all pairs of the chip.
    """

    change: float
    interval: Interval
    p_value: float
    found: bool


@dataclass(frozen=True)
class PairScore:
    """One pair of a map.

    Attributes:
        qubits: physical qubits of Alice and Bob.
        group: number of the group it was tested in.
        settings: how settings were chosen.
        n: rounds.
        S, S_interval: its score; win_rate the rate of rounds won.
        p_value, log10_p, e_value, log10_e: against local models, as the data support them.
        evidence: which statistic that is, and what it assumes.
        no_signalling: smallest corrected p-value of its no-signalling tests.
        signals: whether they fail with all pairs of the chip allowed for.
        violates: whether it is a discovery, does not signal and is no fault.
        fault: whether S lies beyond what quantum theory allows.
        predicted: S that the calibration predicts.
        S_corrected, S_corrected_interval: without readout errors; shown only.
        S_separated, S_separated_interval: tested without its neighbours.
        crosstalk: how the two compare.
    """

    qubits: tuple[int, int]
    group: int
    settings: str
    n: int
    S: float
    S_interval: Interval
    win_rate: float
    p_value: float | None
    log10_p: float | None
    e_value: float | None
    log10_e: float | None
    evidence: str
    no_signalling: float
    signals: bool
    violates: bool
    fault: bool
    predicted: float | None = None
    S_corrected: float | None = None
    S_corrected_interval: Interval | None = None
    S_separated: float | None = None
    S_separated_interval: Interval | None = None
    crosstalk: CrossTalk | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        cross = self.crosstalk
        return {
            "qubits": list(self.qubits),
            "group": self.group,
            "settings": self.settings,
            "n": self.n,
            "S": self.S,
            "S_interval": interval_dict(self.S_interval),
            "win_rate": self.win_rate,
            "p_value": self.p_value,
            "log10_p": self.log10_p,
            "e_value": self.e_value,
            "log10_e": self.log10_e,
            "evidence": self.evidence,
            "no_signalling": self.no_signalling,
            "signals": self.signals,
            "violates": self.violates,
            "fault": self.fault,
            "predicted": self.predicted,
            "S_corrected": self.S_corrected,
            "S_corrected_interval": interval_dict(self.S_corrected_interval),
            "S_separated": self.S_separated,
            "S_separated_interval": interval_dict(self.S_separated_interval),
            "crosstalk": None
            if cross is None
            else {
                "change": cross.change,
                "interval": interval_dict(cross.interval),
                "p_value": cross.p_value,
                "found": cross.found,
            },
        }


@dataclass(frozen=True)
class Prediction:
    """How far predicted and measured S differ over a chip.

    Attributes:
        rms: root of the mean square difference; expected_rms what chance alone makes of it.
        bias: mean difference, measured minus predicted.
        largest: the largest difference; largest_pair where.
        chi_square, dof, p_value: of no difference but chance.
    """

    rms: float
    expected_rms: float
    bias: float
    largest: float
    largest_pair: tuple[int, int]
    chi_square: float
    dof: int
    p_value: float


@dataclass(frozen=True, eq=False, repr=False)
class ChipMap(Shown):
    """CHSH on every pair of a chip.

    Prints as text, as rich HTML in a notebook, as JSON (`to_dict`) and as a data frame
    (`to_frame`); `cite` lists what its numbers rest on.

    Attributes:
        backend: where.
        mode: "simultaneous", "separated" or "both".
        pairs: a score for each.
        fdr, fdr_method: false-discovery rate of the pairs called violating, and how it is kept.
        violating_by_e: how many would be by their e-values.
        colours: groups of pairs that were tested at the same time.
        circuits, jobs: how many ran.
        shots: rounds per pair.
        prediction: how the calibration's prediction compares.
        positions: (x, y) of each qubit.
        readout: qubit -> (p10, p01), where they were measured.
    """

    backend: str
    mode: str
    pairs: tuple[PairScore, ...]
    fdr: float
    fdr_method: str
    violating_by_e: int
    colours: int
    circuits: int
    jobs: int
    shots: int
    prediction: Prediction | None
    positions: Mapping[int, tuple[float, float]]
    readout: Mapping[int, tuple[float, float]]
    separation: str
    randomness: str
    assumptions: tuple[str, ...]
    not_given: tuple[str, ...]
    run: RunInfo | None = field(default=None, repr=False)

    @property
    def violating(self) -> tuple[PairScore, ...]:
        """The pairs that violate."""
        return tuple(pair for pair in self.pairs if pair.violates)

    @property
    def signalling(self) -> tuple[PairScore, ...]:
        """The pairs whose outcomes depend on the other party's setting."""
        return tuple(pair for pair in self.pairs if pair.signals)

    @property
    def crosstalk(self) -> tuple[PairScore, ...]:
        """The pairs that their neighbours' tests change."""
        return tuple(pair for pair in self.pairs if pair.crosstalk and pair.crosstalk.found)

    @property
    def status(self) -> str:
        """ "fault" where some pair's S is beyond quantum theory, else "map"."""
        return "fault" if any(pair.fault for pair in self.pairs) else "map"

    @property
    def summary(self) -> str:
        """One sentence."""
        where = " in simulation" if self.separation == "simulated" else ""
        text = (
            f"{len(self.violating)} of {len(self.pairs)} pairs violate local realism{where} "
            f"(false-discovery rate at most {self.fdr:g})"
        )
        if self.signalling:
            text += f"; {len(self.signalling)} signal and are not counted"
        if self.mode == "both":
            text += f"; {len(self.crosstalk)} show cross-talk"
        return text

    def __repr__(self) -> str:
        return f"ChipMap({self.backend}, {self.mode}: {self.summary})"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data that JSON can hold."""
        made = self.prediction
        return {
            "summary": self.summary,
            "status": self.status,
            "mode": self.mode,
            "pairs": [pair.to_dict() for pair in self.pairs],
            "violating": len(self.violating),
            "violating_by_e": self.violating_by_e,
            "signalling": len(self.signalling),
            "crosstalk": len(self.crosstalk) if self.mode == "both" else None,
            "fdr": self.fdr,
            "fdr_method": self.fdr_method,
            "colours": self.colours,
            "circuits": self.circuits,
            "jobs": self.jobs,
            "prediction": None
            if made is None
            else {**made.__dict__, "largest_pair": list(made.largest_pair)},
            "positions": {str(q): list(at) for q, at in self.positions.items()},
            "readout": {str(q): list(errors) for q, errors in self.readout.items()},
            "separation": self.separation,
            "randomness": self.randomness,
            **run_dict(self.run, self.shots),
            "backend": self.backend,
            "shots": self.shots,
            "total_shots": self.run.shots if self.run else None,
            "assumptions": list(self.assumptions),
            "not_given": list(self.not_given),
        }

    def to_frame(self) -> Any:
        """Return a row per pair as a pandas data frame.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        pandas = pandas_or_raise()
        rows = [
            {
                "a": pair.qubits[0],
                "b": pair.qubits[1],
                "group": pair.group,
                "S": pair.S,
                "low": pair.S_interval.low,
                "high": pair.S_interval.high,
                "log10_p": pair.log10_p,
                "log10_e": pair.log10_e,
                "no_signalling": pair.no_signalling,
                "violates": pair.violates,
                "signals": pair.signals,
                "predicted": pair.predicted,
                "S_corrected": pair.S_corrected,
                "S_separated": pair.S_separated,
            }
            for pair in self.pairs
        ]
        return pandas.DataFrame(rows).set_index(["a", "b"])

    def cite(self) -> str:
        """Return the sources of the numbers, one a line."""
        return "\n".join(
            [
                "CHSH: Clauser, Horne, Shimony, Holt, PRL 23, 880 (1969)",
                "false discoveries: Benjamini and Yekutieli, Ann. Stat. 29, 1165 (2001)",
                "e-values: Wang and Ramdas, J. R. Stat. Soc. B 84, 822 (2022)",
                "colouring: Koenig (1916); Misra and Gries, Inf. Process. Lett. 41, 131 (1992)",
            ]
        )

    def _sheet(self) -> Sheet:
        ranked = sorted(self.pairs, key=lambda pair: -pair.S)
        values = [pair.S for pair in ranked]
        middle = values[len(values) // 2]
        rows = [
            *run_rows(self.run)[1:],
            (
                "pairs",
                f"{len(self.pairs)} in {self.colours} groups ({self.mode}), {self.circuits} "
                f"circuits, {self.shots} rounds per pair",
            ),
            ("S", f"median {middle:.3f}, from {values[-1]:.3f} to {values[0]:.3f}"),
            (
                "violate",
                f"{len(self.violating)} by p-values ({self.fdr_method}), {self.violating_by_e} by "
                f"e-values (e-BH), false-discovery rate at most {self.fdr:g}",
            ),
            (
                "no-signalling",
                f"fails for {len(self.signalling)} (at 1e-6 over the whole chip)",
            ),
        ]
        made = self.prediction
        if made is not None:
            rows.append(
                (
                    "prediction",
                    f"measured and predicted S differ by {made.rms:.3f} (rms; chance alone "
                    f"{made.expected_rms:.3f}), by {made.bias:+.3f} on average, most by "
                    f"{made.largest:+.3f} on {made.largest_pair[0]}-{made.largest_pair[1]}",
                )
            )
        if self.mode == "both":
            rows.append(("cross-talk", f"found on {len(self.crosstalk)} pairs"))
        grounds = Counter(pair.evidence for pair in self.pairs if pair.evidence)
        for ground, count in grounds.most_common(_GROUNDS):
            where = f" ({count} pairs)" if len(grounds) > 1 else ""
            rows.append(("evidence", f"{ground}{where}"))
        shown = ranked if len(ranked) <= 10 else [*ranked[:5], *ranked[-5:]]
        head, table = self._table(shown)
        title = "best and worst" if len(ranked) > 10 else "pairs"
        return Sheet(
            title=f"CHSH on every pair of {self.backend}",
            sentence=self.summary,
            good=bool(self.violating),
            bad=self.status == "fault",
            rows=tuple(rows),
            table_title=title,
            head=head,
            table=table,
            lists=(("assumes", self.assumptions), ("not given", self.not_given)),
        )

    def _table(self, shown: list[PairScore]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        head = ["pair", "S", "interval", "violates", "log10 p", "no-signalling p"]
        head += ["predicted"] if self.prediction else []
        head += ["corrected"] if self.readout else []
        head += ["apart", "change"] if self.mode == "both" else []
        rows = []
        for pair in shown:
            row = [
                f"{pair.qubits[0]}-{pair.qubits[1]}",
                f"{pair.S:.3f}",
                f"[{pair.S_interval.low:.3f}, {pair.S_interval.high:.3f}]",
                "signals" if pair.signals else "yes" if pair.violates else "no",
                "" if pair.log10_p is None else f"{pair.log10_p:.1f}",
                f"{pair.no_signalling:.2g}",
            ]
            row += [_number(pair.predicted)] if self.prediction else []
            row += [_number(pair.S_corrected)] if self.readout else []
            if self.mode == "both":
                change = pair.crosstalk.change if pair.crosstalk else None
                row += [_number(pair.S_separated), _number(change, "+.3f")]
            rows.append(tuple(row))
        return tuple(head), tuple(rows)


def _number(value: float | None, form: str = ".3f") -> str:
    return "" if value is None else format(value, form)
