"""What comes back is written down whatever its form, and only if it is what was asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ebit.backends import begin, collect, open_job
from ebit.backends.ledger import Ledger
from ebit.backends.model import Handle, Outcome, Progress
from ebit.circuits import chsh, mermin_ghz
from ebit.games import ArgumentError, EbitError, JobError, Shots
from tests.fakeprovider import LabBackend
from tests.killing import same_shots, sound

TEST = chsh()
SHOTS, PARTS = 200, 3


class Spoilt(LabBackend):
    """An adapter whose results are changed on the way."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.change: Any = None

    def fetch(self, handle: Handle, *, progress: Progress | None = None) -> Outcome:
        outcome = super().fetch(handle, progress=progress)
        return outcome if self.change is None else self.change(outcome)


@pytest.fixture
def book(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.sqlite")


@pytest.fixture
def lab(tmp_path: Path) -> Spoilt:
    return Spoilt(tmp_path / "lab")


def begun(lab: LabBackend, book: Ledger, **options: Any) -> str:
    return begin(lab, lab.compile(TEST), shots=SHOTS, ledger=book, **options).id


class Odd:
    def __str__(self) -> str:
        return "an odd thing"


def test_facts_of_any_form_do_not_cost_the_shots(lab: Spoilt, book: Ledger) -> None:
    facts = {
        "n": np.int64(3),
        "x": np.float64(0.5),
        "nan": float("nan"),
        "inf": -np.inf,
        "table": np.arange(4).reshape(2, 2),
        ("a", 1): {"set": frozenset([1])},
        "odd": Odd(),
        "bytes": b"\xff",
        "text": "\ud800",
    }
    lab.change = lambda outcome: replace(outcome, metadata=facts, method="\ud800")
    id = collect(begun(lab, book), backend=lab, ledger=book).id
    kept = open_job(id, ledger=book)
    assert kept.outcome is not None
    assert kept.outcome.metadata["n"] == 3
    assert kept.outcome.metadata["table"] == [[0, 1], [2, 3]]
    assert kept.outcome.metadata["nan"] == "nan"
    assert kept.outcome.metadata["odd"] == "an odd thing"
    assert kept.trials.n == SHOTS


def test_handles_of_any_form_do_not_stop_the_sending(
    lab: Spoilt, book: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = lab._handle

    def handle(*args: Any) -> Handle:
        found = plain(*args)
        return replace(found, metadata={**found.metadata, "odd": Odd(), "n": np.int8(1)})

    monkeypatch.setattr(lab, "_handle", handle)
    id = begun(lab, book)
    assert collect(id, backend=lab, ledger=book).trials.n == SHOTS
    assert set(lab.lab.accepted().values()) == {1}


def test_words_of_any_form_are_kept(lab: Spoilt, book: Ledger) -> None:
    id = begun(lab, book)
    book.note(id, "half a pair \ud83d, a zero \0 and\ntwo lines")
    book.ended(id, "failed", "half a pair \ud83d")
    assert "half a pair" in book.entry(id).events[-1][1]
    assert book.runs()[0].stage == "failed"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda s: Shots(tuple(a[:-1] for a in s.packed), s.widths),
        lambda s: Shots((s.packed[0][:0], *s.packed[1:]), s.widths),
        lambda s: Shots(s.packed[:-1], s.widths[:-1]),
        lambda s: Shots(s.packed, (3, *s.widths[1:])),
        lambda s: Shots((), ()),
        lambda s: Shots(tuple(np.concatenate([a, a]) for a in s.packed), s.widths),
    ],
)
def test_a_result_that_is_not_what_was_asked(lab: Spoilt, book: Ledger, wrong: Any) -> None:
    """Cut short, of another run, counted double: it is not written down, and can be had again."""
    id = begun(lab, book)
    lab.change = lambda outcome: replace(outcome, shots=wrong(outcome.shots))
    with pytest.raises(JobError, match="must give 200 shots of 4 circuits") as caught:
        collect(id, backend=lab, ledger=book)
    assert len(str(caught.value).splitlines()) == 1
    assert open_job(id, ledger=book).stage == "submitted"
    lab.change = None
    assert collect(id, backend=lab, ledger=book).trials.n == SHOTS
    assert sound(book.path) == (id,)


@pytest.mark.parametrize("purpose", [{"x": Odd()}, {"x": float("nan")}, {"x": {1, 2}}, {"x": b"1"}])
def test_a_purpose_must_be_plain(lab: Spoilt, book: Ledger, purpose: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match="argument purpose must be plain data"):
        begun(lab, book, purpose=purpose)
    assert not lab.lab.accepted()
    assert book.runs() == ()


def test_circuits_that_cannot_be_kept_are_not_sent(lab: Spoilt, book: Ledger) -> None:
    compiled = replace(lab.compile(TEST), circuits=(object(),))
    with pytest.raises(EbitError, match="these circuits cannot be stored"):
        begin(lab, compiled, shots=SHOTS, ledger=book)
    assert not lab.lab.accepted()


def test_what_would_not_be_read_again_is_not_sent(
    lab: Spoilt, book: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = lab.compile(TEST)
    with monkeypatch.context() as patch:
        patch.setattr("ebit.circuits.record.circuits_from_bytes", lambda data: ())
        with pytest.raises(EbitError, match=r"cannot be (stored|read)"):
            begin(lab, compiled, shots=SHOTS, ledger=book)
    assert book.runs() == ()
    assert not lab.lab.accepted()


def test_a_purpose_is_given_back(lab: Spoilt, book: Ledger) -> None:
    purpose = {"kind": "bell", "pair": [3, 4], "level": 0.01, "name": "jörg", "none": None}
    assert open_job(begun(lab, book, purpose=purpose), ledger=book).purpose == purpose


def test_shots_of_every_width(book: Ledger, lab: LabBackend) -> None:
    """Of 1, 8, 9 and 200 bits, of no circuit's shots, in an odd order in memory."""
    id = begun(lab, book)
    rng = np.random.default_rng(1)
    bits = [rng.integers(0, 2, (n, w)) for n, w in [(5, 1), (7, 8), (3, 9), (0, 4), (11, 200)]]
    shots = Shots.from_bits(bits)
    shots = Shots(tuple(np.asfortranarray(a) for a in shots.packed), shots.widths)
    book.done(id, shots, {"method": "m"})
    assert same_shots(book.shots(id), shots)
    kept = book.shots(id)
    assert kept is not None
    assert [np.array_equal(kept.bits(i), b) for i, b in enumerate(bits)] == [True] * 5
    kept.packed[0][0, 0] ^= 1  # they are the caller's own
    assert same_shots(book.shots(id), shots)


def test_circuits_and_calibrations_are_kept_once(book: Ledger, lab: LabBackend) -> None:
    for _ in range(5):
        begun(lab, book)
    begin(lab, lab.compile(mermin_ghz(3)), shots=400, ledger=book)
    with book._file.read() as db:
        contents = db.execute("SELECT count(*) FROM content").fetchone()[0]
    assert contents <= 4  # source and compiled, of two experiments
    assert len(sound(book.path)) == 6


def test_a_damaged_content_is_mended_by_the_next_run(book: Ledger, lab: LabBackend) -> None:
    id = begun(lab, book)
    with book._file.write() as db:
        db.execute("UPDATE content SET data = x'00'")
    with pytest.raises(EbitError, match="not what was written"):
        open_job(id, ledger=book)
    assert book.runs()[0].id == id
    assert open_job(begun(lab, book), ledger=book).program.id == TEST.id


@pytest.mark.parametrize(
    "harm",
    [
        "DELETE FROM shots WHERE circuit = 3",
        "DELETE FROM shots",
        "UPDATE shots SET circuit = 7 WHERE circuit = 0",
        "UPDATE shots SET count = count - 1",
        "UPDATE shots SET packed = (SELECT packed FROM shots WHERE circuit = 0)",
        "UPDATE shots SET packed = x'00' WHERE circuit = 0",
        "UPDATE runs SET outcome = replace(outcome, 'a file', 'a lab')",
    ],
)
def test_shots_that_are_not_what_was_written(book: Ledger, lab: LabBackend, harm: str) -> None:
    id = collect(begun(lab, book), backend=lab, ledger=book).id
    with book._file.write() as db:
        assert db.execute(harm).rowcount
    with pytest.raises(EbitError, match="its shots are not what was written") as caught:
        open_job(id, ledger=book).trials  # noqa: B018
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("column", ["backend", "name", "program_id", "facts"])
def test_a_record_that_is_not_what_was_written(book: Ledger, lab: LabBackend, column: str) -> None:
    id = begun(lab, book)
    with book._file.write() as db:
        db.execute(f"UPDATE runs SET {column} = {column} || ' '")
    with pytest.raises(EbitError, match="its record is not what was written"):
        open_job(id, ledger=book)
    assert book.runs()[0].id == id


@pytest.mark.parametrize("harm", ["facts = 'x'", "handle = '{'", "handle = '[1]'", "facts = '[]'"])
def test_a_damaged_row_does_not_hide_the_others(book: Ledger, lab: LabBackend, harm: str) -> None:
    bad, good = begun(lab, book), begun(lab, book)
    with book._file.write() as db:
        db.execute(f"UPDATE runs SET {harm} WHERE id = ?", (bad,))
    assert [line.id for line in book.runs()] == [good, bad]
    assert book.runs()[1].reason == "its record is damaged"
    assert open_job(good, ledger=book).stage == "submitted"
    with pytest.raises(EbitError, match="is damaged"):
        open_job(bad, ledger=book)
