"""Many small tests side by side on one chip: wide circuits whose parts share no qubit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit

from ebit.circuits.canonical import digest
from ebit.circuits.experiment import Experiment
from ebit.circuits.layout import PREPARED, blank, prepared
from ebit.circuits.program import Program
from ebit.circuits.readout import question_and_answer
from ebit.games import ArgumentError, Shots, Trials

__all__ = ["ALIKE_ANGLES", "Group", "ParallelTest"]

ALIKE_ANGLES = (
    (3 * math.pi / 8, 7 * math.pi / 8),
    (5 * math.pi / 8, math.pi / 8),
)
"""Angles ((a0, a1), (b0, b1)) of CHSH at which all four settings compile alike.

The usual angles of phi+, all turned by 3 pi / 8, which changes none of its correlations. No angle is
0 or a right angle any more, where a compiler would leave out pulses, and all have one sign: the four
circuits are one, with other numbers bound to it.
"""


@dataclass(frozen=True)
class Group:
    """Places that are tested together.

    Attributes:
        test: index of the test that runs there.
        places: physical qubits of each place, in the order of the test's qubits.
        mode: why these places stand together: "simultaneous" or "separated".
    """

    test: int
    places: tuple[tuple[int, ...], ...]
    mode: str


@dataclass(frozen=True, eq=False)
class ParallelTest(Program):
    """Small experiments at many places of a chip, in circuits as wide as the chip.

    For every group and every circuit of its test there is one wide circuit, in which all places ask
    the same question. Bits of place k are k * b ... (k + 1) * b - 1 for a test of b bits. If asked,
    two circuits follow that prepare all qubits in 0 and in 1: bit j of them reads logical qubit j.

    Attributes:
        name: short name for people.
        tests: the small experiments.
        groups: what runs together.
        readout: whether readout errors are measured too.
        weights: share of the shots of each circuit; a test gets the same at every place.
    """

    name: str
    tests: tuple[Experiment, ...]
    groups: tuple[Group, ...]
    readout: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check(self)

    def __repr__(self) -> str:
        return (
            f"ParallelTest({self.name!r}, {len(self.circuits)} circuits, "
            f"{sum(len(g.places) for g in self.groups)} places on {len(self.fixed)} qubits, "
            f"id {self.id})"
        )

    @cached_property
    def fixed(self) -> tuple[int, ...]:
        """The physical qubits that the circuits are written for: logical qubit i is fixed[i]."""
        return tuple(sorted({q for g in self.groups for place in g.places for q in place}))

    @cached_property
    def roles(self) -> tuple[str, ...]:  # type: ignore[override]
        """One name per logical qubit."""
        return tuple(f"qubit {q}" for q in self.fixed)

    @cached_property
    def id(self) -> str:
        """Content hash over the tests, the groups, and whether readout is measured."""
        groups = [[g.test, [list(p) for p in g.places], g.mode] for g in self.groups]
        return digest(["ebit parallel 1", [t.id for t in self.tests], groups, self.readout])

    @cached_property
    def weights(self) -> tuple[float, ...]:  # type: ignore[override]
        """A test's shots at a place are shared among its circuits."""
        most = max(len(test.circuits) for test in self.tests)
        shares = [
            most / len(self.tests[g.test].circuits)
            for g in self.groups
            for _ in self.tests[g.test].circuits
        ]
        return (*shares, *((min(shares),) * 2 if self.readout else ()))

    @cached_property
    def circuits(self) -> tuple[QuantumCircuit, ...]:  # type: ignore[override]
        """The wide circuits, on logical qubits."""
        place = {q: i for i, q in enumerate(self.fixed)}
        made = []
        for number, (group, circuit) in enumerate(self._asked()):
            where = [tuple(place[q] for q in p) for p in group.places]
            made.append(
                side_by_side(
                    [circuit] * len(where),
                    where,
                    len(self.fixed),
                    name=f"{number}: {group.mode}, {circuit.name}",
                )
            )
        return (*made, *(self._known() if self.readout else ()))

    def total(self, rounds: int) -> int:
        """Shots over all circuits that give every place so many rounds.

        Raises:
            ArgumentError: fewer rounds than the test has circuits.
        """
        most = max(len(test.circuits) for test in self.tests)
        if rounds < most:
            raise ArgumentError(f"shots must be at least {most} for each pair, but was {rounds}")
        return round(sum(self.weights)) * (rounds // most)

    def decode(self, shots: Shots) -> tuple[tuple[Group, tuple[int, ...], Trials], ...]:
        """Return the rounds of every place: its group, its physical qubits, and the rounds."""
        found = []
        first = 0
        for group in self.groups:
            test = self.tests[group.test]
            width = int(test.circuits[0].num_clbits)
            bits = [shots.bits(first + i) for i in range(len(test.circuits))]
            for k, place in enumerate(group.places):
                mine = [b[:, k * width : (k + 1) * width] for b in bits]
                found.append((group, place, test.decode(Shots.from_bits(mine))))
            first += len(test.circuits)
        return tuple(found)

    def counts(self, shots: Shots) -> tuple[npt.NDArray[np.int64], ...]:
        """Return, per group, (places, Q, *outcomes) counts of every answer to every question."""
        out = []
        first = 0
        for group in self.groups:
            test = self.tests[group.test]
            game = test.game
            width, size = int(test.circuits[0].num_clbits), int(np.prod(game.outcomes))
            table = np.zeros((len(group.places), game.n_questions * size), dtype=np.int64)
            for i, readout in enumerate(test.readouts):
                if readout is None:
                    continue
                bits = shots.bits(first + i).reshape(-1, len(group.places), width)
                codes = bits.astype(np.int64) @ (1 << np.arange(width, dtype=np.int64))
                question, answer = question_and_answer(readout, game, width)
                cell = np.where(question >= 0, question * size + answer, 0)[codes]
                cell += np.arange(len(group.places)) * table.shape[1]
                table += np.bincount(cell.ravel(), minlength=table.size).reshape(table.shape)
            out.append(table.reshape(len(group.places), game.n_questions, *game.outcomes))
            first += len(test.circuits)
        return tuple(out)

    def ones(self, shots: Shots) -> npt.NDArray[np.int64] | None:
        """Return (2, qubits): how often each logical qubit read 1 after 0 and after 1 was prepared."""
        if not self.readout:
            return None
        last = len(self.circuits)
        return np.stack([shots.bits(i).sum(axis=0, dtype=np.int64) for i in (last - 2, last - 1)])

    def _asked(self) -> list[tuple[Group, QuantumCircuit]]:
        return [
            (group, circuit) for group in self.groups for circuit in self.tests[group.test].circuits
        ]

    def _known(self) -> list[QuantumCircuit]:
        n = len(self.fixed)
        made = []
        for value in (0, 1):
            state = blank(n)
            if value:
                state.x(range(n))
            circuit = prepared(state, n, name=f"readout of {value}")
            circuit.measure(range(n), range(n))
            made.append(circuit)
        return made


def side_by_side(
    small: Sequence[QuantumCircuit],
    places: Sequence[Sequence[int]],
    size: int,
    *,
    name: str,
    wide: QuantumCircuit | None = None,
    barrier: Sequence[int] | None = None,
) -> QuantumCircuit:
    """Put circuits beside one another: all preparations, one labelled barrier, all measurements.

    Args:
        small: a circuit per place, each with one labelled barrier.
        places: qubits of the wide circuit that the small one's qubits become.
        size: qubits of the wide circuit.
        name: of the wide circuit.
        wide: an empty circuit to fill, made if left out.
        barrier: qubits that the barrier spans, all if left out.
    """
    total = sum(int(circuit.num_clbits) for circuit in small)
    out = blank(size, total, name=name) if wide is None else wide
    starts = np.cumsum([0, *(int(circuit.num_clbits) for circuit in small)]).tolist()
    halves = {id(circuit): _halves(circuit) for circuit in small}
    for side in (0, 1):
        for circuit, place, start in zip(small, places, starts[:-1], strict=True):
            for operation, qubits, clbits in halves[id(circuit)][side]:
                out.append(
                    operation, [place[q] for q in qubits], [start + c for c in clbits], copy=False
                )
        if side == 0:
            out.barrier(range(size) if barrier is None else barrier, label=PREPARED)
    return out


_Half = list[tuple[Any, tuple[int, ...], tuple[int, ...]]]


def _halves(circuit: QuantumCircuit) -> tuple[_Half, _Half]:
    qubits = {bit: i for i, bit in enumerate(circuit.qubits)}
    clbits = {bit: i for i, bit in enumerate(circuit.clbits)}
    halves: tuple[_Half, _Half] = ([], [])
    side = 0
    for item in circuit.data:
        if item.operation.name == "barrier":
            side = 1 if item.operation.label == PREPARED else side
            continue
        halves[side].append(
            (
                item.operation,
                tuple(qubits[q] for q in item.qubits),
                tuple(clbits[c] for c in item.clbits),
            )
        )
    return halves


def _check(program: ParallelTest) -> None:
    if not program.groups or not program.tests:
        raise ArgumentError("groups and tests must each be at least one")
    for group in program.groups:
        if not 0 <= group.test < len(program.tests):
            raise ArgumentError(f"groups must name a test, but named {group.test}")
        size = program.tests[group.test].num_qubits
        held = [q for place in group.places for q in place]
        if not group.places or any(len(place) != size for place in group.places):
            raise ArgumentError(f"places must be of {size} qubits each, but were {group.places}")
        if len(set(held)) < len(held) or min(held) < 0:
            raise ArgumentError("places of a group must share no qubit")
