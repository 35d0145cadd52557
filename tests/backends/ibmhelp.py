"""What the tests of IBM's adapter share: a server, a short patience, and a run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ebit.backends.ibm import IbmBackend, open_named
from ebit.backends.patience import Patience
from tests.servers.ibm_server import IbmServer, environment

SHORT = Patience(call=5.0, total=30.0, pause=0.02, longest=0.2)


@contextmanager
def served(state: Any = None, **options: Any) -> Iterator[IbmServer]:
    """A server whose variables are set while the block lasts."""
    with IbmServer(state, **options) as server:
        before = dict(os.environ)
        os.environ.update(environment(server))
        try:
            yield server
        finally:
            os.environ.clear()
            os.environ.update(before)


def opened(device: str = "ibm_manila", **options: Any) -> IbmBackend:
    return open_named(device, patience=SHORT, **options)


def told(request: pytest.FixtureRequest, what: str, tried: dict[str, int]) -> None:
    """Print what a module's tests tried, lost and counted twice, once all of them have run."""
    words = f"{what}: {tried['faults']} faults, {tried['lost']} lost, {tried['twice']} twice"
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(f"\n{words}")
    assert tried["lost"] == tried["twice"] == 0, words


class Listener:
    """A progress function that listens to what is said."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.steps: list[tuple[int, int]] = []

    def __call__(self, done: int, total: int) -> None:
        self.steps.append((done, total))

    def say(self, text: str) -> None:
        self.heard.append(text)
