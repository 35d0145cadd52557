"""The rows of the ledger as plain objects, and the JSON in them."""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ebit.backends.model import Handle

__all__ = [
    "LINE",
    "SEALED",
    "Entry",
    "Stage",
    "Summary",
    "entry_of",
    "fingerprint",
    "line_of",
    "result_of",
    "seal",
    "seal_result",
    "strict",
    "written",
]

Stage = Literal["intent", "submitted", "done", "failed", "cancelled"]

# What a line is made of; seq is left out, nothing outside needs it.
LINE = "id, stage, backend, name, program_id, facts, handle, created, updated, reason"
# What never changes of a run once it was begun.
SEALED = ("id", "backend", "name", "program_id", "program", "compiled", "calibration", "facts")


@dataclass(frozen=True)
class Summary:
    """A line of the ledger.

    Attributes:
        id: our own id of the run.
        stage: how far it has come.
        backend: name of the backend.
        name: what was run.
        program_id: content hash of what was run.
        provider_ids: the provider's ids.
        shots: shots asked for, over all circuits.
        created, updated: ISO 8601, UTC.
        reason: why it failed or was cancelled.
    """

    id: str
    stage: Stage
    backend: str
    name: str
    program_id: str
    provider_ids: tuple[str, ...]
    shots: int
    created: str
    updated: str
    reason: str


@dataclass(frozen=True, eq=False)
class Entry:
    """Everything the ledger holds of a run, as it was written.

    Attributes:
        summary: its line.
        program, compiled: as `ebit.circuits.record` wrote them.
        calibration: plain data of the calibration, None without one.
        facts: layout, guard, versions, seed, purpose: plain data.
        handle: the backend's handle, None before anything was sent.
        outcome: method, assumptions and metadata of what came back; None before.
        events: what happened to it, (time, text).
        whole: whether all of it is known to be with the provider; if not, sending it again, which
            completes it, is safe.
    """

    summary: Summary
    program: bytes
    compiled: bytes
    calibration: Mapping[str, Any] | None
    facts: Mapping[str, Any]
    handle: Handle | None
    outcome: Mapping[str, Any] | None
    events: tuple[tuple[str, str], ...]
    whole: bool = False


def line_of(row: Sequence[Any]) -> Summary:
    """The line of a row that was selected by `LINE`; one that is damaged says so."""
    id, stage, backend, name, program_id, facts, handle, created, updated, reason = row[:10]
    shots, ids = 0, ()
    try:
        shots = int(json.loads(facts)["shots"])
        ids = () if handle is None else tuple(json.loads(handle)["provider_ids"])
    except (ValueError, KeyError, TypeError):
        reason = "its record is damaged"
    return Summary(
        id, stage, backend, name, program_id, ids, shots, created, updated, reason=reason
    )


def entry_of(
    row: Sequence[Any], content: Sequence[bytes | None], events: Sequence[Sequence[Any]]
) -> Entry:
    """A run from its row (`LINE`, outcome, whole), its contents and its history.

    Raises:
        ValueError, KeyError, TypeError, zlib.error: something in them is damaged.
    """
    program, compiled, calibration = content
    if program is None or compiled is None:
        raise ValueError("its circuits are missing")
    return Entry(
        summary=line_of(row),
        program=program,
        compiled=compiled,
        calibration=None if calibration is None else json.loads(zlib.decompress(calibration)),
        facts=json.loads(row[5]),
        handle=None if row[6] is None else Handle.from_dict(json.loads(row[6])),
        outcome=None if row[10] is None else json.loads(row[10]),
        events=tuple((str(at), str(what)) for at, what in events),
        whole=bool(row[11]),
    )


def fingerprint(data: bytes) -> str:
    """The name of a content: SHA-256, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def seal(*values: str | None) -> str:
    """What `SEALED` columns add up to: SHA-256, hexadecimal."""
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def result_of(db: sqlite3.Connection, id: str) -> str:
    """What the outcome and the shots of a run add up to."""
    (outcome,) = db.execute("SELECT outcome FROM runs WHERE id = ?", (id,)).fetchone()
    rows = db.execute(
        "SELECT circuit, width, count, packed FROM shots WHERE run = ? ORDER BY circuit", (id,)
    )
    return seal(outcome, *(repr((*row[:3], fingerprint(row[3]))) for row in rows))


def seal_result(db: sqlite3.Connection, id: str) -> None:
    """Keep what the outcome and the shots of a run add up to."""
    db.execute("UPDATE runs SET result = ? WHERE id = ?", (result_of(db, id), id))


def strict(data: Mapping[str, Any]) -> str:
    """JSON of plain data.

    Raises:
        ValueError, TypeError: they are not plain.
    """
    return json.dumps(data, separators=(",", ":"), allow_nan=False)


def written(data: Mapping[str, Any]) -> str:
    """JSON of what a provider gave, whatever it is: what was paid for is not lost to its form."""
    try:
        return strict(data)
    except (ValueError, TypeError):
        return strict(_plain(data))


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(v) for v in value]
    return str(value)
