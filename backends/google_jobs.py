"""Jobs at Google: created once under names of ours, waited for, read."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ebit.backends.google_client import GoogleLine, engine_here, explain, passing, status_of
from ebit.backends.model import Phase
from ebit.backends.patience import Patience, one_line, say
from ebit.games import ArgumentError, JobError, NetworkError

__all__ = ["PHASES", "Foreign", "bits_of", "create", "fetch_foreign", "is_there", "wait_for"]

_TOLD_EVERY = 60.0
PHASES: dict[str, Phase] = {
    "READY": "queued",
    "RUNNING": "running",
    "CANCELLING": "running",
    "CANCELLED": "cancelled",
    "SUCCESS": "done",
    "FAILURE": "failed",
}


@dataclass(frozen=True, eq=False)
class Foreign:
    """The results of a job at Google, whoever sent it.

    Attributes:
        id: program and job, ``program/job``.
        backend: name of the processor.
        created: when it was sent, ISO 8601.
        result: a list of `cirq.Result`, one per circuit or set of parameters.
    """

    id: str
    backend: str
    created: str
    result: list[Any]


def fetch_foreign(
    id: str,
    *,
    progress: object = None,
    patience: Patience | None = None,
    engine: Any = None,
) -> Foreign:
    """The results of any job of the project, whoever sent it; waits for one that still runs.

    Args:
        id: ``program/job``, or the whole name with ``programs/`` and ``jobs/`` in it.
        progress: told of the wait if it has a method ``say``.
        patience: limits of calls on the network.
        engine: the client's Engine, by default that of this environment.

    Raises:
        ArgumentError: the id is not of that form.
        JobError: there is no such job, or it failed or was cancelled.
    """
    words = id.removeprefix("google:").split("/")
    if "programs" in words and "jobs" in words:
        words = [words[words.index("programs") + 1], words[words.index("jobs") + 1]]
    if len(words) != 2 or not all(words):
        raise ArgumentError(f"a job at Google must be given as PROGRAM/JOB, but was {id!r}")
    line = GoogleLine(patience)
    if engine is None:
        engine = engine_here(line)
    job = engine.get_program(words[0]).get_job(words[1])
    wait_for(line, job, id, progress)
    results = line.ask(job.results, f"fetching the results of job {id}", progress=progress)
    # Where it ran; the processors it was sent to stand in the jobs of old clients alone.
    ran = line.ask(job.get_processor, f"asking where job {id} ran")
    names = [ran.processor_id] if ran else job.processor_ids()
    created = line.ask(job.create_time, f"asking when job {id} was sent")
    return Foreign(id, ", ".join(names), created.isoformat(), list(results))


def create(
    line: GoogleLine,
    make: Callable[[], Any],
    there: Callable[[], Any],
    what: str,
    progress: object,
) -> None:
    """Create something under a name of ours: a name that is taken already is ours too.

    After any doubt it is looked for by its name, and sent again only if it is not there.
    """
    begun, pause = time.monotonic(), line.patience.pause
    while True:
        try:
            line.once(make, what)
            return
        except Exception as error:
            if status_of(error) == 409:
                return
            if not passing(error):
                raise explain(error, what) from error
            say(progress, f"{what}: {one_line(error)}; looking whether it arrived")
            fault = error
        if is_there(line, there, what, progress):
            return
        if time.monotonic() - begun + pause > line.patience.total:
            raise NetworkError(
                f"{what} failed for {line.patience.total:.0f} s, last with: "
                f"{one_line(fault)}; submit it again under the same id later"
            ) from fault
        time.sleep(pause)
        pause = min(2 * pause, line.patience.longest)


def is_there(
    line: GoogleLine, there: Callable[[], Any], what: str, progress: object = None
) -> bool:
    """Whether Google has what a call asks for."""
    try:
        line.ask(there, f"{what}: looking whether it arrived", progress=progress)
    except JobError as error:
        if status_of(error.__cause__ or error) == 404:
            return False
        raise
    return True


def wait_for(line: GoogleLine, job: Any, label: str, progress: object) -> None:
    """Wait for a job to end; queues have no deadline, single calls do."""
    pause, told, last = line.patience.pause, 0.0, ""
    while True:
        state = line.ask(job.status, f"asking for {label}", progress=progress)
        phase = PHASES.get(state, "running")
        if phase == "done":
            return
        if phase == "cancelled":
            raise JobError(f"{label} was cancelled: its shots are lost")
        if phase == "failed":
            reason = job.failure()
            words = ": ".join(reason) if reason else "no reason was given"
            raise JobError(f"{label} failed at Google: {' '.join(words.split())}")
        now = time.monotonic()
        if state != last or now - told > _TOLD_EVERY:
            say(progress, f"{label} is {state.lower()}")
            last, told = state, now
        time.sleep(pause)
        pause = min(1.5 * pause, line.patience.longest)


def bits_of(
    result: Any, width: int, keys: Sequence[int], shots: int, label: str
) -> npt.NDArray[np.uint8]:
    """Bits (shots, width) of one circuit; keys that are missing, or too few shots, are refused."""
    bits = np.zeros((shots, width), dtype=np.uint8)
    for bit in keys:
        record = result.records.get(f"c{bit}")
        if record is None:
            raise JobError(f"{label} gave no bits under the key 'c{bit}': not counted")
        # Records are (shots, times measured, qubits), of a signed or unsigned byte.
        values = np.asarray(record)[:, -1, 0]
        if len(values) != shots:
            raise JobError(f"{label} gave {len(values)} shots instead of {shots}: not counted")
        bits[:, bit] = values != 0
    return bits
