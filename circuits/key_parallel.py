"""The same key round at many places of a chip at once: many signals per shot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ebit.circuits.canonical import canonical
from ebit.circuits.experiment import Experiment
from ebit.circuits.parallel import Group, ParallelTest
from ebit.games import ArgumentError

__all__ = ["disjoint_places", "many_rounds"]

Edge = tuple[int, int]


def disjoint_places(
    couplings: Iterable[Sequence[int]],
    shape: Iterable[Sequence[int]],
    size: int,
    *,
    most: int | None = None,
    avoid: Iterable[int] = (),
) -> tuple[tuple[int, ...], ...]:
    """Find places on a chip for copies of a small circuit that share no qubit, greedily.

    Qubits of the chip with the fewest free neighbours are used first, so that corners are not left
    over. Qubits of the circuit that are coupled to none go where there is room at the end.

    Args:
        couplings: coupled pairs of the chip's qubits.
        shape: coupled pairs of the circuit's qubits, 0 to size - 1.
        size: qubits of the circuit.
        most: number of places that is enough; as many as fit if None.
        avoid: qubits of the chip to leave alone.

    Returns:
        Places, each the chip's qubits in the order of the circuit's. Not always the most possible.

    Raises:
        ArgumentError: pairs that are none, or a shape that fits nowhere.

    Example:
        >>> disjoint_places([(0, 1), (1, 2), (2, 3), (3, 4)], [(0, 1)], 2)
        ((0, 1), (2, 3))
    """
    near = _graph(couplings, "couplings")
    for q in avoid:
        for other in near.pop(int(q), set()):
            near[other].discard(int(q))
    inner = _graph(shape, "shape")
    if any(not 0 <= q < size for q in inner):
        raise ArgumentError(f"shape must couple qubits 0 to {size - 1}, but was {dict(inner)}")
    order = list(_walk(inner))
    loose = [q for q in range(size) if q not in inner]
    room = len(near) // size if size else 0
    wanted = room if most is None else min(most, room)
    free = set(near)
    found: list[dict[int, int]] = []
    while len(found) < wanted:
        place = _embed(order, inner, near, free)
        if place is None:
            break
        found.append(place)
        free -= set(place.values())
    if not found:
        raise ArgumentError(
            f"couplings must have room for a circuit of {size} qubits coupled {sorted(_edges(inner))}"
            f", but {len(near)} qubits with {len(_edges(near))} couplings have none"
        )
    # Loose qubits take what is least connected.
    spare = iter(sorted(free, key=lambda q: (len(near[q]), q)))
    for place in found:
        place.update({q: next(spare) for q in loose})
    return tuple(tuple(place[q] for q in range(size)) for place in found)


def many_rounds(
    experiment: Experiment,
    couplings: Iterable[Sequence[int]],
    *,
    most: int | None = None,
    avoid: Iterable[int] = (),
) -> ParallelTest:
    """Put the same key round at many disjoint places of a chip, in circuits as wide as the chip.

    Args:
        experiment: from `ebit.circuits.key_round`, without feed-forward: ``choices="per-circuit"``
            or ``wiring="controlled"``.
        couplings: coupled pairs of the chip (``backend.describe().couplings``).
        most: number of places that is enough; as many as fit if None.
        avoid: qubits to leave alone.

    Returns:
        One group of places. ``decode`` gives the rounds of every place.

    Raises:
        ArgumentError: conditions on classical bits in the circuits, or no room.

    Example:
        >>> from ebit.circuits.key_rounds import key_round
        >>> line = [(i, i + 1) for i in range(7)]
        >>> many_rounds(key_round("bbm92", choices="per-circuit"), line).groups[0].places
        ((0, 1), (2, 3), (4, 5), (6, 7))
    """
    if any(_conditions(canonical(circuit)[2]) for circuit in experiment.circuits):
        raise ArgumentError(
            f"experiment must be without conditions on classical bits to run at many places, but "
            f"{experiment.name!r} has some: take choices='per-circuit' or wiring='controlled'"
        )
    places = disjoint_places(
        couplings, experiment.couplings, experiment.num_qubits, most=most, avoid=avoid
    )
    return ParallelTest(
        name=f"{experiment.name}:{len(places)} places",
        tests=(experiment,),
        groups=(Group(0, places, "simultaneous"),),
        details={"protocol": experiment.details.get("protocol"), "places": len(places)},
    )


def _graph(edges: Iterable[Sequence[int]], name: str) -> dict[int, set[int]]:
    near: dict[int, set[int]] = {}
    for edge in edges:
        try:
            a, b = (int(q) for q in edge)
        except (TypeError, ValueError):
            raise ArgumentError(f"{name} must be pairs of qubits, but had {edge!r}") from None
        if a == b:
            raise ArgumentError(f"{name} must be pairs of different qubits, but had {edge!r}")
        near.setdefault(a, set()).add(b)
        near.setdefault(b, set()).add(a)
    return near


def _edges(near: dict[int, set[int]]) -> set[Edge]:
    return {(a, b) for a, others in near.items() for b in others if a < b}


def _walk(near: dict[int, set[int]]) -> Iterator[int]:
    """Qubits so that each follows one it is coupled to, where there is one; widest first."""
    seen: set[int] = set()
    for start in sorted(near, key=lambda q: (-len(near[q]), q)):
        queue = [start]
        while queue:
            q = queue.pop(0)
            if q in seen:
                continue
            seen.add(q)
            yield q
            queue += sorted(near[q] - seen, key=lambda p: (-len(near[p]), p))


def _embed(
    order: Sequence[int],
    inner: dict[int, set[int]],
    near: dict[int, set[int]],
    free: set[int],
) -> dict[int, int] | None:
    """One embedding of the shape into the free qubits, by backtracking."""

    def options(q: int, place: dict[int, int]) -> list[int]:
        friends = [place[p] for p in inner[q] if p in place]
        pool = set.intersection(*(near[f] for f in friends)) if friends else free
        left = (pool & free) - set(place.values())
        return sorted(left, key=lambda c: (len(near[c] & free), c))

    def grow(i: int, place: dict[int, int]) -> dict[int, int] | None:
        if i == len(order):
            return place
        for candidate in options(order[i], place):
            done = grow(i + 1, {**place, order[i]: candidate})
            if done is not None:
                return done
        return None

    return grow(0, {})


def _conditions(operations: Sequence[Sequence[object]]) -> bool:
    return any(operation[0] == "if_else" for operation in operations)
