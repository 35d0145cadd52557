"""Sifting: which rounds are kept, and messages that are not what they should be."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebit.games import ArgumentError
from ebit.protocols.conversation import ChannelError
from ebit.protocols.sifting import (
    RawSide,
    bits_from_body,
    body_of_bits,
    body_of_settings,
    random_subset,
    rounds_with,
    settings_from_body,
)


@given(st.lists(st.integers(0, 1), max_size=70))
def test_bits_go_over_the_channel_and_back(bits: list[int]) -> None:
    assert bits_from_body(body_of_bits(bits), len(bits), "bits").tolist() == bits


@given(st.integers(2, 4), st.data())
def test_settings_go_over_the_channel_and_back(kinds: int, data: st.DataObject) -> None:
    settings = np.array(data.draw(st.lists(st.integers(0, kinds - 1), max_size=50)), np.uint8)
    body = body_of_settings(settings, kinds)
    assert settings_from_body(body, len(settings), kinds).tolist() == settings.tolist()


def test_a_setting_that_the_protocol_does_not_have_is_refused() -> None:
    body = body_of_settings(np.array([0, 3, 1], np.uint8), 4)
    with pytest.raises(ChannelError, match="below 3, but the peer sent 3"):
        settings_from_body(body, 3, 3)


@pytest.mark.parametrize("change", [b"", b"x", None])
def test_a_message_of_another_length_is_refused(change: bytes | None) -> None:
    body = body_of_bits([1, 0, 1])
    spoilt = body[:-1] if change is None else (body + change if change else b"")
    with pytest.raises(ChannelError, match="must be 3 bits"):
        bits_from_body(spoilt, 3, "test bits")
    with pytest.raises(ChannelError):
        settings_from_body(spoilt, 3, 2)


def test_a_body_that_lies_about_its_number_is_refused() -> None:
    with pytest.raises(ChannelError, match="must be 4 bits, but the peer sent 3"):
        bits_from_body(body_of_bits([1, 0, 1]), 4, "test bits")


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=60),
    st.sets(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=5),
)
def test_rounds_are_found_as_by_hand(
    pairs: list[tuple[int, int]], wanted: set[tuple[int, int]]
) -> None:
    a = np.array([p[0] for p in pairs], np.uint8)
    b = np.array([p[1] for p in pairs], np.uint8)
    expected = [i for i, pair in enumerate(pairs) if pair in wanted]
    assert rounds_with(a, b, tuple(wanted)).tolist() == expected


def test_every_subset_is_as_likely_as_any_other() -> None:
    generator = np.random.default_rng(5)
    seen: dict[bytes, int] = {}
    for _ in range(6000):
        key = random_subset(4, 2, generator.bytes).tobytes()
        seen[key] = seen.get(key, 0) + 1
    assert len(seen) == 6
    # Chi-squared with 5 degrees of freedom; 25.7 has a tail of 1e-4.
    assert sum((count - 1000) ** 2 / 1000 for count in seen.values()) < 25.7


@pytest.mark.parametrize("wanted", [0, 1, 7, 8])
def test_a_subset_has_the_size_asked_for(wanted: int) -> None:
    assert int(random_subset(8, wanted, os.urandom).sum()) == wanted


def test_more_than_there_are_is_refused() -> None:
    with pytest.raises(ArgumentError, match="at most the 8 rounds, but was 9"):
        random_subset(8, 9, os.urandom)


def test_a_side_shows_nothing_and_refuses_what_does_not_fit() -> None:
    good = np.zeros(3, np.uint8)
    assert repr(RawSide(good, good)) == "RawSide(3 rounds, hidden)"
    with pytest.raises(ArgumentError, match="bits must be uint8"):
        RawSide(good, np.zeros(2, np.uint8))
    with pytest.raises(ArgumentError, match="bits must be uint8"):
        RawSide(good, np.zeros(3))  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="announced must have one entry per round"):
        RawSide(good, good, np.zeros(4, np.uint8))
