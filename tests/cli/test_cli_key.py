"""ebit key: JSON and text, exit codes, attacks, files, two processes, bad input in one line each."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ebit.cli.main import run
from ebit.protocols.authentication import new_auth_key
from tests.protocols.keyhelp import FIELDS

QUICK = ("--backend", "aer", "--rounds", "10000", "--seed", "1", "--quiet")


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    code = run(["key", *QUICK, *words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_key_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, plain = told(capsys)
    assert code == 0
    assert set(plain) >= FIELDS
    assert plain["protocol"] == "bb84"
    assert plain["rounds"] == 10_000
    assert plain["keys_equal"] is True
    assert plain["aborted"] is False
    assert plain["key_bits"] == plain["net_key_bits"] + 256 > 256
    assert plain["secrecy"] == "demonstration"
    assert plain["eve"] is None
    assert plain["attack"] is None


@pytest.mark.parametrize(
    "attack",
    [
        "intercept-resend",
        "intercept-z",
        "intercept-x",
        "breidbart",
        "cloner",
        "depolarising",
        "man-in-the-middle",
        "spoofed-source",
    ],
)
def test_every_kind_of_attack_is_stopped(capsys: pytest.CaptureFixture[str], attack: str) -> None:
    code, plain = told(capsys, "--protocol", "bbm92", "--attack", attack)
    assert code == 3
    assert set(plain) >= FIELDS
    assert plain["attack"].startswith(attack)
    assert plain["aborted"] is True
    assert plain["keys_equal"] is None
    assert plain["key_bits"] == 0
    # Who was in the middle has cost a tag, and what it cost is said.
    assert plain["net_key_bits"] == (-128 if attack == "man-in-the-middle" else 0)
    assert plain["reason"]
    assert plain["eve"]["attack"] == plain["attack"]


def test_an_attack_that_is_tolerated_is_bounded(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--attack", "cloner:0.08", "--qber", "0.04", "--rounds", "40000")
    code, plain = told(capsys, *words)
    assert code == 0
    assert plain["keys_equal"] is True
    assert plain["eve"]["kept"] is True
    assert plain["eve"]["margin"] >= 0


def test_the_text_says_key_or_no_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["key", *QUICK]) == 0
    out = capsys.readouterr().out
    assert "bb84: a key of" in out
    assert "equal on both sides" in out
    assert "assumptions" in out
    assert run(["key", *QUICK, "--attack", "intercept-resend"]) == 3
    out = capsys.readouterr().out
    assert "bb84 under intercept-resend:1: no key" in out
    assert "is above the tolerated" in out


def test_too_few_rounds_is_exit_code_3_and_says_how_many_would_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, plain = told(capsys, "--rounds", "1000")
    assert code == 3
    assert "would do" in plain["reason"]
    assert plain["plan"]["rounds_needed"] > 1000


def test_the_key_goes_into_a_file_and_nowhere_else(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "alice.key"
    code, plain = told(capsys, "--out", str(path))
    assert code == 0
    data = path.read_bytes()
    assert len(data) == plain["key_bits"] // 8
    assert plain["file"] == str(path)
    assert data.hex() not in json.dumps(plain)
    assert os.name != "posix" or path.stat().st_mode & 0o077 == 0
    assert run(["key", "--rounds", "9000", "--out", str(path)]) == 2
    assert "--out must be a new file" in capsys.readouterr().err
    assert path.read_bytes() == data
    other = tmp_path / "none.key"
    code, _ = told(capsys, "--out", str(other), "--attack", "intercept-resend")
    assert code == 3
    assert not other.exists()


def test_begun_and_resumed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, job = told(capsys, "--no-wait")
    assert code == 0
    assert run(["resume", job["job"], "--out", str(tmp_path / "folder"), "--json", "--quiet"]) == 0
    resumed = json.loads(capsys.readouterr().out)
    _, straight = told(capsys)
    assert resumed["key_bits"] == straight["key_bits"]
    assert resumed["qber"] == straight["qber"]
    assert resumed["keys_equal"] is True
    # The same rounds make no second key: two of them would say more than the rounds hold.
    assert run(["resume", job["job"], "--quiet"]) == 3
    assert "before: they make no second one" in capsys.readouterr().err


BAD: dict[str, tuple[list[str], str]] = {
    "protocol": (["--protocol", "b92"], "'b92' is not one of 'bb84'"),
    "no rounds": (["--rounds", "0"], "must be a whole number of at least 1, but was '0'"),
    "half rounds": (["--rounds", "10.5"], "must be a whole number"),
    "word rounds": (["--rounds", "many"], "must be a whole number"),
    "qber": (["--qber", "0.7"], "qber must be an error rate between 0 and 0.5, but was 0.7"),
    "qber below": (["--qber", "-0.1"], "qber must be an error rate"),
    "epsilon 0": (["--epsilon", "0"], "`epsilon` must be a number strictly between 0 and 1"),
    "epsilon 1": (["--epsilon", "1"], "`epsilon` must be a number strictly between 0 and 1"),
    "epsilon 2": (["--epsilon", "2"], "`epsilon` must be a number strictly between 0 and 1"),
    "epsilon nan": (["--epsilon", "nan"], "`epsilon` must be a number strictly between 0 and 1"),
    "attack": (["--attack", "magic"], "attack must be KIND or KIND:STRENGTH"),
    "strength": (["--attack", "cloner:2"], "strength between 0 and 1"),
    "unfit": (["--attack", "spoofed-source"], "must replace a source of pairs"),
    "unfit 2": (["--attack", "memory"], "it takes protocol diqkd, but the protocol was bb84"),
    "noise": (["--noise", "wind:0.2"], "noise must be KIND:STRENGTH"),
    "theorem": (["--theorem", "mine"], "theorem must be one of tomamichel-2012, lim-2021"),
    "choices": (["--choices", "mine"], "'mine' is not one of"),
    "di choices": (["--protocol", "diqkd", "--choices", "per-shot"], "must be 'per-circuit'"),
    "S": (["--protocol", "diqkd", "--S", "3"], "expected_S must lie between 0 and 2.8284"),
    "S elsewhere": (["--S", "2.5"], "expected_S is of protocols with a Bell test"),
    "backend": (["--backend", "nowhere"], "nowhere"),
    "both ends": (
        ["--listen", "127.0.0.1:0", "--connect", "127.0.0.1:1"],
        "exclude each other",
    ),
    "no auth": (["--listen", "127.0.0.1:0"], "--listen needs --auth FILE"),
    "auth alone": (["--auth", "us.alice"], "--auth goes with --listen or --connect"),
    "no wait and out": (["--no-wait", "--out", "key"], "--no-wait takes no --out"),
    "timeout": (["--timeout", "0"], "--timeout"),
    "seed": (["--seed", "-1"], "--seed"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    words, part = BAD[name]
    assert run(["key", *QUICK, *words]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert part in shown.err
    assert len(shown.err.strip().splitlines()) == 1


ALONE: dict[str, tuple[list[str], str]] = {
    "backend": (["--connect", ":1", "--backend", "aer"], "--connect takes no --backend"),
    "attack": (["--connect", ":1", "--attack", "cloner"], "--connect takes no --attack"),
    "rounds": (["--connect", ":1", "--rounds", "9"], "--connect takes no --rounds"),
    "new auth": (["--new-auth", "us", "--out", "key"], "--new-auth takes no --out"),
    "new and listen": (["--new-auth", "us", "--listen", ":0"], "--new-auth takes no --listen"),
    "no auth": (["--connect", "127.0.0.1:1"], "--connect needs --auth FILE"),
    "no wait": (["--listen", ":0", "--no-wait", "--auth", "us"], "--no-wait cannot be had"),
}


@pytest.mark.parametrize("name", ALONE)
def test_options_that_mean_nothing_together_are_refused(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    words, part = ALONE[name]
    assert run(["key", *words]) == 2
    shown = capsys.readouterr()
    assert part in shown.err
    assert len(shown.err.strip().splitlines()) == 1


def test_a_pre_shared_key_is_made_for_two(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "us"
    assert run(["key", "--new-auth", str(path), "--sessions", "3", "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert plain["sessions"] == 3
    for name in ("alice", "bob"):
        assert plain[name] == f"{path}.{name}"
        assert Path(plain[name]).exists()
    assert run(["key", "--new-auth", str(path)]) != 0  # never over one that is there
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_the_wrong_file_and_nobody_there(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    alice, bob = new_auth_key(tmp_path / "us", tags=3)
    assert run(["key", *QUICK, "--listen", "127.0.0.1:0", "--auth", str(bob)]) == 2
    assert "auth must be alice's copy" in capsys.readouterr().err
    assert run(["key", "--connect", "127.0.0.1:1", "--auth", str(alice)]) == 2
    assert "auth must be bob's copy" in capsys.readouterr().err
    words = ["--connect", "127.0.0.1:1", "--auth", str(bob), "--timeout", "0.3"]
    assert run(["key", *words]) == 1
    assert "nobody listens at 127.0.0.1:1" in capsys.readouterr().err
    assert run(["key", "--connect", "somewhere", "--auth", str(bob)]) == 2
    assert "address must be HOST:PORT" in capsys.readouterr().err


# Two processes.


class Process:
    """`ebit key` as a process of its own."""

    def __init__(self, folder: Path, *words: str) -> None:
        env = {**os.environ, "EBIT_HOME": str(folder / "home"), "OPENBLAS_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ebit", "key", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
            cwd=folder,
        )
        self.said = ""

    def port(self) -> str:
        """Wait until it listens, and return where."""
        assert self.process.stderr is not None
        until = time.monotonic() + 60
        while time.monotonic() < until:
            line = self.process.stderr.readline()
            if not line:
                break
            self.said += line
            found = re.search(r"listening on (\S+:\d+)", line)
            if found:
                return found[1]
        raise AssertionError(self.said)

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, self.said + err


def pair(
    tmp_path: Path, alice: Path, bob: Path, *more: str
) -> tuple[tuple[int, str, str], tuple[int, str, str]]:
    words = ("--backend", "aer", "--rounds", "10000", "--timeout", "20", "--json")
    one = Process(
        tmp_path,
        "--listen",
        "127.0.0.1:0",
        "--auth",
        str(alice),
        "--out",
        "a.key",
        *words,
        *more,
    )
    where = one.port()
    two = Process(tmp_path, "--connect", where, "--auth", str(bob), "--out", "b.key", "--json")
    his = two.end()
    return one.end(), his


@pytest.mark.slow
def test_two_processes_get_the_same_key_byte_for_byte(tmp_path: Path) -> None:
    alice, bob = new_auth_key(tmp_path / "us", tags=5)
    hers, his = pair(tmp_path, Path(alice), Path(bob))
    assert hers[0] == 0, hers[2]
    assert his[0] == 0, his[2]
    data = (tmp_path / "a.key").read_bytes()
    assert data == (tmp_path / "b.key").read_bytes()
    assert len(data) > 32
    for _, out, _ in (hers, his):
        plain = json.loads(out)
        assert set(plain) >= FIELDS
        assert plain["keys_equal"] is None
        assert plain["secrecy"] == "demonstration"
        assert data.hex()[:32] not in out
    assert "Traceback" not in hers[2] + his[2]


@pytest.mark.slow
def test_two_processes_with_eve_get_none(tmp_path: Path) -> None:
    alice, bob = new_auth_key(tmp_path / "us", tags=5)
    for code, out, err in pair(tmp_path, Path(alice), Path(bob), "--attack", "intercept-resend"):
        assert code == 3, err
        assert json.loads(out)["aborted"] is True
        assert "Traceback" not in err
    assert not (tmp_path / "a.key").exists()
    assert not (tmp_path / "b.key").exists()


@pytest.mark.slow
def test_two_processes_with_two_pre_shared_keys_get_none(tmp_path: Path) -> None:
    alice, _ = new_auth_key(tmp_path / "us", tags=5)
    _, bob = new_auth_key(tmp_path / "them", tags=5)
    for code, out, err in pair(tmp_path, Path(alice), Path(bob)):
        assert code == 3, err
        assert "pre-shared key" in json.loads(out)["reason"]
    assert not (tmp_path / "a.key").exists()


@pytest.mark.slow
def test_a_peer_that_dies_leaves_the_other_with_a_word(tmp_path: Path) -> None:
    alice, _ = new_auth_key(tmp_path / "us", tags=5)
    words = ("--backend", "aer", "--rounds", "10000", "--timeout", "2")
    one = Process(tmp_path, "--listen", "127.0.0.1:0", "--auth", str(alice), *words)
    host, port = one.port().rsplit(":", 1)
    import socket

    from ebit.protocols.tcp_line import GREETING_BYTES, greeting

    with socket.create_connection((host, int(port))) as sock:
        sock.sendall(greeting("bob"))
        assert len(sock.recv(GREETING_BYTES, socket.MSG_WAITALL)) == GREETING_BYTES
    code, out, err = one.end()
    assert code == 1
    assert out == ""
    assert "Traceback" not in err
    assert err.strip().splitlines()[-1].startswith("ebit: the quantum link broke: ")
