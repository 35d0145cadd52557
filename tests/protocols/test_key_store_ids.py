"""Ids of keys: what they say, and what they vouch for."""

from __future__ import annotations

from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from ebit.protocols.key_store_ids import Place, id_mac, key_id, parse_id
from tests.keystores import BLOCK


@given(
    st.integers(0, 2**24 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(1, 8192),
    st.integers(0, 2**53 - 1),
)
def test_an_id_says_what_was_put_into_it(tag, start, size, mac):
    place = Place(tag, start, size, mac)
    made = key_id(place)
    assert made.version == 8
    assert made.variant == "specified in RFC 4122"
    assert parse_id(made) == place


def test_other_uuids_are_no_ids():
    assert parse_id(uuid4()) is None
    assert parse_id(UUID(int=0)) is None


def test_an_id_vouches_for_everything_in_it():
    good = (b"k" * 16, BLOCK, 100, (5, 32), "alice", ("bob",))
    changes = [
        (0, b"l" * 16),
        (1, UUID(int=BLOCK.int + 1)),
        (2, 101),
        (3, (6, 32)),
        (3, (5, 33)),
        (4, "ali"),
        (5, ("ben",)),
        (5, ("bob", "carol")),
        (5, ()),
    ]
    macs = {id_mac(*good)} | {id_mac(*good[:k], value, *good[k + 1 :]) for k, value in changes}
    macs |= {id_mac(*good[:4], "aliceb", ("ob",)), id_mac(*good[:4], "bob", ("alice",))}
    assert len(macs) == 12
    assert all(0 <= mac < 2**53 for mac in macs)
