"""Clocks that were set back, process numbers used again, other machines, file systems of others."""

from __future__ import annotations

import os
import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ebit.backends import begin, claims, collect, list_jobs, open_backend
from ebit.backends import home as home_module
from ebit.backends.claims import free, me, who
from ebit.backends.home import on_network
from ebit.backends.jobs import check_clock
from ebit.backends.ledger import _LEASE, Ledger
from ebit.circuits import chsh
from ebit.games import JobError
from tests.fakeprovider import LabBackend
from tests.killing import needs_fork, start, wait_for

TEST = chsh()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


def set_clock(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    """Every clock that the ledger reads goes wrong by so many days."""
    true = time.time
    moment = datetime.now(UTC) + timedelta(days=days)
    monkeypatch.setattr(time, "time", lambda: true() + 86_400 * days)
    monkeypatch.setattr(
        "ebit.backends.ledger._now", lambda: moment.isoformat(timespec="milliseconds")
    )


def begun(place: Path) -> str:
    aer = open_backend("aer")
    return begin(aer, aer.compile(TEST), shots=400, seed=1, ledger=Ledger(place)).id


def test_the_order_is_that_of_beginning(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = []
    for days in (0.0, -400.0, 30.0, -1.0, -4000.0):
        with monkeypatch.context() as patch:
            set_clock(patch, days)
            ids.append(begun(place))
            collect(ids[0], ledger=Ledger(place))
    lines = list_jobs(ledger=Ledger(place))
    assert [line.id for line in lines] == ids[::-1]
    assert [line.created for line in lines] != sorted(line.created for line in lines)


def test_a_clock_that_went_back_is_told(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun(place)
    assert check_clock(list_jobs(ledger=Ledger(place))) is None
    with monkeypatch.context() as patch:
        set_clock(patch, 2)
        begun(place)
    lines = list_jobs(ledger=Ledger(place))
    text = check_clock(lines)
    assert text is not None
    assert len(text.splitlines()) == 1
    assert "went back" in text
    assert check_clock(()) is None
    later = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    assert check_clock(lines, later) is None
    # Time servers set clocks by fractions of a second: that is nobody's business.
    just = datetime.fromisoformat(lines[0].updated) - timedelta(seconds=30)
    assert check_clock(lines, just.isoformat()) is None


@pytest.mark.parametrize("days", [-400.0, -1.0, 1.0, 400.0])
def test_a_run_is_collected_whatever_the_clock_says(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: float
) -> None:
    lab = LabBackend(tmp_path / "lab")
    with monkeypatch.context() as patch:
        set_clock(patch, days)
        id = begin(lab, lab.compile(TEST), shots=200, ledger=Ledger(place)).id
    assert collect(id, backend=lab, ledger=Ledger(place)).trials.n == 200
    assert set(lab.lab.accepted().values()) == {1}


# --- claims


def elsewhere(pid: int = 1) -> str:
    return f"some-other-machine/4026531836|{pid}|123"


def test_ones_own_claim_holds() -> None:
    assert not free(me(), time.time() + _LEASE, _LEASE)
    # A process that is alive holds its claim however long it takes.
    if Path("/proc/self/stat").exists():
        assert not free(me(), time.time() - 10 * _LEASE, _LEASE)
    assert who(me()).startswith(f"number {os.getpid()} on {socket.gethostname()}")


@pytest.mark.parametrize(
    ("until", "held"),
    [(_LEASE, True), (1.0, True), (-1.0, False), (1.4 * _LEASE, True), (2 * _LEASE, False)],
)
def test_a_claim_of_another_machine_lasts_its_lease(until: float, held: bool) -> None:
    """One that seems to last longer than any was written before the clock was set back."""
    assert free(elsewhere(), time.time() + until, _LEASE) is not held


@pytest.mark.parametrize("owner", ["", "|", "||", "host", "host|x|", f"{socket.gethostname()}|x|1"])
def test_a_claim_that_makes_no_sense_ends_with_its_lease(owner: str) -> None:
    assert not free(owner, time.time() + 10, _LEASE)
    assert free(owner, time.time() - 10, _LEASE)
    assert who(owner).startswith("number ")


@needs_fork
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
def test_a_number_that_is_used_again_is_another_process() -> None:
    host, pid, began = me().split("|")
    until = time.time() + _LEASE
    assert not free(f"{host}|{pid}|{began}", until, _LEASE)
    assert free(f"{host}|{pid}|{int(began) - 1}", until, _LEASE)
    assert free(f"{host}|{2**22 + 1}|{began}", until, _LEASE)
    assert free(f"{host}|{10**30}|{began}", until, _LEASE)
    # In another container the same numbers are other processes: only the lease counts.
    assert not free(f"{host}0|{pid}|{int(began) - 1}", until, _LEASE)


def test_where_nobody_says_when_a_process_began(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number may be another's by now: a claim ends with its lease at the latest."""
    monkeypatch.setattr(claims, "_begun", lambda pid: "")
    assert not free(me(), time.time() + 10, _LEASE)
    assert free(me(), time.time() - 10, _LEASE)


@needs_fork
def test_only_living_processes_hold_claims(place: Path) -> None:
    id = begun(place)
    reading, writing = os.pipe()

    def work() -> None:
        assert Ledger(place).claim(id) is None
        os.write(writing, b"x")
        time.sleep(60)

    child = start(work)
    os.read(reading, 1)
    other = Ledger(place).claim(id)
    assert other is not None
    assert f"|{child[0]}|" in other
    wait_for(child, after=0)
    assert Ledger(place).claim(id) is None
    assert Ledger(place).claim(id) is None  # again by the same process
    Ledger(place).release(id)


def test_a_run_claimed_by_another_machine(place: Path, tmp_path: Path) -> None:
    """It is refused while the lease lasts, and sent by us afterwards."""
    import sqlite3

    lab = LabBackend(tmp_path / "lab")
    lab.lab.break_next("lose")
    with pytest.raises(Exception, match="in the ledger"):
        begin(lab, lab.compile(TEST), shots=200, ledger=Ledger(place))
    id = list_jobs(ledger=Ledger(place))[0].id

    def claimed(until: float) -> None:
        with sqlite3.connect(place) as db:
            db.execute("INSERT OR REPLACE INTO claims VALUES (?, ?, ?)", (id, elsewhere(7), until))
        db.close()

    claimed(time.time() + 100)
    with pytest.raises(JobError, match=r"\(number 7 on some-other-machine\): wait for it"):
        collect(id, backend=lab, ledger=Ledger(place))
    assert not lab.lab.accepted()
    claimed(time.time() - 1)
    assert collect(id, backend=lab, ledger=Ledger(place)).trials.n == 200


# --- file systems

MOUNTS = rb"""/dev/vda / ext4 rw 0 0
server:/home /net nfs4 rw 0 0
server:/a\040b /net/a\040b ext4 rw 0 0
//box/share /mnt/j\303\266rg cifs rw 0 0
C: /mnt/c 9p rw 0 0
me@host: /mnt/far fuse.sshfs rw 0 0
ntfs /mnt/near fuseblk rw 0 0
broken line
proc /mnt/tab\011x nfs rw 0 0
share /mnt/back\134slash smb3 rw 0 0
"""


@pytest.mark.parametrize(
    ("folder", "remote"),
    [
        ("/", False),
        ("/data/x", False),
        ("/net", True),
        ("/net/x/y", True),
        ("/network", False),
        ("/net/a b/c", False),
        ("/net/a b2", True),
        ("/mnt/jörg/x", True),
        ("/mnt/c/Users", True),
        ("/mnt/far", True),
        ("/mnt/near", False),
        ("/mnt/tab\tx", True),
        ("/mnt/back\\slash/y", True),
    ],
)
def test_network_file_systems(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: str, remote: bool
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_bytes(MOUNTS)

    class Other(type(Path())):  # type: ignore[misc]
        def __new__(cls, *args: str) -> Path:  # type: ignore[misc]
            return mounts if args == ("/proc/self/mounts",) else Path(*args)

    monkeypatch.setattr(home_module, "Path", Other)
    assert on_network(Path(folder)) is remote


def test_the_plain_journal_on_a_network(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing needs shared memory there; a ledger that was moved there changes over."""
    import sqlite3

    def mode() -> str:
        db = sqlite3.connect(place)
        found = str(db.execute("PRAGMA journal_mode").fetchone()[0])
        db.close()
        return found

    first = begun(place)
    assert mode() == "wal"
    with monkeypatch.context() as patch:
        patch.setattr("ebit.backends.ledger_file.on_network", lambda folder: True)
        second = begun(place)
        assert mode() == "delete"
        assert collect(first, ledger=Ledger(place)).trials.n == 400
        assert {p.name for p in tmp_path.glob("ledger*")} == {"ledger.sqlite"}
    assert collect(second, ledger=Ledger(place)).trials.n == 400
    assert mode() == "wal"
