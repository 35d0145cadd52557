"""How much work a caller can make a key store do with ids that it made up."""

from __future__ import annotations

from uuid import uuid4

import pytest

from ebit.protocols import key_store_ids
from ebit.protocols.key_store import Collect, Deliver, NotNamedError, UnknownKeyError
from ebit.protocols.key_store_ids import Place, key_id, tag_of
from tests.keystores import BLOCK, fill, make, some_bytes

HERE = tuple(f"here-{k}" for k in range(20))
THERE = tuple(f"there-{k}" for k in range(200))


def wish(ids, slave=HERE[0], master=THERE[0], more=2):
    return Collect(master, slave, tuple(ids), "", THERE, HERE, more)


@pytest.fixture
def tried(monkeypatch):
    """How many message codes were tried."""
    count = [0]
    whole = key_store_ids.id_mac

    def counted(*arguments):
        count[0] += 1
        return whole(*arguments)

    monkeypatch.setattr(key_store_ids, "id_mac", counted)
    return count


def test_made_up_ids_make_no_more_work_than_one(tmp_path, tried):
    a, b = make(tmp_path, share=1)
    fill((a, b), some_bytes(16 + 32 * 200))
    ids = [key_id(Place(tag_of(BLOCK), 32 * k, 32, 7)) for k in range(128)]
    (found,) = b.together([wish(ids)])
    assert isinstance(found, UnknownKeyError)
    assert tried[0] <= 191 + 1024  # the groups of a slave, and the tries for others


def test_ids_of_what_is_not_here_cost_no_code(tmp_path, tried):
    a, b = make(tmp_path)
    fill((a, b), some_bytes(16 + 640))
    (key,) = a.deliver(256, master=THERE[0], slave=HERE[0])
    b.collect([key.id], master=THERE[0], slave=HERE[0])
    (later,) = a.deliver(256, master=THERE[0], slave=HERE[0])
    gone = [
        key.id,
        uuid4(),
        key_id(Place(tag_of(BLOCK), 16, 32, 7)),  # in part
        key_id(Place(tag_of(BLOCK), 640, 32, 7)),  # beyond the end
        key_id(Place(tag_of(BLOCK), 320, 32, 7)),  # what this end hands out
        key_id(Place(tag_of(BLOCK) ^ 1, 64, 32, 7)),  # no such block
    ]
    before = tried[0]
    (found,) = b.together([wish([*gone, later.id])])
    assert isinstance(found, UnknownKeyError)
    assert found.ids == tuple(gone)
    assert tried[0] == before
    assert isinstance(b.together([wish([later.id])])[0], tuple)


def test_a_request_for_shared_keys_that_are_there_makes_bounded_work(tmp_path, tried):
    a, b = make(tmp_path, share=1)
    fill((a, b), some_bytes(16 + 32 * 128))
    (keys,) = a.together([Deliver(THERE[0], HERE[0], 256, 128, "", HERE[-2:])])
    ids = [key.id for key in keys]
    before = tried[0]
    (stranger,) = b.together([wish(ids, slave=HERE[1])])
    (found,) = b.together([wish(ids)])
    # Each key tries the groups of its slave once; the stranger's request is cut off.
    assert tried[0] - before <= 128 * 191 + 191 + 1024
    assert isinstance(stranger, NotNamedError | UnknownKeyError)
    assert [key.key for key in found] == [key.key for key in keys]
