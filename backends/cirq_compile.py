"""Compilation to the gates of a Google processor, barrier by barrier and part by part.

Each piece between two barriers is compiled on its own, and in it each set of qubits that gates
join, so that nothing is merged across a barrier and a chip full of equal pairs is compiled once.
All measurements come in one last moment.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import cirq
import cirq_google

from ebit.backends.cirq_defer import Deferred, defer
from ebit.backends.cirq_device import Chip
from ebit.circuits.cirq_map import pieces

if TYPE_CHECKING:
    from ebit.circuits.program import Program

# What is compiled once: per moment, gates on the qubits of one part, numbered from 0.
Moments = tuple[tuple[tuple[Any, tuple[int, ...]], ...], ...]
_cache: OrderedDict[Any, Moments] = OrderedDict()
_KEPT = 4096
_KEEP = "ebit:keep"  # waiting and resetting are no gates to be merged or dropped
_DIGITS = 12


def gateset(entangler: str) -> Any:
    """Cirq's own compiler to a two-qubit gate and PhasedXZ, the gates Google calibrates."""
    if entangler == "cz":
        return cirq_google.GoogleCZTargetGateset()
    if entangler == "sqrt_iswap":
        return cirq.SqrtIswapTargetGateset()
    return cirq_google.SycamoreTargetGateset()


def native_circuits(
    experiment: Program, chip: Chip, qubits: Sequence[int]
) -> tuple[tuple[Any, ...], tuple[str, ...]]:
    """Circuits on the grid qubits asked for, and what compiling them took for granted.

    Args:
        experiment: what to compile; its couplings must be couplings of the chip.
        chip: the processor.
        qubits: physical qubit of each logical one.

    Raises:
        ArgumentError: a measured qubit is used again.

    Example:
        >>> from ebit.backends.cirq_device import virtual_chip
        >>> from ebit.circuits import chsh
        >>> made, _ = native_circuits(chsh(), virtual_chip("willow_pink"), (0, 1))
        >>> sum(op.gate == cirq.CZ for op in made[0].all_operations())
        1
    """
    place = {cirq.LineQubit(i): chip.grid[q] for i, q in enumerate(qubits)}
    circuits, assumptions = [], dict[str, None]()
    for source in experiment.circuits:
        late = defer(pieces(source), source.name)
        assumptions |= dict.fromkeys(late.assumptions)
        circuits.append(assemble(late, [piece.operations for piece in late.pieces], place, chip))
    return tuple(circuits), tuple(assumptions)


def assemble(
    late: Deferred, parts: Sequence[Sequence[Any]], place: Mapping[Any, Any], chip: Chip
) -> Any:
    """One circuit on grid qubits out of compiled pieces and the measurements.

    Args:
        late: the circuit.
        parts: operations of each of its pieces.
        place: grid qubit of each qubit of the parts and of the measurements.
        chip: the processor, which then has to accept the circuit.
    """
    moments: list[Any] = []
    for piece, operations in zip(late.pieces, parts, strict=True):
        moments += _piece(operations, piece.tag, place, chip.entangler)
    if late.measured:
        reads = [cirq.measure(place[qubit], key=f"c{bit}") for bit, qubit in late.measured]
        moments.append(cirq.Moment(_tagged(op, late.tag) for op in reads))
    circuit = cirq.Circuit(moments)
    chip.device.validate_circuit(circuit)
    return circuit


def _tagged(operation: Any, tag: str | None) -> Any:
    return operation.with_tags(tag) if tag else operation


def _piece(
    operations: Sequence[Any], tag: str | None, place: Mapping[Any, Any], entangler: str
) -> list[Any]:
    """Moments of a piece. Parts end together: what is prepared waits as little as possible."""
    compiled = []
    for part in _parts(operations):
        qubits = sorted({q for operation in part for q in operation.qubits})
        number = {q: i for i, q in enumerate(qubits)}
        key = tuple((op.gate, tuple(number[q] for q in op.qubits)) for op in part)
        compiled.append((_compiled(entangler, key), [place[q] for q in qubits]))
    depth = max((len(moments) for moments, _ in compiled), default=0)
    slots: list[list[Any]] = [[] for _ in range(depth)]
    for moments, grid in compiled:
        for slot, moment in zip(slots[depth - len(moments) :], moments, strict=True):
            slot += [_tagged(gate.on(*(grid[i] for i in at)), tag) for gate, at in moment]
    return [cirq.Moment(slot) for slot in slots if slot]


def _parts(operations: Iterable[Any]) -> list[list[Any]]:
    """Operations grouped by the qubits they join."""
    group: dict[Any, list[Any]] = {}  # of every qubit, shared by those of its part
    members: dict[int, set[Any]] = {}
    for operation in operations:
        merged: list[Any] = []
        held: set[Any] = set(operation.qubits)
        seen: set[int] = set()
        for qubit in operation.qubits:
            part = group.get(qubit)
            if part is not None and id(part) not in seen:
                seen.add(id(part))
                if len(part) > len(merged):
                    merged, part = part, merged
                merged += part
                held |= members.get(id(group[qubit]), set())
        merged.append(operation)
        for qubit in held:
            group[qubit] = merged
        members[id(merged)] = held
    return list({id(part): part for part in group.values()}.values())


def _compiled(entangler: str, key: tuple[tuple[Any, tuple[int, ...]], ...]) -> Moments:
    known = (entangler, key)
    if known not in _cache:
        _cache[known] = _optimise(entangler, key)
        while len(_cache) > _KEPT:
            _cache.popitem(last=False)
    _cache.move_to_end(known)
    return _cache[known]


def _optimise(entangler: str, key: tuple[tuple[Any, tuple[int, ...]], ...]) -> Moments:
    size = 1 + max(i for _, at in key for i in at)
    line = cirq.LineQubit.range(size)
    operations = []
    for gate, at in key:
        operation = gate.on(*(line[i] for i in at))
        kept = isinstance(gate, cirq.WaitGate | cirq.ResetChannel)
        operations.append(operation.with_tags(_KEEP) if kept else operation)
    made = cirq.optimize_for_target_gateset(
        cirq.Circuit(operations),
        gateset=gateset(entangler),
        context=cirq.TransformerContext(tags_to_ignore=(_KEEP,)),
    )
    moments = []
    for moment in made:
        gates = [(_tidy(op.gate), tuple(q.x for q in op.qubits)) for op in moment]
        kept_gates = tuple((gate, at) for gate, at in gates if gate is not None)
        if kept_gates:
            moments.append(kept_gates)
    return tuple(moments)


def _tidy(gate: Any) -> Any:
    """A gate without rounding errors: pure Z turns become virtual, those by nothing None."""
    if not isinstance(gate, cirq.PhasedXZGate):
        return gate
    x, z, axis = (
        round(float(v), _DIGITS)
        for v in (gate.x_exponent, gate.z_exponent, gate.axis_phase_exponent)
    )
    if x % 2 == 0:
        # X^2 is the identity up to a phase.
        return cirq.ZPowGate(exponent=z) if z % 2 else None
    return cirq.PhasedXZGate(x_exponent=x, z_exponent=z, axis_phase_exponent=axis)
