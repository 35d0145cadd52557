"""One key out of several secrets: HKDF, and the two combiners of ETSI TS 103 744.

CatKDF derives from the secrets laid side by side, CasKDF takes one after the other into a chain. Either
gives a key that is secret if any one of the secrets is, as far as the hash function is what it should be.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Literal

from ebit.games import ArgumentError

__all__ = [
    "Hash",
    "Kdf",
    "cas_kdf",
    "cas_round",
    "cat_kdf",
    "framed",
    "hkdf",
    "hkdf_expand",
    "hkdf_extract",
    "one_step",
]

Hash = Literal["sha256", "sha384"]
Kdf = Literal["hkdf", "hmac"]

_SIZES = {"sha256": 32, "sha384": 48}


def _check_hash(name: str) -> int:
    if name not in _SIZES:
        raise ArgumentError(f"hash must be one of {', '.join(_SIZES)}, but was {name!r}")
    return _SIZES[name]


def _check_length(length: int, most: int) -> None:
    if not 1 <= length <= most:
        raise ArgumentError(f"length must be between 1 and {most} bytes, but was {length}")


def framed(*parts: bytes) -> bytes:
    """Return the parts one after the other, each preceded by its length in four bytes.

    No other parts give the same bytes. It is also the formatting function `cb_f` of TS 103 744, 7.2.2.

    Example:
        >>> framed(b"a", b"").hex()
        '000000016100000000'
    """
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def hkdf_extract(secret: bytes, *, salt: bytes = b"", hash: Hash = "sha256") -> bytes:
    """Return the pseudorandom key HMAC(salt, secret), the first half of HKDF.

    Args:
        secret: bytes of any length.
        salt: public, or the secret of an earlier derivation; none if empty.
        hash: "sha256" or "sha384".

    Raises:
        ArgumentError: an unknown hash.

    Source:
        RFC 5869, section 2.2.
    """
    _check_hash(hash)
    return hmac.digest(salt, secret, hash)


def hkdf_expand(key: bytes, info: bytes, length: int, *, hash: Hash = "sha256") -> bytes:
    """Return T(1) || T(2) || ..., cut to length, with T(i) = HMAC(key, T(i-1) || info || i).

    Args:
        key: of `hkdf_extract`.
        info: what the bytes are for.
        length: bytes wanted, 255 hash lengths at most.
        hash: "sha256" or "sha384".

    Raises:
        ArgumentError: a length out of range, or an unknown hash.

    Source:
        RFC 5869, section 2.3.
    """
    size = _check_hash(hash)
    _check_length(length, 255 * size)
    found, block = b"", b""
    for number in range(1, -(-length // size) + 1):
        block = hmac.digest(key, block + info + bytes([number]), hash)
        found += block
    return found[:length]


def hkdf(
    secret: bytes, *, salt: bytes = b"", info: bytes = b"", length: int = 32, hash: Hash = "sha256"
) -> bytes:
    """Return `length` bytes derived from a secret, by extract and expand.

    Example:
        >>> hkdf(bytes(32), info=b"an example", length=4).hex()
        'bfe3232a'

    Source:
        RFC 5869.
    """
    return hkdf_expand(hkdf_extract(secret, salt=salt, hash=hash), info, length, hash=hash)


def one_step(
    secret: bytes, *, salt: bytes = b"", info: bytes = b"", length: int = 32, hash: Hash = "sha256"
) -> bytes:
    """Return H(1) || H(2) || ..., cut to length, with H(i) = HMAC(salt, i || secret || info).

    Args:
        secret, salt, info: as for `hkdf`; i has four bytes.
        length: bytes wanted.
        hash: "sha256" or "sha384".

    Raises:
        ArgumentError: a length out of range, or an unknown hash.

    Source:
        NIST SP 800-56C Rev. 2, section 4.1, option 2.
    """
    size = _check_hash(hash)
    _check_length(length, 1 << 20)
    blocks = range(1, -(-length // size) + 1)
    return b"".join(
        hmac.digest(salt, number.to_bytes(4, "big") + secret + info, hash) for number in blocks
    )[:length]


_KDFS = {"hkdf": hkdf, "hmac": one_step}


def _derive(
    kdf: Kdf, secret: bytes, label: bytes, context: bytes, length: int, hash: Hash
) -> bytes:
    if kdf not in _KDFS:
        raise ArgumentError(f"kdf must be one of {', '.join(_KDFS)}, but was {kdf!r}")
    return _KDFS[kdf](secret, salt=label, info=context, length=length, hash=hash)


def cat_kdf(
    secrets: Sequence[bytes],
    *,
    message_a: bytes,
    message_b: bytes,
    info: bytes = b"",
    label: bytes = b"",
    psk: bytes = b"",
    length: int = 32,
    kdf: Kdf = "hkdf",
    hash: Hash = "sha256",
) -> bytes:
    """Return KDF(psk || k_1 || k_2 ..., label, H(info, M_A, M_B)): the concatenating combiner.

    Nothing marks where one secret ends and the next begins: each must have a length that is fixed
    beforehand, as those of X25519 and ML-KEM have. `psk` may be a quantum key of fixed length.

    Args:
        secrets: the shared secrets in their agreed order, at least one.
        message_a, message_b: all that each party sent; both are hashed into the key.
        info: what the key is for, such as the parties' names.
        label: the salt of the derivation.
        psk: a secret that the parties share already.
        length: bytes wanted.
        kdf: "hkdf", or "hmac" for the one-step derivation. (KMAC, the third of the standard, is not
            in Python's library and is left out.)
        hash: "sha256" or "sha384".

    Returns:
        The key.

    Raises:
        ArgumentError: no secrets, an empty one, an unknown name or a length out of range.

    Example:
        >>> cat_kdf([bytes(32), bytes(32)], message_a=b"A", message_b=b"B", length=4).hex()
        '9286a781'

    Source:
        ETSI TS 103 744 V1.2.1, 7.2.3 and 8.2.
    """
    _check_hash(hash)
    _check_secrets(secrets)
    context = hashlib.new(hash, framed(info, message_a, message_b)).digest()
    return _derive(kdf, psk + b"".join(secrets), label, context, length, hash)


def cas_round(
    chain: bytes,
    secret: bytes,
    *,
    message_a: bytes,
    message_b: bytes,
    info: bytes = b"",
    label: bytes = b"",
    length: int = 32,
    kdf: Kdf = "hkdf",
    hash: Hash = "sha256",
) -> tuple[bytes, bytes]:
    """Take one more secret into a chain: a round of the cascading combiner.

    round secret = HMAC(chain, H(k, M_A, M_B)); next chain || key = KDF(round secret, label, info).

    Args:
        chain: the chain secret so far; a pre-shared key, or nothing, before the first round.
        secret: the shared secret of this round.
        message_a, message_b, info, label, length, kdf, hash: as for `cat_kdf`, of this round.

    Returns:
        The next chain secret (as long as the hash) and the key after this round.

    Raises:
        ArgumentError: an empty secret, an unknown name or a length out of range.

    Source:
        ETSI TS 103 744 V1.2.1, 7.3.2 and 8.3.
    """
    size = _check_hash(hash)
    _check_secrets([secret])
    _check_length(length, 254 * size)
    context = hashlib.new(hash, framed(secret, message_a, message_b)).digest()
    found = _derive(kdf, hmac.digest(chain, context, hash), label, info, size + length, hash)
    return found[:size], found[size:]


def cas_kdf(
    secrets: Sequence[bytes],
    *,
    messages_a: Sequence[bytes],
    messages_b: Sequence[bytes],
    infos: Sequence[bytes],
    labels: Sequence[bytes],
    psk: bytes = b"",
    length: int = 32,
    kdf: Kdf = "hkdf",
    hash: Hash = "sha256",
) -> tuple[bytes, bytes]:
    """Return the chain secret and the key after a round of `cas_round` for each secret.

    Args:
        secrets: the shared secrets in their agreed order.
        messages_a, messages_b, infos, labels: those of each round.
        psk, length, kdf, hash: as for `cat_kdf`.

    Raises:
        ArgumentError: not as many messages, infos and labels as secrets, or as `cas_round`.

    Source:
        ETSI TS 103 744 V1.2.1, 8.3.
    """
    counts = {len(messages_a), len(messages_b), len(infos), len(labels)}
    if counts != {len(secrets)}:
        raise ArgumentError(
            f"messages_a, messages_b, infos and labels must have one item for each of the "
            f"{len(secrets)} secrets, but had {sorted(counts)}"
        )
    _check_secrets(secrets)
    chain, key = psk, b""
    for secret, a, b, info, label in zip(
        secrets, messages_a, messages_b, infos, labels, strict=True
    ):
        chain, key = cas_round(
            chain,
            secret,
            message_a=a,
            message_b=b,
            info=info,
            label=label,
            length=length,
            kdf=kdf,
            hash=hash,
        )
    return chain, key


def _check_secrets(secrets: Sequence[bytes]) -> None:
    empty = [number for number, secret in enumerate(secrets, 1) if not secret]
    if not secrets or empty:
        was = f"secret {empty[0]} was empty" if empty else "there was none"
        raise ArgumentError(f"secrets must be one or more non-empty byte strings, but {was}")
