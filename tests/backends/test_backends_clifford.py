"""Recognising, translating and comparing Clifford circuits."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister

from ebit.backends.clifford import clifford, observables, outcome_subspace, to_stim
from ebit.backends.exact import distribution
from ebit.backends.lower import components, lower

NAMES = ["h", "x", "y", "z", "s", "sdg", "sx", "cx", "cz", "swap", "ecr"]


def random_clifford(rng, n, depth):
    circuit = QuantumCircuit(QuantumRegister(n, "q"), ClassicalRegister(n, "c"))
    for _ in range(depth):
        name = NAMES[rng.integers(len(NAMES))]
        two = name in ("cx", "cz", "swap", "ecr")
        where = [int(q) for q in rng.permutation(n)[: 2 if two else 1]]
        getattr(circuit, name)(*where)
        circuit.rz(float(rng.integers(4)) * np.pi / 2, where[0])
    circuit.measure(range(n), [int(c) for c in rng.permutation(n)])
    return circuit


@pytest.mark.parametrize("angle", [np.pi / 2, -np.pi, 5 * np.pi / 2])
def test_quarter_turns_are_clifford(angle):
    for name in ("rx", "ry", "rz", "p"):
        assert clifford(name, (angle,)) is not None


@pytest.mark.parametrize("angle", [np.pi / 4, np.pi / 2 + 1e-3, 1e-6])
def test_near_misses_are_not(angle):
    # stim's own recognition takes all of these for Clifford gates.
    for name in ("rx", "ry", "rz", "p"):
        assert clifford(name, (angle,)) is None
    assert clifford("cry", (angle,)) is None


@pytest.mark.parametrize("seed", range(8))
def test_subspace_is_the_support_of_the_exact_distribution(seed):
    rng = np.random.default_rng(seed)
    n = 5
    ops = lower(random_clifford(rng, n, 25))
    place = {q: q for q in range(n)}
    matrix = outcome_subspace(ops, place)
    support = []
    for code in range(2**n):
        bits = np.array([(code >> i) & 1 for i in range(n)])
        if ((matrix[:, :-1] @ bits) % 2 == matrix[:, -1]).all():
            support.append(code)
    total = np.ones(1)
    whole = np.zeros(2**n)
    for code in range(2**n):
        whole[code] = np.prod(
            [
                distribution(p, None).probabilities[
                    sum(((code >> c) & 1) << i for i, c in enumerate(p.clbits))
                ]
                for p in components(ops)
            ],
            initial=total[0],
        )
    np.testing.assert_array_equal(np.nonzero(whole > 1e-12)[0], support)
    np.testing.assert_allclose(whole[support], 1 / len(support))


@pytest.mark.parametrize("seed", range(4))
def test_stim_samples_the_exact_distribution_in_bit_order(seed):
    rng = np.random.default_rng(seed)
    n = 4
    circuit = random_clifford(rng, n, 20)
    made, written = to_stim(lower(circuit), {q: q for q in range(n)})
    records = made.compile_sampler(seed=seed).sample(4000)
    bits = np.zeros((4000, n), dtype=int)
    bits[:, written] = records
    codes = bits @ (1 << np.arange(n))
    from ebit.backends.exact import distributions, joint

    expected = joint(distributions(circuit), n) * 4000
    counts = np.bincount(codes, minlength=2**n)
    assert counts[expected < 0.5].sum() == 0
    seen = expected >= 0.5
    assert ((counts - expected) ** 2 / np.maximum(expected, 1))[seen].sum() < 60


def test_pauli_corrections_become_feedback():
    circuit = QuantumCircuit(QuantumRegister(3, "q"), ClassicalRegister(3, "c"))
    circuit.x(0)
    circuit.h(1)
    circuit.cx(1, 2)
    circuit.cx(0, 1)
    circuit.h(0)
    circuit.measure([0, 1], [2, 1])
    with circuit.if_test((circuit.clbits[1], 1)):
        circuit.x(2)
    with circuit.if_test((circuit.clbits[2], 0)) as otherwise:
        circuit.x(2)
    with otherwise:
        circuit.y(2)
    circuit.measure(2, 0)
    made, written = to_stim(lower(circuit), {q: q for q in range(3)})
    records = made.compile_sampler(seed=1).sample(500)
    final = records[:, written.index(0)]
    assert not final.any()  # teleported 1, flipped once more in either branch
    assert 150 < records[:, 0].sum() < 350


def test_what_follows_a_measurement_has_no_observables():
    circuit = QuantumCircuit(1, 2)
    circuit.measure(0, 0)
    circuit.h(0)
    circuit.measure(0, 1)
    assert observables(lower(circuit), {0: 0}) is None
    plain = QuantumCircuit(2, 1)
    plain.h(1)
    plain.cx(0, 1)
    plain.measure(1, 0)
    assert observables(lower(plain), {0: 0, 1: 1}) == {0: "+ZX"}
