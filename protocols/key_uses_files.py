"""Files encrypted under a key of their own: AES-256-GCM in chunks, of any length.

    magic "ebitfile" | version 1 | salt 32 | nonce 7 | length of the key's name 2 | name | chunks

The key of the file is HKDF(key, salt, name). Each chunk of 64 KiB (the last may be shorter, or empty) is
sealed with the nonce nonce || chunk number (4 bytes) || 1 for the last chunk, else 0, and the header as
associated data: the STREAM construction, so that a chunk that is missing, doubled, moved or cut off is
found. What was decrypted appears under its name only when all of it was found right.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ebit.games import ArgumentError, EbitError, MissingExtraError
from ebit.protocols.combiner import hkdf
from ebit.protocols.private_files import private_file
from ebit.protocols.secret_bits import SecretBits

__all__ = [
    "CHUNK_BYTES",
    "SealError",
    "SealedFile",
    "check_start",
    "decrypt_file",
    "encrypt_file",
    "key_id_of",
]

CHUNK_BYTES = 1 << 16
_TAG = 16
_HEAD = struct.Struct(">8sB32s7sH")
_MAGIC, _VERSION = b"ebitfile", 1
_MOST_CHUNKS = 1 << 32


class SealError(EbitError):
    """An encrypted file is not what its sender wrote, or the key is another."""

    exit_code = 1


@dataclass(frozen=True)
class SealedFile:
    """A file that was encrypted or decrypted.

    Attributes:
        file: what was written, readable by its owner only.
        key_id: name of the key.
        bytes: of the content. chunks: it was sealed in.
    """

    file: str
    key_id: str
    bytes: int
    chunks: int


def encrypt_file(
    source: str | Path, target: str | Path, key: SecretBits, *, key_id: str
) -> SealedFile:
    """Encrypt a file of any length; memory does not grow with it.

    Args:
        source: the file.
        target: what to write, whole or not at all.
        key: 256 bits, for this file alone.
        key_id: its name, which the file says in clear.

    Raises:
        ArgumentError: a key of another length, a name that is too long, a file that cannot be read
            or written, or both files the same.
        MissingExtraError: the package cryptography is not installed.

    Source:
        V. T. Hoang, R. Reyhanitabar, P. Rogaway, D. Vizar, "Online Authenticated-Encryption and its
        Nonce-Reuse Misuse-Resistance", CRYPTO 2015, section 7 (STREAM); AES-GCM: NIST SP 800-38D.
    """
    name = key_id.encode()
    if not 1 <= len(name) <= 1024:
        raise ArgumentError(f"key_id must have 1 to 1024 bytes, but had {len(name)}")
    salt, nonce = os.urandom(32), os.urandom(7)
    head = _HEAD.pack(_MAGIC, _VERSION, salt, nonce, len(name)) + name
    seal = _cipher(key, salt, name)
    total = number = 0
    with _opened(source, target) as content, private_file(Path(target)) as out:
        out.write(head)
        chunk = _read(content, CHUNK_BYTES, source)
        while True:
            following = _read(content, CHUNK_BYTES, source) if len(chunk) == CHUNK_BYTES else b""
            last = not following
            out.write(seal.encrypt(_nonce(nonce, number, last), chunk, head))
            total, number = total + len(chunk), number + 1
            if last:
                break
            chunk = following
    return SealedFile(str(target), key_id, total, number)


def decrypt_file(
    source: str | Path,
    target: str | Path,
    key: SecretBits | Callable[[str], SecretBits],
) -> SealedFile:
    """Decrypt a file of `encrypt_file`, if all of it is as it was written.

    Args:
        source: the encrypted file.
        target: what to write, whole or not at all.
        key: the key, or a function that gives the key of a name.

    Raises:
        SealError: another key, or a file that was cut, extended, reordered or changed; nothing is
            written.
        ArgumentError: as `encrypt_file`, or no file of its.
    """
    with _opened(source, target) as content:
        head, salt, nonce, name = _read_head(content, source)
        key_id = name.decode("utf-8", "replace")
        found = key(key_id) if callable(key) else key
        opener = _cipher(found, salt, name)
        total = number = 0
        with private_file(Path(target)) as out:
            chunk = _read(content, CHUNK_BYTES + _TAG, source)
            while True:
                full = len(chunk) == CHUNK_BYTES + _TAG
                following = _read(content, CHUNK_BYTES + _TAG, source) if full else b""
                last = not following
                plain = _open(opener, _nonce(nonce, number, last), chunk, head, source, number)
                out.write(plain)
                total, number = total + len(plain), number + 1
                if last:
                    break
                chunk = following
    return SealedFile(str(target), key_id, total, number)


def check_start(source: str | Path, key: SecretBits) -> None:
    """Check that a key opens the first chunk of a file, and so is the one that its head names.

    Raises:
        SealError, ArgumentError: as `decrypt_file`.
    """
    with _opened(source, None) as content:
        head, salt, nonce, name = _read_head(content, source)
        chunk = _read(content, CHUNK_BYTES + _TAG, source)
        last = len(chunk) < CHUNK_BYTES + _TAG or not _read(content, 1, source)
        _open(_cipher(key, salt, name), _nonce(nonce, 0, last), chunk, head, source, 0)


def key_id_of(source: str | Path) -> str:
    """Return the name of the key that a file was encrypted under; nothing vouches for it yet.

    Raises:
        ArgumentError: no file of `encrypt_file`.
    """
    with _opened(source, None) as content:
        return _read_head(content, source)[3].decode("utf-8", "replace")


def _open(
    opener: Any, nonce: bytes, chunk: bytes, head: bytes, source: str | Path, number: int
) -> bytes:
    from cryptography.exceptions import InvalidTag

    try:
        return bytes(opener.decrypt(nonce, chunk, head))
    except (InvalidTag, ValueError):
        raise SealError(
            f"{source} is not what was encrypted (chunk {number}): it was cut or changed, or the key is "
            "another; nothing was written"
        ) from None


def _nonce(start: bytes, number: int, last: bool) -> bytes:
    if number >= _MOST_CHUNKS:
        raise ArgumentError(
            f"a file must have at most {_MOST_CHUNKS * CHUNK_BYTES} bytes: split it, a key for each part"
        )
    return start + number.to_bytes(4, "big") + bytes([last])


def _cipher(key: SecretBits, salt: bytes, name: bytes) -> Any:
    if key.bits != 256:
        raise ArgumentError(f"the key of a file must have 256 bits, but had {key.bits}")
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise MissingExtraError("encrypting a file", "keys") from None
    return AESGCM(hkdf(key.reveal_bytes(), salt=salt, info=b"ebit file v1" + name))


def _opened(source: str | Path, target: str | Path | None) -> BinaryIO:
    there = target is not None and Path(target).exists() and Path(source).exists()
    if there and os.path.samefile(source, str(target)):
        raise ArgumentError(f"source and target must be two files, but both were {source}")
    try:
        return open(source, "rb")
    except OSError as error:
        raise ArgumentError(f"cannot read {source}: {error.strerror or error}") from None


def _read(content: BinaryIO, size: int, source: str | Path) -> bytes:
    try:
        return content.read(size)
    except OSError as error:
        raise ArgumentError(f"cannot read {source}: {error.strerror or error}") from None


def _read_head(content: BinaryIO, source: str | Path) -> tuple[bytes, bytes, bytes, bytes]:
    fixed = _read(content, _HEAD.size, source)
    if len(fixed) < _HEAD.size or fixed[:8] != _MAGIC:
        raise ArgumentError(f"{source} must be a file of ebit use encrypt, but is none")
    _, version, salt, nonce, length = _HEAD.unpack(fixed)
    if version != _VERSION:
        raise ArgumentError(
            f"{source} must have version {_VERSION}, but has {version}: a newer ebit?"
        )
    name = _read(content, length, source)
    if len(name) < length:
        raise SealError(f"{source} ends within its head: it was cut; nothing was written")
    return fixed + name, salt, nonce, name
