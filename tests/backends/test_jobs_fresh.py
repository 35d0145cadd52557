"""A run in processes that know nothing but its id: everything about it is given back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest

from ebit.backends import (
    JobState,
    begin,
    cancel_job,
    collect,
    list_backends,
    load_calibration,
    open_backend,
    open_job,
)
from ebit.backends.ledger import Ledger
from ebit.circuits import chsh
from ebit.games import JobError, NetworkError
from tests.fakeprovider import LabBackend, install
from tests.killing import same_shots

ROOT = Path(__file__).parents[2]
TEST = chsh()


def in_a_fresh_process(code: str, *arguments: str, path: Path | None = None) -> Any:
    """What some code prints, as JSON, in an interpreter of its own."""
    extra = os.pathsep.join(map(str, filter(None, (path, ROOT if path else None))))
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": extra, "PYTHONWARNINGS": "ignore"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


BEGIN = """
import json, sys
from ebit.backends import begin, open_backend
from ebit.circuits import chsh
where = open_backend(sys.argv[1])
job = begin(where, where.compile(chsh()), shots=int(sys.argv[2]), seed=3, purpose={"a": [1, "x"]})
print(json.dumps({"id": job.id, "stage": job.stage}))
"""
LOOK = """
import json, sys
from ebit.backends import open_job
job = open_job(sys.argv[1])
heavy = [m for m in ("qiskit_aer", "cirq", "qiskit_ibm_runtime") if m in sys.modules]
print(json.dumps({
    "stage": job.stage, "experiment": job.experiment.id, "layout": job.layout,
    "gates": [dict(c.count_ops()) for c in job.compiled.circuits],
    "guard": job.compiled.guard.status, "purpose": job.purpose, "heavy": heavy,
    "calibration": None if job.calibration is None else job.calibration.to_json(),
    "wins": None if job.shots is None else job.trials.counts.tolist(),
}))
"""
COLLECT = """
import json, sys
from ebit.backends import collect
print(json.dumps(collect(sys.argv[1]).trials.counts.tolist()))
"""


def test_a_simulators_run_in_four_processes() -> None:
    id = in_a_fresh_process(BEGIN, "aer:fez", "4000")["id"]
    before = in_a_fresh_process(LOOK, id[:8])
    assert (before["stage"], before["wins"]) == ("submitted", None)
    wins = in_a_fresh_process(COLLECT, id)
    after = in_a_fresh_process(LOOK, id)
    where = open_backend("aer:fez")
    compiled = where.compile(TEST)
    assert after == before | {"stage": "done", "wins": wins}
    assert after["experiment"] == TEST.id
    assert tuple(after["layout"]) == compiled.qubits
    assert after["gates"] == [dict(c.count_ops()) for c in compiled.circuits]
    assert after["calibration"] == json.loads(json.dumps(load_calibration("fez").to_json()))
    assert after["purpose"] == {"a": [1, "x"]}
    assert after["heavy"] == []
    handle = where.submit(compiled, shots=4000, id="again", seed=3)
    assert wins == TEST.decode(where.fetch(handle).shots).counts.tolist()


def test_an_installed_adapters_run_in_three_processes(tmp_path: Path) -> None:
    """The third party's distribution is on the path, and found by its entry point."""
    path, name = install(tmp_path / "packages"), f"filelab:{tmp_path / 'lab'}"
    id = in_a_fresh_process(BEGIN, name, "200", path=path)["id"]
    lab = LabBackend(tmp_path / "lab")
    assert lab.lab.accepted() == {(id, k): 1 for k in range(3)}
    wins = in_a_fresh_process(COLLECT, "lab-2", path=path)  # by the provider's own id
    after = in_a_fresh_process(LOOK, id)  # asks nobody: the adapter is not even there
    assert after["stage"] == "done"
    assert after["wins"] == wins
    assert lab.lab.accepted() == {(id, k): 1 for k in range(3)}


@pytest.fixture
def name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.syspath_prepend(str(install(tmp_path / "packages")))
    return f"filelab:{tmp_path / 'lab'}"


def test_runs_of_an_installed_adapter(name: str) -> None:
    assert "filelab" in {listing.name for listing in list_backends()}
    where = open_backend(name)
    assert where.name == name
    job = begin(where, where.compile(TEST), shots=200)
    assert job.status() == JobState("done")
    assert open_job(job.id).status() == JobState("done")
    done = collect(job.id)
    assert done.trials.n == 200
    assert open_job("filelab:lab-1").id == job.id
    other = begin(where, where.compile(TEST), shots=200)
    assert cancel_job(other.id).stage == "cancelled"


def test_where_a_run_stands_that_its_sender_did_not_live_to_write_down(name: str) -> None:
    where, book = open_backend(name), Ledger()
    ids = []
    for fault in ("lose", "drop"):
        where.lab.break_next(fault)  # type: ignore[attr-defined]
        if fault == "lose":
            with pytest.raises(NetworkError):
                begin(where, where.compile(TEST), shots=200)
        else:
            begin(where, where.compile(TEST), shots=200)
            with book._file.write() as db:
                db.execute(
                    "UPDATE runs SET stage = 'intent', handle = NULL, whole = 0 WHERE seq = 2"
                )
        ids.append(book.runs()[0].id)
    assert open_job(ids[0]).status() == JobState("queued", detail="not sent yet")
    assert open_job(ids[1]).status() == JobState("done")


def test_whoever_watches_is_handed_to_an_adapter_that_can_tell(tmp_path: Path) -> None:
    class Talking(LabBackend):
        def submit(self, *args: Any, progress: Any = None, **options: Any) -> Any:
            progress.say("the lab is slow today")
            return super().submit(*args, **options)

    class Listener:
        said: ClassVar[list[str]] = []

        def __call__(self, done: int, total: int) -> None: ...

        def say(self, text: str) -> None:
            self.said.append(text)

    lab = Talking(tmp_path / "lab")
    job = begin(lab, lab.compile(TEST), shots=200, progress=Listener())
    assert Listener.said[:2] == [f"job {job.id[:8]} is in the ledger", "the lab is slow today"]


def test_a_job_says_what_it_is() -> None:
    aer = open_backend("aer")
    job = begin(aer, aer.compile(TEST), shots=400, seed=1)
    assert repr(job) == f"Job({job.id[:8]}, {TEST.name} on aer, submitted)"
    assert job.status().phase == "queued"
    assert job.calibration is None
    assert job.outcome is None
    assert job.shots is None
    with pytest.raises(JobError, match=f"ebit resume {job.id[:8]} completes it"):
        job.trials  # noqa: B018
    done = collect(job)
    assert done.stage == "done"
    assert open_job(done).outcome is not None
    assert open_job(job).stage == "done"
    assert job.stage == "submitted"  # what it was when it was opened
    assert collect(job).stage == "done"


def test_what_was_fetched_is_what_is_kept() -> None:
    aer = open_backend("aer:fez")
    done = collect(begin(aer, aer.compile(TEST), shots=4000, seed=5))
    kept = open_job(done.id)
    assert done.outcome is not None
    assert kept.outcome is not None
    assert same_shots(done.shots, kept.shots)
    assert done.outcome.method == kept.outcome.method
    assert done.outcome.assumptions == kept.outcome.assumptions
    assert done.outcome.not_given == kept.outcome.not_given
    assert done.outcome.seed == kept.outcome.seed == 5
    assert dict(done.outcome.metadata) == dict(kept.outcome.metadata)
    assert kept.compiled.guard.status == "exact"
    assert kept.compiled.predicted == aer.compile(TEST).predicted


def test_a_seed_is_kept_so_that_anybody_computes_the_same(tmp_path: Path) -> None:
    """Without one a simulator's run gets one when it is begun."""
    aer, places = open_backend("aer"), [tmp_path / "a.sqlite", tmp_path / "b.sqlite"]
    job = begin(aer, aer.compile(TEST), shots=400, ledger=Ledger(places[0]))
    places[1].write_bytes(places[0].read_bytes())
    one, other = (collect(job.id, ledger=Ledger(place)).shots for place in places)
    assert same_shots(one, other)
    again = begin(aer, aer.compile(TEST), shots=400, ledger=Ledger(places[0]))
    assert not same_shots(one, collect(again).shots)
