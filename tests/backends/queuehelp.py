"""A third party's remote adapter: a laboratory that is driven through a folder of files.

`FolderBackend` writes a job as one file that is named by our own id; the laboratory writes beside it
what it measured, or why it did not. `Laboratory` stands for the people at the other end.
"""

from __future__ import annotations

import json
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from qiskit.circuit import Parameter
from qiskit.circuit.library import CZGate, Measure, RZGate, SXGate, XGate
from qiskit.transpiler import Target

from ebit.backends import (
    Compiled,
    Description,
    DeviceNoise,
    Estimate,
    Handle,
    JobState,
    Outcome,
    choose_qubits,
    compile_for,
    guard_circuits,
)
from ebit.backends.patience import say
from ebit.backends.remote import check_submission
from ebit.backends.target import from_target
from ebit.circuits.record import circuits_from_bytes, circuits_to_bytes
from ebit.games import ArgumentError, JobError, Shots

ENDINGS = ("done", "failed", "cancelled")


def chip(n: int = 5) -> Target:
    """A line of qubits with CZ gates."""
    target = Target(num_qubits=n)
    for gate in (RZGate(Parameter("a")), SXGate(), XGate(), Measure()):
        target.add_instruction(gate, {(q,): None for q in range(n)})
    target.add_instruction(
        CZGate(), {pair: None for q in range(n - 1) for pair in ((q, q + 1), (q + 1, q))}
    )
    return target


class FolderBackend:
    """The laboratory's device, from any process that sees its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = "folder"
        self.calibration = from_target(
            "bench", chip(), None, date="2026-11-01", source="the laboratory"
        )
        self.noise = DeviceNoise(self.calibration)

    def describe(self) -> Description:
        return Description(
            self.name,
            "processor",
            num_qubits=self.calibration.num_qubits,
            basis=self.calibration.basis,
            couplings=tuple(sorted(self.calibration.directed)),
            calibration=self.calibration.source,
            remote=True,
        )

    def estimate(self, experiment: Any, shots: int) -> Estimate:
        shares = experiment.allocate(shots)
        return Estimate(1e-3 * sum(shares), sum(shares), len(shares), "1 ms a shot", jobs=1)

    def compile(self, experiment: Any, *, qubits: Sequence[int] | None = None) -> Compiled:
        chosen, predicted = qubits, None
        if chosen is None:
            chosen, predicted = choose_qubits(experiment, self.calibration, self.noise)
        circuits = compile_for(experiment, self.calibration, chosen)
        guard = guard_circuits(experiment, circuits, chosen, self.calibration)
        return Compiled(
            experiment,
            self.name,
            circuits,
            tuple(chosen),
            guard,
            self.calibration.source,
            predicted,
        )

    def submit(
        self,
        compiled: Compiled,
        *,
        shots: int,
        id: str,
        seed: int | None = None,
        note: Callable[[Handle], None] | None = None,
    ) -> Handle:
        check_submission(self.name, compiled, seed)
        handle = self.find(id)
        if handle is None:
            shares = compiled.experiment.allocate(shots)
            handle = Handle(
                self.name, id, compiled.experiment.id, shares, provider_ids=(f"{id}.job",)
            )
            self._send(handle, compiled)
        if note is not None:
            note(handle)
        return handle

    def _send(self, handle: Handle, compiled: Compiled) -> None:
        circuits = b64encode(circuits_to_bytes(compiled.circuits)).decode()
        write(self.folder / f"{handle.id}.job", {"handle": handle.to_dict(), "circuits": circuits})

    def find(self, id: str) -> Handle | None:
        job = read(self.folder / f"{id}.job")
        return None if job is None else Handle.from_dict(job["handle"])

    def status(self, handle: Handle) -> JobState:
        if self.find(handle.id) != handle:
            raise JobError(f"run {handle.id!r} is not one that {self.name} has: look for its id")
        for phase in ENDINGS:
            found = read(self.folder / f"{handle.id}.{phase}")
            if found is not None:
                return JobState(phase, None, " ".join(str(found.get("why", "")).split()))  # type: ignore[arg-type]
        return JobState("queued")

    def fetch(self, handle: Handle, *, progress: Any = None) -> Outcome:
        last = time.monotonic() + 120
        while (state := self.status(handle)).phase == "queued":
            if time.monotonic() > last:
                raise JobError(f"run {handle.id} was not measured in 120 s")
            say(progress, f"run {handle.id} is queued")
            time.sleep(0.002)
        if state.phase != "done":
            raise JobError(f"run {handle.id} was {state.phase}: {state.detail or 'no reason'}")
        result = read(self.folder / f"{handle.id}.done") or {}
        widths = result.get("widths", [])
        taken = [self._bits(rows, w) for rows, w in zip(result["rows"], widths, strict=True)]
        if tuple(len(bits) for bits in taken) != handle.shots:
            raise JobError(f"run {handle.id} must have {handle.shots} shots: not counted")
        if progress is not None:
            progress(sum(handle.shots), sum(handle.shots))
        return Outcome(Shots.from_bits(taken), "the bench", seed=None)

    @staticmethod
    def _bits(rows: Sequence[str], width: int) -> Any:
        """The laboratory writes the highest bit first, as Qiskit prints it."""
        return np.array([[int(x) for x in row[::-1]] for row in rows], np.uint8).reshape(-1, width)

    def cancel(self, handle: Handle) -> None:
        if self.status(handle).phase == "queued":
            write(self.folder / f"{handle.id}.cancelled", {})


class Laboratory:
    """Runs the jobs of a folder until it is closed; the next one may meet a fate."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._fate = ""
        self._before: set[str] = set()
        self.taken: list[str] = []
        self._open = True
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Laboratory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._open = False
        self._thread.join()

    def arrange(self, fate: str) -> None:
        """What befalls the next job to arrive: never one that waits already, measured or not."""
        self._before = {path.stem for path in self.folder.glob("*.job")}
        self._fate = fate

    def _work(self) -> None:
        while self._open:
            # In the order they came: what is arranged is for the next one to come.
            for job in sorted(self.folder.glob("*.job"), key=lambda path: path.stat().st_mtime_ns):
                if job.stem not in self.taken:
                    self.taken.append(job.stem)
                    self._measure(job.stem, read(job) or {})
            time.sleep(0.002)

    def _measure(self, name: str, job: dict[str, Any]) -> None:
        from qiskit_aer import AerSimulator

        fate = ""
        if self._fate and name not in self._before:
            fate, self._fate = self._fate, ""
        if fate == "held":
            return
        if fate == "failed":
            write(self.folder / f"{name}.failed", {"why": "the laser\nis off"})
            return
        circuits = circuits_from_bytes(b64decode(job["circuits"]))
        rows = []
        for circuit, shots in zip(circuits, job["handle"]["shots"], strict=True):
            run = AerSimulator().run(circuit, shots=shots, memory=True)
            rows.append([row.replace(" ", "") for row in run.result().get_memory()])
        if fate == "empty":
            rows = [[] for _ in rows]
        if fate == "short":
            rows[-1].pop()
        widths = [circuit.num_clbits for circuit in circuits]
        write(self.folder / f"{name}.done", {"rows": rows, "widths": widths})


def write(path: Path, data: dict[str, Any]) -> None:
    """A file is there whole or not at all."""
    part = path.with_suffix(f".{threading.get_ident()}.part")
    part.write_text(json.dumps(data), "utf-8")
    part.replace(path)


def read(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    return found


def open_folder(rest: str | None) -> FolderBackend:
    """What an entry point names: `folder:PATH`."""
    if not rest or not Path(rest).is_dir():
        raise ArgumentError(f"backend 'folder' needs the laboratory's folder, but had {rest!r}")
    return FolderBackend(Path(rest))
