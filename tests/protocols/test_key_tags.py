"""Tags from keys: right ones, wrong ones, replays, and pads that are never used twice."""

from __future__ import annotations

import hmac
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebit.games import ArgumentError
from ebit.protocols.combiner import framed
from ebit.protocols.key_tags import (
    ReplayError,
    SpentKeyError,
    Tag,
    TagChecker,
    TagError,
    TagSender,
    canonical,
    key_bits_for,
)
from ebit.protocols.key_uses_ledger import ledger
from ebit.protocols.secret_bits import SecretBits

METHODS = ["one-time", "hmac"]
BOTH = pytest.mark.parametrize("method", METHODS)


def key(seed: int = 1, bits: int = 1280) -> SecretBits:
    return SecretBits.of_bytes(np.random.default_rng(seed).bytes(bits // 8))


def ghash(h: bytes, data: bytes) -> int:
    """GHASH bit by bit: NIST SP 800-38D, algorithms 1 and 2."""
    point, state = int.from_bytes(h, "big"), 0
    padded = data + bytes(-len(data) % 16) + (8 * len(data)).to_bytes(16, "big")
    for at in range(0, len(padded), 16):
        state ^= int.from_bytes(padded[at : at + 16], "big")
        product, shifted = 0, point
        for bit in range(127, -1, -1):
            product ^= shifted if state >> bit & 1 else 0
            shifted = shifted >> 1 ^ (0xE1 << 120 if shifted & 1 else 0)
        state = product
    return state


@BOTH
@settings(max_examples=30, deadline=None)
@given(
    messages=st.lists(st.binary(max_size=300), min_size=1, max_size=9),
    context=st.binary(max_size=9),
)
def test_a_message_with_its_tag_is_accepted_once(
    method: Any, messages: list[bytes], context: bytes
) -> None:
    sender, checker = (kind(key(), method=method) for kind in (TagSender, TagChecker))
    for number, message in enumerate(messages):
        tag = sender.tag(message, context=context)
        found = checker.check(message, Tag.of_bytes(tag.to_bytes()), context=context)
        assert (found.number, found.missed) == (number, 0)
        with pytest.raises(ReplayError, match=f"message {number} came before"):
            checker.check(message, tag, context=context)


@BOTH
@settings(max_examples=60, deadline=None)
@given(
    message=st.binary(min_size=1, max_size=80),
    at=st.integers(0, 10**6),
    bit=st.integers(0, 7),
    where=st.sampled_from(["message", "value", "number", "context", "key", "longer"]),
)
def test_whatever_is_changed_is_found(
    method: Any, message: bytes, at: int, bit: int, where: str
) -> None:
    tag = TagSender(key(), method=method).tag(message, context=b"to Bob")
    checker = TagChecker(key(2 if where == "key" else 1), method=method)

    def flip(data: bytes) -> bytes:
        changed = bytearray(data)
        changed[at % len(data)] ^= 1 << bit
        return bytes(changed)

    told = flip(message) if where == "message" else message + b"\0" * (where == "longer")
    if where == "value":
        tag = Tag(0, flip(tag.value))
    if where == "number":
        tag = Tag(1 + at % 8, tag.value)
    with pytest.raises(TagError, match="is wrong"):
        checker.check(told, tag, context=b"to Eve" if where == "context" else b"to Bob")
    if where not in ("key",):  # and the true message is still taken
        good = TagSender(key(), method=method).tag(message, context=b"to Bob")
        assert checker.check(message, good, context=b"to Bob").number == 0


def test_one_time_tags_are_ghash_with_a_pad_each() -> None:
    secret, message = key(5), bytes(range(77))
    sender = TagSender(secret)
    raw = secret.reveal_bytes()
    for number in range(4):
        told = framed(b"ebit tag v1 one-time", b"c") + number.to_bytes(8, "big") + message
        pad = int.from_bytes(raw[16 * (number + 1) : 16 * (number + 2)], "big")
        wanted = (ghash(raw[:16], told) ^ pad).to_bytes(16, "big")
        assert sender.tag(message, context=b"c").value == wanted


def test_hmac_tags_are_hmac_sha_256() -> None:
    secret = key(6, 256)
    told = framed(b"ebit tag v1 hmac", b"") + (0).to_bytes(8, "big") + b"hello"
    wanted = hmac.new(secret.reveal_bytes(), told, "sha256").digest()
    assert TagSender(secret, method="hmac").tag(b"hello").value == wanted


def test_pads_run_out_and_are_not_used_twice() -> None:
    secret = key(bits=key_bits_for("one-time", 3))
    sender, checker = TagSender(secret), TagChecker(secret)
    tags = [sender.tag(b"the same") for _ in range(3)]
    assert len({tag.value for tag in tags}) == 3
    assert sender.left == 0
    with pytest.raises(SpentKeyError, match="spent after 3 tags"):
        sender.tag(b"one more")
    with pytest.raises(SpentKeyError, match="good for 3 tags"):
        checker.check(b"one more", Tag(3, bytes(16)))
    assert TagSender(key(), method="hmac").left is None


@BOTH
def test_lost_messages_are_counted_and_overtaken_ones_refused(method: Any) -> None:
    sender, checker = (kind(key(), method=method) for kind in (TagSender, TagChecker))
    tags = [sender.tag(b"m%d" % n) for n in range(5)]
    assert checker.check(b"m0", tags[0]).missed == 0
    assert checker.check(b"m3", tags[3]).missed == 2
    with pytest.raises(
        ReplayError, match="message 1 came before, or was overtaken: number 4 is next"
    ):
        checker.check(b"m1", tags[1])
    assert checker.check(b"m4", tags[4]).missed == 0


@BOTH
def test_numbers_go_on_after_a_restart(method: Any, tmp_path: Path) -> None:
    sent, seen = tmp_path / "sent", tmp_path / "seen"
    first = TagSender(key(), method=method, counter=sent).tag(b"one")
    second = TagSender(key(), method=method, counter=sent).tag(b"two")
    assert (first.number, second.number) == (0, 1)
    TagChecker(key(), method=method, counter=seen).check(b"one", first)
    with pytest.raises(ReplayError):
        TagChecker(key(), method=method, counter=seen).check(b"one", first)
    TagChecker(key(), method=method, counter=seen).check(b"two", second)
    sent.write_text("many\n")
    with pytest.raises(TagError, match="a pad could be used twice"):
        TagSender(key(), method=method, counter=sent)


@BOTH
def test_two_that_share_a_counter_share_its_numbers(method: Any, tmp_path: Path) -> None:
    senders = [TagSender(key(), method=method, counter=tmp_path / "a" / "sent") for _ in range(2)]
    tags = [senders[n % 2].tag(b"m%d" % n) for n in range(6)]
    assert [tag.number for tag in tags] == list(range(6))
    if method == "one-time":
        assert senders[0].left == senders[1].left == 9 - 6
    one, two = (TagChecker(key(), method=method, counter=tmp_path / "seen") for _ in range(2))
    assert one.check(b"m0", tags[0]).missed == 0
    with pytest.raises(ReplayError, match="number 1 is next"):
        two.check(b"m0", tags[0])
    assert two.check(b"m2", tags[2]).missed == 1
    with pytest.raises(TagError, match="is wrong"):
        one.check(b"m9", tags[3])
    assert one.check(b"m3", tags[3]).missed == 0
    assert os.name != "posix" or (tmp_path / "seen").stat().st_mode & 0o077 == 0


def test_threads_with_one_counter_use_no_pad_twice(tmp_path: Path) -> None:
    def work(sender: TagSender) -> list[int]:
        return [sender.tag(b"m").number for _ in range(10)]

    secret = key(bits=key_bits_for("one-time", 60))
    shared = TagSender(secret, counter=tmp_path / "sent")
    senders = [TagSender(secret, counter=tmp_path / "sent"), shared, shared]
    alone = TagSender(secret)
    with ThreadPoolExecutor(6) as pool:
        for group in (senders, [alone] * 3):
            numbers = [number for some in pool.map(work, group) for number in some]
            assert sorted(numbers) == list(range(30))


def test_the_number_is_on_disk_before_the_tag_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = TagSender(key(), counter=tmp_path / "sent")

    def killed(*_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(sender, "_value", killed)
    with pytest.raises(KeyboardInterrupt):
        sender.tag(b"one")
    assert TagSender(key(), counter=tmp_path / "sent").tag(b"one").number == 1


def test_the_forgery_bound_is_that_of_the_polynomial_hash() -> None:
    sender, checker = TagSender(key()), TagChecker(key())
    found = checker.check(bytes(1 << 20), sender.tag(bytes(1 << 20)))
    assert found.forgery == pytest.approx(2.0**-112, rel=1e-4)  # formulas: 2^-112 at 1 MiB
    sender, checker = (kind(key(), method="hmac") for kind in (TagSender, TagChecker))
    assert checker.check(b"", sender.tag(b"")).forgery is None


def test_a_transaction_has_one_form() -> None:
    a = canonical({"to": "Bob", "cents": 1250, "lines": [{"b": 1, "a": None}]})
    assert a == canonical({"lines": [{"a": None, "b": 1}], "cents": 1250, "to": "Bob"})
    assert a != canonical({"to": "Bob", "cents": "1250", "lines": [{"b": 1, "a": None}]})


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: TagSender(key(bits=128)), "at least 256 bits"),
        (lambda: TagSender(key(bits=128), method="hmac"), "at least 256 bits, but had 128"),
        (lambda: TagSender(key(), method="md5"), "one-time or hmac, but was 'md5'"),  # type: ignore[arg-type]
        (lambda: key_bits_for("hmac", 0), "at least 1, but was 0"),
        (lambda: canonical({"amount": 1.5}), r"no floats .*1\.5"),
        (lambda: canonical({"list": [{"x": 0.1}]}), "no floats"),
        (lambda: canonical({"who": object()}), "plain data"),
        (lambda: canonical({1: "x"}), "names that are text"),  # type: ignore[dict-item]
    ],
)
def test_what_is_refused(call: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        call()


def test_tags_that_were_cut() -> None:
    for size in (0, 8, 23, 25, 39, 41):
        with pytest.raises(TagError, match=f"24 or 40 bytes, but had {size}"):
            Tag.of_bytes(bytes(size))
    with pytest.raises(TagError, match="is wrong"):  # of the other method
        TagChecker(key()).check(b"m", TagSender(key(), method="hmac").tag(b"m"))


_TRIES = """
import sqlite3, sys
try:
    sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None).execute("begin immediate")
except sqlite3.OperationalError as error:
    print(error)
"""


def test_a_thread_that_waits_takes_no_lock_away(tmp_path: Path) -> None:
    """SQLite's locks are lost where another thread of the process closes the plain file."""
    path, table = tmp_path / "sent", "create table if not exists t (x)"

    def waits() -> None:
        with ledger(path, table):
            pass

    with ledger(path, table):
        thread = threading.Thread(target=waits)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        tried = [sys.executable, "-c", _TRIES, str(path)]
        done = subprocess.run(tried, capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout.strip() == "database is locked"
    thread.join()
