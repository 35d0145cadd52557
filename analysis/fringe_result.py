"""What a fringe's score holds, and how it prints."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import degrees
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ebit.analysis.intervals import Interval
from ebit.analysis.sheet import Sheet, interval_dict, run_dict, run_rows, span
from ebit.games import Trials

if TYPE_CHECKING:
    from ebit.analysis.results import RunInfo

__all__ = ["FringePoint", "FringeScore"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FringePoint:
    """The correlator at one of Bob's angles.

    Attributes:
        angle: Bob's angle in radians from Z in the XZ plane.
        value: E, the mean product of the two outcomes.
        interval: Clopper-Pearson, for this angle alone.
        n: rounds.
        ideal: what the ideal state gives.
    """

    angle: float
    value: float
    interval: Interval
    n: int
    ideal: float


@dataclass(frozen=True, eq=False)
class FringeScore:
    """A fringe and its visibility.

    Prints as text, as rich HTML in a notebook, as JSON (`to_dict`) and as a data frame
    (`to_frame`); `cite` lists what its numbers rest on.

    Attributes:
        state: the state asked for.
        alice: Alice's angle in radians.
        points: the correlators.
        visibility: v of the fit E(b) = v cos(b - b0).
        visibility_interval: its interval, a normal approximation.
        phase: b0 of the fit, in radians.
        phase_shift: b0 minus that of the ideal curve, within [-pi, pi]; None without an ideal one.
        ideal_visibility: v of the ideal curve.
        projected: v cos(phase_shift) as a fixed sum of the correlators; at most v.
        projected_interval: its interval, conservative: the lower limit holds for v as well.
        chi_square, dof, fit_p: how well the fit describes the points.
        n: rounds.
    """

    state: str
    alice: float
    points: tuple[FringePoint, ...]
    visibility: float
    visibility_interval: Interval
    phase: float
    phase_shift: float | None
    ideal_visibility: float
    projected: float | None
    projected_interval: Interval | None
    chi_square: float
    dof: int
    fit_p: float | None
    n: int
    separation: str
    randomness: str
    assumptions: tuple[str, ...]
    not_given: tuple[str, ...]
    run: RunInfo | None = None
    trials: Trials | None = field(default=None, repr=False)

    @property
    def angles(self) -> tuple[float, ...]:
        """Bob's angles in radians."""
        return tuple(p.angle for p in self.points)

    def fit(self, angles: npt.ArrayLike) -> Array:
        """Return the fitted curve v cos(b - b0) at angles in radians."""
        return np.asarray(self.visibility * np.cos(np.asarray(angles) - self.phase), np.float64)

    @property
    def statement(self) -> str:
        """What the fringe comes to, in a sentence."""
        where = " in simulation" if self.separation == "simulated" else ""
        low, high = self.visibility_interval.low, self.visibility_interval.high
        return f"visibility {self.visibility:.4f} [{low:.4f}, {high:.4f}]{where}"

    def __str__(self) -> str:
        return self._sheet().text()

    def _repr_html_(self) -> str:
        # The strokes need letters of one width; notebooks have pictures for that.
        sheet = self._sheet()
        rows = tuple(row[:-1] for row in sheet.table)
        return replace(sheet, table_title="correlators", head=sheet.head[:-1], table=rows).html()

    def _sheet(self) -> Sheet:
        rows = run_rows(self.run)
        rows.append(("state", f"{self.state}, Alice at {degrees(self.alice):g} deg"))
        rows.append(
            (
                "visibility",
                f"{self.visibility:.4f}  {span(self.visibility_interval)}, normal approximation  "
                f"(ideal {self.ideal_visibility:.4f})",
            )
        )
        if self.projected_interval is not None:
            low = self.projected_interval.low
            error = (1 - self.projected_interval.level) / 2
            rows.append(
                ("", f"at least {low:.4f}, conservative, errs with probability at most {error:g}")
            )
        shift = "" if self.phase_shift is None else f", {degrees(self.phase_shift):+.2f} from ideal"
        if self.visibility_interval.low > 0:
            rows.append(("peak", f"at {degrees(self.phase) % 360:.2f} deg{shift}"))
        if self.fit_p is not None:
            text = f"chi square {self.chi_square:.1f} for {self.dof} degrees of freedom"
            rows.append(("fit", f"{text}, p = {self.fit_p:.2g}"))
        rows.append(("rounds", f"{self.n}, at {len(self.points)} angles"))
        table = tuple(
            (
                f"{degrees(p.angle):.1f}",
                f"{p.value:+.4f}",
                span(p.interval),
                f"{round(p.ideal, 4) + 0.0:+.4f}",
                str(p.n),
                _stroke(p.value, p.ideal),
            )
            for p in self.points
        )
        return Sheet(
            title="fringe",
            sentence=self.statement,
            good=True,
            bad=False,
            rows=tuple(rows),
            table_title="correlators (o measured, | ideal, from -1 to +1)",
            head=("Bob/deg", "E", "interval", "ideal", "rounds", "-1" + " " * 27 + "+1"),
            table=table,
            lists=(("assumptions", self.assumptions), ("not given", self.not_given)),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data that JSON can hold; angles are in degrees."""
        return {
            "state": self.state,
            "statement": self.statement,
            "alice_deg": degrees(self.alice),
            "visibility": self.visibility,
            "visibility_interval": interval_dict(self.visibility_interval),
            "visibility_at_least": interval_dict(self.projected_interval),
            "ideal_visibility": self.ideal_visibility,
            "peak_deg": degrees(self.phase) % 360,
            "shift_deg": None if self.phase_shift is None else degrees(self.phase_shift),
            "fit": {"chi_square": self.chi_square, "dof": self.dof, "p_value": self.fit_p},
            "points": [
                {
                    "angle_deg": degrees(p.angle),
                    "E": p.value,
                    "interval": interval_dict(p.interval),
                    "ideal": p.ideal,
                    "n": p.n,
                }
                for p in self.points
            ],
            "n": self.n,
            "separation": self.separation,
            "randomness": self.randomness,
            **run_dict(self.run, self.n),
            "assumptions": list(self.assumptions),
            "not_given": list(self.not_given),
        }

    def to_frame(self) -> Any:
        """Return the points as a pandas data frame.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        from ebit.analysis.results import pandas_or_raise

        rows = [
            {
                "angle_deg": degrees(p.angle),
                "E": p.value,
                "low": p.interval.low,
                "high": p.interval.high,
                "ideal": p.ideal,
                "n": p.n,
            }
            for p in self.points
        ]
        return pandas_or_raise().DataFrame(rows).set_index("angle_deg")

    def cite(self) -> str:
        """Return the sources of the numbers, one a line."""
        from importlib.metadata import version

        return "\n".join(
            [
                f"ebit {version('ebit')}: the program",
                "C. J. Clopper, E. S. Pearson, Biometrika 26, 404 (1934): the interval of a point",
                "ebit.analysis.intervals.sum_interval: the conservative limit",
            ]
        )


def _stroke(value: float, ideal: float, width: int = 31) -> str:
    """A line of text with the measured value and the ideal one on it."""
    line = [" "] * width

    def place(x: float) -> int:
        return round((min(max(x, -1.0), 1.0) + 1) / 2 * (width - 1))

    line[place(ideal)] = "|"
    line[place(value)] = "o"
    return "".join(line)
