"""What the IID tests of SP 800-90B section 5 found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ebit.analysis.health_result import NOT_GIVEN

__all__ = ["EXTREME", "ChiSquare", "IidResult", "LongestRepeat", "PermutationStatistic"]

EXTREME = 5  # a statistic fails with so few shuffles, or fewer, beyond it or equal
_LEVEL = 0.001


@dataclass(frozen=True)
class ChiSquare:
    """A chi-square test: what of, the statistic, its degrees of freedom, and the p-value."""

    name: str
    statistic: float
    df: int
    p_value: float

    @property
    def passed(self) -> bool:
        """Whether the p-value is at least .001."""
        return self.p_value >= _LEVEL


@dataclass(frozen=True)
class LongestRepeat:
    """The longest repeated tuple: its length, and the chance of one so long among IID samples."""

    length: int
    collision_probability: float
    p_value: float

    @property
    def passed(self) -> bool:
        """Whether the p-value is at least .001."""
        return self.p_value >= _LEVEL


@dataclass(frozen=True)
class PermutationStatistic:
    """One statistic: its value, and how many shuffles gave more, the same, and less.

    Counting stops, as in NIST's tool, once the statistic can no longer fail.
    """

    name: str
    value: float
    above: int
    equal: int
    below: int

    @property
    def passed(self) -> bool:
        """Whether the value is not among the most extreme."""
        return self.above + self.equal > EXTREME and self.below + self.equal > EXTREME


@dataclass(frozen=True)
class IidResult:
    """All tests of the IID assumption; it is rejected if any fails."""

    samples: int
    permutations: int
    seed: int
    statistics: tuple[PermutationStatistic, ...]
    chi_squares: tuple[ChiSquare, ...]
    longest_repeat: LongestRepeat

    @property
    def passed(self) -> bool:
        """Whether no test rejects the assumption."""
        return not self.failed

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of the tests that reject it."""
        return (
            *(s.name for s in self.statistics if not s.passed),
            *(c.name for c in self.chi_squares if not c.passed),
            *(() if self.longest_repeat.passed else ("longest repeated tuple",)),
        )

    def __str__(self) -> str:
        verdict = "not rejected" if self.passed else "REJECTED by: " + ", ".join(self.failed)
        lines = [f"independent and alike (IID): {verdict} ({self.samples} samples)"]
        lines += [
            f"  {test.name}: chi-square {test.statistic:.4f} with {test.df} degrees of freedom, "
            f"p = {test.p_value:.4g}"
            for test in self.chi_squares
        ]
        longest = self.longest_repeat
        lines.append(f"  longest repeated tuple: {longest.length}, p = {longest.p_value:.4g}")
        lines.append(
            f"  at most {self.permutations} shuffles (seed {self.seed}): more / equal / less"
        )
        for s in self.statistics:
            mark = "" if s.passed else "  <- fails"
            lines.append(
                f"    {s.name:32}{s.value:>16.6f}{s.above:>7}{s.equal:>7}{s.below:>7}{mark}"
            )
        lines.append(f"  {NOT_GIVEN}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "passed": self.passed,
            "failed": list(self.failed),
            "samples": self.samples,
            "permutations": self.permutations,
            "seed": self.seed,
            "statistics": [
                {
                    "name": s.name,
                    "value": s.value,
                    "above": s.above,
                    "equal": s.equal,
                    "below": s.below,
                    "passed": s.passed,
                }
                for s in self.statistics
            ],
            "chi_squares": [
                {
                    "name": c.name,
                    "statistic": c.statistic,
                    "df": c.df,
                    "p_value": c.p_value,
                    "passed": c.passed,
                }
                for c in self.chi_squares
            ],
            "longest_repeat": {
                "length": self.longest_repeat.length,
                "p_value": self.longest_repeat.p_value,
                "passed": self.longest_repeat.passed,
            },
            "not_given": [NOT_GIVEN],
        }
