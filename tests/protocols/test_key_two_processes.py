"""Keys between two ends over TCP: equal keys, strangers, wrong files, a source that lies."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ebit.games import ArgumentError, EbitError
from ebit.protocols.authentication import new_auth_key
from ebit.protocols.conversation import ChannelError, Expect, Message, Party, converse
from ebit.protocols.key_links import _receiver, _source, key_connect, key_listen
from ebit.protocols.key_outcome import circumstances
from ebit.protocols.key_referee import sides_of
from ebit.protocols.key_result import KeyResult
from ebit.protocols.key_told import told_by
from ebit.protocols.tcp import listen
from tests.protocols.keyhelp import line


class Alice(threading.Thread):
    """`key_listen` in a thread."""

    def __init__(self, auth: Path, **options: Any) -> None:
        super().__init__()
        self.found: KeyResult | None = None
        self.error: EbitError | None = None
        self.at: tuple[str, int] | None = None
        self.auth, self.options = auth, options
        self.ready = threading.Event()
        self.start()

    def run(self) -> None:
        def ready(host: str, port: int) -> None:
            self.at = host, port
            self.ready.set()

        full: dict[str, Any] = {"backend": "aer", "rounds": 8000, "patience": 20, "timeout": 10}
        try:
            self.found = key_listen(
                "127.0.0.1:0", self.auth, ready=ready, **{**full, **self.options}
            )
        except EbitError as error:
            self.error = error
        finally:
            self.ready.set()

    def address(self) -> str:
        assert self.ready.wait(30)
        assert self.at is not None, self.error
        return f"{self.at[0]}:{self.at[1]}"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    one, two = new_auth_key(tmp_path / "us", tags=20)
    return Path(one), Path(two)


@pytest.mark.parametrize("protocol", ["bb84", "mdi", "six-state"])
def test_both_ends_get_the_same_key(files: tuple[Path, Path], protocol: str) -> None:
    rounds = {"bb84": 8000, "mdi": 12_000, "six-state": 30_000}[protocol]
    alice = Alice(files[0], protocol=protocol, rounds=rounds)
    his = key_connect(alice.address(), files[1], timeout=10)
    alice.join(20)
    hers = alice.found
    assert hers is not None, alice.error
    assert hers.key is not None
    assert hers.key == his.key
    assert hers.key_id == his.key_id
    assert hers.plan == his.plan
    assert hers.keys_equal is None  # nobody sees both
    assert his.keys_equal is None
    assert his.eve is None
    assert (hers.leak_bits, hers.qber) == (his.leak_bits, his.qber)
    assert hers.authentication_bits == his.authentication_bits == 256
    # Bob's half went over the network in the clear, whatever the device.
    assert hers.secrecy == his.secrecy == "demonstration"
    assert any("a quantum link" in words for words in his.not_given)


@pytest.mark.slow
def test_a_device_independent_key_comes_over_the_network_too(files: tuple[Path, Path]) -> None:
    alice = Alice(files[0], protocol="diqkd", rounds=600_000)
    his = key_connect(alice.address(), files[1], timeout=30)
    alice.join(60)
    assert alice.found is not None, alice.error
    assert his.key is not None
    assert alice.found.key == his.key


def test_eve_on_the_line_leaves_both_without_a_key_and_with_the_reason(
    files: tuple[Path, Path],
) -> None:
    alice = Alice(files[0], attack="intercept-resend")
    his = key_connect(alice.address(), files[1], timeout=10)
    alice.join(20)
    assert alice.found is not None
    for found in (alice.found, his):
        assert found.aborted
        assert "is above the tolerated" in found.reason


def test_two_pre_shared_keys_leave_both_without_a_key(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    _, other = new_auth_key(tmp_path / "others", tags=5)
    alice = Alice(files[0])
    his = key_connect(alice.address(), other, timeout=10)
    alice.join(20)
    assert alice.found is not None
    assert alice.found.key is None
    assert his.key is None
    assert "the peer has the pre-shared key" in his.reason


def test_the_wrong_file_is_seen_before_anything_runs(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(ArgumentError, match="auth must be alice's copy"):
        key_listen("127.0.0.1:0", files[1], backend="aer", rounds=1000)
    with pytest.raises(ArgumentError, match="auth must be bob's copy"):
        key_connect("127.0.0.1:9", files[0])
    with pytest.raises(EbitError, match="cannot be read"):
        key_connect("127.0.0.1:9", tmp_path / "nothing")
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"no key at all")
    garbage.chmod(0o600)
    with pytest.raises(EbitError):
        key_connect("127.0.0.1:9", garbage)


def test_nobody_there(files: tuple[Path, Path]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ChannelError, match="nobody listens"):
        key_connect(f"127.0.0.1:{port}", files[1], timeout=0.5)
    with pytest.raises(ChannelError, match=r"no peer came within 0\.3 s"):
        key_listen("127.0.0.1:0", files[0], backend="aer", rounds=8000, patience=0.3, timeout=1)


def test_somebody_there_who_says_nothing(files: tuple[Path, Path]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(ChannelError):
        key_connect(f"127.0.0.1:{mute.getsockname()[1]}", files[1], timeout=0.5)


def test_a_middle_on_the_classical_channel_is_another_process(files: tuple[Path, Path]) -> None:
    with pytest.raises(ArgumentError, match="put a proxy in the middle"):
        key_listen("127.0.0.1:0", files[0], backend="aer", rounds=1000, attack="man-in-the-middle")


def test_a_source_that_leaves_in_between(files: tuple[Path, Path]) -> None:
    made = about()

    def half() -> Party[None]:
        yield Message("quantum plan", json.dumps(made).encode())

    ends: list[Any] = []
    at: dict[str, Any] = {}
    ready = threading.Event()

    def serve() -> None:
        def said(host: str, port: int) -> None:
            at["address"] = f"{host}:{port}"
            ready.set()

        ends.extend(listen(":0", half, ready=said, patience=10, timeout=5))

    thread = threading.Thread(target=serve)
    thread.start()
    assert ready.wait(10)
    with pytest.raises(ChannelError, match=r"left|never came|closed"):
        key_connect(at["address"], files[1], timeout=5)
    thread.join(10)


def about(protocol: str = "bb84", rounds: int = 8000) -> dict[str, Any]:
    """What the source tells, as `key_listen` makes it."""
    made = line(protocol, rounds=rounds)
    told = circumstances(made.run(1), 1)
    settings = [int(n) for n in made.program.game.settings[:2]]
    purpose = {**made.purpose, "seed": None, "host": None}
    return json.loads(json.dumps({"purpose": purpose, "settings": settings, "circumstances": told}))


def test_what_the_source_tells_holds_no_seed(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []
    original = told_by
    monkeypatch.setattr(
        "ebit.protocols.key_links.told_by", lambda body: (seen.append(body), original(body))[1]
    )
    alice = Alice(files[0], seed=987654321)
    found = key_connect(alice.address(), files[1], timeout=10, seed=2)
    alice.join(20)
    assert found.key is not None
    assert b"987654321" not in seen[0]
    assert json.loads(seen[0])["purpose"]["seed"] is None


def change(path: str, value: Any) -> Callable[[dict[str, Any]], Any]:
    def apply(given: dict[str, Any]) -> Any:
        *outer, last = path.split(".")
        inner = given
        for name in outer:
            inner = inner[name]
        if value is KeyError:
            del inner[last]
        else:
            inner[last] = value
        return given

    return apply


LIES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a list": lambda given: [1, 2],
    "a number": lambda given: 3,
    "no purpose": change("purpose", KeyError),
    "no plan": change("purpose.plan", KeyError),
    "plan text": change("purpose.plan", "plan"),
    "no protocol": change("purpose.protocol", KeyError),
    "other protocol": change("purpose.protocol", "e91"),
    "unknown protocol": change("purpose.protocol", "b92"),
    "protocol list": change("purpose.protocol", []),
    "rounds text": change("purpose.rounds", "many"),
    "rounds infinite": change("purpose.rounds", float("inf")),
    "other rounds": change("purpose.rounds", 9000),
    "n text": change("purpose.plan.n", "a lot"),
    "n half": change("purpose.plan.n", 1.5),
    "n true": change("purpose.plan.n", True),
    "n huge": change("purpose.plan.n", 10**30),
    "n more": change("purpose.plan.n", 7999),
    "k negative": change("purpose.plan.k", -5),
    "length more": change("purpose.plan.length", 8000),
    "leak nan": change("purpose.plan.leak_cap", float("nan")),
    "qber none": change("purpose.plan.qber", None),
    "qber high": change("purpose.plan.qber", 0.5),
    "tolerated text": change("purpose.plan.tolerated", "3"),
    "epsilon text": change("purpose.plan.epsilon", "small"),
    "epsilons list": change("purpose.plan.epsilons", [1]),
    "epsilons text": change("purpose.plan.epsilons", {"a": "b"}),
    "assumptions": change("purpose.plan.assumptions", [1]),
    "reason": change("purpose.plan.reason", "\x1b[2J"),
    "settings": change("settings", [2, 200]),
    "settings text": change("settings", "two"),
    "settings three": change("settings", [2, 2, 2]),
    "circumstances": change("circumstances", None),
    "secrecy": change("circumstances.secrecy", KeyError),
    "separation": change("circumstances.separation", 3),
    "not given": change("circumstances.not_given", [None]),
    "attack": change("purpose.attack", {"a": 1}),
}


@pytest.mark.parametrize("name", LIES)
def test_a_source_that_tells_what_cannot_be_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(ChannelError) as caught:
        told_by(json.dumps(LIES[name](about())).encode())
    assert "\n" not in str(caught.value)
    assert "source" in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 300_000, b"\xff\xfe\xfd", b"null", b"9" * 9999])
def test_a_plan_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(ChannelError, match="the source's plan cannot be read"):
        told_by(body)


@pytest.mark.parametrize("protocol", ["bb84", "e91", "six-state", "mdi"])
def test_what_is_told_in_good_faith_is_taken(protocol: str) -> None:
    given = about(protocol)
    found = told_by(json.dumps(given).encode())
    assert found.plan.to_dict() == given["purpose"]["plan"]
    assert found.law.settings == tuple(given["settings"])
    assert found.purpose["protocol"] == protocol


def test_a_source_cannot_say_which_settings_serve_for_what() -> None:
    given = about()
    given["law"] = {"settings": [2, 2], "key": [1, 1], "tests": {"Z": [0, 0]}, "chsh": []}
    assert told_by(json.dumps(given).encode()).law.key == (0, 0)


BODIES: dict[str, dict[str, bytes]] = {
    "fewer settings": {"quantum settings": bytes(7999)},
    "settings that are none": {"quantum settings": b"\x07" * 8000},
    "fewer bits": {"quantum bits": bytes(999)},
    "more bits": {"quantum bits": bytes(1001)},
    "a middle that is none": {"quantum announcement": bytes(8000)},
    "nothing": {"quantum settings": b"", "quantum bits": b""},
}


@pytest.mark.parametrize("name", BODIES)
def test_rounds_that_do_not_fit_together_are_refused(name: str) -> None:
    given = json.dumps(about()).encode()

    def source() -> Party[None]:
        plain = {
            "quantum plan": given,
            "quantum settings": bytes(8000),
            "quantum bits": bytes(1000),
            "quantum announcement": b"",
        }
        for kind, body in {**plain, **BODIES[name]}.items():
            yield Message(kind, body)
        yield Expect("received")

    ends = converse(source(), _receiver())
    assert isinstance(ends[1].error, ChannelError)
    assert "the source's rounds" in str(ends[1].error)


def test_the_source_hands_over_bobs_half_and_nothing_else() -> None:
    made = line("mdi", rounds=12_000)
    run = made.run(3)
    hers, his = sides_of(made.program, run.trials)
    ends = converse(_source(his, about("mdi", 12_000)), _receiver())
    got, _ = ends[1].result()
    assert (got.settings == his.settings).all()
    assert (got.bits == his.bits).all()
    assert (got.announced == his.announced).all()
    passed = ends[0].end.transcript()
    assert np.packbits(hers.bits).tobytes()[:20] not in passed
    assert hers.settings.tobytes()[:40] not in passed
