"""The contract of a backend, kept by every adapter, and broken by every sabotaged one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ebit.backends import Backend, open_backend
from ebit.backends.contract import BackendContract, Fate, check_backend
from ebit.backends.patience import Patience

SHORT = Patience(call=5.0, total=20.0, pause=0.02, longest=0.2)
PAGE = Path(__file__).resolve().parents[2] / "docs" / "adapters.md"


class TestAer(BackendContract):
    def backend(self) -> Backend:
        return open_backend("aer")


class TestCirq(BackendContract):
    def backend(self) -> Backend:
        return open_backend("cirq")


@pytest.mark.slow
class TestFez(BackendContract):
    def backend(self) -> Backend:
        return open_backend("aer:fez")


@pytest.mark.slow
class TestAerObject(BackendContract):
    def backend(self) -> Backend:
        from qiskit_aer import AerSimulator

        return open_backend(AerSimulator())


@pytest.mark.slow
class TestStatevectorSampler(BackendContract):
    def backend(self) -> Backend:
        from qiskit.primitives import StatevectorSampler

        return open_backend(StatevectorSampler())


@pytest.mark.slow
class TestCirqObject(BackendContract):
    def backend(self) -> Backend:
        import cirq

        return open_backend(cirq.Simulator())


@pytest.mark.slow
class TestVirtual(BackendContract):
    def backend(self) -> Backend:
        pytest.importorskip("cirq_google")
        return open_backend("cirq:willow_pink")


@pytest.mark.slow
class TestGoogle(BackendContract):
    @pytest.fixture(autouse=True)
    def _served(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        pytest.importorskip("cirq_google")
        from tests.servers.google_server import GoogleServer, environment

        with GoogleServer() as server:
            for name, value in environment(server).items():
                monkeypatch.setenv(name, value)
            self.server = server
            yield

    def backend(self) -> Backend:
        from ebit.backends.google import GoogleBackend

        return GoogleBackend("willow_pink", patience=SHORT)

    def arrange(self, backend: Backend, fate: Fate) -> str | None:
        if fate == "short":
            self.server.spoil = "shots"  # until the test ends: every test has its own server
            return ""
        if fate == "held":
            self.server.hold = 1
            return ""
        return None

    def sent(self, backend: Backend, id: str) -> int | None:
        return self.server.accepted()[f"ebit-{id}-1"]


@pytest.mark.slow
class TestIbm(BackendContract):
    most_shots = 300  # of ibm_lima
    most_circuits = 3

    @pytest.fixture(autouse=True)
    def _served(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        pytest.importorskip("qiskit_ibm_runtime")
        from tests.servers.ibm_server import IbmServer, environment

        with IbmServer() as server:
            for name, value in environment(server).items():
                monkeypatch.setenv(name, value)
            self.server = server
            yield

    def backend(self) -> Backend:
        from ebit.backends.ibm import open_named

        return open_named("ibm_lima", patience=SHORT)

    def arrange(self, backend: Backend, fate: Fate) -> str | None:
        spoils = {"short": "shots", "empty": "empty", "failed": "fail:the laser is off"}
        if fate in spoils:
            self.server.store.spoil = [spoils[fate]] * 9
            return "the laser is off" if fate == "failed" else ""
        if fate == "held":
            self.server.store.hold = 1
            return ""
        return None

    def sent(self, backend: Backend, id: str) -> int | None:
        tags = self.server.store.counts()["tags"]
        return sum(n for tag, n in tags.items() if tag.startswith(f"ebit-{id}-1-of-"))


def example() -> dict[str, Any]:
    """What docs/adapters.md defines: the adapter that people copy is the one that is tested."""
    names: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    exec(blocks[0], names)
    exec(blocks[1].partition("score =")[0], names)
    return names


LAB = example()


class TestThirdParty(BackendContract):
    def backend(self) -> Backend:
        lab: Backend = LAB["Lab"](LAB["measure"])
        return lab


def sabotaged(what: str) -> Backend:
    """The same adapter with one thing wrong."""
    Lab, measure = LAB["Lab"], LAB["measure"]

    def reverse(circuit: Any, shots: int) -> Any:
        return measure(circuit, shots)[:, ::-1]

    def alike(circuit: Any, shots: int) -> Any:
        return measure(circuit, 1).repeat(shots, axis=0)

    class Wrong(Lab):  # type: ignore[misc, valid-type]
        def fetch(self, handle: Any, **more: Any) -> Any:
            from dataclasses import replace

            from ebit.games import EbitError, Shots

            if what == "talks at length" and handle.id not in self.runs:
                raise EbitError("a long\nstory")
            outcome = super().fetch(handle, **more)
            shots = outcome.shots
            if what == "swaps circuits" and len(shots.packed) > 1:
                order = range(len(shots.packed))[::-1]
                outcome = replace(
                    outcome,
                    shots=Shots(
                        tuple(shots.packed[i] for i in order), tuple(shots.widths[i] for i in order)
                    ),
                )
            if what == "drops a shot":
                outcome = replace(
                    outcome, shots=Shots(tuple(p[1:] for p in shots.packed), shots.widths)
                )
            return outcome

        def find(self, id: str) -> Any:
            return None if what == "forgets ids" else super().find(id)

        def submit(self, compiled: Any, **how: Any) -> Any:
            if what == "sends again":
                self.runs.pop(how["id"], None)
            return super().submit(compiled, **how)

        def _run(self, handle: Any) -> Any:
            if what == "takes any handle" and self.runs:
                return self.runs.get(handle.id) or next(iter(self.runs.values()))
            return super()._run(handle)

    made: Callable[..., Backend] = Wrong
    if what == "reverses bits":
        return made(reverse)
    if what == "repeats one shot":
        return made(alike)
    return made(measure)


@pytest.mark.parametrize(
    "what",
    [
        "reverses bits",
        "swaps circuits",
        "drops a shot",
        "repeats one shot",
        "forgets ids",
        "sends again",
        "takes any handle",
        "talks at length",
    ],
)
def test_a_sabotaged_adapter_fails(what: str) -> None:
    report = check_backend(sabotaged(what))
    assert report.failed, f"an adapter that {what} passed"


def test_the_honest_one_passes() -> None:
    report = check_backend(LAB["Lab"](LAB["measure"]))
    assert report.ok, str(report)


def test_a_name_from_an_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        name, value = "mylab", "mylab.ebit:open"

        @staticmethod
        def load() -> Callable[[str | None], Backend]:
            return lambda rest: LAB["Lab"](LAB["measure"])  # type: ignore[no-any-return]

    monkeypatch.setattr("ebit.backends.names.entry_points", lambda group: [Point])
    assert open_backend("mylab:bench2").name == "lab"
