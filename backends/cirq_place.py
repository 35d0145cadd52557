"""Where on a Google processor an experiment runs, and its native circuits there, guarded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ebit.backends.choose import choose_qubits, predictable
from ebit.backends.cirq_compile import native_circuits
from ebit.backends.cirq_defer import CONTROLLED
from ebit.backends.cirq_device import Chip
from ebit.backends.cirq_guard import guard_native
from ebit.backends.compile import check_qubits
from ebit.backends.model import Compiled, Description
from ebit.backends.noise import DeviceNoise
from ebit.circuits.program import Program
from ebit.games import ArgumentError

__all__ = ["choose_place", "compile_native", "describe_chip", "without_feed_forward"]

Predictor = Callable[["Program", Sequence[int]], float | None]
_CONTROLLED = {"ry": "cry", "rz": "crz", "x": "cx", "z": "cz"}


def describe_chip(chip: Chip, name: str, kind: Any, note: str, **more: Any) -> Description:
    """What a backend says of a chip."""
    return Description(
        name,
        kind,
        num_qubits=chip.calibration.num_qubits,
        basis=chip.calibration.basis,
        couplings=tuple(sorted(chip.calibration.directed)),
        calibration=chip.dated,
        note=note,
        labels=chip.labels,
        positions=chip.positions,
        **more,
    )


def choose_place(
    experiment: Program,
    chip: Chip,
    predictor: Predictor | None,
    *,
    pinned: Mapping[int, int] | None = None,
) -> tuple[tuple[int, ...], float | None]:
    """Physical qubits for an experiment, and the game value predicted there.

    Args:
        experiment: what will run.
        chip: the processor.
        predictor: the exact game value on given qubits, None where there is no noise model: the
            least summed error then decides.
        pinned: physical qubit of some logical ones.
    """
    asked = without_feed_forward(experiment)
    known = predictor if predictor is not None and predictable(asked) else None
    return choose_qubits(
        asked,
        chip.calibration,
        DeviceNoise(chip.calibration),
        pinned=pinned,
        predictor=(lambda qubits: known(asked, qubits)) if known else lambda _: None,
    )


def compile_native(
    experiment: Program,
    chip: Chip,
    name: str,
    predictor: Predictor | None,
    qubits: Sequence[int] | None,
) -> Compiled:
    """Native circuits on pinned qubits, guarded.

    Args:
        experiment: what to compile.
        chip: the processor.
        name: of the backend.
        predictor: see `choose_place`.
        qubits: physical qubit of each logical one, chosen if None.

    Raises:
        ArgumentError: the qubits do not fit, or the chip has no room.
        GuardError: the compiler did not do what was asked.
    """
    asked = without_feed_forward(experiment)
    predicted: float | None = None
    if qubits is None:
        chosen, predicted = choose_place(asked, chip, predictor)
    else:
        chosen = check_qubits(asked, chip.calibration, qubits)
        if predictor is not None and predictable(asked):
            predicted = predictor(asked, chosen)
    circuits, assumptions = native_circuits(asked, chip, chosen)
    report = guard_native(asked, circuits, chosen, chip)
    if asked is not experiment:
        assumptions = (*assumptions, CONTROLLED)
    return Compiled(
        experiment=experiment,
        backend=name,
        circuits=circuits,
        qubits=chosen,
        guard=report,
        calibration=chip.dated,
        predicted=predicted,
        assumptions=assumptions,
    )


def without_feed_forward(program: Program) -> Program:
    """The same experiment with every conditioned gate done as a gate controlled by the qubit.

    The statistics are equal (deferred measurement); the device need not act on what it has read.

    Raises:
        ArgumentError: a condition holds more than rotations, or tests a bit that nothing wrote.

    Example:
        >>> from ebit.circuits import chsh
        >>> coins = chsh(settings="per-shot", coins="feed-forward")
        >>> without_feed_forward(coins).couplings == chsh(settings="per-shot").couplings
        True
    """
    conditioned = any(
        item.operation.name == "if_else" for circuit in program.circuits for item in circuit.data
    )
    if not conditioned:
        return program
    return _Recast(program, tuple(_controlled(c) for c in program.circuits))


class _Recast(Program):
    """A program with other circuits that have the same statistics."""

    def __init__(self, program: Program, circuits: tuple[Any, ...]) -> None:
        self.program = program
        self.circuits = circuits
        self.name, self.roles = program.name, program.roles
        self.weights, self.details = program.weights, program.details

    @property
    def id(self) -> str:
        return self.program.id

    def decode(self, shots: Any) -> Any:
        return self.program.decode(shots)

    def value(self, distributions: Any) -> float | None:
        return self.program.value(distributions)


def _controlled(circuit: Any) -> Any:
    from ebit.circuits.canonical import condition

    out = circuit.copy_empty_like()
    clbits = {bit: i for i, bit in enumerate(circuit.clbits)}
    read: dict[int, Any] = {}
    for item in circuit.data:
        if item.operation.name == "measure":
            read[clbits[item.clbits[0]]] = item.qubits[0]
        if item.operation.name != "if_else":
            out.append(item)
            continue
        bit, value = condition(item.operation, clbits)
        if bit not in read:
            raise ArgumentError(
                f"circuit {circuit.name!r} must measure bit {bit} before it is tested"
            )
        for block, wanted in zip(item.operation.blocks, (value, 1 - value), strict=False):
            if not wanted:
                out.x(read[bit])
            for inner in block.data:
                name = inner.operation.name
                if name not in _CONTROLLED:
                    raise ArgumentError(
                        f"a condition must hold {', '.join(_CONTROLLED)} alone where there is no "
                        f"feed-forward, but holds {name!r}"
                    )
                target = item.qubits[block.qubits.index(inner.qubits[0])]
                getattr(out, _CONTROLLED[name])(*inner.operation.params, read[bit], target)
            if not wanted:
                out.x(read[bit])
    return out
