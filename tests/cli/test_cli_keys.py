"""ebit keys: a store from the command line, and what it refuses."""

from __future__ import annotations

import json
import os
import stat
from uuid import uuid4

import numpy as np
import pytest

from ebit.cli.main import run
from ebit.protocols.key_uses_source import KeyFile, KeyFileError, SpentError

pytest.importorskip("cryptography")


@pytest.fixture
def ebit(capsys, tmp_path, monkeypatch):
    """Run a command in an empty folder; its code, output and complaint."""
    monkeypatch.chdir(tmp_path)

    def call(words: str, *more: str):
        code = run([*words.split(), *more])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def key_file(path, *, secrecy=None, n=400):
    path.write_bytes(np.random.default_rng(1).bytes(n))
    if secrecy is not None:
        about = {"secrecy": secrecy, "protocol": "bb84", "epsilon": 1e-10, "net_key_bits": 8 * n}
        path.with_name(path.name + ".json").write_text(json.dumps(about))
    return path


def link(ebit, *more):
    for name, kme, peer in (("a", "kme-a", "kme-b"), ("b", "kme-b", "kme-a")):
        code, _, err = ebit(f"keys init {name}.db --kme {kme} --peer {peer}", *more)
        assert (code, err) == (0, "")


def test_from_a_file_to_the_same_key_at_both_ends(ebit, tmp_path):
    link(ebit)
    key_file(tmp_path / "key.bin", secrecy="own")
    code, out, _ = ebit("keys add a.db key.bin --json")
    told = json.loads(out)
    assert (code, told["bits"], told["secrecy"]) == (0, 3200, "own")
    code, out, _ = ebit(f"keys add b.db key.bin --block {told['block']}")
    assert code == 0
    assert out.startswith(f"b.db: block {told['block']}, 3200 bits")
    code, out, _ = ebit("keys get a.db --master alice --slave bob --out x --purpose disk --json")
    had = json.loads(out)
    assert (code, had["bits"], had["secrecy"]) == (0, 256, "own")
    assert "key" not in had
    assert ebit(f"keys get b.db --master alice --slave bob --id {had['key_ID']} --out y")[0] == 0
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o600
    assert json.loads((tmp_path / "x.json").read_text())["key_ID"] == had["key_ID"]
    code, out, err = ebit(f"keys get b.db --master alice --slave bob --id {had['key_ID']} --out z")
    assert (code, out) == (1, "")
    assert "not found on KME" in err
    assert not (tmp_path / "z").exists()
    code, out, _ = ebit("keys audit a.db --json")
    (use,) = json.loads(out)["uses"]
    assert (use["who"], use["peer"], use["purpose"]) == ("alice", "bob", "disk")
    code, out, _ = ebit("keys audit b.db --last 5")
    assert "bob (slave) with alice" in out
    code, out, _ = ebit("keys list a.db --check --json")
    listed = json.loads(out)
    assert listed["blocks"][0]["origin"]["protocol"] == "bb84"
    assert listed["left_bits"] == (400 - 16) // 2 * 8 - 256
    assert listed["pieces_checked"] == 1
    code, out, _ = ebit("keys list a.db")
    assert "bb84" in out


def test_one_add_fills_both_ends(ebit, tmp_path):
    link(ebit)
    key_file(tmp_path / "key.bin")
    code, out, _ = ebit("keys add a.db key.bin --peer-store b.db --json")
    assert (code, json.loads(out)["stores"]) == (0, ["a.db", "b.db"])
    lists = [json.loads(ebit(f"keys list {name}.db --json")[1]) for name in "ab"]
    assert lists[0]["blocks"][0]["id"] == lists[1]["blocks"][0]["id"]
    code, out, err = ebit("keys add a.db key.bin --peer-store a.db")
    assert (code, out) == (2, "")
    assert "--peer-store must be the other end of kme-a - kme-b, but was kme-a - kme-b" in err


def test_what_was_used_of_a_file_is_not_added(ebit, tmp_path):
    link(ebit)
    for side, first in (("sole", "key#0+256"), ("alice", "key#0+256"), ("bob", "key#1600+256")):
        path = key_file(tmp_path / f"{side}.bin")
        name, _ = KeyFile(path).take(256, "a tag", side=side)
        assert name == first
        code, out, err = ebit(f"keys add a.db {side}.bin")
        assert (code, out) == (3, "")
        assert f"{side}.bin.used counts 256 of its 3200 bits as used" in err
        assert len(err.strip().splitlines()) == 1
        left = KeyFile(path)
        whole = {"alice": 1600, "bob": 1600}
        assert left.left(side="bob") == whole["bob"] - 256 * (side == "bob")
        assert left.left(side="alice") == whole["alice"] - 256 * (side != "bob")
    assert json.loads(ebit("keys list a.db --json")[1])["blocks"] == []


def test_what_was_added_is_not_used_from_its_file(ebit, tmp_path):
    link(ebit)
    path = key_file(tmp_path / "key.bin")
    block = json.loads(ebit("keys add a.db key.bin --json")[1])["block"]
    for side in ("sole", "alice", "bob"):
        assert KeyFile(path).left(side=side) == 0
        with pytest.raises(KeyFileError):
            KeyFile(path).take(8, "a tag", side=side)
    for name in ("key#0+8", "key#1600+8"):
        with pytest.raises(SpentError, match="of the link kme-a - kme-b"):
            KeyFile(path).find(name, "a tag")
    # Another block of the same bits would hand them out again, in whatever store.
    for store in ("a.db", "b.db"):
        code, out, err = ebit(f"keys add {store} key.bin")
        assert (code, out) == (2 if store == "a.db" else 3, "")
        assert block in err
    assert ebit(f"keys add b.db key.bin --block {block}")[0] == 0
    ebit("keys init c.db --kme kme-a --peer kme-c")
    assert ebit(f"keys add c.db key.bin --block {block}")[0] == 3


def test_a_file_that_is_refused_stays_unused(ebit, tmp_path):
    link(ebit)
    path = key_file(tmp_path / "key.bin", secrecy="demonstration")
    assert ebit("keys add a.db key.bin")[0] == 2
    assert not (tmp_path / "key.bin.used").exists()
    assert KeyFile(path, demonstration=True).left() == 3200


def test_a_link_to_a_file_is_the_file(ebit, tmp_path):
    link(ebit)
    path = key_file(tmp_path / "key.bin", secrecy="demonstration")
    (tmp_path / "other.bin").symlink_to(path)
    code, _, err = ebit("keys add a.db other.bin")
    assert code == 2
    assert "--demonstration" in err
    assert ebit("keys add a.db other.bin --demonstration")[0] == 0
    assert KeyFile(path, demonstration=True).left() == 0


def test_a_sidecar_that_is_none_is_one_line(ebit, tmp_path):
    link(ebit)
    key_file(tmp_path / "key.bin")
    for text in ("[" * 200_000, "[]", '{"secrecy": 1}', "\x00"):
        (tmp_path / "key.bin.json").write_text(text)
        code, out, err = ebit("keys add a.db key.bin")
        assert (code, out) == (2, "")
        assert "must say how secret the key is" in err
        assert len(err.strip().splitlines()) == 1


def test_no_command_prints_a_key(ebit, tmp_path):
    link(ebit)
    data = key_file(tmp_path / "key.bin").read_bytes()
    said = ""
    for words in (
        "keys add a.db key.bin",
        "keys get a.db --master m --slave s --out x",
        "keys list a.db --check",
        "keys audit a.db",
    ):
        for more in ([], ["--json"]) if "get" not in words and "add" not in words else ([],):
            code, out, err = ebit(words, *more)
            assert code == 0
            said += out + err
    for start in range(0, len(data) - 4):
        assert data[start : start + 4].hex() not in said


def test_demonstration_is_refused_and_repeated(ebit, tmp_path):
    link(ebit)
    key_file(tmp_path / "key.bin", secrecy="demonstration")
    code, out, err = ebit("keys add a.db key.bin")
    assert (code, out) == (2, "")
    assert "--demonstration" in err
    code, out, _ = ebit("keys add a.db key.bin --demonstration")
    assert code == 0
    assert "demonstration: not secret" in out
    code, out, err = ebit("keys get a.db --master m --slave s --out x")
    assert (code, out) == (3, "")
    assert "--demonstration" in err
    code, out, _ = ebit("keys get a.db --master m --slave s --out x --demonstration --json")
    assert json.loads(out)["secrecy"] == "demonstration"
    assert json.loads((tmp_path / "x.json").read_text())["secrecy"] == "demonstration"
    for words in ("keys list a.db", "keys audit a.db"):
        assert "demonstration: not secret" in ebit(words)[1]


def test_passphrases_come_from_the_environment_or_a_file(ebit, tmp_path, monkeypatch):
    monkeypatch.setenv("EBIT_WORDS", "tulip and rose")
    (tmp_path / "words").write_text("tulip and rose\n")
    link(ebit, "--passphrase-env", "EBIT_WORDS")
    assert not (tmp_path / "a.db.key").exists()
    assert ebit("keys list a.db --passphrase-file words")[0] == 0
    assert ebit("keys list b.db --passphrase-env EBIT_WORDS")[0] == 0
    for more, code, words in (
        ("", 2, "opens with a passphrase, but none was given"),
        ("--passphrase-env EBIT_NOTHING", 2, "EBIT_NOTHING is empty"),
        ("--passphrase-file none", 2, "cannot be read"),
        ("--passphrase-env EBIT_WORDS --passphrase-file words", 2, "not both"),
    ):
        got, out, err = ebit(f"keys list a.db {more}")
        assert (got, out) == (code, "")
        assert words in err
    monkeypatch.setenv("EBIT_WORDS", "daisy")
    code, _, err = ebit("keys list a.db --passphrase-env EBIT_WORDS")
    assert code == 1
    assert "does not open" in err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("list none.db", 2, "there is no key store none.db: make one with ebit keys init none.db"),
        ("add a.db none.bin", 2, "cannot read the key none.bin"),
        ("add a.db short.bin", 2, "at least 144"),
        ("add a.db key.bin --block five", 2, "--block must be a UUID, but was 'five'"),
        ("get a.db --master m --slave s --out key.bin", 2, "must be a new file"),
        ("get a.db --master m --slave s --out new --bits 12", 2, "multiple of 8"),
        ("get a.db --master m --slave s --out new", 3, "put new key bits in"),
        (f"get a.db --master m --slave s --out new --id {uuid4()}", 1, "not found on KME"),
        ("init a.db --kme x --peer y", 2, "is there already"),
        ("init c.db --kme x --peer x", 2, "different names"),
        ("init c.db --kme x --peer y --share 2", 2, "share"),
        ("list key.bin", 1, "damaged"),
    ],
)
def test_what_is_refused_in_one_line(ebit, tmp_path, words, code, said):
    ebit("keys init a.db --kme kme-a --peer kme-b")
    key_file(tmp_path / "key.bin", n=2000)
    key_file(tmp_path / "short.bin", n=17)
    got, out, err = ebit(f"keys {words}")
    assert (got, out) == (code, "")
    assert said in err
    assert len(err.strip().splitlines()) == 1
