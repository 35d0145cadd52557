"""The states that can be certified: their stabilisers, and what unentangled states reach."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from ebit.games import ArgumentError
from ebit.games.pauli import graph_stabilisers

__all__ = ["Bound", "Target", "bell_target", "ghz_target", "graph_target", "target", "w_target"]

Kind = Literal["ghz", "graph", "w", "bell"]
Edges = tuple[tuple[int, int], ...]

# Signs of XX, YY and ZZ.
_BELL = {"phi+": (1, -1, 1), "phi-": (-1, 1, 1), "psi+": (1, 1, -1), "psi-": (-1, -1, -1)}
_FORM = "ghz:N, w:N, graph:0-1,1-2 (edges), graph:FILE or bell:phi+ (phi-, psi+, psi-)"
# Every cut of a graph is tried up to this size, some of them beyond it.
_ALL_CUTS = 12
# A round's settings and answers together are one 62-bit number.
_MOST_STABILISER, _MOST_W = 20, 12


@dataclass(frozen=True)
class Bound:
    """The largest fidelity of states that lack something: above it, they do not.

    Attributes:
        claim: what a larger fidelity shows.
        value: the largest fidelity without it.
        source: why.
    """

    claim: Literal["entangled", "genuine"]
    value: float
    source: str


@dataclass(frozen=True)
class Target:
    """A state that a circuit should prepare.

    Attributes:
        name: such as "ghz:5"; `target` reads it back.
        kind: "ghz", "graph", "w" or "bell".
        n: number of qubits.
        edges: the edges of a graph.
        bell: the name of a Bell state.
    """

    name: str
    kind: Kind
    n: int
    edges: Edges = ()
    bell: str = ""

    @property
    def connected(self) -> bool:
        """Whether the state has no part that is separate from the rest."""
        return self.kind != "graph" or cut_rank_zero(self.n, self.edges) is None

    def bounds(self) -> tuple[Bound, ...]:
        r"""Return the largest fidelities of separable and of biseparable states.

        A state that is separable across a cut reaches at most the largest squared Schmidt
        coefficient of the target across that cut. A graph state has 2^r equal ones, r the rank
        over GF(2) of the part of the adjacency matrix that crosses the cut; a GHZ state has r = 1
        everywhere; a W state k/n and (n-k)/n. Biseparable: the worst cut. Fully separable: any
        cut, hence the best; for W the exact maximum ((n-1)/n)^(n-1).

        Example:
            >>> [(b.claim, b.value) for b in ghz_target(3).bounds()]
            [('entangled', 0.5), ('genuine', 0.5)]
            >>> [(b.claim, b.value) for b in graph_target([(0, 1), (1, 2), (2, 3)]).bounds()]
            [('entangled', 0.25), ('genuine', 0.5)]
            >>> [round(b.value, 6) for b in w_target(3).bounds()]
            [0.444444, 0.666667]

        Source:
            M. Hein, J. Eisert, H. J. Briegel, PRA 69, 062311 (2004), section III;
            G. Toth, O. Guehne, PRA 72, 022340 (2005); T.-C. Wei, P. M. Goldbart, PRA 68, 042307
            (2003) for the W state.
        """
        n = self.n
        if self.kind == "w":
            source = "Wei and Goldbart, PRA 68, 042307 (2003)"
            separable = Bound("entangled", ((n - 1) / n) ** (n - 1), source)
            worst = Bound("genuine", (n - 1) / n, "largest squared Schmidt coefficient of W")
            return (separable, worst) if n > 2 else (separable,)
        rank = largest_cut_rank(n, self.edges) if self.kind == "graph" else 1
        flat = "Hein, Eisert, Briegel, PRA 69, 062311 (2004): 2^-(rank of a cut)"
        found = [Bound("entangled", 2.0**-rank, flat)] if rank else []
        if n > 2 and self.connected:
            source = "Toth and Guehne, PRA 72, 022340 (2005)"
            found.append(Bound("genuine", 0.5, source))
        return tuple(found)

    def signs(self, letters: npt.NDArray[np.integer]) -> npt.NDArray[np.int8]:
        """Return the sign with which each Pauli string stabilises the state, 0 where it does not.

        Args:
            letters: (U, n) with X = 0, Y = 1, Z = 2, I = 3; rows must differ.

        Raises:
            ArgumentError: for a W state, which has no stabilisers.
        """
        if self.kind == "w":
            raise ArgumentError("state w:N has no stabilisers; ask for its fidelity instead")
        rows = np.asarray(letters, dtype=np.int64)
        if self.kind == "bell":
            table = np.array([*_BELL[self.bell], 1], dtype=np.int8)
            return np.where(rows[:, 0] == rows[:, 1], table[rows[:, 0]], 0).astype(np.int8)
        x, z = (rows < 2).astype(np.int64), ((rows == 1) | (rows == 2)).astype(np.int64)
        if self.kind == "graph":
            take = x
        else:
            # Generators: X...X, and Z on neighbours, whose share of qubit j is t_j + t_(j+1).
            take = np.concatenate([x[:, :1], np.cumsum(z, axis=1)[:, :-1] % 2], axis=1)
        index = (take << np.arange(self.n)).sum(axis=1)
        different, inverse = np.unique(index, return_inverse=True)
        edges = self.edges if self.kind == "graph" else None
        paulis, signs, _ = graph_stabilisers(edges, self.n, different.tolist())
        fits = (paulis[inverse] == rows).all(axis=1)
        return np.where(fits, signs[inverse], 0).astype(np.int8)


def ghz_target(n: int) -> Target:
    """Return the GHZ state of n qubits, 2 to 20."""
    n = _size(n, "ghz", 2, _MOST_STABILISER)
    return Target(f"ghz:{n}", "ghz", n)


def w_target(n: int) -> Target:
    """Return the W state of n qubits, 2 to 12."""
    n = _size(n, "w", 2, _MOST_W)
    return Target(f"w:{n}", "w", n)


def bell_target(name: str = "phi+") -> Target:
    """Return a Bell state by name: phi+, phi-, psi+ or psi-."""
    if name not in _BELL:
        raise ArgumentError(f"bell must be one of {', '.join(_BELL)}, but was {name!r}")
    return Target(f"bell:{name}", "bell", 2, bell=name)


def graph_target(edges: Iterable[Sequence[int]], *, name: str | None = None) -> Target:
    """Return a graph state from its edges, on vertices 0 to the largest one named.

    Args:
        edges: pairs of vertices, in any order and direction; a repeated edge counts once.
        name: what to call it; the edges when None.

    Raises:
        ArgumentError: pairs that are no edges, or a graph that is too large.
    """
    found: set[tuple[int, int]] = set()
    for edge in edges:
        pair: tuple[object, ...] = tuple(edge) if isinstance(edge, tuple | list) else ()
        whole = all(isinstance(v, int | np.integer) and not isinstance(v, bool) for v in pair)
        if len(pair) != 2 or not whole:
            raise ArgumentError(f"graph must have edges that are pairs of vertices, not {edge!r}")
        a, b = int(edge[0]), int(edge[1])
        if a == b or min(a, b) < 0:
            raise ArgumentError(
                f"graph must have edges between different vertices from 0 on, not {a}-{b}"
            )
        found.add((min(a, b), max(a, b)))
    if not found:
        raise ArgumentError("graph must have at least one edge")
    links = tuple(sorted(found))
    n = _size(1 + max(b for _, b in links), "graph", 2, _MOST_STABILISER)
    return Target(name or "graph:" + ",".join(f"{a}-{b}" for a, b in links), "graph", n, links)


def target(name: str) -> Target:
    """Return a state by name; files of edges are read by `ebit.protocols.states.state_target`.

    Args:
        name: "ghz:5", "w:3", "graph:0-1,1-2" or "bell:phi+".

    Raises:
        ArgumentError: for anything else.

    Example:
        >>> target("graph:2-1,0-1").edges
        ((0, 1), (1, 2))
    """
    kind, _, rest = name.strip().partition(":")
    kind = kind.lower()
    if kind in ("ghz", "w") and re.fullmatch(r"[0-9]{1,6}", rest):
        return ghz_target(int(rest)) if kind == "ghz" else w_target(int(rest))
    if kind == "bell" and rest:
        return bell_target(rest)
    if kind == "graph" and looks_like_edges(rest):
        pairs = [part.split("-") for part in rest.split(",") if part.strip()]
        return graph_target([(int(a), int(b)) for a, b in pairs])
    raise ArgumentError(f"state must be {_FORM}, but was {name!r}")


def looks_like_edges(text: str) -> bool:
    """Say whether a text is a list of edges such as 0-1,1-2."""
    edge = r"\s*[0-9]{1,6}\s*-\s*[0-9]{1,6}\s*"
    return re.fullmatch(f"{edge}(,{edge})*,?\\s*", text) is not None


def _size(n: int, kind: str, least: int, most: int) -> int:
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or not least <= n <= most:
        raise ArgumentError(f"{kind} must have {least} to {most} qubits, but had {n!r}")
    return int(n)


def _neighbours(n: int, edges: Edges) -> list[int]:
    rows = [0] * n
    for a, b in edges:
        rows[a] |= 1 << b
        rows[b] |= 1 << a
    return rows


def cut_rank_zero(n: int, edges: Edges) -> int | None:
    """Return a part of the graph that no edge leaves, as a bit mask; None if it is connected."""
    rows = _neighbours(n, edges)
    reached, fresh = 1, 1
    while fresh:
        vertex = (fresh & -fresh).bit_length() - 1
        fresh &= fresh - 1
        new = rows[vertex] & ~reached
        reached |= new
        fresh |= new
    return None if reached == (1 << n) - 1 else reached


def _cut_rank(rows: Sequence[int], side: int, n: int) -> int:
    """The rank over GF(2) of the rows inside a side, restricted to the columns outside it."""
    pivots: list[int] = []
    for vertex in range(n):
        if side >> vertex & 1:
            row = rows[vertex] & ~side
            for pivot in pivots:
                row = min(row, row ^ pivot)
            if row:
                pivots.append(row)
    return len(pivots)


@lru_cache(maxsize=64)
def largest_cut_rank(n: int, edges: Edges) -> int:
    """Return the largest cut rank found; exact up to 12 vertices, else from a local search.

    Any cut's rank gives a valid bound for fully separable states, so a search that misses the
    largest one only makes the bound weaker.

    >>> largest_cut_rank(6, ((0, 1), (1, 2), (2, 3), (3, 4), (4, 5)))
    3
    """
    rows, best = _neighbours(n, edges), 0
    alternate = sum(1 << v for v in range(0, n, 2))
    for start in (alternate, (1 << n // 2) - 1):
        side, rank = start, _cut_rank(rows, start, n)
        improved = True
        while improved and rank < n // 2:
            tried = [(_cut_rank(rows, side ^ 1 << v, n), side ^ 1 << v) for v in range(n)]
            top = max(tried)
            improved = top[0] > rank
            if improved:
                rank, side = top
        best = max(best, rank)
    if n <= _ALL_CUTS:
        for side in range(1, 1 << (n - 1)):
            if best == n // 2:
                break
            best = max(best, _cut_rank(rows, side, n))
    return best
