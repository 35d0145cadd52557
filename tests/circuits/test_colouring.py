"""Colourings: proper, and with the fewest colours where that is promised."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebit.backends import load_calibration
from ebit.circuits import colour_apart, colour_edges, pack

Edges = list[tuple[int, int]]


@st.composite
def bipartite(draw: st.DrawFn) -> Edges:
    left, right = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    every = [(a, left + b) for a in range(left) for b in range(right)]
    return draw(st.lists(st.sampled_from(every), min_size=1, unique=True))


def degree(edges: Edges) -> int:
    return max(Counter(q for edge in edges for q in edge).values())


def proper(edges: Edges, groups: tuple[tuple[tuple[int, ...], ...], ...]) -> None:
    assert sorted(e for g in groups for e in g) == sorted((min(e), max(e)) for e in edges)
    for group in groups:
        used = [q for edge in group for q in edge]
        assert len(set(used)) == len(used)


@given(bipartite())
def test_bipartite_graphs_get_as_few_colours_as_can_be(edges: Edges) -> None:
    groups = colour_edges(edges)
    proper(edges, groups)
    assert len(groups) == degree(edges)


@given(st.lists(st.sampled_from(list(combinations(range(7), 2))), min_size=1, unique=True))
def test_any_graph_gets_at_most_one_more(edges: Edges) -> None:
    groups = colour_edges(edges)
    proper(edges, groups)
    assert degree(edges) <= len(groups) <= degree(edges) + 1


@given(st.lists(st.sampled_from(list(combinations(range(8), 2))), min_size=1, unique=True))
def test_apart_leaves_a_coupling_free(edges: Edges) -> None:
    groups = colour_apart(edges)
    proper(edges, groups)
    coupled = {frozenset(edge) for edge in edges}
    for group in groups:
        for one, other in combinations(group, 2):
            assert not any(frozenset((a, b)) in coupled for a in one for b in other)


@pytest.mark.parametrize(("device", "pairs"), [("fez", 176), ("torino", 150), ("sherbrooke", 144)])
def test_heavy_hex_takes_three(device: str, pairs: int) -> None:
    known = load_calibration(device).pairs
    assert len(known) == pairs
    assert len(colour_edges(known)) == 3
    assert len(colour_apart(known)) == 5


def test_a_grid_takes_four() -> None:
    edges = [(5 * r + c, 5 * r + c + 1) for r in range(5) for c in range(4)]
    edges += [(5 * r + c, 5 * r + c + 5) for r in range(4) for c in range(5)]
    assert len(colour_edges(edges)) == 4


@pytest.mark.parametrize("n", [2, 4, 6, 8, 12])
def test_complete_graphs_of_even_size_take_one_less(n: int) -> None:
    edges = list(combinations(range(n), 2))
    groups = colour_edges(edges)
    proper(edges, groups)
    assert len(groups) == n - 1


@given(
    st.lists(
        st.tuples(*[st.integers(0, 12)] * 3).filter(lambda t: len(set(t)) == 3),
        min_size=1,
        unique=True,
    )
)
def test_packed_places_share_nothing(places: list[tuple[int, ...]]) -> None:
    groups = pack(places)
    assert sorted(p for g in groups for p in g) == sorted(places)
    for group in groups:
        used = [q for place in group for q in place]
        assert len(set(used)) == len(used)
