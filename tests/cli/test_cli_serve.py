"""ebit serve: certificates, a server of one's own until Ctrl-C, and what it refuses."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sqlite3
import ssl
import subprocess
import sys
from uuid import UUID

import numpy as np
import pytest

from ebit.cli.main import run
from ebit.protocols.certificates import Certificates, make_certificates
from ebit.protocols.key_store import KeyStore
from ebit.protocols.secret_bits import SecretBits

pytest.importorskip("aiohttp")
RUN = "import sys; from ebit.cli.main import run; sys.exit(run(sys.argv[1:]))"


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def lab(folder, secrecy="own"):
    """A store with ten keys, and certificates."""
    made = make_certificates(folder / "tls", servers=["kme-a"], saes=["alice", "bob"])
    with KeyStore.create(folder / "a.db", kme="kme-a", peer="kme-b", share=1) as store:
        bits = SecretBits.of_bytes(np.random.default_rng(1).bytes(16 + 320))
        store.add(bits, origin={}, secrecy=secrecy, block=UUID(int=9), demonstration=True)
    return made


def start(*more: str):
    words = [
        "serve",
        "--store",
        "a.db",
        "--sae",
        "alice",
        "--peer-sae",
        "bob",
        "--certificates",
        "tls",
        "--port",
        "0",
    ]
    server = subprocess.Popen(
        [sys.executable, "-P", "-c", RUN, *words, *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    return server, server.stdout.readline()


def get(made: Certificates, port: int, path: str):
    context = ssl.create_default_context(cafile=str(made.ca))
    context.load_cert_chain(made.certificate("alice"), made.key("alice"))
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=20)
    connection.request("GET", f"/api/v1/keys/{path}")
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_stop(tmp_path, number):
    made = lab(tmp_path)
    server, line = start("--json")
    about = json.loads(line)
    assert about["kmes"] == ["kme-a"]
    assert about["saes"] == ["alice"]
    assert "secrecy" not in about
    assert get(made, about["port"], "bob/enc_keys?number=2")[0] == 200
    server.send_signal(number)
    out, err = server.communicate(timeout=20)
    assert (server.returncode, out) == (0, "")
    assert err.strip() == "ebit: stopped; 2 keys were delivered"
    with KeyStore.open(tmp_path / "a.db") as store:
        assert store.stored(256) == 8


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_demonstration_is_refused_and_repeated(tmp_path):
    made = lab(tmp_path, "demonstration")
    server, line = start()
    out, err = server.communicate(timeout=20)
    assert (server.returncode, line, out) == (2, "", "")
    assert err.startswith("ebit: all keys in a.db are for demonstration only")
    assert err.rstrip().endswith("--demonstration")
    server, line = start("--demonstration", "--quiet")
    assert "demonstration: keys that are not secret" in line
    port = int(line.partition("127.0.0.1:")[2].partition("/")[0])
    assert get(made, port, "bob/enc_keys")[1]["key_container_extension"] == {
        "secrecy": "demonstration"
    }
    server.terminate()
    assert server.communicate(timeout=20) == ("", "")


def test_it_makes_certificates(tmp_path, capsys):
    words = "serve --make-certificates tls --kme kme-a --kme kme-b --sae alice --peer-sae bob"
    assert run([*words.split(), "--days", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["servers"] == ["kme-a", "kme-b"]
    assert told["saes"] == ["alice", "bob"]
    names = {path.name for path in (tmp_path / "tls").iterdir()}
    assert names == {
        f"{n}.{e}" for n in ("ca", "kme-a", "kme-b", "alice", "bob") for e in ("crt", "key")
    }
    assert run(words.split()) == 2
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "give --store"),
        ("--store none.db --sae alice --peer-sae bob --certificates tls", "no key store none.db"),
        ("--store a.db --sae alice --peer-sae bob", "give --certificates"),
        ("--store a.db --peer-sae bob --certificates tls", "give --sae"),
        ("--store a.db --sae alice --certificates tls", "give --peer-sae"),
        ("--store a.db --sae alice --peer-sae alice --certificates tls", "at both"),
        ("--store a.db --sae alice --peer-sae bob --certificates none", "cannot be read"),
        (
            "--store a.db --sae alice --peer-sae bob --certificates tls --peer-store a.db",
            "must be the other end",
        ),
        ("--store a.db --sae alice --peer-sae bob --certificates tls --key-size 100", "of 8"),
        ("--store a.db --sae alice --peer-sae bob --certificates tls --port 70000", "70000"),
        (
            "--store a.db --sae alice --peer-sae bob --certificates tls --host 203.0.113.7",
            "must be a free address of this machine",
        ),
        (
            "--store a.db --sae alice --peer-sae bob --certificates tls --max-key-size 1e6",
            "at most 65536, but was 1000000",
        ),
        ("--make-certificates tls --sae alice", "is there already"),
        ("--make-certificates new --sae a/b", "letters, digits"),
    ],
)
def test_what_is_refused_in_one_line(tmp_path, capsys, words, said):
    lab(tmp_path)
    assert run(["serve", *words.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_a_damaged_store_is_refused_before_it_serves(tmp_path, capsys):
    lab(tmp_path)
    db = sqlite3.connect(tmp_path / "a.db")
    db.execute("UPDATE pieces SET sealed = zeroblob(length(sealed))")
    db.commit()
    db.close()
    words = "serve --store a.db --sae alice --peer-sae bob --certificates tls --port 0"
    assert run(words.split()) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "a.db is damaged (piece 0 of block" in err
    assert len(err.strip().splitlines()) == 1
