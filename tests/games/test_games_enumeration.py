"""Local values against a naive search, and sign conventions against flips done by hand."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given

from ebit.games import (
    ArgumentError,
    Game,
    ParityRule,
    TableRule,
    bases_agree,
    chained_chsh,
    chsh,
    magic_square,
    mermin_ghz,
    stabilisers,
)
from ebit.games.enumeration import local_work
from tests.strategies import parity_games, table_games


def naive_local_value(asked: Game) -> float:
    """Try every function from settings to outcomes of every party."""
    table = asked.table()
    functions = [
        list(product(range(k), repeat=s))
        for s, k in zip(asked.settings, asked.outcomes, strict=True)
    ]
    best = 0.0
    for strategy in product(*functions):
        value = 0.0
        for q, row in enumerate(asked.questions):
            answer = tuple(f[s] for f, s in zip(strategy, row, strict=True))
            value += asked.distribution[q] * table[(q, *answer)]
        best = max(best, value)
    return best


@given(table_games())
def test_local_value_of_random_games(asked: Game) -> None:
    assert asked.local_value() == pytest.approx(naive_local_value(asked), abs=1e-12)


@given(parity_games())
def test_local_value_of_random_parity_games(asked: Game) -> None:
    assert asked.local_value() == pytest.approx(naive_local_value(asked), abs=1e-12)


@pytest.mark.parametrize(
    "asked",
    [
        chsh(),
        mermin_ghz(3),
        mermin_ghz(4),
        bases_agree("XZ"),
        bases_agree("XYZ", state="psi-"),
        chained_chsh(2),
        chained_chsh(3),
        chained_chsh(4),
        stabilisers("ghz", 2),
        stabilisers([(0, 1)], 2),
        stabilisers([], 2),
    ],
    ids=lambda g: g.name,
)
def test_local_value_of_the_catalogue(asked: Game) -> None:
    assert asked.local_value() == pytest.approx(naive_local_value(asked), abs=1e-12)


def test_local_value_of_the_magic_square() -> None:
    """64 x 64 functions: vectorised over Bob's to stay naive and quick."""
    asked = magic_square()
    table = asked.table().reshape(3, 3, 4, 4)
    functions = np.array(list(product(range(4), repeat=3)))
    best = max(
        sum(table[x, y, alice[x]][functions[:, y]] for x in range(3) for y in range(3)).max()
        for alice in functions
    )
    assert best == 8
    assert asked.local_value() == pytest.approx(8 / 9, abs=1e-12)


def test_local_value_of_ghz_stabilisers() -> None:
    """All 2^3 stabilisers of a GHZ state: 7 of 8 by Mermin's argument, the 8 including I."""
    asked = stabilisers("ghz", 3)
    functions = np.array(list(product((1, -1), repeat=3)))
    best = 0
    for a, b, c in product(functions, repeat=3):
        signs = [
            np.prod([f[s] for f, s in zip((a, b, c), row, strict=True) if s != 3])
            for row in asked.questions
        ]
        best = max(best, int((signs == asked.signs).sum()))
    assert asked.local_value() == pytest.approx(best / 8, abs=1e-12)


def test_sizes_that_cannot_finish_are_refused_with_the_size() -> None:
    with pytest.raises(ArgumentError, match=r"'mermin-ghz-12' would take 10\^10\.2 steps"):
        mermin_ghz(12).local_value()
    with pytest.raises(ArgumentError, match=r"'chained-chsh-32' would take 10\^11"):
        chained_chsh(32).local_value()


def test_sizes_beyond_floating_point_are_refused() -> None:
    """256 outcomes to 200 questions are more strategies than a float can count."""
    questions = np.stack([np.arange(200), np.arange(200)], axis=1).astype(np.uint8)
    table = np.zeros((200, 256, 256), dtype=bool)
    table[:, np.arange(256), np.arange(256)] = True
    asked = Game(
        "large", questions, np.full(200, 1 / 200), (200, 200), (256, 256), TableRule(table)
    )
    assert local_work(asked) == 256**200 * 200 * 256
    with pytest.raises(ArgumentError, match=r"10\^48\d"):
        asked.local_value()


def test_refused_enumeration_leaves_published_floors() -> None:
    assert mermin_ghz(12).local_bell == pytest.approx(2**6)
    assert chained_chsh(32).local_bell == pytest.approx(2 * 32 - 2)


def test_settings_that_are_never_asked_cost_nothing() -> None:
    questions = np.array([[0, 0], [200, 200]], dtype=np.uint8)
    asked = Game(
        "sparse",
        questions,
        np.array([0.25, 0.75]),
        (201, 201),
        (2, 2),
        ParityRule(np.ones((2, 2), dtype=bool), np.array([0, 1], dtype=np.uint8)),
    )
    assert asked.local_value() == 1


def test_parties_that_never_count_are_not_enumerated() -> None:
    """Twenty spectators with twenty settings each do not make CHSH harder."""
    rng = np.random.default_rng(3)
    extra = rng.integers(0, 20, (4, 20))
    questions = np.concatenate([chsh().questions, extra], axis=1).astype(np.uint8)
    mask = np.zeros((4, 22), dtype=bool)
    mask[:, :2] = True
    asked = Game(
        "crowd",
        questions,
        np.full(4, 0.25),
        (2, 2) + (20,) * 20,
        (2, 2) + (1,) * 20,
        ParityRule(mask, np.array([0, 0, 0, 1], dtype=np.uint8)),
    )
    assert asked.local_value() == 0.75


def naive_conventions(asked: Game) -> set[tuple[int, ...]]:
    """Flip every subset of (party, setting) and collect the signs."""
    places = [(i, s) for i, k in enumerate(asked.settings) for s in range(k)]
    found = set()
    for flips in product((1, -1), repeat=len(places)):
        at = dict(zip(places, flips, strict=True))
        signs = asked.signs.astype(int).copy()
        for q, row in enumerate(asked.questions):
            for i, s in enumerate(row):
                if asked.rule.mask[q, i]:
                    signs[q] *= at[i, int(s)]
        found.add(tuple(signs.tolist()))
    return found


def test_chsh_has_eight_conventions() -> None:
    """An odd number of minus signs, wherever they stand; Delft's .313 pays for these eight."""
    found = chsh().conventions()
    assert found.shape == (8, 4)
    assert found[0].tolist() == [1, 1, 1, -1]
    assert {tuple(row) for row in found.tolist()} == {
        signs for signs in product((1, -1), repeat=4) if np.prod(signs) == -1
    }


@given(parity_games())
def test_conventions_are_the_orbit_under_flips(asked: Game) -> None:
    found = asked.conventions()
    assert np.array_equal(found[0], asked.signs)
    assert {tuple(row) for row in found.tolist()} == naive_conventions(asked)
    assert len({tuple(row) for row in found.tolist()}) == len(found)


@given(parity_games())
def test_conventions_are_closed_and_keep_the_local_value(asked: Game) -> None:
    every = {tuple(row) for row in asked.conventions().tolist()}
    for signs in list(every)[:4]:
        other = asked.with_signs(np.array(signs))
        assert {tuple(row) for row in other.conventions().tolist()} == every
        assert other.signs.tolist() == list(signs)
        assert other.local_value() == pytest.approx(asked.local_value(), abs=1e-12)
        assert other.signs_changed == (list(signs) != asked.signs.tolist())


@given(parity_games())
def test_with_signs_refuses_what_flips_cannot_reach(asked: Game) -> None:
    every = {tuple(row) for row in asked.conventions().tolist()}
    for signs in product((1, -1), repeat=asked.n_questions):
        if signs in every:
            asked.with_signs(np.array(signs))
        else:
            with pytest.raises(ArgumentError, match="signs must be one of"):
                asked.with_signs(np.array(signs))


@pytest.mark.parametrize(
    "signs", [[1, 1, 1], [1, 1, 1, 0], [1, 1, 1, -3], [[1, 1, 1, -1]], [1.5] * 4]
)
def test_with_signs_refuses_what_are_no_signs(signs: list[float]) -> None:
    with pytest.raises(ArgumentError, match="signs must be one of"):
        chsh().with_signs(np.array(signs))


def test_a_declared_convention_needs_no_list_of_them() -> None:
    """2^39 conventions cannot be listed, but one can be checked."""
    asked = chained_chsh(20)
    with pytest.raises(ArgumentError, match="2\\^39 sign conventions"):
        asked.conventions()
    signs = asked.signs.copy()
    signs[asked.questions[:, 0] == 3] *= -1
    other = asked.with_signs(signs)
    assert np.array_equal(other.signs, signs)
    signs[0] *= -1
    with pytest.raises(ArgumentError, match="signs must be one of"):
        asked.with_signs(signs)


def test_table_games_have_no_signs() -> None:
    asked = magic_square()
    assert not asked.is_parity
    for call in (lambda: asked.signs, asked.conventions, lambda: asked.with_signs(np.ones(9))):
        with pytest.raises(ArgumentError, match="no signs"):
            call()
