"""Clifford circuits: recognised without tolerance for near misses, compared, and sampled by stim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ebit.backends.lower import Op, gate_matrix

_TOLERANCE = 1e-9
Bits = npt.NDArray[np.bool_]


@lru_cache(maxsize=4096)
def clifford(
    name: str, params: tuple[float, ...]
) -> tuple[tuple[str, tuple[int, ...]], ...] | None:
    """A standard gate as stim gates on qubits 0, 1, ...; None when it is not Clifford.

    stim itself accepts rotations that are off by a hundredth; here every generator must go to a
    Pauli operator to within 1e-9.
    """
    import stim

    unitary = gate_matrix(name, params)
    n = len(unitary).bit_length() - 1
    try:
        tableau = stim.Tableau.from_unitary_matrix(unitary, endian="little")
    except ValueError:
        return None
    for q in range(n):
        for letter, image in (("X", tableau.x_output(q)), ("Z", tableau.z_output(q))):
            pauli = stim.PauliString(n)
            pauli[q] = letter
            before = pauli.to_unitary_matrix(endian="little").astype(np.complex128)
            after = image.to_unitary_matrix(endian="little").astype(np.complex128)
            if np.abs(unitary @ before @ unitary.conj().T - after).max() > _TOLERANCE:
                return None
    circuit = tableau.to_circuit("elimination")
    return tuple(
        (item.name, tuple(target.value for target in group))
        for item in circuit
        for group in item.target_groups()
    )


def to_stim(ops: Sequence[Op], place: Mapping[int, int]) -> tuple[Any, list[int]] | None:
    """A stim circuit and the classical bit of each of its measurements, in order.

    Args:
        ops: operations; conditions may hold Pauli gates only.
        place: stim's index of every qubit.

    Returns:
        None when something is not Clifford.
    """
    import stim

    circuit = stim.Circuit()
    written: list[int] = []
    for op in ops:
        where = [place[q] for q in op.qubits]
        if op.name == "measure":
            circuit.append("M", where)
            written.append(op.clbits[0])
        elif op.name == "reset":
            circuit.append("R", where)
        elif op.name == "if_else":
            if not _feedback(circuit, op, place, written):
                return None
        elif op.name != "delay":
            gates = clifford(op.name, op.params)
            if gates is None:
                return None
            for name, targets in gates:
                circuit.append(name, [where[t] for t in targets])
    return circuit, written


def _feedback(circuit: Any, op: Op, place: Mapping[int, int], written: Sequence[int]) -> bool:
    """Pauli gates on a condition, as stim's classically controlled Paulis."""
    import stim

    bit, value = op.clbits[0], int(op.params[0])
    earlier = [i for i, c in enumerate(written) if c == bit]
    for body, wanted in ((op.then, value), (op.otherwise, 1 - value)):
        for inner in body:
            if inner.name in ("id", "delay"):
                continue
            if inner.name not in ("x", "y", "z"):
                return False
            target = place[inner.qubits[0]]
            if wanted == 0:  # on 0: always, and undone on 1
                circuit.append(inner.name.upper(), [target])
            if earlier:
                record = stim.target_rec(earlier[-1] - len(written))
                circuit.append(f"C{inner.name.upper()}", [record, target])
    return True


def stabilisers(ops: Sequence[Op], place: Mapping[int, int]) -> list[str] | None:
    """Canonical stabilisers of the state that unitary operations prepare, None if not Clifford."""
    import stim

    made = to_stim(ops, place)
    if made is None or made[1]:
        return None
    simulator = stim.TableauSimulator()
    simulator.set_num_qubits(len(place))
    simulator.do_circuit(made[0])
    return [str(s) for s in simulator.canonical_stabilizers()]


def observables(ops: Sequence[Op], place: Mapping[int, int]) -> dict[int, str] | None:
    """What each classical bit measures, pulled back to before the operations: bit -> signed Pauli.

    None when something is not Clifford or follows a measurement.
    """
    import stim

    from ebit.backends.exact import terminal_measurements

    ends = terminal_measurements(ops)
    body = [op for i, op in enumerate(ops) if i not in ends]
    if any(op.name in ("measure", "reset", "if_else") for op in body):
        return None
    made = to_stim(body, place)
    if made is None:
        return None
    tableau = stim.Tableau(len(place))
    tableau = tableau.then(_padded(made[0], len(place)).to_tableau())
    inverse = tableau.inverse()
    return {ops[i].clbits[0]: str(inverse.z_output(place[ops[i].qubits[0]])) for i in ends}


def _padded(circuit: Any, n: int) -> Any:
    import stim

    whole = stim.Circuit()
    whole.append("I", range(n))
    return whole + circuit


def outcome_subspace(ops: Sequence[Op], place: Mapping[int, int]) -> Bits | None:
    """The set of outcomes of a Clifford circuit with measurements at the end.

    Outcomes of such a circuit are uniform over an affine subspace: those z with A z = b over
    GF(2). The rows come from the stabilisers of the final state that act by Z on measured qubits
    alone.

    Returns:
        [A | b] in reduced row echelon form, one column per classical bit in ascending order; None
        when the circuit is not of this kind.

    Source:
        Aaronson and Gottesman, Phys. Rev. A 70, 052328 (2004), section III.
    """
    pulled = observables(ops, place)
    if pulled is None:
        return None
    import stim

    bits = sorted(pulled)
    # On |0...0> a product of pulled-back observables is fixed where its X part vanishes; its sign
    # is the parity of the outcomes.
    strings = [stim.PauliString(pulled[b]) for b in bits]
    x_part = np.array([s.to_numpy()[0] for s in strings], dtype=bool).reshape(len(bits), -1)
    rows = []
    for combination in _null_space(x_part.T):
        product = stim.PauliString(len(place))
        for chosen in np.nonzero(combination)[0]:
            product *= strings[chosen]
        rows.append(np.append(combination, product.sign.real < 0))
    return _echelon(np.array(rows, dtype=bool).reshape(len(rows), len(bits) + 1), len(bits))


def _echelon(matrix: Bits, columns: int) -> Bits:
    """Reduced row echelon form over GF(2) by the first `columns` columns, zero rows dropped."""
    m = matrix.copy()
    row = 0
    for column in range(columns):
        found = np.nonzero(m[row:, column])[0]
        if not len(found):
            continue
        m[[row, row + found[0]]] = m[[row + found[0], row]]
        others = m[:, column].copy()
        others[row] = False
        m[others] ^= m[row]
        row += 1
        if row == len(m):
            break
    return m[:row]


def _null_space(matrix: Bits) -> Bits:
    """Basis of the vectors v with matrix v = 0 over GF(2), one per row."""
    columns = matrix.shape[1]
    reduced = _echelon(matrix, columns)
    pivots = [int(np.argmax(r)) for r in reduced]
    free = [c for c in range(columns) if c not in set(pivots)]
    basis = np.zeros((len(free), columns), dtype=bool)
    for i, c in enumerate(free):
        basis[i, c] = True
        for r, pivot in zip(reduced, pivots, strict=True):
            basis[i, pivot] = r[c]
    return basis
