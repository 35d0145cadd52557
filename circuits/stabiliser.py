"""Stabilisers of graph and GHZ states as circuits: one circuit per stabiliser."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from ebit import games
from ebit.circuits.experiment import Experiment, Readout
from ebit.circuits.ghz_states import GhzLayout, ghz, graph_state
from ebit.circuits.layout import (
    check_edges,
    check_size,
    measure_paulis,
    one_qubit_each,
    party_names,
    prepared,
)
from ebit.games import ArgumentError

_LETTERS = "XYZI"


def stabilisers(
    edges: Iterable[Sequence[int]] | Literal["ghz"],
    n: int | None = None,
    *,
    which: Literal["all", "generators"] | Sequence[int] = "all",
    sample: int | None = None,
    rng: np.random.Generator | None = None,
    layout: GhzLayout = "chain",
) -> Experiment:
    """Build the test "does the state pass its stabilisers" for a graph or GHZ state.

    Setting 0 = X, 1 = Y, 2 = Z; 3 = nothing asked (the qubit is measured in Z, its bit ignored).
    Over all 2^n stabilisers, drawn uniformly, the pass rate p gives the fidelity F = 2p - 1; a
    random sample of them estimates it. Qubit j belongs to party j, and bit j is its outcome.

    Args:
        edges: the graph's edges, or ``ghz``.
        n: number of qubits; the largest vertex plus one when None.
        which: ``all``, ``generators``, or indices (bit i: does generator i take part).
        sample: draw so many stabilisers uniformly with replacement, in place of ``which``; one
            drawn twice gets twice the shots.
        rng: where the sample is drawn from; needed with ``sample``.
        layout: how a GHZ state is made: ``chain``, ``tree``, or coupled pairs of qubits.

    Returns:
        An experiment of one circuit per stabiliser on the game ``ebit.games.stabilisers(...)``,
        whose distribution holds the weights of a sample.

    Raises:
        ArgumentError: for edges, a size or indices that cannot be used.

    Example:
        >>> test = stabilisers([(0, 1), (1, 2)], which="generators")
        >>> [test.game.label(q) for q in range(3)]
        ['X Z I', 'Z X Z', 'I Z X']

    Source:
        G. Toth and O. Guehne, PRA 72, 022340 (2005).
    """
    graph: tuple[tuple[int, int], ...] | Literal["ghz"]
    if isinstance(edges, str):
        if edges != "ghz":
            raise ArgumentError(f"edges must be pairs of vertices or 'ghz', but was {edges!r}")
        state = ghz(n, layout=layout)
        size, graph = int(state.num_qubits), "ghz"
    else:
        size, graph = check_edges(edges, n)
        state = graph_state(graph, n=size)
    counts = np.ones(1)
    if sample is not None:
        which, counts = _draw(size, sample, rng)
    game = games.stabilisers(graph, size, which=which)
    if sample is not None:
        game = replace(game, distribution=counts / counts.sum())
    circuits = []
    for question in game.questions.tolist():
        paulis = "".join(_LETTERS[setting] for setting in question)
        circuit = prepared(state, size, name=f"stabiliser {paulis}")
        measure_paulis(circuit, paulis)
        circuits.append(circuit)
    return Experiment(
        name=game.name,
        game=game,
        circuits=tuple(circuits),
        readouts=tuple(
            Readout(q, ((),) * size, one_qubit_each(size)) for q in range(len(circuits))
        ),
        parties=one_qubit_each(size),
        roles=party_names(size),
        weights=tuple(counts.tolist()) if sample is not None else (),
        details={"state": "ghz" if graph == "ghz" else "graph", "edges": graph, "which": which},
    )


def _draw(
    n: int, sample: int, rng: np.random.Generator | None
) -> tuple[list[int], np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Draw indices below 2^n with replacement; return the different ones and how often each."""
    sample = check_size(sample, name="sample", least=1)
    if rng is None:
        raise ArgumentError("rng must be given with sample: pass numpy.random.default_rng(seed)")
    bits = rng.integers(0, 2, size=(sample, n)).tolist()
    drawn = [sum(bit << i for i, bit in enumerate(row)) for row in bits]
    different = sorted(set(drawn))
    return different, np.array([drawn.count(index) for index in different], dtype=np.float64)
