"""Our own check that circuits use what a processor has: IBM's current sampler makes none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ebit.backends.ibm_options import Options
from ebit.games import ArgumentError, GuardError

__all__ = ["check_native"]


def check_native(circuits: Sequence[Any], target: Any, name: str, options: Options) -> None:
    """Refuse circuits with anything that the processor does not do where it is asked.

    Args:
        circuits: on physical qubits.
        target: the processor's `Target`.
        name: of the processor.
        options: of the run.

    Raises:
        GuardError: a gate is not native, or not on those qubits in that order.
        ArgumentError: a condition on a processor without them, or with dynamical decoupling; a
            free parameter.
    """
    for circuit in circuits:
        if circuit.num_qubits > target.num_qubits:
            raise GuardError(
                f"circuit {circuit.name!r} has {circuit.num_qubits} qubits, but {name} has "
                f"{target.num_qubits}"
            )
        if circuit.parameters:
            free = ", ".join(sorted(p.name for p in circuit.parameters))
            raise ArgumentError(
                f"circuit {circuit.name!r} must have no free parameters: bind {free}"
            )
        for operation, where in _operations(circuit, range(circuit.num_qubits)):
            _check(circuit.name, operation, where, target, name, options)


def _operations(circuit: Any, names: Sequence[int]) -> Iterator[tuple[str, tuple[int, ...]]]:
    index = dict(zip(circuit.qubits, names, strict=True))
    for item in circuit.data:
        where = tuple(index[q] for q in item.qubits)
        if item.operation.name == "barrier":
            continue
        yield item.operation.name, where
        for block in getattr(item.operation, "blocks", ()):
            yield from _operations(block, where)


def _check(
    circuit: str,
    operation: str,
    where: tuple[int, ...],
    target: Any,
    name: str,
    options: Options,
) -> None:
    if operation == "if_else":
        if operation not in target.operation_names:
            raise ArgumentError(
                f"circuit {circuit!r} holds a condition on a measured bit, which {name} cannot do: "
                "take the form that corrects afterwards"
            )
        if options.dynamical_decoupling is not None:
            raise ArgumentError(
                f"argument dynamical_decoupling cannot be used with circuit {circuit!r}, which "
                "holds a condition on a measured bit"
            )
        return
    if operation in target.operation_names and target.instruction_supported(operation, where):
        return
    label = f"{operation} on {','.join(map(str, where))}"
    turned = tuple(reversed(where))
    if operation not in target.operation_names:
        native = ", ".join(sorted(n for n in target.operation_names if target[n] != {None: None}))
        why = f"it has {native}"
    elif len(where) > 1 and target.instruction_supported(operation, turned):
        why = f"it has {operation} on {','.join(map(str, turned))} only"
    else:
        why = "the pair is not coupled or out of order" if len(where) > 1 else "out of order there"
    raise GuardError(f"circuit {circuit!r}: {label} is not native on {name}: {why}")
