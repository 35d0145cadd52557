"""IBM's own client, unpatched, against a server on the loopback: the plain path."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ebit.backends import Handle, open_backend
from ebit.circuits import chsh, with_readout
from ebit.games import ArgumentError, GuardError, JobError
from tests.backends.certain import certain
from tests.backends.ibmhelp import Listener, opened, served
from tests.servers.ibm_server import IbmServer, environment

pytest.importorskip("qiskit_ibm_runtime")


@pytest.fixture(scope="module")
def running() -> Iterator[IbmServer]:
    with IbmServer() as made:
        yield made


@pytest.fixture
def server(running: IbmServer, monkeypatch: pytest.MonkeyPatch) -> IbmServer:
    for name, value in environment(running).items():
        monkeypatch.setenv(name, value)
    return running


def test_described_and_priced(server: IbmServer) -> None:
    fez = opened("ibm_fez")
    said = fez.describe()
    assert (said.name, said.kind, said.num_qubits) == ("ibm:ibm_fez", "processor", 156)
    assert said.remote
    assert said.paid
    estimate = fez.estimate(chsh(), 40_000)
    assert (estimate.jobs, estimate.circuits, estimate.shots) == (1, 4, 40_000)
    # 2 s per job and 250 us of repetition delay per shot, and circuits of a few us.
    assert estimate.quantum_seconds == pytest.approx(2 + 40_000 * 252e-6, rel=0.02)


def test_the_whole_way_with_asymmetric_bits(server: IbmServer) -> None:
    where = opened("ibm_manila")
    test = certain("10 01 11 00")
    compiled = where.compile(test, qubits=(1, 2))
    handle = where.submit(compiled, shots=400, id="bits-1")
    listener = Listener()
    outcome = where.fetch(handle, progress=listener)
    means = np.array([outcome.shots.bits(i).mean(axis=0) for i in range(4)])
    assert (np.round(means) == [[1, 0], [0, 1], [1, 1], [0, 0]]).all()
    assert outcome.shots.counts == (100,) * 4
    assert listener.steps[-1] == (400, 400)
    assert outcome.seed is None
    assert outcome.metadata["options"]["rep_delay_by"] == "device"
    assert outcome.metadata["jobs"][0]["spans"]
    json.dumps(outcome.metadata, allow_nan=False)


def test_settings_of_options_take_effect_and_are_recorded(server: IbmServer) -> None:
    where = opened("ibm_fez", dynamical_decoupling="XY4", twirl_measure=True, rep_delay=3e-4)
    compiled = where.compile(chsh(), qubits=(3, 4))
    assert any("dynamical decoupling (XY4)" in a for a in compiled.assumptions)
    handle = where.submit(compiled, shots=4000, id="options-1")
    outcome = where.fetch(handle)
    options = outcome.metadata["options"]
    assert options["rep_delay"] == pytest.approx(3e-4)
    assert options["dynamical_decoupling"]["sequence_type"] == "XY4"
    assert options["twirling"]["enable_measure"] is True
    assert set(outcome.shots.counts) == {15 * 66}
    S = chsh().game.bell_value(
        np.stack(
            [
                np.bincount(outcome.shots.integers(i, [1, 0]), minlength=4).reshape(2, 2) / 990
                for i in range(4)
            ]
        )
    )
    assert 2.3 < S < 2.83


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dynamical_decoupling": "YY"}, "dynamical_decoupling must be"),
        ({"rep_delay": 5.0}, "rep_delay must lie in"),
    ],
)
def test_wrong_options(server: IbmServer, options: dict, words: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ArgumentError, match=words):
        opened("ibm_fez", **options)


def test_one_shot(server: IbmServer) -> None:
    where = opened()
    handle = where.submit(where.compile(certain("10 01 11 00")), shots=4, id="one-shot")
    assert where.fetch(handle).shots.counts == (1, 1, 1, 1)


def test_limits_split_a_run_into_a_batch(server: IbmServer) -> None:
    where = opened("ibm_lima")  # takes 300 shots and 3 circuits a job
    test = with_readout(certain("10 01 11 00"))
    compiled = where.compile(test)
    assert where.estimate(test, 6 * 500).jobs == 4
    noted: list[Handle] = []
    handle = where.submit(compiled, shots=6 * 500, id="split-1", note=noted.append)
    assert len(handle.provider_ids) == 4
    assert [len(h.provider_ids) for h in noted] == [1, 2, 3, 4]
    assert handle.metadata["mode"] == "batch"
    outcome = where.fetch(Handle.from_dict(json.loads(json.dumps(handle.to_dict()))))
    assert outcome.shots.counts == (500,) * 6
    means = [outcome.shots.bits(i)[:, :2].mean(axis=0).round().tolist() for i in range(4)]
    assert means == [[1, 0], [0, 1], [1, 1], [0, 0]]
    assert opened("ibm_lima").find("split-1") == handle


def test_sent_once_however_often_it_is_submitted(server: IbmServer) -> None:
    where = opened()
    compiled = where.compile(certain("10 01 11 00"))
    first = where.submit(compiled, shots=400, id="once-1")
    again = opened().submit(compiled, shots=400, id="once-1")
    assert again == first
    assert server.store.counts()["tags"]["ebit-once-1"] == 1


def test_an_id_that_belongs_to_another_run(server: IbmServer) -> None:
    where = opened()
    where.submit(where.compile(certain("10 01 11 00")), shots=400, id="taken-1")
    with pytest.raises(ArgumentError, match="id must be a new one"):
        where.submit(where.compile(certain("00 01 11 10")), shots=400, id="taken-1")


def test_unknown_ids(server: IbmServer) -> None:
    where = opened()
    assert where.find("nobody-knows") is None
    with pytest.raises(JobError, match="never sent"):
        where.fetch(replace(_handle(where), id="ghost", provider_ids=()))


def _handle(where: object) -> Handle:
    compiled = where.compile(certain("10 01 11 00"))  # type: ignore[attr-defined]
    known = where.submit(compiled, shots=4, id="known-1")  # type: ignore[attr-defined]
    parts = [{k: v for k, v in p.items() if k != "job"} for p in known.metadata["parts"]]
    return replace(known, metadata={**known.metadata, "parts": parts})


def test_seeds_are_refused(server: IbmServer) -> None:
    where = opened()
    with pytest.raises(ArgumentError, match="seed must be left out on a processor"):
        where.submit(where.compile(certain("10 01 11 00")), shots=400, id="seed-1", seed=3)


def test_cancelled(server: IbmServer) -> None:
    server.store.queue = 1000
    try:
        where = opened()
        handle = where.submit(where.compile(certain("10 01 11 00")), shots=400, id="cancel-1")
        state = where.status(handle)
        assert state.phase == "queued"
        assert state.position is not None
        where.cancel(handle)
        where.cancel(handle)
        assert where.status(handle).phase == "cancelled"
        with pytest.raises(JobError, match="cancelled"):
            where.fetch(handle)
    finally:
        server.store.queue = 0


def test_what_is_not_native_is_refused(server: IbmServer) -> None:
    where = opened("ibm_fez")
    compiled = where.compile(chsh(), qubits=(3, 4))
    circuit = compiled.circuits[0].copy()
    circuit.h(3)
    with pytest.raises(GuardError, match="not native"):
        where.submit(
            replace(compiled, circuits=(circuit, *compiled.circuits[1:])), shots=4, id="native-1"
        )
    assert "ebit-native-1" not in server.store.counts()["tags"]


def test_an_object_of_the_client_is_taken_as_it_is(server: IbmServer) -> None:
    from qiskit_ibm_runtime import QiskitRuntimeService

    url = environment(server)["EBIT_IBM_URL"]
    service = QiskitRuntimeService(url_resolver=lambda *_: f"{url}/api/v1")
    where = open_backend(service.backend("ibm_manila"))
    assert where.name == "ibm:ibm_manila"
    assert where.describe().remote


def test_offline_devices_compile_but_take_no_jobs(server: IbmServer) -> None:
    where = opened("ibm_torino")
    compiled = where.compile(chsh())
    assert where.estimate(chsh(), 4000).quantum_seconds
    with pytest.raises(JobError, match=r"ibm_torino takes no jobs now.*maintenance"):
        where.submit(compiled, shots=4000, id="offline-1")


def test_unknown_device(server: IbmServer) -> None:
    with pytest.raises(ArgumentError, match=r"ibm_fex.*did you mean ibm_fez"):
        opened("ibm_fex")


def test_wrong_token(server: IbmServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QISKIT_IBM_TOKEN", "a-wrong-key-that-must-not-be-printed")
    with pytest.raises(ArgumentError) as caught:
        opened()
    text = str(caught.value)
    assert "key" in text or "token" in text
    assert "a-wrong-key" not in text
    assert "\n" not in text


def test_no_account(server: IbmServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QISKIT_IBM_TOKEN", raising=False)
    with pytest.raises(ArgumentError, match=r"no account of IBM is known here: .*QISKIT_IBM_TOKEN"):
        opened()


@pytest.mark.parametrize("skew", [-7200, 7200])
def test_a_clock_that_differs(skew: float) -> None:
    with served(skew=skew):
        where = opened()
        handle = where.submit(where.compile(certain("10 01 11 00")), shots=40, id="skew-1")
        assert where.fetch(handle).shots.counts == (10,) * 4


@pytest.mark.slow
def test_a_fresh_process_after_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "jobs.sqlite"
    with served(state):
        where = opened()
        handle = where.submit(where.compile(certain("10 01 11 00")), shots=400, id="fresh-1")
    (tmp_path / "handle.json").write_text(json.dumps(handle.to_dict()))
    script = (
        "import json\n"
        "from ebit.backends import Handle\n"
        "from ebit.backends.ibm import open_named\n"
        "where = open_named('ibm_manila')\n"
        f"handle = Handle.from_dict(json.load(open({str(tmp_path / 'handle.json')!r})))\n"
        "assert where.find('fresh-1') == handle\n"
        "shots = where.fetch(handle).shots\n"
        "print([shots.bits(i).mean(axis=0).round().tolist() for i in range(4)])\n"
    )
    with served(state):
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=120
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]]"
