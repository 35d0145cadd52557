"""ebit use: files, tags, TLS and WireGuard keys, from key files and from stores."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from pathlib import Path

import numpy as np
import pytest

from ebit.cli.main import run
from ebit.protocols.key_store import KeyStore
from ebit.protocols.secret_bits import SecretBits

pytest.importorskip("cryptography")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the same key twice, for Alice and for Bob, and a message."""
    monkeypatch.chdir(tmp_path)
    for name in ("alice.key", "bob.key"):
        Path(name).write_bytes(np.random.default_rng(3).bytes(256))
    Path("letter.txt").write_text("Dear Bob\n" * 20_000)
    return tmp_path


def told(capsys, words: str):
    code = run([*words.split(), "--json"])
    shown = capsys.readouterr()
    return code, json.loads(shown.out) if shown.out else shown.err


@pytest.mark.parametrize("form", ["ebit", "cms"])
def test_a_file_goes_to_the_other_end(here, capsys, form):
    code, plain = told(
        capsys, f"use encrypt letter.txt --key alice.key --format {form} --out letter.enc"
    )
    assert code == 0
    assert (plain["key_id"], plain["bytes"], plain["secrecy"]) == ("key#0+256", 180_000, "own")
    code, plain = told(capsys, "use decrypt letter.enc --key bob.key --out back.txt")
    assert code == 0
    assert plain["key_id"] == "key#0+256"
    assert Path("back.txt").read_text() == Path("letter.txt").read_text()
    if os.name == "posix":
        for name in ("letter.enc", "back.txt", "alice.key.used"):
            assert Path(name).stat().st_mode & 0o077 == 0
    data = bytearray(Path("letter.enc").read_bytes())
    data[-20] ^= 1
    Path("letter.enc").write_bytes(data)
    Path("back.txt").unlink()
    code, words = told(capsys, "use decrypt letter.enc --key bob.key --out back.txt")
    assert code == 1
    assert "not what was encrypted" in words
    assert not Path("back.txt").exists()


def test_a_tag_that_comes_back_is_refused(here, capsys):
    assert run(["use", "tag", "letter.txt", "--key", "alice.key", "--side", "alice"]) == 0
    for side in ("alice", "sole"):
        words = f"use check letter.txt --key alice.key --side {side}"
        assert run(words.split()) == 3
        shown = capsys.readouterr().err
        assert "give --side alice at one end and --side bob at the other" in shown
        assert shown.count("\n") == 1
    assert run(["use", "check", "letter.txt", "--key", "bob.key", "--side", "bob"]) == 0


def test_a_tag_needs_a_side_where_the_key_is_a_file(here, capsys):
    assert run(["use", "tag", "letter.txt", "--key", "alice.key"]) == 2
    assert "a tag needs --side alice or --side bob" in capsys.readouterr().err
    assert not Path("alice.key.used").exists()
    assert run(["use", "tag", "letter.txt", "--key", "alice.key", "--side", "sole"]) == 0
    with KeyStore.create("a.db", kme="a", peer="b") as store:
        bits = SecretBits.of_bytes(np.random.default_rng(4).bytes(512))
        store.add(bits, origin={}, secrecy="own", block=uuid.UUID(int=5))
    assert run(["use", "tag", "letter.txt", "--store", "a.db", "--me", "a", "--peer", "b"]) == 0


def test_a_tag_file_that_is_nested_too_deeply(here, capsys):
    Path("letter.txt.tag").write_text("[" * 100_000)
    assert run(["use", "check", "letter.txt", "--key", "bob.key"]) == 2
    shown = capsys.readouterr().err
    assert "must be a file of ebit use tag" in shown
    assert shown.count("\n") == 1


@pytest.mark.parametrize("method", ["one-time", "hmac"])
def test_a_tag_is_good_once(here, capsys, method):
    assert run(f"use tag letter.txt --key alice.key --side alice --method {method}".split()) == 0
    good = Path("letter.txt").read_text()
    Path("letter.txt").write_text(good + "and 100 euros")
    assert run(["use", "check", "letter.txt", "--key", "bob.key"]) == 3
    assert "is wrong" in capsys.readouterr().err
    Path("letter.txt").write_text(good)
    code, plain = told(capsys, "use check letter.txt --key bob.key")
    assert code == 0
    assert plain["method"] == method
    assert (plain["forgery"] is None) == (method == "hmac")
    code, words = told(capsys, "use check letter.txt --key bob.key")
    assert code == 3
    assert "this is a replay" in words


def test_psk_and_wireguard_are_the_same_at_both_ends(here, capsys):
    for kind in ("psk", "wireguard"):
        _, plain = told(capsys, f"use {kind} --key alice.key --out a.{kind}")
        name = plain["key_id"]
        code, other = told(capsys, f"use {kind} --key bob.key --key-id {name} --out b.{kind}")
        assert code == 0
        assert other["key_id"] == name
        a, b = Path(f"a.{kind}").read_text(), Path(f"b.{kind}").read_text()
        assert a.splitlines()[-2:] == b.splitlines()[-2:]
        assert os.name != "posix" or Path(f"a.{kind}").stat().st_mode & 0o077 == 0
    assert run(["use", "psk", "--key", "alice.key", "--out", "again.psk"]) == 0
    assert "openssl s_client -tls1_3 -psk_identity 'key#" in capsys.readouterr().out
    if shutil.which("openssl"):
        asked = ["openssl", "sess_id", "-in", "a.psk", "-noout", "-text"]
        done = subprocess.run(asked, capture_output=True, text=True, check=True)
        assert "TLS_AES_256_GCM_SHA384" in done.stdout


def test_a_store_serves_both_ends(here, capsys):
    for me, peer in (("kme-a", "kme-b"), ("kme-b", "kme-a")):
        with KeyStore.create(f"{me}.db", kme=me, peer=peer, demonstration=True) as store:
            bits = SecretBits.of_bytes(np.random.default_rng(4).bytes(512))
            store.add(bits, origin={}, secrecy="demonstration", block=uuid.UUID(int=5))
    alice, bob = "--store kme-a.db --me a --peer b", "--store kme-b.db --me b --peer a"
    code, _ = told(capsys, f"use encrypt letter.txt {alice} --out letter.enc")
    assert code != 0
    assert not Path("letter.enc").exists()
    code, plain = told(capsys, f"use encrypt letter.txt {alice} --demonstration --out letter.enc")
    assert code == 0
    assert plain["secrecy"] == "demonstration"
    assert uuid.UUID(plain["key_id"])
    words = f"use decrypt letter.enc {bob} --demonstration --out back.txt".split()
    assert run(words) == 0
    assert capsys.readouterr().out.startswith("demonstration: 180,000 bytes decrypted")
    assert Path("back.txt").read_bytes() == Path("letter.txt").read_bytes()
    assert run(words) != 0  # the key has left the store


@pytest.mark.parametrize(
    ("words", "code", "told_words"),
    [
        ("encrypt letter.txt --out x", 2, "one of --key and --store"),
        ("encrypt letter.txt --key alice.key --store s --out x", 2, "one of --key and --store"),
        ("encrypt letter.txt --store s --out x", 2, "needs --me and --peer"),
        ("encrypt missing --key alice.key --out x", 2, "cannot read missing"),
        ("encrypt letter.txt --key missing --out x", 2, "cannot read the key missing"),
        ("decrypt letter.txt --key alice.key --out x", 1, "CMS AuthEnvelopedData"),
        ("decrypt missing --key alice.key --out x", 2, "cannot read missing"),
        ("check letter.txt --tag letter.txt --key alice.key", 2, "must be a file of ebit use tag"),
        ("psk --key alice.key --key-id other#0+256 --out x", 2, "is named 'key'"),
        ("wireguard --key alice.key --key-id key#0+128 --out x", 2, "256 bits, but had 128"),
    ],
)
def test_what_is_refused(here, capsys, words, code, told_words):
    assert run(["use", *words.split()]) == code
    shown = capsys.readouterr().err
    assert told_words in shown
    assert shown.count("\n") == 1
    assert not Path("x").exists()


def test_a_key_runs_out(here, capsys):
    for _ in range(8):
        assert run(["use", "wireguard", "--key", "alice.key", "--out", "wg"]) == 0
    assert run(["use", "wireguard", "--key", "alice.key", "--out", "wg"]) == 1
    assert "0 bits left" in capsys.readouterr().err


def test_a_forged_file_spends_no_key(here, capsys):
    assert run(["use", "encrypt", "letter.txt", "--key", "alice.key", "--out", "letter.enc"]) == 0
    data = Path("letter.enc").read_bytes()
    Path("letter.enc").write_bytes(data.replace(b"key#0+256", b"key#8+256"))
    assert run(["use", "decrypt", "letter.enc", "--key", "bob.key", "--out", "back.txt"]) == 1
    assert run(["use", "wireguard", "--key", "bob.key", "--out", "wg"]) == 0
    assert "key#0+256" in capsys.readouterr().out
