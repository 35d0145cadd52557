"""How a run becomes jobs at IBM, and how the jobs tell again which run they are.

The circuits of one job share one number of shots. Each job carries three tags (that it is ebit's,
which run, which part) and, with its circuits, the plan of the whole run: from any one of the jobs a
process that knows nothing can rebuild the handle.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ebit.backends.model import Handle
from ebit.games import ArgumentError, JobError

__all__ = ["Part", "Plan", "plan_of", "split", "tags"]

MARK = "ebit"
# The service's documented limit of circuits times shots in one job.
EXECUTIONS = 10_000_000
_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True)
class Part:
    """One job of a run.

    Args:
        circuits: indices of its circuits.
        shots: shots of each of them in this job.
    """

    circuits: tuple[int, ...]
    shots: int


@dataclass(frozen=True)
class Plan:
    """What a run consists of, as its jobs carry it.

    Args:
        id: our own id of the run.
        experiment: content hash of the experiment.
        device: name of the processor.
        qubits: physical qubit of each logical one.
        widths: classical bits of each circuit.
        parts: the jobs.
    """

    id: str
    experiment: str
    device: str
    qubits: tuple[int, ...]
    widths: tuple[int, ...]
    parts: tuple[Part, ...]

    @property
    def shots(self) -> tuple[int, ...]:
        """Shots of each circuit, over all jobs."""
        total = [0] * len(self.widths)
        for part in self.parts:
            for circuit in part.circuits:
                total[circuit] += part.shots
        return tuple(total)

    def to_plain(self) -> dict[str, Any]:
        """Plain data, which travels with the first circuit of each job."""
        return {
            "run": self.id,
            "experiment": self.experiment,
            "device": self.device,
            "qubits": list(self.qubits),
            "widths": list(self.widths),
            "parts": [[list(part.circuits), part.shots] for part in self.parts],
        }

    @classmethod
    def from_plain(cls, data: Mapping[str, Any]) -> Plan:
        """The plan that `to_plain` wrote."""
        return cls(
            id=str(data["run"]),
            experiment=str(data["experiment"]),
            device=str(data["device"]),
            qubits=tuple(int(q) for q in data["qubits"]),
            widths=tuple(int(w) for w in data["widths"]),
            parts=tuple(Part(tuple(map(int, c)), int(s)) for c, s in data["parts"]),
        )

    def handle(
        self, backend: str, jobs: Mapping[int, str], options: Mapping[str, Any], mode: str
    ) -> Handle:
        """The handle, as far as the ids of its jobs are known.

        Args:
            backend: name of the backend.
            jobs: id of the job of each part that has one.
            options: the options in effect.
            mode: "job", "batch" or "session".
        """
        parts = [
            {"circuits": list(part.circuits), "shots": part.shots, "job": jobs.get(k)}
            for k, part in enumerate(self.parts)
        ]
        return Handle(
            backend=backend,
            id=self.id,
            experiment_id=self.experiment,
            shots=self.shots,
            provider_ids=tuple(jobs[k] for k in sorted(jobs)),
            metadata={
                "device": self.device,
                "qubits": list(self.qubits),
                "widths": list(self.widths),
                "parts": parts,
                "options": dict(options),
                "mode": mode,
            },
        )


def plan_of(handle: Handle) -> Plan:
    """The plan inside a handle.

    Raises:
        ArgumentError: the handle is not one of IBM's.
    """
    data = handle.metadata
    try:
        return Plan(
            id=handle.id,
            experiment=handle.experiment_id,
            device=data["device"],
            qubits=tuple(data["qubits"]),
            widths=tuple(data["widths"]),
            parts=tuple(Part(tuple(p["circuits"]), p["shots"]) for p in data["parts"]),
        )
    except (KeyError, TypeError):
        raise ArgumentError(
            f"argument handle must be of a run on a processor of IBM, but run {handle.id!r} is of "
            f"{handle.backend}"
        ) from None


def jobs_of(handle: Handle) -> dict[int, str]:
    """Ids of the jobs that a handle knows, by part."""
    found = {k: part.get("job") for k, part in enumerate(handle.metadata["parts"])}
    return {k: str(job) for k, job in found.items() if job}


def split(
    shares: Sequence[int],
    *,
    most_shots: int,
    most_circuits: int,
    executions: int = EXECUTIONS,
) -> tuple[Part, ...]:
    """The jobs of a run: as few as the limits of one job allow.

    Args:
        shares: shots of each circuit.
        most_shots: shots that one job may take of a circuit.
        most_circuits: circuits that one job may hold.
        executions: circuits times shots that one job may run.

    Example:
        >>> split((1000, 1000, 500), most_shots=600, most_circuits=300)
        (Part(circuits=(0, 1), shots=500), Part(circuits=(0, 1), shots=500), Part(circuits=(2,), shots=500))
    """
    groups: dict[int, list[int]] = {}
    for circuit, shots in enumerate(shares):
        groups.setdefault(shots, []).append(circuit)
    parts = []
    for shots, circuits in groups.items():
        rounds = math.ceil(shots / min(most_shots, executions))
        for turn in range(rounds):
            # Rounds of nearly equal size, none empty.
            size = shots // rounds + (turn < shots % rounds)
            block = max(1, min(most_circuits, executions // size))
            parts += [
                Part(tuple(circuits[i : i + block]), size) for i in range(0, len(circuits), block)
            ]
    return tuple(parts)


def run_tag(id: str) -> str:
    """The tag of every job of a run.

    Raises:
        ArgumentError: the id has characters that a tag should not have.
    """
    if not _ID.fullmatch(id):
        raise ArgumentError(
            f"argument id must be 1 to 64 letters, digits, '-', '_' or '.', but was {id!r}"
        )
    return f"{MARK}-{id}"


def part_tag(id: str, part: int, parts: int) -> str:
    """The tag of one job of a run; counted from 1, for people."""
    return f"{run_tag(id)}-{part + 1}-of-{parts}"


def tags(id: str, part: int, parts: int) -> list[str]:
    """All tags of one job."""
    return [MARK, run_tag(id), part_tag(id, part, parts)]


def part_from(id: str, found: Sequence[str]) -> int | None:
    """Which part of a run a job is by its tags, None where they do not say."""
    pattern = re.compile(re.escape(run_tag(id)) + r"-(\d+)-of-(\d+)")
    for tag in found:
        if match := pattern.fullmatch(tag):
            return int(match[1]) - 1
    return None


def notes(plan: Plan, part: int, mode: str) -> list[dict[str, Any]]:
    """What each circuit of a job carries along: which one it is; the first one, the plan."""
    out: list[dict[str, Any]] = [
        {"ebit": [plan.id, part, circuit]} for circuit in plan.parts[part].circuits
    ]
    out[0] |= {"ebit_plan": plan.to_plain(), "ebit_mode": mode}
    return out


def plan_in(inputs: Mapping[str, Any], id: str) -> tuple[Plan, Mapping[str, Any], str]:
    """The plan, the sampler's options and the mode inside the inputs of a job.

    Raises:
        JobError: they hold no plan of that run.
    """
    try:
        carried = inputs["quantum_program"].passthrough_data["post_processor"]
        first = carried["circuits_metadata"][0]
        plan, mode = Plan.from_plain(first["ebit_plan"]), str(first.get("ebit_mode", "job"))
        options = dict(carried["options"])
    except (AttributeError, KeyError, IndexError, TypeError, ValueError):
        raise JobError(
            f"a job of IBM has the tag of run {id!r}, but not its plan: it cannot be picked up"
        ) from None
    if plan.id != id:
        raise JobError(f"a job of IBM has the tag of run {id!r}, but the plan of {plan.id!r}")
    return plan, options, mode
