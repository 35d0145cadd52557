"""Von Neumann's and Peres' rules: exactly uniform over all flips with the same number of ones."""

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ebit.analysis.von_neumann import peres, von_neumann
from ebit.games import ArgumentError


def reference(bits: list[int], depth: int) -> list[int]:
    """Peres' rule as it is defined, by recursion."""
    if depth == 0 or len(bits) < 2:
        return []
    pairs = [(bits[i], bits[i + 1]) for i in range(0, len(bits) - 1, 2)]
    first = [a for a, b in pairs if a != b]
    differ = [a ^ b for a, b in pairs]
    agree = [a for a, b in pairs if a == b]
    return first + reference(differ, depth - 1) + reference(agree, depth - 1)


@pytest.mark.parametrize("n", [1, 2, 5, 8, 10])
@pytest.mark.parametrize("rule", [von_neumann, peres, lambda x: peres(x, depth=2)])
def test_uniform_by_enumeration(n: int, rule: Callable[..., Any]) -> None:
    """Flips with k ones are equally likely; outputs of one length must then be so as well."""
    found: dict[tuple[int, int], Counter[tuple[int, ...]]] = defaultdict(Counter)
    for bits in itertools.product([0, 1], repeat=n):
        out = tuple(rule(np.array(bits)).tolist())
        found[sum(bits), len(out)][out] += 1
    for (_, length), counts in found.items():
        assert len(counts) == 2**length
        assert len(set(counts.values())) == 1


@pytest.mark.parametrize("depth", [1, 2, 3, 20])
def test_peres_by_recursion(depth: int) -> None:
    rng = np.random.default_rng(depth)
    for n in (0, 1, 2, 3, 17, 200):
        bits = (rng.random(n) < 0.3).astype(int)
        assert peres(bits, depth=depth).tolist() == reference(bits.tolist(), depth)
    assert (peres(bits, depth=1) == von_neumann(bits)).all()


def rate(p: float, depth: int) -> float:
    """Bits per flip in the limit of many flips: the recursion of Peres' eq. 3."""
    if depth == 0:
        return 0.0
    agree = p * p + (1 - p) ** 2
    rest = rate(agree, depth - 1) + agree * rate(p * p / agree, depth - 1)
    return p * (1 - p) + rest / 2


def test_rates() -> None:
    n, p = 1_000_000, 0.2
    bits = np.random.default_rng(3).random(n) < p
    assert abs(len(von_neumann(bits)) / n - p * (1 - p)) < 5 * math.sqrt(0.16 * 0.84 / n)
    for depth in (1, 2, 4, 8):
        assert abs(len(peres(bits, depth=depth)) / n - rate(p, depth)) < 0.003
    entropy = -p * math.log2(p) - (1 - p) * math.log2(1 - p)
    assert 0.99 * entropy < rate(p, 20) < entropy


def test_dependent_flips_stay_biased() -> None:
    """What the rule does not mend: flips that follow one another."""
    rng = np.random.default_rng(4)
    changes = rng.random(100_000) < 0.9
    bits = np.cumsum(changes) % 2
    out = von_neumann(bits)
    stays = np.mean(out[1:] == out[:-1])
    assert stays > 0.6


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: von_neumann([0, 2]), "only 0 and 1.*0 to 2"),
        (lambda: von_neumann([[0, 1]]), r"\(1, 2\)"),
        (lambda: von_neumann([0.5, 1.0]), "float64"),
        (lambda: peres([0, 1], depth=0), "`depth`.*at least 1.*0"),
    ],
)
def test_bad_arguments(call: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
