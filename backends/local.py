"""Runs that live in this process: registered at once, computed when they are fetched."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from ebit.backends.model import Compiled, Handle, JobState, Note
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

    def submit(
        self,
        compiled: Compiled,
        *,
        shots: int,
        id: str,
        seed: int | None,
        note: Note | None = None,
    ) -> Handle:
        """Register a run. The same id gives the same run, so that a repeated call is harmless."""
        if id in self._runs:
            return self._runs[id][0]
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
            ArgumentError: the run belongs to another process or was cancelled.
        """
        if handle.id not in self._runs:
            raise ArgumentError(
                f"run {handle.id!r} is not known to {self.backend} in this process: submit it again"
            )
        return self._runs[handle.id][1]

    def status(self, handle: Handle) -> JobState:
        """A run of this process is computed when it is fetched.

        Raises:
            ArgumentError: the run belongs to another process or was cancelled.
        """
        self.compiled(handle)
        return JobState("queued", 0, "computed when it is fetched")

    def cancel(self, handle: Handle) -> None:
        """Forget a run."""
        self._runs.pop(handle.id, None)


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
    chosen = tuple(int(q) for q in qubits)
    if len(chosen) != len(roles) or len(set(chosen)) < len(chosen) or min(chosen) < 0:
        raise ArgumentError(
            f"argument qubits must be {len(roles)} different numbers >= 0, one for each of "
            f"{', '.join(roles)}, but was {','.join(map(str, chosen))}"
        )
    return chosen
