"""The translation to Cirq: every gate by its unitary, every experiment by its distribution."""

from __future__ import annotations

from typing import Any

import cirq
import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import Operator

import ebit.circuits as c
from ebit.games import ArgumentError

ONE = ["id", "h", "x", "y", "z", "s", "sdg", "sx", "t", "tdg"]
ONE_ANGLE = ["rx", "ry", "rz", "p"]
TWO = ["cx", "cz", "swap", "ecr"]
TWO_ANGLE = ["cry", "crz", "rzz"]


def assert_same_unitary(circuit: QuantumCircuit) -> None:
    """Compare up to a global phase; Cirq's first qubit is the most significant."""
    n = circuit.num_qubits
    found = c.to_cirq(circuit).unitary(
        qubit_order=cirq.LineQubit.range(n)[::-1],
        qubits_that_should_be_present=cirq.LineQubit.range(n),
    )
    cirq.testing.assert_allclose_up_to_global_phase(found, Operator(circuit).data, atol=1e-9)


def cirq_distribution(circuit: Any, clbits: int) -> Any:
    """Exact probabilities with bit j of an index the key cj, by deferred measurement in Cirq."""
    deferred = cirq.defer_measurements(circuit)
    where = {}
    for operation in deferred.all_operations():
        if cirq.is_measurement(operation):
            (where[cirq.measurement_key_name(operation)],) = operation.qubits
    bare = cirq.Circuit(op for op in deferred.all_operations() if not cirq.is_measurement(op))
    rest = sorted(deferred.all_qubits() - set(where.values()))
    order = [where[f"c{j}"] for j in reversed(range(clbits))] + rest
    state = cirq.Simulator(dtype=np.complex128).simulate(bare, qubit_order=order).final_state_vector
    return (abs(state) ** 2).reshape(1 << clbits, -1).sum(axis=1)


@pytest.mark.parametrize("name", ONE + ONE_ANGLE + TWO + TWO_ANGLE)
def test_every_gate_by_its_unitary(name: str) -> None:
    for angle in (0.7, -2.9, 4.1):
        for place in ([2, 0], [0, 1]):
            circuit = QuantumCircuit(3)
            # A frame that no gate shares, so that a wrong order of qubits shows.
            circuit.ry(0.3, 0)
            circuit.rx(1.1, 1)
            circuit.rz(0.5, 2)
            on = place if name in TWO + TWO_ANGLE else place[:1]
            parameters = [angle] if name in ONE_ANGLE + TWO_ANGLE else []
            getattr(circuit, name)(*parameters, *on)
            circuit.ry(0.2, 1)
            assert_same_unitary(circuit)


def test_the_map_covers_every_gate_the_room_uses() -> None:
    unitary = set(ONE + ONE_ANGLE + TWO + TWO_ANGLE)
    assert unitary | {"measure", "reset", "barrier", "delay"} == c.GATES


def test_random_circuits_by_their_unitary() -> None:
    rng = np.random.default_rng(9)
    for _ in range(20):
        circuit = QuantumCircuit(4)
        for _ in range(25):
            name = str(rng.choice(ONE + ONE_ANGLE + TWO + TWO_ANGLE))
            on = rng.permutation(4)[: 2 if name in TWO + TWO_ANGLE else 1].tolist()
            parameters = [rng.normal()] if name in ONE_ANGLE + TWO_ANGLE else []
            getattr(circuit, name)(*parameters, *on)
        assert_same_unitary(circuit)


EXPERIMENTS = [
    lambda: c.chsh(state="psi-"),
    lambda: c.chsh(state="partial:0.4", angles=((0.3, 1.9), (-0.4, 2.2)), swapped=True),
    lambda: c.chsh(state=0.4, angles=((0.3, 1.9), (-0.4, 2.2)), settings="per-shot"),
    lambda: c.chsh(
        state=0.4, angles=((0.3, 1.9), (-0.4, 2.2)), settings="per-shot", coins="feed-forward"
    ),
    lambda: c.mermin_ghz(3, layout="tree"),
    c.magic_square,
    lambda: c.bases_agree("XYZ", state="psi+"),
    lambda: c.chained_chsh(3, state="phi-"),
    lambda: c.fringe(points=5),
    lambda: c.stabilisers([(0, 1), (1, 2), (2, 3)], which=[1, 6, 11, 15]),
    lambda: c.w_fidelity(3, layout="tree"),
]


@pytest.mark.parametrize("build", EXPERIMENTS)
def test_every_experiment_by_its_distribution(build: Any, exact_distribution: Any) -> None:
    test = build()
    found = [
        cirq_distribution(translated, circuit.num_clbits)
        for translated, circuit in zip(test.to_cirq(), test.circuits, strict=True)
    ]
    for distribution, circuit in zip(found, test.circuits, strict=True):
        np.testing.assert_allclose(distribution, exact_distribution(circuit), atol=1e-7)
    if test.ideal is not None:
        np.testing.assert_allclose(test.behaviour(found), test.ideal, atol=1e-6)


@pytest.mark.parametrize("coins", ["controlled", "feed-forward"])
def test_cirq_itself_samples_the_coin_circuit(coins: Any) -> None:
    test = c.chsh(state=0.4, angles=((0.3, 1.9), (-0.4, 2.2)), settings="per-shot", coins=coins)
    result = cirq.Simulator(seed=5).run(test.to_cirq()[0], repetitions=1500)
    codes = sum(result.measurements[f"c{j}"][:, 0].astype(int) << j for j in range(4))
    rates = np.bincount(codes, minlength=16) / 1500
    assert test.ideal is not None
    for x in (0, 1):
        for y in (0, 1):
            for a in (0, 1):
                for b in (0, 1):
                    exact = test.ideal[2 * x + y, a, b] / 4
                    found = rates[x + 2 * y + 4 * a + 8 * b]
                    assert abs(found - exact) < 5 * np.sqrt(exact / 1500) + 1e-9


def conditioned(value: int, *, otherwise: bool) -> QuantumCircuit:
    """Three bits in a known asymmetric state; the condition looks at bit 1 alone."""
    circuit = QuantumCircuit(4, 4)
    circuit.ry(0.9, 0)
    circuit.ry(1.7, 1)
    circuit.cx(0, 2)
    circuit.measure([0, 1, 2], [2, 1, 0])
    with circuit.if_test((circuit.clbits[1], value)) as other:
        circuit.ry(0.6, 3)
        circuit.sx(3)
    if otherwise:
        with other:
            circuit.ry(2.1, 3)
    circuit.measure(3, 3)
    return circuit


@pytest.mark.parametrize("otherwise", [False, True])
@pytest.mark.parametrize("value", [0, 1])
def test_a_condition_looks_at_its_own_bit_alone(
    exact_distribution: Any, value: int, otherwise: bool
) -> None:
    circuit = conditioned(value, otherwise=otherwise)
    translated = c.to_cirq(circuit)
    expected = exact_distribution(circuit)
    np.testing.assert_allclose(cirq_distribution(translated, 4), expected, atol=1e-7)
    # Once more with Cirq's own feed-forward, which deferring replaces.
    result = cirq.Simulator(seed=3).run(translated, repetitions=1000)
    codes = sum(result.measurements[f"c{j}"][:, 0].astype(int) << j for j in range(4))
    rates = np.bincount(codes, minlength=16) / 1000
    assert (abs(rates - expected) < 5 * np.sqrt(expected / 1000) + 1e-9).all()


@pytest.mark.parametrize("value", [0, 1])
def test_a_condition_on_a_bit_not_yet_measured_sees_zero(
    exact_distribution: Any, value: int
) -> None:
    circuit = QuantumCircuit(1, 2)
    with circuit.if_test((circuit.clbits[1], value)) as other:
        circuit.ry(0.6, 0)
    with other:
        circuit.ry(2.2, 0)
    circuit.measure(0, 0)
    found = cirq_distribution(c.to_cirq(circuit), 1)
    np.testing.assert_allclose(found, exact_distribution(circuit)[:2], atol=1e-7)


def test_reset_and_delay() -> None:
    circuit = QuantumCircuit(2, 2)
    circuit.x([0, 1])
    circuit.delay(120, 1, unit="ns")
    circuit.reset(0)
    circuit.measure([0, 1], [0, 1])
    translated = c.to_cirq(circuit)
    result = cirq.Simulator(seed=1).run(translated, repetitions=20)
    assert not result.measurements["c0"].any()
    assert result.measurements["c1"].all()
    waits = [op.gate for op in translated.all_operations() if isinstance(op.gate, cirq.WaitGate)]
    assert [w.duration.total_nanos() for w in waits] == [120]


def test_barriers_bound_moments_and_label_what_follows() -> None:
    circuit = QuantumCircuit(3, 1)
    circuit.h(0)
    circuit.barrier()
    circuit.h(1)
    circuit.barrier(label=c.PREPARED)
    circuit.h(2)
    circuit.measure(2, 0)
    translated = c.to_cirq(circuit)
    # Without the barriers the three H would share a moment.
    assert len(translated) == 4
    tags = [op.tags for moment in translated for op in moment]
    assert tags == [(), (), (c.PREPARED,), (c.PREPARED,)]
    before, after = c.split(translated)
    assert [len(before), len(after)] == [2, 2]
    assert before + after == translated


def test_tags_keep_cirqs_compiler_from_merging_across_the_barrier() -> None:
    # H before and H after would cancel.
    circuit = QuantumCircuit(1, 1)
    circuit.h(0)
    circuit.barrier(label=c.PREPARED)
    circuit.h(0)
    circuit.measure(0, 0)
    context = cirq.TransformerContext(tags_to_ignore=(c.PREPARED,))
    kept = cirq.merge_single_qubit_gates_to_phased_x_and_z(c.to_cirq(circuit), context=context)
    assert sum(c.PREPARED in op.tags for op in kept.all_operations()) == 2
    assert len(list(kept.all_operations())) >= 3


@pytest.mark.parametrize("build", EXPERIMENTS[:5])
def test_experiments_split_at_their_preparation(build: Any) -> None:
    for translated in build().to_cirq():
        before, after = c.split(translated)
        assert not before.has_measurements()
        assert after.has_measurements()


def test_one_key_per_bit_in_asymmetric_order() -> None:
    circuit = QuantumCircuit(3, 3)
    circuit.x(0)
    circuit.measure([0, 1, 2], [2, 0, 1])
    result = cirq.Simulator().run(c.to_cirq(circuit), repetitions=3)
    assert {key: int(value[0, 0]) for key, value in result.measurements.items()} == {
        "c0": 0,
        "c1": 0,
        "c2": 1,
    }


def build_refused(kind: str) -> QuantumCircuit:
    circuit = QuantumCircuit(3, 3)
    bit = circuit.clbits[0]
    circuit.measure(0, 0)
    if kind == "ccx":
        circuit.ccx(0, 1, 2)
    elif kind == "cx_o0":
        circuit.cx(0, 1, ctrl_state=0)
    elif kind == "again":
        circuit.measure(0, 0)
    elif kind == "register":
        with circuit.if_test((circuit.cregs[0], 5)):
            circuit.x(1)
    elif kind == "inside":
        with circuit.if_test((bit, 1)):
            circuit.measure(1, 1)
    elif kind == "nested":
        with circuit.if_test((bit, 1)), circuit.if_test((bit, 1)):
            circuit.x(1)
    elif kind == "loop":
        with circuit.for_loop(range(2)):
            circuit.x(1)
    elif kind == "dt":
        circuit.delay(100, 0, unit="dt")
    elif kind == "free":
        circuit.ry(Parameter("t"), 0)
    return circuit


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("ccx", "but has 'ccx'"),
        ("cx_o0", "but has 'cx_o0'"),
        ("again", "writes bit 0 again"),
        ("register", "must test one classical bit"),
        ("inside", "holds 'measure'"),
        ("nested", "holds 'if_else'"),
        ("loop", "but has 'for_loop'"),
        ("dt", "but is in 'dt'"),
        ("free", "parameters of 'ry' must be numbers"),
    ],
)
def test_anything_else_is_refused_by_name(kind: str, text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        c.to_cirq(build_refused(kind))


def test_split_needs_the_barrier() -> None:
    with pytest.raises(ArgumentError, match="must have the barrier"):
        c.split(c.to_cirq(c.bell()))
