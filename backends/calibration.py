"""Published calibrations of processors, as plain data.

A few processors ship with the package (`data/*.json`). With qiskit-ibm-runtime installed, every
processor of its collection of snapshots is available under the same short names.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources
from typing import Any

from ebit.games import ArgumentError, MissingExtraError

# Operations that act on the state without being unitary gates.
NOT_GATES = frozenset({"measure", "reset", "delay", "barrier", "if_else"})


@dataclass(frozen=True)
class GateData:
    """What the calibration says of one gate on one tuple of qubits.

    Args:
        error: average gate infidelity in [0, 1], None where it was not reported.
        duration: length in seconds, None where it was not reported.
    """

    error: float | None
    duration: float | None


@dataclass(frozen=True)
class ReadoutData:
    """Readout of one qubit.

    Args:
        error: mean assignment error, (p10 + p01) / 2 as the provider reports it.
        p10: probability to read 1 after preparing 0.
        p01: probability to read 0 after preparing 1.
        duration: length in seconds.
    """

    error: float
    p10: float
    p01: float
    duration: float | None


@dataclass(frozen=True, eq=False)
class Calibration:
    """The calibration of one processor at one date.

    Args:
        name: short name, such as "fez".
        date: when the provider last updated it, ISO 8601.
        source: package and version the numbers were taken from.
        num_qubits: size of the chip.
        dt: sample time in seconds, None where unknown.
        t1: relaxation times in seconds, per qubit.
        t2: dephasing times in seconds, per qubit.
        readout: per qubit, None for a qubit that cannot be measured.
        gates: per native operation, the data of every ordered tuple of qubits it acts on.
    """

    name: str
    date: str
    source: str
    num_qubits: int
    dt: float | None
    t1: tuple[float | None, ...]
    t2: tuple[float | None, ...]
    readout: tuple[ReadoutData | None, ...]
    gates: Mapping[str, Mapping[tuple[int, ...], GateData]]

    @cached_property
    def basis(self) -> tuple[str, ...]:
        """Names of the native unitary gates."""
        return tuple(sorted(name for name in self.gates if name not in NOT_GATES))

    @cached_property
    def directed(self) -> frozenset[tuple[int, int]]:
        """Ordered pairs of qubits on which a two-qubit gate is calibrated."""
        return frozenset(
            (qubits[0], qubits[1])
            for name in self.basis
            for qubits in self.gates[name]
            if len(qubits) == 2
        )

    @cached_property
    def neighbours(self) -> tuple[tuple[int, ...], ...]:
        """Coupled qubits of each qubit, whatever the direction, in ascending order."""
        near: list[set[int]] = [set() for _ in range(self.num_qubits)]
        for a, b in self.directed:
            near[a].add(b)
            near[b].add(a)
        return tuple(tuple(sorted(s)) for s in near)

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Coupled pairs, smaller index first, each once."""
        return tuple(sorted({(min(e), max(e)) for e in self.directed}))

    def coupled(self, a: int, b: int) -> bool:
        """Whether a two-qubit gate joins `a` and `b` in some direction."""
        return b in self.neighbours[a]

    def gate_error(self, a: int, b: int) -> float:
        """Smallest reported two-qubit gate error between `a` and `b` (1 where none is reported)."""
        found = [
            data.error
            for name in self.basis
            for qubits in ((a, b), (b, a))
            if (data := self.gates[name].get(qubits)) is not None and data.error is not None
        ]
        return min(found, default=1.0)

    def to_json(self) -> dict[str, Any]:
        """Plain data, numbers at six significant digits (far below any calibration's own error)."""
        gates: dict[str, Any] = {}
        for name, table in self.gates.items():
            gates[name] = {
                "qubits": [list(q) for q in table],
                "error": _squeeze([d.error for d in table.values()]),
                "duration": _squeeze([d.duration for d in table.values()]),
            }
        read = [r or ReadoutData(1.0, 1.0, 1.0, None) for r in self.readout]
        return {
            "name": self.name,
            "date": self.date,
            "source": self.source,
            "num_qubits": self.num_qubits,
            "dt": _round(self.dt),
            "t1": [_round(x) for x in self.t1],
            "t2": [_round(x) for x in self.t2],
            "readout": {
                "missing": [q for q, r in enumerate(self.readout) if r is None],
                "error": _squeeze([r.error for r in read]),
                "p10": _squeeze([r.p10 for r in read]),
                "p01": _squeeze([r.p01 for r in read]),
                "duration": _squeeze([r.duration for r in read]),
            },
            "gates": gates,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Calibration:
        """The calibration that `to_json` wrote."""
        n = int(data["num_qubits"])
        read = {k: _spread(data["readout"][k], n) for k in ("error", "p10", "p01", "duration")}
        missing = set(data["readout"]["missing"])
        gates: dict[str, dict[tuple[int, ...], GateData]] = {}
        for name, table in data["gates"].items():
            size = len(table["qubits"])
            columns = zip(
                table["qubits"],
                _spread(table["error"], size),
                _spread(table["duration"], size),
                strict=True,
            )
            gates[name] = {tuple(q): GateData(e, d) for q, e, d in columns}
        return cls(
            name=data["name"],
            date=data["date"],
            source=data["source"],
            num_qubits=n,
            dt=data["dt"],
            t1=tuple(data["t1"]),
            t2=tuple(data["t2"]),
            readout=tuple(
                None
                if q in missing
                else ReadoutData(
                    read["error"][q], read["p10"][q], read["p01"][q], read["duration"][q]
                )
                for q in range(n)
            ),
            gates=gates,
        )


def _round(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


def _squeeze(values: list[float | None]) -> list[float | None] | float | None:
    """A column, or its one value when all are equal."""
    rounded = [_round(v) for v in values]
    return rounded[0] if rounded and len(set(rounded)) == 1 else rounded


def _spread(column: Any, size: int) -> list[Any]:
    return list(column) if isinstance(column, list) else [column] * size


@lru_cache(maxsize=1)
def processors() -> dict[str, int]:
    """Every processor known by name, with its number of qubits (whether usable here or not)."""
    text = resources.files("ebit.backends").joinpath("data", "processors.json").read_text("utf-8")
    return dict(json.loads(text)["qubits"])


@lru_cache(maxsize=1)
def shipped() -> tuple[str, ...]:
    """Names of the processors whose calibration ships with the package."""
    folder = resources.files("ebit.backends").joinpath("data")
    names = (entry.name for entry in folder.iterdir())
    return tuple(
        sorted(
            n.removesuffix(".json") for n in names if n.endswith(".json") and n != "processors.json"
        )
    )


@lru_cache(maxsize=32)
def load_calibration(name: str) -> Calibration:
    """The published calibration of a processor.

    Args:
        name: short name in lower case, such as "fez".

    Returns:
        The calibration that ships with the package, or else the snapshot that the installed
        qiskit-ibm-runtime carries.

    Raises:
        ArgumentError: no processor has that name.
        MissingExtraError: the processor exists, but only qiskit-ibm-runtime has its snapshot.

    >>> fez = load_calibration("fez")
    >>> fez.num_qubits, fez.date[:10], fez.coupled(3, 4)
    (156, '2025-02-26', True)
    """
    if name in shipped():
        file = resources.files("ebit.backends").joinpath("data", f"{name}.json")
        return Calibration.from_json(json.loads(file.read_text("utf-8")))
    try:
        from ebit.backends.extract import snapshot
    except ImportError:
        if name in processors():
            raise MissingExtraError(f"the calibration of {name!r}", "ibm") from None
        raise ArgumentError(_unknown(name)) from None
    found = snapshot(name)
    if found is None:
        raise ArgumentError(_unknown(name))
    return found


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, processors(), n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else "`ebit backends` lists the known names"
    return f"argument device must be the name of a known processor, but was {name!r}; {hint}"
