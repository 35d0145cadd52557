"""Choice of physical qubits by calibration: the embedding with the best predicted game value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from heapq import nsmallest
from itertools import islice
from math import inf
from typing import TYPE_CHECKING, Any

from ebit.backends.calibration import Calibration
from ebit.backends.compile import check_coupled, check_qubits, compile_for
from ebit.backends.exact import distributions, joint
from ebit.backends.noise import DeviceNoise
from ebit.games import ArgumentError

if TYPE_CHECKING:
    from ebit.backends.model import Backend
    from ebit.circuits.program import Program

# Two-qubit gates that a source gate costs at least; all others cost one.
_COST = {"cry": 2, "crz": 2, "swap": 3}
_BEAM = 1024  # partial embeddings kept while searching
_PREDICTED = 16  # embeddings whose game value is predicted exactly
_EVALUATIONS = 128  # circuits computed for that, over all embeddings
_WIDEST = 6  # qubits up to which game values are predicted
_MOST_BITS = 12  # classical bits
_MOST_CIRCUITS = 64


def choose_qubits(
    experiment: Program,
    calibration: Calibration,
    noise: DeviceNoise,
    *,
    pinned: Mapping[int, int] | None = None,
    predictor: Callable[[Sequence[int]], float | None] | None = None,
) -> tuple[tuple[int, ...], float | None]:
    """Physical qubits for an experiment.

    Embeddings of the couplings into the chip are ranked by summed gate and readout errors; for
    the best few the game value is computed exactly under the device's noise.

    Args:
        experiment: what will run.
        calibration: the processor.
        noise: its noise.
        pinned: physical qubit of some logical ones.
        predictor: the game value on given qubits, for devices with a noise model of their own; one
            that knows nothing returns None.

    Returns:
        The physical qubits in logical order and the predicted game value, None where the circuits
        are too wide to predict it.

    Raises:
        ArgumentError: the chip has no room for the experiment.

    Example:
        >>> from ebit.backends import load_calibration
        >>> from ebit.circuits import chsh
        >>> fez = load_calibration("fez")
        >>> qubits, value = choose_qubits(chsh(), fez, DeviceNoise(fez))
        >>> qubits, round(value, 3)
        ((103, 96), 0.847)
    """
    if experiment.fixed is not None:
        return check_qubits(experiment, calibration, experiment.fixed), None
    room = experiment.num_qubits <= calibration.num_qubits
    ranked = embeddings(experiment, calibration, pinned=pinned or {}) if room else []
    if not ranked:
        fixed = f" with qubits {sorted(pinned.values())} fixed" if pinned else ""
        raise ArgumentError(
            f"{calibration.name} ({calibration.num_qubits} qubits) has no place for "
            f"{experiment.name!r}{fixed}: it must couple {_shape(experiment)}, and no gate is "
            "moved by swaps; take a smaller experiment or another device"
        )
    if not predictable(experiment):
        return ranked[0], None
    count = max(2, min(_PREDICTED, _EVALUATIONS // len(experiment.circuits)))
    if predictor is None:
        scored = [(predict(experiment, calibration, noise, q), q) for q in ranked[:count]]
    else:
        scored = [(value, q) for q in ranked[:count] if (value := predictor(q)) is not None]
    if not scored:
        return ranked[0], None
    value, best = max(scored, key=lambda item: item[0])
    return best, value


def predictable(experiment: Program) -> bool:
    """Whether there is a game value, and the one under noise is cheap to compute exactly."""
    from ebit.circuits.program import Program

    if type(experiment).value is Program.value:  # nothing is scored
        return False
    bits = max(c.num_clbits for c in experiment.circuits)
    few = len(experiment.circuits) <= _MOST_CIRCUITS
    return experiment.num_qubits <= _WIDEST and bits <= _MOST_BITS and few


def predict(
    experiment: Program, calibration: Calibration, noise: DeviceNoise, qubits: Sequence[int]
) -> float:
    """Game value of an experiment on given qubits under the device's noise, exact.

    Value in [0, 1]: probability to win a round, questions drawn as the game draws them.

    Example:
        >>> from ebit.backends import load_calibration
        >>> from ebit.circuits import chsh
        >>> fez = load_calibration("fez")
        >>> round(predict(chsh(), fez, DeviceNoise(fez), (3, 4)), 3)
        0.839
    """
    compiled = compile_for(experiment, calibration, qubits)
    tables = [joint(distributions(c, noise), c.num_clbits) for c in compiled]
    return experiment.value(tables) or 0.0


def complete_qubits(experiment: Program, backend: Backend, pair: Sequence[int]) -> tuple[int, ...]:
    """Physical qubits of a whole experiment when only those of Alice and Bob are given.

    Args:
        experiment: with roles "A" and "B"; any coins are placed beside them.
        backend: where it will run.
        pair: physical qubits of Alice and Bob.

    Raises:
        ArgumentError: `pair` is not two qubits, is not coupled, or leaves no room for the coins.

    Example:
        >>> from ebit.backends import open_backend
        >>> from ebit.circuits import chsh
        >>> complete_qubits(chsh(settings="per-shot"), open_backend("aer:fez"), (3, 2))
        (4, 3, 2, 1)
    """
    players = [experiment.roles.index(role) for role in ("A", "B") if role in experiment.roles]
    if len(players) != 2 or len(pair) != 2:
        raise ArgumentError(
            f"argument pair must be the physical qubits of Alice and Bob, such as 3,4, but was "
            f"{','.join(map(str, pair))} for the parties {', '.join(experiment.roles)}"
        )
    pinned = dict(zip(players, (int(q) for q in pair), strict=True))
    if len(set(pinned.values())) < 2 or min(pinned.values()) < 0:
        raise ArgumentError(
            f"argument pair must be two different qubits, but was {','.join(map(str, pair))}"
        )
    calibration: Calibration | None = getattr(backend, "calibration", None)
    if calibration is None:
        free = iter(q for q in range(experiment.num_qubits + 2) if q not in pinned.values())
        return tuple(pinned[i] if i in pinned else next(free) for i in range(experiment.num_qubits))
    for q in pinned.values():
        if q >= calibration.num_qubits:
            raise ArgumentError(
                f"argument pair must lie in 0 .. {calibration.num_qubits - 1} on "
                f"{calibration.name}, but has {q}"
            )
    if experiment.num_qubits == 2:
        return check_qubits(experiment, calibration, [pinned[0], pinned[1]])
    if tuple(sorted(players)) in experiment.couplings:
        check_coupled(calibration, *pinned.values())
    choose = getattr(backend, "choose", None)
    if choose is not None:  # a device with a noise model of its own
        chosen: tuple[int, ...] = choose(experiment, pinned=pinned)[0]
        return chosen
    noise: Any = getattr(backend, "noise", None) or DeviceNoise(calibration)
    return choose_qubits(experiment, calibration, noise, pinned=pinned)[0]


def embeddings(
    experiment: Program, calibration: Calibration, *, pinned: Mapping[int, int]
) -> list[tuple[int, ...]]:
    """Embeddings of the experiment's couplings into the chip, least summed error first.

    A beam search: logical qubits are placed one after another, each next to those it is coupled
    to, and the best partial embeddings are kept.
    """
    pairs, singles, measured = _usage(experiment)
    near: list[set[int]] = [set() for _ in range(experiment.num_qubits)]
    for a, b in experiment.couplings:
        near[a].add(b)
        near[b].add(a)

    @cache
    def own_cost(logical: int, q: int) -> float:
        read = calibration.readout[q]
        if logical in measured and read is None:
            return inf
        single = min(
            (
                data.error
                for name in calibration.basis
                if (data := calibration.gates[name].get((q,))) is not None and data.error
            ),
            default=0.0,
        )
        return singles[logical] * single + (read.error if read and logical in measured else 0.0)

    beam: list[tuple[float, dict[int, int]]] = [(0.0, {})]
    for logical in _order(near, pinned):
        grown = []
        cheapest = []
        if not near[logical]:
            cheapest = sorted(range(calibration.num_qubits), key=partial(own_cost, logical))
        for cost, placed in beam:
            friends = [placed[m] for m in near[logical] if m in placed]
            if logical in pinned:
                options = {pinned[logical]}
            elif friends:
                options = set.intersection(*(set(calibration.neighbours[f]) for f in friends))
            else:
                options = set(range(calibration.num_qubits))
                if not near[logical]:  # coupled to nothing: the best that are free, and no more
                    free = (q for q in cheapest if q not in placed.values())
                    options = set(islice(free, max(1, _BEAM // len(beam))))
            for q in options - set(placed.values()):
                if any(q not in calibration.neighbours[f] for f in friends):
                    continue
                more = own_cost(logical, q) + sum(
                    pairs[frozenset((logical, m))] * calibration.gate_error(q, placed[m])
                    for m in near[logical]
                    if m in placed
                )
                if cost + more < inf:
                    grown.append((cost + more, {**placed, logical: q}))
        beam = nsmallest(_BEAM, grown, key=lambda item: (item[0], sorted(item[1].items())))
    return [tuple(placed[i] for i in range(experiment.num_qubits)) for _, placed in beam]


def _order(near: Sequence[set[int]], pinned: Mapping[int, int]) -> list[int]:
    """Logical qubits so that each follows one it is coupled to, where there is one."""
    left = set(range(len(near)))
    order: list[int] = []
    while left:
        touching = {q for q in left if near[q] & set(order)}
        fixed = left & set(pinned)
        pool = touching or fixed or left
        # Those with most placed neighbours first: they have the fewest places to go.
        best = max(pool, key=lambda q: (q in pinned, len(near[q] & set(order)), len(near[q]), -q))
        order.append(best)
        left.remove(best)
    return order


def _usage(
    experiment: Program,
) -> tuple[Counter[frozenset[int]], Counter[int], set[int]]:
    """Two-qubit gates per pair, gates per qubit (mean over circuits, roughly), measured qubits."""
    from ebit.backends.lower import lower

    pairs: Counter[frozenset[int]] = Counter()
    singles: Counter[int] = Counter()
    measured: set[int] = set()
    for circuit in experiment.circuits:
        stack = list(lower(circuit))
        while stack:
            op = stack.pop()
            stack += [*op.then, *op.otherwise]
            if op.name == "measure":
                measured.add(op.qubits[0])
            elif op.name != "if_else" and len(op.qubits) == 2:
                pairs[frozenset(op.qubits)] += _COST.get(op.name, 1)
            elif len(op.qubits) == 1:
                singles[op.qubits[0]] += 1
    count = len(experiment.circuits)
    for key in pairs:
        pairs[key] = -(-pairs[key] // count)
    for qubit in singles:
        singles[qubit] = -(-singles[qubit] // count)
    return pairs, singles, measured


def _shape(experiment: Program) -> str:
    shown = [f"{a}-{b}" for a, b in experiment.couplings]
    return " ".join(shown[:6]) + (" ..." if len(shown) > 6 else "") if shown else "nothing"
