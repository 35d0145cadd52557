"""What a backend needs to know of anything that it runs: circuits, their names and their shares."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy.typing as npt
from qiskit import QuantumCircuit

from ebit.circuits.canonical import canonical
from ebit.circuits.layout import check_size
from ebit.games import ArgumentError, Shots

__all__ = ["Program"]


class Program:
    """Circuits that run together. What their bits mean is known to `Experiment` and its like.

    Attributes:
        name: short name for people.
        circuits: circuits of the same number of qubits, one register ``q``, one register ``c``.
        roles: what each logical qubit is: ``A``, ``B``, ``coin A`` ...
        weights: share of the shots of each circuit, in any unit.
        details: what a reader may want to know; not part of the id.
    """

    name: str
    circuits: tuple[QuantumCircuit, ...]
    roles: tuple[str, ...]
    weights: tuple[float, ...]
    details: Mapping[str, Any]

    @property
    def id(self) -> str:
        """Content hash: the same in every process and on every machine."""
        raise NotImplementedError

    @property
    def fixed(self) -> tuple[int, ...] | None:
        """The physical qubits that the circuits are written for, None where any will do."""
        return None

    @property
    def num_qubits(self) -> int:
        """Number of logical qubits of each circuit."""
        return int(self.circuits[0].num_qubits)

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of classical bits of each circuit."""
        return tuple(int(circuit.num_clbits) for circuit in self.circuits)

    @cached_property
    def couplings(self) -> tuple[tuple[int, int], ...]:
        """Pairs of logical qubits that interact in some circuit, smaller first, sorted."""
        found: set[tuple[int, int]] = set()
        for circuit in self.circuits:
            _collect_couplings(canonical(circuit)[2], found)
        return tuple(sorted(found))

    def allocate(self, shots: int) -> tuple[int, ...]:
        """Share shots among the circuits by weight, rounding down.

        Circuits of equal weight get equal numbers; a remainder is left unused.

        Args:
            shots: shots in total.

        Raises:
            ArgumentError: if some circuit would get none.
        """
        shots = check_size(shots, name="shots", least=1)
        if len(set(self.weights)) == 1:
            shares = (shots // len(self.circuits),) * len(self.circuits)
        else:
            exact = [shots * weight / sum(self.weights) for weight in self.weights]
            # A share that is a whole number but for rounding must not lose a shot.
            shares = tuple(math.floor(x + max(1e-9, 1e-12 * x)) for x in exact)
        if min(shares) == 0:
            least = math.ceil(sum(self.weights) / min(self.weights) - 1e-9)
            raise ArgumentError(
                f"shots must be at least {least} for the {len(self.circuits)} circuits of "
                f"{self.name!r}, but was {shots}"
            )
        return shares

    def decode(self, shots: Shots) -> Any:
        """Turn the shots of a run into what they mean: the rounds of a game, or of several."""
        raise NotImplementedError

    def value(self, distributions: Sequence[npt.ArrayLike]) -> float | None:
        """Return what exact distributions of the circuits would score, None where nothing does.

        Args:
            distributions: per circuit, 2**clbits probabilities; bit j of an index is classical
                bit j.
        """
        del distributions
        return None

    def to_qiskit(self) -> tuple[QuantumCircuit, ...]:
        """Return copies of the circuits, free to be changed."""
        return tuple(circuit.copy() for circuit in self.circuits)

    def to_cirq(self) -> tuple[Any, ...]:
        """Return the circuits as ``cirq.Circuit``; bit j of a circuit has the key ``cj``.

        See :func:`ebit.circuits.to_cirq` for what becomes of barriers and conditions.
        """
        from ebit.circuits.cirq_map import to_cirq

        return tuple(to_cirq(circuit) for circuit in self.circuits)


def _collect_couplings(operations: Sequence[Any], found: set[tuple[int, int]]) -> None:
    for name, qubits, _, _, _, blocks in operations:
        if name == "if_else":
            for block in blocks:
                _collect_couplings(block, found)
        elif len(qubits) == 2 and name != "barrier":
            found.add((min(qubits), max(qubits)))
