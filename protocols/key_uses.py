"""Keys in the programs that use them: TLS 1.3, WireGuard, CMS, files.

`psk_session` is for ``openssl s_server`` and ``s_client -psk_session``, `wireguard_psk` for
``wg set ... preshared-key FILE``. Both write files that their owner alone can read: no key stands on a
command line, where everybody on the machine can read it.
"""

from __future__ import annotations

import base64
import time
from pathlib import Path

from ebit.games import ArgumentError
from ebit.protocols.key_uses_cms import cms_decrypt, cms_encrypt, cms_key_id, cms_key_ids
from ebit.protocols.key_uses_der import der
from ebit.protocols.key_uses_files import (
    SealedFile,
    SealError,
    check_start,
    decrypt_file,
    encrypt_file,
    key_id_of,
)
from ebit.protocols.key_uses_source import (
    KeyFile,
    KeyFileEmptyError,
    KeyFileError,
    KeySource,
    SpentError,
    StoreKeys,
)
from ebit.protocols.private_files import private_file
from ebit.protocols.secret_bits import SecretBits

__all__ = [
    "KeyFile",
    "KeyFileEmptyError",
    "KeyFileError",
    "KeySource",
    "SealError",
    "SealedFile",
    "SpentError",
    "StoreKeys",
    "check_start",
    "cms_decrypt",
    "cms_encrypt",
    "cms_key_id",
    "cms_key_ids",
    "decrypt_file",
    "encrypt_file",
    "key_id_of",
    "psk_session",
    "wireguard_psk",
]

_TLS13 = b"\x03\x04"
_SUITES = {
    "TLS_AES_256_GCM_SHA384": b"\x13\x02",
    "TLS_CHACHA20_POLY1305_SHA256": b"\x13\x03",
    "TLS_AES_128_GCM_SHA256": b"\x13\x01",
}


def psk_session(
    path: str | Path, key: SecretBits, *, suite: str = "TLS_AES_256_GCM_SHA384"
) -> Path:
    """Write a pre-shared key for TLS 1.3 as openssl's session file, for ``-psk_session``.

    Both ends give the same ``-psk_identity``, the key's id. openssl's other option, ``-psk HEX``, would
    show the key to everybody who lists processes.

    Args:
        path: the file, readable by its owner only.
        key: 256 bits; up to 512 are possible.
        suite: the cipher suite whose hash goes with the key.

    Returns:
        The path.

    Raises:
        ArgumentError: a key of another length, an unknown suite, or a file that cannot be written.

    Source:
        RFC 8446, 4.2.11; the file is the ASN.1 of openssl's SSL_SESSION (ssl/ssl_asn1.c).
    """
    if suite not in _SUITES:
        raise ArgumentError(f"suite must be one of {', '.join(_SUITES)}, but was {suite!r}")
    if not 128 <= key.bits <= 512 or key.bits % 8:
        raise ArgumentError(
            f"a pre-shared key of TLS must have 128 to 512 bits in whole bytes, but had {key.bits}"
        )
    now = int(time.time())
    body = der(
        0x30,
        _integer(1),
        der(0x02, _TLS13),
        der(0x04, _SUITES[suite]),
        der(0x04),
        der(0x04, key.reveal_bytes()),
        der(0xA1, _integer(now)),
        der(0xA2, _integer(10 * 365 * 86400)),
        der(0xA4, der(0x04)),
    )
    text = base64.encodebytes(body).replace(b"\n", b"")
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    label = b"SSL SESSION PARAMETERS-----\n"
    with private_file(Path(path)) as out:
        out.write(b"-----BEGIN " + label + b"\n".join(lines) + b"\n-----END " + label)
    return Path(path)


def wireguard_psk(path: str | Path, key: SecretBits) -> Path:
    """Write a WireGuard preshared key: 32 bytes in base64 and a line end.

    Args:
        path: the file, readable by its owner only.
        key: 256 bits.

    Returns:
        The path.

    Raises:
        ArgumentError: a key of another length, or a file that cannot be written.

    Source:
        wg(8), ``preshared-key``; J. A. Donenfeld, "WireGuard", NDSS 2017, 5.2: the key is mixed into
        every handshake.
    """
    if key.bits != 256:
        raise ArgumentError(f"a WireGuard preshared key must have 256 bits, but had {key.bits}")
    with private_file(Path(path)) as out:
        out.write(base64.b64encode(key.reveal_bytes()) + b"\n")
    return Path(path)


def _integer(value: int) -> bytes:
    return der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))
