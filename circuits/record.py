"""Experiments and circuits as bytes, and back: what a ledger keeps.

Qiskit circuits go as QPY, which round-trips every gate and label; Cirq circuits as Cirq's own JSON.
An experiment is read back only if it still has the id it was written with.
"""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

import numpy as np
from qiskit import QuantumCircuit, qpy

from ebit.circuits.experiment import Experiment, Readout
from ebit.circuits.parallel import Group, ParallelTest
from ebit.circuits.program import Program
from ebit.games import EbitError
from ebit.games.plain import game_from_plain, game_to_plain

__all__ = ["circuits_from_bytes", "circuits_to_bytes", "program_from_bytes", "program_to_bytes"]

_QPY, _CIRQ = b"Q", b"C"
_SAFE_QPY = 13


def circuits_to_bytes(circuits: Sequence[Any]) -> bytes:
    """Return circuits of Qiskit, or circuits of Cirq, as bytes.

    Raises:
        EbitError: they hold something that neither library can write.
    """
    try:
        if all(isinstance(circuit, QuantumCircuit) for circuit in circuits):
            file = io.BytesIO()
            qpy.dump(list(circuits), file)
            return _QPY + zlib.compress(file.getvalue(), 1)
        import cirq

        return _CIRQ + zlib.compress(cirq.to_json(list(circuits), indent=None).encode(), 1)
    except Exception as error:  # whatever the two libraries raise for what they cannot write
        raise EbitError(f"these circuits cannot be stored: {_line(error)}") from None


def circuits_from_bytes(data: bytes) -> tuple[Any, ...]:
    """Return the circuits that `circuits_to_bytes` wrote. Nothing in them is executed.

    Raises:
        EbitError: the bytes are damaged, or of a version that this Qiskit or Cirq cannot read.
    """
    kind = data[:1]
    if kind not in (_QPY, _CIRQ):
        raise EbitError(f"stored circuits cannot be read: unknown kind {kind!r}")
    try:
        content = zlib.decompress(data[1:])
        if kind == _QPY:
            # Before version 13 it could hold expressions that a library unpickles.
            if content[:6] != b"QISKIT" or content[6] < _SAFE_QPY:
                raise ValueError("not a QPY file of version 13 or later")
            return tuple(qpy.load(io.BytesIO(content)))
        import cirq

        with suppress(ImportError):  # it teaches Cirq to read Google's own gates
            import_module("cirq_google")
        found = cirq.read_json(json_text=content.decode())
        if not (
            isinstance(found, list) and all(isinstance(c, cirq.AbstractCircuit) for c in found)
        ):
            raise ValueError("not a list of circuits")
        return tuple(found)
    except Exception as error:  # whatever the two libraries raise for what they cannot read
        raise EbitError(f"stored circuits cannot be read: {_line(error)}") from None


def program_to_bytes(program: Program) -> bytes:
    """Return an experiment as bytes; `program_from_bytes` reads it in any process.

    Raises:
        EbitError: its details hold something that is no data.
    """
    try:
        text = json.dumps(_plain(program), separators=(",", ":"), default=_number)
    except (TypeError, ValueError, RecursionError) as error:
        raise EbitError(f"{program.name} cannot be stored: {_line(error)}") from None
    return zlib.compress(text.encode(), 1)


def program_from_bytes(data: bytes) -> Program:
    """Return the experiment that `program_to_bytes` wrote.

    Raises:
        EbitError: the bytes are damaged, or the experiment has another id than it had.
    """
    try:
        plain = json.loads(zlib.decompress(data))
        program = _from_plain(plain)
        wanted = str(plain["id"])
    except Exception as error:  # damaged data may fail anywhere
        raise EbitError(f"a stored experiment cannot be read: {_line(error)}") from None
    if program.id != wanted:
        raise EbitError(
            f"a stored experiment must have the id {wanted}, but has {program.id}: "
            "it is damaged, or was written by another version"
        )
    return program


def _number(value: Any) -> Any:
    """A number of numpy as one of Python."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is no plain data")


def _plain(program: Program) -> dict[str, Any]:
    if isinstance(program, ParallelTest):
        return {
            "kind": "parallel",
            "id": program.id,
            "name": program.name,
            "tests": [_plain(test) for test in program.tests],
            "groups": [[g.test, g.places, g.mode] for g in program.groups],
            "readout": program.readout,
            "details": _details(program.details),
        }
    if not isinstance(program, Experiment):
        raise EbitError(f"{type(program).__name__} cannot be stored")
    return {
        "kind": "experiment",
        "id": program.id,
        "name": program.name,
        "game": game_to_plain(program.game),
        "circuits": base64.b64encode(circuits_to_bytes(program.circuits)).decode(),
        "readouts": [
            None if r is None else [r.question, r.settings, r.outcomes] for r in program.readouts
        ],
        "parties": program.parties,
        "roles": program.roles,
        "chosen": program.chosen,
        "source": program.source,
        "weights": program.weights,
        "ideal": None if program.ideal is None else program.ideal.tolist(),
        "details": _details(program.details),
    }


def _from_plain(plain: dict[str, Any]) -> Program:
    if plain["kind"] == "parallel":
        return ParallelTest(
            name=plain["name"],
            tests=tuple(_experiment(test) for test in plain["tests"]),
            groups=tuple(Group(t, _nested(places), mode) for t, places, mode in plain["groups"]),
            readout=plain["readout"],
            details=_undetailed(plain["details"]),
        )
    return _experiment(plain)


def _experiment(plain: dict[str, Any]) -> Experiment:
    return Experiment(
        name=plain["name"],
        game=game_from_plain(plain["game"]),
        circuits=circuits_from_bytes(base64.b64decode(plain["circuits"])),
        readouts=tuple(
            None if r is None else Readout(r[0], _nested(r[1]), _nested(r[2]))
            for r in plain["readouts"]
        ),
        parties=_nested(plain["parties"]),
        roles=tuple(plain["roles"]),
        chosen=plain["chosen"],
        source=plain["source"],
        weights=tuple(plain["weights"]),
        ideal=None if plain["ideal"] is None else np.array(plain["ideal"]),
        details=_undetailed(plain["details"]),
    )


def _nested(values: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(inner) for inner in values)


def _details(value: Any) -> Any:
    """Tuples, arrays and complex numbers keep their kind: an experiment reads back as it was."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    if isinstance(value, np.ndarray):
        return {"array": _details(value.tolist()), "dtype": str(value.dtype)}
    if isinstance(value, tuple):
        return {"tuple": [_details(v) for v in value]}
    if isinstance(value, list):
        return [_details(v) for v in value]
    if isinstance(value, Mapping):
        return {"map": [[_details(k), _details(v)] for k, v in value.items()]}
    return value


def _undetailed(value: Any) -> Any:
    if isinstance(value, list):
        return [_undetailed(v) for v in value]
    if isinstance(value, dict):
        if "complex" in value:
            return complex(*value["complex"])
        if "array" in value:
            return np.array(_undetailed(value["array"]), dtype=value["dtype"])
        if "tuple" in value:
            return tuple(_undetailed(v) for v in value["tuple"])
        return {_undetailed(k): _undetailed(v) for k, v in value["map"]}
    return value


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
