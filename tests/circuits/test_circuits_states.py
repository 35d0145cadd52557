"""States against their vectors, and what the builders claim about depth and couplings."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp, Statevector

import ebit.circuits as c
from ebit.games import ArgumentError


def fidelity(circuit: QuantumCircuit, vector: Any) -> float:
    assert math.isclose(np.linalg.norm(vector), 1, abs_tol=1e-12)
    return float(abs(np.vdot(vector, Statevector(circuit).data)) ** 2)


def two_qubit_depth(circuit: QuantumCircuit) -> int:
    return int(circuit.depth(lambda gate: gate.operation.num_qubits == 2))


def couplings(circuit: QuantumCircuit) -> set[frozenset[int]]:
    return {
        frozenset(circuit.find_bit(q).index for q in gate.qubits)
        for gate in circuit.data
        if gate.operation.num_qubits == 2
    }


@pytest.mark.parametrize("name", c.BELL_STATES)
def test_bell_states_are_what_they_say(name: str) -> None:
    assert fidelity(c.bell(name), c.bell_vector(name)) == pytest.approx(1, abs=1e-12)
    # A second route: the eigenvalues of ZZ and XX define each Bell state.
    zz, xx = {"phi+": (1, 1), "phi-": (1, -1), "psi+": (-1, 1), "psi-": (-1, -1)}[name]
    state = Statevector(c.bell(name))
    assert state.expectation_value(SparsePauliOp("ZZ")).real == pytest.approx(zz, abs=1e-12)
    assert state.expectation_value(SparsePauliOp("XX")).real == pytest.approx(xx, abs=1e-12)


def test_psi_minus_has_its_sign_on_the_excited_first_qubit() -> None:
    # (|01> - |10>)/sqrt 2, first letter qubit 0: |01> is index 2.
    data = Statevector(c.bell("psi-")).data
    assert (data[2] / data[1]).real == pytest.approx(-1)
    assert data[2].real == pytest.approx(1 / math.sqrt(2))


@settings(deadline=None)
@given(st.floats(-10, 10))
def test_partial_pair_is_its_vector(angle: float) -> None:
    assert fidelity(c.partial_pair(angle), c.partial_pair_vector(angle)) == pytest.approx(
        1, abs=1e-12
    )


@pytest.mark.parametrize("n", range(2, 10))
def test_ghz_by_chain_and_tree(n: int) -> None:
    for circuit in (c.ghz_chain(n), c.ghz_tree(n)):
        assert fidelity(circuit, c.ghz_vector(n)) == pytest.approx(1, abs=1e-12)
        assert circuit.count_ops()["cx"] == n - 1
    assert two_qubit_depth(c.ghz_chain(n)) == n - 1
    assert two_qubit_depth(c.ghz_tree(n)) == math.ceil(math.log2(n))
    assert couplings(c.ghz_chain(n)) == {frozenset((i, i + 1)) for i in range(n - 1)}


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 8), st.data())
def test_ghz_over_a_coupling_map_uses_that_map_alone(n: int, data: st.DataObject) -> None:
    tree = [(data.draw(st.integers(0, i - 1)), i) for i in range(1, n)]
    extra = data.draw(
        st.lists(
            st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda e: e[0] != e[1])
        )
    )
    circuit = c.ghz_coupled(tree + extra)
    assert fidelity(circuit, c.ghz_vector(n)) == pytest.approx(1, abs=1e-12)
    assert couplings(circuit) <= {frozenset(e) for e in tree + extra}
    # The best root is no worse than any other.
    depths = [two_qubit_depth(c.ghz_coupled(tree + extra, root=r)) for r in range(n)]
    assert two_qubit_depth(circuit) == min(depths)


def test_ghz_from_the_middle_of_a_line_takes_half_the_depth() -> None:
    line = [(i, i + 1) for i in range(8)]
    # From the middle: four steps one way, and the other way starts one step later.
    assert two_qubit_depth(c.ghz_coupled(line)) == 5
    assert two_qubit_depth(c.ghz_coupled(line, root=0)) == 8


def test_the_slowest_branch_is_served_first() -> None:
    # Root 0 with a leaf 1 and a tail 2-3-4: serving the tail first takes 3 steps, not 4.
    assert two_qubit_depth(c.ghz_coupled([(0, 1), (0, 2), (2, 3), (3, 4)], root=0)) == 3


@pytest.mark.parametrize("layout", ["chain", "tree"])
@pytest.mark.parametrize("n", range(2, 10))
def test_w_states(n: int, layout: Any) -> None:
    circuit = c.w_state(n, layout=layout)
    assert fidelity(circuit, c.w_vector(n)) == pytest.approx(1, abs=1e-12)
    assert circuit.count_ops()["cx"] == n - 1
    if layout == "chain":
        assert couplings(circuit) == {frozenset((i, i + 1)) for i in range(n - 1)}
    else:
        assert two_qubit_depth(circuit) == 2 * math.ceil(math.log2(n))


EDGES = st.integers(2, 6).flatmap(
    lambda n: st.tuples(
        st.just(n),
        st.lists(
            st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda e: e[0] != e[1])
        ),
    )
)


@settings(deadline=None, max_examples=60)
@given(EDGES, st.randoms(use_true_random=False))
def test_graph_states_are_their_vectors_and_pass_their_stabilisers(
    graph: tuple[int, list[tuple[int, int]]], shuffle: Any
) -> None:
    n, edges = graph
    circuit = c.graph_state(edges, n=n)
    assert fidelity(circuit, c.graph_vector(edges, n=n)) == pytest.approx(1, abs=1e-12)
    links = {frozenset(e) for e in edges}
    for vertex in range(n):
        letters = ["I"] * n
        for other in range(n):
            if frozenset((vertex, other)) in links:
                letters[other] = "Z"
        letters[vertex] = "X"
        # Qiskit writes the last qubit first.
        pauli = SparsePauliOp("".join(reversed(letters)))
        value = Statevector(circuit).expectation_value(pauli).real
        assert value == pytest.approx(1, abs=1e-12)
    degree = max(sum(vertex in link for link in links) for vertex in range(n))
    assert two_qubit_depth(circuit) <= max(0, 2 * degree - 1)
    again = [e[::-1] for e in edges]
    shuffle.shuffle(again)
    assert c.graph_state(again, n=n) == circuit


def test_circuits_have_the_register_q() -> None:
    for circuit in (c.bell(), c.partial_pair(0.1), c.w_state(3), c.ghz(3), c.graph_state([(0, 1)])):
        assert [register.name for register in circuit.qregs] == ["q"]
        assert not circuit.cregs


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: c.bell("phi"), "name must be one of phi\\+, .* but was 'phi'"),
        (lambda: c.partial_pair(math.nan), "angle must be a finite angle, but was nan"),
        (lambda: c.ghz_chain(1), "n must be at least 2, but was 1"),
        (lambda: c.ghz_tree(2.5), "n must be a whole number, at least 2, but was 2.5"),  # type: ignore[arg-type]
        (lambda: c.ghz_chain(True), "n must be a whole number"),
        (lambda: c.ghz_coupled([(0, 1), (2, 3)]), "none leads from 0 to 2"),
        (lambda: c.ghz_coupled([(0, 1)], n=3), "none leads from 0 to 2"),
        (lambda: c.ghz_coupled([(0, 5)], n=3), "vertices 0 to 2, but had the vertex 5"),
        (lambda: c.ghz_coupled([(0, 0)]), "two different vertices"),
        (lambda: c.ghz_coupled([(0, 1, 2)]), "pairs of vertices"),
        (lambda: c.ghz_coupled([(0, 1)], root=2), "root must be from 0 to 1, but was 2"),
        (lambda: c.ghz_coupled([]), "at least one edge"),
        (lambda: c.ghz(layout="tree"), "n must be given"),
        (lambda: c.ghz(3, layout="star"), "layout must be 'chain', 'tree' or pairs"),
        (lambda: c.w_state(1), "n must be at least 2"),
        (lambda: c.w_state(3, layout="star"), "layout must be"),  # type: ignore[arg-type]
        (lambda: c.graph_state([("a", "b")]), "pairs of vertices"),  # type: ignore[list-item]
    ],
)
def test_wrong_arguments_are_named(call: Any, text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        call()
