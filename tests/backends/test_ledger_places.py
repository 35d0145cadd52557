"""A ledger that is not there, not ours, not readable or not whole: one clear line each."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ebit.backends import LedgerError, begin, collect, list_jobs, open_backend, open_job
from ebit.backends.ledger import Ledger
from ebit.backends.schema import VERSION
from ebit.circuits import chsh
from ebit.games import ArgumentError, EbitError, Shots
from tests.fakeprovider import LabBackend
from tests.killing import in_child, needs_fork, same_shots

TEST = chsh()


def run_here(place: Path, seed: int = 1) -> str:
    aer = open_backend("aer")
    return collect(begin(aer, aer.compile(TEST), shots=400, seed=seed, ledger=Ledger(place))).id


def refused(work: Callable[[], object], words: str, kind: type[EbitError] = LedgerError) -> None:
    with pytest.raises(kind, match=words) as caught:
        work()
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 400


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


Every = Callable[..., None]


@pytest.fixture
def every_way(tmp_path_factory: pytest.TempPathFactory) -> Every:
    """Listing, opening and beginning are refused alike, and nothing is sent."""
    lab = LabBackend(tmp_path_factory.mktemp("lab"))

    def check(place: Path, words: str) -> None:
        refused(lambda: list_jobs(ledger=Ledger(place)), words)
        refused(lambda: open_job("0123abcd", ledger=Ledger(place)), words)
        refused(lambda: begin(lab, lab.compile(TEST), shots=200, ledger=Ledger(place)), words)
        assert not lab.lab.accepted()

    return check


def test_folders_are_made(tmp_path: Path) -> None:
    place = tmp_path / "a" / "b" / "ledger.sqlite"
    assert list_jobs(ledger=Ledger(place)) == ()
    assert not place.parent.exists()  # looking makes nothing
    id = run_here(place)
    assert open_job(id, ledger=Ledger(place)).stage == "done"


def test_an_id_that_nobody_knows(place: Path) -> None:
    id = run_here(place)
    for wrong in ("0123abcd", "", id[:3], id + "0", "ibm:d0abc", "' OR 1=1 --", "%", "_" * 16):
        refused(
            lambda wrong=wrong: open_job(wrong, ledger=Ledger(place)),  # type: ignore[misc]
            "argument id must be of a run in the ledger",
            ArgumentError,
        )
    refused(lambda: Ledger(place).entry("x"), "argument id", ArgumentError)
    refused(lambda: Ledger(place).done("x", Shots((), ()), {}), "was the file replaced")


def test_ids_are_shortened_and_providers_ids_known(place: Path, tmp_path: Path) -> None:
    lab = LabBackend(tmp_path / "lab")
    job = begin(lab, lab.compile(TEST), shots=200, ledger=Ledger(place))
    begin(lab, lab.compile(TEST), shots=200, ledger=Ledger(place))
    for name in (job.id, job.id[:4], f" {job.id[:8]}\n", "lab-1", "lab-3", "filelab:lab-2"):
        assert open_job(name, ledger=Ledger(place)).id == job.id
    refused(lambda: open_job("lab-", ledger=Ledger(place)), "argument id", ArgumentError)
    book = Ledger(place)
    with sqlite3.connect(place) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("UPDATE runs SET id = 'abcdef00' || seq")
    refused(
        lambda: book.resolve("abcdef"), "must mean one run, but 'abcdef' begins 2", ArgumentError
    )
    assert book.resolve("abcdef001") == "abcdef001"


def test_a_home_that_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every_way: Every
) -> None:
    (tmp_path / "file").write_text("x")
    every_way(tmp_path / "file" / "ledger.sqlite", "set EBIT_HOME to a folder you can write")
    monkeypatch.setenv("EBIT_HOME", str(tmp_path / "file"))
    refused(list_jobs, "EBIT_HOME")


def test_a_home_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EBIT_HOME", "~nobody-of-that-name/x")
    refused(list_jobs, "EBIT_HOME must be a folder", ArgumentError)


def test_a_home_that_is_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that changes its folder keeps its ledger."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EBIT_HOME", "here")
    aer, book = open_backend("aer"), Ledger()
    job = begin(aer, aer.compile(TEST), shots=400, ledger=book)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert collect(job, ledger=book).trials.n == 400
    assert [p.name for p in tmp_path.iterdir() if p.name != "elsewhere"] == ["here"]


def test_a_folder_in_its_place(place: Path, every_way: Every) -> None:
    place.mkdir()
    every_way(place, "cannot be")


@pytest.mark.parametrize(
    "content", [b"dear diary, " * 1000, b"x", b"SQLite format 3\0" + b"\7" * 5000]
)
def test_no_database(place: Path, content: bytes, every_way: Every) -> None:
    place.write_bytes(content)
    every_way(place, "is no database|some other program|is damaged|newer ebit")
    assert place.read_bytes() == content  # it is not ours to change


def test_a_database_of_another_program(place: Path, every_way: Every) -> None:
    with sqlite3.connect(place) as db:
        db.execute("CREATE TABLE songs (title TEXT)")
    db.close()
    before = place.read_bytes()
    every_way(place, "some other program's database")
    assert place.read_bytes() == before


def test_a_ledger_of_a_newer_ebit(place: Path, every_way: Every) -> None:
    book = Ledger(place)
    run_here(place)
    book.runs()
    with sqlite3.connect(place) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    every_way(place, f"newer ebit \\(ledger version {VERSION + 1}, this one knows {VERSION}\\)")
    refused(book.runs, "newer ebit")  # also while a program that knew it goes on


def test_a_file_that_is_empty_becomes_a_ledger(place: Path) -> None:
    """A process that was killed just after it made the file."""
    place.touch()
    assert list_jobs(ledger=Ledger(place)) == ()
    run_here(place)


def test_a_ledger_that_was_taken_away(place: Path, tmp_path: Path) -> None:
    """The run is still with its provider, and this process still knows it."""
    lab = LabBackend(tmp_path / "lab")
    job = begin(lab, lab.compile(TEST), shots=200, ledger=Ledger(place))
    place.unlink()
    with pytest.warns(RuntimeWarning, match="was the file replaced"):
        assert collect(job, backend=lab).trials.n == 200


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that everybody may look into."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)
    shutil.rmtree(folder)


def as_somebody(work: Callable[[], None]) -> None:
    """Run as a user without privileges, to whom permissions apply."""

    def lowered() -> None:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        work()

    assert in_child(lowered) == 0


@needs_fork
def test_a_folder_that_cannot_be_written(shared: Path) -> None:
    """It can be read; beginning is refused before anything is sent."""
    place = shared / "ledger.sqlite"
    id = run_here(place)
    lab = LabBackend(shared / "lab")
    compiled = lab.compile(TEST)
    place.chmod(0o444)
    shared.chmod(0o555)

    def work() -> None:
        assert [line.id for line in Ledger(place).runs()] == [id]
        assert open_job(id, ledger=Ledger(place)).trials.n == 400
        assert collect(id, ledger=Ledger(place)).trials.n == 400
        words = "cannot be written: check its permissions"
        refused(lambda: begin(lab, compiled, shots=200, ledger=Ledger(place)), words)
        other = Ledger(shared / "new" / "ledger.sqlite")
        refused(lambda: begin(lab, compiled, shots=200, ledger=other), "Permission denied")

    as_somebody(work)
    assert not lab.lab.accepted()


@needs_fork
def test_a_file_that_cannot_be_read(shared: Path) -> None:
    place = shared / "ledger.sqlite"
    run_here(place)
    place.chmod(0)
    hidden = shared / "hidden"
    hidden.mkdir()
    hidden.chmod(0)

    def work() -> None:
        refused(lambda: Ledger(place).runs(), "check its permissions")
        refused(lambda: Ledger(hidden / "ledger.sqlite").runs(), "Permission denied")

    as_somebody(work)


@pytest.mark.skipif(os.name == "nt", reason="permissions of another kind")
def test_only_its_owner_reads_it(place: Path) -> None:
    old = os.umask(0o022)
    try:
        holder = None
        for seed in (1, 2):
            run_here(place, seed)
            if holder is None:  # with this open, the log and its memory stay
                holder = sqlite3.connect(place)
                holder.execute("SELECT * FROM runs").fetchall()
        names = {path.name for path in place.parent.glob("ledger*")}
        assert names == {"ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"}
        for name in names:
            assert stat.S_IMODE((place.parent / name).stat().st_mode) == 0o600
        assert holder is not None
        holder.close()
    finally:
        os.umask(old)


def test_no_token_is_kept(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "s3cr3t-0123456789abcdef"
    for name in ("QISKIT_IBM_TOKEN", "IBM_TOKEN", "GOOGLE_TOKEN", "EBIT_TOKEN", "MY_API_KEY"):
        monkeypatch.setenv(name, secret)
    lab = LabBackend(tmp_path / "lab")
    collect(begin(lab, lab.compile(TEST), shots=200, ledger=Ledger(place)), backend=lab)
    run_here(place)
    db = sqlite3.connect(place)
    tables = [n for (n,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    held = repr([db.execute(f"SELECT * FROM {t}").fetchall() for t in tables])
    db.close()
    entry = Ledger(place).entry(Ledger(place).runs()[0].id)
    plain = repr((entry.facts, entry.calibration, entry.outcome, entry.handle, entry.events))
    for text in (place.read_bytes().decode("latin-1"), held, plain):
        assert secret not in text
        assert os.environ["EBIT_HOME"] not in text


def damaged_reads(place: Path, right: Shots, id: str) -> str:
    """What comes of a damaged ledger: the right shots, an error of one line, or an absence."""
    try:
        job = open_job(id, ledger=Ledger(place))
        assert job.program.id == TEST.id
        assert job.layout == (0, 1)
        assert job.entry.facts["seed"] == 1
        assert job.compiled.circuits[0] == TEST.circuits[0]
        if job.shots is None:
            return "absent"
        assert same_shots(job.shots, right)
    except EbitError as error:
        return "refused" if len(str(error).splitlines()) == 1 else "refused at length"
    return "right"


def damage(place: Path, seed: int, count: int) -> dict[str, int]:
    id = run_here(place)
    right = open_job(id, ledger=Ledger(place)).shots
    assert right is not None
    whole, rng = place.read_bytes(), random.Random(seed)
    found = {"right": 0, "refused": 0, "absent": 0}
    for _ in range(count):
        bad = bytearray(whole)
        at = rng.randrange(100, len(bad))
        if rng.random() < 0.5:
            bad[at] ^= rng.randrange(1, 256)
        else:
            page = at // 4096 * 4096
            bad[page : page + 4096] = rng.randbytes(4096)
        place.write_bytes(bad)
        found[damaged_reads(place, right, id)] += 1
    print(f"\ndamaged {count} times: {found}")
    return found


def test_damaged_pages(place: Path) -> None:
    found = damage(place, 1, 60)
    assert found["refused"] > 20
    assert found["absent"] < 6


@pytest.mark.slow
def test_damaged_pages_many_times(place: Path) -> None:
    found = damage(place, 2, 3000)
    assert found["refused"] > 1000
