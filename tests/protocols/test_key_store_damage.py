"""A key store whose file was changed, cut or filled up: no wrong key, and one clear line."""

from __future__ import annotations

import shutil
import sqlite3
from uuid import uuid4

import numpy as np
import pytest

from ebit.games import ArgumentError
from ebit.protocols import key_store_file
from ebit.protocols.key_store import (
    Collect,
    Deliver,
    KeyStore,
    KeyStoreError,
    NotNamedError,
    UnknownKeyError,
)
from ebit.protocols.key_store_ids import parse_id, tag_of
from tests.keystores import BLOCK, fill, make, some_bytes


@pytest.fixture
def closed(tmp_path):
    """The file of a store with two blocks, closed."""
    a, _ = make(tmp_path)
    fill((a,), some_bytes(3000))
    fill((a,), some_bytes(3000, 2), uuid4())
    a.deliver(256, master="m", slave="s", number=3)
    a.close()
    return tmp_path / "a.db"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE pieces SET sealed = zeroblob(length(sealed)) WHERE piece = 0", "was changed"),
        ("UPDATE pieces SET sealed = substr(sealed, 1, 20) WHERE piece = 0", "was changed"),
        (
            "UPDATE pieces SET sealed = (SELECT sealed FROM pieces AS p WHERE p.block = 2 AND "
            "p.piece = pieces.piece) WHERE block = 1",
            "was changed",
        ),
        (
            "UPDATE pieces SET sealed = (SELECT sealed FROM pieces AS p WHERE p.block = 1 AND "
            "p.piece = 1) WHERE block = 1 AND piece = 0",
            "was changed",
        ),
        ("UPDATE blocks SET facts = replace(facts, 'own', 'OWN')", "was changed"),
        ("UPDATE blocks SET id = randomblob(16) WHERE number = 1", "was changed"),
        ("UPDATE blocks SET id_key = zeroblob(44)", "was changed"),
        ("UPDATE blocks SET facts = '{'", "row 1 of its blocks"),
        ("UPDATE blocks SET facts = '[' || facts || ']'", "row 1 of its blocks"),
        ("UPDATE blocks SET facts = replace(facts, 'secrecy', 'sEcrecy')", "row 1 of its blocks"),
        ("UPDATE blocks SET facts = replace(facts, 'border', 'b0rder')", "row 1 of its blocks"),
        ("UPDATE blocks SET facts = replace(facts, 'bytes', 'bites')", "row 1 of its blocks"),
        ("UPDATE blocks SET id_key = 'text'", "was changed"),
        ("UPDATE pieces SET sealed = 5", "was changed"),
        ("UPDATE blocks SET id = 'x' WHERE number = 1", "row 1 of its blocks"),
        ("DROP TRIGGER forwards; UPDATE blocks SET next = 0 WHERE number = 1", "lacks bytes"),
        ("DELETE FROM pieces", "lacks bytes"),
        ("UPDATE store SET about = replace(about, 'kme-b', 'kme-c')", "first row was changed"),
        ("UPDATE store SET about = '{}'", "damaged .its first row."),
        ("UPDATE store SET wrapped = zeroblob(60)", "first row was changed"),
        ("DROP TABLE pieces", "damaged"),
        ("PRAGMA user_version = 3", "newer ebit"),
        ("PRAGMA user_version = 1", "older ebit .* make a new store"),
        ("PRAGMA application_id = 7", "some other database"),
    ],
)
def test_every_change_is_seen(closed, change, words):
    db = sqlite3.connect(closed)
    db.executescript(change)
    db.commit()
    db.close()
    with pytest.raises(KeyStoreError, match=words) as caught:
        KeyStore.open(closed).deliver(256, master="m", slave="s")
    assert "\n" not in str(caught.value)


def test_a_changed_copy_is_seen(tmp_path):
    a, b = make(tmp_path)
    fill((a, b), some_bytes(200))
    (keys,) = a.together([Deliver("alice", "bob", 256, more=("ben",))])
    wishes = [
        Collect("alice", who, (keys[0].id,), "", ("alice",), ("bob", "ben", "eve"), 1)
        for who in ("bob", "ben", "eve")
    ]
    assert isinstance(b.together(wishes[:1])[0], tuple)
    with b._file.write() as db:
        db.execute("UPDATE copies SET sae = 'eve'")
    assert isinstance(b.together(wishes[2:])[0], NotNamedError)
    assert isinstance(b.together(wishes[1:2])[0], UnknownKeyError)
    with b._file.write() as db:
        db.execute("UPDATE copies SET sae = 'ben', sealed = zeroblob(60)")
    (found,) = b.together(wishes[1:2])
    assert "copy of key" in str(found)


def test_no_position_is_set_back(closed):
    db = sqlite3.connect(closed)
    with pytest.raises(sqlite3.IntegrityError, match="handed out once"):
        db.execute("UPDATE blocks SET next = 0 WHERE number = 1")
    db.close()


def test_check_opens_every_piece(closed):
    with KeyStore.open(closed) as store:
        assert store.check() == 6
    db = sqlite3.connect(closed)
    db.execute("UPDATE pieces SET sealed = zeroblob(length(sealed)) WHERE block = 2 AND piece = 2")
    db.commit()
    db.close()
    with KeyStore.open(closed) as store, pytest.raises(KeyStoreError, match="piece 2 of block"):
        store.check()


def test_a_damaged_file_is_refused_or_gives_the_right_keys(closed):
    whole = closed.read_bytes()
    data = {tag_of(BLOCK): some_bytes(3000)}
    rng = np.random.default_rng(4)
    told, right = list[str](), 0
    for k in range(50):
        raw = bytearray(whole)
        if k < 20:
            raw = raw[: int(rng.integers(0, len(raw)))]
        else:
            start = int(rng.integers(0, len(raw)))
            raw[start : start + 200] = rng.bytes(len(raw[start : start + 200]))
        closed.write_bytes(raw)
        for extra in ("-wal", "-shm"):
            closed.with_name(closed.name + extra).unlink(missing_ok=True)
        try:
            with KeyStore.open(closed) as store:
                keys = store.deliver(256, master="m", slave="s", number=2)
        except KeyStoreError as error:
            told.append(str(error))
        else:
            right += 1
            for key in keys:
                place = parse_id(key.id)
                assert place.start >= 96  # three keys were handed out before
                there = data[place.tag][16:][place.start : place.start + 32]
                assert key.key.reveal_bytes() == there
    assert len(told) >= 12
    assert all(str(closed) in words and "\n" not in words for words in told)
    assert right >= 3


def test_what_is_no_store(tmp_path):
    with pytest.raises(ArgumentError, match="ebit keys init"):
        KeyStore.open(tmp_path / "none.db")
    (tmp_path / "text.db").write_text("no database " * 100)
    with pytest.raises(KeyStoreError, match="damaged"):
        KeyStore.open(tmp_path / "text.db")
    (tmp_path / "empty.db").touch()
    with pytest.raises(KeyStoreError, match="cut short"):
        KeyStore.open(tmp_path / "empty.db")
    shutil.copy(tmp_path / "text.db", tmp_path / "dir")
    with pytest.raises(ArgumentError, match="ebit keys init"):
        KeyStore.open(tmp_path)


def test_a_full_disk_gives_no_key_and_breaks_nothing(tmp_path, monkeypatch):
    a, _ = make(tmp_path)
    fill((a,), some_bytes(3000))
    whole = key_store_file.StoreFile._opened

    def tight(self):
        db = whole(self)
        db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0]}")
        return db

    a.close()
    monkeypatch.setattr(key_store_file.StoreFile, "_opened", tight)
    had: list = []

    def until_full() -> None:
        while True:  # the audit grows
            had.extend(a.deliver(8, master="m" * 255, slave="s" * 255))

    with pytest.raises(KeyStoreError, match="disk is full"):
        until_full()
    monkeypatch.undo()
    a.close()
    assert len(a.uses()) == len(had)
    assert a.deliver(8, master="m", slave="s")[0].id not in {key.id for key in had}
    assert a.check()
