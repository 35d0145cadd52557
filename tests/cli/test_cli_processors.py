"""The commands in processes of their own, the providers' unpatched clients, and servers that are
killed and started again in between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.servers import google_server, ibm_server

pytestmark = pytest.mark.slow
pytest.importorskip("qiskit_ibm_runtime")
pytest.importorskip("cirq_google")

PROVIDERS = {
    "ibm": (str(ibm_server.__file__), "ibm:ibm_fez", ["--pairs", "3-4,4-5,20-21"]),
    "google": (str(google_server.__file__), "google:willow_pink", ["--pairs", "20-21,21-30,22-23"]),
}


class World:
    """A provider's server, the ledger of a user, and commands in processes of their own."""

    def __init__(self, provider: str, folder: Path) -> None:
        self.script, self.backend, self.pairs = PROVIDERS[provider]
        self.provider = provider
        self.state = folder / "server.sqlite"
        self.port = 0
        self.env = {**os.environ, "EBIT_HOME": str(folder / "home"), "EBIT_PATIENCE": "40"}

    @contextmanager
    def server(self, *, queue: int = 0) -> Iterator[None]:
        """The server, killed at the end without a word; its port and its jobs stay."""
        command = [sys.executable, self.script, "--queue", str(queue)]
        command += ["--port", str(self.port), "--state", str(self.state)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            self.port = int(process.stdout.readline())
            if self.provider == "ibm":
                self.env |= ibm_server.environment(f"http://127.0.0.1:{self.port}")
            else:
                self.env |= google_server.environment(self.port)
            try:
                yield
            finally:
                process.kill()

    def ebit(self, *arguments: str, code: int = 0) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "ebit", *arguments, "--json"],
            capture_output=True,
            text=True,
            env=self.env,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, f"{arguments}: {done.stderr}"
        assert "Traceback" not in done.stderr
        return json.loads(done.stdout) if done.stdout else done.stderr


@pytest.fixture(params=sorted(PROVIDERS))
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return World(request.param, tmp_path)


def test_bell_map_and_resume_with_the_server_killed_in_between(world: World) -> None:
    bell = ("bell", "--backend", world.backend, "--shots", "8000", "--settings", "per-circuit")
    chip = ("map", "--backend", world.backend, "--shots", "4000", *world.pairs)
    with world.server():
        waited = world.ebit(*bell, "--yes")
        left = world.ebit(*bell, "--yes", "--no-wait", "--readout")
        mapped = world.ebit(*chip, "--yes", "--no-wait")
    assert waited["S"] > 2.4
    assert waited["backend"] == world.backend
    assert waited["separation"] == "one chip"
    assert waited["randomness"] == "device"
    assert waited["job"]
    # The server is gone: what is done can still be read, what is not says so in one line.
    assert world.ebit("resume", waited["job"])["S"] == waited["S"]
    offline = dict(world.env, EBIT_PATIENCE="2")
    world.env, online = offline, world.env
    told = world.ebit("resume", left["job"], code=1)
    assert len(told.strip().splitlines()) <= 12
    world.env = online
    with world.server():
        score = world.ebit("resume", left["job"][:8])
        found = world.ebit("resume", mapped["job"][:8])
        assert world.ebit("jobs", "--open")["jobs"] == []
    assert score["S"] > 2.4
    assert score["corrected"]["S"] > score["S"] - 0.1
    assert [pair["violates"] for pair in found["pairs"]] == [True] * 3
    assert found["circuits"] >= 6
    assert found["jobs"] >= 1
    assert found["backend"] == world.backend
    if world.provider == "ibm":
        assert found["prediction"]["rms"] < 0.2
    # And later still, without any server.
    assert world.ebit("resume", left["job"])["S"] == score["S"]
    assert len(world.ebit("jobs")["jobs"]) == 3


def test_a_job_of_another_script(world: World) -> None:
    bell = ("bell", "--backend", world.backend, "--shots", "4000", "--settings", "per-circuit")
    with world.server():
        own = world.ebit(*bell, "--yes")
        id = world.ebit("jobs", own["job"])["provider_ids"][0]
        world.env["EBIT_HOME"] += "-of-somebody-else"
        found = world.ebit("score", "--job", f"{world.provider}:{id}", "--minus", "11")
    assert found["S"] == own["S"]
    assert found["p_value"] is None
    assert any("another script" in line for line in found["not_given"])


def test_nothing_is_paid_for_unasked(world: World) -> None:
    with world.server():
        asked = subprocess.run(
            [sys.executable, "-m", "ebit", "bell", "--backend", world.backend, "--shots", "400"],
            capture_output=True,
            text=True,
            env=world.env,
            stdin=subprocess.DEVNULL,
            timeout=120,
            check=False,
        )
        assert asked.returncode == 1
        assert "quantum time" in asked.stderr
        assert "--yes" in asked.stderr
        refused = world.ebit(
            "bell", "--backend", world.backend, "--yes", "--max-seconds", "0.01", code=1
        )
        assert "nothing was sent" in refused
        assert world.ebit("jobs")["jobs"] == []
        priced = world.ebit("estimate", "--backend", world.backend, "--shots", "4000")
        assert priced["jobs"] == 1
        assert priced["quantum_seconds"] > 0


def test_cancelled_at_the_provider(world: World) -> None:
    with world.server(queue=1000):
        job = world.ebit("bell", "--backend", world.backend, "--yes", "--no-wait", "--shots", "400")
        world.ebit("cancel", job["job"])
        told = world.ebit("resume", job["job"], code=1)
    assert "cancelled" in told
