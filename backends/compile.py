"""Compilation to native gates on physical qubits that are given and stay so.

Only the qubits in use are compiled, as a small device of their own, so that no router and no
layout pass has anything to decide; the result is then placed on the chip. The barrier between
preparation and measurement stops every optimisation from crossing it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ebit.backends.calibration import Calibration
from ebit.backends.local import whole_numbers
from ebit.games import ArgumentError

if TYPE_CHECKING:
    from ebit.circuits.parallel import ParallelTest
    from ebit.circuits.program import Program

_Pattern = tuple[tuple[str, tuple[int, ...]], ...]
_cache: OrderedDict[tuple[str, _Pattern], tuple[Any, ...]] = OrderedDict()


def compile_for(
    experiment: Program, calibration: Calibration, qubits: Sequence[int]
) -> tuple[Any, ...]:
    """Native circuits of an experiment on physical qubits of a calibrated processor.

    Args:
        experiment: what to compile.
        calibration: the processor.
        qubits: physical qubit of each logical one.

    Returns:
        One circuit per circuit of the experiment, as wide as the chip, bits unchanged.

    Raises:
        ArgumentError: `qubits` has a wrong length, is not on the chip, or lacks a coupling.

    Example:
        >>> from ebit.backends import load_calibration
        >>> from ebit.circuits import chsh
        >>> native = compile_for(chsh(), load_calibration("fez"), (3, 4))
        >>> len(native), native[0].count_ops()["cz"]
        (4, 1)
    """
    from ebit.circuits.parallel import ParallelTest

    chosen = check_qubits(experiment, calibration, qubits)
    if isinstance(experiment, ParallelTest):
        return _compile_parallel(experiment, calibration, chosen)
    return tuple(
        _place(local, source, calibration.num_qubits, chosen)
        for local, source in zip(
            _local(experiment, calibration, chosen), experiment.circuits, strict=True
        )
    )


def _local(experiment: Program, calibration: Calibration, qubits: Sequence[int]) -> tuple[Any, ...]:
    """Native circuits on as many qubits as the experiment has, cached by what they depend on."""
    pattern = _pattern(calibration, qubits)
    key = (experiment.id, pattern)
    if key not in _cache:
        _cache[key] = _compile_local(experiment.circuits, experiment.num_qubits, pattern)
        while len(_cache) > 128:
            _cache.popitem(last=False)
    _cache.move_to_end(key)
    return _cache[key]


def _compile_parallel(
    program: ParallelTest, calibration: Calibration, qubits: Sequence[int]
) -> tuple[Any, ...]:
    """Wide circuits put together from small ones: a place compiles as it would alone."""
    from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister

    from ebit.circuits.parallel import side_by_side

    logical = {q: i for i, q in enumerate(program.fixed)}
    sources, made = iter(program.circuits), []
    for group in program.groups:
        test = program.tests[group.test]
        places = [[qubits[logical[q]] for q in place] for place in group.places]
        small = [_local(test, calibration, place) for place in places]
        for i in range(len(test.circuits)):
            source = next(sources)
            wide = QuantumCircuit(
                QuantumRegister(calibration.num_qubits, "q"),
                ClassicalRegister(source.num_clbits, "c"),
                name=source.name,
            )
            made.append(
                side_by_side(
                    [circuits[i] for circuits in small],
                    places,
                    calibration.num_qubits,
                    name=source.name,
                    wide=wide,
                    barrier=qubits,
                )
            )
    for source in sources:  # known states, one gate a qubit
        flips = [_local_known(source, calibration, q) for q in qubits]
        wide = QuantumCircuit(
            QuantumRegister(calibration.num_qubits, "q"),
            ClassicalRegister(source.num_clbits, "c"),
            name=source.name,
        )
        made.append(
            side_by_side(
                flips,
                [[q] for q in qubits],
                calibration.num_qubits,
                name=source.name,
                wide=wide,
                barrier=qubits,
            )
        )
    return tuple(made)


def _local_known(source: Any, calibration: Calibration, qubit: int) -> Any:
    """The native circuit of one qubit of a circuit that prepares all in 0, or all in 1."""
    from ebit.circuits.layout import blank, prepared

    flipped = bool(source.count_ops().get("x"))
    pattern = _pattern(calibration, [qubit])
    key = (f"known {flipped}", pattern)
    if key not in _cache:
        state = blank(1)
        if flipped:
            state.x(0)
        circuit = prepared(state, 1, name=source.name)
        circuit.measure(0, 0)
        _cache[key] = _compile_local((circuit,), 1, pattern)
    return _cache[key][0]


def check_qubits(
    experiment: Program, calibration: Calibration, qubits: Sequence[int]
) -> tuple[int, ...]:
    """The physical qubits as integers, refused when the experiment cannot run on them."""
    chosen = whole_numbers(qubits)
    if len(chosen) != experiment.num_qubits:
        raise ArgumentError(
            f"argument qubits must name {experiment.num_qubits} physical qubits, one for each of "
            f"{', '.join(experiment.roles)}, but named {len(chosen)}: {_list(chosen)}"
        )
    if len(set(chosen)) < len(chosen):
        raise ArgumentError(f"argument qubits must be distinct, but was {_list(chosen)}")
    size = calibration.num_qubits
    for q in chosen:
        if not 0 <= q < size:
            raise ArgumentError(
                f"argument qubits must lie in 0 .. {size - 1} on {calibration.name}, but has {q}"
            )
        if calibration.readout[q] is None:
            raise ArgumentError(f"qubit {q} of {calibration.name} cannot be measured: take another")
    for a, b in experiment.couplings:
        check_coupled(calibration, chosen[a], chosen[b])
    return chosen


def check_coupled(calibration: Calibration, a: int, b: int) -> None:
    """Refuse a pair without a two-qubit gate, naming coupled ones near by."""
    if calibration.coupled(a, b):
        return
    near = [f"{q},{n}" for q in (a, b) for n in calibration.neighbours[q]]
    raise ArgumentError(
        f"qubits {a} and {b} of {calibration.name} must be coupled, but are not; "
        f"coupled pairs near by: {' '.join(near) if near else 'none'}"
    )


def _list(qubits: Sequence[int]) -> str:
    return ",".join(str(q) for q in qubits)


def _pattern(calibration: Calibration, qubits: Sequence[int]) -> _Pattern:
    """Which native gates act on which of the qubits, renumbered: all that compiling depends on."""
    place = {q: i for i, q in enumerate(qubits)}
    found = [
        (name, tuple(place[q] for q in where))
        for name in (*calibration.basis, "reset")
        for where in calibration.gates.get(name, {})
        if all(q in place for q in where)
    ]
    return tuple(sorted(found))


def _compile_local(circuits: Sequence[Any], num_qubits: int, pattern: _Pattern) -> tuple[Any, ...]:
    """The better of two fixed recipes, circuit by circuit.

    Qiskit's preset managers load every plug-in that is installed, which takes a second and makes
    the result depend on the machine; the passes below are the same ones, in a fixed order.
    """
    from qiskit.circuit.equivalence_library import SessionEquivalenceLibrary
    from qiskit.circuit.library import CXGate, CZGate, ECRGate
    from qiskit.transpiler import PassManager
    from qiskit.transpiler.passes import (
        BasisTranslator,
        ConsolidateBlocks,
        GateDirection,
        InverseCancellation,
        Optimize1qGatesDecomposition,
        UnitarySynthesis,
    )

    target = _target(num_qubits, pattern)
    translate = [
        BasisTranslator(SessionEquivalenceLibrary, None, target=target),
        GateDirection(None, target=target),
        BasisTranslator(SessionEquivalenceLibrary, None, target=target),
    ]
    optimise = [
        Optimize1qGatesDecomposition(target=target),
        InverseCancellation([CXGate(), CZGate(), ECRGate()]),
        Optimize1qGatesDecomposition(target=target),
    ]
    # Merging two-qubit blocks saves entangling gates in some circuits and costs pulses in others.
    merge = [ConsolidateBlocks(target=target), UnitarySynthesis(target=target)]
    recipes = (translate + optimise, merge + translate + optimise)
    sources = list(circuits)
    plain, merged = (PassManager(recipe).run(sources, num_processes=1) for recipe in recipes)
    return tuple(min(pair, key=_cost) for pair in zip(plain, merged, strict=True))


def _cost(circuit: Any) -> tuple[int, int]:
    """Two-qubit gates, then gates that take time."""
    counts: dict[int, int] = {1: 0, 2: 0}
    for item in circuit.data:
        blocks = item.operation.blocks if item.operation.name == "if_else" else ()
        for block in blocks:
            two, one = _cost(block)
            counts[2] += two
            counts[1] += one
        if not blocks and item.operation.name not in ("rz", "barrier", "measure", "delay"):
            counts[len(item.qubits)] += 1
    return counts[2], counts[1]


def _target(num_qubits: int, pattern: _Pattern) -> Any:
    from qiskit.circuit import Delay, IfElseOp, Measure, Parameter, Reset
    from qiskit.transpiler import Target

    from ebit.backends.lower import standard_gates

    target = Target(num_qubits=num_qubits)
    tables: dict[str, dict[tuple[int, ...], None]] = {}
    for name, where in pattern:
        tables.setdefault(name, {})[where] = None
    everywhere: dict[tuple[int, ...], None] = {(i,): None for i in range(num_qubits)}
    tables.setdefault("reset", everywhere)
    for name, table in tables.items():
        operation = Reset() if name == "reset" else standard_gates().get(name)
        if operation is not None:
            target.add_instruction(operation, table)
    target.add_instruction(Measure(), everywhere)
    target.add_instruction(Delay(Parameter("t")), everywhere)
    target.add_instruction(IfElseOp, name="if_else")
    return target


def _place(local: Any, source: Any, size: int, qubits: Sequence[int]) -> Any:
    from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister

    wide = QuantumCircuit(
        QuantumRegister(size, "q"), ClassicalRegister(source.num_clbits, "c"), name=source.name
    )
    wide.compose(local, qubits=qubits, clbits=range(source.num_clbits), inplace=True)
    return wide
