"""Authentication of a whole conversation: one tag of each side over all that both have said.

The tag of a side is H_k(side, key, number of the pad, both streams) + pad: a polynomial hash over
GF(2^128) whose key k is kept, and a one-time pad that is spent. Until the peer's tag was right there
is no key. A tag for each message would cost more than the key that is made.

Each side first says which key it has and which pads are next. Bob sends his tag, over all before it;
Alice, if it was right, sends hers, over all before it, Bob's tag included. The last message may be
lost: then Alice has the key and Bob has not, which no protocol can help; none has a wrong one.

Whoever gets as far as a whole conversation with Bob makes him spend a pad, whether or not he is Alice;
Alice spends one only after a right tag. Compared tags are counted: their errors add over the life of
a key.
"""

from __future__ import annotations

import hmac
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ebit.analysis.polynomial_hash import TAG_BITS, TAG_BYTES, PolynomialHash, forgery_bound
from ebit.protocols.authentication_key import (
    AuthError,
    AuthKey,
    AuthStatus,
    OutOfPadsError,
    new_auth_key,
)
from ebit.protocols.conversation import ChannelError, Expect, Message, Party, Role, Transcript

__all__ = [
    "AuthError",
    "AuthKey",
    "AuthStatus",
    "Authenticator",
    "OutOfPadsError",
    "Sealed",
    "authenticate",
    "new_auth_key",
]

_OFFER = struct.Struct(">B16sQQ")  # role, key, sender's next pad, lowest pad of the other side
_TAG = struct.Struct(
    ">BQ"
)  # word, number of the pad; then the tag, if the word is that all is well
_PREFIX = struct.Struct(">12sBxxxQ8x16s")  # label, role, number of the pad, key: three blocks
_LABEL = b"ebit auth 1\0"
_ROLES: dict[Role, int] = {"alice": 1, "bob": 2}
_OK, _WRONG, _EMPTY, _OTHER_KEY, _SAME_ROLE, _OLD, _LONG, _BROKEN = range(8)
_WORDS = {
    _WRONG: "the tag that it was sent is wrong",
    _EMPTY: "its pads are spent: append the same delivered key on both sides, or make a new key file",
    _OTHER_KEY: "it has another pre-shared key",
    _SAME_ROLE: "it has the file of the same role",
    _OLD: "one of the two key files is an old copy",
    _LONG: "the conversation is longer than a tag may cover",
    _BROKEN: "its pre-shared key cannot be used",
}


@dataclass(frozen=True)
class Sealed:
    """How the authentication of a conversation ended.

    Attributes:
        ok: whether the peer's tag was right.
        reason: why not, empty if it was.
        key: id of the pre-shared key.
        role: of this side.
        sent_pad, received_pad: numbers of the pads, None where no tag was sent or compared.
        bits_spent: pad bits that are gone on both sides together.
        tags_left: sessions that can still be authenticated.
        bits_left: pad bits that are left.
        transcript_bytes: what the last tag covered.
        tag_epsilon: bound on the chance that a forged tag is right, for the longest transcript that
            either side would have accepted.
        epsilon: the sum over the tags of the session.
        secrecy: "own", or "demonstration" if the pre-shared key is not secret.
    """

    ok: bool
    reason: str
    key: str
    role: Role
    sent_pad: int | None
    received_pad: int | None
    bits_spent: int
    tags_left: int
    bits_left: int
    transcript_bytes: int
    tag_epsilon: float
    epsilon: float
    secrecy: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def __str__(self) -> str:
        mark = " (demonstration: the pre-shared key is not secret)"
        said = "authenticated" if self.ok else f"not authenticated: {self.reason}"
        return (
            f"{said}{mark if self.secrecy == 'demonstration' else ''}; {self.bits_spent} bits of the "
            f"pre-shared key spent, {self.bits_left:,} left ({self.tags_left:,} sessions); a forged "
            f"tag passes with probability at most {self.tag_epsilon:.1e}, {self.epsilon:.1e} in all"
        )


class Authenticator:
    """One party's tags.

    Args:
        key: its copy of the pre-shared key, or the path of the file.

    Raises:
        AuthError: the file cannot be used.

    Example:
        >>> from ebit.protocols.conversation import converse
        >>> ends = converse(*(authenticate(Authenticator(key)) for key in AuthKey.in_memory()))
        >>> [ending.result().ok for ending in ends]
        [True, True]
    """

    def __init__(self, key: AuthKey | str | Path) -> None:
        self.key = key if isinstance(key, AuthKey) else AuthKey(key)
        self._hash = PolynomialHash(self.key.hash_key())

    @classmethod
    def in_memory(cls, **options: Any) -> tuple[Authenticator, Authenticator]:
        """Return Alice's and Bob's of a new key that no file holds; see `AuthKey.in_memory`."""
        alice, bob = AuthKey.in_memory(**options)
        return cls(alice), cls(bob)

    @property
    def role(self) -> Role:
        """Whose tags these are."""
        return self.key.role

    @property
    def tag_epsilon(self) -> float:
        """Bound on the chance that one forged tag is right."""
        return forgery_bound(self.key.most_bytes + _PREFIX.size)

    def check_ready(self) -> None:
        """Check, before a session, that there are pads to authenticate it.

        Raises:
            OutOfPadsError: there are not, and how to make some.
        """
        self.key.check_ready()

    def tag(self, transcript: bytes) -> tuple[int, bytes]:
        """Spend a pad and return its number and this side's tag.

        Args:
            transcript: from `Endpoint.transcript`.

        Raises:
            OutOfPadsError: no pad is left.
        """
        number, pad = self.key.take()
        return number, _xor(self._digest(self.role, number, transcript), pad)

    def check(self, transcript: bytes, number: int, tag: bytes) -> bool:
        """Whether the peer's tag is right; if so, the pad is spent.

        Args:
            transcript: what this side has seen.
            number: the peer's pad.
            tag: 16 bytes.

        Raises:
            AuthError: the pad was used before, or is not there.
        """
        pad = self.key.attempt(number)
        right = _xor(self._digest(self.key.peer, number, transcript), pad)
        if not hmac.compare_digest(right, tag):
            return False
        self.key.accept(number)
        return True

    def _digest(self, role: Role, number: int, transcript: bytes) -> bytes:
        prefix = _PREFIX.pack(_LABEL, _ROLES[role], number, bytes.fromhex(self.key.id))
        return self._hash(prefix + transcript)


def authenticate(auth: Authenticator) -> Party[Sealed]:
    """Run, as the last step of a party, what authenticates all that both sides have said before.

    Args:
        auth: of this party; the peer's must be of the other role.

    Returns:
        A party for ``yield from``; it returns what came of it. Release nothing unless it is `ok`.

    Raises:
        AuthError: the pre-shared key cannot be read or written.
        ChannelError: a message did not come, or is none of these.

    Example:
        >>> from ebit.protocols.conversation import converse
        >>> def alice(auth):
        ...     yield Message("greeting", b"hello")
        ...     return (yield from authenticate(auth))
        >>> def bob(auth):
        ...     yield Expect("greeting")
        ...     return (yield from authenticate(auth))
        >>> one, other = Authenticator.in_memory()
        >>> sealed = converse(alice(one), bob(other))[0].result()
        >>> sealed.ok, sealed.bits_spent, sealed.tags_left
        (True, 256, 3)
        >>> meddle = lambda role, number, frame: [frame.replace(b"hello", b"hallo")]
        >>> print(converse(alice(one), bob(other), wire=meddle)[0].result().reason)
        the tag of bob is wrong: what one side said is not what the other heard, or it is not bob

    Source:
        Wegman and Carter, J. Comput. Syst. Sci. 22, 265 (1981).
    """
    side = _Side(auth)
    return (yield from (_alice(side) if auth.role == "alice" else _bob(side)))


def _alice(side: _Side) -> Party[Sealed]:
    yield Message("auth offer", side.offer())
    known = side.know((yield Expect("auth offer")))
    said = yield Transcript()
    if known:
        known = side.hear((yield Expect("auth tag")), said)
    if not known:
        if not side.told:
            yield Message("auth tag", side.refusal())
        return side.ending(False)
    yield Message("auth tag", side.speak((yield Transcript())))
    return side.ending(not side.reason)


def _bob(side: _Side) -> Party[Sealed]:
    yield Message("auth offer", side.offer())
    known = side.know((yield Expect("auth offer")))
    said = yield Transcript()
    if not known:
        yield Message("auth tag", side.refusal())
        return side.ending(False)
    yield Message("auth tag", side.speak(said))
    if side.reason:
        return side.ending(False)
    said = yield Transcript()
    return side.ending(side.hear((yield Expect("auth tag")), said))


class _Side:
    """What one side knows while it authenticates."""

    def __init__(self, auth: Authenticator) -> None:
        self.auth = auth
        self.word, self.reason, self.told = _OK, "", False
        self.sent: int | None = None
        self.received: int | None = None
        self.covered = 0

    def offer(self) -> bytes:
        """What this side says of itself."""
        key = self.auth.key
        mine, lowest = key.positions()
        return _OFFER.pack(_ROLES[key.role], bytes.fromhex(key.id), mine, lowest)

    def refusal(self) -> bytes:
        """Why there is no tag."""
        return _TAG.pack(self.word, 0)

    def refuse(self, word: int, reason: str) -> bool:
        """Keep why there is no authentication, and what to tell the peer."""
        self.word, self.reason = word, reason
        return False

    def know(self, body: bytes) -> bool:
        """Whether the peer has the same key, the other role, and no old copy."""
        if len(body) != _OFFER.size:
            raise ChannelError(
                f"an offer to authenticate must have {_OFFER.size} bytes, but had {len(body)}"
            )
        role, id, number, seen = _OFFER.unpack(body)
        key = self.auth.key
        if id != bytes.fromhex(key.id):
            return self.refuse(
                _OTHER_KEY,
                f"the peer has the pre-shared key {id.hex()[:8]}, and this side {key.id[:8]}",
            )
        if role != _ROLES[key.peer]:
            return self.refuse(
                _SAME_ROLE, f"both sides have the file of {key.role}: one must have {key.peer}'s"
            )
        mine, lowest = key.positions()
        if number < lowest:
            return self.refuse(
                _OLD,
                f"pad {number} of {key.peer} was used before, {lowest} is the next: an old session is "
                "replayed, or the peer uses an old copy of its key file",
            )
        if seen > mine:
            return self.refuse(
                _OLD,
                f"the peer has seen pad {seen - 1} of {key.role}, but this side would use {mine}: "
                "this key file is an old copy, make a new one",
            )
        return True

    def speak(self, said: bytes) -> bytes:
        """The message with this side's tag, or the one that says why there is none."""
        if not self.fits(said):
            return self.refusal()
        try:
            number, tag = self.auth.tag(said)
        except AuthError as error:
            self.refuse(_EMPTY if isinstance(error, OutOfPadsError) else _BROKEN, str(error))
            return self.refusal()
        self.sent = number
        return _TAG.pack(_OK, number) + tag

    def hear(self, body: bytes, said: bytes) -> bool:
        """Whether the peer's tag is right."""
        word, number = _TAG.unpack(body[: _TAG.size].ljust(_TAG.size, b"\0"))
        if len(body) != _TAG.size + (TAG_BYTES if word == _OK else 0):
            raise ChannelError(f"a tag or a refusal must have 25 or 9 bytes, but had {len(body)}")
        if word != _OK:
            self.told = True
            told = _WORDS.get(word, f"its reason is {word}, which this version does not know")
            return self.refuse(word, f"the peer refuses: {told}")
        if not self.fits(said):
            return False
        peer = self.auth.key.peer
        try:
            right = self.auth.check(said, number, body[_TAG.size :])
        except AuthError as error:
            return self.refuse(_BROKEN, str(error))
        self.received = number
        return right or self.refuse(
            _WRONG,
            f"the tag of {peer} is wrong: what one side said is not what the other heard, or it is "
            f"not {peer}",
        )

    def fits(self, said: bytes) -> bool:
        """Whether a tag may cover so much."""
        self.covered = len(said)
        most = self.auth.key.most_bytes
        return self.covered <= most or self.refuse(
            _LONG,
            f"the conversation has {self.covered:,} bytes, but a tag of this key covers {most:,} at "
            "most: make a key with larger most_bytes",
        )

    def ending(self, ok: bool) -> Sealed:
        """What came of it."""
        status = self.auth.key.status()
        tags = (self.sent is not None) + (self.received is not None)
        return Sealed(
            ok=ok,
            reason=self.reason,
            key=status.id,
            role=status.role,
            sent_pad=self.sent,
            received_pad=self.received,
            bits_spent=TAG_BITS * tags,
            tags_left=min(status.to_send, status.to_receive),
            bits_left=status.bits_left,
            transcript_bytes=self.covered,
            tag_epsilon=self.auth.tag_epsilon,
            epsilon=tags * self.auth.tag_epsilon,
            secrecy=status.secrecy,
        )


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
