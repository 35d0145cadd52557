"""Waiting for jobs at IBM, and their bits."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ebit.backends.ibm_client import Line
from ebit.backends.ibm_errors import explain, hide, trouble
from ebit.backends.patience import DeadlineError, one_line, say
from ebit.games import EbitError, JobError, NetworkError

__all__ = ["Foreign", "bits_of_pub", "facts_of", "result_of", "wait_for"]

FINAL = ("DONE", "CANCELLED", "ERROR")
_UNREADABLE = 5  # times that a result may come damaged
_TOLD_EVERY = 60.0  # seconds after which a wait is spoken of again


@dataclass(frozen=True, eq=False)
class Foreign:
    """The results of a job at IBM, whoever sent it.

    Attributes:
        id: the provider's id.
        backend: name of the processor.
        tags: the job's tags.
        program: the provider's name of what ran ("executor", "sampler" ...).
        created: when it was sent, ISO 8601.
        result: the client's result: `PrimitiveResult` for a sampler.
    """

    id: str
    backend: str
    tags: tuple[str, ...]
    program: str
    created: str
    result: Any


def wait_for(line: Line, job: Any, device: str, *, progress: object = None) -> str:
    """Ask a job for its state until it has ended.

    Queues have no deadline. A server that answers with an error, however often, does not end the
    wait; one that does not answer at all for `patience.total` seconds does.

    Returns:
        The client's word: "DONE", "CANCELLED" or "ERROR".

    Raises:
        NetworkError: nobody answered; the job goes on.
    """
    limits = line.patience
    pause, told, last = limits.pause, 0.0, ""
    while True:
        state = _poll(line, job, progress)
        if state in FINAL:
            return state
        words = f"job {job.job_id()} on {device} is {state.lower()}"
        if state == "QUEUED":
            ahead = position(line, job)
            words += "" if ahead is None else f", {ahead} ahead of it"
        now = time.monotonic()
        if words != last or now - told > _TOLD_EVERY:
            say(progress, words)
            last, told = words, now
        time.sleep(pause)
        pause = min(1.5 * pause, limits.longest)


def _poll(line: Line, job: Any, progress: object) -> str:
    limits = line.patience
    what = f"asking for job {job.job_id()}"
    pause, silent_since = limits.pause, None
    while True:
        try:
            return str(line.once(job.status, what))
        except Exception as error:
            found = trouble(error)
            if not found.passing:
                raise explain(error, what) from error
            now = time.monotonic()
            if found.status is not None:
                silent_since = None
            elif silent_since is None:
                silent_since = now - (limits.call if isinstance(error, DeadlineError) else 0.0)
            if silent_since is not None and now - silent_since > limits.total:
                raise NetworkError(
                    f"IBM has not answered for {now - silent_since:.0f} s ({found.words}); job "
                    f"{job.job_id()} goes on: pick it up later"
                ) from error
            wait = max(found.wait, pause)
            say(progress, f"{what}: {found.words}; asking again in {wait:.0f} s")
        time.sleep(wait)
        pause = min(2 * pause, limits.longest)


def position(line: Line, job: Any) -> int | None:
    """Jobs ahead in the queue, None where IBM does not say."""
    found = _good_to_know(line, job.metrics, f"asking for the place of job {job.job_id()}")
    place = (found or {}).get("position_in_queue")
    return int(place) if isinstance(place, (int, float)) else None


def result_of(line: Line, job: Any, *, progress: object = None) -> Any:
    """The client's result of a job that is done, fetched again while it comes damaged.

    Raises:
        NetworkError: it did not come whole.
        JobError: the job failed or was cancelled.
    """
    what = f"fetching the result of job {job.job_id()}"
    damaged = 0

    def judge(error: Exception) -> float | None:
        nonlocal damaged
        found = trouble(error)
        if found.passing:
            return found.wait
        if found.status is not None or _ended(found.names):
            return None
        # What came could not be read: cut short on the way.
        damaged += 1
        return 0.0 if damaged < _UNREADABLE else None

    try:
        return line.ask(lambda: _whole(job), what, judge=judge, progress=progress)
    except JobError as error:
        if damaged >= _UNREADABLE:
            raise NetworkError(
                f"{what} gave {damaged} times what cannot be read; try again later, nothing is lost"
            ) from error
        raise


def _whole(job: Any) -> Any:
    found = job.result()
    if found is None or isinstance(found, (str, bytes)):
        raise ValueError("the result came empty or cut short")
    return found


def _ended(names: frozenset[str]) -> bool:
    return bool(
        names & {"RuntimeJobFailureError", "RuntimeInvalidStateError", "RuntimeJobMaxTimeoutError"}
    )


def failure(line: Line, job: Any, label: str) -> JobError:
    """What to say of a job that failed, with the provider's reason."""
    found = _good_to_know(line, job.error_message, f"asking why job {job.job_id()} failed")
    reason = getattr(job, "_reason", None) or found or "no reason was given"
    return JobError(f"job {job.job_id()} ({label}) failed at IBM: {hide(_short(str(reason)))}")


def bits_of_pub(
    pub: Any, widths: Sequence[tuple[str, int]], shots: int, label: str
) -> npt.NDArray[np.uint8]:
    """Packed bits of one circuit, bit j of a shot in bit j % 8 of byte j // 8.

    Args:
        pub: the client's result of it.
        widths: name and size of its registers, in the order of its classical bits.
        shots: that it must have.
        label: the job, for people.

    Raises:
        JobError: a register is missing, or shots or bits are not as many as asked.
    """
    columns = []
    for name, size in widths:
        data: Any = getattr(pub.data, name, None)
        array = None if data is None else np.asarray(getattr(data, "array", None))
        if array is None or array.dtype != np.uint8 or array.ndim < 2:
            raise JobError(f"{label} gave no bits of register {name!r}")
        # A BitArray has the highest bits in its first byte; within a byte the lowest bit is lowest.
        array = array.reshape(-1, array.shape[-1])
        if len(array) != shots:
            raise JobError(f"{label} gave {len(array)} shots instead of {shots}: not counted")
        if int(data.num_bits) != size:
            raise JobError(f"{label} gave {data.num_bits} bits instead of {size}: not counted")
        columns.append((array, size))
    if len(columns) == 1:
        return np.ascontiguousarray(columns[0][0][:, ::-1])
    bits = [
        np.unpackbits(array[:, ::-1], axis=1, count=size, bitorder="little")
        for array, size in columns
    ]
    return np.packbits(np.concatenate(bits, axis=1), axis=1, bitorder="little")


def facts_of(line: Line, job: Any, result: Any) -> dict[str, Any]:
    """What is known of how a job ran, plain data: when, what it cost, the calibration then."""
    id = job.job_id()
    metrics = _good_to_know(line, job.metrics, f"asking what job {id} took") or {}
    found: dict[str, Any] = {"id": id, "created": _iso(job.creation_date)}
    usage = metrics.get("usage") or {}
    seconds = usage.get("quantum_seconds", usage.get("qpu_charge_time_seconds"))
    found["quantum_seconds"] = seconds if isinstance(seconds, (int, float)) else None
    found["ran"] = (metrics.get("timestamps") or {}).get("running")
    then = _good_to_know(line, job.properties, f"asking for the calibration of job {id}")
    found["calibration"] = _iso(getattr(then, "last_update_date", None))
    found["spans"] = _spans(result)
    return found


def _spans(result: Any) -> list[list[str | None]]:
    """Start and end of every stretch of execution."""
    inside = getattr(result, "metadata", {}).get("executor")
    return [[_iso(s.start), _iso(s.stop)] for s in getattr(inside, "chunk_timing", ())]


def _good_to_know(line: Line, work: Callable[[], Any], what: str) -> Any:
    """What a call returns, None when it does not come easily: no run is lost for want of it."""
    try:
        return line.ask(work, what, patience=line.brief())
    except EbitError:
        return None


def _iso(moment: Any) -> str | None:
    return moment.isoformat() if hasattr(moment, "isoformat") else None


def _short(text: str) -> str:
    return one_line(ValueError(text))
