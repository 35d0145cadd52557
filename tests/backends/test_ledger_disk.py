"""A full disk loses nothing that was paid for: not at intent, not while sending, not at the end."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ebit.backends import LedgerError, begin, cancel_job, collect, open_job
from ebit.backends.ledger import Ledger
from ebit.circuits import chsh
from ebit.games import JobError, Shots
from tests.fakeprovider import LabBackend
from tests.killing import in_child, needs_fork, same_shots, sound

TEST = chsh()
SHOTS = 200
FULL = r"cannot be (used|written), because the disk"


class Disk:
    """A small disk of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.filler = folder, folder / "filler"

    def fill(self) -> None:
        with self.filler.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                return

    def make_room(self) -> None:
        self.filler.unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    order = ["-t", "tmpfs", "-o", "size=1m", "none", str(place)]
    if not sys.platform.startswith("linux") or mount is None:
        pytest.skip("needs Linux's tmpfs")
    if subprocess.run([mount, *order], capture_output=True, check=False).returncode:
        pytest.skip("only the system's administrator can mount a small disk")
    try:
        yield Disk(place)
    finally:
        subprocess.run(["umount", str(place)], capture_output=True, check=True)


@pytest.fixture
def lab(tmp_path: Path) -> LabBackend:
    return LabBackend(tmp_path / "lab")


@pytest.fixture
def right(tmp_path: Path) -> Shots:
    other = LabBackend(tmp_path / "other")
    job = begin(other, other.compile(TEST), shots=SHOTS, ledger=Ledger(tmp_path / "o.sqlite"))
    shots = collect(job, backend=other).shots
    assert shots is not None
    return shots


def before_accepting(lab: LabBackend, act: Callable[[], object], part: int = 0) -> None:
    plain = lab.lab.accept

    def accept(tag: str, number: int, *args: Any) -> str:
        if number == part:
            act()
        return plain(tag, number, *args)

    lab.lab.accept = accept  # type: ignore[method-assign]


@pytest.mark.parametrize("empty", [True, False])
def test_full_at_intent(disk: Disk, lab: LabBackend, empty: bool) -> None:
    """Nothing is sent."""
    book = Ledger(disk.folder / "ledger.sqlite")
    before = 0
    if not empty:
        collect(begin(lab, lab.compile(TEST), shots=SHOTS, ledger=book), backend=lab)
        before = 1
    disk.fill()
    with pytest.raises(LedgerError, match=FULL) as caught:
        begin(lab, lab.compile(TEST), shots=SHOTS, ledger=book)
    assert len(str(caught.value).splitlines()) == 1
    assert len(lab.lab.jobs()) == 3 * before
    disk.make_room()
    assert len(sound(book.path)) == before
    collect(begin(lab, lab.compile(TEST), shots=SHOTS, ledger=book), backend=lab)
    assert len(sound(book.path)) == before + 1


@pytest.mark.parametrize("part", [0, 1, 2])
def test_full_while_sending(disk: Disk, lab: LabBackend, right: Shots, part: int) -> None:
    """The caller gets the rounds; once there is room, they are written down."""
    place = disk.folder / "ledger.sqlite"
    before_accepting(lab, disk.fill, part)
    with pytest.warns(RuntimeWarning, match=FULL):
        job = begin(lab, lab.compile(TEST), shots=SHOTS, ledger=Ledger(place))
    assert job.stage == "submitted"
    assert job.handle is not None
    assert len(job.handle.provider_ids) == 3
    with pytest.warns(RuntimeWarning, match="safe with its provider"):
        done = collect(job, backend=lab)
    assert same_shots(done.shots, right)
    assert done.trials.n == SHOTS
    disk.make_room()
    kept = open_job(job.id, ledger=Ledger(place))
    assert kept.stage == ("intent" if part == 0 else "submitted")
    assert collect(done, backend=None).stage == "done"  # from memory: nobody is asked
    assert same_shots(open_job(job.id, ledger=Ledger(place)).shots, right)
    assert set(lab.lab.accepted().values()) == {1}


def test_full_while_sending_and_then_forgotten(disk: Disk, lab: LabBackend, right: Shots) -> None:
    """Another process, which knows only the ledger, finds the run at the provider."""
    place = disk.folder / "ledger.sqlite"
    before_accepting(lab, disk.fill)
    with pytest.warns(RuntimeWarning, match=FULL):
        id = begin(lab, lab.compile(TEST), shots=SHOTS, ledger=Ledger(place)).id
    with pytest.raises(LedgerError, match=FULL):  # it cannot know whether it would send twice
        collect(id, backend=lab, ledger=Ledger(place))
    disk.make_room()
    assert same_shots(collect(id, backend=lab, ledger=Ledger(place)).shots, right)
    assert sound(place) == (id,)
    assert set(lab.lab.accepted().values()) == {1}


def test_full_when_shots_arrive(disk: Disk, lab: LabBackend, right: Shots) -> None:
    place = disk.folder / "ledger.sqlite"
    id = begin(lab, lab.compile(TEST), shots=SHOTS, ledger=Ledger(place)).id
    disk.fill()
    assert [line.id for line in Ledger(place).runs()] == [id]  # reading goes on
    with pytest.warns(RuntimeWarning, match="safe with its provider"):
        done = collect(id, backend=lab, ledger=Ledger(place))
    assert same_shots(done.shots, right)
    assert open_job(id, ledger=Ledger(place)).stage == "submitted"
    disk.make_room()
    assert same_shots(collect(id, backend=lab, ledger=Ledger(place)).shots, right)
    assert open_job(id, ledger=Ledger(place)).stage == "done"


def test_what_costs_money_is_cancelled_on_a_full_disk(disk: Disk, lab: LabBackend) -> None:
    place = disk.folder / "ledger.sqlite"
    id = begin(lab, lab.compile(TEST), shots=SHOTS, ledger=Ledger(place)).id
    disk.fill()
    with pytest.warns(RuntimeWarning, match=FULL):
        job = cancel_job(id, backend=lab, ledger=Ledger(place))
    assert job.stage == "cancelled"
    assert not lab.lab.alive()
    disk.make_room()
    with pytest.raises(JobError, match="cancelled at the lab"):
        collect(id, backend=lab, ledger=Ledger(place))
    assert open_job(id, ledger=Ledger(place)).stage == "cancelled"


def test_a_listener_is_told_instead(disk: Disk, lab: LabBackend) -> None:
    said: list[str] = []

    class Listener:
        def __call__(self, done: int, total: int) -> None: ...

        def say(self, text: str) -> None:
            said.append(text)

    book = Ledger(disk.folder / "ledger.sqlite")
    before_accepting(lab, disk.fill)
    begin(lab, lab.compile(TEST), shots=SHOTS, ledger=book, progress=Listener())
    assert any("the job itself is safe with its provider" in text for text in said)


@needs_fork
@pytest.mark.parametrize("room", [0, 4096, 20_000, 60_000])
def test_a_file_that_may_not_grow(tmp_path: Path, lab: LabBackend, right: Shots, room: int) -> None:
    """A quota, which anybody can set for themselves: the same promises."""
    import resource
    import warnings

    place = tmp_path / "ledger.sqlite"
    first = begin(lab, lab.compile(TEST), shots=SHOTS, ledger=Ledger(place)).id

    def work() -> None:
        warnings.simplefilter("ignore", RuntimeWarning)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
        assert same_shots(collect(first, backend=lab, ledger=Ledger(place)).shots, right)
        told = ""
        try:
            begin(lab, lab.compile(TEST), shots=SHOTS, ledger=Ledger(place))
        except LedgerError as error:
            told = str(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        assert told == "" or "because the disk" in told, told
        (tmp_path / "told").write_text(told)

    lab.lab.accept = _unlimited(lab.lab.accept)  # type: ignore[method-assign]
    lab.lab.poll = _unlimited(lab.lab.poll)  # type: ignore[method-assign]
    assert in_child(work) == 0
    refused = (tmp_path / "told").read_text() != ""
    assert refused or room > 0
    ids = sound(place)
    assert len(ids) == (1 if refused else 2)
    for id in ids:
        assert same_shots(collect(id, backend=lab, ledger=Ledger(place)).shots, right)
    assert lab.lab.accepted() == {(id, k): 1 for id in ids for k in range(3)}


def _unlimited(call: Callable[..., Any]) -> Callable[..., Any]:
    """The provider is another machine: its disk is not the one that is full."""
    import resource

    def wrapped(*args: Any) -> Any:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits[1], limits[1]))
        try:
            return call(*args)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    return wrapped
