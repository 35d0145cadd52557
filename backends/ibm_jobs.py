"""Jobs at IBM: looked up by tag, sent once, told apart from their duplicates.

Sending is the one call that must not be repeated blindly: the client itself repeats a POST up to
six times after a server error, and a reply can be lost after the job was accepted. So after every
sending the job is looked up by the tag of its part; what is there twice is cancelled but for the
earliest; and it is sent again only when it is certainly not there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from ebit.backends.ibm_client import Line
from ebit.backends.ibm_errors import Trouble, explain, trouble
from ebit.backends.ibm_parts import part_from, run_tag
from ebit.backends.patience import say
from ebit.games import EbitError, JobError, NetworkError

__all__ = ["choose", "drop", "job_by_id", "lookup", "parts_at", "send"]

DEAD = ("CANCELLED", "ERROR")
_LOOKS = 4  # after a doubt; the pause between them grows


def lookup(
    line: Line, device: Any, tag: str, *, progress: object = None, patience: Any = None
) -> list[Any]:
    """The client's jobs that carry a tag."""
    return list(
        line.ask(
            lambda: device.service.jobs(limit=200, job_tags=[tag], instance=device._instance),
            f"looking up jobs with the tag {tag}",
            progress=progress,
            patience=patience,
        )
    )


def parts_at(
    line: Line, device: Any, id: str, *, progress: object = None, patience: Any = None
) -> dict[int, list[Any]]:
    """The jobs of a run, by part."""
    found: dict[int, list[Any]] = {}
    for job in lookup(line, device, run_tag(id), progress=progress, patience=patience):
        part = part_from(id, job.tags or ())
        if part is not None:
            found.setdefault(part, []).append(job)
    return found


def job_by_id(line: Line, service: Any, id: str, *, progress: object = None) -> Any:
    """A job of the client.

    Raises:
        JobError: IBM knows none of that id.
    """
    try:
        return line.ask(lambda: service.job(id), f"looking up job {id}", progress=progress)
    except JobError as error:
        raise JobError(
            f"job {id} is not known to this account at IBM: check the id, and the instance "
            f"(QISKIT_IBM_INSTANCE) it was sent from ({error})"
        ) from None


def choose(line: Line, jobs: Sequence[Any], *, progress: object = None) -> tuple[Any, list[Any]]:
    """The one job of a part that counts, and those that must not.

    The earliest that is neither cancelled nor failed: every process that looks chooses the same
    one, and no result has been seen.

    Returns:
        The job that counts, and the others that still live.
    """
    if len(jobs) == 1:
        return jobs[0], []
    ordered = sorted(jobs, key=lambda job: (job.creation_date, job.job_id()))
    states = [status(line, job, progress=progress) for job in ordered]
    alive = [j for j, state in zip(ordered, states, strict=True) if state not in DEAD]
    failed = [j for j, state in zip(ordered, states, strict=True) if state == "ERROR"]
    kept = (alive or failed or ordered)[0]
    return kept, [job for job in alive if job is not kept]


def status(line: Line, job: Any, *, progress: object = None) -> str:
    """The client's word for the state of a job."""
    return str(line.ask(job.status, f"asking for job {job.job_id()}", progress=progress))


def drop(line: Line, jobs: Sequence[Any], *, progress: object = None) -> list[str]:
    """Cancel duplicates; one that is done already is left and never counted.

    Returns:
        The ids of the jobs.
    """
    for job in jobs:
        say(progress, f"job {job.job_id()} is there twice: the later one is cancelled")
        try:
            cancel(line, job, progress=progress)
        except EbitError as error:  # looked at again when the results are fetched
            say(progress, f"duplicate job {job.job_id()} could not be cancelled yet: {error}")
    return [job.job_id() for job in jobs]


def cancel(line: Line, job: Any, *, progress: object = None) -> None:
    """Cancel a job, unless it has ended."""
    from qiskit_ibm_runtime.exceptions import RuntimeInvalidStateError

    def work() -> None:
        try:
            job.cancel()
        except RuntimeInvalidStateError:
            return

    line.ask(work, f"cancelling job {job.job_id()}", progress=progress)


def send(
    line: Line,
    device: Any,
    post: Callable[[], Any],
    tag: str,
    what: str,
    *,
    progress: object = None,
) -> tuple[Any, list[str]]:
    """Send one job, so that it is there once.

    Args:
        line: the line.
        device: the processor.
        post: sends it; the client's job.
        tag: of this part and no other.
        what: for people: "part 1 of 3 of run abc".
        progress: told of what goes wrong.

    Returns:
        The job, and ids of duplicates that were cancelled.

    Raises:
        ArgumentError, BudgetError, JobError: IBM refused it; nothing was accepted.
        NetworkError: it could not be sent, or whether it was accepted could not be found out;
            submitting again looks first.
    """
    begun = time.monotonic()
    pause = line.patience.pause
    while True:
        sent, fault = None, None
        try:
            sent = line.once(post, f"sending {what}")
        except Exception as error:
            fault = trouble(error)
            if not fault.passing:
                raise explain(error, f"sending {what}") from error
            say(progress, f"sending {what}: {fault.words}; looking whether it arrived")
        found = _look(line, device, tag, sent, fault, progress)
        if found:
            kept, extras = choose(line, found, progress=progress)
            return kept, drop(line, extras, progress=progress)
        if sent is not None:  # the list is behind; what was accepted is known all the same
            return sent, []
        wait = max(fault.wait if fault else 0.0, pause)
        if time.monotonic() - begun + wait > line.patience.total:
            words = fault.words if fault else "no reply"
            raise NetworkError(
                f"{what} could not be sent in {line.patience.total:.0f} s, last with: {words}; "
                "IBM has no such job; submit it again under the same id later"
            )
        say(progress, f"{what} is not at IBM; sending it again in {wait:.0f} s")
        time.sleep(wait)
        pause = min(2 * pause, line.patience.longest)


def _look(
    line: Line, device: Any, tag: str, sent: Any, fault: Trouble | None, progress: object
) -> list[Any]:
    """The jobs with the tag of a part, after it was sent or may have been."""
    if sent is not None:
        try:
            return lookup(line, device, tag, progress=progress, patience=line.brief())
        except EbitError as error:
            say(progress, f"whether {tag} is there twice is looked at later: {error}")
            return []
    # Refused for being one too many: it was not accepted. Anything else leaves a doubt.
    looks = 1 if fault is not None and fault.status == 429 else _LOOKS
    pause = line.patience.pause
    for turn in range(looks):
        found = lookup(line, device, tag, progress=progress)
        if found:
            return found
        if turn + 1 < looks:
            time.sleep(pause)
            pause = min(2 * pause, line.patience.longest)
    return []
