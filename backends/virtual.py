"""Google's virtual processors, `cirq:PROCESSOR`: simulated with the noise that Google publishes.

A circuit splits into its connected parts; the exact distribution of each is computed once under
Google's own noise model, and shots are drawn from it. That is exact, because the model has no
cross-talk; qubits that wait decay as long as the moments of the whole circuit take.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from ebit.backends.batch import Step, evolve_batch
from ebit.backends.exact import Distribution, joint
from ebit.backends.local import NOT_GIVEN, LocalBackend, LocalRuns, fresh_seed
from ebit.backends.model import (
    Compiled,
    Description,
    Estimate,
    Handle,
    Listing,
    Note,
    Outcome,
    Progress,
)
from ebit.backends.sample import draw
from ebit.games import ArgumentError

if TYPE_CHECKING:
    from ebit.circuits.program import Program

__all__ = ["VirtualBackend", "listing", "open_named"]

_WIDEST = 10  # qubits of a connected part: 16 MB of density matrix
_QUBITS = {"rainbow": 23, "weber": 53, "willow_pink": 105}


def open_named(name: str) -> VirtualBackend:
    """The backend `cirq:{name}`.

    Raises:
        ArgumentError: cirq-google ships no such processor.
    """
    return VirtualBackend(name)


def listing() -> list[Listing]:
    """What `ebit backends` says of them; nothing is loaded for it."""
    if find_spec("cirq_google") is None:
        return [Listing("cirq:PROCESSOR", False, None, "pip install 'ebit[google]'")]
    note = "Google's virtual processor with its noise"
    return [Listing(f"cirq:{name}", True, size, note) for name, size in _QUBITS.items()]


class VirtualBackend(LocalBackend):
    """A processor of Google, simulated.

    Args:
        processor: its name with Google.

    Example:
        >>> VirtualBackend("willow_pink").describe().num_qubits
        105
    """

    def __init__(self, processor: str) -> None:
        from ebit.backends.cirq_device import virtual_chip

        self.chip = virtual_chip(processor)
        self.calibration = self.chip.calibration
        self._runs = LocalRuns(self.name)

    @property
    def name(self) -> str:
        """`cirq:PROCESSOR`."""
        return f"cirq:{self.chip.name}"

    @property
    def _noise(self) -> Any:
        return _noise_of(self.chip.name)

    def describe(self) -> Description:
        """What is simulated."""
        from ebit.backends.cirq_place import describe_chip

        note = f"Google's virtual {self.chip.name}: its noise, couplings and native gates"
        return describe_chip(self.chip, self.name, "simulator", note)

    def estimate(self, experiment: Program, shots: int) -> Estimate:
        """Seconds that a run takes on one core."""
        shares = experiment.allocate(shots)
        seconds = 1.0 + 0.05 * len(shares) + 2e-8 * sum(shares)
        return Estimate(seconds, sum(shares), len(shares), "measured costs of the simulator")

    def choose(
        self, experiment: Program, *, pinned: Mapping[int, int] | None = None
    ) -> tuple[tuple[int, ...], float | None]:
        """Physical qubits with the best predicted game value, some of them given."""
        from ebit.backends.cirq_place import choose_place

        return choose_place(experiment, self.chip, self._predict, pinned=pinned)

    def compile(self, experiment: Program, *, qubits: Sequence[int] | None = None) -> Compiled:
        """Native circuits on pinned qubits, guarded."""
        from ebit.backends.cirq_place import compile_native

        return compile_native(experiment, self.chip, self.name, self._predict, qubits)

    def _predict(self, experiment: Program, qubits: Sequence[int]) -> float | None:
        from ebit.backends.cirq_compile import native_circuits

        circuits, _ = native_circuits(experiment, self.chip, qubits)
        tables = [
            joint(parts, width)
            for parts, width in zip(self._exact(circuits), experiment.widths, strict=True)
        ]
        return experiment.value(tables)

    def expected(self, compiled: Compiled) -> tuple[tuple[Distribution, ...], ...]:
        """Exact distributions of the components of every circuit."""
        return self._exact(compiled.circuits)

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
        """Register a run; it is computed when it is fetched. The same id gives the same run."""
        del progress  # nothing is sent anywhere
        seed = fresh_seed() if seed is None else seed
        return self._runs.submit(compiled, shots=shots, id=id, seed=seed, note=note)

    def fetch(self, handle: Handle, *, progress: Progress | None = None) -> Outcome:
        """Compute the shots of a run."""
        compiled = self._runs.compiled(handle)
        seed = int(handle.seed or 0)
        parts = self._exact(compiled.circuits)
        shots = draw(parts, compiled.experiment.widths, handle.shots, seed=seed, progress=progress)
        largest = max(len(part.clbits) for found in parts for part in found)
        outcome = Outcome(
            shots=shots,
            method="exact distribution under Google's noise model computed once, shots drawn by "
            f"numpy (parts of up to {largest} bits)",
            seed=seed,
            assumptions=(
                "components simulated apart: exact for a noise model without cross-talk",
                "waiting qubits decay as long as the moments of the whole circuit take",
                f"random numbers: pseudo-random, seed {seed}",
            ),
            not_given=NOT_GIVEN,
            metadata={
                "versions": {p: version(p) for p in ("cirq-core", "cirq-google", "numpy")},
            },
        )
        return self._runs.finish(handle, outcome)

    def _exact(self, circuits: Sequence[Any]) -> tuple[tuple[Distribution, ...], ...]:
        """Distributions of the components of all circuits, those of the same shape together."""
        components = [
            (i, part)
            for i, circuit in enumerate(circuits)
            for part in _components(circuit, self._noise)
        ]
        shapes: dict[Any, list[int]] = {}
        for k, (_, part) in enumerate(components):
            shapes.setdefault(part.shape, []).append(k)
        found: dict[int, Distribution] = {}
        for where in shapes.values():
            members = [components[k][1] for k in where]
            found |= dict(zip(where, _together(members), strict=True))
        out: list[list[Distribution]] = [[] for _ in circuits]
        for k, (i, _) in enumerate(components):
            out[i].append(found[k])
        return tuple(tuple(sorted(parts, key=lambda d: d.clbits)) for parts in out)


@lru_cache(maxsize=4)
def _noise_of(processor: str) -> Any:
    """Google's noise model, which remembers what it was asked."""
    import cirq_google

    from ebit.backends.cirq_noise import MomentNoise

    properties = cirq_google.engine.load_device_noise_properties(processor)
    return MomentNoise(cirq_google.NoiseModelFromGoogleNoiseProperties(properties))


class _Part:
    """A connected part of a noisy circuit: its qubits, its steps, and the bit of each qubit."""

    def __init__(self, qubits: list[Any]) -> None:
        self.qubits = sorted(qubits)
        self.place = {q: i for i, q in enumerate(self.qubits)}
        self.steps: list[tuple[tuple[int, ...], Any]] = []
        self.bits: dict[int, int] = {}  # position of the qubit -> classical bit

    @property
    def shape(self) -> tuple[Any, ...]:
        """What parts that are evolved together have in common."""
        return len(self.qubits), tuple(at for at, _ in self.steps)


def _components(circuit: Any, noise: Any) -> list[_Part]:
    import cirq

    from ebit.backends.cirq_lower import bit_of_key

    group: dict[Any, list[Any]] = {q: [q] for q in circuit.all_qubits()}
    for op in circuit.all_operations():
        for other in op.qubits[1:]:
            left, right = group[op.qubits[0]], group[other]
            if left is not right:
                left += right
                for q in right:
                    group[q] = left
    parts = {id(g): _Part(g) for g in group.values()}
    of = {q: parts[id(g)] for q, g in group.items()}
    for op in circuit.all_operations():
        if cirq.is_measurement(op):
            (qubit,) = op.qubits
            of[qubit].bits[of[qubit].place[qubit]] = bit_of_key(cirq.measurement_key_name(op))
    read = [part for part in parts.values() if part.bits]
    widest = max((len(part.qubits) for part in read), default=0)
    if widest > _WIDEST:
        raise ArgumentError(
            f"no simulator here can run a connected part of {widest} qubits under Google's noise "
            f"(at most {_WIDEST}): take fewer qubits"
        )
    for qubits, matrix in noise.steps(circuit):
        part = of[qubits[0]]
        if part.bits:
            part.steps.append((tuple(part.place[q] for q in qubits), matrix))
    return read


def _together(members: Sequence[_Part]) -> list[Distribution]:
    n = len(members[0].qubits)
    steps: list[Step] = [
        (at, np.stack([part.steps[k][1] for part in members]))
        for k, (at, _) in enumerate(members[0].steps)
    ]
    return [
        _read(part, row)
        for part, row in zip(members, evolve_batch(steps, n, len(members)), strict=True)
    ]


def _read(part: _Part, diagonal: Any) -> Distribution:
    """The distribution of the bits, ascending, out of that of the qubits."""
    n = len(part.qubits)
    order = sorted(part.bits, key=lambda at: part.bits[at])
    cube = diagonal.reshape((2,) * n)  # axis 0 is the highest qubit
    kept = [n - 1 - at for at in reversed(order)]
    others = tuple(axis for axis in range(n) if axis not in kept)
    table = cube.sum(axis=others)
    remaining = sorted(kept)
    table = table.transpose([remaining.index(axis) for axis in kept]).reshape(-1)
    table = np.clip(table, 0.0, None)
    return Distribution(tuple(part.bits[at] for at in order), table / table.sum())
