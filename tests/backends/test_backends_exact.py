"""Exact distributions against Aer's density matrices and against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.quantum_info import Statevector

from ebit.backends.calibration import load_calibration
from ebit.backends.exact import distributions, joint
from ebit.backends.lower import components, lower
from ebit.backends.noise import DeviceNoise, aer_noise_model
from ebit.games import ArgumentError


def blank(qubits, clbits):
    return QuantumCircuit(QuantumRegister(qubits, "q"), ClassicalRegister(clbits, "c"))


def native_circuit(rng, qubits, depth, *, middle=False):
    """Random native circuit of Fez on a chain of its qubits (local numbering)."""
    n = len(qubits)
    circuit = blank(n, n)
    for _ in range(depth):
        kind = rng.integers(0, 5 if middle else 3)
        q = int(rng.integers(n))
        if kind == 0:
            circuit.rz(float(rng.uniform(0, 6)), q)
            circuit.sx(q)
        elif kind == 1:
            a = int(rng.integers(n - 1))
            circuit.cz(*((a, a + 1) if rng.random() < 0.5 else (a + 1, a)))
        elif kind == 2:
            circuit.x(q)
            circuit.delay(int(rng.integers(100, 5000)), q, unit="ns")
        elif kind == 3:
            circuit.measure(q, int(rng.integers(n)))
            if rng.random() < 0.5:
                circuit.reset(q)
        else:
            with circuit.if_test((circuit.clbits[int(rng.integers(n))], 1)) as otherwise:
                circuit.sx(q)
            with otherwise:
                circuit.x((q + 1) % n)
    for q in range(n):
        circuit.measure(q, n - 1 - q)
    return circuit


def on_chip(circuit, qubits, size=156):
    """The circuit on the physical qubits of a chip."""
    wide = blank(size, circuit.num_clbits)
    wide.compose(circuit, qubits=qubits, clbits=range(circuit.num_clbits), inplace=True)
    return wide


def aer_distribution(circuit, model):
    """Exact distribution by Aer: final density matrix, then the readout matrices by hand."""
    from qiskit_aer import AerSimulator

    n = circuit.num_qubits
    bare = circuit.remove_final_measurements(inplace=False)
    bare.save_density_matrix()
    simulator = AerSimulator(method="density_matrix", noise_model=model)
    rho = simulator.run(bare).result().data(0)["density_matrix"].data
    probabilities = np.real(np.diag(rho))
    out = np.zeros(2**n)
    for code, p in enumerate(probabilities):
        bits = [(code >> q) & 1 for q in range(n)]
        for read in range(2**n):
            weight = p
            for q in range(n):
                matrix = model._local_readout_errors[(q,)].probabilities if model else np.eye(2)
                weight *= matrix[bits[q]][(read >> (n - 1 - q)) & 1]
            out[read] += weight
    return out


@pytest.mark.parametrize(("seed", "qubits"), [(1, (0, 1, 2)), (2, (5, 4, 3)), (3, (20, 21, 22))])
def test_terminal_measurements_equal_aers_density_matrix(seed, qubits):
    # Second route: Aer's final density matrix under its own noise model; bits are reversed by
    # the circuit (qubit q is read into bit n - 1 - q). Aer drops error terms of tiny probability
    # and so loses trace, 1e-10 to 1e-9 per gate: no more than that may differ.
    rng = np.random.default_rng(seed)
    noise = DeviceNoise(load_calibration("fez"))
    circuit = native_circuit(rng, qubits, 25)
    mine = joint(distributions(on_chip(circuit, qubits), noise), 3)
    theirs = aer_distribution(circuit, aer_noise_model(noise, qubits))
    lost = 1 - theirs.sum()
    assert -1e-12 < lost < 1e-7
    np.testing.assert_allclose(mine, theirs, atol=lost + 1e-10, rtol=0)


@pytest.mark.parametrize("seed", range(10, 13))
def test_measurements_resets_and_conditions_in_the_middle_equal_aers_sampling(seed):
    from qiskit_aer import AerSimulator

    rng = np.random.default_rng(seed)
    qubits = (5, 4, 3)
    noise = DeviceNoise(load_calibration("fez"))
    circuit = native_circuit(rng, qubits, 30, middle=True)
    mine = joint(distributions(on_chip(circuit, qubits), noise), 3)
    shots = 10_000
    simulator = AerSimulator(
        method="density_matrix", noise_model=aer_noise_model(noise, qubits), seed_simulator=seed
    )
    counts = simulator.run(circuit, shots=shots).result().get_counts()
    theirs = np.array([counts.get(f"{i:03b}", 0) for i in range(8)])
    # Chi-square with at most 7 degrees of freedom: 40 has a probability of 1e-6.
    expected = mine * shots
    rare = expected < 1
    assert theirs[rare].sum() <= expected[rare].sum() + 8
    assert ((theirs - expected) ** 2 / expected)[~rare].sum() < 40


def test_readout_error_spoils_the_record_that_a_condition_reads():
    # One qubit in 0, read with error e, flipped when the record says 1: the second reading is 1
    # with probability e (1 - e) + (1 - e) e.
    noise = DeviceNoise(load_calibration("torino"))
    e = noise.calibration.readout[0].error
    circuit = blank(133, 2)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.rz(0.0, 0)
    circuit.measure(0, 1)
    p = joint(distributions(circuit, noise), 2)
    assert p[0b01] == pytest.approx(e * (1 - e))  # record wrong, state still 0
    flipped = blank(133, 2)
    flipped.measure(0, 0)
    with flipped.if_test((flipped.clbits[0], 1)):
        flipped.x(0)
    flipped.measure(0, 1)
    p = joint(distributions(flipped, noise), 2)
    # The flip leaves 1 but for relaxation and the gate's own error, each far below 1 %.
    assert p[0b11] == pytest.approx(e * (1 - e), rel=0.01)
    assert p[0b00] == pytest.approx((1 - e) ** 2, abs=1e-12)


def test_ideal_circuits_equal_qiskits_statevector_in_bit_order():
    rng = np.random.default_rng(3)
    circuit = blank(4, 4)
    for q in range(4):
        circuit.u(*rng.uniform(0, 3, 3), q)
    circuit.cry(0.7, 0, 2)
    circuit.cx(3, 1)
    circuit.swap(1, 2)
    expected = Statevector(circuit).probabilities([2, 0, 3, 1])
    for clbit, qubit in enumerate([2, 0, 3, 1]):
        circuit.measure(qubit, clbit)
    np.testing.assert_allclose(joint(distributions(circuit), 4), expected, atol=1e-12)


def test_teleported_state_and_overwritten_bits():
    circuit = blank(3, 3)
    circuit.ry(0.8, 0)
    circuit.h(1)
    circuit.cx(1, 2)
    circuit.cx(0, 1)
    circuit.h(0)
    circuit.measure([0, 1], [0, 1])
    with circuit.if_test((circuit.clbits[1], 1)):
        circuit.x(2)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.z(2)
    circuit.measure(2, 2)
    p = joint(distributions(circuit), 3)
    assert p[4:].sum() == pytest.approx(np.sin(0.4) ** 2)
    np.testing.assert_allclose(p[:4], np.cos(0.4) ** 2 / 4)
    circuit.reset(0)
    circuit.measure(0, 2)  # bit 2 now says 0
    assert joint(distributions(circuit), 3)[:4].sum() == pytest.approx(1)


def test_components_split_and_conditions_join_them():
    circuit = blank(6, 4)
    circuit.cx(0, 1)
    circuit.h(5)  # nobody measures it
    circuit.measure(1, 3)
    circuit.measure(2, 0)
    circuit.x(4)
    circuit.measure(4, 1)
    parts = components(lower(circuit))
    assert [(p.qubits, p.clbits) for p in parts] == [((2,), (0,)), ((4,), (1,)), ((0, 1), (3,))]
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(4)
    assert [(p.qubits, p.clbits) for p in components(lower(circuit))] == [
        ((2, 4), (0, 1)),
        ((0, 1), (3,)),
    ]
    whole = joint(distributions(circuit), 4)
    assert whole[0b0010] == 1.0


def test_what_cannot_be_simulated_is_named():
    circuit = blank(2, 2)
    circuit.initialize([0, 1], 0)
    assert lower(circuit)  # has a definition
    register = blank(2, 2)
    with register.if_test((register.cregs[0], 3)):
        register.x(0)
    with pytest.raises(ArgumentError, match="one classical bit"):
        lower(register)


def test_reported_readout_errors_keep_their_side():
    # p10 and p01 of the calibration, at the end of a circuit and in its middle.
    noise = DeviceNoise(load_calibration("fez"), "reported")
    data = noise.calibration.readout[0]
    assert abs(data.p01 - data.p10) > 0.01
    for middle in (False, True):
        zero, one = blank(156, 2), blank(156, 2)
        one.x(0)
        for circuit in (zero, one):
            circuit.measure(0, 1)
            if middle:
                circuit.sx(0)
        assert joint(distributions(zero, noise), 2)[2] == pytest.approx(data.p10, abs=1e-12)
        # The gate's own error, 0.08 %, and relaxation come on top of p01.
        assert joint(distributions(one, noise), 2)[0] == pytest.approx(data.p01, abs=1.5e-3)
    read = aer_noise_model(noise, (5, 0))._local_readout_errors[(1,)].probabilities
    assert read[0][1] == data.p10  # Aer: row is what is true, column what is read
    assert read[1][0] == data.p01
