"""How a run is shared among Google's jobs, as plain data that travels with them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ebit.backends.model import Compiled, Handle
from ebit.games import ArgumentError

__all__ = ["Part", "Plan", "plan_from_handle", "plan_of", "split"]

_ID = re.compile(r"[A-Za-z0-9_-]{1,48}")


@dataclass(frozen=True)
class Part:
    """One job: circuits that take the same number of shots.

    Attributes:
        circuits: their numbers in the experiment.
        shots: of each.
    """

    circuits: tuple[int, ...]
    shots: int


@dataclass(frozen=True)
class Plan:
    """A run at Google.

    Attributes:
        id: our own id.
        experiment: content hash of the experiment.
        device: the processor.
        qubits: physical qubits, in logical order.
        widths: bits of each circuit.
        keys: bits of each circuit that are measured.
        parts: the jobs.
        options: device configuration that the jobs run under, empty for the default one.
    """

    id: str
    experiment: str
    device: str
    qubits: tuple[int, ...]
    widths: tuple[int, ...]
    keys: tuple[tuple[int, ...], ...]
    parts: tuple[Part, ...]
    options: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def name(id: str, part: int) -> str:
        """What program and job of a part are called."""
        return f"ebit-{id}-{part + 1}"

    @property
    def label(self) -> str:
        """The id as a label: small letters, digits, dashes."""
        return self.id.lower()

    @property
    def total(self) -> int:
        """Shots over all circuits."""
        return sum(part.shots * len(part.circuits) for part in self.parts)

    def handle(self, backend: str, sent: Sequence[str]) -> Handle:
        """The handle of a run of which these parts were sent."""
        shots = [0] * len(self.widths)
        for part in self.parts:
            for circuit in part.circuits:
                shots[circuit] = part.shots
        return Handle(
            backend=backend,
            id=self.id,
            experiment_id=self.experiment,
            shots=tuple(shots),
            provider_ids=tuple(sent),
            metadata=self.to_plain(),
        )

    def to_plain(self) -> dict[str, Any]:
        """Plain data; `from_plain` reads it."""
        plain: dict[str, Any] = {
            "run": self.id,
            "experiment": self.experiment,
            "device": self.device,
            "qubits": list(self.qubits),
            "widths": list(self.widths),
            "keys": [list(keys) for keys in self.keys],
            "parts": [{"circuits": list(p.circuits), "shots": p.shots} for p in self.parts],
        }
        # Left out where empty: plans looked like that before there were options.
        return {**plain, "options": dict(self.options)} if self.options else plain

    @classmethod
    def from_plain(cls, data: Mapping[str, Any]) -> Plan:
        """The plan that `to_plain` wrote."""
        return cls(
            id=data["run"],
            experiment=data["experiment"],
            device=data["device"],
            qubits=tuple(data["qubits"]),
            widths=tuple(data["widths"]),
            keys=tuple(tuple(keys) for keys in data["keys"]),
            parts=tuple(Part(tuple(p["circuits"]), p["shots"]) for p in data["parts"]),
            options=dict(data.get("options", {})),
        )


def split(shares: Sequence[int]) -> tuple[Part, ...]:
    """One job for all circuits that take the same number of shots.

    >>> split([100, 100, 50])
    (Part(circuits=(0, 1), shots=100), Part(circuits=(2,), shots=50))
    """
    groups: dict[int, list[int]] = {}
    for circuit, shots in enumerate(shares):
        groups.setdefault(shots, []).append(circuit)
    return tuple(Part(tuple(circuits), shots) for shots, circuits in groups.items())


def plan_of(
    compiled: Compiled,
    shots: int,
    id: str,
    device: str,
    options: Mapping[str, str] | None = None,
) -> Plan:
    """The plan of a run.

    Raises:
        ArgumentError: the id has characters that Google's names should not have.
    """
    if not _ID.fullmatch(id):
        raise ArgumentError(
            f"argument id must be 1 to 48 letters, digits, '-' or '_', but was {id!r}"
        )
    keys = tuple(
        tuple(sorted(int(k.removeprefix("c")) for k in circuit.all_measurement_key_names()))
        for circuit in compiled.circuits
    )
    return Plan(
        id=id,
        experiment=compiled.experiment.id,
        device=device,
        qubits=tuple(compiled.qubits),
        widths=compiled.experiment.widths,
        keys=keys,
        parts=split(compiled.experiment.allocate(shots)),
        options=dict(options or {}),
    )


def plan_from_handle(handle: Handle, backend: str) -> Plan:
    """The plan inside a handle of a backend.

    Raises:
        ArgumentError: the handle is of another backend, or says two things of its run.
    """
    if handle.backend != backend:
        raise ArgumentError(
            f"argument handle must be of a run on {backend}, but run {handle.id!r} is of "
            f"{handle.backend}"
        )
    try:
        plan = Plan.from_plain(handle.metadata)
    except (KeyError, TypeError):
        raise ArgumentError(f"argument handle must hold the plan of run {handle.id!r}") from None
    if plan.handle(backend, handle.provider_ids) != handle or any(
        name != f"{Plan.name(plan.id, k)}/{Plan.name(plan.id, k)}"
        for k, name in enumerate(handle.provider_ids)
    ):
        raise ArgumentError(
            f"argument handle must agree with its own plan, but run {handle.id!r} does not: it was "
            "changed after it was submitted"
        )
    return plan
