"""Users of one key store in many processes, and users that are killed: no key comes twice."""

from __future__ import annotations

import os
import random
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest

from ebit.games import EbitError
from ebit.protocols import (
    key_store,
    key_store_file,
    key_store_ids,
    key_store_rows,
    key_store_seal,
    private_files,
)
from ebit.protocols.key_store import Collect, KeyStore, UnknownKeyError
from ebit.protocols.key_store_ids import parse_id
from ebit.protocols.secret_bits import SecretBits
from tests import killing
from tests.killing import in_child, killed_after, killed_at, lines_of, needs_fork, some, wait_for

MODULES = (key_store, key_store_file, key_store_ids, key_store_rows, key_store_seal, private_files)
WATCHED = frozenset(str(module.__file__) for module in MODULES)
DATA = np.random.default_rng(1).bytes(16 + 16 * 40)
MORE = np.random.default_rng(2).bytes(16 + 16 * 10)


def put(store: KeyStore, data: bytes, block: UUID) -> None:
    store.add(SecretBits.of_bytes(data), origin={}, secrecy="own", block=block)


def stores(folder: Path) -> tuple[KeyStore, KeyStore]:
    a = KeyStore.create(folder / "a.db", kme="kme-a", peer="kme-b", share=1)
    b = KeyStore.create(folder / "b.db", kme="kme-b", peer="kme-a", share=1)
    return a, b


@needs_fork
def test_processes_share_no_key(tmp_path: Path) -> None:
    a, b = stores(tmp_path)
    for store in (a, b):
        put(store, DATA, UUID(int=7))

    def work(k: int) -> None:
        # The store that was open before the fork, and one of this process's own.
        for store in (a, KeyStore.open(tmp_path / "a.db")):
            for _ in range(5):
                (key,) = store.deliver(128, master="m", slave="s")
                with (tmp_path / f"out{k}").open("ab") as out:
                    out.write(key.id.bytes + key.key.reveal_bytes())

    children = [killing.start(lambda k=k: work(k)) for k in range(4)]  # type: ignore[misc]
    assert [wait_for(child) for child in children] == [0] * 4
    had = [
        (raw[k : k + 16], raw[k + 16 : k + 32])
        for raw in ((tmp_path / f"out{k}").read_bytes() for k in range(4))
        for k in range(0, len(raw), 32)
    ]
    assert len({key for _, key in had}) == 40
    same = b.collect([UUID(bytes=id) for id, _ in had], master="m", slave="s")
    assert [key.key.reveal_bytes() for key in same] == [key for _, key in had]
    assert a.stored(128) == 0


class Bench:
    """Two stores, and a user who writes down what it got before it goes on."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.out = folder, folder / "out"
        self.block, self.other = uuid4(), uuid4()
        for store in stores(folder):
            put(store, DATA, self.block)
            store.close()

    def work(self) -> None:
        """New keys, what the other side has of them, a new block, and keys of it."""
        handle = os.open(self.out, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

        def note(role: bytes, keys: tuple[key_store.DeliveredKey, ...]) -> None:
            for key in keys:
                os.write(handle, role + key.id.bytes + key.key.reveal_bytes())

        a, b = (KeyStore.open(self.folder / name) for name in ("a.db", "b.db"))
        keys = a.deliver(128, master="m", slave="s", number=3)
        note(b"m", keys)
        note(b"s", b.collect([key.id for key in keys[:2]], master="m", slave="s"))
        note(b"m", a.deliver(128, master="m", slave="s"))
        put(b, MORE, self.other)
        put(a, MORE, self.other)
        note(b"s", b.collect([keys[2].id], master="m", slave="s"))
        note(b"m", a.deliver(128, master="m", slave="s", number=38))

    def check(self) -> int:
        """Nothing came twice or half, and all that is left is whole; how many keys were lost."""
        raw = self.out.read_bytes() if self.out.exists() else b""
        assert len(raw) % 33 == 0
        had = [
            (raw[k : k + 1], raw[k + 1 : k + 17], raw[k + 17 : k + 33])
            for k in range(0, len(raw), 33)
        ]
        first = {id: key for role, id, key in had if role == b"m"}
        second = {id: key for role, id, key in had if role == b"s"}
        assert len(first) + len(second) == len(had), "a key came twice"
        assert all(first[id] == key for id, key in second.items())
        with KeyStore.open(self.folder / "a.db") as a, KeyStore.open(self.folder / "b.db") as b:
            a.check()
            b.check()
            blocks = {block.id: block for block in a.blocks()}
            assert {*blocks} <= {block.id for block in b.blocks()}
            total = sum(block.mine for block in blocks.values()) // 16
            rest = (
                a.deliver(128, master="m", slave="s", number=a.stored(128)) if a.stored(128) else ()
            )
            left = {key.id.bytes: key.key.reveal_bytes() for key in rest}
            assert not {*left} & {*first}
            assert len({*left.values(), *first.values()}) == len(left) + len(first)
            data = {self.block: DATA, self.other: MORE}
            for id, key in (*first.items(), *left.items()):
                place = parse_id(UUID(bytes=id))
                assert place is not None
                assert key in [d[16:][place.start : place.start + 16] for d in data.values()]
            uses = {UUID(use.key_id).bytes for use in a.uses()}
            assert {*first, *left} <= uses
            # What the slave has not had is still there for it, unless it was about to leave.
            gone = {UUID(use.key_id).bytes for use in b.uses()}
            assert {*second} <= gone
            every = {**first, **left}
            wishes = [Collect("m", "s", (UUID(bytes=id),)) for id in every]
            for (id, key), found in zip(every.items(), b.together(wishes), strict=True):
                if isinstance(found, UnknownKeyError):
                    assert id in gone
                else:
                    assert id not in gone
                    assert not isinstance(found, EbitError)
                    assert found[0].key.reveal_bytes() == key
            return total - len(first) - len(left)


@needs_fork
@pytest.mark.parametrize("count", [8, pytest.param(120, marks=pytest.mark.slow)])
def test_killed_at_any_line_hands_out_nothing_twice(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(killing, "WATCHED", WATCHED)
    warm = Bench(tmp_path / "warm")
    warm.work()
    assert warm.check() == 0
    lines = lines_of(Bench(tmp_path / "count").work)
    assert lines > 500
    kills = lost = 0
    for line in some(random.Random(1), range(1, lines + 1), count):
        bench = Bench(tmp_path / f"line{line}")
        kills += killed_at(line, bench.work)
        lost += bench.check() > 0
    print(f"\nkill -9: {kills} kills at {lines} lines, keys lost in {lost}, none twice")
    assert kills >= 0.9 * count


@needs_fork
@pytest.mark.slow
def test_killed_at_any_time_hands_out_nothing_twice(tmp_path: Path) -> None:
    rng = random.Random(2)
    kills = 0
    for k in range(40):
        bench = Bench(tmp_path / f"time{k}")
        kills += killed_after(rng.uniform(0, 0.04), bench.work)
        bench.check()
    print(f"\nkill -9 at random times: {kills} kills, none twice")
    assert kills > 0  # how many depends on how busy the machine is


@needs_fork
@pytest.mark.parametrize("count", [6, pytest.param(60, marks=pytest.mark.slow)])
def test_a_store_is_made_whole_or_not_at_all(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(killing, "WATCHED", WATCHED)

    def work(folder: Path) -> None:
        KeyStore.create(folder / "a.db", kme="kme-a", peer="kme-b").close()

    (tmp_path / "count").mkdir()
    lines = lines_of(lambda: work(tmp_path / "count"))
    for line in some(random.Random(3), range(1, lines + 1), count):
        folder = tmp_path / f"line{line}"
        folder.mkdir()
        killed_at(line, lambda folder=folder: work(folder))  # type: ignore[misc]
        if (folder / "a.db").exists():
            with KeyStore.open(folder / "a.db") as store:
                put(store, DATA, UUID(int=7))
        else:
            work(folder)


@needs_fork
def test_a_killed_user_leaves_the_store_usable(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "x")
    assert in_child(bench.work) == 0
    assert bench.check() == 0
