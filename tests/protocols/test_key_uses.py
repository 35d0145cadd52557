"""CMS and TLS 1.3 with openssl, and WireGuard, with keys that both ends hold."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebit.games import ArgumentError
from ebit.protocols.key_uses import (
    SealError,
    cms_decrypt,
    cms_encrypt,
    cms_key_id,
    cms_key_ids,
    psk_session,
    wireguard_psk,
)
from ebit.protocols.secret_bits import SecretBits

pytest.importorskip("cryptography")

ID = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
SUITE = "TLS_AES_256_GCM_SHA384"
OPENSSL = shutil.which("openssl") or "openssl"
needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl is not installed"
)


def bits(seed: int = 1, size: int = 256) -> SecretBits:
    return SecretBits.of_bytes(np.random.default_rng(seed).bytes(size // 8))


def owner_only(path: Path) -> bool:
    return os.name != "posix" or path.stat().st_mode & 0o077 == 0


@given(st.binary(max_size=400), st.sampled_from([ID, "key#0+256", "x"]))
def test_cms_messages_come_back(content: bytes, key_id: str) -> None:
    message = cms_encrypt(content, bits(), key_id=key_id)
    assert cms_key_ids(message) == (key_id,)
    assert cms_decrypt(message, bits(), key_id=key_id) == content


@needs_openssl
@pytest.mark.parametrize("size", [0, 100, 300, 100_000])
def test_openssl_cms_reads_what_ebit_encrypts(tmp_path: Path, size: int) -> None:
    content = np.random.default_rng(size).bytes(size)
    (tmp_path / "m").write_bytes(cms_encrypt(content, bits(), key_id=ID))
    done = subprocess.run(
        [
            OPENSSL,
            "cms",
            "-decrypt",
            "-binary",
            "-inform",
            "DER",
            "-in",
            tmp_path / "m",
            "-secretkey",
            bits().reveal_bytes().hex(),
            "-secretkeyid",
            cms_key_id(ID).hex(),
        ],
        capture_output=True,
        check=False,
    )
    assert done.stderr == b""
    assert done.stdout == content
    wrong = subprocess.run(
        [
            OPENSSL,
            "cms",
            "-decrypt",
            "-binary",
            "-inform",
            "DER",
            "-in",
            tmp_path / "m",
            "-secretkey",
            bits(2).reveal_bytes().hex(),
            "-secretkeyid",
            cms_key_id(ID).hex(),
        ],
        capture_output=True,
        check=False,
    )
    assert wrong.returncode
    assert not wrong.stdout or wrong.stdout != content


@needs_openssl
@pytest.mark.parametrize("size", [1, 300, 100_000])
def test_ebit_reads_what_openssl_cms_encrypts(tmp_path: Path, size: int) -> None:
    content = np.random.default_rng(size).bytes(size)
    (tmp_path / "p").write_bytes(content)
    done = subprocess.run(
        [
            OPENSSL,
            "cms",
            "-encrypt",
            "-binary",
            "-aes-256-gcm",
            "-outform",
            "DER",
            "-in",
            tmp_path / "p",
            "-out",
            tmp_path / "m",
            "-secretkey",
            bits().reveal_bytes().hex(),
            "-secretkeyid",
            cms_key_id(ID).hex(),
        ],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"this openssl has no AuthEnvelopedData: {done.stderr[:100]!r}")
    message = (tmp_path / "m").read_bytes()
    assert cms_key_ids(message) == (ID,)
    assert cms_decrypt(message, bits(), key_id=ID) == content


def test_cms_messages_that_were_changed() -> None:
    message = cms_encrypt(b"100 to Bob", bits(), key_id=ID)
    for at in range(len(message)):
        changed = bytearray(message)
        changed[at] ^= 4
        try:
            found = cms_decrypt(bytes(changed), bits(), key_id=ID)
        except SealError:
            continue
        assert (
            found == b"100 to Bob"
        )  # a version or the algorithm's tag length, which CMS leaves open
    for cut in range(len(message)):
        with pytest.raises(SealError):
            cms_decrypt(message[:cut], bits(), key_id=ID)
    with pytest.raises(SealError, match="no recipient with the key other"):
        cms_decrypt(message, bits(), key_id="other")
    with pytest.raises(SealError, match="the key is another"):
        cms_decrypt(message, bits(2), key_id=ID)
    with pytest.raises(ArgumentError, match="256 bits, but had 128"):
        cms_encrypt(b"", bits(size=128), key_id=ID)
    with pytest.raises(ArgumentError, match="must not be empty"):
        cms_encrypt(b"", bits(), key_id="")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def s_server(
    session: Path, identity: str, suite: str = SUITE
) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """An openssl server that knows one pre-shared key, and sends every line back reversed."""
    port = free_port()
    server = subprocess.Popen(
        [
            OPENSSL,
            "s_server",
            "-accept",
            f"127.0.0.1:{port}",
            "-tls1_3",
            "-nocert",
            "-rev",
            "-psk_identity",
            identity,
            "-psk_session",
            session,
            "-ciphersuites",
            suite,
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                break
            time.sleep(0.05)
        yield port, server
    finally:
        server.kill()
        server.wait()
        assert server.stdout is not None
        server.stdout.close()


def s_client(port: int, session: Path, identity: str, suite: str = SUITE) -> tuple[int, str]:
    client = subprocess.Popen(
        [
            OPENSSL,
            "s_client",
            "-connect",
            f"127.0.0.1:{port}",
            "-tls1_3",
            "-brief",
            "-ign_eof",
            "-psk_identity",
            identity,
            "-psk_session",
            session,
            "-ciphersuites",
            suite,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    told, _ = client.communicate("quantum\nCLOSE\n", timeout=20)
    return client.returncode, told


@needs_openssl
@pytest.mark.parametrize("suite", ["TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256"])
def test_tls_13_with_the_key_as_external_psk(tmp_path: Path, suite: str) -> None:
    mine = psk_session(tmp_path / "mine", bits(), suite=suite)
    theirs = psk_session(tmp_path / "theirs", bits(), suite=suite)
    assert owner_only(mine)
    with s_server(theirs, "key#0+256", suite) as (port, server):
        code, told = s_client(port, mine, "key#0+256", suite)
        assert "Protocol version: TLSv1.3" in told
        assert f"Ciphersuite: {suite}" in told
        assert "mutnauq" in told
        assert "No peer certificate" in told
        assert code == 0
        secret = bits().reveal_bytes().hex()
        assert secret not in " ".join(map(str, server.args)).lower()  # type: ignore[arg-type, union-attr]


@needs_openssl
@pytest.mark.parametrize(("key", "identity"), [(2, "key#0+256"), (1, "key#256+256")])
def test_tls_13_refuses_another_key_or_another_id(tmp_path: Path, key: int, identity: str) -> None:
    theirs = psk_session(tmp_path / "theirs", bits())
    mine = psk_session(tmp_path / "mine", bits(key))
    with s_server(theirs, "key#0+256") as (port, _):
        code, told = s_client(port, mine, identity)
    assert "CONNECTION ESTABLISHED" not in told
    assert "mutnauq" not in told
    assert code != 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda p: psk_session(p, bits(size=64)), "128 to 512 bits in whole bytes, but had 64"),
        (lambda p: psk_session(p, bits(), suite="RC4"), "TLS_AES_256_GCM_SHA384, .* but was 'RC4'"),
        (lambda p: wireguard_psk(p, bits(size=128)), "256 bits, but had 128"),
        (lambda p: wireguard_psk(p / "x" / "y", bits()), "cannot write"),
    ],
)
def test_keys_that_do_not_fit(tmp_path: Path, call: Any, words: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArgumentError, match=words):
        call(tmp_path / "file")


def test_a_wireguard_key_is_32_bytes_in_base64(tmp_path: Path) -> None:
    path = wireguard_psk(tmp_path / "psk", bits())
    text = path.read_text("ascii")
    assert len(text) == 45
    assert text.endswith("=\n")
    assert base64.b64decode(text, validate=False) == bits().reveal_bytes()
    assert owner_only(path)


@pytest.mark.skipif(shutil.which("wg") is None, reason="wg is not installed")
def test_wg_takes_the_key(tmp_path: Path) -> None:
    text = wireguard_psk(tmp_path / "psk", bits()).read_text()
    done = subprocess.run(["wg", "pubkey"], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0  # wg reads it as a key of 32 bytes
