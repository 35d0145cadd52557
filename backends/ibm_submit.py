"""Sending the parts of a run to IBM."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ebit.backends.ibm_jobs import choose, drop, parts_at, send, status
from ebit.backends.ibm_options import Options, effective
from ebit.backends.ibm_parts import Plan, notes, part_tag, plan_of, tags
from ebit.backends.model import Compiled, Handle, Note
from ebit.backends.patience import say
from ebit.games import ArgumentError, EbitError, JobError

if TYPE_CHECKING:
    from ebit.backends.ibm import IbmBackend

__all__ = ["send_parts"]


def send_parts(
    backend: IbmBackend,
    compiled: Compiled,
    plan: Plan,
    *,
    shares: Sequence[int],
    note: Note | None,
    progress: object,
) -> Handle:
    """Send what IBM does not have yet of a run; its handle.

    Args:
        backend: where.
        compiled: the circuits.
        plan: which of them run in which job. If the run was begun before, the plan that was made
            then holds.
        shares: shots asked of each circuit, before any rounding.
        note: called with the handle each time a job's id is known.
        progress: told of retries.
    """
    line, device = backend.line, backend.device
    found = parts_at(line, device, plan.id, progress=progress)
    before = _begun(backend, plan, shares, progress) if found else None
    asked, known = backend.options, dict[int, str]()
    if before is not None:
        # What was begun goes on as it was begun, whatever this backend would do.
        plan, mode = plan_of(before), str(before.metadata["mode"])
        asked = Options.of(before.metadata["options"], session=mode == "session")
        for part, jobs in found.items():
            kept, extras = choose(line, jobs, progress=progress)
            drop(line, extras, progress=progress)
            if status(line, kept, progress=progress) == "CANCELLED":
                raise JobError(
                    f"run {plan.id!r} was cancelled (job {kept.job_id()}): run it again under a "
                    "new id"
                )
            known[part] = kept.job_id()
        if len(known) == len(plan.parts):
            return _noted(plan.handle(backend.name, known, before.metadata["options"], mode), note)
    options = effective(_finalized(asked, device, plan), device)
    missing = [k for k in range(len(plan.parts)) if k not in known]
    _check_open(backend, progress)
    with _where(backend, asked, len(missing), progress) as (where, how):
        mode = how if before is None else str(before.metadata["mode"])
        for part in missing:
            job, _ = send(
                line,
                device,
                _post(asked, compiled, plan, part, where, mode),
                part_tag(plan.id, part, len(plan.parts)),
                f"part {part + 1} of {len(plan.parts)} of run {plan.id}",
                progress=progress,
            )
            known[part] = job.job_id()
            handle = _noted(plan.handle(backend.name, known, options, mode), note)
    return handle


def _noted(handle: Handle, note: Note | None) -> Handle:
    if note is not None:
        note(handle)
    return handle


def _begun(
    backend: IbmBackend, plan: Plan, shares: Sequence[int], progress: object
) -> Handle | None:
    """The handle of a run that was begun before, refused when it is another run."""
    handle = backend.find(plan.id, progress=progress)
    if handle is None:  # deleted in between
        return None
    before = plan_of(handle)
    rounded = Options.of(handle.metadata["options"]).rounded
    shots = tuple(rounded(share) for share in shares)
    same = (before.experiment, before.shots, before.qubits, before.widths)
    if same != (plan.experiment, shots, plan.qubits, plan.widths):
        raise ArgumentError(
            f"argument id must be a new one for a new run, but {plan.id!r} is at IBM already with "
            f"experiment {before.experiment}, {sum(before.shots)} shots, qubits "
            f"{','.join(map(str, before.qubits))}"
        )
    return handle


def _post(
    asked: Options, compiled: Compiled, plan: Plan, part: int, where: Any, mode: str
) -> Callable[[], Any]:
    """A call that sends one part."""
    from qiskit_ibm_runtime.executor_sampler import Sampler

    one = plan.parts[part]
    circuits = []
    for index, carried in zip(one.circuits, notes(plan, part, mode), strict=True):
        circuit = compiled.circuits[index].copy()
        circuit.metadata = carried
        circuits.append(circuit)
    options = asked.for_client(one.shots, tags(plan.id, part, len(plan.parts)))

    def post() -> Any:
        return Sampler(mode=where, options=options).run(circuits, shots=one.shots)

    return post


def _finalized(asked: Options, device: Any, plan: Plan) -> dict[str, Any]:
    """The client's options as it finalises and sends them."""
    from qiskit_ibm_runtime.executor_sampler import Sampler

    options = asked.for_client(plan.parts[0].shots, [])
    found: dict[str, Any] = Sampler(mode=device, options=options).finalize_options().model_dump()
    return found


def _check_open(backend: IbmBackend, progress: object) -> None:
    """Refuse to send to a processor that takes no jobs, in the provider's words."""
    name = backend.device.name
    found = backend.line.ask(
        backend.device.status, f"asking {name} for its status", progress=progress
    )
    if not found.operational:
        raise JobError(
            f"{name} takes no jobs now: IBM says {found.status_msg or 'offline'!r}; nothing was "
            "sent: try again later, or on another processor"
        )
    if found.status_msg and found.status_msg != "active":
        say(progress, f"{name} is {found.status_msg!r}: it takes jobs, but may not run them yet")


@contextmanager
def _where(
    backend: IbmBackend, asked: Options, jobs: int, progress: object
) -> Iterator[tuple[Any, str]]:
    """Where the jobs go: the device itself, or a batch or session that is closed afterwards."""
    from qiskit_ibm_runtime import Batch, Session

    device, line = backend.device, backend.line
    if jobs == 1 and not asked.session:
        yield device, "job"
        return
    kind, mode = (Session, "session") if asked.session else (Batch, "batch")
    try:
        # An opening that is lost leaves an empty batch behind, which costs nothing.
        opened = line.ask(lambda: kind(backend=device), f"opening a {mode}", progress=progress)
    except (ArgumentError, JobError) as error:
        if asked.session:
            raise
        say(progress, f"{error}; the jobs are sent one by one")
        yield device, "job"
        return
    try:
        yield opened, mode
    finally:
        try:
            line.ask(opened.close, f"closing the {mode}", patience=line.brief())
        except EbitError as error:
            say(progress, f"{error}; IBM closes it by itself")
