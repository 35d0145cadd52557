"""Stabilisers of graph and GHZ states, as matrices on the states themselves."""

from itertools import combinations, product
from math import sqrt

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings

from ebit.games import ArgumentError, Game, stabilisers
from tests.strategies import graphs

# 0 = X, 1 = Y, 2 = Z, 3 = I
PAULI = np.array(
    [[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]], [[1, 0], [0, 1]]],
    dtype=np.complex128,
)


def graph_state(n: int, edges: list[tuple[int, int]]) -> npt.NDArray[np.complex128]:
    """Equal superposition with a minus for every edge whose two bits are 1; qubit 0 first."""
    bits = np.array(list(product((0, 1), repeat=n)))
    sign = np.ones(1 << n)
    for a, b in edges:
        sign *= (-1.0) ** (bits[:, a] * bits[:, b])
    return (sign / sqrt(1 << n)).astype(np.complex128)


def ghz_state(n: int) -> npt.NDArray[np.complex128]:
    state = np.zeros(1 << n, dtype=np.complex128)
    state[[0, -1]] = 1 / sqrt(2)
    return state


def matrix(letters: npt.NDArray[np.uint8]) -> npt.NDArray[np.complex128]:
    out = np.eye(1, dtype=np.complex128)
    for letter in letters:
        out = np.kron(out, PAULI[letter])
    return out


def assert_stabilises(asked: Game, state: npt.NDArray[np.complex128]) -> None:
    for letters, sign in zip(asked.questions, asked.signs, strict=True):
        assert np.allclose(sign * matrix(letters) @ state, state, atol=1e-12), letters


@settings(max_examples=40)
@given(graphs())
def test_graph_stabilisers_stabilise(graph: tuple[int, list[tuple[int, int]]]) -> None:
    n, edges = graph
    asked = stabilisers(edges, n)
    assert_stabilises(asked, graph_state(n, edges))
    assert len({tuple(row) for row in asked.questions.tolist()}) == 1 << n
    assert (asked.rule.mask == (asked.questions != 3)).all()


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_ghz_stabilisers_stabilise(n: int) -> None:
    assert_stabilises(stabilisers("ghz", n), ghz_state(n))


@pytest.mark.parametrize("n", [2, 3, 4])
def test_pass_rate_gives_the_fidelity(n: int) -> None:
    """The mean of all 2^n stabilisers is the projector on the state, so F = 2p - 1 exactly."""
    asked = stabilisers("ghz", n)
    rng = np.random.default_rng(n)
    other = rng.normal(size=1 << n) + 1j * rng.normal(size=1 << n)
    other /= np.linalg.norm(other)
    means = [
        np.real(other.conj() @ (s * matrix(p)) @ other)
        for p, s in zip(asked.questions, asked.signs, strict=True)
    ]
    passed = np.mean([(1 + m) / 2 for m in means])
    assert 2 * passed - 1 == pytest.approx(abs(ghz_state(n).conj() @ other) ** 2, abs=1e-12)


@settings(max_examples=40)
@given(graphs())
def test_biseparable_floor_only_for_connected_graphs(
    graph: tuple[int, list[tuple[int, int]]],
) -> None:
    """A graph state whose graph falls apart is itself biseparable and passes every time."""
    n, edges = graph
    linked = {0}
    for _ in range(n):
        linked |= {b for e in edges for a, b in (e, e[::-1]) if a in linked}
    asked = stabilisers(edges, n)
    if len(linked) == n:
        assert asked.floor("all", against="biseparable").value == 0.75
    else:
        with pytest.raises(ArgumentError, match="no floor"):
            asked.floor("all", against="biseparable")


@pytest.mark.parametrize(
    ("edges", "n"), [([(0, 1), (1, 2)], 3), ([(0, 1), (1, 2), (2, 3), (3, 0)], 4)]
)
def test_biseparable_floor_by_schmidt_coefficients(edges: list[tuple[int, int]], n: int) -> None:
    """The best overlap over a cut is the largest squared Schmidt coefficient: at most 1/2."""
    state = graph_state(n, edges).reshape((2,) * n)
    best = 0.0
    for size in range(1, n):
        for cut in combinations(range(n), size):
            rest = [i for i in range(n) if i not in cut]
            spread = state.transpose(*cut, *rest).reshape(1 << size, -1)
            best = max(best, float(np.linalg.svd(spread)[1][0] ** 2))
    assert best == pytest.approx(1 / 2, abs=1e-12)
    assert stabilisers(edges, n).floor("all").value == pytest.approx((1 + best) / 2, abs=1e-12)


def test_generators_and_indices() -> None:
    path = [(0, 1), (1, 2)]
    generators = stabilisers(path, 3, which="generators")
    assert generators.questions.tolist() == [[0, 2, 3], [2, 0, 2], [3, 2, 0]]
    assert generators.signs.tolist() == [1, 1, 1]
    assert generators.floors == ()
    some = stabilisers(path, 3, which=[1, 7])
    every = stabilisers(path, 3)
    assert some.questions.tolist() == every.questions[[1, 7]].tolist()
    assert some.signs.tolist() == every.signs[[1, 7]].tolist()
    assert every.label(0) == "I I I"


def test_the_y_minus_of_ghz() -> None:
    """X X X = +1 and Z Z I give X Y Y = -1 on a GHZ state (Mermin's argument)."""
    asked = stabilisers("ghz", 3)
    signs = {tuple(p): int(s) for p, s in zip(asked.questions.tolist(), asked.signs, strict=True)}
    assert signs[0, 0, 0] == 1
    assert signs[0, 1, 1] == signs[1, 0, 1] == signs[1, 1, 0] == -1
    assert signs[3, 3, 3] == 1


def test_many_qubits() -> None:
    asked = stabilisers([(i, i + 1) for i in range(63)], 64, which="generators")
    assert asked.n_questions == 64
    assert asked.signs.tolist() == [1] * 64


@pytest.mark.parametrize(
    "edges", ["line", "GHZ", [(0, 0)], [(0, 3)], [(-1, 0)], [(0, 1), (1, 0)], [(0,)], [0, 1], 5,
              [(0, 1, 2)], [(0.5, 1)], [("a", "b")], [None]],
)  # fmt: skip
def test_wrong_edges_are_refused(edges: object) -> None:
    with pytest.raises(ArgumentError, match="edges must") as caught:
        stabilisers(edges, 3)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("which", ["some", [], [8], [-1], [1, 1], [0.5], ["a"]])
def test_wrong_elements_are_refused(which: object) -> None:
    with pytest.raises(ArgumentError, match="which must"):
        stabilisers("ghz", 3, which=which)
