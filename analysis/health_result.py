"""What the estimators of SP 800-90B found, with the reason why ideal data do not score 1."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["NOT_GIVEN", "EntropyEstimate", "Estimate"]

NOT_GIVEN = (
    "Passing is not unpredictability: every statistical test passes the output of a pseudo-random "
    "generator whose seed an adversary knows."
)
_ENOUGH = 1_000_000


@dataclass(frozen=True)
class Estimate:
    """One estimator's result.

    Attributes:
        name: of the estimator.
        on: "symbols" or "bits" (the symbols written out as bits, highest first).
        section: of SP 800-90B.
        entropy: min-entropy in bits per symbol, or per bit; None where it has no answer.
        details: the numbers on the way, by the names that NIST's tool prints.
        note: why there is no answer.
    """

    name: str
    on: str
    section: str
    entropy: float | None
    details: dict[str, float | int] = field(default_factory=dict)
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "name": self.name,
            "on": self.on,
            "section": self.section,
            "entropy": self.entropy,
            "details": dict(self.details),
            "note": self.note,
        }


@dataclass(frozen=True)
class EntropyEstimate:
    """The ten estimates and what follows from them.

    Attributes:
        samples: symbols looked at.
        bits: bits per symbol, as declared.
        alphabet: different symbols that occur.
        estimates: all of them, symbols first.
        h_original: smallest estimate on symbols, at most ``bits``.
        h_bitstring: smallest estimate on the bit string, at most 1; None for two symbols, which
            are their own bit string.
        min_entropy: the assessment, bits per symbol: min(bits, h_original, bits * h_bitstring).
        lowest: the estimate that set it; None where no estimate lies below the symbol size.
        ideal_compression: what the compression estimate would give, per bit, if the bits were
            ideal and there were as many.
    """

    samples: int
    bits: int
    alphabet: int
    estimates: tuple[Estimate, ...]
    h_original: float
    h_bitstring: float | None
    min_entropy: float
    lowest: Estimate | None
    ideal_compression: float

    @property
    def per_bit(self) -> float:
        """The assessment per bit."""
        return self.min_entropy / self.bits

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know before the numbers are used."""
        if self.samples >= _ENOUGH:
            return ()
        return (
            f"{self.samples} samples: SP 800-90B asks for 1000000; with fewer the estimates are "
            "lower than the source deserves",
        )

    @property
    def explanation(self) -> str:
        """Why ideal data score about .83 to .85 at 10^6 bits, and what they would score here."""
        return (
            "Ideal data do not score 1. The compression estimate takes the lower 99 % limit of a "
            "mean that is at its maximum for ideal bits, where the entropy changes steeply with "
            "the mean: a limit one part in a thousand lower costs a seventh of a bit. At 10^6 bits "
            "that gives about .83 to .85, whatever the source; with as many bits as here an ideal "
            f"source gets about {self.ideal_compression:.3f}. With larger symbols a predictor's "
            "longest lucky run may cost as much."
        )

    def __str__(self) -> str:
        lines = [
            f"assessed min-entropy: {self.min_entropy:.6f} of {self.bits} "
            f"bit{'s' * (self.bits > 1)} per symbol "
            f"({self.samples} samples, {self.alphabet} different symbols)"
        ]
        if self.lowest is not None:
            lines.append(f"  set by the {self.lowest.name} estimate on {self.lowest.on}")
        for on in ("symbols", "bits"):
            here = [e for e in self.estimates if e.on == on]
            if not here:
                continue
            unit = "per symbol" if on == "symbols" else "per bit"
            lines.append(f"  on {on}, {unit}:")
            for e in here:
                value = "-" if e.entropy is None else f"{e.entropy:.6f}"
                note = f"  ({e.note})" if e.note else ""
                mark = "  <- lowest" if e is self.lowest else ""
                lines.append(f"    {e.section:7}{e.name:20}{value:>10}{mark}{note}")
        lines += [f"  {warning}" for warning in self.warnings]
        lines += [f"  {self.explanation}", f"  {NOT_GIVEN}"]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "samples": self.samples,
            "bits_per_symbol": self.bits,
            "alphabet": self.alphabet,
            "h_original": self.h_original,
            "h_bitstring": self.h_bitstring,
            "min_entropy": self.min_entropy,
            "min_entropy_per_bit": self.per_bit,
            "lowest": None
            if self.lowest is None
            else {"name": self.lowest.name, "on": self.lowest.on},
            "estimates": [e.to_dict() for e in self.estimates],
            "ideal_compression": self.ideal_compression,
            "explanation": self.explanation,
            "warnings": list(self.warnings),
            "not_given": [NOT_GIVEN],
        }
