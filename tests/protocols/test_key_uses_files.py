"""Encrypted files: any length, and whatever is changed, moved or cut is found."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebit.games import ArgumentError
from ebit.protocols.key_uses import (
    SealError,
    decrypt_file,
    encrypt_file,
    key_id_of,
)
from ebit.protocols.key_uses_files import CHUNK_BYTES
from ebit.protocols.secret_bits import SecretBits

pytest.importorskip("cryptography")

ID = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
HEAD = 50  # bytes of a file's head before the key's name


def bits(seed: int = 1, size: int = 256) -> SecretBits:
    return SecretBits.of_bytes(np.random.default_rng(seed).bytes(size // 8))


def owner_only(path: Path) -> bool:
    return os.name != "posix" or path.stat().st_mode & 0o077 == 0


@pytest.fixture
def sealed(tmp_path: Path) -> tuple[bytes, Path]:
    """A content of three chunks and a bit, and its encrypted file."""
    content = np.random.default_rng(4).bytes(3 * CHUNK_BYTES + 100)
    (tmp_path / "plain").write_bytes(content)
    encrypt_file(tmp_path / "plain", tmp_path / "sealed", bits(), key_id=ID)
    return content, tmp_path / "sealed"


@pytest.mark.parametrize(
    "size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 200_000]
)
def test_files_of_any_length_come_back(tmp_path: Path, size: int) -> None:
    content = np.random.default_rng(size).bytes(size)
    plain, closed, opened = tmp_path / "plain", tmp_path / "closed", tmp_path / "opened"
    plain.write_bytes(content)
    made = encrypt_file(plain, closed, bits(), key_id=ID)
    assert made.bytes == size
    assert made.chunks == max(1, -(-size // CHUNK_BYTES))
    assert key_id_of(closed) == ID
    assert decrypt_file(closed, opened, bits()).key_id == ID
    assert opened.read_bytes() == content
    assert owner_only(closed)
    assert owner_only(opened)
    assert size < 100 or content[:50] not in closed.read_bytes()
    assert closed.stat().st_size == HEAD + len(ID) + size + 16 * made.chunks


def test_a_file_is_aes_gcm_chunk_by_chunk_as_cryptography_computes_it(
    sealed: tuple[bytes, Path],
) -> None:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    content, path = sealed
    data = path.read_bytes()
    head, body = data[: HEAD + len(ID)], data[HEAD + len(ID) :]
    salt, nonce = head[9:41], head[41:48]
    derive = HKDF(SHA256(), 32, salt, b"ebit file v1" + ID.encode())
    cipher = AESGCM(derive.derive(bits().reveal_bytes()))
    chunks = [body[i : i + CHUNK_BYTES + 16] for i in range(0, len(body), CHUNK_BYTES + 16)]
    found = b"".join(
        cipher.decrypt(nonce + n.to_bytes(4, "big") + bytes([n == len(chunks) - 1]), chunk, head)
        for n, chunk in enumerate(chunks)
    )
    assert found == content


def test_two_encryptions_of_one_file_have_nothing_in_common(tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(bytes(1000))
    for name in ("a", "b"):
        encrypt_file(tmp_path / "p", tmp_path / name, bits(), key_id="k")
    a, b = (np.frombuffer((tmp_path / n).read_bytes()[HEAD + 1 :], np.uint8) for n in ("a", "b"))
    assert (a == b).mean() < 0.05


def pieces(path: Path) -> tuple[bytes, list[bytes]]:
    data = path.read_bytes()
    body = data[HEAD + len(ID) :]
    step = CHUNK_BYTES + 16
    return data[: HEAD + len(ID)], [body[i : i + step] for i in range(0, len(body), step)]


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c[:-1],
        lambda c: c[:1],
        lambda c: [],
        lambda c: c[1:],
        lambda c: [c[1], c[0], *c[2:]],
        lambda c: [c[0], c[2], c[1], c[3]],
        lambda c: [c[0], *c],
        lambda c: [*c, c[-1]],
        lambda c: [*c, b"\0"],
        lambda c: [*c[:-1], c[-1][:-1]],
        lambda c: [*c[:-1], c[-1][:10]],
        lambda c: [c[3], *c[1:3], c[0]],
        lambda c: [*c[:3], b"", c[3][:16]],
    ],
)
def test_missing_moved_doubled_and_cut_chunks_are_found(
    sealed: tuple[bytes, Path], tmp_path: Path, change: Any
) -> None:
    head, chunks = pieces(sealed[1])
    (tmp_path / "bad").write_bytes(head + b"".join(change(chunks)))
    with pytest.raises(SealError, match="nothing was written"):
        decrypt_file(tmp_path / "bad", tmp_path / "out", bits())
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))


def test_a_file_cut_between_chunks_is_found_too(tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(bytes(2 * CHUNK_BYTES))  # whole chunks only
    encrypt_file(tmp_path / "p", tmp_path / "c", bits(), key_id=ID)
    head, chunks = pieces(tmp_path / "c")
    assert len(chunks) == 2
    (tmp_path / "c").write_bytes(head + chunks[0])
    with pytest.raises(SealError, match="chunk 0"):
        decrypt_file(tmp_path / "c", tmp_path / "out", bits())


@settings(max_examples=80, deadline=None)
@given(at=st.integers(0, 1 << 20), bit=st.integers(0, 7))
def test_one_altered_bit_anywhere_is_found(
    tmp_path_factory: pytest.TempPathFactory, at: int, bit: int
) -> None:
    folder = tmp_path_factory.mktemp("bit")
    (folder / "p").write_bytes(b"some words")
    encrypt_file(folder / "p", folder / "c", bits(), key_id="k")
    data = bytearray((folder / "c").read_bytes())
    data[at % len(data)] ^= 1 << bit
    (folder / "c").write_bytes(data)
    with pytest.raises((SealError, ArgumentError)):
        decrypt_file(folder / "c", folder / "out", bits())
    assert not (folder / "out").exists()


def test_another_key_and_other_files_are_refused(
    sealed: tuple[bytes, Path], tmp_path: Path
) -> None:
    _, path = sealed
    with pytest.raises(SealError, match="or the key is another"):
        decrypt_file(path, tmp_path / "out", bits(2))
    with pytest.raises(ArgumentError, match="256 bits, but had 128"):
        decrypt_file(path, tmp_path / "out", bits(size=128))
    with pytest.raises(ArgumentError, match="but is none"):
        decrypt_file(tmp_path / "plain", tmp_path / "out", bits())
    with pytest.raises(ArgumentError, match="cannot read"):
        decrypt_file(tmp_path / "missing", tmp_path / "out", bits())
    with pytest.raises(ArgumentError, match="must be two files"):
        encrypt_file(path, path, bits(), key_id="k")
    with pytest.raises(ArgumentError, match="1 to 1024 bytes, but had 0"):
        encrypt_file(path, tmp_path / "out", bits(), key_id="")
    data = bytearray(path.read_bytes())
    data[8] = 2
    path.write_bytes(data)
    with pytest.raises(ArgumentError, match="version 1, but has 2"):
        decrypt_file(path, tmp_path / "out", bits())
    path.write_bytes(data[:8] + b"\1" + data[9:60])
    with pytest.raises(SealError, match="ends within its head"):
        key_id_of(path)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    with (tmp_path / "big").open("wb") as out:
        out.truncate(24 << 20)
    tracemalloc.start()
    try:
        encrypt_file(tmp_path / "big", tmp_path / "c", bits(), key_id="k")
        decrypt_file(tmp_path / "c", tmp_path / "p", bits())
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()
    assert (tmp_path / "p").stat().st_size == 24 << 20
