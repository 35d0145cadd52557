"""A whole chip, end to end: CHSH on every coupled pair."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ebit.analysis.chip import Place, corrected_values, score_chip
from ebit.analysis.chip_result import ChipMap
from ebit.games import ArgumentError, Shots
from ebit.protocols.resuming import play
from ebit.protocols.run import Progress, Run, context_of
from ebit.protocols.terms import Confirm

if TYPE_CHECKING:
    from ebit.circuits import Experiment, Group, ParallelTest

__all__ = ["chip_map", "map_program", "score_map_run"]

Mode = Literal["simultaneous", "separated", "both"]
_MODES = ("simultaneous", "separated", "both")
_SETTINGS = ("per-circuit", "per-shot")
# What a test of many pairs at once leaves open.
_TOGETHER = {
    False: (),
    True: (
        "what a neighbouring pair's test did to a pair: in one circuit all pairs have the same "
        "setting, so that no-signalling inside a pair cannot tell; compare with mode separated",
    ),
}


def chip_map(
    backend: str | object = "aer:fez",
    *,
    shots: int = 4096,
    mode: Mode = "simultaneous",
    settings: Literal["per-circuit", "per-shot"] = "per-circuit",
    pairs: Sequence[Sequence[int]] | None = None,
    fdr: float = 0.05,
    readout: bool = True,
    seed: int | None = None,
    progress: Progress | None = None,
    confirm: Confirm = None,
    max_seconds: float | None = None,
) -> ChipMap:
    """Run CHSH on every coupled pair of a chip, each on its own physical qubits.

    Args:
        backend: a name ("aer:fez", "ibm:ibm_fez", "cirq:willow_pink"), or an object with couplings.
        shots: rounds per pair, shared among its four settings.
        mode: "simultaneous" tests all pairs that share no qubit at the same time, in the fewest
            groups; "separated" leaves a coupling free between any two; "both" does both and
            compares: cross-talk.
        settings: "per-circuit", or "per-shot" with coin qubits beside each pair where it has
            neighbours for them (the others stay per-circuit).
        pairs: the pairs to test, all coupled ones if left out.
        fdr: largest expected share of false ones among the pairs called violating.
        readout: measure readout errors in the same run, by two more circuits; corrected values are
            shown beside the raw ones.
        seed: makes a simulator's run repeatable.
        progress: called with (done, total).
        confirm: whether to send a paid run; asked of you if left out.
        max_seconds: refuse a run that would take longer.

    Returns:
        The map.

    Raises:
        EbitError: something that cannot be run, in one line.

    Example:
        >>> import ebit
        >>> found = ebit.chip_map("aer:fez", shots=1024, pairs=[(3, 4), (4, 5)], seed=1)
        >>> found.colours, len(found.violating)
        (2, 2)

    Source:
        Benjamini and Yekutieli, Ann. Stat. 29, 1165 (2001), for the chip as a whole.
    """
    found: ChipMap = play(
        "map",
        backend,
        shots=shots,
        seed=seed,
        progress=progress,
        confirm=confirm,
        max_seconds=max_seconds,
        mode=mode,
        settings=settings,
        pairs=pairs,
        fdr=fdr,
        readout=readout,
    )
    return found


def map_program(
    backend: str | object,
    *,
    shots: int,
    mode: str = "simultaneous",
    settings: str = "per-circuit",
    pairs: Sequence[Sequence[int]] | None = None,
    fdr: float = 0.05,
    readout: bool = True,
) -> tuple[ParallelTest, dict[str, Any], int, tuple[int, ...]]:
    """Return what `chip_map` runs: the circuits, their purpose, shots in all, and the qubits."""
    from ebit.backends import open_backend
    from ebit.circuits import ALIKE_ANGLES, ParallelTest, chsh

    if mode not in _MODES:
        raise ArgumentError(f"mode must be one of {', '.join(_MODES)}, but was {mode!r}")
    if settings not in _SETTINGS:
        raise ArgumentError(f"settings must be one of {', '.join(_SETTINGS)}, but was {settings!r}")
    if not (isinstance(fdr, (int, float)) and 0 < fdr < 1):
        raise ArgumentError(f"fdr must lie in (0, 1), but was {fdr!r}")
    where = open_backend(backend)
    described = where.describe()
    if described.couplings is None:
        raise ArgumentError(
            f"backend must be a device with couplings to be mapped, but was {where.name}: "
            "name one, such as aer:fez"
        )
    known = sorted({(min(e), max(e)) for e in described.couplings})
    wanted = _wanted(pairs, known, where.name)
    # Where a gate has a direction, every pair's gate runs from Alice to Bob: all compile alike.
    directed = set(described.couplings)
    wanted = tuple((a, b) if (a, b) in directed else (b, a) for a, b in wanted)
    modes = ("simultaneous", "separated") if mode == "both" else (mode,)
    tests: list[Experiment] = [chsh(angles=ALIKE_ANGLES)]
    chains: dict[tuple[int, int], tuple[int, ...]] = {}
    if settings == "per-shot":
        chains = _chains(wanted, known)
        tests.append(chsh(settings="per-shot"))
    groups = [group for name in modes for group in _groups(wanted, chains, known, name)]
    program = ParallelTest(
        name=f"chsh-map:{mode}:{settings}",
        tests=tuple(tests),
        groups=tuple(groups),
        readout=bool(readout),
    )
    purpose = {"kind": "map", "fdr": float(fdr), "shots": int(shots)}
    return program, purpose, program.total(int(shots)), program.fixed


def score_map_run(run: Run, purpose: Mapping[str, Any]) -> ChipMap:
    """Score a finished map, in the process that ran it or in any later one."""
    from ebit.circuits import ParallelTest

    program = run.experiment
    if not isinstance(program, ParallelTest):
        raise ArgumentError(f"run must be of a map, but was of {program.name!r}")
    shots = run.outcome.shots
    predicted = _predicted(run, program)
    corrected, errors = _corrected(program, shots)
    places = []
    for k, (group, place, trials) in enumerate(program.decode(shots)):
        places.append(
            Place(
                qubits=(place[0], place[1]) if len(place) == 2 else (place[1], place[2]),
                group=program.groups.index(group),
                mode=group.mode,
                trials=trials,
                predicted=predicted[k] if predicted else None,
                corrected=corrected[k] if corrected else None,
            )
        )
    context = context_of(run)
    return score_chip(
        places,
        program.tests[0].game,
        fdr=float(purpose.get("fdr", 0.05)),
        **{
            **context,
            "not_given": (
                *context["not_given"],
                "evidence about one pair alone, as if it had been chosen before the data: pairs "
                "are judged together",
                *_TOGETHER[any(group.mode == "simultaneous" for group in program.groups)],
            ),
        },
        facts={
            "backend": run.info.backend,
            "circuits": len(program.circuits),
            "jobs": run.jobs,
            "shots": purpose.get("shots"),
            "positions": _positions(run, program),
            "readout": errors,
        },
    )


def _wanted(
    pairs: Sequence[Sequence[int]] | None, known: Sequence[tuple[int, int]], name: str
) -> tuple[tuple[int, int], ...]:
    if pairs is None:
        if not known:
            raise ArgumentError(f"{name} must have coupled pairs to be mapped, but has none")
        return tuple(known)
    there = set(known)
    found = []
    for pair in pairs:
        try:
            a, b = (int(q) for q in pair)
        except (TypeError, ValueError):
            raise ArgumentError(f"pairs must be pairs of qubits, but had {pair!r}") from None
        edge = (min(a, b), max(a, b))
        if edge not in there:
            near = [f"{x}-{y}" for x, y in known if {x, y} & {a, b}]
            raise ArgumentError(
                f"pairs must be coupled on {name}, but {a}-{b} is not; coupled there: "
                f"{' '.join(near) if near else 'none of these qubits'}"
            )
        found.append(edge)
    if not found:
        raise ArgumentError("pairs must name at least one pair, but was empty")
    return tuple(dict.fromkeys(found))


def _chains(
    wanted: Sequence[tuple[int, int]], known: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], tuple[int, ...]]:
    """Coin, Alice, Bob, coin for every pair that has neighbours for both coins.

    Coins are spread over the chip, so that few circuits hold all chains: pairs with least choice
    choose first, and take the qubits that are used least so far.
    """
    near: dict[int, list[int]] = {}
    for a, b in known:
        near.setdefault(a, []).append(b)
        near.setdefault(b, []).append(a)
    options = {
        (a, b): [(c, a, b, d) for c in near[a] for d in near[b] if len({c, a, b, d}) == 4]
        for a, b in wanted
    }
    used = Counter(q for pair in wanted if options[pair] for q in pair)
    found: dict[tuple[int, int], tuple[int, ...]] = {}
    for pair in sorted(wanted, key=lambda pair: (len(options[pair]), pair)):
        if options[pair]:
            chain = min(
                options[pair],
                key=lambda o: (max(used[o[0]], used[o[3]]), used[o[0]] + used[o[3]], o),
            )
            used.update((chain[0], chain[3]))
            found[pair] = chain
    return found


def _groups(
    wanted: Sequence[tuple[int, int]],
    chains: Mapping[tuple[int, int], tuple[int, ...]],
    known: Sequence[tuple[int, int]],
    mode: str,
) -> list[Group]:
    from ebit.circuits import Group, colour_edges, pack

    plain = [pair for pair in wanted if pair not in chains]
    coined = [chains[pair] for pair in wanted if pair in chains]
    if mode == "simultaneous":
        towards = {frozenset(pair): pair for pair in plain}
        sorted_plain: tuple[tuple[tuple[int, ...], ...], ...] = tuple(
            tuple(towards[frozenset(edge)] for edge in group)
            for group in (colour_edges(plain) if plain else ())
        )
        sorted_coined = pack(coined) if coined else ()
    else:
        sorted_plain = _apart(plain, known)
        sorted_coined = _apart(coined, known)
    return [
        *(Group(0, places, mode) for places in sorted_plain),
        *(Group(1, places, mode) for places in sorted_coined),
    ]


def _apart(
    places: Sequence[tuple[int, ...]], known: Sequence[tuple[int, int]]
) -> tuple[tuple[tuple[int, ...], ...], ...]:
    from ebit.circuits.colouring import apart

    return apart(places, known) if places else ()


def _predicted(run: Run, program: ParallelTest) -> list[float] | None:
    """S of every place by the calibration's own noise model, None where there is none."""
    tables = run.expected()
    if tables is None:
        return None
    found = []
    first = 0
    for group in program.groups:
        test = program.tests[group.test]
        width = int(test.circuits[0].num_clbits)
        count = len(test.circuits)
        by_place = [_split(tables[first + i], len(group.places), width) for i in range(count)]
        for k in range(len(group.places)):
            behaviour = test.behaviour([by_place[i][k] for i in range(count)])
            found.append(float(test.game.bell_value(behaviour)))
        first += count
    return found


def _split(parts: Sequence[Any], places: int, width: int) -> list[Any]:
    """The joint distribution of every place's bits, out of the components of a circuit."""
    from ebit.backends import Distribution, joint

    mine: list[list[Any]] = [[] for _ in range(places)]
    for part in parts:
        k = part.clbits[0] // width
        bits = tuple(bit - k * width for bit in part.clbits)
        mine[k].append(Distribution(bits, part.probabilities))
    return [joint(one, width) for one in mine]


def _corrected(
    program: ParallelTest, shots: Shots
) -> tuple[list[tuple[float, float] | None] | None, dict[int, tuple[float, float]]]:
    """S of every place without readout errors, and the errors of every qubit."""
    ones = program.ones(shots)
    if ones is None:
        return None, {}
    taken = shots.counts[-1]
    column = {q: i for i, q in enumerate(program.fixed)}
    out: list[tuple[float, float] | None] = []
    for group, counts in zip(program.groups, program.counts(shots), strict=True):
        test = program.tests[group.test]
        if len(group.places[0]) != 2:  # coins are misread too, which mixes questions: not undone
            out += [None] * len(group.places)
            continue
        reads = np.array([[column[q] for q in place] for place in group.places])
        middle, half = corrected_values(counts, reads, ones, taken, test.game.signs)
        out += [
            None if np.isnan(m + h) else (float(m), float(h))
            for m, h in zip(middle, half, strict=True)
        ]
    errors = {
        q: (float(ones[0, i] / taken), float(1 - ones[1, i] / taken)) for q, i in column.items()
    }
    return out, errors


def _positions(run: Run, program: ParallelTest) -> dict[int, tuple[float, float]]:
    from ebit.backends.positions import positions_of

    if run.info.labels:  # Google's names are the place on the grid: row_column
        grid = (label.split("_") for label in run.info.labels)
        return {
            q: (float(column), float(row))
            for q, (row, column) in zip(program.fixed, grid, strict=True)
        }
    data = run.calibration
    if data is None:
        return {}
    found = positions_of(data.num_qubits, data.pairs)
    return {q: found[q] for q in range(data.num_qubits)}
