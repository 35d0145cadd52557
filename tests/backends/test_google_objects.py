"""Objects of Google's own client as backends: processors of an engine, and their samplers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from ebit.backends import begin, collect, open_backend, open_job
from ebit.backends.patience import Patience
from ebit.games import ArgumentError, NetworkError
from tests.backends.certain import certain

pytest.importorskip("cirq_google")

import cirq_google
from cirq_google.cloud.quantum_v1alpha1.types import quantum
from cirq_google.engine import ProcessorSampler
from cirq_google.engine.engine import EngineContext
from cirq_google.engine.engine_client import EngineClient

from ebit.backends.google import GoogleBackend
from ebit.backends.google_client import _service
from ebit.backends.google_plan import Plan
from ebit.backends.wrap_cirq import CirqBackend
from tests.servers.google_server import GoogleServer, environment

PROJECT = "project-of-an-object"  # not the one of the environment
NAME = "willow_pink"


@pytest.fixture(scope="module")
def running() -> Iterator[GoogleServer]:
    with GoogleServer() as made:
        yield made


@pytest.fixture
def server(running: GoogleServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[GoogleServer]:
    """A server that nothing in the environment leads to: only the objects know it."""
    monkeypatch.setenv("EBIT_PATIENCE", "20")
    yield running
    running.faults.clear()


def engine_at(server: GoogleServer) -> Any:
    """An engine as a user has it: it streams, and repeats what fails for up to an hour."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(server).items():
            patch.setenv(name, value)
        client = EngineClient(service_args=_service(), verbose=False)
    return cirq_google.Engine(PROJECT, context=EngineContext(client=client))


def jobs_at(server: GoogleServer, id: str) -> list[Any]:
    with server.lock:
        rows = server.db.execute("SELECT data FROM jobs WHERE name LIKE ?", (f"%/ebit-{id}-%",))
        return [quantum.QuantumJob.deserialize(data) for (data,) in rows]


def assert_runs(where: Any, server: GoogleServer, id: str) -> list[Any]:
    """Run asymmetric circuits under the project of the object; the jobs at the server."""
    compiled = where.compile(certain("10 01 11 00"), qubits=(20, 21))
    handle = where.submit(compiled, shots=400, id=id)
    outcome = where.fetch(handle)
    means = np.array([outcome.shots.bits(i).mean(axis=0) for i in range(4)])
    assert (np.round(means) == [[1, 0], [0, 1], [1, 1], [0, 0]]).all()
    assert outcome.shots.counts == (100,) * 4
    assert where.find(id) == handle
    jobs = jobs_at(server, id)
    assert [job.name.split("/")[1] for job in jobs] == [PROJECT]
    assert server.accepted()[f"ebit-{id}-1"] == 1
    return jobs


def test_a_processor_as_it_is(server: GoogleServer) -> None:
    engine = engine_at(server)
    client = engine.context.client
    where = open_backend(engine.get_processor(NAME))
    assert isinstance(where, GoogleBackend)
    said = where.describe()
    assert (said.name, said.num_qubits, said.remote, said.paid) == (
        "google:willow_pink",
        105,
        True,
        True,
    )
    assert_runs(where, server, "object-1")
    # One connection; and what is the user's is as it was.
    assert where.engine.context.client.grpc_client is client.grpc_client
    assert (client.max_retry_delay_seconds, engine.context.enable_streaming) == (3600, True)


def test_another_processor_by_its_own_id(server: GoogleServer) -> None:
    said = open_backend(engine_at(server).get_processor("weber")).describe()
    assert (said.name, said.num_qubits) == ("google:weber", 53)


def test_a_sampler_of_a_processor(server: GoogleServer) -> None:
    where = open_backend(engine_at(server).get_sampler(NAME))
    assert isinstance(where, GoogleBackend)
    before = server.calls["QuantumRunStream"]
    (job,) = assert_runs(where, server, "sampler-1")
    assert not job.scheduling_config.processor_selector.device_config_selector.config_alias
    # Sent by our own way, with ids of ours, and not over the sampler's stream.
    assert server.calls["QuantumRunStream"] == before


@pytest.mark.parametrize(
    "given",
    [
        {"run_name": "run-7", "device_config_name": "cold"},
        {"snapshot_id": "snapshot-3", "device_config_name": "warm"},
    ],
)
def test_a_samplers_configuration_is_kept(server: GoogleServer, given: dict[str, str]) -> None:
    sampler = ProcessorSampler(processor=engine_at(server).get_processor(NAME), **given)
    where: Any = open_backend(sampler)
    id = given["device_config_name"]
    (job,) = assert_runs(where, server, id)
    used = job.scheduling_config.processor_selector.device_config_selector
    assert (used.run_name, used.snapshot_id, used.config_alias) == (
        given.get("run_name", ""),
        given.get("snapshot_id", ""),
        given["device_config_name"],
    )
    handle = where.find(id)
    assert where.fetch(handle).metadata["options"] == given
    assert Plan.from_plain(handle.metadata).options == given


def test_a_run_that_goes_on_keeps_its_configuration(server: GoogleServer) -> None:
    processor = engine_at(server).get_processor(NAME)
    given = {"run_name": "run-7", "device_config_name": "cold"}
    begun: Any = open_backend(ProcessorSampler(processor=processor, **given))
    compiled = begun.compile(certain("10 01"))
    server.fault("error", "CreateQuantumJob", code="PERMISSION_DENIED", times=1)
    with pytest.raises(ArgumentError, match="may not do that"):
        begun.submit(compiled, shots=200, id="goes-on")
    assert jobs_at(server, "goes-on") == []
    # Whoever picks it up by name knows of no configuration; one who knows another is refused.
    other = ProcessorSampler(processor=processor, run_name="run-8", device_config_name="cold")
    with pytest.raises(ArgumentError, match=r"200 shots, configuration cold run-7"):
        open_backend(other).submit(compiled, shots=200, id="goes-on")
    handle = open_backend(processor).submit(compiled, shots=200, id="goes-on")
    (job,) = jobs_at(server, "goes-on")
    used = job.scheduling_config.processor_selector.device_config_selector
    assert (used.run_name, used.config_alias) == ("run-7", "cold")
    assert begun.fetch(handle).shots.counts == (100, 100)


def test_plans_of_before_read_as_they_were_written() -> None:
    plain = {
        "run": "old",
        "experiment": "e",
        "device": NAME,
        "qubits": [0],
        "widths": [1],
        "keys": [[0]],
        "parts": [{"circuits": [0], "shots": 5}],
    }
    assert Plan.from_plain(plain).to_plain() == plain


def test_picked_up_by_name_from_the_ledger(
    server: GoogleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = open_backend(engine_at(server).get_processor(NAME))
    job = begin(where, where.compile(certain("10 01")), shots=200)
    for name, value in {**environment(server), "GOOGLE_CLOUD_PROJECT": PROJECT}.items():
        monkeypatch.setenv(name, value)
    assert collect(job.id).stage == "done"
    assert open_job(job.id).entry.outcome is not None
    assert server.accepted()[f"ebit-{job.id}-1"] == 1


def test_a_foreign_job_of_the_objects_project(server: GoogleServer) -> None:
    where: Any = open_backend(engine_at(server).get_processor(NAME))
    assert_runs(where, server, "foreign-1")
    found = where.fetch_foreign("ebit-foreign-1-1/ebit-foreign-1-1")
    assert (found.backend, len(found.result)) == (NAME, 4)


@pytest.mark.parametrize(
    ("call", "kind"),
    [("CreateQuantumProgram", "drop"), ("CreateQuantumJob", "drop"), ("GetQuantumResult", "error")],
)
def test_passing_faults_lose_nothing(server: GoogleServer, call: str, kind: str) -> None:
    where = open_backend(engine_at(server).get_sampler(NAME))
    made = server.fault(kind, call, code="UNAVAILABLE", times=1)
    assert_runs(where, server, f"f-{call}-{kind}")
    assert made.hits == 1


def test_faults_are_repeated_by_us_alone(server: GoogleServer) -> None:
    where: Any = open_backend(engine_at(server).get_processor(NAME))
    compiled = where.compile(certain("10 01"))
    where.line.patience = Patience(call=5.0, total=1.0, pause=0.05, longest=0.2)
    made = server.fault("error", "GetQuantumProgram", code="UNAVAILABLE", times=1000)
    with pytest.raises(NetworkError, match=r"^[^\n]+$"):
        where.submit(compiled, shots=200, id="given-up")
    # The user's client would go on in the background, for an hour.
    time.sleep(0.2)
    hits = made.hits
    time.sleep(2.5)
    assert 1 <= made.hits == hits


def test_a_processor_that_is_not_there(server: GoogleServer) -> None:
    with pytest.raises(ArgumentError, match=r"willow_red.*rainbow, weber, willow_pink"):
        open_backend(engine_at(server).get_processor("willow_red"))


def test_simulated_and_other_objects(server: GoogleServer) -> None:
    virtual = cirq_google.engine.create_noiseless_virtual_engine_from_latest_templates()
    simulated = virtual.get_processor(NAME)
    # A sampler of a simulated processor is a sampler like any other.
    assert isinstance(open_backend(simulated.get_sampler()), CirqBackend)
    for thing in (simulated, engine_at(server)):
        with pytest.raises(ArgumentError, match=r"EngineProcessor of cirq_google, but was \w+$"):
            open_backend(thing)
