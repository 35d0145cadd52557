"""The stored proofs, checked without a solver; the lines, against every strategy there is."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest

from ebit.analysis.entropy_attack import best_bet, guessing_attack
from ebit.analysis.entropy_lines import BLOCKS, UNIT, CertifiedLine
from ebit.analysis.entropy_round import TSIRELSON, guessing_both, min_entropy_both
from ebit.analysis.entropy_table import LINES
from ebit.analysis.npa import BASIS, MONOMIALS, squares
from ebit.games import ArgumentError

Matrix = npt.NDArray[np.complex128]


def observable(rng: np.random.Generator, d: int) -> Matrix:
    """A random complex observable with eigenvalues +1 and -1."""
    basis = np.linalg.qr(rng.normal(size=(d, d)) + 1j * rng.normal(size=(d, d)))[0]
    return np.asarray((basis * rng.choice([-1, 1], d)) @ basis.conj().T)


def word(letters: tuple[int, ...], party: list[Matrix]) -> Matrix:
    out: Matrix = np.eye(len(party[0]), dtype=complex)
    for letter in letters:
        out = out @ party[letter]
    return out


def realised(
    name: tuple[tuple[int, ...], tuple[int, ...]], a: list[Matrix], b: list[Matrix]
) -> Matrix:
    return np.kron(word(name[0], a), word(name[1], b))


def test_every_line_is_proven_exactly() -> None:
    assert len(LINES) > 20
    for line in LINES:
        margin = line.margin()
        assert isinstance(margin, Fraction)
        assert 0 <= margin < Fraction(1, UNIT)  # and no constant is larger than its proof needs


def test_a_proof_that_was_tampered_with_fails() -> None:
    line = LINES[20]
    assert replace(line, a=line.a - 1).margin() < 0
    assert replace(line, b=line.b - 100).margin() < 0
    for name in ("even", "odd", "even_01", "odd_01"):
        rows = [list(row) for row in getattr(line, name)]
        rows[0][-1] += 1000
        assert replace(line, **{name: tuple(map(tuple, rows))}).margin() < 0
    assert CertifiedLine(UNIT - 1, 0, (), (), (), ()).margin() < 0


def test_squares_as_operators() -> None:
    # Second route to the algebra: multiply matrices instead of words.
    rng = np.random.default_rng(2)
    a, b = [observable(rng, 3) for _ in "01"], [observable(rng, 4) for _ in "01"]
    polynomials = rng.integers(-9, 9, (3, 9)).tolist()
    direct = sum(
        q.conj().T @ q
        for q in (
            sum(c * realised(name, a, b) for c, name in zip(p, BASIS, strict=True))
            for p in polynomials
        )
    )
    by_words = sum(
        c * (realised(name, a, b) + realised(name, a, b).conj().T) / 2
        for c, name in zip(squares(polynomials), MONOMIALS, strict=True)
    )
    # Products of the two orders come with equal coefficients, so real parts are enough.
    assert np.allclose((direct + direct.conj().T) / 2, by_words)


def test_blocks_are_even_and_odd_under_exchange() -> None:
    swap = [BASIS.index((bob, alice)) for alice, bob in BASIS]
    sign = np.array([(-1) ** (len(alice) + len(bob)) for alice, bob in BASIS])
    for terms, parity, turned in zip(BLOCKS, (1, -1, 1, -1), (0, 0, 1, 1), strict=True):
        rows = np.array(terms)
        assert np.array_equal(rows[:, swap] * (sign if turned else 1), parity * rows)


@pytest.mark.parametrize("setting", list(product((0, 1), (0, 1))))
def test_lines_hold_for_random_devices_at_every_setting(setting: tuple[int, int]) -> None:
    rng = np.random.default_rng([3, *setting])
    for d in (2, 2, 3, 4):
        a, b = [observable(rng, d) for _ in "01"], [observable(rng, d) for _ in "01"]
        bell = np.kron(a[0], b[0] + b[1]) + np.kron(a[1], b[0] - b[1])
        for s, t in product((1, -1), (1, -1)):
            bet = np.kron((np.eye(d) + s * a[setting[0]]) / 2, (np.eye(d) + t * b[setting[1]]) / 2)
            for line in LINES[::4]:
                above = line.a / UNIT * np.eye(d * d) + line.b / UNIT * bell - bet
                assert np.linalg.eigvalsh(above)[0] >= -1e-9


def test_lines_touch_the_best_strategy() -> None:
    # Jordan: what two qubits reach at this slope is the smallest constant that any line can have.
    for line in LINES[::3]:
        reached, _ = best_bet(-line.b / UNIT)
        assert 0 < line.a / UNIT - reached < (4e-6 if -line.b / UNIT > 0.45 else 8e-4)


def test_loss_against_the_best_strategy() -> None:
    for s in (2.0, 2.1, 2.5, 2.82, TSIRELSON):
        attack = guessing_attack(s)
        assert abs(attack.S - s) < 1e-6
        bound = guessing_both(attack.S)
        # Level 1+AB is itself up to .0011 bits short of what strategies allow below S = 2.4.
        assert 0 <= math.log2(bound / attack.p_guess) < (7e-4 if s > 2.38 else 1.8e-3)
        assert min_entropy_both(attack.S) == -math.log2(bound) or bound == 1


def test_attack_is_what_it_says() -> None:
    attack = guessing_attack(2.5)
    p = attack.behaviours
    assert p.shape == (2, 4, 2, 2)
    assert np.allclose(p.sum(axis=(2, 3)), 1)
    for one in p.reshape(-1, 2, 2, 2, 2):
        assert np.allclose(one.sum(axis=3)[:, 0], one.sum(axis=3)[:, 1])
        assert np.allclose(one.sum(axis=2)[0], one.sum(axis=2)[1])
    # Played: Eve is right as often as it says, and the users see S.
    rng = np.random.default_rng(4)
    n = 40000
    which = rng.choice(2, n, p=attack.weights)
    question = rng.integers(0, 4, n)
    cell = (p.reshape(2, 4, 4).cumsum(axis=2)[which, question] < rng.random(n)[:, None]).sum(axis=1)
    same = np.where((cell == 0) | (cell == 3), 1, -1)
    seen = [float(same[question == q].mean()) for q in range(4)]
    assert seen[0] + seen[1] + seen[2] - seen[3] == pytest.approx(attack.S, abs=0.06)
    guess = np.array([2 * a + b for a, b in attack.guesses])[which]
    at = question == 0
    assert float((guess == cell)[at].mean()) == pytest.approx(attack.p_guess, abs=0.02)
    assert attack.to_dict()["guesses"] == [[0, 0], [1, 1]]
    assert "S = 2.5" in str(attack)


def test_attack_refuses() -> None:
    with pytest.raises(ArgumentError, match=r"between 0 and 2 sqrt 2, but was 2\.9"):
        guessing_attack(2.9)
    with pytest.raises(ArgumentError, match="'A' or 'AB', but was 'B'"):
        guessing_attack(2.5, outputs="B")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="at least 0, but was -1"):
        best_bet(-1)
