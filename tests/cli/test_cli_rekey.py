"""ebit rekey: both ends here, two ends apart, policies, fallback, what is refused, nothing printed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ebit.cli.main import run
from ebit.protocols.authentication import new_auth_key

pytest.importorskip("cryptography")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key.bin"
    path.write_bytes(np.random.default_rng(8).bytes(100))
    return path


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    code = run(["rekey", *words, "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("mode", ["computational", "information-theoretic"])
def test_epochs_go_on_without_the_quantum_key(key, tmp_path, capsys, mode):
    out = tmp_path / "session.bin"
    code, plain = told(
        capsys, "--key", str(key), "--mode", mode, "--epochs", "4", "--out", str(out)
    )
    assert code == 0
    assert plain["keys_equal"] is True
    assert [one["fallback"] for one in plain["epochs"]] == [False, False, False, True]
    assert plain["fallback"] is True
    assert "32 bits left" in plain["epochs"][3]["reason"]
    assert [one["quantum_key"] for one in plain["epochs"]] == [
        "key#0+256",
        "key#256+256",
        "key#512+256",
        None,
    ]
    assert plain["secrecy"] == "own"
    assert len(out.read_bytes()) == 32
    assert json.loads((tmp_path / "session.bin.json").read_text())["epoch"] == 3
    assert os.name != "posix" or out.stat().st_mode & 0o077 == 0
    assert out.read_bytes().hex() not in json.dumps(plain)


def test_the_text_leads_with_the_fallback(capsys):
    assert run(["rekey"]) == 0
    shown = capsys.readouterr()
    assert "without a quantum key" in shown.out.splitlines()[0]
    assert "FALLBACK" in shown.out
    assert "no quantum key was given (--key, --store)" in shown.out
    assert "not given" in shown.out
    assert "FALLBACK" in shown.err


def test_no_fallback_is_exit_code_3(key, capsys):
    words = ["rekey", "--key", str(key), "--bits", "800", "--no-fallback"]
    assert run(words) == 0
    assert run(words) == 3
    shown = capsys.readouterr()
    assert "0 bits left" in shown.err
    assert "no key was made" in shown.err


def test_demonstration_keys_are_refused_and_repeated(key, capsys):
    key.with_name("key.bin.json").write_text('{"secrecy": "demonstration"}')
    assert run(["rekey", "--key", str(key)]) == 3
    assert "--demonstration" in capsys.readouterr().err
    code, plain = told(capsys, "--key", str(key), "--demonstration", "--epochs", "2")
    assert code == 0
    assert plain["secrecy"] == "demonstration"
    assert [one["secrecy"] for one in plain["epochs"]] == ["demonstration"] * 2
    assert run(["rekey", "--key", str(key), "--demonstration"]) == 0
    shown = capsys.readouterr()
    assert "(demonstration)" in shown.out.splitlines()[0]
    assert "(demonstration)" in shown.err


def test_events_refresh_by_bytes_and_alarm(tmp_path, capsys):
    events = tmp_path / "events"
    events.write_text("bytes 600\n\nbytes 300\nbytes 200\nbytes 5\nalarm QBER 9 %\nbytes 999\n")
    code, plain = told(capsys, "--policy", "bytes=1000,alarm", "--events", str(events))
    assert code == 0
    triggers = [one["trigger"] for one in plain["epochs"]]
    assert triggers == ["the first key", "bytes: 1,100 of 1,000", "alarm: QBER 9 %"]


def test_a_slip_in_an_event_stops_nothing(tmp_path, capsys):
    events = tmp_path / "events"
    events.write_text("bytes many\nbytes -1\nfoo\nbytes 1e3\n")
    assert run(["rekey", "--policy", "bytes=1000", "--events", str(events), "--json"]) == 0
    shown = capsys.readouterr()
    assert [one["trigger"] for one in json.loads(shown.out)["epochs"]] == [
        "the first key",
        "bytes: 1,000 of 1,000",
    ]
    for slip in ("'bytes many'", "'bytes -1'", "'foo'"):
        assert f"'bytes N' or 'alarm WORDS', but was {slip}" in shown.err


def test_the_reason_of_a_fallback_stands_on_top(capsys):
    _, plain = told(capsys, "--epochs", "1")
    assert plain["fallback"] is True
    assert "no quantum key was given" in plain["reason"]


def test_time_refreshes(capsys):
    began = time.monotonic()
    _, plain = told(capsys, "--policy", "seconds=0.2", "--epochs", "3")
    assert time.monotonic() - began > 0.4
    assert [one["trigger"][:4] for one in plain["epochs"]] == ["the ", "time", "time"]


@pytest.mark.parametrize(
    ("words", "told_words"),
    [
        (["--bits", "129"], "multiple of 8, but was 129"),
        (["--bits", "64"], "between 128 and 65280, but was 64"),
        (["--policy", "hours=1"], "like seconds=3600,bytes=1e9,alarm, but had 'hours=1'"),
        (["--policy", "bytes=5"], "needs --events"),
        (["--events", "-"], "needs --policy"),
        (["--listen", ":0", "--connect", ":1"], "exclude each other"),
        (["--connect", ":1", "--policy", "seconds=1"], "goes with --listen"),
        (["--auth", "x"], "goes with --listen or --connect"),
        (["--key", "missing.bin"], "cannot read the key missing.bin"),
    ],
)
def test_what_is_refused(capsys, words, told_words):
    assert run(["rekey", *words]) == 2
    assert told_words in capsys.readouterr().err


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def two_ends(tmp_path: Path, alice: list[str], bob: list[str]) -> list[tuple[int, Any, str]]:
    port = free_port()
    base = [sys.executable, "-P", "-m", "ebit", "rekey", "--json", "--timeout", "60"]
    ends = [
        subprocess.Popen(
            [*base, "--listen", f"127.0.0.1:{port}", *alice], stdout=-1, stderr=-1, text=True
        )
    ]
    assert ends[0].stderr is not None
    for line in ends[0].stderr:
        if "listening" in line:
            break
    ends.append(
        subprocess.Popen(
            [*base, "--connect", f"127.0.0.1:{port}", *bob], stdout=-1, stderr=-1, text=True
        )
    )
    found = []
    for end in ends:
        out, err = end.communicate(timeout=60)
        found.append((end.returncode, json.loads(out) if out else None, err))
    return found


@pytest.mark.slow
def test_two_ends_apart_get_the_same_keys(tmp_path):
    pads = new_auth_key(tmp_path / "us", tags=10)
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(np.random.default_rng(9).bytes(64))
    mine, theirs = two_ends(
        tmp_path,
        [
            "--key",
            f"{tmp_path}/a",
            "--epochs",
            "3",
            "--out",
            f"{tmp_path}/ka",
            "--auth",
            str(pads[0]),
        ],
        ["--key", f"{tmp_path}/b", "--out", f"{tmp_path}/kb", "--auth", str(pads[1])],
    )
    assert (mine[0], theirs[0]) == (0, 0), mine[2] + theirs[2]
    assert mine[1]["keys_equal"] is theirs[1]["keys_equal"] is None
    assert [one["fallback"] for one in mine[1]["epochs"]] == [False, False, True]
    assert [{**one, "file": None} for one in mine[1]["epochs"]] == [
        {**one, "file": None} for one in theirs[1]["epochs"]
    ]
    assert all(one["authenticated"] for one in mine[1]["epochs"])
    assert (tmp_path / "ka").read_bytes() == (tmp_path / "kb").read_bytes()


@pytest.mark.slow
def test_two_ends_with_different_quantum_keys_get_none(tmp_path):
    for seed, name in enumerate(("a", "b")):
        (tmp_path / name).write_bytes(np.random.default_rng(seed).bytes(64))
    mine, theirs = two_ends(
        tmp_path, ["--key", f"{tmp_path}/a"], ["--key", f"{tmp_path}/b", "--out", f"{tmp_path}/k"]
    )
    assert (mine[0], theirs[0]) == (1, 1)
    assert "tag does not confirm the key" in mine[2]
    assert mine[1]["epochs"] == theirs[1]["epochs"] == []
    assert not (tmp_path / "k").exists()


def test_the_new_key_serves_ebit_use(key, tmp_path, capsys):
    out, letter = tmp_path / "session.bin", tmp_path / "letter"
    letter.write_text("hello")
    names = []
    for _ in range(2):
        _, plain = told(capsys, "--key", str(key), "--out", str(out))
        names.append(plain["epochs"][0]["key_id"])
        words = [
            "use",
            "encrypt",
            str(letter),
            "--key",
            str(out),
            "--out",
            f"{letter}.enc",
            "--json",
        ]
        assert run(words) == 0
        assert json.loads(capsys.readouterr().out)["key_id"] == f"{names[-1]}#0+256"
    assert names[0] != names[1]


def test_a_store_gives_the_quantum_keys(tmp_path, capsys):
    import uuid

    from ebit.protocols.key_store import KeyStore
    from ebit.protocols.secret_bits import SecretBits

    path = tmp_path / "a.db"
    with KeyStore.create(path, kme="kme-a", peer="kme-b", share=1.0) as store:
        bits = SecretBits.of_bytes(np.random.default_rng(4).bytes(84))
        store.add(bits, origin={}, secrecy="own", block=uuid.UUID(int=5))
    where = ["--store", str(path), "--me", "a", "--peer", "b"]
    code, plain = told(capsys, *where, "--epochs", "3")
    assert code == 0
    assert [one["fallback"] for one in plain["epochs"]] == [False, False, True]
    assert uuid.UUID(plain["epochs"][0]["quantum_key"])


def test_the_other_ends_copy_is_found_once(key):
    from ebit.cli.rekey import _copy
    from ebit.protocols.key_uses import KeyFile, SpentError

    assert _copy(None, "key#0+256", 256, "sole") is None
    assert _copy(KeyFile(key), "other#0+256", 256, "sole") is None
    found = _copy(KeyFile(key), "key#0+256", 256, "bob")
    assert found is not None
    assert found.key.reveal_bytes() == key.read_bytes()[:32]
    with pytest.raises(SpentError, match="this is a replay"):
        _copy(KeyFile(key), "key#0+256", 256, "bob")
    with pytest.raises(SpentError, match="this end's own"):
        _copy(KeyFile(key), "key#512+256", 256, "bob")


def test_a_strangers_name_spends_one_epochs_bits_at_most(key):
    from ebit.cli.rekey import _copy
    from ebit.protocols.conversation import ChannelError
    from ebit.protocols.key_uses import KeyFile

    with pytest.raises(ChannelError, match="800 bits, but an epoch takes 256 here"):
        _copy(KeyFile(key), "key#0+800", 256, "sole")
    assert KeyFile(key).left() == 800
    assert _copy(KeyFile(key), "key#544+256", 256, "sole") is not None
    assert KeyFile(key).take(128, "x", side="bob")[0] == "key#400+128"


def test_a_refresh_takes_from_its_side(key, capsys):
    _, plain = told(capsys, "--key", str(key), "--side", "bob")
    assert plain["epochs"][0]["quantum_key"] == "key#400+256"


def test_a_mask_for_two_ends_apart_needs_a_side(key, capsys):
    words = ["rekey", "--key", str(key), "--mode", "information-theoretic", "--listen", ":0"]
    assert run(words) == 2
    assert "needs --side alice or --side bob" in capsys.readouterr().err
    assert not key.with_name("key.bin.used").exists()


def test_an_alarm_with_signs_that_do_not_print_still_refreshes(tmp_path, capsys):
    events = tmp_path / "events"
    events.write_text("alarm QBER\t9\x1b[2J %\n")
    _, plain = told(capsys, "--policy", "alarm", "--events", str(events))
    assert plain["epochs"][1]["trigger"] == "alarm: QBER 9 [2J %"
