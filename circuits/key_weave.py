"""An experiment's circuits with something put in: qubits, bits and gates of somebody else."""

from __future__ import annotations

from collections.abc import Sequence

from qiskit import QuantumCircuit

from ebit.circuits.layout import blank

__all__ = ["cut", "joined"]


def cut(circuit: QuantumCircuit, barrier: int) -> tuple[QuantumCircuit, QuantumCircuit]:
    """Return a circuit up to its barrier of this number, counted from 1, itself in, and the rest."""
    parts = (circuit.copy_empty_like(), circuit.copy_empty_like())
    seen = 0
    for item in circuit.data:
        parts[int(seen >= barrier)].append(item)
        seen += item.operation.name == "barrier"
    return parts


def widened(circuit: QuantumCircuit, qubits: int, clbits: int, name: str) -> QuantumCircuit:
    """Return an empty circuit with so many more qubits and bits."""
    return blank(circuit.num_qubits + qubits, circuit.num_clbits + clbits, name=name)


def joined(out: QuantumCircuit, part: QuantumCircuit, *, leave: Sequence[int] = ()) -> None:
    """Append a smaller circuit in place, on the same numbers; its barriers span every qubit.

    Args:
        out: where to.
        part: the circuit.
        leave: qubits whose operations, if on no others, are left out.
    """
    piece = part.copy_empty_like()

    def flush() -> None:
        nonlocal piece
        out.compose(
            piece,
            qubits=range(part.num_qubits),
            clbits=range(part.num_clbits),
            inplace=True,
        )
        piece = part.copy_empty_like()

    for item in part.data:
        if item.operation.name == "barrier":
            flush()
            out.barrier(label=item.operation.label)
        elif not {part.find_bit(q).index for q in item.qubits} <= set(leave):
            piece.append(item)
    flush()
