"""What a run for random bits gave: the bits, their certificate, their hash, and their health."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ebit.analysis import RunInfo, Score
from ebit.analysis.entropy_result import EntropyCertificate
from ebit.analysis.sheet import Sheet, Shown
from ebit.games import ArgumentError, RefusedError

__all__ = ["FORMATS", "Format", "RandomBits"]

Bytes = npt.NDArray[np.uint8]
Format = Literal["raw", "hex", "base64", "numbers"]
FORMATS: tuple[Format, ...] = ("raw", "hex", "base64", "numbers")


@dataclass(frozen=True, eq=False, repr=False)
class RandomBits(Shown):
    """Random bits with what is proven about them, or the reason why there are none.

    Attributes:
        packed: uint8 (ceil(bits / 8),), the first bit the most significant of the first byte; empty
            when refused.
        bits: how many.
        wanted: how many were asked for; None for all that the certificate allows.
        certificate: the entropy of the raw bits.
        epsilon: error of the bits, hashing included.
        source: "chsh", "spot", "hadamard", "bell" or "ghz".
        raw_bits: bits that were hashed.
        seed_bits: of the hash.
        seed_source: where the seed comes from.
        settings_bits: randomness that the settings took.
        refused: why there are no bits; empty when there are.
        health: what the health tests saw, by stream.
        assumptions, not_given: of the certificate, the hash and the run.
        score: the Bell test, where there was one.
        run: where the rounds come from.
        file: where the bits were written, if they were.
    """

    packed: Bytes = field(repr=False)
    bits: int
    wanted: int | None
    certificate: EntropyCertificate
    epsilon: float
    source: str
    raw_bits: int
    seed_bits: int
    seed_source: str
    settings_bits: float
    refused: str
    health: dict[str, Any]
    assumptions: tuple[str, ...]
    not_given: tuple[str, ...]
    score: Score | None = None
    run: RunInfo | None = None
    file: str | None = None

    @property
    def status(self) -> str:
        """As the certificate has it, or "refused"."""
        return "refused" if self.refused else self.certificate.status

    @property
    def net_bits(self) -> float:
        """Bits less the randomness that was put in: the seed of the hash and the settings."""
        return self.bits - self.seed_bits - self.settings_bits

    @property
    def net_bits_seed_kept(self) -> float:
        """Bits less the settings' randomness alone.

        The extractor is strong: its seed stays uniform and independent of the bits, and may serve
        other raw bits that are independent of it, at the price of errors that add up.
        """
        return self.bits - self.settings_bits

    @property
    def randomness(self) -> str:
        """Whether they are pseudo-random or come from a device."""
        return self.certificate.randomness

    def unpacked(self) -> Bytes:
        """Return the bits one by one, uint8 (bits,)."""
        return np.unpackbits(self.packed, count=self.bits)

    def content(self, format: str = "raw") -> bytes:
        """Return the bits as a file holds them.

        Args:
            format: "raw" bytes; "hex" and "base64" of them, with a line end; "numbers", the digits 0
                and 1, 64 in a line.

        Raises:
            ArgumentError: an unknown format.
        """
        if format not in FORMATS:
            raise ArgumentError(f"format must be one of {', '.join(FORMATS)}, but was {format!r}")
        data = self.packed.tobytes()
        if format == "raw":
            return data
        if format == "hex":
            return data.hex().encode() + b"\n"
        if format == "base64":
            return base64.b64encode(data) + b"\n"
        digits = (self.unpacked() + ord("0")).tobytes()
        return b"".join(digits[i : i + 64] + b"\n" for i in range(0, len(digits), 64))

    def save(self, path: str | Path, *, format: str = "raw") -> RandomBits:
        """Write the bits, readable by their owner only, and the certificate beside them.

        Both are written whole or not at all; the certificate goes to ``PATH.json``, first.

        Args:
            path: the file.
            format: as in `content`.

        Returns:
            The same bits, which now know their file.

        Raises:
            RefusedError: there are none.
            EbitError: a file that cannot be written.
        """
        from dataclasses import replace

        from ebit.games import write_whole
        from ebit.protocols.private_files import private_file

        if self.refused:
            raise RefusedError(f"there are no bits to save: {self.refused}")
        data = self.content(format)
        target = Path(path)
        known = replace(self, file=str(target))
        side = {**known.to_dict(), "format": format}
        text = json.dumps(side, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        write_whole(target.with_name(target.name + ".json"), text)
        with private_file(target) as out:
            out.write(data)
        return known

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the bits as plain data."""
        c = self.certificate
        return {
            "status": self.status,
            "refused": self.refused or None,
            "bits": self.bits,
            "wanted": self.wanted,
            "file": self.file,
            "source": self.source,
            "entropy_bits": c.entropy_bits,
            "entropy_rate": c.entropy_rate,
            "method": c.method,
            "adversary": c.adversary,
            "epsilon": self.epsilon,
            "raw_bits": self.raw_bits,
            "seed_bits": self.seed_bits,
            "seed_source": self.seed_source,
            "settings_bits": self.settings_bits,
            "net_bits": self.net_bits,
            "net_bits_seed_kept": self.net_bits_seed_kept,
            "health": self.health,
            "randomness": c.randomness,
            "separation": c.separation,
            "secrecy": "demonstration",
            "sentence": c.sentence,
            "certificate": c.to_dict(),
            "bell": None if self.score is None else self.score.to_dict(),
            "backend": None if self.run is None else self.run.backend,
            "job": None if self.run is None else self.run.job,
            "assumptions": list(self.assumptions),
            "not_given": list(self.not_given),
        }

    def _kind(self) -> str:
        return "pseudo-random" if self.randomness.startswith("pseudo") else "random"

    def __repr__(self) -> str:
        if self.refused:
            return f"RandomBits(refused: {self.refused})"
        return f"RandomBits({self.bits} {self._kind()} bits from {self.source}, {self.certificate.method})"

    def _rows(self) -> list[tuple[str, str]]:
        c = self.certificate
        spent = f"{self.seed_bits:,} of the seed ({self.seed_source})"
        if c.S is not None:
            spent += f", {self.settings_bits:,.0f} for settings"
        rows = [
            ("entropy", f"{c.entropy_bits:,.1f} bits of min-entropy in {self.raw_bits:,} raw bits"),
            ("per round", f"{c.entropy_rate:.4f} bits, {c.n:,} rounds"),
            ("method", f"{c.method}, against {c.adversary}"),
            ("epsilon", f"{self.epsilon:.3g} in all"),
        ]
        if c.S is not None:
            rows.append(("S", f"{c.S:.4f}, expected {c.expected_S:.4f}; tau {c.tau:.3g}"))
        rows += [
            ("randomness spent", spent),
            (
                "net",
                f"{self.net_bits:+,.0f} bits; {self.net_bits_seed_kept:+,.0f} if the seed is kept for "
                "later use",
            ),
            (
                "health",
                "; ".join(f"{name}: {seen['summary']}" for name, seen in self.health.items())
                or "not tested",
            ),
        ]
        if self.file:
            rows.append(("file", self.file))
        return rows

    @property
    def title(self) -> str:
        """What there is, in a few words."""
        return (
            "no bits" if self.refused else f"{self.bits:,} {self._kind()} bits from {self.source}"
        )

    @property
    def sentence(self) -> str:
        """What may be said of them, or why there are none."""
        return self.refused or self.certificate.sentence

    def _sheet(self) -> Sheet:
        return Sheet(
            title=self.title,
            sentence=self.sentence,
            good=not self.refused,
            bad=bool(self.refused),
            rows=tuple(self._rows()),
            table_title="",
            head=(),
            table=(),
            lists=(("assumptions", self.assumptions), ("not given", self.not_given)),
        )
