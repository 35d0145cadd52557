"""Every method against the exact distribution, with circuits that show the order of bits."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister

from ebit.backends.calibration import load_calibration
from ebit.backends.exact import distributions, joint
from ebit.backends.lower import components, lower
from ebit.backends.methods import DENSITY, EXACT, MPS, STATEVECTOR, STIM, Plan, bond_bound, plan
from ebit.backends.noise import DeviceNoise
from ebit.backends.simulate import Job, bits_of_memory, simulate
from ebit.games import ArgumentError

NOISE = DeviceNoise(load_calibration("fez"))
PLACES = (5, 4, 3)


def asymmetric(*, clifford=False, native=False, middle=False):
    """Three coupled qubits read into bits 9, 0 and 4 of ten, all with different biases."""
    where = PLACES if native else (0, 1, 2)
    circuit = QuantumCircuit(QuantumRegister(156 if native else 3, "q"), ClassicalRegister(10, "c"))
    a, b, c = where
    if clifford:
        circuit.x(a)
        circuit.h(b)
        circuit.cx(b, c)
        circuit.s(c)
        circuit.cx(a, b)
    elif native:
        circuit.x(a)
        circuit.sx(b)
        circuit.rz(0.7, b)
        circuit.sx(b)
        circuit.cz(a, b)
        circuit.sx(c)
        circuit.cz(b, c)
        circuit.rz(0.4, c)
        circuit.sx(c)
    else:
        circuit.ry(0.4, a)
        circuit.ry(1.2, b)
        circuit.ry(2.0, c)
        circuit.cry(0.9, a, b)
        circuit.cx(b, c)
    if middle:
        circuit.measure(a, 2)
        with circuit.if_test((circuit.clbits[2], 1)):
            circuit.x(c)
    circuit.measure([a, b, c], [9, 0, 4])
    return circuit


def check(circuit, noise, method, shots=40_000):
    (part,) = components(lower(circuit, dt=4e-9))
    work = [Job(0, part, Plan(method, 10.0))]  # several slices, so that their seams are seen
    got = simulate([circuit], noise, [shots], seed=8, work=work)
    assert got.widths == (10,)
    bits = got.bits(0).astype(np.int64)
    counts = np.bincount(bits @ (1 << np.arange(10)), minlength=1024)
    expected = joint(distributions(circuit, noise), 10) * shots
    assert counts[expected < 1e-6].sum() == 0
    common = expected > 5
    assert ((counts - expected) ** 2 / np.maximum(expected, 1))[common].sum() < 45
    again = simulate([circuit], noise, [shots], seed=8, work=work)
    np.testing.assert_array_equal(got.packed[0], again.packed[0])
    other = simulate([circuit], noise, [shots], seed=9, work=work)
    assert not np.array_equal(got.packed[0], other.packed[0])


@pytest.mark.parametrize("method", [EXACT, STATEVECTOR, MPS])
def test_ideal_methods_agree(method):
    check(asymmetric(), None, method)
    check(asymmetric(middle=True), None, method, shots=4000)


def test_stim_agrees():
    check(asymmetric(clifford=True), None, STIM)
    check(asymmetric(clifford=True, middle=True), None, STIM)


@pytest.mark.parametrize("method", [EXACT, DENSITY])
def test_noisy_methods_agree(method):
    check(asymmetric(native=True), NOISE, method)


@pytest.mark.parametrize("method", [STATEVECTOR, MPS])
def test_noisy_trajectories_agree(method):
    check(asymmetric(native=True, middle=True), NOISE, method, shots=4000)


@pytest.mark.parametrize("method", [DENSITY, STATEVECTOR, MPS])
def test_gates_that_aer_knows_by_label_only_keep_their_noise(method):
    noise = DeviceNoise(load_calibration("sherbrooke"))
    circuit = QuantumCircuit(QuantumRegister(127, "q"), ClassicalRegister(10, "c"))
    circuit.sx(0)
    for _ in range(20):  # the error of ecr, 0.7 % each, must be seen
        circuit.ecr(1, 0)
    circuit.measure([1, 0], [3, 8])
    check(circuit, noise, method, shots=3000)


def test_aers_density_matrix_gives_the_same_distribution():
    from ebit.backends.simulate import _density_matrix

    circuit = asymmetric(native=True)
    (part,) = components(lower(circuit, dt=4e-9))
    mine = distributions(circuit, NOISE)[0].probabilities
    np.testing.assert_allclose(_density_matrix(part, NOISE).probabilities, mine, atol=1e-8)


def test_memory_is_read_in_bit_order():
    memory = ["0x1", "0x200", "0x0", "0x3ff", "0x102"]
    bits = bits_of_memory(memory, 10).astype(int)
    assert (bits @ (1 << np.arange(10))).tolist() == [int(word, 16) for word in memory]


def wide(n, *, clifford, extra=0):
    circuit = QuantumCircuit(n, n)
    circuit.h(0)
    for q in range(n - 1):
        circuit.cx(q, q + 1)
    for layer in range(extra):
        for q in range(n):
            circuit.ry(0.3 + q + layer, q)
        for q in range(layer % 2, n - 1, 2):
            circuit.cx(q, q + 1)
    if not clifford:
        circuit.ry(0.2, 0)
    circuit.measure(range(n), range(n))
    return components(lower(circuit))[0]


def test_the_cheapest_method_is_planned():
    assert plan(wide(2, clifford=False), None, 1000).method == EXACT
    assert plan(wide(2, clifford=True), NOISE, 1000).method == EXACT
    assert plan(wide(12, clifford=False), None, 10**6).method == EXACT
    assert plan(wide(40, clifford=True), None, 10**5).method == STIM
    assert plan(wide(40, clifford=False), None, 1000).method == MPS
    assert plan(wide(22, clifford=False, extra=30), None, 1000).method == STATEVECTOR
    assert plan(wide(12, clifford=True), NOISE, 10**5).method == DENSITY
    assert plan(wide(30, clifford=True), NOISE, 1000).method == MPS  # relaxation is not Pauli


def test_what_no_method_can_do_is_refused():
    with pytest.raises(ArgumentError, match="no simulator"):
        plan(wide(40, clifford=False, extra=60), None, 1000)


def test_bond_bound():
    assert bond_bound(wide(10, clifford=True)) == 2
    assert bond_bound(wide(6, clifford=False, extra=20)) == 8
    single = QuantumCircuit(1, 1)
    single.measure(0, 0)
    assert bond_bound(components(lower(single))[0]) == 1


def test_wide_stabiliser_shots_and_progress():
    circuit = QuantumCircuit(70, 71)
    circuit.h(0)
    for q in range(69):
        circuit.cx(q, q + 1)
    circuit.x(69)
    circuit.measure(range(70), range(1, 71))
    seen = []
    shots = simulate(
        [circuit], None, [3000], seed=1, progress=lambda done, total: seen.append((done, total))
    )
    bits = shots.bits(0)
    assert not bits[:, 0].any()
    assert (bits[:, 1:70] == bits[:, 1:2]).all()
    assert (bits[:, 70] != bits[:, 1]).all()
    assert abs(bits[:, 1].mean() - 0.5) < 0.05
    assert seen[-1][0] == seen[-1][1]
