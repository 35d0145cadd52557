"""Runs that live in this process: registered at once, computed when they are fetched."""

from __future__ import annotations

import operator
import secrets
from collections.abc import Sequence

from ebit.backends.model import Compiled, Handle, JobState, Note, Outcome, Progress
from ebit.games import ArgumentError

NOT_GIVEN = ("evidence about a physical device: the shots were simulated",)


class LocalRuns:
    """The runs of one local backend, by our own ids.

    Args:
        backend: name of the backend.
    """

    def __init__(self, backend: str) -> None:
        self.backend = backend
        self._runs: dict[str, tuple[Handle, Compiled]] = {}
        self._done: dict[str, Outcome | None] = {}

    def submit(
        self,
        compiled: Compiled,
        *,
        shots: int,
        id: str,
        seed: int | None,
        note: Note | None = None,
    ) -> Handle:
        """Register a run. The same id gives the same run, so that a repeated call is harmless.

        Raises:
            ArgumentError: the circuits were compiled for another backend.
        """
        if id in self._runs:
            return self._runs[id][0]
        if compiled.backend != self.backend:
            raise ArgumentError(
                f"argument compiled must be compiled for {self.backend}, but was compiled for "
                f"{compiled.backend}"
            )
        handle = Handle(
            backend=self.backend,
            id=id,
            experiment_id=compiled.experiment.id,
            shots=compiled.experiment.allocate(shots),
            seed=check_seed(seed),
            metadata={"qubits": list(compiled.qubits)},
        )
        self._runs[id] = (handle, compiled)
        if note is not None:
            note(handle)
        return handle

    def find(self, id: str) -> Handle | None:
        """The run of that id."""
        return self._runs[id][0] if id in self._runs else None

    def compiled(self, handle: Handle) -> Compiled:
        """What a run consists of.

        Raises:
            ArgumentError: the run belongs to another process or was cancelled, or the handle says
                something else of it.
        """
        if handle.id not in self._runs:
            raise ArgumentError(
                f"run {handle.id!r} is not known to {self.backend} in this process: submit it again"
            )
        known, compiled = self._runs[handle.id]
        for what in ("backend", "experiment_id", "shots", "seed"):
            if getattr(handle, what) != getattr(known, what):
                raise ArgumentError(
                    f"argument handle must have the {what} of run {handle.id!r}, "
                    f"{getattr(known, what)!r}, but has {getattr(handle, what)!r}"
                )
        return compiled

    def kept(self, handle: Handle, progress: Progress | None = None) -> Outcome | None:
        """The outcome of a run that was fetched before and could not be computed again alike."""
        outcome = self._done.get(handle.id)
        if outcome is not None and progress is not None:
            progress(outcome.shots.n, outcome.shots.n)
        return outcome

    def finish(self, handle: Handle, outcome: Outcome) -> Outcome:
        """Remember that a run is done. Without a seed its shots are kept: a run is run once."""
        self._done[handle.id] = outcome if outcome.seed is None else None
        return outcome

    def status(self, handle: Handle) -> JobState:
        """A run of this process is computed when it is fetched.

        Raises:
            ArgumentError: the run belongs to another process or was cancelled.
        """
        self.compiled(handle)
        if handle.id in self._done:
            return JobState("done")
        return JobState("queued", 0, "computed when it is fetched")

    def cancel(self, handle: Handle) -> None:
        """Forget a run; one that is not known is left alone.

        Raises:
            ArgumentError: the handle is of another backend, or says something else of the run.
        """
        if handle.id in self._runs:
            self.compiled(handle)
            del self._runs[handle.id]
            self._done.pop(handle.id, None)


class LocalBackend:
    """What backends have in common whose runs live in this process."""

    _runs: LocalRuns

    def find(self, id: str) -> Handle | None:
        """The run of that id in this process."""
        return self._runs.find(id)

    def status(self, handle: Handle) -> JobState:
        """Where the run stands in this process: it is computed when it is fetched."""
        return self._runs.status(handle)

    def cancel(self, handle: Handle) -> None:
        """Forget a run."""
        self._runs.cancel(handle)


def check_seed(seed: int | None) -> int | None:
    """A seed as given, refused unless it is an integer >= 0."""
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
        raise ArgumentError(f"argument seed must be an integer >= 0, but was {seed!r}")
    return seed


def fresh_seed() -> int:
    """A seed from the operating system; 53 bits, so that no reader of JSON rounds it."""
    return secrets.randbits(53)


def check_labels(roles: Sequence[str], qubits: Sequence[int] | None) -> tuple[int, ...]:
    """Qubit numbers where any will do: 0, 1, ... by default, refused unless they are distinct."""
    if qubits is None:
        return tuple(range(len(roles)))
    chosen = whole_numbers(qubits)
    if len(chosen) != len(roles) or len(set(chosen)) < len(chosen) or min(chosen) < 0:
        raise ArgumentError(
            f"argument qubits must be {len(roles)} different numbers >= 0, one for each of "
            f"{', '.join(roles)}, but was {','.join(map(str, chosen))}"
        )
    return chosen


def whole_numbers(qubits: Sequence[int]) -> tuple[int, ...]:
    """Qubit numbers as Python's integers, refused unless they are whole.

    >>> whole_numbers([3, 1])
    (3, 1)
    """
    try:
        return tuple(operator.index(q) for q in qubits)
    except TypeError:
        raise ArgumentError(f"argument qubits must be whole numbers, but was {qubits!r}") from None
