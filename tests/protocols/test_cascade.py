"""Cascade: equal keys for any errors, the leak told bit by bit, and what Bob's replies depend on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebit.games import ArgumentError
from ebit.protocols.cascade import Reconciled, cascade_alice, cascade_bob
from ebit.protocols.conversation import HEAD_BYTES, Ending, converse, read_head
from ebit.protocols.verification import verify_alice, verify_bob

Bits = npt.NDArray[np.uint8]


def entropy(q: float) -> float:
    return -q * math.log2(q) - (1 - q) * math.log2(1 - q)


def run(
    key: Bits, noisy: Bits, qber: float, seed: int, **more: Any
) -> tuple[Ending[Reconciled], Ending[Reconciled]]:
    rng = np.random.default_rng(seed)
    return converse(
        cascade_alice(key, qber=qber, random=rng.bytes, leak_cap=more.get("alice_cap")),
        cascade_bob(noisy, qber=qber, random=rng.bytes, leak_cap=more.get("bob_cap")),
    )


def bodies(frames: list[bytes], kind: str) -> list[bytes]:
    """The bodies of the frames of a kind, parsed anew."""
    found = []
    for frame in frames:
        length = read_head(frame[:HEAD_BYTES])[0]
        if frame[HEAD_BYTES : HEAD_BYTES + length].decode() == kind:
            found.append(frame[HEAD_BYTES + length :])
    return found


def told(frames: list[bytes], kind: str) -> list[list[int]]:
    """The bits of each body: its first byte says how many of the last byte are unused."""
    return [
        np.unpackbits(np.frombuffer(body[1:], np.uint8))[
            : 8 * (len(body) - 1) - (body[0] & 7)
        ].tolist()
        for body in bodies(frames, kind)
    ]


def joined(frames: list[bytes]) -> Bits:
    """All parities that were told, one after another."""
    return np.array([bit for body in told(frames, "parities") for bit in body], np.uint8)


def frame(n: int, q: float, seed: int) -> tuple[Bits, Bits]:
    rng = np.random.default_rng(seed)
    key = rng.integers(0, 2, n, np.uint8)
    return key, key ^ (rng.random(n) < q)


@given(
    st.integers(1, 64).flatmap(
        lambda n: st.tuples(*[st.lists(st.integers(0, 1), min_size=n, max_size=n)] * 2)
    ),
    st.sampled_from([0.0, 1e-6, 0.01, 0.05, 0.11, 0.25, 0.49]),
    st.integers(0, 2**32),
)
@settings(deadline=None, max_examples=300)
def test_any_two_small_keys(pair: tuple[list[int], list[int]], qber: float, seed: int) -> None:
    key, noisy = (np.array(bits, np.uint8) for bits in pair)
    a, b = run(key, noisy, qber, seed)
    ours, theirs = a.result(), b.result()
    assert (theirs.bits == key).all()
    assert (ours.bits == key).all()
    assert theirs.errors_corrected == ours.errors_corrected == int((key != noisy).sum())
    assert not ours.capped
    assert not theirs.capped


PATTERNS = {
    "none": lambda n, rng: np.zeros(n, bool),
    "all": lambda n, rng: np.ones(n, bool),
    "one": lambda n, rng: np.arange(n) == n // 3,
    "burst": lambda n, rng: (np.arange(n) >= n // 2) & (np.arange(n) < n // 2 + n // 20),
    "every other": lambda n, rng: np.arange(n) % 2 == 0,
    "first and last": lambda n, rng: (np.arange(n) == 0) | (np.arange(n) == n - 1),
    "a third": lambda n, rng: rng.random(n) < 1 / 3,
}


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("qber", [0.0, 0.005, 0.05, 0.3])
@pytest.mark.parametrize("n", [1000, 4097])
def test_any_pattern_and_any_guess_of_the_rate(pattern: str, qber: float, n: int) -> None:
    rng = np.random.default_rng(n)
    key = rng.integers(0, 2, n, np.uint8)
    noisy = key ^ PATTERNS[pattern](n, rng)
    before = noisy.copy()
    a, b = run(key, noisy, qber, 7)
    assert (b.result().bits == key).all()
    assert (noisy == before).all()
    assert a.end.leaked == b.result().leak_bits == a.result().leak_bits


@pytest.mark.parametrize("n", [63, 1000, 10_007])
def test_the_leak_is_every_parity_on_the_channel(n: int) -> None:
    key, noisy = frame(n, 0.05, n)
    a, b = run(key, noisy, 0.05, 1)
    parities, replies = told(a.end.sent, "parities"), told(a.end.received, "differences")
    made = b.result()
    assert sum(map(len, parities)) == made.leak_bits == a.end.leaked
    assert sum(map(len, replies)) == made.reply_bits
    assert b.end.leaked == 0
    assert len(parities) == len(replies) == made.message_rounds
    # Nothing else is said: sizes, seeds, and one byte for each body.
    assert len(bodies(a.end.sent, "order")) == len(bodies(b.end.sent, "reconcile")) == 1
    assert len(a.end.sent) == 1 + made.message_rounds
    assert len(b.end.sent) == 1 + made.message_rounds


def test_replies_depend_on_the_errors_alone_and_few_parities_are_implied() -> None:
    """The keys K + u and their noisy copies get the same replies; Alice's parities differ by M u."""
    n = 192
    key, noisy = frame(n, 0.06, 3)
    a, b = run(key, noisy, 0.06, 5)
    base = joined(a.end.sent)
    replies = bodies(b.end.sent, "differences")
    columns = []
    for k in range(n):
        unit = (np.arange(n) == k).astype(np.uint8)
        other, same = run(key ^ unit, noisy ^ unit, 0.06, 5)
        assert bodies(same.end.sent, "differences") == replies
        columns.append(joined(other.end.sent) ^ base)
    matrix = np.array(columns).T  # a row for each parity told
    assert (matrix.astype(int) @ key % 2 == base).all()  # and they are parities: linear
    rank, rows = 0, [int("".join(map(str, row)), 2) for row in matrix]
    while rows:  # elimination over GF(2)
        pivot = rows.pop()
        if pivot:
            rank += 1
            low = pivot & -pivot
            rows = [row ^ pivot if row & low else row for row in rows]
    assert rank >= len(base) - 5
    assert int(matrix.sum(1).min()) >= 1


def test_the_same_seeds_give_the_same_transcript() -> None:
    """Two sides with different releases of numpy must lay the same blocks: the order is pinned."""
    key = (np.arange(5000) * 7 // 3 % 2).astype(np.uint8)
    noisy = key ^ (np.arange(5000) % 37 == 5)
    a, b = converse(
        cascade_alice(key, qber=0.03, random=lambda size: bytes(range(size))),
        cascade_bob(noisy, qber=0.03, random=lambda size: bytes(range(100, 100 + size))),
    )
    assert (b.result().bits == key).all()
    assert a.end.digest() == b.end.digest()
    assert a.end.digest().hex()[:16] == "e422bac53ee60cbc"


@pytest.mark.parametrize("side", ["alice_cap", "bob_cap"])
@pytest.mark.parametrize("cap", [0, 1, 137, 300, 1000])
def test_a_cap_stops_both_sides(side: str, cap: int) -> None:
    key, noisy = frame(5000, 0.05, 2)
    a, b = run(key, noisy, 0.05, 3, **{side: cap})
    for ending in (a, b):
        assert ending.result().capped
        assert ending.result().leak_bits <= cap
    assert a.end.leaked == a.result().leak_bits == b.result().leak_bits
    assert "cap" in str(b.result())


@pytest.mark.parametrize("side", ["alice_cap", "bob_cap"])
def test_a_cap_that_suffices_changes_nothing(side: str) -> None:
    key, noisy = frame(5000, 0.05, 2)
    leak = run(key, noisy, 0.05, 3)[1].result().leak_bits
    assert not run(key, noisy, 0.05, 3, **{side: leak})[1].result().capped
    a, b = run(key, noisy, 0.05, 3, **{side: leak - 1})
    assert a.result().capped
    assert b.result().capped


def test_result_shows_no_bits() -> None:
    key, noisy = frame(512, 0.05, 2)
    made = run(key, noisy, 0.05, 3)[1].result()
    assert "array" not in repr(made)
    assert made.to_dict()["bits"] == 512
    assert made.f == pytest.approx(made.leak_bits / (512 * entropy(made.error_rate)))
    assert "512 bits: done" in str(made)
    assert run(key, key, 0.05, 3)[1].result().f is None


@pytest.mark.parametrize(
    ("bits", "more", "words"),
    [
        (np.zeros(0, np.uint8), {}, "at least one"),
        (np.full(4, 2, np.uint8), {}, "up to 2"),
        (np.zeros(4, np.int64), {}, "uint8"),
        (np.zeros((2, 2), np.uint8), {}, r"\(2, 2\)"),
        ([0, 1], {}, "list"),
        (np.zeros(4, np.uint8), {"qber": 0.5}, "below 0.5"),
        (np.zeros(4, np.uint8), {"qber": -0.1}, "-0.1"),
        (np.zeros(4, np.uint8), {"qber": math.nan}, "nan"),
        (np.zeros(4, np.uint8), {"leak_cap": -1}, "leak_cap"),
    ],
)
def test_arguments_are_refused_at_once(bits: Any, more: dict[str, Any], words: str) -> None:
    for party in (cascade_alice, cascade_bob):
        with pytest.raises(ArgumentError, match=words):
            party(bits, **{"qber": 0.05, **more})


@pytest.mark.parametrize(("q", "guess"), [(0.05, 0.01), (0.05, 0.02), (0.05, 0.1), (0.01, 0.03)])
def test_a_wrong_rate_costs_leak_only(q: float, guess: float) -> None:
    key, noisy = frame(50_000, q, 4)
    made = run(key, noisy, guess, 3)[1].result()
    assert (made.bits == key).all()
    assert made.f is not None
    assert made.f < 1.25


# Issue 5, what it must show, 3: means over at least 200 frames, against the realised rate.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "q", "most"),
    [
        (100_000, 0.01, 1.045),
        (100_000, 0.05, 1.05),
        (100_000, 0.1, 1.065),
        (10_000, 0.01, 1.08),
        (10_000, 0.05, 1.08),
        (10_000, 0.1, 1.08),
    ],
)
def test_efficiency(n: int, q: float, most: float) -> None:
    found = []
    for seed in range(200):
        key, noisy = frame(n, q, 1000 + seed)
        a, b = run(key, noisy, q, seed)
        assert (b.result().bits == key).all()
        found.append(a.end.leaked / (n * entropy(float((key != noisy).mean()))))
    assert np.mean(found) <= most


@pytest.mark.slow
def test_no_residual_error_in_3000_frames_and_every_planted_one_caught() -> None:
    rng = np.random.default_rng(11)
    for seed in range(3000):
        n, q = (2000, 0.02) if seed % 2 else (5000, (0.01, 0.05, 0.1)[seed // 2 % 3])
        key, noisy = frame(n, q, 10_000 + seed)
        made = run(key, noisy, q, seed)[1].result()
        assert (made.bits == key).all()
        planted = made.bits.copy()
        planted[rng.choice(n, 1 + seed % 4, replace=False)] ^= 1
        ends = converse(verify_alice(key, random=rng.bytes), verify_bob(planted))
        assert [end.result() for end in ends] == [False, False]
