"""X25519 and ML-KEM-768 between two parties: what each sends, and the two secrets that both get."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ebit.games import MissingExtraError
from ebit.protocols.conversation import ChannelError

__all__ = ["ANSWER_BYTES", "OFFER_BYTES", "Offer", "Shared", "answer"]

X25519_BYTES = 32
ENCAPSULATION_BYTES = 1184
CIPHERTEXT_BYTES = 1088
OFFER_BYTES = ENCAPSULATION_BYTES + X25519_BYTES
ANSWER_BYTES = CIPHERTEXT_BYTES + X25519_BYTES


@dataclass(frozen=True, repr=False)
class Shared:
    """The two secrets of an exchange, 32 bytes each. Nothing prints them."""

    mlkem: bytes
    x25519: bytes

    def __repr__(self) -> str:
        return "Shared(ML-KEM-768 and X25519, hidden)"


class Offer:
    """The first party's half: fresh private keys, used once.

    Attributes:
        public: what to send, the encapsulation key of ML-KEM-768 and the point of X25519.
    """

    def __init__(self) -> None:
        kem, curve = _library()
        self._kem: Any = kem.MLKEM768PrivateKey.generate()
        self._point: Any = curve.X25519PrivateKey.generate()
        self.public: bytes = (
            self._kem.public_key().public_bytes_raw() + self._point.public_key().public_bytes_raw()
        )

    def finish(self, answer: bytes) -> Shared:
        """Return the secrets by the other party's `answer`, and let go of the private keys.

        A ciphertext that was changed gives another secret without a sign (FIPS 203 has it so): only
        the confirmation of the key tells.

        Raises:
            ChannelError: an answer of another length, or a point that gives no secret.
        """
        _, curve = _library()
        if len(answer) != ANSWER_BYTES:
            raise ChannelError(
                f"the peer's answer must have {ANSWER_BYTES} bytes, but had {len(answer)}"
            )
        kem, point = self._kem, self._point
        if kem is None:
            raise ChannelError("an offer of keys is good for one answer: make another")
        self._kem = self._point = None
        try:
            return Shared(
                kem.decapsulate(answer[:CIPHERTEXT_BYTES]),
                point.exchange(curve.X25519PublicKey.from_public_bytes(answer[CIPHERTEXT_BYTES:])),
            )
        except ValueError:
            raise ChannelError(
                "the peer's answer gives no key: it was changed on the way"
            ) from None


def answer(offer: bytes) -> tuple[bytes, Shared]:
    """Return what to send back to an offer, and the secrets.

    Raises:
        ChannelError: an offer of another length, an encapsulation key that FIPS 203 refuses, or a
            point that gives no secret.
    """
    kem, curve = _library()
    if len(offer) != OFFER_BYTES:
        raise ChannelError(f"the peer's offer must have {OFFER_BYTES} bytes, but had {len(offer)}")
    try:
        theirs = kem.MLKEM768PublicKey.from_public_bytes(offer[:ENCAPSULATION_BYTES])
        secret, ciphertext = theirs.encapsulate()
        private = curve.X25519PrivateKey.generate()
        point = private.exchange(
            curve.X25519PublicKey.from_public_bytes(offer[ENCAPSULATION_BYTES:])
        )
    except ValueError:
        raise ChannelError(
            "the peer's offer holds no valid keys: it was changed on the way"
        ) from None
    return ciphertext + private.public_key().public_bytes_raw(), Shared(secret, point)


def _library() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
    except ImportError:
        raise MissingExtraError("X25519 and ML-KEM-768", "keys") from None
    return mlkem, x25519
