"""What every backend offers, and the plain data it speaks in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from ebit.games import Shots

if TYPE_CHECKING:
    from ebit.circuits import Experiment

Progress = Callable[[int, int], None]
Status = Literal["exact", "stabiliser", "unchecked"]


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
    """

    name: str
    kind: Literal["simulator", "processor"]
    num_qubits: int | None = None
    basis: tuple[str, ...] = ()
    couplings: tuple[tuple[int, int], ...] | None = None
    calibration: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Estimate:
    """What a run will take.

    Args:
        seconds: expected time of the run itself, without queues.
        shots: shots that will be taken, over all circuits.
        circuits: number of circuits.
        basis: what the figure rests on.
    """

    seconds: float
    shots: int
    circuits: int
    basis: str


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

    experiment: Experiment
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

    def estimate(self, experiment: Experiment, shots: int) -> Estimate:
        """What a run of so many shots (over all circuits) takes."""
        ...

    def compile(self, experiment: Experiment, *, qubits: Sequence[int] | None = None) -> Compiled:
        """Native circuits on physical qubits, in logical order; chosen by calibration if None."""
        ...

    def submit(self, compiled: Compiled, *, shots: int, id: str, seed: int | None = None) -> Handle:
        """Start a run of `shots` shots over all circuits under our own id."""
        ...

    def find(self, id: str) -> Handle | None:
        """The run of that id, None when the backend has none."""
        ...

    def fetch(self, handle: Handle, *, progress: Progress | None = None) -> Outcome:
        """Wait for a run and return its shots."""
        ...

    def cancel(self, handle: Handle) -> None:
        """Stop a run; its shots are lost."""
        ...
