"""Google's own engine client, unpatched, against a gRPC server on the loopback."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ebit.backends import Handle, open_backend
from ebit.backends.patience import Patience
from ebit.circuits import Experiment, chsh, with_readout
from ebit.games import ArgumentError, EbitError, JobError, NetworkError
from tests.backends.certain import certain

pytest.importorskip("cirq_google")

from ebit.backends.google import GoogleBackend, fetch_foreign
from tests.servers.google_server import GoogleServer, environment

SHORT = Patience(call=5.0, total=20.0, pause=0.02, longest=0.2)
NAME = "willow_pink"


tried = {"faults": 0, "lost": 0, "twice": 0}


@pytest.fixture(scope="module")
def running(request: pytest.FixtureRequest) -> Iterator[GoogleServer]:
    with GoogleServer() as made:
        yield made
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(f"\nGoogle: {tried['faults']} faults, {tried['lost']} lost, {tried['twice']} twice")


@pytest.fixture
def server(running: GoogleServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[GoogleServer]:
    for name, value in environment(running).items():
        monkeypatch.setenv(name, value)
    yield running
    running.faults.clear()
    running.queue, running.spoil = 0, ""


def opened(**options: Any) -> GoogleBackend:
    return GoogleBackend(NAME, patience=SHORT, **options)


def sample() -> Experiment:
    return certain("10 01 11 00")


def test_described_and_priced(server: GoogleServer) -> None:
    where = opened()
    said = where.describe()
    assert (said.name, said.num_qubits) == ("google:willow_pink", 105)
    assert said.remote
    assert said.paid
    assert said.labels[0] == "0_6"
    estimate = where.estimate(chsh(), 4000)
    assert (estimate.jobs, estimate.circuits, estimate.shots) == (1, 4, 4000)
    assert "assumed" in estimate.basis


def test_the_whole_way_with_asymmetric_bits(server: GoogleServer) -> None:
    where = opened()
    compiled = where.compile(sample(), qubits=(20, 21))
    handle = where.submit(compiled, shots=400, id="bits-1")
    outcome = where.fetch(Handle.from_dict(json.loads(json.dumps(handle.to_dict()))))
    means = np.array([outcome.shots.bits(i).mean(axis=0) for i in range(4)])
    assert (np.round(means) == [[1, 0], [0, 1], [1, 1], [0, 0]]).all()
    assert outcome.shots.counts == (100,) * 4
    json.dumps(outcome.metadata, allow_nan=False)


def test_unequal_shots_are_several_jobs(server: GoogleServer) -> None:
    where = opened()
    uneven = replace(with_readout(sample()), weights=(1, 1, 1, 1, 2, 2))
    noted: list[Handle] = []
    handle = where.submit(where.compile(uneven), shots=800, id="uneven-1", note=noted.append)
    assert [len(h.provider_ids) for h in noted] == [1, 2]
    assert where.fetch(handle).shots.counts == (100, 100, 100, 100, 200, 200)
    assert where.find("uneven-1") == handle


def test_sent_once_however_often_it_is_submitted(server: GoogleServer) -> None:
    where = opened()
    compiled = where.compile(sample())
    first = where.submit(compiled, shots=400, id="once-1")
    assert opened().submit(compiled, shots=400, id="once-1") == first
    assert server.accepted()["ebit-once-1-1"] == 1
    with pytest.raises(ArgumentError, match="id must be a new one"):
        where.submit(compiled, shots=800, id="once-1")


def test_coins_are_read_at_the_end_and_named(server: GoogleServer) -> None:
    where = opened()
    for coins in ("controlled", "feed-forward"):
        compiled = where.compile(chsh(settings="per-shot", coins=coins))  # type: ignore[arg-type]
        assert any("deferred measurement" in a for a in compiled.assumptions)
        assert all(c.are_all_measurements_terminal() for c in compiled.circuits)


def test_unknown_ids(server: GoogleServer) -> None:
    where = opened()
    assert where.find("nobody-knows") is None
    handle = where.submit(where.compile(sample()), shots=4, id="known-1")
    ghost = replace(
        handle,
        id="ghost",
        provider_ids=("ebit-ghost-1/ebit-ghost-1",),
        metadata={**handle.metadata, "run": "ghost"},
    )
    with pytest.raises(JobError, match="nothing under that name"):
        where.fetch(ghost)
    with pytest.raises(ArgumentError, match="must agree with its own plan"):
        where.fetch(replace(handle, id="ghost"))
    with pytest.raises(JobError, match="nothing under that name"):
        fetch_foreign("no/such", patience=SHORT)


def test_cancelled_and_failed(server: GoogleServer) -> None:
    server.queue = 1000
    where = opened()
    compiled = where.compile(sample())
    handle = where.submit(compiled, shots=400, id="cancel-1")
    assert where.status(handle).phase == "queued"
    where.cancel(handle)
    where.cancel(handle)
    assert where.status(handle).phase == "cancelled"
    with pytest.raises(JobError, match="cancelled"):
        where.fetch(handle)
    failed = where.submit(compiled, shots=400, id="fail-1")
    server.fail("ebit-fail-1-1")
    with pytest.raises(JobError, match="the fridge is warm"):
        where.fetch(failed)


@pytest.mark.parametrize(
    ("spoil", "words"), [("shots", "99 shots instead of 100"), ("keys", "key")]
)
def test_spoilt_results_are_not_counted(server: GoogleServer, spoil: str, words: str) -> None:
    server.spoil = spoil
    where = opened()
    handle = where.submit(where.compile(sample()), shots=400, id=f"spoilt-{spoil}")
    with pytest.raises(JobError, match=words):
        where.fetch(handle)


def test_offline(server: GoogleServer) -> None:
    from cirq_google.cloud.quantum_v1alpha1.types import quantum

    server.health = quantum.QuantumProcessor.Health.DOWN
    try:
        where = opened()
        compiled = where.compile(sample())
        with pytest.raises(JobError, match="takes no jobs now"):
            where.submit(compiled, shots=400, id="offline-1")
    finally:
        server.health = quantum.QuantumProcessor.Health.OK
    assert server.accepted()["ebit-offline-1-1"] == 0


def test_seeds_and_wrong_qubits(server: GoogleServer) -> None:
    where = opened()
    compiled = where.compile(sample())
    with pytest.raises(ArgumentError, match="seed must be left out"):
        where.submit(compiled, shots=4, id="seed-1", seed=1)
    with pytest.raises(ArgumentError, match=r"0 \.\. 104"):
        where.compile(sample(), qubits=(0, 999))


def test_unknown_processor(server: GoogleServer) -> None:
    with pytest.raises(ArgumentError, match=r"willow_red.*rainbow, weber, willow_pink"):
        GoogleBackend("willow_red", patience=SHORT)


def test_no_project(server: GoogleServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT")
    with pytest.raises(ArgumentError, match="no project at Google is known here"):
        opened()


def test_other_machines_need_tls(server: GoogleServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EBIT_GOOGLE_ENDPOINT", "http://example.org:80")
    with pytest.raises(ArgumentError, match="on this machine only"):
        opened()


LASTING = ["UNAUTHENTICATED", "PERMISSION_DENIED", "INVALID_ARGUMENT"]
PASSING = ["UNAVAILABLE", "INTERNAL", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"]
CALLS = ["CreateQuantumProgram", "CreateQuantumJob", "GetQuantumProgram", "GetQuantumJob"]


@pytest.mark.parametrize("call", [*CALLS, "GetQuantumResult"])
@pytest.mark.parametrize("fault", [*PASSING, "drop", "slow"])
def test_passing_faults_lose_nothing(server: GoogleServer, call: str, fault: str) -> None:
    where = opened()
    compiled = where.compile(sample())
    if fault in ("drop", "slow"):
        made = server.fault(fault, call, times=1, seconds=0.3)
    else:
        made = server.fault("error", call, code=fault, times=2)
    id = f"f-{call}-{fault}"
    handle = where.submit(compiled, shots=400, id=id)
    outcome = where.fetch(handle)
    tried["faults"] += made.hits
    tried["lost"] += outcome.shots.counts != (100,) * 4
    tried["twice"] += server.accepted()[f"ebit-{id}-1"] != 1
    assert made.hits >= 1, "the fault was never met"
    assert outcome.shots.counts == (100,) * 4
    assert server.accepted()[f"ebit-{id}-1"] == 1


@pytest.mark.parametrize("fault", LASTING)
def test_lasting_faults_are_told_at_once(server: GoogleServer, fault: str) -> None:
    where = opened()
    compiled = where.compile(sample())
    made = server.fault("error", "CreateQuantumProgram", code=fault, times=1)
    with pytest.raises(EbitError) as caught:
        where.submit(compiled, shots=400, id=f"lasting-{fault}")
    assert "\n" not in str(caught.value)
    assert made.hits == 1
    # Once it is mended, the same run is completed.
    where.fetch(where.submit(compiled, shots=400, id=f"lasting-{fault}"))
    assert server.accepted()[f"ebit-lasting-{fault}-1"] == 1


def test_a_damaged_result_is_fetched_again_or_told(server: GoogleServer) -> None:
    where = opened()
    handle = where.submit(where.compile(sample()), shots=400, id="cut-1")
    server.fault("cut", "GetQuantumResult", times=1)
    with pytest.raises(EbitError, match=r"^[^\n]+$"):
        where.fetch(handle)
    assert where.fetch(handle).shots.counts == (100,) * 4


@pytest.mark.slow
def test_silence_has_an_end(server: GoogleServer) -> None:
    where = GoogleBackend(NAME, patience=Patience(call=0.5, total=2.0, pause=0.02, longest=0.2))
    compiled = where.compile(sample())
    server.fault("stall", "GetQuantumProgram", times=50, seconds=3)
    with pytest.raises(NetworkError, match="nothing is lost"):
        where.submit(compiled, shots=400, id="stall-1")
    server.faults.clear()
    assert opened().fetch(opened().submit(compiled, shots=400, id="stall-1")).shots.n == 400
    assert server.accepted()["ebit-stall-1-1"] == 1


def test_a_sampler_of_google_runs_over_the_stream(server: GoogleServer) -> None:
    import cirq_google
    from cirq_google.engine.engine import EngineContext
    from cirq_google.engine.engine_client import EngineClient

    from ebit.backends.google_client import _service

    client = EngineClient(service_args=_service(), verbose=False, max_retry_delay_seconds=1)
    engine = cirq_google.Engine("project-of-tests", context=EngineContext(client=client))
    before = server.calls["QuantumRunStream"]
    made = opened().compile(sample(), qubits=(20, 21)).circuits[0]
    result = engine.get_sampler(NAME).run(made, repetitions=50)
    assert server.calls["QuantumRunStream"] == before + 1
    assert np.round(result.records["c0"].mean()) == 1
    assert np.round(result.records["c1"].mean()) == 0


@pytest.mark.slow
def test_a_fresh_process_after_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = tmp_path / "jobs.sqlite"
    script = (
        "import json\n"
        "from ebit.backends import open_backend\n"
        "where = open_backend('google:willow_pink')\n"
        "handle = where.find('fresh-1')\n"
        "shots = where.fetch(handle).shots\n"
        "print([shots.bits(i).mean(axis=0).round().tolist() for i in range(4)])\n"
    )
    for turn in range(2):
        with GoogleServer(state) as made:
            for name, value in environment(made).items():
                monkeypatch.setenv(name, value)
            if turn == 0:
                where = opened()
                where.submit(where.compile(sample(), qubits=(20, 21)), shots=400, id="fresh-1")
                continue
            done = subprocess.run(
                [sys.executable, "-c", script],
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            assert done.stdout.strip() == "[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]]"


def test_the_name_opens_it(server: GoogleServer) -> None:
    assert open_backend("google:weber").describe().num_qubits == 53
