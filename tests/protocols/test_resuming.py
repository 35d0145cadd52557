"""What one call begins, another scores: the same score as without the pause."""

from __future__ import annotations

import json
from typing import Any

import pytest

import ebit
from ebit.backends import load_calibration
from ebit.games import ArgumentError, JobError

KINDS: list[tuple[str, dict[str, Any]]] = [
    ("bell", {"shots": 4000}),
    ("bell", {"shots": 4000, "settings": "per-circuit", "state": "psi-"}),
    ("bell", {"shots": 4000, "tau": 0.01, "readout": True}),
    ("fringe", {"shots": 900, "points": 9}),
    ("state", {"shots": 900, "name": "ghz:3"}),
    ("state", {"shots": 900, "name": "graph:0-1,1-2"}),
    ("state", {"shots": 900, "name": "w:3"}),
]
DIRECT = {"bell": ebit.bell, "fringe": ebit.fringe, "state": ebit.state}


def apart_from_the_job(result: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in result.items() if k not in ("job", "date", "versions")}


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_a_pause_changes_nothing(kind: str, options: dict[str, Any]) -> None:
    job = ebit.begin(kind, "aer:fez", seed=5, **options)  # type: ignore[arg-type]
    assert job.stage == "submitted"
    later = ebit.resume(job.id[:8])
    given = dict(options)
    name = [given.pop("name")] if "name" in given else []
    direct = DIRECT[kind](*name, backend="aer:fez", seed=5, **given)  # type: ignore[operator]
    assert apart_from_the_job(later.to_dict()) == apart_from_the_job(direct.to_dict())
    assert later.run.job == job.id
    json.dumps(later.to_dict(), allow_nan=False)


def test_everything_is_given_back() -> None:
    job = ebit.open_job(ebit.begin("bell", "aer:fez", shots=2000, pair=(3, 4), seed=1).id)
    assert job.experiment.id == job.compiled.experiment.id == job.entry.summary.program_id
    assert set(job.layout) >= {3, 4}
    assert job.calibration is not None
    assert job.calibration.to_json() == load_calibration("fez").to_json()
    assert job.compiled.circuits[0].num_qubits == 156
    with pytest.raises(JobError, match="no rounds yet"):
        job.trials  # noqa: B018
    ebit.resume(job)
    done = ebit.open_job(job.id)
    assert done.stage == "done"
    assert done.trials.n == 2000


def test_scoring_again_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    job = ebit.begin("bell", "aer", shots=2000, seed=1)
    first = ebit.resume(job.id)
    monkeypatch.setattr("ebit.backends.names.open_backend", lambda _: 1 / 0)
    monkeypatch.setattr("ebit.backends.runs.open_backend", lambda _: 1 / 0)
    again = ebit.resume(job.id)
    assert again.to_dict() == first.to_dict()


def test_prediction_and_result_are_compared_in_the_ledger() -> None:
    job = ebit.begin("bell", "aer:fez", shots=20_000, seed=1)
    score = ebit.resume(job.id)
    ebit.resume(job.id)
    lines = [what for _, what in ebit.open_job(job.id).entry.events if "predicted" in what]
    assert len(lines) == 1
    assert f"{score.win_rate:.5f}" in lines[0]
    assert score.to_dict()["prediction_error"] == score.win_rate - score.run.predicted
    assert abs(score.to_dict()["prediction_error"]) < 0.02


def test_an_object_cannot_be_resumed_elsewhere() -> None:
    from qiskit_aer import AerSimulator

    with pytest.raises(ArgumentError, match="backend must be a name"):
        ebit.begin("bell", AerSimulator(), shots=100)


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("chess", {}, "kind must be"),
        ("state", {}, "needs its name"),
        ("bell", {"colour": "red"}, "colour"),
    ],
)
def test_wrong_kinds(kind: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        ebit.begin(kind, "aer", shots=100, **options)


def test_a_job_that_was_cancelled_says_so() -> None:
    job = ebit.begin("bell", "aer", shots=100)
    assert ebit.cancel_job(job.id).stage == "cancelled"
    assert ebit.cancel_job(job.id).stage == "cancelled"
    with pytest.raises(JobError, match="cancelled"):
        ebit.resume(job.id)


def test_what_is_done_cannot_be_cancelled() -> None:
    job = ebit.begin("bell", "aer", shots=100)
    ebit.resume(job.id)
    with pytest.raises(JobError, match="nothing to cancel"):
        ebit.cancel_job(job.id)
