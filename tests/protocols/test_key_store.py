"""The key store: both ends agree without talking, and nothing leaves twice or to others."""

from __future__ import annotations

import os
import stat
import threading
from uuid import uuid4

import numpy as np
import pytest

from ebit.games import ArgumentError
from ebit.protocols import key_store
from ebit.protocols.key_store import (
    Collect,
    Deliver,
    KeyStore,
    KeyStoreError,
    NoKeysLeftError,
    NotNamedError,
    UnknownKeyError,
)
from ebit.protocols.key_store_ids import Place, key_id, parse_id, tag_of
from ebit.protocols.secret_bits import SecretBits
from tests.keystores import BLOCK, fill, make, some_bytes


def test_both_ends_hand_out_the_same_keys_and_never_the_same_bits(tmp_path):
    a, b = make(tmp_path)
    data = some_bytes(16 + 4000)
    fill((a, b), data)
    rng, had = np.random.default_rng(2), []
    for _ in range(200):
        one, other = (a, b) if rng.random() < 0.5 else (b, a)
        bits = 8 * int(rng.integers(1, 40))
        try:
            keys = one.deliver(bits, master="m", slave="s", number=int(rng.integers(1, 4)))
        except NoKeysLeftError:
            continue
        ids = [key.id for key in keys]
        same = other.collect(ids, master="m", slave="s")
        assert [key.key for key in keys] == [key.key for key in same]
        had += [(parse_id(key.id), key.key.reveal_bytes()) for key in keys]
    spent = np.zeros(4000, bool)
    for place, key in had:
        part = slice(place.start, place.start + place.size)
        assert key == data[16:][part]  # the first 16 bytes serve the ids
        assert not spent[part].any()
        spent[part] = True
    assert spent.mean() > 0.95
    assert a.stored(320) == b.stored(320) == 0


def test_a_key_is_collected_once_and_by_nobody_else(tmp_path):
    a, b = make(tmp_path)
    fill((a, b), some_bytes(500))
    (key,) = a.deliver(256, master="alice", slave="bob")
    wish = Collect("alice", "carol", (key.id,), masters=("alice",), slaves=("bob", "carol"))
    assert isinstance(b.together([wish])[0], NotNamedError)
    with pytest.raises(UnknownKeyError):  # whom nobody knows is told less
        b.collect([key.id], master="alice", slave="carol")
    with pytest.raises(UnknownKeyError):  # not this master's key
        b.collect([key.id], master="dave", slave="bob")
    with pytest.raises(UnknownKeyError):  # the end that handed it out
        a.collect([key.id], master="alice", slave="bob")
    assert b.collect([key.id], master="alice", slave="bob")[0].key == key.key
    with pytest.raises(UnknownKeyError, match="not found on KME"):
        b.collect([key.id], master="alice", slave="bob")
    assert isinstance(b.together([wish])[0], UnknownKeyError)  # it is gone, whoever asks


def test_a_key_of_several_slaves_is_there_once_for_each(tmp_path):
    a, b = make(tmp_path)
    fill((a, b), some_bytes(16 + 2 * 64))
    names = ("bob", "carol", "dave", "eve")
    (keys,) = a.together([Deliver("alice", "dave", 256, more=("bob", "carol"))])
    (key,) = keys
    assert a.uses()[0].peer == "bob, carol, dave"

    def collect(slave, more=2):
        return b.together([Collect("alice", slave, (key.id,), "", ("alice",), names, more)])[0]

    assert isinstance(collect("eve"), NotNamedError)
    assert isinstance(collect("carol", more=1), UnknownKeyError)  # no such group is allowed
    assert collect("carol")[0].key == key.key
    assert isinstance(collect("carol"), UnknownKeyError)
    b.close()
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("b.db*"))
    assert key.key.reveal_bytes() not in raw
    assert isinstance(collect("eve"), NotNamedError)
    assert collect("bob")[0].key == collect("dave")[0].key == key.key
    for slave in ("bob", "carol", "dave"):
        assert isinstance(collect(slave), UnknownKeyError)
    assert sorted(use.who for use in b.uses()) == ["bob", "carol", "dave"]
    with b._file.read() as db:
        assert db.execute("SELECT count(*) FROM copies").fetchone()[0] == 0


def test_an_id_that_was_not_handed_out_opens_nothing(tmp_path):
    a, b = make(tmp_path)
    fill((a, b), some_bytes(500))
    rng = np.random.default_rng(3)
    for _ in range(300):
        place = Place(tag_of(BLOCK), int(rng.integers(0, 600)), 32, int(rng.integers(0, 2**53)))
        with pytest.raises(UnknownKeyError):
            b.collect([key_id(place)], master="alice", slave="bob")
    assert not b.uses()


def test_several_keys_come_whole_or_not_at_all(tmp_path):
    a, b = make(tmp_path)
    fill((a, b), some_bytes(16 + 320))
    keys = a.deliver(256, master="alice", slave="bob", number=3)
    with pytest.raises(NoKeysLeftError, match=r"3 keys of 256 bits were asked for, but a.db has 2"):
        a.deliver(256, master="alice", slave="bob", number=3)
    assert a.stored(256) == 2
    ids = [key.id for key in keys]
    with pytest.raises(UnknownKeyError) as caught:
        b.collect([*ids, uuid4()], master="alice", slave="bob")
    assert len(caught.value.ids) == 1
    assert len(b.collect(ids, master="alice", slave="bob")) == 3
    assert len(a.uses()) == 3


@pytest.mark.parametrize(("share", "left"), [(0, (0, 10)), (1, (10, 0)), (0.3, (3, 7))])
def test_the_share_says_who_hands_out_what(tmp_path, share, left):
    stores = make(tmp_path, share=share)
    fill(stores, some_bytes(16 + 320))
    assert tuple(store.stored(256) for store in stores) == left


def test_ends_with_other_shares_do_not_mix_keys_up(tmp_path):
    a = KeyStore.create(tmp_path / "a.db", kme="kme-a", peer="kme-b", share=0.75)
    b = KeyStore.create(tmp_path / "b.db", kme="kme-b", peer="kme-a", share=0.25)
    fill((a, b), some_bytes(500))
    for one, other in ((a, b), (b, a)):
        (key,) = one.deliver(256, master="m", slave="s")
        with pytest.raises(UnknownKeyError):
            other.collect([key.id], master="m", slave="s")


def test_keys_cross_pieces_and_not_blocks(tmp_path):
    a, b = make(tmp_path, share=1)
    first, second = some_bytes(16 + 3000, 1), some_bytes(16 + 3000, 2)
    fill((a, b), first)
    fill((a, b), second, uuid4())
    keys = a.deliver(8 * 1100, master="m", slave="s", number=4)
    assert [key.key.reveal_bytes() for key in keys] == [
        data[16 + k : 16 + k + 1100] for data in (first, second) for k in (0, 1100)
    ]
    same = b.collect([key.id for key in keys], master="m", slave="s")
    assert [key.key for key in keys] == [key.key for key in same]
    assert a.stored(8 * 801) == 0
    assert a.stored(8 * 800) == 2


def test_nothing_is_on_disk_in_the_clear_and_what_leaves_is_wiped(tmp_path):
    a, _ = make(tmp_path)
    data = some_bytes(16 + 4096)
    fill((a,), data)
    a.deliver(256, master="m", slave="s")
    a.close()
    raw = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not any(data[k : k + 8] in raw for k in range(0, len(data) - 8, 8))
    with KeyStore.open(tmp_path / "a.db") as store, store._file.read() as db:
        row = next(iter(store._rows(db)._rows("")))
        sealed = db.execute("SELECT sealed FROM pieces WHERE piece = 0").fetchone()[0]
        there, left = store._rows(db)._opened(row, 0, sealed)
    assert there == (1 << 1024) - (1 << 32)
    assert left == bytes(32) + data[16 + 32 : 16 + 1024]


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")
def test_the_files_are_their_owners(tmp_path):
    a, _ = make(tmp_path)
    fill((a,), some_bytes(100))
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    a.close()
    (tmp_path / "a.db.key").chmod(0o644)
    with pytest.raises(ArgumentError, match="readable by its owner only, but has mode 644"):
        KeyStore.open(tmp_path / "a.db")


def test_a_passphrase_opens_its_store_only(tmp_path):
    with KeyStore.create(tmp_path / "p.db", kme="x", peer="y", passphrase="tulip") as store:
        fill((store,), some_bytes(100))
    assert not (tmp_path / "p.db.key").exists()
    with KeyStore.open(tmp_path / "p.db", passphrase="tulip") as store:
        assert store.check() == 1
    with pytest.raises(KeyStoreError, match="passphrase does not open"):
        KeyStore.open(tmp_path / "p.db", passphrase="rose")
    with pytest.raises(ArgumentError, match="opens with a passphrase"):
        KeyStore.open(tmp_path / "p.db")
    make(tmp_path)
    with pytest.raises(ArgumentError, match="opens with a key file"):
        KeyStore.open(tmp_path / "a.db", passphrase="tulip")
    with pytest.raises(KeyStoreError, match="belongs to another store"):
        KeyStore.open(tmp_path / "a.db", key_file=tmp_path / "b.db.key")
    with pytest.raises(ArgumentError, match="must be there"):
        KeyStore.open(tmp_path / "a.db", key_file=tmp_path / "none.key")
    (tmp_path / "short.key").write_text("abcd")
    with pytest.raises(ArgumentError, match="64 hexadecimal digits, but holds 4"):
        KeyStore.open(tmp_path / "a.db", key_file=tmp_path / "short.key")


def test_keys_for_demonstration_are_refused_unless_wanted(tmp_path):
    a, _ = make(tmp_path)
    bits = SecretBits.of_bytes(some_bytes(200))
    with pytest.raises(ArgumentError, match="demonstration only, not secret"):
        a.add(bits, origin={}, secrecy="demonstration")
    a.add(bits, origin={}, secrecy="demonstration", demonstration=True)
    with pytest.raises(NoKeysLeftError, match=r"demonstration=True \(--demonstration\)"):
        a.deliver(256, master="m", slave="s")
    a.close()
    with KeyStore.open(tmp_path / "a.db", demonstration=True) as store:
        (key,) = store.deliver(256, master="m", slave="s")
        assert key.secrecy == "demonstration"
        assert store.uses()[0].secrecy == "demonstration"


def test_the_slaves_end_refuses_them_too(tmp_path):
    a, b = make(tmp_path, demonstration=True)
    for store in (a, b):
        store.add(
            SecretBits.of_bytes(some_bytes(200)), origin={}, secrecy="demonstration", block=BLOCK
        )
    (key,) = a.deliver(256, master="m", slave="s")
    with KeyStore.open(tmp_path / "b.db") as strict, pytest.raises(UnknownKeyError):
        strict.collect([key.id], master="m", slave="s")
    assert b.collect([key.id], master="m", slave="s")[0].secrecy == "demonstration"


def test_the_audit_has_everything_but_the_key(tmp_path):
    a, b = make(tmp_path)
    fill((a, b), some_bytes(500))
    (key,) = a.deliver(256, master="alice", slave="bob", purpose="backup")
    b.collect([key.id], master="alice", slave="bob", purpose="restore")
    (mine,), (other,) = a.uses(), b.uses()
    assert (mine.role, mine.who, mine.peer, mine.purpose) == ("master", "alice", "bob", "backup")
    assert (other.role, other.who, other.peer, other.purpose) == (
        "slave",
        "bob",
        "alice",
        "restore",
    )
    assert mine.key_id == other.key_id == str(key.id)
    assert (mine.bits, mine.secrecy, mine.block) == (256, "own", str(BLOCK))
    assert key.key.reveal_bytes().hex() not in str(mine.to_dict()) + repr(key) + repr(a)
    a.deliver(64, master="alice", slave="bob")
    assert [use.bits for use in a.uses(1)] == [64]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"kme": "a", "peer": "a"}, "different names, but both were 'a'"),
        ({"kme": "", "peer": "a"}, "kme must be a name"),
        ({"kme": "a", "peer": "b", "share": 1.5}, "from 0 to 1, but was 1.5"),
        ({"kme": "a", "peer": "b", "passphrase": ""}, "at least one character"),
        ({"kme": "a", "peer": "b", "passphrase": "x", "key_file": "y"}, "give one of them"),
    ],
)
def test_what_no_store_is_made_of(tmp_path, arguments, words):
    with pytest.raises(ArgumentError, match=words):
        KeyStore.create(tmp_path / "x.db", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_added(tmp_path, monkeypatch):
    a, _ = make(tmp_path)
    bits, deep = SecretBits.of_bytes(some_bytes(100)), []
    for _ in range(100_000):
        deep = [deep]
    for arguments, words in (
        ({"secrecy": "perhaps"}, "'own' or 'demonstration', but was 'perhaps'"),
        ({"secrecy": "own", "origin": {"x": object()}}, "plain data"),
        ({"secrecy": "own", "origin": {"x": deep}}, "plain data"),
        ({"secrecy": "own", "bits": bits.part(0, 143)}, "at least 144.*but were 143"),
    ):
        with pytest.raises(ArgumentError, match=words):
            a.add(**{"bits": bits, "origin": {}, **arguments})
    a.add(bits, origin={}, secrecy="own", block=BLOCK)
    with pytest.raises(ArgumentError, match="never add bits twice"):
        a.add(bits, origin={}, secrecy="own", block=BLOCK)
    monkeypatch.setattr(key_store, "MOST_BITS", 1000)
    with pytest.raises(ArgumentError, match="holds 1000 bits at most"):
        a.add(SecretBits.of_bytes(some_bytes(100, 2)), origin={}, secrecy="own")
    for number, words in ((0, "number"), (True, "number")):
        with pytest.raises(ArgumentError, match=words):
            a.deliver(256, master="m", slave="s", number=number)
    for size in (0, 12, 65_544):
        with pytest.raises(ArgumentError, match="bits must be"):
            a.deliver(size, master="m", slave="s")


def test_a_store_is_not_made_over_another(tmp_path):
    make(tmp_path)
    before = (tmp_path / "a.db").read_bytes()
    with pytest.raises(ArgumentError, match="is there already"):
        KeyStore.create(tmp_path / "a.db", kme="x", peer="y")
    assert (tmp_path / "a.db").read_bytes() == before


def test_threads_share_no_key(tmp_path):
    a, b = make(tmp_path, share=1)
    fill((a, b), some_bytes(16 + 32 * 120))
    keys: list = []

    def work() -> None:
        mine = KeyStore.open(tmp_path / "a.db")
        for _ in range(20):
            keys.extend(mine.deliver(256, master="m", slave="s"))
        mine.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({key.id for key in keys}) == 120
    assert len({key.key.reveal_bytes() for key in keys}) == 120
    assert a.stored(256) == 0
    assert len(b.collect([key.id for key in keys], master="m", slave="s")) == 120


def test_two_race_for_one_key(tmp_path):
    a, b = make(tmp_path, share=1)
    fill((a, b), some_bytes(16 + 32 * 30))
    for key in a.deliver(256, master="m", slave="s", number=30):
        got: list = []
        start = threading.Barrier(2)

        def work(key=key, got=got, start=start) -> None:
            with KeyStore.open(tmp_path / "b.db") as mine:
                start.wait()
                try:
                    got.extend(mine.collect([key.id], master="m", slave="s"))
                except UnknownKeyError:
                    got.append(None)

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(one is None for one in got) == [False, True]


def test_together_each_wish_stands_for_itself(tmp_path):
    a, _ = make(tmp_path, share=1)
    fill((a,), some_bytes(16 + 32 * 3))
    wishes = [Deliver("m", "s", 256, number) for number in (1, 5, 1, 1, 1)]
    found = a.together([*wishes, Deliver("m", "s", 13)])
    kinds = [type(one).__name__ for one in found]
    assert kinds == [
        "tuple",
        "NoKeysLeftError",
        "tuple",
        "tuple",
        "NoKeysLeftError",
        "ArgumentError",
    ]
    assert len(a.uses()) == 3
