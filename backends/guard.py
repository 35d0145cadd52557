"""Checks that compiled circuits are what was asked, before anything runs.

Form: native gates in calibrated directions, entangling gates on the asked pairs only, the labelled
barrier in its place, the same qubit behind every classical bit. Content: the state before the
barrier and what is measured after it are those of the source.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

from ebit.backends.calibration import Calibration
from ebit.backends.equal import (
    ORDER,
    TOLERANCE,
    Finding,
    Mismatch,
    compare_measurements,
    compare_outcomes,
    compare_states,
    worst,
)
from ebit.backends.lower import Op, lower
from ebit.backends.model import GuardReport
from ebit.backends.parts import parts
from ebit.games import GuardError

if TYPE_CHECKING:
    from ebit.circuits.program import Program

_FREE = frozenset({"measure", "reset", "delay"})


def guard_circuits(
    experiment: Program,
    compiled: Sequence[Any],
    qubits: Sequence[int],
    calibration: Calibration | None = None,
) -> GuardReport:
    """Compare compiled circuits with the experiment's.

    Args:
        experiment: what was asked.
        compiled: one circuit per circuit of the experiment, on physical qubits.
        qubits: physical qubit of each logical one.
        calibration: native gates and directions, None where any gate goes.

    Returns:
        How they were compared, and the largest deviation.

    Raises:
        GuardError: a circuit is not what was asked; the text names it and what is wrong.

    Example:
        >>> from ebit.circuits import chsh
        >>> test = chsh()
        >>> guard_circuits(test, test.circuits, (0, 1)).status
        'exact'
    """
    if len(compiled) != len(experiment.circuits):
        raise GuardError(
            f"compiling {experiment.name!r} gave {len(compiled)} circuits instead of "
            f"{len(experiment.circuits)}"
        )
    found: list[Finding] = []
    for source, native in zip(experiment.circuits, compiled, strict=True):
        try:
            _form(experiment, source, native, qubits, calibration)
            found.append(_content(source, native, qubits))
        except Mismatch as wrong:
            raise GuardError(
                f"compiled circuit {source.name!r} is not what was asked: {wrong}"
            ) from None
    total = worst(found)
    return GuardReport(total.status, total.gap, WORDS[total.status])


WORDS = {
    "exact": "prepared states and outcome distributions equal the source's",
    "stabiliser": "stabilisers and measured Pauli operators equal the source's where it is wide",
    "unchecked": "gates, qubits, bits and barrier are as asked; the circuit is too wide to compare "
    "its outcomes",
}


def _form(
    experiment: Program,
    source: Any,
    native: Any,
    qubits: Sequence[int],
    calibration: Calibration | None,
) -> None:
    pairs = {frozenset((qubits[a], qubits[b])) for a, b in experiment.couplings}
    for name, where in _gates(native, range(native.num_qubits)):
        label = f"{name} on {','.join(map(str, where))}"
        if not set(where) <= set(qubits):
            raise Mismatch(f"{label} touches a qubit that was not asked for")
        if len(where) > 1 and frozenset(where) not in pairs:
            raise Mismatch(f"{label} joins a pair that was not asked for")
        if calibration is not None and name not in _FREE:
            table = calibration.gates.get(name)
            if table is None or where not in table:
                raise Mismatch(f"{label} is not native on {calibration.name}")
    if native.num_clbits != source.num_clbits:
        raise Mismatch(f"it has {native.num_clbits} classical bits, not {source.num_clbits}")
    asked = _measured(source, qubits)
    got = _measured(native, range(native.num_qubits))
    if asked != got:
        bit = min(b for b in {*asked, *got} if asked.get(b) != got.get(b))
        raise Mismatch(f"bit {bit} reads qubits {got.get(bit, [])}, not {asked.get(bit, [])}")


def _gates(circuit: Any, names: Sequence[int]) -> Iterator[tuple[str, tuple[int, ...]]]:
    index = dict(zip(circuit.qubits, names, strict=True))
    for item in circuit.data:
        where = tuple(index[q] for q in item.qubits)
        if item.operation.name == "if_else":
            for block in item.operation.blocks:
                yield from _gates(block, where)
        elif item.operation.name != "barrier":
            yield item.operation.name, where


def _read_alone(circuit: Any) -> set[int]:
    """Classical bits whose qubit met no other between the last barrier and being measured."""
    met: set[Any] = set()
    found = set()
    for item in circuit.data:
        if item.operation.name == "barrier":
            met.clear()
        elif item.operation.name == "measure":
            if item.qubits[0] not in met:
                found.add(circuit.find_bit(item.clbits[0]).index)
        elif len(item.qubits) > 1:
            met.update(item.qubits)
    return found


def _measured(circuit: Any, qubits: Sequence[int]) -> dict[int, list[int]]:
    """Qubits that each classical bit reads, in order."""
    found: dict[int, list[int]] = {}
    stack = list(lower(circuit))
    while stack:
        op = stack.pop(0)
        if op.name == "measure":
            found.setdefault(op.clbits[0], []).append(qubits[op.qubits[0]])
        stack[:0] = [*op.then, *op.otherwise]
    return found


def _content(source: Any, native: Any, qubits: Sequence[int]) -> Finding:
    cut = _cut(source, range(len(qubits)))
    native_cut = _cut(native, qubits)
    if len(cut) != len(native_cut):
        raise Mismatch(f"it has {len(native_cut)} labelled barriers instead of {len(cut)}")
    # A coin that is read after it has acted has the same statistics, but is no free choice.
    for bit in sorted(_read_alone(source) - _read_alone(native)):
        raise Mismatch(f"bit {bit} is read after its qubit has met another")
    asked = _slices(source, cut, {i: i for i in range(len(qubits))})
    made = _slices(native, native_cut, {q: i for i, q in enumerate(qubits)})
    return worst(compare_parts(asked, made))


def cut_at_barrier(circuit: Any, qubits: Sequence[int]) -> list[tuple[Op, ...]]:
    """Operations between the labelled barriers of a circuit, on logical qubits.

    Args:
        circuit: a Qiskit circuit.
        qubits: its qubit for each logical one.
    """
    return _slices(circuit, _cut(circuit, qubits), {q: i for i, q in enumerate(qubits)})


def compare_parts(
    asked: Sequence[tuple[Op, ...]],
    made: Sequence[tuple[Op, ...]],
    *,
    tolerance: float | None = None,
) -> Iterator[Finding]:
    """Each part on its own, equal ones once: a chip full of pairs is compared as fast as one.

    Args:
        asked: operations between labelled barriers, on logical qubits.
        made: the same of what was compiled.
        tolerance: largest difference of a matrix element, the guard's own by default.

    Raises:
        Mismatch: a part differs; the text says in what.
    """
    found = parts([*asked, *made])
    for part in found:
        try:
            yield _compared(
                part.ops[: len(asked)],
                part.ops[len(asked) :],
                len(part.qubits),
                TOLERANCE if tolerance is None else tolerance,
            )
        except Mismatch as wrong:
            if len(found) == 1:
                raise
            raise Mismatch(
                f"of logical qubits {','.join(map(str, part.qubits))} and bits "
                f"{','.join(map(str, part.clbits))}, counted from 0: {wrong}"
            ) from None


@lru_cache(maxsize=4096)
def _compared(
    asked: tuple[tuple[Op, ...], ...],
    made: tuple[tuple[Op, ...], ...],
    num_qubits: int,
    tolerance: float,
) -> Finding:
    found = compare_outcomes(tuple(chain(*asked)), tuple(chain(*made)), tolerance)
    if len(asked) != 2:
        return found
    state = compare_states(asked[0], made[0], num_qubits, tolerance)
    measured = compare_measurements(asked[1], made[1], tolerance)
    # Equal states before the barrier and equal measurements after it give equal outcomes.
    implied = worst([state, measured])
    best = min((found, implied), key=lambda f: ORDER.index(f.status))
    return Finding(best.status, max(f.gap for f in (found, state, measured)))


def _cut(circuit: Any, qubits: Sequence[int]) -> list[int]:
    """Positions of labelled barriers; each must span every qubit in use."""
    from ebit.circuits import PREPARED

    wanted = {circuit.qubits[q] for q in qubits}
    found = []
    for i, item in enumerate(circuit.data):
        if item.operation.name == "barrier" and item.operation.label == PREPARED:
            if not wanted <= set(item.qubits):
                raise Mismatch("the labelled barrier does not span every qubit")
            found.append(i)
    return found


def _slices(circuit: Any, cut: Sequence[int], names: dict[int, int]) -> list[tuple[Op, ...]]:
    edges = [0, *cut, len(circuit.data)]
    out = []
    for low, high in pairwise(edges):
        piece = circuit.copy_empty_like()
        for item in circuit.data[low:high]:
            piece.append(item)
        out.append(_rename(lower(piece), names))
    return out


def _rename(ops: Sequence[Op], names: dict[int, int]) -> tuple[Op, ...]:
    return tuple(
        op._replace(
            qubits=tuple(names[q] for q in op.qubits),
            then=_rename(op.then, names),
            otherwise=_rename(op.otherwise, names),
        )
        for op in ops
    )
