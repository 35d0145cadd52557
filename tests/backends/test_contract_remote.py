"""A third party's remote adapter keeps the contract; each way of losing, doubling or hiding fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ebit.backends import (
    Backend,
    Compiled,
    GuardReport,
    Handle,
    Outcome,
    list_backends,
    open_backend,
)
from ebit.backends.contract import BackendContract, Fate, check_backend
from ebit.circuits import chsh
from ebit.games import ArgumentError, EbitError, Shots
from tests.backends.queuehelp import FolderBackend, Laboratory, read, write


class FolderContract(BackendContract):
    """What the author of the adapter tells the suite."""

    ideal = True  # the laboratory's stand-in has no noise
    drift = 0.0
    limit = 5.0

    def __init__(self, laboratory: Laboratory | None = None, kind: type = FolderBackend) -> None:
        self.laboratory: Any = laboratory
        self.kind = kind

    def backend(self) -> Backend:
        made: Backend = self.kind(self.laboratory.folder)
        return made

    def arrange(self, backend: Backend, fate: Fate) -> str | None:
        self.laboratory.arrange(fate)
        return "the laser is off" if fate == "failed" else ""

    def sent(self, backend: Backend, id: str) -> int | None:
        return len(list(self.laboratory.folder.glob(f"{id}*.job")))


@pytest.fixture
def laboratory(tmp_path: Path) -> Iterator[Laboratory]:
    with Laboratory(tmp_path) as laboratory:
        yield laboratory


def test_a_remote_adapter_keeps_the_contract(laboratory: Laboratory) -> None:
    report = check_backend(FolderContract(laboratory))
    assert report.ok, str(report)
    # Its author arranged all that can go wrong, so that nothing but provider's limits is left out.
    assert set(report.skipped) == {"test_many_circuits", "test_more_shots_than_one_call_takes"}


class ReversesBits(FolderBackend):
    @staticmethod
    def _bits(rows: Any, width: int) -> Any:
        return FolderBackend._bits(rows, width)[:, ::-1]


class IgnoresQubits(FolderBackend):
    """Compiles for the qubits it likes, and says that it did as it was told."""

    def compile(self, experiment: Any, *, qubits: Any = None) -> Compiled:
        made = super().compile(experiment, qubits=qubits)
        return replace(super().compile(experiment), qubits=made.qubits)


class TakesItsOwnQubits(FolderBackend):
    def compile(self, experiment: Any, *, qubits: Any = None) -> Compiled:
        super().compile(experiment, qubits=qubits)
        return super().compile(experiment)


class DropsTheBarrier(FolderBackend):
    def compile(self, experiment: Any, *, qubits: Any = None) -> Compiled:
        made = super().compile(experiment, qubits=qubits)
        bare = []
        for circuit in made.circuits:
            kept = circuit.copy_empty_like()
            for item in circuit.data:
                if item.operation.name != "barrier":
                    kept.append(item)
            bare.append(kept)
        guard = GuardReport("exact", 0.0, "looked at closely")
        return replace(made, circuits=tuple(bare), guard=guard)


class AllCircuitsAlike(FolderBackend):
    """Every circuit gets the mean number of shots, whatever its weight."""

    def _send(self, handle: Handle, compiled: Compiled) -> None:
        mean = sum(handle.shots) // len(handle.shots)
        super()._send(replace(handle, shots=(mean,) * len(handle.shots)), compiled)

    def submit(self, compiled: Compiled, **how: Any) -> Handle:
        handle = super().submit(compiled, **how)
        return self.find(handle.id) or handle


class SendsAgainElsewhere(FolderBackend):
    """Knows what it sent itself, not what another process did: as one without a tag would."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.mine: dict[str, Handle] = {}

    def submit(self, compiled: Compiled, **how: Any) -> Handle:
        id = how["id"]
        if id not in self.mine and self.find(id) is not None:
            write(self.folder / f"{id}-again.job", read(self.folder / f"{id}.job") or {})
        self.mine[id] = super().submit(compiled, **how)
        return self.mine[id]


class FindsNothingElsewhere(FolderBackend):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.mine: set[str] = set()

    def _send(self, handle: Handle, compiled: Compiled) -> None:
        self.mine.add(handle.id)
        super()._send(handle, compiled)

    def find(self, id: str) -> Handle | None:
        return super().find(id) if id in self.mine else None


class NotesNothing(FolderBackend):
    def submit(self, compiled: Compiled, *, note: Any = None, **how: Any) -> Handle:
        return super().submit(compiled, **how)


class TakesWhatThereIs(FolderBackend):
    """Gives back whatever came, if only part of it came."""

    def fetch(self, handle: Handle, *, progress: Any = None) -> Outcome:
        try:
            return super().fetch(handle, progress=progress)
        except EbitError as error:
            if "not counted" not in str(error):
                raise
            result = read(self.folder / f"{handle.id}.done") or {}
            rows = zip(result["rows"], result["widths"], strict=True)
            return Outcome(Shots.from_bits([self._bits(r, w) for r, w in rows]), "bench", seed=None)


class HidesWhy(FolderBackend):
    def fetch(self, handle: Handle, *, progress: Any = None) -> Outcome:
        if self.status(handle).phase == "failed":
            raise EbitError("something went wrong")
        return super().fetch(handle, progress=progress)


class WaitsForEver(FolderBackend):
    """A cancelled run is never done."""

    def status(self, handle: Handle) -> Any:
        state = super().status(handle)
        if state.phase == "cancelled" and self._alive():
            return replace(state, phase="queued")
        return state

    def _alive(self) -> bool:
        # Ends with the test: its folder is gone by then, or says so.
        return not (self.folder / "closed").exists()


class SortsShots(FolderBackend):
    """Makes shots up from counts: right in number, wrong in order."""

    @staticmethod
    def _bits(rows: Any, width: int) -> Any:
        return FolderBackend._bits(sorted(rows), width)


class ShufflesColumns(FolderBackend):
    """Keeps the mean of every bit and loses which shot it belongs to."""

    @staticmethod
    def _bits(rows: Any, width: int) -> Any:
        bits = FolderBackend._bits(rows, width)
        return np.stack([np.roll(column, 7 * j) for j, column in enumerate(bits.T)], axis=1)


SABOTAGED = {
    ReversesBits: "test_each_qubit_has_its_bit",
    IgnoresQubits: "test_bits_read_the_qubits_asked_for",
    TakesItsOwnQubits: "test_qubits_that_were_asked_for_are_used",
    DropsTheBarrier: "test_the_barrier_is_kept",
    AllCircuitsAlike: "test_shots_are_shared_by_weight",
    SendsAgainElsewhere: "test_another_process_does_not_send_again",
    FindsNothingElsewhere: "test_another_process_finds_a_remote_run",
    NotesNothing: "test_ids_are_noted_as_they_come",
    TakesWhatThereIs: "test_a_result_cut_short_is_an_error",
    HidesWhy: "test_a_failed_run_says_why",
    WaitsForEver: "test_a_cancelled_run_gives_no_data",
    SortsShots: "test_bits_of_a_shot_stay_together",
    ShufflesColumns: "test_bits_of_a_shot_stay_together",
}


@pytest.mark.parametrize("kind", SABOTAGED, ids=lambda kind: kind.__name__)
def test_a_sabotaged_remote_adapter_fails(kind: type, laboratory: Laboratory) -> None:
    check = SABOTAGED[kind]
    contract = FolderContract(laboratory, kind)
    contract.limit = 0.5
    with pytest.raises(AssertionError) as caught:
        getattr(contract, check)()
    assert "\n" not in str(caught.value)
    write(laboratory.folder / "closed", {})
    # The honest one passes the same check at the same place.
    getattr(FolderContract(laboratory), check)()


def test_a_distribution_registers_it(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # What pip leaves behind when it installs a distribution that names an adapter.
    site = tmp_path / "site"
    told = site / "mylab-1.0.dist-info"
    told.mkdir(parents=True)
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: mylab\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text("[ebit.backends]\nfolder = mylab_adapter:open\n")
    (site / "mylab_adapter.py").write_text(
        "from tests.backends.queuehelp import open_folder as open\n"
    )
    monkeypatch.syspath_prepend(str(site))
    listed = {b.name: b for b in list_backends()}
    assert listed["folder"].usable
    assert listed["folder"].note == "from mylab_adapter"
    backend = open_backend(f"folder:{laboratory.folder}")
    assert backend.describe().remote
    compiled = backend.compile(chsh())
    outcome = backend.fetch(backend.submit(compiled, shots=400, id="mine"))
    assert outcome.shots.counts == (100,) * 4
    with pytest.raises(ArgumentError, match="needs the laboratory's folder"):
        open_backend("folder")
