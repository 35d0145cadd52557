"""Runs that are cancelled, refused, failed or interrupted: told in one line, and sent no further."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ebit.backends import AerBackend, Job, Stopped, begin, cancel_job, collect, open_job
from ebit.backends.ledger import Ledger
from ebit.circuits import chsh
from ebit.games import BudgetError, EbitError, JobError, NetworkError
from tests.fakeprovider import LabBackend
from tests.killing import killed_at, lines_of, needs_fork, sound

TEST = chsh()
SHOTS, PARTS = 200, 3


class Place:
    """A ledger and a provider of their own."""

    def __init__(self, folder: Path) -> None:
        self.book, self.lab = Ledger(folder / "ledger.sqlite"), LabBackend(folder / "lab")

    def begin(self, **options: Any) -> Job:
        return begin(self.lab, self.lab.compile(TEST), shots=SHOTS, ledger=self.book, **options)

    def collect(self, id: str, **options: Any) -> Job:
        return collect(id, backend=self.lab, ledger=Ledger(self.book.path), **options)

    def cancel(self, id: str) -> Job:
        return cancel_job(id, backend=self.lab, ledger=Ledger(self.book.path))

    def stage(self, id: str) -> str:
        return open_job(id, ledger=Ledger(self.book.path)).stage

    def words(self, id: str) -> list[str]:
        return [what for _, what in self.book.entry(id).events]

    def fails_at(self, part: int, error: BaseException) -> None:
        """Let the sending of a part fail, once, without its being accepted."""
        plain, failed = self.lab.lab.accept, []

        def accept(tag: str, number: int, *args: Any) -> str:
            if number == part and not failed:
                failed.append(number)
                raise error
            return plain(tag, number, *args)

        self.lab.lab.accept = accept  # type: ignore[method-assign]

    @property
    def accepted(self) -> dict[int, int]:
        return {part: count for (_, part), count in self.lab.lab.accepted().items()}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def broken_off(place: Place, part: int) -> str:
    """A run of which only the parts before one were sent."""
    place.fails_at(part, NetworkError("no route to the lab"))
    with pytest.raises(NetworkError, match=r"no route to the lab; job .* sends what is missing"):
        place.begin()
    return place.book.runs()[0].id


@pytest.mark.parametrize("part", range(PARTS))
def test_what_is_missing_is_sent(place: Place, part: int) -> None:
    id = broken_off(place, part)
    assert place.stage(id) == ("intent" if part == 0 else "submitted")
    assert place.words(id)[-1] == "sending broke off: no route to the lab"
    assert len(place.accepted) == part
    assert place.collect(id).trials.n == SHOTS
    assert place.accepted == dict.fromkeys(range(PARTS), 1)


def test_a_reply_that_is_dropped(place: Place) -> None:
    place.lab.lab.break_next("drop", 2)
    assert place.collect(place.begin().id).trials.n == SHOTS
    assert place.accepted == dict.fromkeys(range(PARTS), 1)


@pytest.mark.parametrize("also", ["none", "drop"])
def test_a_client_that_repeats_its_request(place: Place, also: str) -> None:
    """The second one is cancelled, and never counted."""
    place.lab.lab.break_next("twice", 2)
    place.lab.lab.break_next(also, 1)
    job = place.collect(place.begin().id)
    assert job.trials.n == SHOTS
    assert place.accepted == {0: 2, 1: 2, 2: 1}
    assert set(place.lab.lab.alive().values()) == {1}


def test_a_queue_is_waited_for(place: Place) -> None:
    place.lab.lab.break_next("queue", 5)
    job = place.begin()
    assert job.status(place.lab).position == 4
    assert place.collect(job.id).trials.n == SHOTS


# --- interrupted and broken


@pytest.mark.parametrize("part", range(PARTS))
def test_interrupted_while_sending(place: Place, part: int) -> None:
    place.fails_at(part, KeyboardInterrupt())
    with pytest.raises(Stopped, match="ebit resume") as caught:
        place.begin()
    assert caught.value.id == place.book.runs()[0].id
    assert place.book.claim(caught.value.id) is None
    with place.book._file.read() as db:
        assert db.execute("SELECT count(*) FROM claims").fetchone() == (1,)  # the one above
    assert place.collect(caught.value.id).trials.n == SHOTS
    assert place.accepted == dict.fromkeys(range(PARTS), 1)


def test_interrupted_while_waiting(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    id = place.begin().id

    def poll(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(place.lab.lab, "poll", poll)
        with pytest.raises(Stopped) as caught:
            place.collect(id)
    assert caught.value.id == id
    assert place.stage(id) == "submitted"
    assert place.collect(id).trials.n == SHOTS


def test_an_adapter_that_breaks(place: Place) -> None:
    """Its own error comes through; the claim is given back and the run can be resumed."""
    place.fails_at(1, RuntimeError("a bug of the adapter"))
    with pytest.raises(RuntimeError, match="a bug of the adapter"):
        place.begin()
    id = place.book.runs()[0].id
    with place.book._file.read() as db:
        assert db.execute("SELECT count(*) FROM claims").fetchone() == (0,)
    assert place.collect(id).trials.n == SHOTS
    assert place.accepted == dict.fromkeys(range(PARTS), 1)


# --- refused and failed


def test_refused_by_the_provider(place: Place) -> None:
    """The user was told that it does not run: it must not be sent behind their back later."""
    place.lab.lab.break_next("refuse")
    with pytest.raises(JobError, match="takes no jobs today"):
        place.begin()
    (line,) = place.book.runs()
    assert (line.stage, line.reason) == (
        "failed",
        "not sent: the lab takes no jobs today: nothing was sent",
    )
    with pytest.raises(JobError, match="failed and gives no shots: not sent: the lab takes"):
        place.collect(line.id)
    assert place.accepted == {}


def test_refused_half_way_is_no_end(place: Place) -> None:
    """Something of it is with the provider, and paid for."""
    place.fails_at(1, JobError("quota used up"))
    with pytest.raises(JobError, match="quota used up"):
        place.begin()
    id = place.book.runs()[0].id
    assert place.stage(id) == "submitted"
    assert place.collect(id).trials.n == SHOTS
    assert place.accepted == dict.fromkeys(range(PARTS), 1)


def test_failed_at_the_provider(place: Place) -> None:
    id = place.begin().id
    place.lab.lab.set_state("lab-2", "failed")
    for _ in range(2):
        with pytest.raises(JobError, match=r"part 1 .* the lab says failed"):
            place.collect(id)
    (line,) = place.book.runs()
    assert line.stage == "failed"
    assert "the lab says failed" in line.reason
    assert sum(word.startswith("failed") for word in place.words(id)) == 1
    # A provider that changes its mind, or was misread, is believed: the shots were paid for.
    place.lab.lab.set_state("lab-2", "queued")
    assert place.collect(id).trials.n == SHOTS
    assert place.stage(id) == "done"
    assert place.accepted == dict.fromkeys(range(PARTS), 1)


def test_asked_before_it_is_sent_after_all(place: Place) -> None:
    id = broken_off(place, 0)
    asked: list[str] = []

    def refuse(job: Job) -> bool:
        asked.append(job.id)
        return False

    with pytest.raises(BudgetError, match="nothing was paid for"):
        place.collect(id, agree=refuse)
    assert asked == [id]
    assert place.accepted == {}
    assert place.collect(id, agree=lambda _: True).trials.n == SHOTS


def test_not_asked_when_some_of_it_was_sent(place: Place) -> None:
    id = broken_off(place, 2)
    assert place.collect(id, agree=lambda _: 1 / 0).trials.n == SHOTS


# --- cancelled


@pytest.mark.parametrize("part", [*range(PARTS), None])
def test_cancelled(place: Place, part: int | None) -> None:
    id = place.begin().id if part is None else broken_off(place, part)
    before = place.accepted
    assert place.cancel(id).stage == "cancelled"
    assert place.cancel(id).stage == "cancelled"
    assert not place.lab.lab.alive()
    for _ in range(2):
        with pytest.raises(JobError, match="cancelled"):
            place.collect(id)
    assert place.accepted == before  # nothing more was sent
    assert place.book.runs()[0].reason == "cancelled by the user"
    assert open_job(id, ledger=place.book).status().phase == "cancelled"


def test_a_simulators_run_is_cancelled(place: Place) -> None:
    aer = AerBackend()
    job = begin(aer, aer.compile(TEST), shots=SHOTS, ledger=place.book)
    assert cancel_job(job, backend=aer).stage == "cancelled"
    with pytest.raises(JobError, match="was cancelled and gives no shots: cancelled by the user"):
        collect(job, backend=aer)


def test_cancelled_by_the_providers_own_page(place: Place) -> None:
    id = place.begin().id
    for name, *_ in place.lab.lab.jobs():
        place.lab.lab.set_state(name, "cancelled")
    with pytest.raises(JobError, match="cancelled at the lab"):
        place.collect(id)
    assert place.stage(id) == "cancelled"


def test_what_is_done_is_not_cancelled(place: Place) -> None:
    id = place.collect(place.begin().id).id
    with pytest.raises(JobError, match="nothing to cancel"):
        place.cancel(id)
    assert len(place.lab.lab.alive()) == PARTS


def test_a_provider_that_cannot_be_reached(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that its user gave up is not completed meanwhile."""
    id = broken_off(place, 1)

    def cancel(*_: Any) -> None:
        raise NetworkError("no route to the lab")

    with monkeypatch.context() as patch:
        patch.setattr(place.lab, "cancel", cancel)
        with pytest.raises(NetworkError):
            place.cancel(id)
    assert place.book.runs()[0].reason == "cancelling was begun"
    with pytest.raises(JobError, match=f"ebit cancel {id[:8]} finishes it"):
        place.collect(id)
    assert place.accepted == {0: 1}
    assert place.cancel(id).stage == "cancelled"
    assert not place.lab.lab.alive()


def test_a_cancelling_that_came_to_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of the run is with the provider, so that nothing more is paid by fetching it."""
    id = place.begin().id

    def find(*_: Any) -> None:
        raise NetworkError("no route to the lab")

    with monkeypatch.context() as patch:
        patch.setattr(place.lab, "find", find)
        with pytest.raises(NetworkError):
            place.cancel(id)
    assert place.collect(id).trials.n == SHOTS
    (line,) = place.book.runs()
    assert (line.stage, line.reason) == ("done", "")


def killed_while_cancelling(folder: Path, part: int | None, stride: int) -> int:
    def fresh(name: str) -> tuple[Place, str]:
        place = Place(folder / name)
        return place, place.begin().id if part is None else broken_off(place, part)

    place, id = fresh("count")
    lines = lines_of(lambda: place.cancel(id))
    for line in some_lines(lines, stride):
        place, id = fresh(str(line))
        before = place.accepted
        assert killed_at(line, lambda place=place, id=id: place.cancel(id))  # type: ignore[misc]
        assert sound(place.book.path) == (id,)
        if part is not None:
            try:
                place.collect(id)
            except EbitError:
                # Once the ledger knows of the cancelling, nothing more is sent.
                assert place.accepted == before
            else:
                assert not place.book.runs()[0].reason
                continue
        assert place.cancel(id).stage == "cancelled"
        assert not place.lab.lab.alive()
        assert place.accepted == before
    return len(some_lines(lines, stride))


def some_lines(lines: int, stride: int) -> list[int]:
    return list(range(1, lines + 1, stride))


@needs_fork
@pytest.mark.parametrize("part", [1, None])
def test_killed_while_cancelling(tmp_path: Path, part: int | None) -> None:
    assert killed_while_cancelling(tmp_path, part, 41) > 10


@needs_fork
@pytest.mark.slow
@pytest.mark.parametrize("part", [1, None])
def test_killed_at_many_lines_of_cancelling(tmp_path: Path, part: int | None) -> None:
    kills = killed_while_cancelling(tmp_path, part, 3)
    print(f"\n{kills} kills while cancelling: nothing sent afterwards, nothing left running")
