"""Every fault at every call: nothing is lost, nothing counted twice, and each is told in a line."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ebit.backends.ibm import IbmBackend, open_named
from ebit.backends.patience import Patience
from ebit.games import EbitError, JobError, NetworkError
from tests.backends.certain import certain
from tests.backends.ibmhelp import SHORT, Listener, opened
from tests.servers import ibm_server
from tests.servers.ibm_server import IbmServer, environment

pytest.importorskip("qiskit_ibm_runtime")

SERVER = str(ibm_server.__file__)
JOBS = r"/jobs$"
ONE = r"/jobs/\w+$"
RESULTS = r"/jobs/\w+/results$"
# What passes by itself. The client repeats a POST after 5xx up to six times; 429 it does not.
PASSING: list[dict[str, Any]] = [
    {"kind": "status", "status": 429},
    {"kind": "status", "status": 429, "retry_after": "1"},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503},
    {"kind": "drop"},
    {"kind": "drop", "after": True},
    {"kind": "status", "status": 500, "after": True},
    {"kind": "delay", "seconds": 0.3},
    {"kind": "cut"},
]
CALLS = [("POST", JOBS), ("GET", JOBS), ("GET", ONE), ("GET", RESULTS)]
tried = {"faults": 0, "lost": 0, "twice": 0}


@pytest.fixture(scope="module")
def running(request: pytest.FixtureRequest) -> Iterator[IbmServer]:
    with IbmServer() as made:
        yield made
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(f"\nIBM: {tried['faults']} faults, {tried['lost']} lost, {tried['twice']} twice")


@pytest.fixture
def server(running: IbmServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[IbmServer]:
    for name, value in environment(running).items():
        monkeypatch.setenv(name, value)
    running.faults.clear()
    yield running
    running.faults.clear()
    running.store.queue = 0
    running.lag = 0.0


@pytest.fixture(scope="module")
def where(running: IbmServer) -> Iterator[IbmBackend]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(running).items():
            patch.setenv(name, value)
        yield open_named("ibm_manila", patience=SHORT)


def counted(server: IbmServer, id: str) -> int:
    """Jobs of a run that are neither cancelled nor failed."""
    jobs = [row for row in server.store.jobs() if f"ebit-{id}" in row["tags"]]
    return sum(row["state"] not in ("Cancelled", "Failed") for row in jobs)


def label(fault: dict[str, Any]) -> str:
    return "-".join(str(v) for v in fault.values())


@pytest.mark.parametrize("call", CALLS, ids=lambda c: f"{c[0]}{c[1]}")
@pytest.mark.parametrize("fault", PASSING, ids=label)
def test_passing_faults(
    server: IbmServer, where: IbmBackend, call: tuple[str, str], fault: dict[str, Any]
) -> None:
    method, path = call
    compiled = where.compile(certain("10 01 11 00"), qubits=(1, 2))
    made = server.fault(method=method, path=path, times=1, **fault)
    server.store.queue = 2  # a duplicate is found before it has run
    id = f"f{tried['faults']}"
    tried["faults"] += 1
    handle = where.submit(compiled, shots=40, id=id)
    listener = Listener()
    outcome = where.fetch(handle, progress=listener)
    assert made.hits == 1, "the fault was never met"
    tried["lost"] += outcome.shots.counts != (10,) * 4
    tried["twice"] += counted(server, id) != 1
    assert outcome.shots.counts == (10,) * 4
    assert counted(server, id) == 1, "a duplicate lives on"


@pytest.mark.parametrize("status", [401, 403, 404])
@pytest.mark.parametrize("call", [("POST", JOBS), ("GET", RESULTS)], ids=lambda c: f"{c[0]}{c[1]}")
def test_lasting_faults_are_told_and_lose_nothing(
    server: IbmServer, where: IbmBackend, call: tuple[str, str], status: int
) -> None:
    method, path = call
    compiled = where.compile(certain("10 01 11 00"), qubits=(1, 2))
    id = f"lasting-{method}-{status}"
    made = server.fault("status", method, path, status=status, times=3)
    tried["faults"] += 1
    with pytest.raises(EbitError, match=r"^[^\n]+$"):
        where.fetch(where.submit(compiled, shots=40, id=id))
    assert made.hits >= 1
    server.faults.clear()
    outcome = where.fetch(where.submit(compiled, shots=40, id=id))
    assert outcome.shots.counts == (10,) * 4
    assert counted(server, id) == 1


def test_a_client_that_repeats_its_post(server: IbmServer, where: IbmBackend) -> None:
    """Accepted, answered with 500, repeated by the client itself: two jobs, of which one counts."""
    compiled = where.compile(certain("10 01 11 00"), qubits=(1, 2))
    server.store.queue = 3
    server.fault("status", "POST", JOBS, status=500, after=True, times=2)
    handle = where.submit(compiled, shots=40, id="repeated")
    assert server.store.counts()["tags"]["ebit-repeated"] == 3
    assert counted(server, "repeated") == 1
    outcome = where.fetch(handle)
    assert outcome.shots.counts == (10,) * 4
    assert len(outcome.metadata["duplicates"]) == 2


def test_a_duplicate_that_shows_up_late(server: IbmServer, where: IbmBackend) -> None:
    compiled = where.compile(certain("10 01 11 00"), qubits=(1, 2))
    server.store.queue = 3
    server.lag = 1.0
    server.fault("drop", "POST", JOBS, after=True, times=1)
    handle = where.submit(compiled, shots=40, id="late")
    outcome = where.fetch(handle)
    assert outcome.shots.counts == (10,) * 4
    assert counted(server, "late") == 1


def test_a_result_that_stays_damaged(server: IbmServer, where: IbmBackend) -> None:
    compiled = where.compile(certain("10 01 11 00"), qubits=(1, 2))
    handle = where.submit(compiled, shots=40, id="damaged")
    server.fault("mangle", "GET", RESULTS, times=0)
    with pytest.raises(EbitError, match=r"^[^\n]+$"):
        where.fetch(handle)
    server.faults.clear()
    assert where.fetch(handle).shots.counts == (10,) * 4


def test_a_job_that_failed(server: IbmServer, where: IbmBackend) -> None:
    compiled = where.compile(certain("10 01 11 00"), qubits=(1, 2))
    server.store.queue = 1000
    handle = where.submit(compiled, shots=40, id="failed")
    server.store.change(handle.provider_ids[0], state="Failed", reason="the fridge\nis warm")
    assert where.status(handle).phase == "failed"
    with pytest.raises(JobError, match="the fridge is warm"):
        where.fetch(handle)


@pytest.mark.slow
def test_silence_has_an_end(server: IbmServer) -> None:
    brief = Patience(call=0.5, total=2.5, pause=0.02, longest=0.2)
    impatient = open_named("ibm_manila", patience=brief)
    compiled = impatient.compile(certain("10 01 11 00"), qubits=(1, 2))
    server.fault("stall", "GET", JOBS, times=0, seconds=2)
    with pytest.raises(NetworkError, match=r"^[^\n]+$"):
        impatient.submit(compiled, shots=40, id="silent")
    server.faults.clear()
    patient = opened()
    assert patient.fetch(patient.submit(compiled, shots=40, id="silent")).shots.n == 40
    assert counted(server, "silent") == 1


def test_the_api_down_at_the_start_is_no_unknown_device(server: IbmServer) -> None:
    server.fault("status", "GET", r"/backends$", status=503, times=0)
    with pytest.raises(NetworkError):
        open_named("ibm_manila", patience=Patience(call=3, total=3, pause=0.02, longest=0.2))


def test_no_key_is_ever_printed(server: IbmServer, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "a-secret-that-nobody-may-see"
    monkeypatch.setenv("QISKIT_IBM_TOKEN", secret)
    with pytest.raises(EbitError) as caught:
        opened()
    chain: BaseException | None = caught.value
    assert secret not in str(chain)


@pytest.mark.slow
def test_a_restart_in_the_middle_of_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server goes away while a run is sent and waited for, and comes back with its jobs."""
    state = tmp_path / "jobs.sqlite"
    with IbmServer(state) as first:
        port = first.port
        for name, value in environment(first).items():
            monkeypatch.setenv(name, value)
        backend = opened("ibm_lima")
        compiled = backend.compile(certain("10 01 11 00"))
    stop, killed = threading.Event(), []

    def flicker() -> None:
        while not stop.is_set():
            command = [
                sys.executable,
                SERVER,
                "--port",
                str(port),
                "--state",
                state,
                "--queue",
                "1",
            ]
            with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                process.stdout.readline()
                stop.wait(0.5 * 2 ** len(killed))  # long enough to run a job at last
                process.kill()
            killed.append(1)

    thread = threading.Thread(target=flicker)
    thread.start()
    try:
        backend.line.patience = Patience(call=10, total=90, pause=0.05, longest=0.5)
        handle = backend.submit(compiled, shots=4 * 900, id="flicker")
        outcome = backend.fetch(handle)
    finally:
        stop.set()
        thread.join(20)
    assert outcome.shots.counts == (900,) * 4
    assert len(killed) >= 2, "the server was never killed in the middle"
    with IbmServer(state) as last:
        assert counted(last, "flicker") == len(handle.provider_ids)
