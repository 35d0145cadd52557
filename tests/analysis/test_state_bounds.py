"""What unentangled states reach, and the bets behind the intervals.

Second routes: the largest overlap with separable states by singular values and by alternating
maximisation, and e-values averaged over every outcome there is.
"""

from __future__ import annotations

from itertools import combinations, product
from math import comb

import numpy as np
import numpy.typing as npt
import pytest

from ebit.analysis.state_bounds import BoundedMeans, StabiliserSample
from ebit.analysis.state_targets import (
    Target,
    bell_target,
    ghz_target,
    graph_target,
    largest_cut_rank,
    w_target,
)
from ebit.circuits import bell_vector, ghz_vector, graph_vector, w_vector

Matrix = npt.NDArray[np.complex128]
Floats = npt.NDArray[np.float64]

LINE = ((0, 1), (1, 2), (2, 3))
RING = ((0, 1), (1, 2), (2, 3), (0, 3))
TARGETS = [ghz_target(3), ghz_target(4), graph_target(LINE), graph_target(RING), w_target(3)]


def vector_of(aim: Target) -> Matrix:
    if aim.kind == "graph":
        return graph_vector(aim.edges, n=aim.n)
    if aim.kind == "bell":
        return bell_vector(aim.bell)
    return ghz_vector(aim.n) if aim.kind == "ghz" else w_vector(aim.n)


def most(runs: int, rate: float) -> float:
    return runs * rate + 3 * (runs * rate * (1 - rate)) ** 0.5


def cut_overlap(vector: Matrix, side: tuple[int, ...]) -> float:
    """The largest squared Schmidt coefficient: what states separable across the cut reach."""
    n = int(np.log2(len(vector)))
    tensor = vector.reshape((2,) * n)  # axis j is qubit n-1-j
    axes = [n - 1 - q for q in side]
    rest = [a for a in range(n) if a not in axes]
    matrix = np.transpose(tensor, [*axes, *rest]).reshape(2 ** len(side), -1)
    return float(np.linalg.svd(matrix, compute_uv=False)[0] ** 2)


def product_overlap(vector: Matrix, rng: np.random.Generator) -> float:
    """The largest overlap with product states, by improving one qubit at a time."""
    n, best = int(np.log2(len(vector))), 0.0
    tensor = vector.reshape((2,) * n)
    for _ in range(30):
        local = rng.normal(size=(n, 2)) + 1j * rng.normal(size=(n, 2))
        local /= np.linalg.norm(local, axis=1, keepdims=True)
        for _ in range(60):
            for q in range(n):
                left = tensor
                for other in reversed([k for k in range(n) if k != q]):
                    left = np.tensordot(left, local[other].conj(), axes=(other, 0))
                size = float(np.linalg.norm(left))
                local[q] = left / size
        best = max(best, size**2)
    return best


@pytest.mark.parametrize(
    "aim",
    [*TARGETS, ghz_target(5), w_target(4), graph_target([(0, 1), (0, 2), (0, 3)])],
    ids=lambda aim: aim.name,
)
def test_thresholds(aim: Target) -> None:
    vector = vector_of(aim)
    bounds = {b.claim: b.value for b in aim.bounds()}
    cuts = [s for k in range(1, aim.n) for s in combinations(range(aim.n), k)]
    overlaps = [cut_overlap(vector, side) for side in cuts]
    assert bounds["genuine"] == pytest.approx(max(overlaps), abs=1e-12)
    reached = product_overlap(vector, np.random.default_rng(1))
    assert reached <= bounds["entangled"] + 1e-9
    if aim.kind == "w":
        assert bounds["entangled"] == pytest.approx(reached, abs=1e-6)
    else:
        assert bounds["entangled"] == pytest.approx(min(overlaps), abs=1e-12)


def test_w3_threshold_is_four_ninths() -> None:
    assert [b.value for b in w_target(3).bounds()] == pytest.approx([4 / 9, 2 / 3])


def test_cut_ranks() -> None:
    assert largest_cut_rank(4, LINE) == 2
    assert largest_cut_rank(5, tuple((0, k) for k in range(1, 5))) == 1
    line = tuple((k, k + 1) for k in range(19))
    assert largest_cut_rank(20, line) == 10  # each second edge is a Bell pair across one cut
    assert largest_cut_rank(2, ()) == 0


def test_two_qubits_have_one_threshold() -> None:
    assert all(len(aim.bounds()) == 1 for aim in (ghz_target(2), w_target(2), bell_target()))


# E-values: their mean over everything that can happen -----------------------------------------


def passes_of(syndromes: Floats) -> Floats:
    """Pass probability of every stabiliser but the identity, from the weights of the syndromes."""
    size = len(syndromes)
    odd = np.array([[(g & s).bit_count() & 1 for s in range(size)] for g in range(size)])
    return np.asarray(((1 - odd) @ syndromes)[1:])


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("shots", [(3, 3), (2, 5)])
def test_sample_e_value_has_mean_one_at_most(side: int, shots: tuple[int, int]) -> None:
    """Exactly, over both draws of two stabilisers of three, in every order, and all counts."""
    rng = np.random.default_rng(4)
    worst = np.zeros(4)
    worst[[0, 2]] = 0.6, 0.4
    tables = np.array(list(product(range(shots[0] + 1), range(shots[1] + 1))), dtype=float)
    sizes = np.array(shots, dtype=float)
    # The order of a sample is no part of it: a larger number of shots falls on any of the two.
    logs = {
        bound: np.array(
            [StabiliserSample(k, sizes, 2).log_e(np.array([bound]), side)[0] for k in tables]
        )
        for bound in (0.2, 0.6, 0.8)
    }
    for syndromes in (worst, *rng.dirichlet(np.ones(4) / 2, 20)):
        p = passes_of(syndromes)
        for bound, log_e in logs.items():
            if side * (syndromes[0] - bound) > 0:
                continue
            mean = 0.0
            for first, second in product(range(3), repeat=2):
                if first != second:
                    weight = [
                        comb(shots[0], int(a))
                        * p[first] ** a
                        * (1 - p[first]) ** (shots[0] - a)
                        * comb(shots[1], int(b))
                        * p[second] ** b
                        * (1 - p[second]) ** (shots[1] - b)
                        for a, b in tables
                    ]
                    mean += float(np.exp(log_e) @ np.array(weight)) / 6
            assert mean <= 1 + 1e-9


@pytest.mark.parametrize("side", [1, -1])
def test_bounded_e_value_has_mean_one_at_most(side: int) -> None:
    """Exactly, for two questions of three rounds whose means drift from round to round."""
    values, allowed = (
        np.array([-1.0, 0.0, 2.0]),
        np.array([[True, True, False], [False, True, True]]),
    )
    centre, unit, rounds = np.array([0.5, 1.5]), 0.5, 3
    rng = np.random.default_rng(9)
    for trial in range(12):
        chance = rng.dirichlet(np.ones(3) / 2, (2, rounds)) * allowed[:, None, :]
        chance /= chance.sum(axis=2, keepdims=True)
        fidelity = unit * float((chance @ values).mean(axis=1).sum())
        bound = fidelity + side * (0.0 if trial % 2 else 0.1)
        if not 0 <= bound <= 1:
            continue
        mean = 0.0
        for outcome in product(range(3), repeat=2 * rounds):
            cells = np.array(outcome).reshape(2, rounds)
            weight = np.prod([chance[q, i, cells[q, i]] for q in range(2) for i in range(rounds)])
            if weight:
                counts = np.array([np.bincount(row, minlength=3) for row in cells], dtype=float)
                bets = BoundedMeans(values, counts, allowed, centre, np.ones(2), unit)
                mean += weight * np.exp(bets.log_e(bound, 0.01, side))
        assert mean <= 1 + 1e-9


def test_bets_win_where_they_should() -> None:
    """The bounds are not valid by never saying anything."""
    sample = StabiliserSample(np.full(64, 365.0), np.full(64, 400.0), 9)
    assert sample.interval(0.98).low > 0.7
    assert sample.interval(0.98).high < 0.88
    assert sample.tail(0.5).log10 < -6


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["one syndrome", "few", "white"])
def test_sample_intervals_cover(shape: str) -> None:
    """With the sampling of stabilisers inside, the worst case (one syndrome) included."""
    n, rng = 6, np.random.default_rng(len(shape))
    for fidelity in (0.5, 0.9):
        syndromes = np.zeros(2**n)
        if shape == "white":
            syndromes[:] = (1 - fidelity) / (2**n - 1)
        elif shape == "few":
            syndromes[1 << np.arange(n)] = (1 - fidelity) / n
        else:
            syndromes[5] = 1 - fidelity
        syndromes[0] = fidelity
        p = passes_of(syndromes)
        assert 1 - (1 - p.mean()) * 2 * 63 / 64 == pytest.approx(fidelity)
        low = high = 0
        for _ in range(300):
            drawn = rng.choice(63, 24, replace=False)
            passed = rng.binomial(60, p[drawn]).astype(float)
            interval = StabiliserSample(passed, np.full(24, 60.0), n).interval(0.9)
            low += interval.low > fidelity
            high += interval.high < fidelity
        assert max(low, high) <= most(300, 0.05)
