"""Circuits that play no round: they change the id and nothing that is scored."""

from __future__ import annotations

import numpy as np
import pytest

from ebit.circuits import chsh, mermin_ghz, with_readout
from ebit.circuits.record import program_from_bytes, program_to_bytes
from ebit.games import ArgumentError, Shots


def test_rounds_are_those_of_the_plain_test() -> None:
    rng = np.random.default_rng(1)
    plain, more = chsh(), with_readout(chsh())
    bits = [rng.integers(0, 2, (50, 2)) for _ in range(6)]
    assert (
        more.decode(Shots.from_bits(bits)).counts == plain.decode(Shots.from_bits(bits[:4])).counts
    ).all()
    assert more.id != plain.id
    assert more.game.name == plain.game.name


def test_prepared_states_are_known() -> None:
    from ebit.backends import distributions, joint

    test = with_readout(chsh(settings="per-shot"))
    for value, circuit in zip((0, 15), test.circuits[-2:], strict=True):
        table = joint(distributions(circuit), 4)
        assert table[value] == pytest.approx(1.0)


def test_exact_value_ignores_them() -> None:
    from ebit.backends import distributions, joint

    test = with_readout(mermin_ghz(3))
    tables = [joint(distributions(c), c.num_clbits) for c in test.circuits]
    assert test.value(tables) == pytest.approx(1.0)


def test_they_get_an_average_share() -> None:
    assert with_readout(chsh()).allocate(600) == (100,) * 6


def test_stored_and_read_back() -> None:
    test = with_readout(chsh(settings="per-shot"))
    assert program_from_bytes(program_to_bytes(test)).id == test.id


def test_not_everything_may_be_known() -> None:
    from dataclasses import replace

    test = chsh()
    with pytest.raises(ArgumentError, match="plays a round"):
        replace(test, readouts=(None,) * 4)
