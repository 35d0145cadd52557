"""What seals a key store: the key-encryption key, the store's own key under it, and sealed pieces.

The store's own key is random, 256 bits, and lies in the store under the key-encryption key, which is
either 32 random bytes in a file that only its owner reads, or derived from a passphrase by scrypt.
Every block has a key of its own (HKDF-SHA256 of the store's key), so that the random 96-bit nonces of
AES-256-GCM never come near their limit.
"""

from __future__ import annotations

import hmac
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from ebit.games import ArgumentError, EbitError, MissingExtraError
from ebit.protocols.private_files import private_file

__all__ = ["KeyStoreError", "Lock", "Seal", "needs_cryptography"]

_NONCE = 12
_SCRYPT = {"n": 2**15, "r": 8, "p": 1}
_KEY_BYTES = 32


class KeyStoreError(EbitError):
    """A key store cannot be opened, read or written, or is damaged."""

    exit_code = 1


def needs_cryptography() -> None:
    """Find out that the optional package is there.

    Raises:
        MissingExtraError: it is not.
    """
    try:
        import cryptography.hazmat.primitives.ciphers.aead  # noqa: F401
    except ImportError:
        raise MissingExtraError("a key store", "keys") from None


@dataclass(frozen=True, repr=False)
class Lock:
    """Where the key-encryption key comes from: a file, or a passphrase.

    Attributes:
        key_file: an owner-only file of 64 hexadecimal digits.
        passphrase: words; used instead of the file if given.

    Example:
        >>> Lock(Path("a.key"))
        Lock(key file a.key)
    """

    key_file: Path
    passphrase: str | None = None

    def __repr__(self) -> str:
        return f"Lock(key file {self.key_file})" if self.passphrase is None else "Lock(passphrase)"

    @classmethod
    def of(cls, store: Path, key_file: str | Path | None, passphrase: str | None) -> Lock:
        """Return the lock of a store, whose key file is STORE.key if nothing else is said.

        Raises:
            ArgumentError: both were given.
        """
        if key_file is not None and passphrase is not None:
            raise ArgumentError("a store opens with a key file or a passphrase: give one of them")
        beside = store.with_name(store.name + ".key")
        return cls(beside if key_file is None else Path(key_file), passphrase)

    def make(self) -> tuple[bytes, dict[str, Any]]:
        """Return a key-encryption key, and what the store must keep to have it again.

        A key file that is there already is used as it is: one may serve several stores.

        Raises:
            ArgumentError: the file cannot be written or used, or the passphrase is empty.
        """
        if self.passphrase is not None:
            if not self.passphrase:
                raise ArgumentError(
                    "the passphrase must have at least one character, but was empty"
                )
            facts = {"kind": "passphrase", "salt": os.urandom(16).hex(), **_SCRYPT}
            return self.key(facts), facts
        facts = {"kind": "file"}
        if not self.key_file.exists():
            with private_file(self.key_file) as out:
                out.write(os.urandom(_KEY_BYTES).hex().encode() + b"\n")
        return self.key(facts), facts

    def key(self, facts: dict[str, Any]) -> bytes:
        """Return the key-encryption key of a store that kept those facts.

        Raises:
            ArgumentError: a passphrase is needed and was not given, or the other way round, or the
                file is missing, is no key, or may be read by others.
        """
        if facts["kind"] == "passphrase":
            if self.passphrase is None:
                raise ArgumentError("this key store opens with a passphrase, but none was given")
            from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

            kdf = Scrypt(
                salt=bytes.fromhex(facts["salt"]),
                length=_KEY_BYTES,
                n=int(facts["n"]),
                r=int(facts["r"]),
                p=int(facts["p"]),
            )
            return bytes(kdf.derive(self.passphrase.encode()))
        if self.passphrase is not None:
            raise ArgumentError("this key store opens with a key file, but a passphrase was given")
        return _read_key(self.key_file)


def _read_key(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii").strip()
        found = bytes.fromhex(text)
    except FileNotFoundError:
        raise ArgumentError(
            f"the key file {path} must be there to open the store, but is not: give --key-file"
        ) from None
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or "it is not hexadecimal"
        raise ArgumentError(f"the key file {path} cannot be used: {words}") from None
    if len(found) != _KEY_BYTES:
        raise ArgumentError(
            f"the key file {path} must hold {2 * _KEY_BYTES} hexadecimal digits, but holds "
            f"{len(text)}"
        )
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise ArgumentError(
            f"the key file {path} must be readable by its owner only, but has mode "
            f"{stat.S_IMODE(mode):o}: chmod 600 it, and think who has read it"
        )
    return found


class Seal:
    """Seals and opens the pieces of one store.

    Args:
        key: the store's own 32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._ciphers: dict[UUID, Any] = {}

    def __repr__(self) -> str:
        return "Seal(hidden)"

    @classmethod
    def make(cls, lock: Lock, about: dict[str, Any]) -> tuple[Seal, dict[str, Any], bytes]:
        """Make a store's key; return its seal, the lock's facts, and the key as it lies in the store.

        Args:
            lock: where the key-encryption key comes from.
            about: what the store says of itself; whoever changes it cannot open the store.
        """
        kek, facts = lock.make()
        key = os.urandom(_KEY_BYTES)
        return cls(key), facts, _seal(kek, key, _words(about, facts))

    @classmethod
    def opened(
        cls, lock: Lock, about: dict[str, Any], facts: dict[str, Any], wrapped: bytes, place: Path
    ) -> Seal:
        """Return the seal of a store.

        Raises:
            KeyStoreError: the key is not this store's, or what the store says of itself was changed.
        """
        key = _open(lock.key(facts), wrapped, _words(about, facts))
        if key is None:
            what = "passphrase" if facts["kind"] == "passphrase" else f"key file {lock.key_file}"
            raise KeyStoreError(
                f"the {what} does not open {place}: it belongs to another store, or the store's "
                "first row was changed"
            )
        return cls(key)

    def close(self, block: UUID, about: bytes, piece: bytes) -> bytes:
        """Return a piece of a block sealed, bound to what is said about it."""
        nonce = os.urandom(_NONCE)
        return nonce + bytes(self._cipher(block).encrypt(nonce, piece, about))

    def open(self, block: UUID, about: bytes, sealed: bytes) -> bytes | None:
        """Return a sealed piece, or None if it or what is said about it was changed."""
        from cryptography.exceptions import InvalidTag

        if not isinstance(sealed, bytes) or len(sealed) < _NONCE + 16:
            return None
        try:
            return bytes(self._cipher(block).decrypt(sealed[:_NONCE], sealed[_NONCE:], about))
        except InvalidTag:
            return None

    def digest(self, bits: bytes) -> bytes:
        """Return what tells these bits from others, and tells nothing of them without the key."""
        return hmac.digest(self._derived(b"digest"), bits, "sha256")

    def _cipher(self, block: UUID) -> Any:
        if block not in self._ciphers:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            self._ciphers[block] = AESGCM(self._derived(b"block " + block.bytes))
        return self._ciphers[block]

    def _derived(self, use: bytes) -> bytes:
        """A key for one use."""
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        kdf = HKDF(SHA256(), _KEY_BYTES, None, b"ebit key store 1 " + use)
        return bytes(kdf.derive(self._key))


def _words(about: dict[str, Any], facts: dict[str, Any]) -> bytes:
    return b"ebit key store 1 " + json.dumps([about, facts], sort_keys=True).encode()


def _seal(key: bytes, piece: bytes, about: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE)
    return nonce + bytes(AESGCM(key).encrypt(nonce, piece, about))


def _open(key: bytes, sealed: bytes, about: bytes) -> bytes | None:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return bytes(AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], about))
    except (InvalidTag, ValueError):
        return None
