"""The file of a pre-shared key: no pad leaves it twice, whoever is killed, copies or damages it."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import stat
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from ebit.games import ArgumentError, EbitError
from ebit.protocols import authentication, authentication_file, authentication_key
from ebit.protocols.authentication import (
    Authenticator,
    AuthError,
    AuthKey,
    OutOfPadsError,
    authenticate,
    new_auth_key,
)
from ebit.protocols.conversation import Party, converse
from ebit.protocols.secret_bits import SecretBits
from tests import killing
from tests.killing import killed_after, killed_at, lines_of, needs_fork, some, wait_for

posix = pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")


def files(folder: Path, tags: int = 20) -> tuple[Path, Path]:
    folder.mkdir(exist_ok=True)
    return new_auth_key(folder / "us", tags=tags, random=np.random.default_rng(1).bytes)


def pads_of(tags: int = 20) -> bytes:
    """What `files` draws for pads."""
    rng = np.random.default_rng(1)
    rng.bytes(16), rng.bytes(16)
    return rng.bytes(32 * tags)


def session(paths: tuple[Path, Path]) -> list[bool]:
    return [
        ending.result().ok
        for ending in converse(*(authenticate(Authenticator(path)) for path in paths))
    ]


def test_two_files_of_one_key(tmp_path: Path) -> None:
    paths = new_auth_key(tmp_path / "us two? #1 %20 é", tags=5)
    a, b = AuthKey(paths[0]), AuthKey(str(paths[1]))
    assert (a.role, b.role, a.peer, b.peer) == ("alice", "bob", "bob", "alice")
    assert a.id == b.id
    assert a.hash_key() == b.hash_key()
    assert a.take()[1] == b.attempt(0)
    assert b.take()[1] == a.attempt(0)
    assert a.status().secrecy == "own"
    assert a.status().bits_spent == 128
    assert a.status().to_dict()["bits_left"] == 128 * 9
    assert sorted(path for path in tmp_path.iterdir() if path.is_file()) == list(paths)


def test_two_keys_differ(tmp_path: Path) -> None:
    one, other = (AuthKey(new_auth_key(tmp_path / name)[0]) for name in ("x", "y"))
    assert one.id != other.id
    assert one.hash_key() != other.hash_key()
    assert one.take() != other.take()


@posix
def test_only_the_owner_reads_it(tmp_path: Path) -> None:
    path = files(tmp_path)[0]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    with pytest.raises(AuthError, match="can be read by others: chmod 600"):
        AuthKey(path)


def test_a_spent_pad_is_gone_from_the_file(tmp_path: Path) -> None:
    path = files(tmp_path)[0]
    first = pads_of()[:16]
    assert first in path.read_bytes()
    assert AuthKey(path).take() == (0, first)
    assert first not in path.read_bytes()
    assert pads_of()[32:48] in path.read_bytes()
    assert not list(tmp_path.glob("*-journal"))


def test_sessions_go_on_from_file_to_file(tmp_path: Path) -> None:
    paths = files(tmp_path, tags=3)
    assert [session(paths) for _ in range(4)] == [[True, True]] * 3 + [[False, False]]
    assert AuthKey(paths[0]).status().bits_left == 0
    with pytest.raises(
        OutOfPadsError, match=r"us\.alice has no pad left for a tag of alice: append"
    ):
        Authenticator(paths[0]).check_ready()
    with pytest.raises(OutOfPadsError, match="no pad left for a tag: append"):
        AuthKey(paths[0]).take()


def test_an_old_copy_is_refused_before_a_tag_leaves(tmp_path: Path) -> None:
    paths = files(tmp_path)
    old = {path: path.read_bytes() for path in paths}
    for _ in range(2):
        assert session(paths) == [True, True]
    for path in paths:
        new = path.read_bytes()
        path.write_bytes(old[path])
        ends = converse(*(authenticate(Authenticator(p)) for p in paths))
        mine = ends[paths.index(path)].result()
        other = ends[1 - paths.index(path)].result()
        assert not mine.ok
        assert not other.ok
        assert mine.sent_pad is None
        said = f"{mine.reason} {other.reason}"
        assert "old copy" in said
        assert "used before" in said
        path.write_bytes(new)
    assert session(paths) == [True, True]


def test_the_same_bits_are_appended_once(tmp_path: Path) -> None:
    path = files(tmp_path)[0]
    key = AuthKey(path)
    bits = SecretBits.of_bytes(np.random.default_rng(2).bytes(64))
    assert key.append(bits) == 2
    with pytest.raises(AuthError, match="these 512 bits were appended before"):
        key.append(bits)
    with pytest.raises(AuthError, match="appended before"):  # what is left over does not matter
        key.append(SecretBits.of_bytes(bits.reveal_bytes() + b"more"))
    with pytest.raises(AuthError, match="appended before"):  # nor those that it was made with
        key.append(SecretBits.of_bytes(pads_of()))
    with pytest.raises(ArgumentError, match="bits must be at least 256, but were 248"):
        key.append(SecretBits.of_bytes(bytes(31)))
    assert key.status().to_send == 22


def test_bits_that_are_not_secret_mark_the_key(tmp_path: Path) -> None:
    key = AuthKey(new_auth_key(tmp_path / "us", tags=1)[0])
    bits = SecretBits.of_bytes(bytes(range(32)))
    with pytest.raises(ArgumentError, match="demonstration=True"):
        key.append(bits, secrecy="demonstration")
    with pytest.raises(ArgumentError, match="secrecy must be"):
        key.append(bits, secrecy="perhaps")
    assert key.status().secrecy == "own"
    key.append(bits, secrecy="demonstration", demonstration=True)
    assert key.status().secrecy == "demonstration"
    assert AuthKey(tmp_path / "us.alice").status().secrecy == "demonstration"


def test_no_key_is_written_over(tmp_path: Path) -> None:
    paths = files(tmp_path)
    before = paths[1].read_bytes()
    paths[0].unlink()
    with pytest.raises(ArgumentError, match=r"path must be new, but .*us\.bob is there"):
        new_auth_key(tmp_path / "us")
    assert paths[1].read_bytes() == before
    assert not paths[0].exists()


@pytest.mark.parametrize(
    "options", [{"tags": 0}, {"tags": 1.5}, {"most_bytes": 0}, {"tags": 10**9}]
)
def test_numbers_that_cannot_be(options: dict[str, float], tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=next(iter(options))):
        new_auth_key(tmp_path / "us", **options)  # type: ignore[arg-type]
    assert not list(tmp_path.glob("us*"))


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AuthError, match="cannot be read: No such file"):
        AuthKey(tmp_path / "none")
    for name, content in (("empty", b""), ("text", b"my key " * 99)):
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o600)
        with pytest.raises(AuthError, match=r"is no pre-shared key|cannot be used"):
            AuthKey(tmp_path / name)
    other = tmp_path / "other"
    db = sqlite3.connect(other)
    db.execute("CREATE TABLE t (x)")
    db.close()
    other.chmod(0o600)
    with pytest.raises(AuthError, match="is no pre-shared key of ebit"):
        AuthKey(other)


def test_a_key_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = files(tmp_path)[0]
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 2")
    db.close()
    with pytest.raises(AuthError, match="newer ebit"):
        AuthKey(path)


def test_nobody_turns_a_position_back(tmp_path: Path) -> None:
    path = files(tmp_path)[0]
    AuthKey(path).take()
    db = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="spent once"):
        db.execute("UPDATE marks SET spent = 0")
    db.execute("DROP TRIGGER forwards")
    db.execute("UPDATE marks SET spent = 0")
    db.commit()
    db.close()
    with pytest.raises(AuthError, match="pad 0 of alice in the pre-shared key is damaged or gone"):
        AuthKey(path).take()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE marks SET sender = 'olice' WHERE sender = 'alice'",
        "DELETE FROM marks",
        "UPDATE marks SET spent = 'x', made = 'y'",
        "ALTER TABLE marks ADD COLUMN more",
        "UPDATE facts SET value = x'ff' WHERE name = 'secrecy'",
        "UPDATE facts SET value = 'x' WHERE name = 'id'",
        "DELETE FROM facts WHERE name = 'role'",
    ],
)
def test_rows_that_are_not_what_was_written_are_one_line(change: str, tmp_path: Path) -> None:
    path = files(tmp_path, tags=3)[0]
    key = AuthKey(path)
    db = sqlite3.connect(path)
    db.executescript("DROP TRIGGER forwards")
    db.execute(change)
    db.commit()
    db.close()
    for use in (key.status, lambda: AuthKey(path)):
        with pytest.raises(AuthError) as caught:
            use()
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("count", [25, pytest.param(150, marks=pytest.mark.slow)])
def test_a_damaged_file_gives_no_wrong_key(count: int, tmp_path: Path) -> None:
    paths = files(tmp_path, tags=4)
    whole = {path: path.read_bytes() for path in paths}
    rng = random.Random(3)
    refused = 0
    said: list[str] = []
    for _ in range(count):
        path = rng.choice(paths)
        spoilt = bytearray(whole[path])
        for _ in range(rng.choice((1, 1, 1, 30))):
            spoilt[rng.randrange(len(spoilt))] ^= 1 << rng.randrange(8)
        path.write_bytes(spoilt[: rng.choice((len(spoilt), rng.randrange(len(spoilt))))])
        try:
            ends = converse(*(authenticate(Authenticator(p)) for p in paths))
            oks = [end.value is not None and end.value.ok for end in ends]
        except EbitError as error:
            said.append(str(error))
            oks = [False, False]
        refused += oks != [True, True]
        for p in paths:
            p.write_bytes(whole[p])
            Path(f"{p}-journal").unlink(missing_ok=True)
    print(f"\n{refused} of {count} damaged files refused")
    assert refused > count / 3
    assert not any("\n" in words for words in said)


@needs_fork
def test_processes_share_no_pad(tmp_path: Path) -> None:
    path = files(tmp_path, tags=60)[0]

    def work(k: int) -> None:
        key = AuthKey(path)
        with (tmp_path / f"out{k}").open("wb") as out:
            for _ in range(15):
                number, pad = key.take()
                out.write(number.to_bytes(2, "big") + pad)

    children = [killing.start(lambda k=k: work(k)) for k in range(4)]  # type: ignore[misc]
    assert [wait_for(child) for child in children] == [0] * 4
    found = b"".join((tmp_path / f"out{k}").read_bytes() for k in range(4))
    rows = sorted(found[i : i + 18] for i in range(0, len(found), 18))
    pads = pads_of(60)
    assert rows == [k.to_bytes(2, "big") + pads[32 * k :][:16] for k in range(60)]


WATCHED = frozenset(
    str(module.__file__) for module in (authentication, authentication_key, authentication_file)
)


class Bench:
    """Two files, and two sides that write down what leaves them before they go on."""

    def __init__(self, folder: Path) -> None:
        self.paths = files(folder, tags=3)
        self.out = folder / "out"
        self.more = SecretBits.of_bytes(np.random.default_rng(5).bytes(64))

    def work(self) -> None:
        """A session, an append, and a session."""
        for step in range(2):
            sides = [self._noting(path) for path in self.paths]
            converse(*sides)
            if step == 0:
                for path in self.paths:
                    AuthKey(path).append(self.more)

    def _noting(self, path: Path) -> Party[None]:
        """Authenticate, and note each tag that leaves, with what it covered."""
        auth = Authenticator(path)
        honest = auth.tag

        def tag(transcript: bytes) -> tuple[int, bytes]:
            number, made = honest(transcript)
            handle = os.open(self.out, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.write(handle, f"{auth.role} {number} {made.hex()}\n".encode())
            os.close(handle)
            return number, made

        auth.tag = tag  # type: ignore[method-assign]
        yield from authenticate(auth)

    def check(self) -> int:
        """No pad twice, now or after more sessions until all are spent; how many were lost."""
        for path in self.paths:
            with suppress(AuthError):  # appended before it was killed
                AuthKey(path).append(self.more)
        for _ in range(6):
            ends = converse(*(self._noting(path) for path in self.paths))
            assert all(end.error is None for end in ends)
        lines = self.out.read_text().splitlines()
        used = [tuple(line.split()[:2]) for line in lines]
        assert len(set(used)) == len(used), "a pad was used twice"
        assert len({line.split()[2] for line in lines}) == len(lines)
        for path in self.paths:  # both have what was appended now, and both have spent it
            status = AuthKey(path).status()
            assert 0 in (status.to_send, status.to_receive)
        return 10 - len(used)


@needs_fork
@pytest.mark.parametrize("count", [3, pytest.param(30, marks=pytest.mark.slow)])
def test_killed_at_any_line_uses_no_pad_twice(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(killing, "WATCHED", WATCHED)
    Bench(tmp_path / "warm").work()
    lines = lines_of(Bench(tmp_path / "count").work)
    assert lines > 300
    kills = 0
    for line in some(random.Random(1), range(1, lines + 1), count):
        bench = Bench(tmp_path / f"line{line}")
        kills += killed_at(line, bench.work)
        bench.check()
        shutil.rmtree(tmp_path / f"line{line}")
    print(f"\nkill -9: {kills} kills at {lines} lines, no pad used twice")
    assert kills >= 0.9 * count


@needs_fork
@pytest.mark.slow
def test_killed_at_any_time_uses_no_pad_twice(tmp_path: Path) -> None:
    rng = random.Random(2)
    kills = 0
    for k in range(20):
        bench = Bench(tmp_path / f"time{k}")
        kills += killed_after(rng.uniform(0, 0.06), bench.work)
        bench.check()
    print(f"\nkill -9 at random times: {kills} kills, no pad used twice")
    assert kills > 0
