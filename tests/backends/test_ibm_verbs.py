"""Faults at the other verbs of IBM's adapter: opening, finding, asking, cancelling, other's jobs."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit

from ebit.backends import Handle
from ebit.backends.ibm import IbmBackend, fetch_foreign, open_named
from ebit.backends.patience import Patience
from ebit.games import ArgumentError, EbitError, JobError, NetworkError
from tests.backends.certain import certain
from tests.backends.ibmhelp import SHORT, Listener, opened, told
from tests.servers.ibm_server import IbmServer, environment

pytest.importorskip("qiskit_ibm_runtime")

JOBS = r"/jobs$"
ONE = r"/jobs/\w+$"
BITS = "10 01 11 00"
PASSING: list[dict[str, Any]] = [
    {"kind": "status", "status": 429},
    {"kind": "status", "status": 429, "retry_after": "1"},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503, "times": 2},
    {"kind": "drop"},
    {"kind": "drop", "after": True},
    {"kind": "delay", "seconds": 0.2},
    {"kind": "stall", "seconds": 2.5},
    {"kind": "cut"},
    {"kind": "mangle"},
]
tried = {"faults": 0, "lost": 0, "twice": 0}


@pytest.fixture(scope="module")
def running(request: pytest.FixtureRequest) -> Iterator[IbmServer]:
    with IbmServer() as made:
        yield made
    told(request, "IBM, other verbs", tried)


@pytest.fixture
def server(running: IbmServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[IbmServer]:
    for name, value in environment(running).items():
        monkeypatch.setenv(name, value)
    yield running
    running.faults.clear()
    running.store.queue, running.store.spoil = 0, []


@pytest.fixture(scope="module")
def where(running: IbmServer) -> Iterator[IbmBackend]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(running).items():
            patch.setenv(name, value)
        yield open_named("ibm_manila", patience=replace(SHORT, call=1.0))


def sent(where: IbmBackend, id: str, shots: int = 40, bits: str = BITS) -> Handle:
    return where.submit(where.compile(certain(bits), qubits=(1, 2)), shots=shots, id=id)


def alive(server: IbmServer, id: str) -> int:
    rows = [row for row in server.store.jobs() if f"ebit-{id}" in row["tags"]]
    return sum(row["state"] not in ("Cancelled", "Failed") for row in rows)


def named(fault: dict[str, Any]) -> str:
    return "-".join(str(v) for v in fault.values())


@pytest.mark.parametrize("fault", PASSING, ids=named)
@pytest.mark.parametrize("verb", ["find", "status", "cancel"])
def test_a_passing_fault_at(
    server: IbmServer, where: IbmBackend, verb: str, fault: dict[str, Any]
) -> None:
    server.store.queue = 50
    id = f"verb{tried['faults']}"
    tried["faults"] += 1
    handle = sent(where, id)
    path = {"find": JOBS, "status": ONE, "cancel": r"/cancel$"}[verb]
    made = server.fault(
        method="POST" if verb == "cancel" else "GET", path=path, **{"times": 1, **fault}
    )
    fresh = opened()  # knows no job yet
    fresh.line.patience = where.line.patience
    if verb == "find":
        assert fresh.find(id) == handle
    elif verb == "status":
        state = fresh.status(handle)
        assert state.phase == "queued"
        assert state.position is not None
    else:
        fresh.cancel(handle)
        assert fresh.status(handle).phase == "cancelled"
    assert made.hits >= 1, "the fault was never met"
    tried["lost"] += alive(server, id) != (verb != "cancel")
    assert alive(server, id) == (verb != "cancel")


@pytest.mark.parametrize("kind", ["stall", "mangle", "delay"])
def test_a_sending_that_leaves_a_doubt(server: IbmServer, where: IbmBackend, kind: str) -> None:
    """Accepted, but the reply is silence, is late or makes no sense: the job is found by its tag."""
    server.store.queue = 3
    id = f"doubt-{kind}"
    tried["faults"] += 1
    server.fault(kind, "POST", JOBS, after=True, seconds=3.0)
    handle = sent(where, id)
    assert alive(server, id) == 1
    outcome = where.fetch(handle)
    tried["twice"] += alive(server, id) != 1
    assert outcome.shots.counts == (10,) * 4
    assert server.store.counts()["tags"][f"ebit-{id}"] == 1


@pytest.mark.slow
def test_a_sending_that_arrives_after_it_was_given_up(server: IbmServer, where: IbmBackend) -> None:
    """Not accepted in time, so sent again; then the first arrives all the same."""
    server.store.queue = 12
    server.fault("delay", "POST", JOBS, seconds=1.6)
    tried["faults"] += 1
    handle = sent(where, "overtaken")
    outcome = where.fetch(handle)
    assert outcome.shots.counts == (10,) * 4
    assert server.store.counts()["tags"]["ebit-overtaken"] == 2
    assert alive(server, "overtaken") == 1
    assert len(outcome.metadata["duplicates"]) == 1


def test_two_at_once_send_it_once(server: IbmServer, where: IbmBackend) -> None:
    server.store.queue = 6
    backends = [opened(), opened()]
    compiled = [b.compile(certain(BITS), qubits=(1, 2)) for b in backends]
    handles: list[Handle | None] = [None, None]
    gate = threading.Barrier(2)

    def work(i: int) -> None:
        gate.wait()
        handles[i] = backends[i].submit(compiled[i], shots=40, id="race")

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for backend, handle in zip(backends, handles, strict=True):
        assert handle is not None
        assert backend.fetch(handle).shots.counts == (10,) * 4
    assert alive(server, "race") == 1


@pytest.mark.slow
def test_errors_of_the_server_never_end_a_wait(server: IbmServer) -> None:
    impatient = open_named("ibm_manila", patience=Patience(5.0, 2.0, 0.05, 0.3))
    server.store.queue = 3
    handle = sent(impatient, "outage")
    outage = server.fault("status", "GET", ONE, status=429, times=0)
    threading.Timer(5.0, server.faults.clear).start()  # longer than patience with anything else
    listener = Listener()
    begun = time.monotonic()
    assert impatient.fetch(handle, progress=listener).shots.counts == (10,) * 4
    assert time.monotonic() - begun > 5.0
    assert outage.hits > 5
    assert any("429: ordered by the test; asking again" in text for text in listener.heard)


def test_silence_ends_a_wait_and_nothing_else(server: IbmServer) -> None:
    impatient = open_named("ibm_manila", patience=Patience(0.5, 2.0, 0.05, 0.3))
    server.store.queue = 2
    handle = sent(impatient, "quiet")
    server.fault("stall", "GET", ONE, times=0, seconds=1.0)
    with pytest.raises(NetworkError, match=r"has not answered for \d+ s .* goes on"):
        impatient.fetch(handle)
    server.faults.clear()
    assert opened().fetch(handle).shots.counts == (10,) * 4


def test_retry_after_is_honoured(server: IbmServer, where: IbmBackend) -> None:
    server.fault("status", "POST", JOBS, status=429, retry_after="2")
    begun = time.monotonic()
    sent(where, "asked-to-wait")
    assert time.monotonic() - begun > 2.0


def test_the_place_in_the_queue_is_told(server: IbmServer, where: IbmBackend) -> None:
    server.store.queue = 3
    listener = Listener()
    where.fetch(sent(where, "place"), progress=listener)
    places = [int(m[1]) for t in listener.heard if (m := re.search(r"queued, (\d+) ahead", t))]
    assert len(places) >= 2
    assert places == sorted(places, reverse=True)
    assert any("is running" in text for text in listener.heard)


@pytest.mark.parametrize(
    "path",
    ["/identity/token", "/v3/resources/search", r"/backends$", "/configuration$", "/properties$"],
)
@pytest.mark.parametrize("status", [429, 503, 401, 403])
def test_faults_at_opening(server: IbmServer, path: str, status: int) -> None:
    method = "POST" if path.startswith(("/identity", "/v3")) else "GET"
    passes = status in (429, 503)
    made = server.fault("status", method, path, status=status, times=1 if passes else 0)
    tried["faults"] += 1
    if passes:
        assert opened().name == "ibm:ibm_manila"
    else:
        with pytest.raises(ArgumentError, match=r"^(IBM does not|[^\n]*(not allowed))[^\n]*$"):
            opened()
    assert made.hits


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ("shots", "9 shots instead of 10: not counted"),
        ("bits", "1 bits instead of 2: not counted"),
        ("none", "0 shots instead of 10: not counted"),
        ("empty", "0 results instead of 4: not counted"),
        ("fail:the laser is off", "failed at IBM: .*the laser is off"),
    ],
)
def test_results_that_are_not_what_was_asked(
    server: IbmServer, where: IbmBackend, spoil: str, words: str
) -> None:
    server.store.spoil = [spoil]
    handle = sent(where, f"spoilt-{spoil[:4]}")
    with pytest.raises(JobError, match=words) as caught:
        where.fetch(handle)
    assert handle.provider_ids[0] in str(caught.value)


def test_one_of_several_jobs_fails(server: IbmServer) -> None:
    lima = opened("ibm_lima")  # takes 3 circuits a job
    server.store.spoil = ["", "fail:out of helium"]
    handle = sent(lima, "half")
    assert lima.status(handle).phase in ("failed", "done", "running")
    with pytest.raises(JobError, match=r"part 2 of 2 of run half\) failed at IBM: .*helium"):
        lima.fetch(handle)
    assert lima.status(handle).phase == "failed"


def test_only_what_is_missing_is_sent_again(server: IbmServer) -> None:
    """Stopped between two parts of a run that was begun with options: the rest follows, alike."""
    first = opened("ibm_lima", rep_delay=3e-4)
    noted: list[Handle] = []
    compiled = first.compile(certain(BITS), qubits=(1, 2))
    server.fault("status", "POST", JOBS, status=400, skip=1)
    with pytest.raises(JobError, match="ordered by the test"):
        first.submit(compiled, shots=40, id="rest", note=noted.append)
    assert [len(h.provider_ids) for h in noted] == [1]
    with pytest.raises(JobError, match=r"not whole: 1 of its 2 jobs .* submit it again"):
        first.fetch(noted[0])
    second = opened("ibm_lima")  # another process, which knows nothing of the options
    handle = second.submit(compiled, shots=40, id="rest", note=noted.append)
    assert handle.provider_ids[0] == noted[0].provider_ids[0]
    assert alive(server, "rest") == 2
    outcome = second.fetch(handle)
    assert [outcome.shots.bits(i).mean(axis=0).round().tolist() for i in range(4)] == [
        [1, 0],
        [0, 1],
        [1, 1],
        [0, 0],
    ]
    assert outcome.metadata["options"]["rep_delay"] == pytest.approx(3e-4)
    assert second.find("rest") == handle


def test_a_fresh_process_knows_the_options_of_a_run(server: IbmServer) -> None:
    twirling = opened("ibm_manila", twirl_gates=True, dynamical_decoupling="XX")
    compiled = twirling.compile(certain(BITS), qubits=(1, 2))
    handle = twirling.submit(compiled, shots=400, id="twirled")
    assert handle.shots == (100,) * 4  # one randomisation of 100 shots
    plain = opened()
    assert plain.submit(compiled, shots=400, id="twirled") == handle
    assumed = " ".join(plain.fetch(handle).assumptions)
    assert "dynamical decoupling (XX)" in assumed
    assert "gates twirled" in assumed


@pytest.mark.parametrize("session", [False, True])
def test_a_batch_or_session_that_is_refused(server: IbmServer, session: bool) -> None:
    lima = opened("ibm_lima", session=session)
    server.fault("status", "POST", r"/sessions$", status=403)
    listener = Listener()
    compiled = lima.compile(certain(BITS), qubits=(1, 2))
    if session:  # it was asked for
        with pytest.raises(ArgumentError, match="not allowed"):
            lima.submit(compiled, shots=40, id="session-no")
        assert alive(server, "session-no") == 0
        return
    handle = lima.submit(compiled, shots=40, id="batch-no", progress=listener)
    assert handle.metadata["mode"] == "job"
    assert any("one by one" in text for text in listener.heard)
    assert lima.fetch(handle).shots.counts == (10,) * 4


def test_a_session_when_it_is_asked_for(server: IbmServer) -> None:
    lima = opened("ibm_lima", session=True)
    handle = sent(lima, "session-yes")
    assert handle.metadata["mode"] == "session"
    assert lima.find("session-yes") == handle
    assert [dict(row)["open"] for row in server.store.sessions()][-1] == 0
    assert dict(server.store.sessions()[-1])["mode"] == "dedicated"


def test_a_run_that_was_cancelled_is_not_sent_again(server: IbmServer, where: IbmBackend) -> None:
    server.store.queue = 50
    handle = sent(where, "gone")
    where.cancel(handle)
    with pytest.raises(JobError, match=r"was cancelled .* under a new id"):
        sent(where, "gone")
    assert server.store.counts()["tags"]["ebit-gone"] == 1


def test_the_job_of_another_script(server: IbmServer) -> None:
    """Several registers, measured crosswise, by IBM's sampler alone, with its own tags."""
    from qiskit_ibm_runtime.executor_sampler import Sampler

    device = opened().device
    circuit = QuantumCircuit(5)
    low, high = ClassicalRegister(2, "low"), ClassicalRegister(3, "high")
    circuit.add_register(low, high)
    circuit.x([1, 3])
    circuit.measure([3, 0, 1, 2, 4], [high[2], high[0], low[1], low[0], high[1]])
    job = Sampler(device, options={"environment": {"job_tags": ["mine"]}}).run([circuit], shots=200)
    found = fetch_foreign(f"ibm:{job.job_id()}", patience=SHORT)
    assert (found.id, found.backend, found.tags) == (job.job_id(), "ibm_manila", ("mine",))
    from ebit.backends.ibm_results import bits_of_pub

    packed = bits_of_pub(found.result[0], [("low", 2), ("high", 3)], 200, "the job")
    bits = np.unpackbits(packed, axis=1, count=5, bitorder="little")
    assert bits.mean(axis=0).round().tolist() == [0, 1, 0, 0, 1]
    with pytest.raises(JobError, match="no bits of register 'c'"):
        bits_of_pub(found.result[0], [("c", 5)], 200, "the job")


def test_jobs_of_others_that_gave_nothing(server: IbmServer, where: IbmBackend) -> None:
    with pytest.raises(JobError, match=r"job nobody0 is not known to this account at IBM[^\n]*$"):
        fetch_foreign("nobody0", patience=SHORT)
    server.store.queue = 50
    handle = sent(where, "others")
    where.cancel(handle)
    with pytest.raises(JobError, match="was cancelled: it has no results"):
        where.fetch_foreign(handle.provider_ids[0])


def test_a_handle_of_a_job_that_is_gone(server: IbmServer, where: IbmBackend) -> None:
    handle = sent(where, "deleted")
    server.store.delete(handle.provider_ids[0])
    for verb in (where.status, where.fetch, where.cancel):
        with pytest.raises(EbitError, match=r"not known to this account at IBM[^\n]*$"):
            verb(handle)
    assert where.find("deleted") is None
