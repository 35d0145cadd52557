"""Where keys for uses come from: each stretch once, at both ends, from a file or a store."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import uuid
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from ebit.games import ArgumentError, EbitError, RefusedError
from ebit.protocols.key_result import save_key
from ebit.protocols.key_store import KeyStore
from ebit.protocols.key_uses import (
    KeyFile,
    KeyFileError,
    SpentError,
    StoreKeys,
    decrypt_file,
    encrypt_file,
)
from ebit.protocols.secret_bits import SecretBits

pytest.importorskip("cryptography")

ID = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"


def bits(seed: int = 1, size: int = 256) -> SecretBits:
    return SecretBits.of_bytes(np.random.default_rng(seed).bytes(size // 8))


def owner_only(path: Path) -> bool:
    return os.name != "posix" or path.stat().st_mode & 0o077 == 0


@pytest.fixture
def ends(tmp_path: Path) -> tuple[Path, Path]:
    """The same key of 2,000 bits at two ends."""
    for name in ("alice", "bob"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "key").write_bytes(bits(size=2000).reveal_bytes())
    return tmp_path / "alice" / "key", tmp_path / "bob" / "key"


def test_both_ends_have_the_same_bits_once(ends: tuple[Path, Path]) -> None:
    alice, bob = KeyFile(ends[0]), KeyFile(ends[1])
    seen = []
    for number in range(4):
        name, key = alice.take(256, "a file")
        assert name == f"key#{256 * number}+256"
        assert KeyFile(ends[1]).find(name, "a file") == key
        assert bob.find(name, "a file") == key  # for the same thing, again
        seen.append(key.reveal_bytes())
        with pytest.raises(SpentError, match="used before, for a file"):
            bob.find(name, "a tag")
    assert len(set(seen)) == 4
    assert alice.left() == bob.left() == 2000 - 4 * 256
    with pytest.raises(SpentError, match="not the only one: give --side alice"):
        bob.take(256, "a file")
    with pytest.raises(KeyFileError, match=r"976 bits left.*1000 are needed"):
        KeyFile(ends[0]).take(1000, "a file")
    assert owner_only(ends[0].with_name("key.used"))


def test_halves_do_not_meet(ends: tuple[Path, Path]) -> None:
    names = [KeyFile(ends[0]).take(248, "x", side="alice")[0] for _ in range(4)]
    names += [KeyFile(ends[1]).take(248, "x", side="bob")[0] for _ in range(4)]
    spans = [tuple(map(int, name.partition("#")[2].split("+"))) for name in names]
    taken = sorted((first, first + size) for first, size in spans)
    assert all(end <= start for (_, end), (start, _) in pairwise(taken))
    with pytest.raises(KeyFileError, match="left for alice"):
        KeyFile(ends[0]).take(248, "x", side="alice")
    for name in names[4:]:
        KeyFile(ends[0]).find(name, "x")


def test_a_stretch_that_is_not_accepted_stays_unused(ends: tuple[Path, Path]) -> None:
    name, key = KeyFile(ends[0]).take(256, "a tag")

    def refuse(_: SecretBits) -> None:
        raise EbitError("forged")

    bob = KeyFile(ends[1])
    with pytest.raises(EbitError, match="forged"):
        bob.find(name, "a tag", accept=refuse)
    assert bob.left() == 2000
    got: list[SecretBits] = []
    bob.find(name, "a tag", accept=got.append, once=True)
    assert got == [key]
    with pytest.raises(SpentError, match="this is a replay"):
        bob.find(name, "a tag", accept=got.append, once=True)


def test_threads_that_take_at_once_get_different_bits(ends: tuple[Path, Path]) -> None:
    names: list[str] = []

    def take() -> None:
        with contextlib.suppress(KeyFileError):
            while True:
                names.append(KeyFile(ends[0]).take(128, "x")[0])

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names) == len(set(names)) == 2000 // 128


@pytest.mark.parametrize(
    "name", ["other#0+256", "key#0+0", "key#1+256", "key#1999+8", "x", "key#0+2008"]
)
def test_names_of_other_keys(ends: tuple[Path, Path], name: str) -> None:
    with pytest.raises(ArgumentError, match=r"the key .* was asked for"):
        KeyFile(ends[0]).find(name, "x")


def test_overlapping_stretches_are_refused(ends: tuple[Path, Path]) -> None:
    KeyFile(ends[0]).find("key#256+256", "x")
    for name in ("key#0+264", "key#504+8", "key#256+8", "key#0+2000"):
        with pytest.raises(SpentError):
            KeyFile(ends[0]).find(name, "x")
    KeyFile(ends[0]).find("key#0+256", "x")


def test_a_damaged_count_gives_no_key(ends: tuple[Path, Path]) -> None:
    ends[0].with_name("key.used").write_bytes(b"no database at all" * 100)
    with pytest.raises(KeyFileError, match="no key was given out"):
        KeyFile(ends[0]).take(256, "x")


def test_keys_of_a_demonstration_need_to_be_asked_for(tmp_path: Path) -> None:
    save_key(tmp_path / "k", bits(size=512), {"secrecy": "demonstration", "key_id": "lab-7"})
    with pytest.raises(RefusedError, match="--demonstration"):
        KeyFile(tmp_path / "k")
    keys = KeyFile(tmp_path / "k", demonstration=True)
    assert keys.secrecy == "demonstration"
    assert keys.take(256, "x")[0] == "lab-7#0+256"
    with pytest.raises(ArgumentError, match="without space"):
        KeyFile(tmp_path / "k", demonstration=True, name="a b")
    with pytest.raises(ArgumentError, match="positive multiple of 8, but was 7"):
        keys.take(7, "x")
    with pytest.raises(ArgumentError, match="sole, alice or bob, but was 'eve'"):
        keys.take(8, "x", side="eve")  # type: ignore[arg-type]


def test_a_store_serves_as_well(tmp_path: Path) -> None:
    stores = []
    for me, peer in (("kme-a", "kme-b"), ("kme-b", "kme-a")):
        store = KeyStore.create(tmp_path / f"{me}.db", kme=me, peer=peer, demonstration=True)
        store.add(bits(3, 4096), origin={}, secrecy="demonstration", block=uuid.UUID(ID))
        stores.append(store)
    alice = StoreKeys(stores[0], me="alice", peer="bob")
    bob = StoreKeys(stores[1], me="bob", peer="alice")
    (tmp_path / "m").write_bytes(b"hello")
    name, key = alice.take(256, "a file")
    encrypt_file(tmp_path / "m", tmp_path / "c", key, key_id=name)
    decrypt_file(tmp_path / "c", tmp_path / "p", lambda key_id: bob.find(key_id, "a file"))
    assert (tmp_path / "p").read_bytes() == b"hello"
    assert bob.secrecy == "demonstration"
    with pytest.raises(EbitError):
        bob.find(name, "a file")
    with pytest.raises(ArgumentError, match="UUID"):
        bob.find("key#0+256", "a file")
    for store in stores:
        store.close()


def test_another_key_in_the_file_begins_a_new_count(ends: tuple[Path, Path]) -> None:
    KeyFile(ends[0]).take(1600, "x")
    assert KeyFile(ends[0]).left() == 400
    ends[0].write_bytes(bits(2, 2000).reveal_bytes())
    assert KeyFile(ends[0]).left() == 2000
    ends[0].write_bytes(bits(size=2000).reveal_bytes())
    assert KeyFile(ends[0]).left() == 400


def test_what_this_end_took_is_no_news_from_the_other(ends: tuple[Path, Path]) -> None:
    for side in ("sole", "alice"):
        name, _ = KeyFile(ends[0]).take(256, "a tag", side=side)  # type: ignore[arg-type]
        for _ in range(2):
            with pytest.raises(SpentError, match=r"this end's own.*: give --side alice at one end"):
                KeyFile(ends[0]).find(name, "a tag")
    with pytest.raises(SpentError, match="this end's own"):
        KeyFile(ends[0]).find("key#256+8", "a tag")  # within


def test_both_ends_that_say_sole_are_told(ends: tuple[Path, Path]) -> None:
    alice, bob = KeyFile(ends[0]), KeyFile(ends[1])
    names = [end.take(256, "a file")[0] for end in (alice, bob)]
    for end, name in zip((bob, alice), names, strict=True):
        with pytest.raises(SpentError, match="both ends take from the same half"):
            end.find(name, "a file")


def test_a_side_finds_in_the_other_half_only(ends: tuple[Path, Path]) -> None:
    bob = KeyFile(ends[1])
    for name in ("key#1000+8", "key#1992+8", "key#992+16", "key#0+2000"):
        with pytest.raises(SpentError, match="this end's own"):
            bob.find(name, "x", side="bob")
    bob.find("key#992+8", "x", side="bob")
    KeyFile(ends[0]).find("key#1000+8", "x", side="alice")
    with pytest.raises(ArgumentError, match="sole, alice or bob"):
        bob.find("key#0+8", "x", side="eve")  # type: ignore[arg-type]
    assert bob.left(side="bob") == 1000


def test_a_made_up_name_empties_nothing(ends: tuple[Path, Path]) -> None:
    bob = KeyFile(ends[1])
    bob.find("key#1744+256", "x")  # the end of Bob's half, before he says which is his
    assert bob.left(side="bob") == 744
    names = [bob.take(248, "x", side="bob")[0] for _ in range(3)]
    assert names == ["key#1000+248", "key#1248+248", "key#1496+248"]
    with pytest.raises(KeyFileError, match="0 bits left for bob"):
        bob.take(8, "x", side="bob")
    alice = KeyFile(ends[0])
    alice.find("key#80+8", "x")
    assert alice.take(80, "x", side="alice")[0] == "key#0+80"
    assert alice.take(16, "x", side="alice")[0] == "key#88+16"


def test_the_count_of_one_key_is_not_anothers(ends: tuple[Path, Path]) -> None:
    KeyFile(ends[1]).find("key#0+256", "x", once=True)
    KeyFile(ends[1]).take(256, "y", side="bob")
    ends[1].write_bytes(bits(2, 2000).reveal_bytes())
    for name in ("key#0+256", "key#1000+256"):
        KeyFile(ends[1]).find(name, "z", once=True)


@pytest.mark.skipif(os.name != "posix", reason="symbolic links need rights elsewhere")
def test_a_symbolic_link_shares_the_count_and_the_secrecy(tmp_path: Path) -> None:
    save_key(tmp_path / "k", bits(size=512), {"secrecy": "demonstration"})
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "link"
    link.symlink_to(tmp_path / "k")
    with pytest.raises(RefusedError, match="--demonstration"):
        KeyFile(link)
    names = [KeyFile(path, demonstration=True).take(256, "x")[0] for path in (tmp_path / "k", link)]
    assert names == ["key#0+256", "key#256+256"]


def test_a_sidecar_that_is_nested_too_deeply(tmp_path: Path) -> None:
    (tmp_path / "k").write_bytes(bytes(64))
    (tmp_path / "k.json").write_text("[" * 100_000)
    with pytest.raises(ArgumentError, match="must say how secret the key is, but is"):
        KeyFile(tmp_path / "k")


@pytest.mark.slow
def test_a_taker_that_is_killed_hands_out_nothing_twice(ends: tuple[Path, Path]) -> None:
    code = (
        "import sys; from ebit.protocols.key_uses import KeyFile; keys = KeyFile(sys.argv[1])\n"
        "while True: print(keys.take(8, 'x')[0], flush=True)"
    )
    names: list[str] = []
    for seen in (3, 5, 8):
        taker = subprocess.Popen(
            [sys.executable, "-P", "-c", code, ends[0]], stdout=subprocess.PIPE, text=True
        )
        assert taker.stdout is not None
        lines = [taker.stdout.readline() for _ in range(seen)]
        taker.kill()
        lines += taker.stdout.readlines()
        taker.wait()
        names += [line.strip() for line in lines if line.endswith("\n")]
    assert len(names) == len(set(names)) >= 16
    left = KeyFile(ends[0]).left()
    assert left <= 2000 - 8 * len(names)  # what was printed is counted, and perhaps one more each
    assert left >= 2000 - 8 * (len(names) + 3)
