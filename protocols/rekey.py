"""Hybrid refresh: an epoch's key out of a quantum key, ML-KEM-768 and X25519.

Two parties, as in `ebit.protocols.conversation`, say four things: Alice's public keys, Bob's answer, and
a tag of each over all of it. No key is given out before the other side's tag was found right.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from ebit.games import ArgumentError, RefusedError
from ebit.protocols.combiner import framed
from ebit.protocols.conversation import ChannelError, Expect, Message, Party, Wire, converse
from ebit.protocols.key_result import Secrecy
from ebit.protocols.rekey_exchange import OFFER_BYTES, Offer, Shared, answer
from ebit.protocols.rekey_policy import RekeyMeter, RekeyPolicy
from ebit.protocols.rekey_result import RekeyResult, rekey_result
from ebit.protocols.rekey_schedule import MODES, MOST_BITS, Derived, Mode, derive, transcript
from ebit.protocols.secret_bits import SecretBits

__all__ = [
    "QuantumKey",
    "RekeyMeter",
    "RekeyPolicy",
    "RekeyResult",
    "RekeyState",
    "rekey",
    "rekey_alice",
    "rekey_bob",
]

_HEAD = struct.Struct(">BQI")  # mode, epoch, bits
_NO_KEY = "no quantum key was delivered"
_MOST_WORDS, _MOST_NAME = 500, 255


@dataclass(frozen=True)
class QuantumKey:
    """A quantum key as an epoch takes it.

    Attributes:
        id: its name, the same at both ends and different for each key.
        key: the bits.
        secrecy: "demonstration" for keys of a simulator or through a cloud provider.
    """

    id: str
    key: SecretBits
    secrecy: Secrecy = "own"

    def __post_init__(self) -> None:
        if not 1 <= len(self.id.encode()) <= _MOST_NAME or not self.id.isprintable():
            raise ArgumentError(
                f"a key's id must be printable text of 1 to {_MOST_NAME} bytes, but was {self.id[:40]!r}"
            )
        if self.key.bits < 128:
            raise ArgumentError(
                f"a quantum key must have at least 128 bits, but {self.id!r} has {self.key.bits}"
            )


@dataclass
class RekeyState:
    """What one end keeps from epoch to epoch: a number and a chain, never a key.

    The chain salts the next epoch's derivation and is overwritten then, so that whoever takes this
    state learns no earlier key. (Python may hold copies that nobody can reach and nobody can erase.)

    Attributes:
        mode: how keys are derived; both ends must say the same.
        bits: length of the key, where it is not the quantum key's own; the same at both ends.
        fallback: whether an epoch may do without a quantum key.
        demonstration: whether keys that are not secret are taken, and named so.
        epoch: number of the next epoch.

    Raises:
        ArgumentError: an unknown mode, or a length out of range.
    """

    mode: Mode = "computational"
    bits: int = 256
    fallback: bool = True
    demonstration: bool = False
    epoch: int = field(default=0, init=False)
    _chain: bytearray = field(default_factory=bytearray, init=False, repr=False)
    _taken: set[str] = field(default_factory=set, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ArgumentError(f"mode must be one of {', '.join(MODES)}, but was {self.mode!r}")
        if not 128 <= self.bits <= MOST_BITS:
            raise ArgumentError(f"bits must be between 128 and {MOST_BITS}, but was {self.bits}")

    def restart(self) -> None:
        """Go back to epoch 0 without a chain, at both ends, where one end missed the last tag.

        Quantum keys that went in stay spent.
        """
        self._next(b"")
        self.epoch = 0

    def _admit(self, quantum: QuantumKey | None, reason: str) -> None:
        if quantum is None:
            if not self.fallback:
                raise RefusedError(
                    f"epoch {self.epoch} has no quantum key ({reason}), and a fallback is not allowed: "
                    "no key was made"
                )
            return
        if quantum.secrecy == "demonstration" and not self.demonstration:
            raise RefusedError(
                f"the quantum key {quantum.id} is of a demonstration, known to whoever ran it: say "
                "demonstration=True (--demonstration) to use it all the same"
            )
        if quantum.id in self._taken:
            raise RefusedError(
                f"the quantum key {quantum.id} went into an epoch before: each goes into one only"
            )
        if self.mode == "information-theoretic" and quantum.key.bits > MOST_BITS:
            raise ArgumentError(
                f"a quantum key of an epoch must have at most {MOST_BITS} bits, but {quantum.id} has "
                f"{quantum.key.bits}: take a part of it"
            )

    def _derive(self, quantum: QuantumKey | None, shared: Shared, said: bytes) -> Derived:
        mode, bits = self.mode, self.bits
        if quantum is None:
            mode = "computational"
        else:
            self._taken.add(quantum.id)
            if mode == "information-theoretic":
                bits = quantum.key.bits
        return derive(
            mode,
            None if quantum is None else quantum.key,
            shared,
            epoch=self.epoch,
            bits=bits,
            said=said,
            key_id="" if quantum is None else quantum.id,
            chain=bytes(self._chain),
        )

    def _finish(
        self, derived: Derived, quantum: QuantumKey | None, reason: str, trigger: str, said: bytes
    ) -> RekeyResult:
        found = rekey_result(
            epoch=self.epoch,
            mode="computational" if quantum is None else self.mode,
            asked=self.mode,
            key=derived.key,
            quantum_key="" if quantum is None else quantum.id,
            quantum_bits=0 if quantum is None else quantum.key.bits,
            reason="" if quantum is not None else reason,
            trigger=trigger,
            said=said,
            secrecy="own" if quantum is None else quantum.secrecy,
        )
        self._next(derived.chain)
        self.epoch += 1
        return found

    def _next(self, chain: bytes) -> None:
        self._chain[:] = bytes(len(self._chain))
        self._chain[:] = chain


def rekey_alice(
    state: RekeyState,
    quantum: QuantumKey | None,
    *,
    reason: str = _NO_KEY,
    trigger: str = "on demand",
) -> Party[RekeyResult]:
    """Return the party that begins a refresh.

    Args:
        state: this end's, which goes on to the next epoch if all is well, and stays if not.
        quantum: the quantum key to mix in, None if there is none.
        reason: why there is none.
        trigger: why the key is refreshed; Bob is told.

    Raises:
        RefusedError: a key that is not to be used, or none where one is needed; nothing is sent.
        ChannelError: what came is not what it should be. No key results at this end.

    Source:
        docs/keys-in-use.md has the formulas. HKDF: RFC 5869; ML-KEM: FIPS 203;
        X25519: RFC 7748.
    """
    _check_words(reason, trigger)
    state._admit(quantum, reason)
    offer = Offer()
    name = "" if quantum is None else quantum.id
    said_here = framed(
        _head(state, quantum), name.encode(), reason.encode(), trigger.encode(), offer.public
    )
    yield Message("rekey-offer", said_here)
    said_there = yield Expect("rekey-answer")
    theirs = _parts(said_there, 2, "answer")
    if quantum is not None and theirs[0]:
        reason = _words(theirs[0])
        quantum = None
        state._admit(None, reason)
    said = transcript(said_here, said_there)
    derived = state._derive(quantum, offer.finish(theirs[1]), said)
    _check_tag((yield Expect("rekey-tag")), derived.confirm_bob, said)
    yield Message("rekey-tag", _tag(derived.confirm_alice, said))
    return state._finish(derived, quantum, reason, trigger, said)


def rekey_bob(state: RekeyState, find: Callable[[str], QuantumKey | None]) -> Party[RekeyResult]:
    """Return the party that answers a refresh.

    Args:
        state: this end's.
        find: gives this end's copy of the quantum key of a name, or None if it has none.

    Raises:
        RefusedError: a key that is not to be used, or none where one is needed.
        ChannelError: what came is not what it should be, or the other end is at another epoch, mode
            or length. No key results at this end.
    """
    said_there = yield Expect("rekey-offer")
    head, name, why, words, public = _parts(said_there, 5, "offer")
    key_id, reason, trigger = map(_words, (name, why, words))
    bits = _check_head(state, head)
    if len(public) != OFFER_BYTES or len(name) > _MOST_NAME:
        raise ChannelError(
            "the peer's offer has parts of a wrong length: it was changed on the way"
        )
    quantum = find(key_id) if key_id else None
    missing = ""
    if quantum is not None and quantum.id != key_id:
        raise ArgumentError(f"find must give the key {key_id!r}, but gave {quantum.id!r}")
    if key_id and quantum is None:
        reason = missing = f"the other end has no quantum key {key_id}"
    state._admit(quantum, reason)
    masks = state.mode == "information-theoretic" and quantum is not None
    wanted = quantum.key.bits if masks and quantum is not None else state.bits
    if not missing and bits != wanted:
        raise ChannelError(
            f"the peer wants a key of {bits} bits, and this end one of {wanted}: say the same at both ends"
        )
    here, shared = answer(public)
    said_here = framed(missing.encode(), here)
    said = transcript(said_there, said_here)
    derived = state._derive(quantum, shared, said)
    yield Message("rekey-answer", said_here)
    yield Message("rekey-tag", _tag(derived.confirm_bob, said))
    _check_tag((yield Expect("rekey-tag")), derived.confirm_alice, said)
    return state._finish(derived, quantum, reason, trigger, said)


def rekey(
    alice: RekeyState,
    bob: RekeyState,
    quantum: QuantumKey | None,
    *,
    reason: str = _NO_KEY,
    trigger: str = "on demand",
    wire: Wire | None = None,
) -> tuple[RekeyResult, RekeyResult]:
    """Refresh once with both ends in this process, and return what each has.

    Args:
        alice, bob: the two ends' states.
        quantum: the quantum key, of which both have a copy.
        reason, trigger: as for `rekey_alice`.
        wire: what happens to the frames, as for `converse`.

    Example:
        >>> import os
        >>> state, other = RekeyState(), RekeyState()
        >>> quantum = QuantumKey("k1", SecretBits.of_bytes(os.urandom(32)))
        >>> mine, theirs = rekey(state, other, quantum)
        >>> mine.key == theirs.key, mine.fallback, mine.key
        (True, False, SecretBits(256 bits, hidden))
        >>> rekey(state, other, None)[0].reason
        'no quantum key was delivered'
    """

    def find(key_id: str) -> QuantumKey | None:
        return quantum if quantum is not None and quantum.id == key_id else None

    ends = converse(
        rekey_alice(alice, quantum, reason=reason, trigger=trigger),
        rekey_bob(bob, find),
        wire=wire,
    )
    # The reason itself, before "the peer left".
    causes = [end.error for end in ends if end.error is not None]
    causes.sort(key=lambda error: str(error).startswith("the peer left"))
    if causes:
        raise causes[0]
    return ends[0].result(), ends[1].result()


def _head(state: RekeyState, quantum: QuantumKey | None) -> bytes:
    masks = state.mode == "information-theoretic" and quantum is not None
    bits = quantum.key.bits if masks and quantum is not None else state.bits
    return _HEAD.pack(MODES.index(state.mode), state.epoch, bits)


def _check_head(state: RekeyState, head: bytes) -> int:
    if len(head) != _HEAD.size:
        raise ChannelError("the peer's offer has no proper head: it was changed on the way")
    mode, epoch, bits = _HEAD.unpack(head)
    if mode >= len(MODES) or MODES[mode] != state.mode:
        theirs = MODES[mode] if mode < len(MODES) else f"mode {mode}"
        raise ChannelError(
            f"the peer wants {theirs} keys, and this end {state.mode} ones: say the same at both ends"
        )
    if epoch != state.epoch:
        raise ChannelError(
            f"the peer is at epoch {epoch}, and this end at {state.epoch}: a refresh ended on one side "
            "only, so restart both with a new quantum key"
        )
    return int(bits)


def _check_words(*words: str) -> None:
    for text in words:
        if len(text.encode()) > _MOST_WORDS:
            raise ArgumentError(
                f"reason and trigger must have at most {_MOST_WORDS} bytes, but one had {len(text.encode())}"
            )
        if not text.isprintable():
            raise ArgumentError(
                f"reason and trigger must be printable text, but one was {text[:40]!r}"
            )


def _words(part: bytes) -> str:
    """What the peer said, if it is fit to be shown."""
    text = part.decode("utf-8", "replace")
    if len(part) > _MOST_WORDS or not text.isprintable():
        raise ChannelError(
            f"the peer's words must be printable text of at most {_MOST_WORDS} bytes, but were not: no "
            "key was made"
        )
    return text


def _parts(body: bytes, count: int, what: str) -> list[bytes]:
    """Undo `framed`."""
    found: list[bytes] = []
    at = 0
    while at < len(body) and len(found) < count:
        size = int.from_bytes(body[at : at + 4], "big")
        found.append(body[at + 4 : at + 4 + size])
        at += 4 + size
    if len(found) != count or at != len(body):
        raise ChannelError(
            f"the peer's {what} is no list of {count} parts: it was changed on the way"
        )
    return found


def _tag(key: bytes, said: bytes) -> bytes:
    return hmac.digest(key, said, "sha256")


def _check_tag(tag: bytes, key: bytes, said: bytes) -> None:
    if not hmac.compare_digest(tag, _tag(key, said)):
        raise ChannelError(
            "the peer's tag does not confirm the key: a message was changed, or the two ends' quantum "
            "keys differ; no key was made"
        )
