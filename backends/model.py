"""What every backend offers, and the plain data it speaks in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from ebit.games import Shots

if TYPE_CHECKING:
    from ebit.circuits.program import Program

Progress = Callable[[int, int], None]
Status = Literal["exact", "stabiliser", "unchecked"]
Phase = Literal["queued", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True)
class Description:
    """What a backend is.

    Args:
        name: the name it is opened by.
        kind: "simulator" or "processor".
        num_qubits: None where any number goes.
        basis: native gates, empty where any gate goes.
        couplings: ordered pairs that a native two-qubit gate joins, None where all are.
        calibration: date and source of the calibration, None without one.
        note: one sentence.
        remote: whether runs live with a provider, so that another process finds them by their id.
        paid: whether a run may cost money, so that it is priced and agreed to before it is sent.
        labels: the provider's own name of each qubit, empty where that is its number.
        positions: (x, y) of each qubit on the chip, y downwards; empty where unknown.
    """

    name: str
    kind: Literal["simulator", "processor"]
    num_qubits: int | None = None
    basis: tuple[str, ...] = ()
    couplings: tuple[tuple[int, int], ...] | None = None
    calibration: str | None = None
    note: str = ""
    remote: bool = False
    paid: bool = False
    labels: tuple[str, ...] = ()
    positions: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Estimate:
    """What a run will take.

    Args:
        seconds: expected time of the run itself, without queues.
        shots: shots that will be taken, over all circuits.
        circuits: number of circuits.
        basis: what the figure rests on.
        jobs: jobs that the provider will see, 0 where there is no provider.
        quantum_seconds: seconds of quantum time that are paid for, None where nothing is.
    """

    seconds: float
    shots: int
    circuits: int
    basis: str
    jobs: int = 0
    quantum_seconds: float | None = None

    def __str__(self) -> str:
        circuits = f"{self.circuits} circuit{'s' if self.circuits != 1 else ''}"
        shots = f"{self.shots:,} shots".replace(",", " ")
        if self.quantum_seconds is None:
            return f"{circuits}, {shots}, about {self.seconds:.3g} s ({self.basis})"
        jobs = f"{self.jobs} job{'s' if self.jobs != 1 else ''}"
        return (
            f"{circuits}, {shots}, {jobs}, about {self.quantum_seconds:.3g} s of quantum time "
            f"({self.basis})"
        )


@dataclass(frozen=True)
class GuardReport:
    """How compiled circuits were compared with what was asked.

    Args:
        status: "exact" (every distribution equal), "stabiliser" (by tableau, at least where the
            circuit is wide), or "unchecked" (wide and not Clifford: only the form was checked).
        deviation: largest difference of a probability or a matrix element that was found.
        detail: one sentence.
    """

    status: Status
    deviation: float
    detail: str


@dataclass(frozen=True, eq=False)
class Compiled:
    """An experiment in the gates and on the qubits of a backend, checked by the guard.

    Args:
        experiment: what was asked.
        backend: name of the backend.
        circuits: native circuits on physical qubits; classical bits as in the source.
        qubits: physical qubit of each logical one.
        guard: what the guard found.
        calibration: date and source, None without one.
        predicted: game value the calibration predicts, None where it was not computed.
        assumptions: what compiling took for granted.
    """

    experiment: Program
    backend: str
    circuits: tuple[Any, ...]
    qubits: tuple[int, ...]
    guard: GuardReport
    calibration: str | None = None
    predicted: float | None = None
    assumptions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Handle:
    """A submitted run, as plain data that survives the process.

    Args:
        backend: name of the backend that holds it.
        id: our own id of the run.
        experiment_id: content hash of the experiment.
        shots: shots per circuit.
        seed: seed of the simulator, None for a processor.
        provider_ids: ids the provider gave.
        metadata: anything else the backend needs, JSON-able.
    """

    backend: str
    id: str
    experiment_id: str
    shots: tuple[int, ...]
    seed: int | None = None
    provider_ids: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "backend": self.backend,
            "id": self.id,
            "experiment_id": self.experiment_id,
            "shots": list(self.shots),
            "seed": self.seed,
            "provider_ids": list(self.provider_ids),
            "metadata": dict(self.metadata),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Handle:
        """The handle that `to_dict` wrote."""
        return cls(
            backend=data["backend"],
            id=data["id"],
            experiment_id=data["experiment_id"],
            shots=tuple(data["shots"]),
            seed=data["seed"],
            provider_ids=tuple(data["provider_ids"]),
            metadata=dict(data["metadata"]),
        )


@dataclass(frozen=True)
class JobState:
    """Where a run stands.

    Args:
        phase: of the run as a whole: it is done when all its parts are.
        position: jobs ahead of it in the queue, None where the provider does not say.
        detail: the provider's own words.
    """

    phase: Phase
    position: int | None = None
    detail: str = ""


Note = Callable[[Handle], None]
"""Called by `submit` with the handle as far as it is known, each time the provider gives an id."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a run gave.

    Args:
        shots: ordered bits of every circuit.
        method: what ran.
        seed: seed of pseudo-random numbers, None for a processor.
        assumptions: what the shots rest on.
        not_given: what they do not show.
        metadata: versions and other facts, JSON-able.
    """

    shots: Shots
    method: str
    seed: int | None
    assumptions: tuple[str, ...] = ()
    not_given: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Listing:
    """One line of the list of backends.

    Args:
        name: what to pass as a backend.
        usable: whether it can run here and now.
        qubits: number of qubits, None where any number goes.
        note: what it is, or what to install or do to use it.
    """

    name: str
    usable: bool
    qubits: int | None
    note: str


@runtime_checkable
class Backend(Protocol):
    """Where experiments run."""

    @property
    def name(self) -> str:
        """The name it is opened by."""
        ...

    def describe(self) -> Description:
        """What it is."""
        ...

    def estimate(self, experiment: Program, shots: int) -> Estimate:
        """What a run of so many shots (over all circuits) takes."""
        ...

    def compile(self, experiment: Program, *, qubits: Sequence[int] | None = None) -> Compiled:
        """Native circuits on physical qubits, in logical order; chosen by calibration if None."""
        ...

    def submit(
        self,
        compiled: Compiled,
        *,
        shots: int,
        id: str,
        seed: int | None = None,
        note: Note | None = None,
        progress: object = None,
    ) -> Handle:
        """Start a run of `shots` shots over all circuits under our own id, once.

        A run that was begun under the same id is completed, never repeated: parts that the
        provider already has are looked up by the id and not sent again. `note` is called with the
        handle each time an id is known; `progress` hears of retries if it has a method ``say``.
        """
        ...

    def find(self, id: str) -> Handle | None:
        """The run of that id, None when the backend has none."""
        ...

    def status(self, handle: Handle) -> JobState:
        """Where a run stands, asked once."""
        ...

    def fetch(self, handle: Handle, *, progress: Progress | None = None) -> Outcome:
        """Wait for a run and return its shots. Interrupting the wait leaves the run alone."""
        ...

    def cancel(self, handle: Handle) -> None:
        """Stop a run; its shots are lost."""
        ...
