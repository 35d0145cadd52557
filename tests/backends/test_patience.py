"""Every call ends: by its answer, by its deadline, or when patience does."""

from __future__ import annotations

import threading
import time

import pytest

from ebit.backends.patience import DeadlineError, Patience, insist, one_line, say, within
from ebit.games import NetworkError

QUICK = Patience(call=0.2, total=1.0, pause=0.01, longest=0.05)


class Faults:
    """A call that fails a number of times, then answers."""

    def __init__(self, times: int, error: Exception) -> None:
        self.left = times
        self.calls = 0
        self.error = error

    def __call__(self) -> str:
        self.calls += 1
        if self.left > 0:
            self.left -= 1
            raise self.error
        return "answer"


class Listener:
    def __init__(self) -> None:
        self.heard: list[str] = []

    def say(self, text: str) -> None:
        self.heard.append(text)


def passing(error: Exception) -> float | None:
    return 0.0 if isinstance(error, ConnectionError) else None


def test_passing_faults_are_tried_again_aloud() -> None:
    work, listener = Faults(3, ConnectionError("reset")), Listener()
    assert insist(work, "asking", judge=passing, patience=QUICK, progress=listener) == "answer"
    assert work.calls == 4
    assert len(listener.heard) == 3
    assert all("asking: reset; trying again" in text for text in listener.heard)


def test_lasting_faults_are_raised_at_once() -> None:
    work = Faults(3, PermissionError("no"))
    with pytest.raises(PermissionError):
        insist(work, "asking", judge=passing, patience=QUICK)
    assert work.calls == 1


def test_patience_ends_in_one_line() -> None:
    work = Faults(10**6, ConnectionError("line one\nline two"))
    begun = time.monotonic()
    with pytest.raises(NetworkError, match=r"asking failed \d+ times .*nothing is lost") as caught:
        insist(work, "asking", judge=passing, patience=QUICK)
    assert time.monotonic() - begun < 5
    assert "\n" not in str(caught.value)
    assert work.calls > 3


def test_a_wait_that_is_asked_for_is_kept() -> None:
    work = Faults(1, ConnectionError("slow down"))
    begun = time.monotonic()
    insist(work, "asking", judge=lambda _: 0.3, patience=QUICK)
    assert time.monotonic() - begun >= 0.3


def test_a_wait_longer_than_patience_gives_up() -> None:
    work = Faults(1, ConnectionError("come back in an hour"))
    with pytest.raises(NetworkError, match="come back in an hour"):
        insist(work, "asking", judge=lambda _: 3600.0, patience=QUICK)
    assert work.calls == 1


def test_silence_ends_at_the_deadline() -> None:
    release = threading.Event()
    begun = time.monotonic()
    with pytest.raises(DeadlineError, match="took longer"):
        within(release.wait, 0.1, "waiting")
    assert time.monotonic() - begun < 2
    release.set()


def test_a_deadline_passes_like_a_fault() -> None:
    release, calls = threading.Event(), []

    def work() -> str:
        calls.append(1)
        if len(calls) == 1:
            release.wait(5)
        return "answer"

    assert insist(work, "asking", judge=passing, patience=QUICK) == "answer"
    release.set()


def test_an_interrupt_inside_a_call_comes_through() -> None:
    def work() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        within(work, 1.0, "working")


def test_only_those_who_listen_are_told() -> None:
    say(None, "x")
    say(lambda done, total: None, "x")
    listener = Listener()
    say(listener, "x")
    assert listener.heard == ["x"]


def test_long_errors_are_cut() -> None:
    assert len(one_line(ValueError("x" * 1000))) == 300
    assert one_line(ValueError()) == "ValueError"
