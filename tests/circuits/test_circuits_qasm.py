"""A second route to Cirq: out of Qiskit as QASM 2, into Cirq by its own parser.

The closed map of gates must agree with it on every circuit that QASM 2 can carry: by unitary before
the measurements, and by the distribution of outcomes, which Qiskit computes too. QASM 2 has no
``if_else`` on one bit, no free parameters and, as Cirq reads it, no barriers and no delays: barriers
are taken out, and the rest is counted as unable to follow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cirq
import numpy as np
import numpy.typing as npt
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, qasm2
from qiskit.circuit import Parameter
from qiskit.quantum_info import DensityMatrix, Operator
from qiskit.transpiler.passes import RemoveBarriers

import ebit.circuits as c

pytest.importorskip("ply", reason="Cirq's parser of QASM needs it")

from cirq.contrib.qasm_import import QasmException, circuit_from_qasm

NOT_UNITARY = {"measure", "reset", "barrier", "delay"}
ANGLED = {"rx", "ry", "rz", "p", "cry", "crz", "rzz"}
ON_TWO = {"cx", "cz", "swap", "ecr", "cry", "crz", "rzz"}


def by_qasm(circuit: QuantumCircuit) -> Any:
    """Translate through QASM 2, with the qubits and keys that `to_cirq` uses."""
    read = circuit_from_qasm(qasm2.dumps(RemoveBarriers()(circuit)))
    qubits = {
        cirq.NamedQubit(f"{register.name}_{i}"): cirq.LineQubit(circuit.find_bit(bit).index)
        for register in circuit.qregs
        for i, bit in enumerate(register)
    }
    keys = {
        f"{register.name}_{i}": f"c{circuit.find_bit(bit).index}"
        for register in circuit.cregs
        for i, bit in enumerate(register)
    }
    measured = read.all_measurement_key_names()
    renamed = cirq.with_measurement_key_mapping(read, {k: keys[k] for k in measured})
    return renamed.transform_qubits(lambda q: qubits[q])


def gates_of(circuit: Any) -> Any:
    return cirq.Circuit(op for op in circuit.all_operations() if not cirq.is_measurement(op))


def unitary_of(circuit: Any, qubits: int) -> npt.NDArray[np.complex128]:
    """In Qiskit's order: qubit 0 is the least significant."""
    line = cirq.LineQubit.range(qubits)
    found = gates_of(circuit).unitary(qubit_order=line[::-1], qubits_that_should_be_present=line)
    return np.asarray(found, dtype=np.complex128)


def distribution_of(circuit: Any, clbits: int) -> npt.NDArray[np.float64]:
    """Exact probabilities; bit j of an index is the outcome under the key cj."""
    # A coin is measured before it controls: its outcome is copied to a further qubit.
    deferred = cirq.defer_measurements(circuit)
    where = {
        cirq.measurement_key_name(op): op.qubits[0]
        for op in deferred.all_operations()
        if cirq.is_measurement(op)
    }
    measured = [where[f"c{j}"] for j in reversed(range(clbits))]
    order = measured + sorted(deferred.all_qubits() - set(measured))
    state = gates_of(deferred).final_state_vector(qubit_order=order, dtype=np.complex128)
    return np.asarray((abs(state) ** 2).reshape(1 << clbits, -1).sum(axis=1), dtype=np.float64)


def assert_same_unitary(circuit: QuantumCircuit) -> None:
    """The map, QASM 2 and Qiskit agree up to a global phase."""
    expected = Operator(circuit).data
    for translated in (c.to_cirq(circuit), by_qasm(circuit)):
        found = unitary_of(translated, circuit.num_qubits)
        cirq.testing.assert_allclose_up_to_global_phase(found, expected, atol=1e-9)


def put(circuit: QuantumCircuit, name: str, angle: float, on: list[int]) -> None:
    parameters = [angle] if name in ANGLED else []
    getattr(circuit, name)(*parameters, *on[: 2 if name in ON_TWO else 1])


@pytest.mark.parametrize("name", sorted(c.GATES - NOT_UNITARY))
def test_every_gate_of_the_map(name: str) -> None:
    # Turned in between, so that no gate hides behind another one or behind a symmetry.
    circuit = QuantumCircuit(3)
    for angle, on in ((0.7, [2, 0]), (-2.9, [0, 1]), (4.1, [1, 2])):
        circuit.ry(0.3 + angle, 0)
        circuit.rx(1.1 - angle, 1)
        circuit.ry(0.5 * angle, 2)
        put(circuit, name, angle, on)
    assert_same_unitary(circuit)


def test_random_circuits() -> None:
    rng = np.random.default_rng(31)
    names = sorted(c.GATES - NOT_UNITARY)
    for _ in range(5):
        circuit = QuantumCircuit(4)
        for _ in range(60):
            name = str(rng.choice(names))
            put(circuit, name, rng.normal(), rng.permutation(4).tolist())
        assert_same_unitary(circuit)


def test_resets() -> None:
    circuit = QuantumCircuit(2)
    circuit.ry(0.9, 0)
    circuit.cx(0, 1)
    circuit.ry(0.4, 1)
    circuit.reset(0)
    circuit.cry(1.3, 1, 0)
    expected = DensityMatrix.from_label("00").evolve(circuit).data
    line = cirq.LineQubit.range(2)
    simulator = cirq.DensityMatrixSimulator(dtype=np.complex128)
    for translated in (c.to_cirq(circuit), by_qasm(circuit)):
        found = simulator.simulate(translated, qubit_order=line[::-1]).final_density_matrix
        np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("registers", [False, True])
def test_permuted_measurement(exact_distribution: Any, registers: bool) -> None:
    circuit = (
        QuantumCircuit(
            QuantumRegister(1, "front"),
            QuantumRegister(2, "back"),
            ClassicalRegister(2, "bob"),
            ClassicalRegister(1, "alice"),
        )
        if registers
        else QuantumCircuit(3, 3)
    )
    circuit.ry(0.4, 0)
    circuit.ry(1.0, 1)
    circuit.ry(2.3, 2)
    circuit.cx(2, 0)
    circuit.measure([0, 1, 2], [2, 0, 1])
    expected = exact_distribution(circuit)
    assert len(set(expected.round(6))) == 8  # no two outcomes can be taken for one another
    for translated in (c.to_cirq(circuit), by_qasm(circuit)):
        np.testing.assert_allclose(distribution_of(translated, 3), expected, atol=1e-9)


STATES: list[Callable[[], QuantumCircuit]] = [
    *(lambda name=name: c.bell(name) for name in c.BELL_STATES),
    lambda: c.partial_pair(0.4),
    lambda: c.w_state(3),
    lambda: c.w_state(4),
    lambda: c.ghz(4),
    lambda: c.graph_state([(0, 1), (1, 2), (2, 3), (3, 0)]),
]


@pytest.mark.parametrize("build", STATES)
def test_every_state_by_its_unitary(build: Callable[[], QuantumCircuit]) -> None:
    assert_same_unitary(build())


def side_by_side() -> c.ParallelTest:
    return c.ParallelTest(
        name="two pairs",
        tests=(c.chsh(state=0.4, angles=c.ALIKE_ANGLES),),
        groups=(c.Group(0, ((4, 1), (2, 3)), "simultaneous"),),
    )


ANGLES = ((0.3, 1.9), (-0.4, 2.2))
# Builders, and how many of their circuits QASM 2 carries to Cirq: all of them, or none.
PROGRAMS: dict[str, tuple[Callable[[], Any], int]] = {
    "chsh": (lambda: c.chsh(state="psi-"), 4),
    "swapped": (lambda: c.chsh(state="partial:0.4", angles=ANGLES, swapped=True), 4),
    "with readout": (lambda: c.with_readout(c.chsh(state=0.4, angles=ANGLES)), 6),
    "coins": (lambda: c.chsh(state=0.4, angles=ANGLES, settings="per-shot"), 1),
    "coins fed forward": (
        lambda: c.chsh(state=0.4, angles=ANGLES, settings="per-shot", coins="feed-forward"),
        0,
    ),
    "two pairs": (side_by_side, 4),
    "mermin": (lambda: c.mermin_ghz(3, layout="tree"), 4),
    "magic square": (c.magic_square, 9),
    "bases": (lambda: c.bases_agree("XYZ", state="psi+"), 3),
    "chained": (lambda: c.chained_chsh(3, state="phi-"), 6),
    "fringe": (lambda: c.fringe(state=0.4, points=5), 5),
    "stabilisers": (lambda: c.stabilisers([(0, 1), (1, 2), (2, 3)], which=[1, 6, 11, 15]), 4),
    "w state": (lambda: c.w_fidelity(3, layout="tree"), 7),
}


def conditional(circuit: QuantumCircuit) -> bool:
    return "if_else" in circuit.count_ops()


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_by_both_routes(exact_distribution: Any, name: str) -> None:
    build, count = PROGRAMS[name]
    program = build()
    followed = 0
    for circuit in program.circuits:
        if conditional(circuit):
            with pytest.raises(qasm2.QASM2ExportError):
                by_qasm(circuit)
            continue
        mapped, second = c.to_cirq(circuit), by_qasm(circuit)
        n, m = circuit.num_qubits, circuit.num_clbits
        assert mapped.are_all_measurements_terminal() == (name != "coins")
        if name != "coins":
            cirq.testing.assert_allclose_up_to_global_phase(
                unitary_of(mapped, n), unitary_of(second, n), atol=1e-9
            )
        expected = exact_distribution(circuit)
        for found in (distribution_of(mapped, m), distribution_of(second, m)):
            assert math.isclose(found.sum(), 1)
            np.testing.assert_allclose(found, expected, atol=1e-9)
        followed += 1
    assert followed == count


def test_how_many_circuits_can_follow() -> None:
    circuits = {name: build().circuits for name, (build, _) in PROGRAMS.items()}
    cannot = {name for name, made in circuits.items() if any(map(conditional, made))}
    assert cannot == {"coins fed forward"}
    assert sum(count for _, count in PROGRAMS.values()) == 57
    assert sum(map(len, circuits.values())) == 58


@pytest.mark.parametrize("kind", ["condition", "free", "delay"])
def test_what_qasm_cannot_carry(kind: str) -> None:
    circuit = QuantumCircuit(1, 1)
    if kind == "condition":
        circuit.measure(0, 0)
        with circuit.if_test((circuit.clbits[0], 1)):
            circuit.x(0)
    elif kind == "free":
        circuit.ry(Parameter("t"), 0)
    else:
        circuit.delay(100, 0, unit="ns")
    with pytest.raises((qasm2.QASM2ExportError, QasmException)):
        by_qasm(circuit)
