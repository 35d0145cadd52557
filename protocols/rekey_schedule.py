"""From the secrets of an epoch to its key, the keys that confirm it, and the next epoch's chain."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ebit.games import ArgumentError
from ebit.protocols.combiner import framed, hkdf_expand, hkdf_extract
from ebit.protocols.rekey_exchange import Shared
from ebit.protocols.secret_bits import SecretBits

__all__ = ["LABEL", "MODES", "MOST_BITS", "Derived", "Mode", "bind", "derive", "transcript"]

Mode = Literal["computational", "information-theoretic"]
MODES: tuple[Mode, ...] = ("computational", "information-theoretic")
LABEL = b"ebit rekey v1"
MOST_BITS = 8 * 255 * 32
"""Bits that one epoch's HKDF can give."""


@dataclass(frozen=True, repr=False)
class Derived:
    """What an epoch's secrets come to. Nothing prints it.

    Attributes:
        key: the key.
        confirm_alice, confirm_bob: keys of the two tags that confirm it.
        chain: what the next epoch's derivation is salted with.
    """

    key: SecretBits
    confirm_alice: bytes
    confirm_bob: bytes
    chain: bytes

    def __repr__(self) -> str:
        return f"Derived(a key of {self.key.bits} bits, hidden)"


def transcript(offer: bytes, answer: bytes) -> bytes:
    """Return SHA-256(len || offer || len || answer), all that both sides said before the tags."""
    return hashlib.sha256(framed(offer, answer)).digest()


def bind(mode: Mode, epoch: int, bits: int, said: bytes, key_id: str) -> bytes:
    """Return what a derivation is bound to: label, mode, epoch, length, H(transcript, key id)."""
    named = hashlib.sha256(framed(said, key_id.encode())).digest()
    return framed(LABEL, mode.encode()) + epoch.to_bytes(8, "big") + bits.to_bytes(4, "big") + named


def derive(
    mode: Mode,
    quantum: SecretBits | None,
    shared: Shared,
    *,
    epoch: int,
    bits: int,
    said: bytes,
    key_id: str = "",
    chain: bytes = b"",
) -> Derived:
    """Derive an epoch's key.

    With P = HMAC(chain, len||K_qkd||len||ss_MLKEM||len||ss_X25519), K_qkd with its number of bits in
    front, and info of `bind`:

    - computational: K = HKDF-Expand(P, info): secret if any one of the inputs is.
    - information-theoretic: K = K_qkd xor HKDF-Expand(P', info), P' without K_qkd. No function of
      K_qkd is sent, so that the tags confirm the other two secrets and the transcript, not K_qkd.

    Args:
        mode: which of the two. Without a quantum key only the first.
        quantum: the quantum key, None if there is none.
        shared: the secrets of X25519 and ML-KEM-768.
        epoch: number of the epoch, from 0.
        bits: length of the key; in the second mode the quantum key's own.
        said: hash of what was said, `transcript`.
        key_id: the quantum key's name.
        chain: of the epoch before, nothing for epoch 0.

    Raises:
        ArgumentError: a length out of range, or a mode that needs a quantum key without one.

    Source:
        HKDF: RFC 5869. The combiner: F. Giacon, F. Heuer, B. Poettering, "KEM Combiners", PKC 2018
        (all secrets and all messages enter the derivation).
    """
    if not 128 <= bits <= MOST_BITS:
        raise ArgumentError(f"bits must be between 128 and {MOST_BITS}, but was {bits}")
    masks = mode == "information-theoretic"
    if masks and (quantum is None or quantum.bits != bits):
        had = "none" if quantum is None else f"one of {quantum.bits} bits"
        raise ArgumentError(
            f"mode information-theoretic needs a quantum key of {bits} bits, but had {had}"
        )
    known = b""
    if quantum is not None and not masks:
        known = quantum.bits.to_bytes(4, "big") + quantum.reveal_bytes()
    mixed = framed(known, shared.mlkem, shared.x25519)
    root = hkdf_extract(mixed, salt=chain)
    info = bind(mode, epoch, bits, said, key_id)

    def expand(purpose: bytes, length: int) -> bytes:
        return hkdf_expand(root, framed(purpose) + info, length)

    made = np.frombuffer(expand(b"key", -(-bits // 8)), np.uint8).copy()
    if masks and quantum is not None:
        made ^= quantum.reveal()
    return Derived(
        SecretBits(made, bits),
        expand(b"confirm alice", 32),
        expand(b"confirm bob", 32),
        expand(b"chain", 32),
    )
