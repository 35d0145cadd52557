"""Certified bits as numpy's bit generator: exact order, exact use, no bit twice, what it refuses."""

from __future__ import annotations

import copy
import pickle
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ebit.games import ArgumentError
from ebit.protocols import bit_tap
from ebit.protocols.bit_generator import EbitBits
from ebit.protocols.pool import OutOfBitsError, Pool
from tests.killing import in_child, needs_fork

SIMULATOR = "pseudo (simulator)"


def some_bytes(n: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).bytes(n)


def generator(data: bytes) -> np.random.Generator:
    return np.random.Generator(EbitBits(data))


@pytest.mark.parametrize("kind", ["bytes", "array", "file", "taken", "pool"])
def test_raw_numbers_are_the_bits_in_order(kind: str, tmp_path: Path) -> None:
    data = some_bytes(8 * 20_000)  # more than the buffer holds
    source: Any = data
    if kind == "array":
        source = np.frombuffer(data, dtype=np.uint8)
    elif kind == "file":
        source = tmp_path / "bits"
        source.write_bytes(data)
    elif kind != "bytes":
        source = Pool(tmp_path / "pool")
        source.append(data, {}, randomness=SIMULATOR)
        if kind == "taken":
            source = source.take(8 * len(data))
    bits = EbitBits(source)
    first = bits.random_raw()
    rest = np.concatenate([bits.random_raw(7), bits.random_raw((3, 4)).ravel()])
    whole = [first, *rest.tolist(), *bits.random_raw(20_000 - 20).tolist()]
    assert whole == np.frombuffer(data, ">u8").tolist()
    assert bits.state["drawn_bits"] == 8 * len(data)
    with pytest.raises(OutOfBitsError):
        bits.random_raw()


def test_numbers_take_the_bits_that_are_stated() -> None:
    data = some_bytes(4096, 3)
    words = np.frombuffer(data, ">u4").astype(np.uint64)
    wide = np.frombuffer(data, ">u8").astype(np.uint64)

    def used(work: Callable[[np.random.Generator], Any]) -> tuple[Any, int]:
        bits = EbitBits(data)
        found = work(np.random.Generator(bits))
        return found, bits.state["drawn_bits"]

    found, n = used(lambda g: g.random(10))
    np.testing.assert_array_equal(found, (wide[:10] >> np.uint64(11)) * 2.0**-53)
    assert n == 640
    found, n = used(lambda g: g.random(10, dtype=np.float32))
    np.testing.assert_array_equal(found, (words[:10] >> np.uint64(8)).astype(np.float32) * 2.0**-24)
    assert n == 320
    found, n = used(lambda g: g.integers(0, 2**32, 10, dtype=np.uint64))
    np.testing.assert_array_equal(found, words[:10])
    assert n == 320
    found, n = used(lambda g: g.integers(0, 2**64, 10, dtype=np.uint64))
    np.testing.assert_array_equal(found, wide[:10])
    assert n == 640
    found, n = used(lambda g: g.integers(0, 256, 12, dtype=np.uint8))
    assert n == 96
    np.testing.assert_array_equal(found, np.frombuffer(data[:12], ">u4").astype("<u4").view("u1"))
    found, n = used(lambda g: g.integers(0, 1 << 16, 9))
    np.testing.assert_array_equal(found, words[:9] >> np.uint64(16))
    assert n == 288
    _, n = used(lambda g: g.normal(size=20))
    assert n >= 20 * 64
    assert n % 64 == 0
    _, n = used(lambda g: g.permutation(30))
    assert n >= 29 * 32
    _, n = used(lambda g: g.bytes(64))
    assert n == 512


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([32, 64]), min_size=1, max_size=40))
def test_words_and_double_words_mix(sizes: list[int]) -> None:
    data = some_bytes(400, 5)
    rng, at = generator(data), 0
    for size in sizes:
        kind = np.uint32 if size == 32 else np.uint64
        found = rng.integers(0, 2**size, dtype=kind)
        assert int(found) == int.from_bytes(data[at : at + size // 8], "big")
        at += size // 8


@pytest.mark.parametrize(
    ("draw", "law"),
    [
        (lambda g, n: g.random(n), stats.uniform().cdf),
        (lambda g, n: g.normal(size=n), stats.norm().cdf),
        (lambda g, n: g.exponential(size=n), stats.expon().cdf),
        (lambda g, n: g.standard_gamma(2.5, n), stats.gamma(2.5).cdf),
    ],
)
def test_laws_are_those_of_numpy(draw: Any, law: Any) -> None:
    found = draw(generator(some_bytes(1 << 20, 11)), 20_000)
    assert stats.kstest(found, law).pvalue > 1e-4


def test_integers_and_orders_are_uniform() -> None:
    rng = generator(some_bytes(1 << 20, 12))
    assert stats.chisquare(np.bincount(rng.integers(0, 37, 50_000))).pvalue > 1e-4
    places = np.array([rng.permutation(5) for _ in range(5000)])
    for k in range(5):
        assert stats.chisquare(np.bincount(places[:, k])).pvalue > 1e-4
    legacy = np.random.RandomState(EbitBits(some_bytes(8000)))  # type: ignore[arg-type]
    assert 0.4 < legacy.random_sample(500).mean() < 0.6


def test_two_generators_of_one_pool_share_no_bit(tmp_path: Path) -> None:
    words = np.arange(1, 40_001, dtype=">u8")
    pool = Pool(tmp_path)
    pool.append(words.tobytes(), {}, randomness=SIMULATOR)
    made = [EbitBits(pool) for _ in range(3)]
    found: list[int] = []
    for k in range(300):
        found += made[k % 3].random_raw(k % 7 + 1).tolist()
    assert len(set(found)) == len(found)
    assert set(found) <= set(words.tolist())
    waiting = sum(bits.state["waiting_bits"] for bits in made)
    assert 64 * len(found) + waiting + pool.available() == 64 * 40_000


def test_threads_share_no_bit_of_a_generator() -> None:
    words = np.arange(1, 30_001, dtype=">u8")
    rng = np.random.Generator(EbitBits(words.tobytes()))
    found: list[int] = []

    def work() -> None:
        for k in range(200):
            found.extend(rng.integers(0, 2**64, k % 25 + 1, dtype=np.uint64).tolist())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(set(found)) == 8 * 200 * 13
    assert set(found) == set(range(1, len(found) + 1))


@needs_fork
def test_a_forked_child_repeats_nothing(tmp_path: Path) -> None:
    pool = Pool(tmp_path / "pool")
    pool.append(np.arange(1, 5001, dtype=">u8").tobytes(), {}, randomness=SIMULATOR)
    bits, fixed = EbitBits(pool), EbitBits(some_bytes(800))
    had = bits.random_raw(5).tolist()
    fixed.random_raw(5)
    out = tmp_path / "child"

    def child() -> None:
        np.array(bits.random_raw(50)).tofile(out)
        with pytest.raises(OutOfBitsError, match="a forked child must"):
            fixed.random_raw()

    assert in_child(child) == 0
    had += bits.random_raw(50).tolist()
    theirs = np.fromfile(out, np.uint64).tolist()
    assert not set(had) & set(theirs)
    assert len(set(had)) == 55
    assert fixed.random_raw() >= 0  # the parent goes on


def test_ctypes_interface_draws_from_the_same_bits() -> None:
    data = some_bytes(24)
    bits = EbitBits(data)
    interface = bits.ctypes
    first, second, third = np.frombuffer(data, ">u8").tolist()
    assert interface.next_uint64(interface.state) == first
    assert interface.next_uint32(interface.state) == second >> 32
    assert bits.random_raw() == (second & 0xFFFFFFFF) << 32 | third >> 32


def test_used_bits_leave_the_memory() -> None:
    bits = EbitBits(b"\xff" * 64)
    bits.random_raw(4)
    buffer = bits._tap._array[bit_tap._HEAD :]
    assert (buffer[:8] == 0).all()
    assert (buffer[8:16] == 0xFFFFFFFF).all()


def test_state_tells_and_cannot_be_set() -> None:
    bits = EbitBits(some_bytes(64))
    bits.random_raw(2)
    assert bits.state == {
        "bit_generator": "EbitBits",
        "source": "512 bits",
        "randomness": ["not known"],
        "drawn_bits": 128,
        "waiting_bits": 384,
    }
    assert repr(bits) == "EbitBits(512 bits)"


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (lambda b: setattr(b, "state", {}), "state must be left alone"),
        (lambda b: b.seed_seq, "no seed"),
        (lambda b: b.spawn(2), "cannot be spawned into 2"),
        (lambda b: np.random.Generator(b).spawn(2), "cannot be spawned"),
        (lambda b: b.jumped(), "cannot jump"),
        (pickle.dumps, "cannot be pickled"),
        (lambda b: pickle.dumps(np.random.Generator(b)), "cannot be pickled"),
        (copy.copy, "cannot be pickled or copied"),
        (copy.deepcopy, "cannot be pickled or copied"),
        (lambda b: EbitBits(b"abc"), "source must hold at least 32 bits, but holds 24"),
        (lambda b: EbitBits(b"abcdefgh", bits=65), "bits must be at most 64"),
        (lambda b: EbitBits(b"abcdefgh", bits=0), "bits must be a whole number"),
        (lambda b: EbitBits(3), "source must be a pool, taken bits, a file"),
        (lambda b: EbitBits(np.zeros(9)), "packed must be bytes or uint8"),
        (lambda b: EbitBits("/none/such"), "cannot be read: there is no such file"),
        (lambda b: EbitBits(Pool("/none/such"), bits=3), "bits must be left out for a pool"),
    ],
)
def test_what_it_is_not_is_refused(work: Callable[[Any], object], words: str) -> None:
    with pytest.raises(ArgumentError, match=words) as caught:
        work(EbitBits(some_bytes(64)))
    assert "\n" not in str(caught.value)


def test_speed_is_near_numpys_own() -> None:
    rng, own = generator(some_bytes(8 << 20)), np.random.default_rng(1)
    rng.random(1000)
    begun = time.perf_counter()
    rng.random(900_000)
    middle = time.perf_counter()
    own.random(900_000)
    ended = time.perf_counter()
    print(f"\n900,000 doubles: {middle - begun:.4f} s, PCG64 {ended - middle:.4f} s")
    assert middle - begun < 0.5
