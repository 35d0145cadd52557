"""What a run of a source gave: raw bits, and everything that says whence they came."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from ebit.games import ArgumentError, Shots, Trials

if TYPE_CHECKING:
    from ebit.circuits.experiment import Experiment
    from ebit.circuits.program import Program

__all__ = ["RawBits"]

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class RawBits:
    """Raw bits, before any certificate or extraction, and everything that says whence they came.

    Bits stand in the order of the shots; those of one shot in the order of
    `ebit.circuits.raw_clbits`. The first bit is the most significant one of the first byte.

    Attributes:
        packed: uint8 (ceil(bits / 8),), bits after the last are 0; None if they went to a file.
        file: the file they went to, with the same bytes, None if they are in memory.
        bits: how many.
        per_shot: raw bits of one shot; the last shot may be cut.
        shots: shots taken.
        records: every bit of every shot, settings and checks included, where they were kept.
        tables: (*settings, *outcomes) counts of a test, where the records were not kept.
        source: name of the source.
        source_id: content hash of the source.
        backend: where it ran.
        seed: of a simulator.
        method: what ran.
        guard: how the compiled circuits were compared with what was asked.
        qubits: physical qubits.
        randomness: "pseudo (simulator)" or "device".
        separation: "simulated" or "one chip".
        assumptions: what the bits rest on.
        not_given: what they do not show.
        seconds: time that it took.
        date: when it ended.
    """

    packed: Bytes | None
    file: Path | None
    bits: int
    per_shot: int
    shots: int
    source: str
    source_id: str
    backend: str
    seed: int | None
    method: str
    guard: str
    qubits: tuple[int, ...]
    randomness: str
    separation: str
    assumptions: tuple[str, ...]
    not_given: tuple[str, ...]
    seconds: float
    date: str
    records: Shots | None = field(default=None, repr=False)
    tables: npt.NDArray[np.int64] | None = field(default=None, repr=False)
    experiment: Program | None = field(default=None, repr=False)

    def unpacked(self) -> Bytes:
        """Return the bits one by one, uint8 (bits,), of bits that are in memory.

        Raises:
            ArgumentError: they went to a file.
        """
        if self.packed is None:
            raise ArgumentError(f"these bits are in the file {self.file}, not in memory")
        return np.unpackbits(self.packed, count=self.bits)

    @property
    def trials(self) -> Any:
        """The rounds of a test: ordered where the records were kept, counts otherwise.

        Raises:
            ArgumentError: neither was kept, because every bit of a shot is raw.
        """
        if self.records is not None and self.experiment is not None:
            return self.experiment.decode(self.records)
        if self.tables is None:
            raise ArgumentError(
                f"{self.source!r} recorded nothing but raw bits: there are no rounds to score"
            )
        test = cast("Experiment", self.experiment)  # nothing else has tables
        return Trials.from_counts(self.tables, chosen=test.chosen, source=test.source)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, without the bits."""
        return {
            "raw_bits": self.bits,
            "file": None if self.file is None else str(self.file),
            "per_shot": self.per_shot,
            "shots": self.shots,
            "source": self.source,
            "source_id": self.source_id,
            "backend": self.backend,
            "qubits": list(self.qubits),
            "seed": self.seed,
            "method": self.method,
            "guard": self.guard,
            "randomness": self.randomness,
            "separation": self.separation,
            "assumptions": list(self.assumptions),
            "not_given": list(self.not_given),
            "seconds": self.seconds,
            "date": self.date,
        }

    def __str__(self) -> str:
        where = "" if self.file is None else f", in {self.file}"
        kind = "pseudo-random" if self.randomness.startswith("pseudo") else "raw"
        return (
            f"{self.bits:,} {kind} bits from {self.source} on {self.backend}: {self.per_shot} a shot, "
            f"{self.shots:,} shots, {self.seconds:.3g} s{where}"
        )
