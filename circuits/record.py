"""Experiments and circuits as bytes, and back: what a ledger keeps.

Qiskit circuits go as QPY, which round-trips every gate and label; Cirq circuits as Cirq's own JSON.
An experiment is read back only if it still has the id it was written with.
"""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

import numpy as np
from qiskit import QuantumCircuit, qpy

from ebit.circuits.experiment import Experiment, Readout
from ebit.circuits.program import Program
from ebit.games import EbitError
from ebit.games.plain import game_from_plain, game_to_plain

__all__ = ["circuits_from_bytes", "circuits_to_bytes", "program_from_bytes", "program_to_bytes"]

_QPY, _CIRQ = b"Q", b"C"


def circuits_to_bytes(circuits: Sequence[Any]) -> bytes:
    """Return circuits of Qiskit, or circuits of Cirq, as bytes."""
    if all(isinstance(circuit, QuantumCircuit) for circuit in circuits):
        file = io.BytesIO()
        qpy.dump(list(circuits), file)
        return _QPY + zlib.compress(file.getvalue(), 1)
    import cirq

    return _CIRQ + zlib.compress(cirq.to_json(list(circuits), indent=None).encode(), 1)


def circuits_from_bytes(data: bytes) -> tuple[Any, ...]:
    """Return the circuits that `circuits_to_bytes` wrote.

    Raises:
        EbitError: the bytes are damaged, or of a version that this Qiskit or Cirq cannot read.
    """
    try:
        content = zlib.decompress(data[1:])
        if data[:1] == _QPY:
            return tuple(qpy.load(io.BytesIO(content)))
        if data[:1] == _CIRQ:
            import cirq

            with suppress(ImportError):  # it teaches Cirq to read Google's own gates
                import_module("cirq_google")
            return tuple(cirq.read_json(json_text=content.decode()))
    except Exception as error:  # whatever the two libraries raise for what they cannot read
        raise EbitError(f"stored circuits cannot be read: {_line(error)}") from None
    raise EbitError(f"stored circuits cannot be read: unknown kind {data[:1]!r}")


def program_to_bytes(program: Program) -> bytes:
    """Return an experiment as bytes; `program_from_bytes` reads it in any process."""
    return zlib.compress(json.dumps(_plain(program), separators=(",", ":")).encode(), 1)


def program_from_bytes(data: bytes) -> Program:
    """Return the experiment that `program_to_bytes` wrote.

    Raises:
        EbitError: the bytes are damaged, or the experiment has another id than it had.
    """
    try:
        plain = json.loads(zlib.decompress(data))
        program = _from_plain(plain)
    except EbitError:
        raise
    except Exception as error:
        raise EbitError(f"a stored experiment cannot be read: {_line(error)}") from None
    if program.id != plain["id"]:
        raise EbitError(
            f"a stored experiment must have the id {plain['id']}, but has {program.id}: "
            "it is damaged, or was written by another version"
        )
    return program


def _plain(program: Program) -> dict[str, Any]:
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
    """Tuples and arrays keep their kind, so that an experiment reads back as it was."""
    if isinstance(value, np.ndarray):
        return {"array": value.tolist(), "dtype": str(value.dtype)}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple):
        return {"tuple": [_details(v) for v in value]}
    if isinstance(value, list):
        return [_details(v) for v in value]
    if hasattr(value, "items"):
        return {"map": [[k, _details(v)] for k, v in value.items()]}
    return value


def _undetailed(value: Any) -> Any:
    if isinstance(value, list):
        return [_undetailed(v) for v in value]
    if isinstance(value, dict):
        if "array" in value:
            return np.array(value["array"], dtype=value["dtype"])
        if "tuple" in value:
            return tuple(_undetailed(v) for v in value["tuple"])
        return {k: _undetailed(v) for k, v in value["map"]}
    return value


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
