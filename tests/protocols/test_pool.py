"""A pool hands each bit out once, in order, across parcels and threads, with what is known of it."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebit.games import ArgumentError
from ebit.protocols.pool import OutOfBitsError, Pool, PoolError, open_pool
from ebit.protocols.pool_bits import joined

SIMULATOR = "pseudo (simulator)"


def bits_of(seed: int, n: int) -> Any:
    return np.random.default_rng(seed).integers(0, 2, n, dtype=np.uint8)


def put(pool: Pool, bits: Any, **words: Any) -> str:
    given_words = {"randomness": SIMULATOR, **words}
    return pool.append(np.packbits(bits), {"bits": len(bits)}, bits=len(bits), **given_words)


def test_default_place_is_ebits_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EBIT_HOME", str(tmp_path / "own"))
    assert Pool().folder == tmp_path / "own" / "pool"
    assert not (tmp_path / "own").exists()
    with pytest.raises(ArgumentError, match="has none"):
        open_pool()
    put(Pool(), bits_of(0, 40))
    assert open_pool().available() == 40


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.integers(1, 70), min_size=1, max_size=6),
    st.lists(st.integers(1, 50), min_size=1, max_size=12),
    st.integers(0, 2**32),
)
def test_bits_come_out_in_order_and_once(
    tmp_path_factory: pytest.TempPathFactory, lots: list[int], asked: list[int], seed: int
) -> None:
    pool = Pool(tmp_path_factory.mktemp("pool") / "p")
    lists = [bits_of(seed + k, n) for k, n in enumerate(lots)]
    for bits in lists:
        put(pool, bits)
    whole, at = np.concatenate(lists), 0
    for n in asked:
        if n > len(whole) - at:
            with pytest.raises(OutOfBitsError, match=f"{n} bits were asked for"):
                pool.take(n)
            continue
        taken = pool.take(n)
        np.testing.assert_array_equal(taken.unpacked(), whole[at : at + n])
        assert np.unpackbits(taken.packed)[n:].sum() == 0
        assert sum(count for _, _, count in taken.parts) == n
        at += n
        assert pool.available() == len(whole) - at


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(1, 40)), min_size=1, max_size=5))
def test_stretches_are_joined_bit_by_bit(shapes: list[tuple[int, int]]) -> None:
    pieces, expected = [], []
    for k, (skip, count) in enumerate(shapes):
        bits = bits_of(k, skip + count + 5)
        pieces.append((np.packbits(bits).tobytes()[: (skip + count + 7) // 8], skip, count))
        expected.append(bits[skip : skip + count])
    flat = np.concatenate(expected)
    np.testing.assert_array_equal(joined(pieces, len(flat)), np.packbits(flat))


def test_certificates_and_provenance_stay(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    name = pool.append(
        b"12345678", {"bits": 64, "method": "pef", "epsilon": 2.0**-64}, randomness="device"
    )
    assert pool.certificate(name) == {"bits": 64, "method": "pef", "epsilon": 2.0**-64}
    put(pool, bits_of(1, 100))
    taken = pool.take(80)
    assert taken.to_dict() == {
        "bits": 80,
        "parts": [[name, 0, 64], [taken.parts[1][0], 0, 16]],
        "randomness": ["device", SIMULATOR],
        "secrecy": ["demonstration"],
        "demonstration": False,
    }
    assert "packed" not in repr(taken)
    assert [p.left for p in pool] == [0, 84]
    assert not (tmp_path / f"{name}.bits").exists()
    assert (tmp_path / f"{name}.json").exists()
    with pytest.raises(PoolError, match="no certificate 'x'"):
        pool.certificate("x")


def test_secrets_are_refused_or_marked(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    put(pool, bits_of(1, 300))
    put(pool, bits_of(2, 50), randomness="device", secrecy="one chip in this room")
    put(pool, bits_of(3, 50), randomness="device")
    assert (pool.available(), pool.available(secret=True)) == (400, 50)
    with pytest.raises(OutOfBitsError, match=r"of the 400 in .* only 50 may serve"):
        pool.take(51, secret=True)
    kept = pool.take(20, secret=True)
    np.testing.assert_array_equal(kept.unpacked(), bits_of(2, 50)[:20])
    assert (kept.secrecy, kept.demonstration) == (("one chip in this room",), False)
    shown = pool.take(20, secret=True, demonstration=True)
    assert (shown.secrecy, shown.demonstration) == (("demonstration",), True)
    assert pool.take(5).demonstration is False


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
def test_only_the_owner_reads(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        pool = Pool(tmp_path / "deep" / "pool")
        put(pool, bits_of(1, 300))
    finally:
        os.umask(old)
    assert stat.S_IMODE(pool.folder.stat().st_mode) == 0o700
    files = list(pool.folder.iterdir())
    assert len(files) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_same_bits_come_in_once(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    put(pool, bits_of(1, 200))
    pool.take(200)
    with pytest.raises(ArgumentError, match=r"these 200 are in .* or were taken"):
        put(pool, bits_of(1, 200))
    assert len([p for p in tmp_path.iterdir() if p.suffix == ".json"]) == 1
    put(pool, bits_of(1, 64))
    put(pool, bits_of(1, 64))  # too few to be told from chance
    assert pool.available() == 128


def test_tops_itself_up(tmp_path: Path) -> None:
    asked: list[int] = []

    def top_up(pool: Pool, missing: int) -> None:
        asked.append(missing)
        put(pool, bits_of(len(asked), missing + 10))

    pool = Pool(tmp_path, low_water=100, top_up=top_up)
    first = pool.take(30)
    np.testing.assert_array_equal(first.unpacked(), bits_of(1, 140)[:30])
    assert asked == [130]
    pool.take(10)
    assert asked == [130]
    pool.take(1)
    assert asked == [130, 1]
    assert pool.available() >= 100


def test_a_top_up_that_fails_is_told(tmp_path: Path) -> None:
    def failing(pool: Pool, missing: int) -> None:
        raise ArgumentError(f"no shots for {missing} bits")

    pool = Pool(tmp_path, low_water=50, top_up=failing)
    put(pool, bits_of(1, 40))
    with pytest.warns(RuntimeWarning, match="was not topped up .no shots for 40 bits.; 40 bits"):
        assert pool.take(30).n == 30
    with pytest.raises(ArgumentError, match="no shots for 70 bits"):
        pool.take(30)
    assert pool.available() == 10
    lazy = Pool(tmp_path, top_up=lambda pool, missing: None)
    with pytest.raises(OutOfBitsError, match="its top_up brought too few"):
        lazy.take(11)


def test_up_to_takes_a_multiple(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    put(pool, bits_of(1, 200))
    assert pool.take_up_to(70, multiple=32).n == 64
    assert pool.take_up_to(1000, multiple=32).n == 128
    assert pool.take_up_to(1000).n == 8
    with pytest.raises(OutOfBitsError):
        pool.take_up_to(1)


def test_no_bit_can_be_given_back(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    put(pool, bits_of(1, 200))
    pool.take(100)
    db = sqlite3.connect(tmp_path / "pool.sqlite")
    for taken in (100, 50, 0, 201):
        with pytest.raises(sqlite3.IntegrityError):
            db.execute("UPDATE parcels SET taken = ?", (taken,))
    db.close()


def test_damage_is_told(tmp_path: Path) -> None:
    pool = Pool(tmp_path / "a")
    name = put(pool, bits_of(1, 800))
    (pool.folder / f"{name}.bits").write_bytes(b"short")
    with pytest.raises(PoolError, match="must hold 800 bits, but ends after 40"):
        pool.take(100)
    (pool.folder / f"{name}.bits").unlink()
    with pytest.raises(PoolError, match="cannot be read"):
        pool.take(100)
    assert pool.available() == 800  # nothing was handed out
    other = Pool(tmp_path / "b")
    other.folder.mkdir()
    (other.folder / "pool.sqlite").write_bytes(b"no database at all, but long enough" * 40)
    with pytest.raises(PoolError, match="cannot be used") as caught:
        other.take(1)
    assert "\n" not in str(caught.value)
    foreign = Pool(tmp_path / "c")
    foreign.folder.mkdir()
    db = sqlite3.connect(foreign.folder / "pool.sqlite")
    db.execute("CREATE TABLE mine (x)")
    db.commit()
    db.close()
    with pytest.raises(PoolError, match="some other program's database"):
        put(foreign, bits_of(1, 10))
    (tmp_path / "file").write_text("")
    with pytest.raises(PoolError, match="cannot be made"):
        put(Pool(tmp_path / "file"), bits_of(1, 10))


def test_leftovers_are_tidied(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    name = put(pool, bits_of(1, 64))
    spent = put(pool, bits_of(2, 64))
    for path, age in (("lost.bits", 1e6), ("lost.json", 1e6), ("new.bits", 0), (".x.tmp", 1e6)):
        file = tmp_path / path
        file.write_bytes(b"x")
        then = file.stat().st_mtime - age
        os.utime(file, (then, then))
    (tmp_path / "notes.txt").write_text("mine")
    pool.take(64)
    (tmp_path / f"{name}.bits").write_bytes(b"12345678")  # as if killed before it was removed
    assert pool.tidy() == 4
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {
        "pool.sqlite",
        f"{name}.json",
        f"{spent}.json",
        f"{spent}.bits",
        "new.bits",
        "notes.txt",
    }


def test_threads_share_no_bit(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    whole = np.arange(1, 401, dtype=">u2")  # every 16 bits tell their place
    pool.append(whole.tobytes(), {}, randomness=SIMULATOR)
    found: list[int] = []

    def work() -> None:
        for _ in range(10):
            found.extend(np.frombuffer(pool.take(80).packed.tobytes(), ">u2").tolist())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == whole.tolist()


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (lambda p: p.take(0), "bits must be a whole number of at least 1, but was 0"),
        (lambda p: p.take("8"), "but was '8'"),
        (lambda p: p.take(True), "but was True"),
        (lambda p: p.append(b"", {}, randomness=SIMULATOR), "bits must be from 1 to 0"),
        (lambda p: p.append(b"ab", {}, randomness=SIMULATOR, bits=17), "from 1 to 16"),
        (lambda p: p.append(b"ab", {"bits": 15}, randomness=SIMULATOR), "at most 15"),
        (lambda p: p.append([0.5], {}, randomness=SIMULATOR), "packed must be bytes or uint8"),
        (lambda p: p.append(b"ab", "pef", randomness=SIMULATOR), "certificate must be plain data"),
        (lambda p: p.append(b"ab", {"x": {1}}, randomness=SIMULATOR), "certificate must be plain"),
        (lambda p: p.append(b"ab", {"x": np.nan}, randomness=SIMULATOR), "certificate must be"),
        (lambda p: p.append(b"ab", {}, randomness="true"), "randomness must be"),
        (
            lambda p: p.append(b"ab", {}, randomness=SIMULATOR, secrecy="secret"),
            "must be 'demonstration' for bits from a simulator",
        ),
        (lambda p: p.append(b"ab", {}, randomness="device", secrecy=""), "secrecy must be a word"),
        (lambda p: Pool(p.folder, low_water=-1), "low_water must be"),
        (lambda p: Pool(p.folder, low_water=5), "nothing tops the pool up"),
        (lambda p: Pool(p.folder, top_up=3), "top_up must be a function"),
    ],
)
def test_bad_pool_input_is_one_line(
    work: Callable[[Any], object], words: str, tmp_path: Path
) -> None:
    pool = Pool(tmp_path)
    with pytest.raises(ArgumentError, match=words) as caught:
        work(pool)
    assert "\n" not in str(caught.value)
    assert not pool.available()


def test_an_empty_pool_says_so(tmp_path: Path) -> None:
    with pytest.raises(OutOfBitsError, match=r"8 bits were asked for, but .* has 0|holds no bits"):
        Pool(tmp_path / "none").take(8)
    assert not (tmp_path / "none").exists()
