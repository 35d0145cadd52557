"""Trusted sources: limits cover, failures are seen, and what cannot be known is not said."""

from __future__ import annotations

import json
import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from ebit.analysis.entropy_trusted import trusted_source_entropy
from ebit.games import ArgumentError

Bits = npt.NDArray[np.uint8]


def drawn(rng: np.random.Generator, p: npt.NDArray[np.float64], shots: int) -> Bits:
    """Words of a law over 2^k words, as bits, bit 0 first."""
    words = rng.choice(len(p), shots, p=p)
    return ((words[:, None] >> np.arange(int(math.log2(len(p))))) & 1).astype(np.uint8)


def test_by_hand() -> None:
    # 40 shots of 1 bit, 25 ones: the limit of the likelier word at epsilon / 2 / 2 words.
    bits = np.array([[1]] * 25 + [[0]] * 15)[np.random.default_rng(1).permutation(40)]
    found = trusted_source_entropy(bits, epsilon=0.1, block=1)
    limit = stats.beta.ppf(1 - 0.1 / 4, 26, 15)
    assert found.value == pytest.approx(-math.log2(limit))
    assert found.blocks == (found.value,)
    # Three limits share the other half (bias and lag; no pairs), each with two sides.
    each = 0.05 / 2
    high = stats.beta.ppf(1 - each / 2, 26, 15) - 0.5
    assert found.bias.high == pytest.approx(high)
    assert found.bias.value == pytest.approx(0.125)
    assert found.correlation.where == ()


@pytest.mark.slow
def test_limits_cover_at_once() -> None:
    # Two blocks: three correlated and biased bits, and two more. All truths are known.
    rng = np.random.default_rng(2)
    one, two = rng.dirichlet(np.full(8, 3.0)), rng.dirichlet(np.full(4, 3.0))
    words = (np.arange(32)[:, None] >> np.arange(5)) & 1
    law = np.array([one[w & 7] * two[w >> 3] for w in range(32)])
    z = 1 - 2 * words
    means = law @ z
    covariance = np.abs((law[:, None] * z).T @ z - np.outer(means, means))[np.triu_indices(5, 1)]
    truth = -math.log2(one.max()) - math.log2(two.max())
    epsilon, runs, shots = 0.1, 600, 300
    failed = entropy_failed = refused = 0
    for _ in range(runs):
        bits = np.concatenate([drawn(rng, one, shots), drawn(rng, two, shots)], axis=1)
        found = trusted_source_entropy(bits, epsilon=epsilon, block=3)
        refused += found.status != "blocks add"
        low = math.fsum(found.blocks) > truth
        entropy_failed += low
        failed += (
            low
            or found.bias.high < np.abs(means).max() / 2
            or found.correlation.high < covariance.max()
        )
    allowed = epsilon + 3 * math.sqrt(epsilon * (1 - epsilon) / runs)
    assert failed <= allowed * runs
    assert entropy_failed <= runs * (epsilon / 2 + 3 * math.sqrt(epsilon / 2 / runs))
    assert refused == 0  # level 1e-6
    # And the price is not absurd: within a few tenths of a bit.
    assert truth - 0.9 < found.value < truth


def test_a_fair_source_gets_most_of_its_bits() -> None:
    bits = np.random.default_rng(3).integers(0, 2, (100_000, 20), dtype=np.uint8)
    values = [trusted_source_entropy(bits, block=k).value for k in (1, 4, 12)]
    assert 19.3 < values[0] < 20
    assert 18.9 < values[1] < values[0]
    assert 11 < values[2] < values[1]
    # 20 qubits and blocks of 12: two blocks, one of 8.
    assert len(trusted_source_entropy(bits, block=12).blocks) == 2


def test_dependent_blocks_do_not_add() -> None:
    rng = np.random.default_rng(4)
    bits = rng.integers(0, 2, (20_000, 6), dtype=np.uint8)
    bits[:, 4] = bits[:, 0] ^ (rng.random(20_000) < 0.4)
    found = trusted_source_entropy(bits, block=3)
    assert found.status == "best block alone"
    assert found.value == found.best_block == max(found.blocks)
    assert found.correlation.where == (0, 4)
    assert found.correlation.high > 0.2
    assert "not independent" in found.reason
    assert not any("blocks of qubits are independent" in line for line in found.assumptions)
    # The same pair inside one block is no failure: the words know.
    near = trusted_source_entropy(bits[:, [0, 4, 1, 2, 3, 5]], block=2)
    assert near.status == "blocks add"
    assert near.blocks[0] < 1.8 < near.blocks[1]


@pytest.mark.parametrize("fault", ["memory", "drift"])
def test_shots_that_are_not_alike_are_refused(fault: str) -> None:
    rng = np.random.default_rng(5)
    bits = rng.integers(0, 2, (10_000, 4), dtype=np.uint8)
    if fault == "memory":
        flips = rng.random(10_000) < 0.4
        bits[:, 2] = np.logical_xor.accumulate(flips)
    else:
        bits[:, 2] = rng.random(10_000) < np.linspace(0.45, 0.55, 10_000)
    found = trusted_source_entropy(bits)
    assert found.status == "refused"
    assert found.value == 0
    assert found.log10_p_shots < -6
    if fault == "memory":
        assert found.lag.where == (2,)
        assert found.lag.high > 0.2


def test_false_alarms_are_as_rare_as_stated() -> None:
    rng = np.random.default_rng(6)
    level, runs = 0.1, 300
    alarms = [0, 0]
    for _ in range(runs):
        found = trusted_source_entropy(rng.integers(0, 2, (400, 4), dtype=np.uint8), block=2)
        alarms[0] += found.log10_p_shots < math.log10(level)
        alarms[1] += found.log10_p_blocks < math.log10(level)
    assert max(alarms) <= runs * (level + 3 * math.sqrt(level * (1 - level) / runs))


def test_pairs_do_not_give_the_whole() -> None:
    # 15 bits, pairwise independent and fair, from 4 coins: all tests pass and the sum of blocks is
    # wrong, which is why it names the assumption; a single block of that size would see it.
    rng = np.random.default_rng(7)
    coins = rng.integers(0, 2, (50_000, 4), dtype=np.uint8)
    masks = (np.arange(1, 16)[:, None] >> np.arange(4)) & 1
    bits = (coins @ masks.T.astype(np.uint8) & 1).astype(np.uint8)
    found = trusted_source_entropy(bits, block=1)
    assert found.value > 14  # the truth is 4
    assert any("tested for pairs of bits alone" in line for line in found.assumptions)
    assert any("log2(n + 1)" in line for line in found.not_given)
    assert found.best_block < 4
    assert trusted_source_entropy(bits[:, :12], block=12).value < 4


def test_result_is_plain_and_says_its_adversary() -> None:
    bits = np.random.default_rng(8).integers(0, 2, (1000, 3)).astype(bool)
    found = trusted_source_entropy(bits)
    plain = json.loads(json.dumps(found.to_dict()))
    assert plain["value"] == found.value
    assert plain["correlation"]["where"] == list(found.correlation.where)
    assert "nothing of any shot's noise" in plain["adversary"]
    assert "adversary" in str(found)
    constant = trusted_source_entropy(np.ones((1000, 2), dtype=int))
    assert constant.value == 0
    assert math.copysign(1, constant.value) == 1


@pytest.mark.parametrize(
    ("bits", "match"),
    [
        (np.zeros(8, int), r"has \(8,\)"),
        (np.zeros((3, 2), int), r"at least 4 shots.*has \(3, 2\)"),
        (np.zeros((8, 0), int), r"has \(8, 0\)"),
        (np.full((8, 2), 2), "has 2 to 2"),
        (np.full((8, 2), -1), "has -1 to -1"),
        (np.full((8, 2), 0.5), "holds float64"),
    ],
)
def test_bad_bits(bits: npt.NDArray[np.generic], match: str) -> None:
    with pytest.raises(ArgumentError, match=match):
        trusted_source_entropy(bits)


def test_bad_arguments() -> None:
    bits = np.zeros((8, 2), int)
    for epsilon in (0, 1, -0.1, math.nan):
        with pytest.raises(ArgumentError, match="epsilon"):
            trusted_source_entropy(bits, epsilon=epsilon)
    with pytest.raises(ArgumentError, match="at most 12, but was 13"):
        trusted_source_entropy(bits, block=13)
    with pytest.raises(ArgumentError, match="level"):
        trusted_source_entropy(bits, level=0)
