"""The same bits go into a store once, under whatever id and however many of them."""

from __future__ import annotations

from uuid import uuid4

import pytest

from ebit.games import ArgumentError
from ebit.protocols.key_store import KeyStore
from ebit.protocols.secret_bits import SecretBits
from tests.keystores import BLOCK, fill, make, some_bytes


@pytest.mark.parametrize("part", [slice(None), slice(0, 100), slice(0, 18), slice(0, 399)])
def test_the_same_bits_are_refused_under_another_id(tmp_path, part):
    a, _ = make(tmp_path)
    data = some_bytes(400)
    fill((a,), data)
    with pytest.raises(ArgumentError, match=f"block {BLOCK} of .* never add bits twice") as caught:
        fill((a,), data[part], uuid4())
    assert "\n" not in str(caught.value)
    with pytest.raises(ArgumentError, match="never add bits twice"):
        fill((a,), data + b"more", uuid4())
    assert len(a.blocks()) == 1
    fill((a,), some_bytes(400, 2), uuid4())


def test_they_are_refused_when_all_have_left_and_in_another_process(tmp_path):
    a, b = make(tmp_path, share=1)
    data = some_bytes(16 + 64)
    fill((a, b), data)
    keys = a.deliver(256, master="m", slave="s", number=2)
    b.collect([key.id for key in keys], master="m", slave="s")
    a.close()
    b.close()
    for name in ("a", "b"):
        with KeyStore.open(tmp_path / f"{name}.db") as store:
            with pytest.raises(ArgumentError, match="never add bits twice"):
                fill((store,), data, uuid4())
            assert store.stored(256) == 0


def test_what_is_kept_of_the_bits_differs_from_store_to_store(tmp_path):
    digests = []
    for store in make(tmp_path):
        fill((store,), bytes(100))
        with store._file.read() as db:
            digests.append(db.execute("SELECT digest FROM blocks").fetchone()[0])
    assert len(set(digests)) == 2


def test_nothing_is_put_in_if_what_comes_before_fails(tmp_path):
    a, _ = make(tmp_path)
    bits, told = SecretBits.of_bytes(some_bytes(400)), []

    def before(block):
        told.append(block)
        raise ArgumentError("no")

    with pytest.raises(ArgumentError, match="no"):
        a.add(bits, origin={}, secrecy="own", block=BLOCK, before=before)
    assert (a.blocks(), told) == ((), [BLOCK])
    a.add(bits, origin={}, secrecy="own", block=BLOCK, before=told.append)
    with pytest.raises(ArgumentError, match="must be new"):  # refused before anybody is told
        a.add(bits, origin={}, secrecy="own", before=told.append)
    assert told == [BLOCK, BLOCK]
