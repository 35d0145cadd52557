"""CMS messages for a key that both ends hold: what ``openssl cms -secretkey`` reads and writes.

AuthEnvelopedData (RFC 5083) with AES-256-GCM (RFC 5084) for one KEKRecipientInfo (RFC 5652, 6.2.3): the
content's key is wrapped (RFC 3394) under the shared key, which is named by its id, for ETSI GS QKD 014
the sixteen bytes of the UUID. Written here so that the key need not stand on openssl's command line.
"""

from __future__ import annotations

import os
import uuid
from typing import Any

from ebit.games import ArgumentError, MissingExtraError
from ebit.protocols.key_uses_der import children, der, only
from ebit.protocols.key_uses_files import SealError
from ebit.protocols.secret_bits import SecretBits

__all__ = ["cms_decrypt", "cms_encrypt", "cms_key_id", "cms_key_ids"]

_OIDS = {
    "auth-enveloped": "060b2a864886f70d0109100117",  # 1.2.840.113549.1.9.16.1.23
    "data": "06092a864886f70d010701",  # 1.2.840.113549.1.7.1
    "aes256-wrap": "060960864801650304012d",  # 2.16.840.1.101.3.4.1.45
    "aes256-gcm": "060960864801650304012e",  # 2.16.840.1.101.3.4.1.46
}
_OID = {name: bytes.fromhex(text) for name, text in _OIDS.items()}
_INTEGER, _OCTETS, _SEQUENCE, _SET = 0x02, 0x04, 0x30, 0x31
_TAG_BYTES = 16
_NO_MESSAGE = (
    "the message must be a CMS AuthEnvelopedData with AES-256-GCM in DER (openssl: without -stream), "
    "but is not, or was cut"
)


def cms_key_id(key_id: str) -> bytes:
    """Return the bytes that name a key in a message: a UUID's sixteen, else the text's.

    Example:
        >>> cms_key_id("f81d4fae-7dec-11d0-a765-00a0c91e6bf6").hex()
        'f81d4fae7dec11d0a76500a0c91e6bf6'
    """
    try:
        return uuid.UUID(key_id).bytes
    except ValueError:
        return key_id.encode()


def cms_encrypt(content: bytes, key: SecretBits, *, key_id: str) -> bytes:
    """Encrypt content as a CMS message (DER).

    Args:
        content: what to encrypt; it is held in memory.
        key: 256 bits.
        key_id: the key's name, in clear in the message.

    Raises:
        ArgumentError: a key of another length, or an empty name.
        MissingExtraError: the package cryptography is not installed.

    Source:
        RFC 5083, 5084, 5652 and 3394.
    """
    name = cms_key_id(key_id)
    if not name:
        raise ArgumentError("key_id must not be empty")
    wrap, gcm = _library()
    inner, nonce = os.urandom(32), os.urandom(12)
    sealed = gcm(inner).encrypt(nonce, content, None)
    recipient = der(
        0xA2,
        der(_INTEGER, b"\x04"),
        der(_SEQUENCE, der(_OCTETS, name)),
        der(_SEQUENCE, _OID["aes256-wrap"]),
        der(_OCTETS, wrap.aes_key_wrap(_key(key), inner)),
    )
    parameters = der(_SEQUENCE, der(_OCTETS, nonce), der(_INTEGER, bytes([_TAG_BYTES])))
    encrypted = der(
        _SEQUENCE,
        _OID["data"],
        der(_SEQUENCE, _OID["aes256-gcm"], parameters),
        der(0x80, sealed[:-_TAG_BYTES]),
    )
    enveloped = der(
        _SEQUENCE,
        der(_INTEGER, b"\x00"),
        der(_SET, recipient),
        encrypted,
        der(_OCTETS, sealed[-_TAG_BYTES:]),
    )
    return der(_SEQUENCE, _OID["auth-enveloped"], der(0xA0, enveloped))


def cms_decrypt(message: bytes, key: SecretBits, *, key_id: str) -> bytes:
    """Decrypt a CMS message (DER) as `cms_encrypt` or ``openssl cms -encrypt -aes-256-gcm`` writes it.

    Args:
        message: the message, with one recipient or more.
        key: 256 bits.
        key_id: its name; the recipient of this name is taken.

    Raises:
        SealError: another key, no such recipient, or a message that was changed.
        ArgumentError: a key of another length.
    """
    wrap, gcm = _library()
    raw = _key(key)
    try:
        wrapped, nonce, sealed = _take_apart(message, cms_key_id(key_id))
    except (ValueError, IndexError):
        raise SealError(_NO_MESSAGE) from None
    if wrapped is None:
        raise SealError(f"the message has no recipient with the key {key_id}")
    from cryptography.exceptions import InvalidTag

    try:
        return bytes(gcm(wrap.aes_key_unwrap(raw, wrapped)).decrypt(nonce, sealed, None))
    except (wrap.InvalidUnwrap, InvalidTag, ValueError):
        raise SealError(
            "the message is not what was encrypted: it was changed, or the key is another"
        ) from None


def cms_key_ids(message: bytes) -> tuple[str, ...]:
    """Return the names of the keys that a message is encrypted for; sixteen bytes are taken for a UUID.

    Raises:
        SealError: it is no such message.
    """
    try:
        names = [name for name, _ in _recipients(_parts(message)[1][1])]
    except (ValueError, IndexError):
        raise SealError(_NO_MESSAGE) from None
    return tuple(
        str(uuid.UUID(bytes=name)) if len(name) == 16 else name.decode("utf-8", "replace")
        for name in names
    )


def _take_apart(message: bytes, name: bytes) -> tuple[bytes | None, bytes, bytes]:
    """The wrapped key of the recipient `name`, the nonce, and ciphertext || tag."""
    parts = _parts(message)
    (_, recipients, _), (_, encrypted, _), (_, tag, _) = parts[1:]
    if len(tag) != _TAG_BYTES:
        raise ValueError
    wrapped = dict(_recipients(recipients)).get(name)
    _, (_, algorithm, _), (kind, ciphertext, _) = children(encrypted)
    oid, parameters = children(algorithm)
    if oid[2] != _OID["aes256-gcm"]:
        raise ValueError
    if kind == 0xA0:  # in pieces
        ciphertext = b"".join(body for _, body, _ in children(ciphertext))
    return wrapped, children(parameters[1])[0][1], ciphertext + tag


def _parts(message: bytes) -> list[tuple[int, bytes, bytes]]:
    """Version, recipients, encrypted content and tag."""
    kind, content = children(only(message, _SEQUENCE))
    if kind[2] != _OID["auth-enveloped"]:
        raise ValueError
    parts = [part for part in children(only(content[1], _SEQUENCE)) if part[0] != 0xA0]
    if len(parts) != 4:  # authenticated attributes are not supported
        raise ValueError
    return parts


def _recipients(body: bytes) -> list[tuple[bytes, bytes]]:
    """(key identifier, wrapped key) of the recipients with a shared key."""
    found = []
    for kind, recipient, _ in children(body):
        if kind == 0xA2:
            _, (_, identifier, _), (_, algorithm, _), (_, wrapped, _) = children(recipient)
            if children(algorithm)[0][2] == _OID["aes256-wrap"]:
                found.append((children(identifier)[0][1], wrapped))
    return found


def _key(key: SecretBits) -> bytes:
    if key.bits != 256:
        raise ArgumentError(f"the key of a CMS message must have 256 bits, but had {key.bits}")
    return key.reveal_bytes()


def _library() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import keywrap
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise MissingExtraError("CMS messages", "keys") from None
    return keywrap, AESGCM
