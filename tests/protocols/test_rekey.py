"""Hybrid refresh: equal keys, a second way to derive them, fallback, epochs, policy."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebit.games import ArgumentError, EbitError, RefusedError
from ebit.protocols.combiner import framed
from ebit.protocols.conversation import ChannelError
from ebit.protocols.key_result import read_key
from ebit.protocols.rekey import (
    RekeyMeter,
    RekeyPolicy,
    RekeyState,
    rekey,
)
from ebit.protocols.rekey_exchange import Offer, Shared
from ebit.protocols.rekey_schedule import LABEL, MODES, derive, transcript
from tests.protocols.rekeyhelp import BOTH, meet, quantum, states

pytest.importorskip("cryptography")


@BOTH
def test_both_ends_get_the_same_new_key_in_every_epoch(mode: Any) -> None:
    alice, bob = states(mode)
    seen = set()
    for epoch in range(6):
        key = None if epoch in (2, 3) else quantum(epoch, name=f"k{epoch}")
        mine, theirs = rekey(alice, bob, key)
        assert mine.key == theirs.key
        assert mine.to_dict() == theirs.to_dict()
        assert (mine.epoch, mine.bits, mine.fallback) == (epoch, 256, key is None)
        assert mine.inputs.get("quantum key", 0) == (0 if key is None else 256)
        seen.add(mine.key.reveal_bytes())
    assert len(seen) == 6
    assert alice.epoch == bob.epoch == 6


@pytest.mark.parametrize("bits", [128, 256, 321, 1000, 8 * 255 * 32])
def test_information_theoretic_keys_have_exactly_the_quantum_keys_length(bits: int) -> None:
    mine, theirs = rekey(*states("information-theoretic"), quantum(bits=bits))
    assert mine.bits == mine.key.bits == bits
    assert mine.key == theirs.key
    if bits % 8:
        assert not mine.key.reveal()[-1] & (0xFF >> bits % 8)


@pytest.mark.parametrize("bits", [128, 200, 512, 4096])
def test_computational_keys_have_the_length_asked_for(bits: int) -> None:
    mine, theirs = rekey(*states(bits=bits), quantum(bits=400))
    assert (mine.key.bits, mine.inputs["quantum key"]) == (bits, 400)
    assert mine.key == theirs.key


def test_the_key_is_hkdf_of_all_three_as_cryptography_computes_it() -> None:
    """K = HKDF(len||K_qkd||len||ss_MLKEM||len||ss_X25519, info of label, epoch and transcript)."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    key, shared, chain = quantum(3), Shared(b"m" * 32, b"x" * 32), b"c" * 32
    said = transcript(b"offer", b"answer")
    known = (256).to_bytes(4, "big") + key.key.reveal_bytes()
    secret = b"".join(len(p).to_bytes(4, "big") + p for p in (known, b"m" * 32, b"x" * 32))
    named = hashlib.sha256(framed(said, b"k1")).digest()
    info = framed(
        b"key",
    ) + framed(LABEL, b"computational")
    info += (7).to_bytes(8, "big") + (256).to_bytes(4, "big") + named
    wanted = HKDF(SHA256(), 32, chain, info).derive(secret)
    made = derive(
        "computational", key.key, shared, epoch=7, bits=256, said=said, key_id="k1", chain=chain
    )
    assert made.key.reveal_bytes() == wanted


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**30), st.integers(0, 2**30), st.integers(128, 700))
def test_the_mask_and_the_tags_know_nothing_of_the_quantum_key(a: int, b: int, bits: int) -> None:
    shared, said = Shared(b"m" * 32, b"x" * 32), transcript(b"o", b"a")
    one, two = (
        derive("information-theoretic", q.key, shared, epoch=0, bits=bits, said=said)
        for q in (quantum(a, bits), quantum(b, bits))
    )
    masks = [
        d.key.reveal() ^ q.key.reveal()
        for d, q in ((one, quantum(a, bits)), (two, quantum(b, bits)))
    ]
    assert (masks[0] == masks[1]).all()
    assert (one.confirm_alice, one.confirm_bob, one.chain) == (
        two.confirm_alice,
        two.confirm_bob,
        two.chain,
    )


@BOTH
def test_every_input_and_every_circumstance_changes_the_key(mode: Any) -> None:
    base: dict[str, Any] = {"quantum": quantum(1).key, "shared": Shared(b"m" * 32, b"x" * 32)}
    base |= {"epoch": 1, "bits": 256, "said": b"s" * 32, "key_id": "k", "chain": b"c" * 32}
    changes: list[dict[str, Any]] = [
        {"quantum": quantum(2).key},
        {"shared": Shared(b"n" * 32, b"x" * 32)},
        {"shared": Shared(b"m" * 32, b"y" * 32)},
        {"epoch": 2},
        {"said": b"t" * 32},
        {"key_id": "l"},
        {"chain": b"d" * 32},
    ]
    found = {derive(mode, **{**base, **change}).key.reveal_bytes() for change in [{}, *changes]}
    assert len(found) == len(changes) + 1
    tags = derive(mode, **base)
    assert len({tags.confirm_alice, tags.confirm_bob, tags.chain, tags.key.reveal_bytes()}) == 4


@BOTH
def test_fallback_is_flagged_with_its_reason(mode: Any) -> None:
    alice, bob = states(mode)
    mine, _ = rekey(alice, bob, None, reason="the link is down")
    assert mine.fallback
    assert mine.to_dict()["fallback"] is True
    assert mine.reason == "the link is down"
    assert mine.mode == "computational"
    assert mine.asked == mode
    assert "FALLBACK" in str(mine)
    assert any("authentication" in item for item in mine.not_given)
    assert "quantum key" not in mine.inputs

    mine, theirs = (end.result() for end in meet(alice, bob, quantum(), None))
    assert mine.key == theirs.key
    assert mine.reason == theirs.reason == "the other end has no quantum key k1"
    mine, _ = rekey(alice, bob, quantum())  # which Alice still has, unspent
    assert not mine.fallback


@BOTH
def test_no_fallback_means_no_key(mode: Any) -> None:
    with pytest.raises(RefusedError, match=r"no quantum key \(no quantum key was delivered\)"):
        rekey(*states(mode, fallback=False), None)
    a, b = meet(RekeyState(mode, fallback=False), RekeyState(mode), quantum(), None)
    assert isinstance(a.error, RefusedError)
    assert b.value is None


def test_keys_of_a_demonstration_are_refused_and_named() -> None:
    key = quantum(secrecy="demonstration")
    with pytest.raises(RefusedError, match="--demonstration"):
        rekey(*states(), key)
    a, b = meet(RekeyState(demonstration=True), RekeyState(), key, key)
    assert isinstance(b.error, RefusedError)
    assert a.value is None
    mine, _ = rekey(*states(demonstration=True), key)
    assert mine.secrecy == "demonstration"
    assert "(demonstration)" in str(mine).splitlines()[0]
    assert "demonstration" in repr(mine)


@BOTH
def test_a_quantum_key_goes_into_one_epoch_only(mode: Any) -> None:
    alice, bob = states(mode)
    rekey(alice, bob, quantum())
    with pytest.raises(RefusedError, match="k1 went into an epoch before"):
        rekey(alice, bob, quantum())
    alice.restart(), bob.restart()
    assert alice.epoch == 0
    with pytest.raises(RefusedError, match="one only"):
        rekey(alice, bob, quantum())
    assert rekey(alice, bob, quantum(name="k2"))[0].epoch == 0


def test_a_later_state_does_not_hold_what_made_earlier_keys() -> None:
    alice, bob = states()
    rekey(alice, bob, quantum())
    first = bytes(alice._chain)
    held = alice._chain  # the same memory later on
    mine, _ = rekey(alice, bob, quantum(2, name="k2"))
    assert held is alice._chain
    assert bytes(held) != first
    kept = b"".join(v for v in vars(alice).values() if isinstance(v, bytes | bytearray))
    assert mine.key.reveal_bytes() not in kept
    assert first not in kept
    assert mine.inputs["chain of earlier epochs"] == 256


def test_the_chain_joins_epochs() -> None:
    alice, bob = states()
    rekey(alice, bob, quantum())
    bob._chain[:] = bytes(32)
    with pytest.raises(ChannelError, match="tag does not confirm"):
        rekey(alice, bob, None)


def test_ends_that_disagree_say_what_about() -> None:
    a, b = meet(RekeyState(), RekeyState("information-theoretic"), None, None)
    assert "wants computational keys, and this end information-theoretic" in str(b.error)
    assert a.value is None
    _, b = meet(RekeyState(bits=128), RekeyState(), None, None)
    assert "128 bits, and this end one of 256" in str(b.error)
    alice, bob = states()
    rekey(alice, RekeyState(), None)
    _, b = meet(alice, bob, None, None)
    assert "at epoch 1, and this end at 0" in str(b.error)


@BOTH
def test_nothing_prints_the_key(mode: Any, tmp_path: Path) -> None:
    mine, _ = rekey(*states(mode), quantum())
    key, source = mine.key.reveal_bytes().hex(), quantum().key.reveal_bytes().hex()
    saved = mine.save(tmp_path / "k")
    shown = [
        str(mine),
        repr(mine),
        mine._repr_html_(),
        json.dumps(mine.to_dict()),
        repr(vars(saved)),
    ]
    shown += [(tmp_path / "k.json").read_text(), repr(Offer()), repr(Shared(b"m" * 32, b"x" * 32))]
    for text in shown:
        assert key not in text
        assert source not in text
        assert not re.search(r"b'[^']{16}", text)
    found, about = read_key(tmp_path / "k")
    assert found == mine.key
    assert about["secrecy"] == "own"
    if os.name == "posix":
        assert (tmp_path / "k").stat().st_mode & 0o077 == 0
    with pytest.raises(RefusedError, match="no whole number of bytes"):
        rekey(*states(bits=129), None)[0].save(tmp_path / "l")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: RekeyState("quantum"), "must be one of computational"),  # type: ignore[arg-type]
        (lambda: RekeyState(bits=64), "between 128 and 65280, but was 64"),
        (lambda: quantum(bits=127), "at least 128 bits, but 'k1' has 127"),
        (lambda: quantum(name=""), "1 to 255 bytes, but was ''"),
        (
            lambda: rekey(*states("information-theoretic"), quantum(bits=65288)),
            "at most 65280 bits",
        ),
        (lambda: rekey(*states(), None, trigger="x" * 501), "at most 500 bytes, but one had 501"),
        (lambda: RekeyPolicy(seconds=0), "seconds of a policy must be positive, but was 0"),
        (lambda: RekeyPolicy(bytes=-1), "bytes of a policy must be positive"),
        (lambda: RekeyPolicy(on_alarm=False), "had none of them"),
        (lambda: RekeyPolicy.of("hours=1"), "but had 'hours=1'"),
        (lambda: RekeyPolicy.of("seconds=soon"), "but had 'seconds=soon'"),
        (lambda: RekeyPolicy.of("bytes=inf"), "must be positive, but was inf"),
        (lambda: RekeyMeter(RekeyPolicy()).spend(-1), "must not be negative"),
    ],
)
def test_what_is_refused(call: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        call()


def test_the_policy_ends_a_key_by_time_bytes_or_alarm() -> None:
    now = [100.0]
    meter = RekeyMeter(RekeyPolicy.of("seconds=60,bytes=1e6,alarm"), clock=lambda: now[0])
    assert meter.due() == ""
    assert meter.left() == 60
    now[0] = 159.9
    meter.spend(999_999)
    assert meter.due() == ""
    now[0] = 160.0
    assert meter.due() == "time: 60 s of 60 s"
    meter.refreshed()
    meter.spend(10**6)
    assert meter.due() == "bytes: 1,000,000 of 1,000,000"
    meter.alarm("QBER 9 %")
    assert meter.due() == "alarm: QBER 9 %"
    meter.refreshed()
    assert meter.due() == ""
    quiet = RekeyMeter(RekeyPolicy(seconds=1, on_alarm=False), clock=lambda: now[0])
    quiet.alarm("")
    assert quiet.due() == ""


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric", None)
    with pytest.raises(EbitError, match=r"ebit\[keys\]"):
        Offer()


def test_a_thousand_honest_epochs_agree() -> None:
    rng = np.random.default_rng(50)
    for mode in MODES:
        alice, bob = states(mode)
        for epoch in range(500):
            bits = int(rng.integers(128, 2000))
            key = None if rng.random() < 0.2 else quantum(epoch, bits, f"k{epoch}")
            mine, theirs = rekey(alice, bob, key)
            assert mine.key == theirs.key
            assert mine.fallback == (key is None)
