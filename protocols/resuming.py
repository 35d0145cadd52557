"""Kinds of runs: each can be played at once, or begun by one process and scored by another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from ebit.games import ArgumentError
from ebit.protocols.run import (
    Progress,
    Run,
    check_shots,
    run_experiment,
    run_of_job,
    start_experiment,
)
from ebit.protocols.terms import Confirm

if TYPE_CHECKING:
    from ebit.backends import Backend, Compiled, Estimate, Job
    from ebit.circuits.program import Program

__all__ = ["begin", "estimate_of", "play", "program_of", "resume", "score_job"]

Kind = Literal["bell", "state", "fringe", "map", "random", "key"]


def begin(
    kind: Kind,
    backend: str | object,
    *,
    shots: int,
    qubits: Sequence[int] | None = None,
    pair: Sequence[int] | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
    confirm: Confirm = None,
    max_seconds: float | None = None,
    **options: Any,
) -> Job:
    """Send a run and return at once; `resume` scores it, in this process or in any other.

    Args:
        kind: "bell", "state", "fringe", "map", "random" or "key".
        backend: a name.
        shots: rounds in all; for a map, rounds per pair.
        qubits, pair, seed, progress, confirm, max_seconds: as in `bell`.
        options: what else the function of that name takes: ``settings="per-circuit"``,
            ``name="ghz:4"`` ...

    Returns:
        The job: its ``id`` is all that one needs to keep.

    Example:
        >>> import ebit
        >>> job = ebit.begin("bell", "aer:fez", shots=20_000, seed=1)
        >>> score = ebit.resume(job.id)
        >>> score.status
        'violation'
    """
    from ebit.backends import open_backend

    where = open_backend(backend)
    if not isinstance(backend, str) and not where.describe().remote:
        raise ArgumentError(
            f"backend must be a name for a run that is collected later, but was {where.name}, "
            "which lives in this process only"
        )
    program, purpose, total, place = program_of(
        kind, where, shots, qubits=qubits, pair=pair, seed=seed, **options
    )
    return start_experiment(
        program,
        where,
        shots=total,
        qubits=place,
        pair=pair,
        seed=_seed(kind, where, seed),
        progress=progress,
        confirm=confirm,
        max_seconds=max_seconds,
        purpose=purpose,
    )


def play(
    kind: str,
    backend: str | object,
    *,
    shots: int,
    qubits: Sequence[int] | None = None,
    pair: Sequence[int] | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
    confirm: Confirm = None,
    max_seconds: float | None = None,
    **options: Any,
) -> Any:
    """Run a kind of test and score it: what `bell`, `state`, `fringe` and `chip_map` do.

    The arguments are those of `begin`.
    """
    from ebit.backends import open_backend

    where = open_backend(backend)  # once: on a processor this asks the provider
    program, purpose, total, place = program_of(
        kind, where, shots, qubits=qubits, pair=pair, seed=seed, **options
    )
    run = run_experiment(
        program,
        where,
        shots=total,
        qubits=place,
        pair=pair,
        seed=_seed(kind, where, seed),
        progress=progress,
        confirm=confirm,
        max_seconds=max_seconds,
        purpose=purpose,
    )
    score = _scorer(kind)(run, purpose)
    if run.info.job is not None:
        _record_prediction(run.info.job, run, score)
    return score


def resume(
    job: Job | str,
    *,
    progress: Progress | None = None,
    confirm: Callable[[Job], bool] | bool | None = None,
) -> Any:
    """Wait for a run that was begun earlier, anywhere on this machine, and score it.

    Args:
        job: the job, its id or the first characters of it, or an id of the provider.
        progress: called with (done, total).
        confirm: whether to send a paid run that never reached its provider: True, False or a
            function of the job. Left out, it is sent: it was agreed to when it was begun.

    Returns:
        What the function that began it would have returned.

    Raises:
        ArgumentError: no such job is in the ledger.
        JobError: it failed or was cancelled.
        NetworkError: the provider cannot be reached; nothing is lost.
    """
    from ebit.backends import collect

    agree = (lambda _: confirm) if isinstance(confirm, bool) else confirm
    return score_job(collect(job, agree=agree, progress=progress))


def score_job(job: Job) -> Any:
    """Score a run whose shots are in the ledger, without asking anybody.

    Raises:
        JobError: they are not there yet.
    """
    run, purpose = run_of_job(job), job.purpose
    kind = str(purpose.get("kind"))
    if kind not in _SCORERS:
        raise ArgumentError(
            f"job {job.id[:8]} was run for {purpose.get('kind') or 'nothing that is known'}: "
            "open_job(id).trials has its rounds"
        )
    score = _scorer(kind)(run, purpose)
    _record_prediction(job, run, score)
    return score


def estimate_of(
    what: str, backend: str | object, *, shots: int, **options: Any
) -> tuple[Estimate, Compiled]:
    """What a run would take, and how it would be compiled. Nothing is sent.

    Args:
        what: "bell", "map", "fringe", or a state such as "ghz:5".
        backend: a name, or an object.
        shots: rounds in all; for a map, rounds per pair.
        options: of that kind of run.
    """
    from ebit.backends import open_backend

    kind = what if what in ("bell", "map", "fringe") else "state"
    if kind == "state":
        options["name"] = what
    where = open_backend(backend)
    program, _, total, place = program_of(kind, where, shots, **options)
    program.allocate(total)
    compiled = where.compile(program, qubits=place)
    return where.estimate(program, total), compiled


def program_of(
    kind: str,
    backend: str | object,
    shots: int,
    *,
    qubits: Sequence[int] | None = None,
    pair: Sequence[int] | None = None,
    seed: int | None = None,
    **options: Any,
) -> tuple[Program, dict[str, Any], int, Sequence[int] | None]:
    """What a kind of run consists of: the circuits, its purpose, shots in all, and its qubits."""
    shots = check_shots(shots)
    try:
        if kind == "bell":
            from ebit.protocols.bell_test import bell_program

            test, purpose = bell_program(**options)
            # Circuits that play no round come on top: `shots` are rounds.
            rounds = sum(readout is not None for readout in test.readouts)
            more = len(test.readouts) - rounds
            return test, purpose, shots + (shots // rounds) * more, qubits
        if kind == "fringe":
            from ebit.protocols.fringes import fringe_program

            return (*fringe_program(**options), shots, qubits)
        if kind == "state":
            from ebit.protocols.states import state_program

            name = options.pop("name", None)
            if name is None:
                raise ArgumentError("a state needs its name, such as name='ghz:4'")
            made = state_program(name, backend, qubits=qubits, seed=seed, **options)
            return (*made, shots, qubits)
        if kind == "map":
            module = import_module("ebit.protocols.mapping")
            program, purpose, total, place = module.map_program(backend, shots=shots, **options)
            return program, purpose, total, place
        if kind == "random":
            module = import_module("ebit.protocols.random_numbers")
            where = {"qubits": qubits, "pair": pair, "seed": seed}
            test, purpose, place = module.random_program(backend, shots=shots, **where, **options)
            return test, purpose, shots, place
        if kind == "key":
            if pair is not None:
                raise ArgumentError(
                    "pair does not apply to a key: give qubits, all of them in order"
                )
            module = import_module("ebit.protocols.keys")
            return module.key_program(backend, shots=shots, qubits=qubits, seed=seed, **options)  # type: ignore[no-any-return]
    except TypeError as error:
        raise ArgumentError(f"options must be those of `{kind}`, but {error}") from None
    raise ArgumentError(f"kind must be bell, state, fringe, map, random or key, but was {kind!r}")


# What scores each kind of run: module and function.
_SCORERS = {
    "bell": ("bell_test", "score_bell"),
    "fringe": ("fringes", "score_fringe_run"),
    "key": ("keys", "score_key"),
    "map": ("mapping", "score_map_run"),
    "random": ("random_numbers", "score_random"),
    "state": ("states", "score_state_run"),
}


def _scorer(kind: str) -> Callable[[Run, Mapping[str, Any]], Any]:
    module, function = _SCORERS[kind]
    found: Callable[[Run, Mapping[str, Any]], Any] = getattr(
        import_module(f"ebit.protocols.{module}"), function
    )
    return found


def _record_prediction(job: Job | str, run: Run, score: Any) -> None:
    """Keep in the ledger how far the prediction was off, once."""
    from ebit.backends import LedgerError, open_job

    predicted, found = run.info.predicted, getattr(score, "win_rate", None)
    if predicted is None or found is None:
        return
    line = f"win rate {found:.5f}, predicted {predicted:.5f} ({found - predicted:+.5f})"
    with suppress(LedgerError):  # a full disk must not cost the score
        kept = open_job(job)
        if all(what != line for _, what in kept.entry.events):
            kept.ledger.note(kept.id, line)


def _seed(kind: str, where: Backend, seed: int | None) -> int | None:
    """The seed of the run itself: on a processor the seed serves the host's own choices only."""
    if kind in ("state", "key") and seed is not None and where.describe().remote:
        return None
    return seed
