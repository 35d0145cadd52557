"""The games that ebit plays, each with its floors and where they come from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from math import cos, pi, sqrt
from typing import Literal

import numpy as np
import numpy.typing as npt

from ebit.games.errors import ArgumentError
from ebit.games.game import Floor, Game, ParityRule, TableRule
from ebit.games.pauli import graph_stabilisers

__all__ = [
    "bases_agree",
    "chained_chsh",
    "chsh",
    "game",
    "magic_square",
    "mermin_ghz",
    "stabilisers",
]

_TSIRELSON = "B. S. Cirelson, Lett. Math. Phys. 4, 93 (1980)"
_STEERING = "arXiv:2111.02800"


def _uniform(count: int) -> npt.NDArray[np.float64]:
    return np.full(count, 1 / count)


def _parity(
    name: str,
    questions: Sequence[Sequence[int]],
    target: Sequence[int],
    *,
    settings: tuple[int, ...],
    floors: tuple[Floor, ...] = (),
    quantum: float | None = None,
    source: str = "",
    labels: tuple[tuple[str, ...], ...] = (),
    mask: npt.NDArray[np.bool_] | None = None,
) -> Game:
    asked = np.array(questions, dtype=np.uint8)
    counted = np.ones(asked.shape, dtype=np.bool_) if mask is None else mask
    return Game(
        name=name,
        questions=asked,
        distribution=_uniform(len(asked)),
        settings=settings,
        outcomes=(2,) * asked.shape[1],
        rule=ParityRule(counted, np.array(target, dtype=np.uint8)),
        floors=floors,
        quantum_value=quantum,
        quantum_source=source,
        labels=labels,
    )


def chsh() -> Game:
    """Return the CHSH game: win when a XOR b equals x AND y.

    The value of ``S = E00 + E01 + E10 - E11`` is 8 (w - 1/2) for uniform settings.

    Example:
        >>> chsh().signs.tolist()
        [1, 1, 1, -1]

    Source:
        Clauser, Horne, Shimony, Holt, PRL 23, 880 (1969).
    """
    return _parity(
        "chsh",
        [(0, 0), (0, 1), (1, 0), (1, 1)],
        [0, 0, 0, 1],
        settings=(2, 2),
        floors=(
            Floor("none", "local", 0.75, "Clauser et al., PRL 23, 880 (1969): S <= 2"),
            Floor(
                "all",
                "separable",
                1 / 2 + sqrt(2) / 8,
                "quant-ph/0604145: S <= sqrt 2 for orthogonal qubit settings",
            ),
        ),
        quantum=(2 + sqrt(2)) / 4,
        source=_TSIRELSON,
    )


def mermin_ghz(n: int = 3) -> Game:
    r"""Return Mermin's game on n parties, won always by a GHZ state.

    Settings 0 = X and 1 = Y; questions are those with an even number k of Y; the product of
    outcomes wins when it equals (-1)^(k/2). Local players reach 1/2 + 2^(floor(n/2) - n).

    Args:
        n: number of parties, 3 to 12.

    Source:
        N. D. Mermin, PRL 65, 1838 (1990). The biseparable floor 1/2 + 2^(-3/2) follows from
        ``|<prod (A+iA')>| <= sqrt 2`` for one party and ``2^(k-1)`` for k >= 2 parties; it needs no
        trust (Nagata, Koashi, Imoto, PRL 89, 260401 (2002)).
    """
    _check_int("n", n, 3, 12)
    questions = [q for q in product((0, 1), repeat=n) if sum(q) % 2 == 0]
    target = [(sum(q) // 2) % 2 for q in questions]
    local = 1 / 2 + 2.0 ** (n // 2 - n)
    return _parity(
        f"mermin-ghz-{n}",
        questions,
        target,
        settings=(2,) * n,
        floors=(
            Floor("none", "local", local, "Mermin, PRL 65, 1838 (1990)"),
            Floor(
                "none",
                "biseparable",
                1 / 2 + 2**-1.5,
                "Nagata, Koashi, Imoto, PRL 89, 260401 (2002)",
            ),
        ),
        quantum=1.0,
        source="Mermin, PRL 65, 1838 (1990): a GHZ state always wins",
        labels=(("X", "Y"),) * n,
    )


def magic_square() -> Game:
    """Return the magic square game: nine questions, four answers to each.

    Alice fills row x with even parity, Bob column y with odd parity. Each names the first two
    bits of its line, the answer being 2 * (first bit) + (second bit); parity gives the third. They
    win when they agree on the shared cell.

    Source:
        A. Peres, PLA 151, 107 (1990); N. D. Mermin, PRL 65, 3373 (1990); P. K. Aravind,
        quant-ph/0206070: local players reach 8/9, two Bell pairs always win.
    """
    rows = np.array([[a >> 1, a & 1, (a >> 1) ^ (a & 1)] for a in range(4)])
    columns = np.array([[b >> 1, b & 1, 1 ^ (b >> 1) ^ (b & 1)] for b in range(4)])
    questions = list(product(range(3), repeat=2))
    winning = np.array(
        [rows[:, y][:, None] == columns[:, x][None, :] for x, y in questions], dtype=np.bool_
    )
    return Game(
        name="magic-square",
        questions=np.array(questions, dtype=np.uint8),
        distribution=_uniform(9),
        settings=(3, 3),
        outcomes=(4, 4),
        rule=TableRule(winning),
        floors=(Floor("none", "local", 8 / 9, "Aravind, quant-ph/0206070"),),
        quantum_value=1.0,
        quantum_source="Aravind, quant-ph/0206070: two Bell pairs always win",
    )


def bases_agree(bases: Literal["XZ", "XYZ"] = "XYZ", *, state: str = "phi+") -> Game:
    """Return the game "do the bases agree": both measure the same basis and compare.

    The win rate is one minus the mean error rate (QBER) of the bases.

    Args:
        bases: "XZ" or "XYZ"; setting k means the k-th letter.
        state: the Bell state whose correlations count as agreement: phi+, phi-, psi+ or psi-.

    Source:
        Two-sided floors: a separable state has |<XX>| + |<YY>| + |<ZZ>| <= 1. One-sided floors:
        arXiv:2111.02800.
    """
    if bases not in ("XZ", "XYZ"):
        raise ArgumentError(f"bases must be 'XZ' or 'XYZ', but was {bases!r}")
    odd = {"phi+": "Y", "phi-": "X", "psi+": "Z", "psi-": "XYZ"}
    if state not in odd:
        raise ArgumentError(f"state must be one of {', '.join(odd)}, but was {state!r}")
    k = len(bases)
    suffix = "" if state == "phi+" else f":{state}"
    return _parity(
        f"bases-agree-{bases.lower()}{suffix}",
        [(i, i) for i in range(k)],
        [int(letter in odd[state]) for letter in bases],
        settings=(k, k),
        floors=(
            Floor("all", "separable", (1 + 1 / k) / 2, "sum of |correlators| <= 1 if separable"),
            Floor("one", "unsteerable", (1 + 1 / sqrt(k)) / 2, _STEERING),
            Floor("none", "local", 1.0, "both could answer from one shared list"),
        ),
        quantum=1.0,
        source="a Bell state always agrees",
        labels=(tuple(bases), tuple(bases)),
    )


def chained_chsh(m: int = 3) -> Game:
    r"""Return the chained CHSH game with m settings a side.

    Asks (i, i) and (i+1, i) for i < m, with setting m meaning 0 and an opposite answer; local
    players win 1 - 1/(2m), quantum ones 1/2 + cos(pi/(2m))/2. m = 2 is CHSH up to relabelling.

    Source:
        S. L. Braunstein, C. M. Caves, Ann. Phys. 202, 22 (1990); quantum value: S. Wehner,
        PRA 73, 022110 (2006).
    """
    _check_int("m", m, 2, 32)
    questions = [((i + d) % m, i) for i in range(m) for d in (0, 1)]
    target = [int(i == m - 1 and d == 1) for i in range(m) for d in (0, 1)]
    return _parity(
        f"chained-chsh-{m}",
        questions,
        target,
        settings=(m, m),
        floors=(
            Floor(
                "none", "local", 1 - 1 / (2 * m), "Braunstein and Caves, Ann. Phys. 202, 22 (1990)"
            ),
        ),
        quantum=(1 + cos(pi / (2 * m))) / 2,
        source="Wehner, PRA 73, 022110 (2006)",
    )


def stabilisers(
    edges: Iterable[tuple[int, int]] | Literal["ghz"],
    n: int,
    *,
    which: Literal["all", "generators"] | Sequence[int] = "all",
) -> Game:
    r"""Return the game "does the state pass a random stabiliser".

    Settings 0 = X, 1 = Y, 2 = Z, 3 = I (the party's outcome is ignored). Drawing all 2^n
    stabilisers uniformly, the pass rate p gives the fidelity F = 2p - 1 exactly; a state that is
    biseparable has F <= 1/2, so p <= 3/4.

    Args:
        edges: the graph's edges, or "ghz" for the GHZ state.
        n: number of qubits.
        which: "all" 2^n elements (the identity included), the n "generators", or indices: bit i of
            an index says whether generator i takes part.

    Source:
        G. Toth, O. Guehne, PRA 72, 022340 (2005) for the biseparable bound of graph states.
    """
    _check_int("n", n, 2, 64)
    if isinstance(which, str):
        if which == "all":
            _check_int("n (with all stabilisers)", n, 2, 12)
            chosen: Sequence[int] = range(1 << n)
        elif which == "generators":
            chosen = [1 << i for i in range(n)]
        else:
            raise ArgumentError(
                f"which must be 'all', 'generators' or a list of indices, but was {which!r}"
            )
    else:
        chosen = list(which)
    link = None if isinstance(edges, str) and edges == "ghz" else _edges(edges)
    paulis, signs, connected = graph_stabilisers(link, n, chosen)
    kind = "ghz" if link is None else "graph"
    all_drawn = len(chosen) == 1 << n
    floors = (
        (Floor("all", "biseparable", 3 / 4, "Toth and Guehne, PRA 72, 022340 (2005): F <= 1/2"),)
        if all_drawn and connected
        else ()
    )
    suffix = "" if all_drawn else f":{len(chosen)}"
    return _parity(
        f"{kind}-stabilisers-{n}{suffix}",
        paulis.tolist(),
        (signs < 0).astype(int).tolist(),
        settings=(4,) * n,
        floors=floors,
        quantum=1.0,
        source="the state itself always passes",
        labels=(("X", "Y", "Z", "I"),) * n,
        mask=paulis != 3,
    )


_PATTERNS: dict[str, Callable[[re.Match[str]], Game]] = {
    r"chsh": lambda m: chsh(),
    r"mermin-ghz-([0-9]{1,4})": lambda m: mermin_ghz(int(m[1])),
    r"magic-square": lambda m: magic_square(),
    r"bases-agree-(xz|xyz)(?::(phi[+-]|psi[+-]))?": lambda m: bases_agree(
        "XZ" if m[1] == "xz" else "XYZ", state=m[2] or "phi+"
    ),
    r"chained-chsh-([0-9]{1,4})": lambda m: chained_chsh(int(m[1])),
    r"ghz-stabilisers-([0-9]{1,4})": lambda m: stabilisers("ghz", int(m[1])),
}


def game(name: str) -> Game:
    """Return a game of the catalogue by name.

    Example:
        >>> game("chained-chsh-4").local_value()
        0.875
    """
    for pattern, build in _PATTERNS.items():
        match = re.fullmatch(pattern, name) if isinstance(name, str) else None
        if match:
            return build(match)
    raise ArgumentError(
        "game must be chsh, mermin-ghz-N, magic-square, bases-agree-xz, bases-agree-xyz, "
        f"chained-chsh-M or ghz-stabilisers-N, but was {str(name)[:40]!r}"
    )


def _edges(edges: object) -> list[tuple[int, int]]:
    found = []
    if isinstance(edges, str) or not isinstance(edges, Iterable):
        raise ArgumentError(f"edges must be 'ghz' or a list of pairs of qubits, but was {edges!r}")
    for edge in edges:
        pair = tuple(edge) if isinstance(edge, (Sequence, np.ndarray)) else ()
        if len(pair) != 2 or not all(isinstance(k, (int, np.integer)) for k in pair):
            raise ArgumentError(
                f"edges must be pairs of qubits such as (0, 1), but one is {edge!r}"
            )
        found.append((int(pair[0]), int(pair[1])))
    return found


def _check_int(name: str, value: int, low: int, high: int) -> None:
    if not (isinstance(value, (int, np.integer)) and low <= value <= high):
        raise ArgumentError(
            f"{name} must be a whole number from {low} to {high}, but was {value!r}"
        )
