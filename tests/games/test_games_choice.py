"""How settings were chosen, told from the data: rates of false alarm, and what must be found."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebit.games import ArgumentError, Trials
from ebit.games.choice import detect_counts, detect_rounds

Ints = npt.NDArray[np.int64]


def rng_of(seed: int) -> np.random.Generator:
    return np.random.default_rng([2026, seed])


def detected(question: Ints, block: Ints | None = None) -> str:
    starts = None if block is None else np.flatnonzero(np.r_[True, np.diff(block) != 0])
    return detect_rounds(question.astype(np.uint8), starts).chosen


def trials_of(question: Ints, **words: Any) -> Trials:
    rows = np.stack([question // 2, question % 2], axis=1)
    return Trials.from_rounds(rows, np.zeros_like(rows), shape=((2, 2), (2, 2)), **words)


BIASES = {
    "uniform": [0.25] * 4,
    "slight": [0.2475, 0.2525, 0.2475, 0.2525],
    "nine to one": [0.81, 0.09, 0.09, 0.01],
    "ninety-nine to one": [0.9801, 0.0099, 0.0099, 0.0001],
    "one rare": [0.98, 0.01, 0.005, 0.005],
    "two of four": [0.5, 0.5, 0, 0],
}


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("n", [20, 245, 3000])
def test_fresh_settings_are_hardly_ever_taken_for_others(bias: str, n: int) -> None:
    """400 seeded runs at a level of 1e-6 each: one false alarm would be chance 4e-4 x its factor."""
    for seed in range(400):
        question = rng_of(seed).choice(4, n, p=BIASES[bias])
        assert detected(question) in ("per-shot", "unknown")
        trials_of(question, chosen="per-shot")  # the declaration stands


@pytest.mark.slow
@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("n", [2, 5, 9, 17, 40, 100, 1000, 30_000])
def test_fresh_settings_in_many_runs(bias: str, n: int) -> None:
    alarms = 0
    for seed in range(60 if n > 2000 else 3000):
        question = rng_of(seed).choice(4, n, p=BIASES[bias])
        alarms += detected(question) not in ("per-shot", "unknown")
    assert alarms == 0


@pytest.mark.parametrize("n", [100, 245, 3000])
def test_uniform_fresh_settings_are_recognised(n: int) -> None:
    assert all(detected(rng_of(seed).integers(0, 4, n)) == "per-shot" for seed in range(200))


def test_many_questions_with_few_rounds_each() -> None:
    """Fresh choices among 64 questions: the table of successive pairs is sparse."""
    for seed in range(50):
        assert detected(rng_of(seed).integers(0, 64, 2000)) == "per-shot"


@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_a_dozen_rounds_tell_nothing(n: int, seed: int) -> None:
    """No order of 12 rounds of 4 questions has a chance below 1e-6, so a declaration stands."""
    question = np.random.default_rng(seed).integers(0, 4, n)
    assert detected(question) == "unknown"
    assert trials_of(question, chosen="per-shot").chosen == "per-shot"
    assert trials_of(np.sort(question), chosen="per-shot").chosen == "per-shot"


@pytest.mark.parametrize("length", [2, 3, 10, 100])
def test_blocks_without_a_column(length: int) -> None:
    """Neighbouring blocks with the same settings merge; the run is still far too regular."""
    question = np.repeat(rng_of(length).integers(0, 4, 3000 // length + 30), length)
    found = detect_rounds(question.astype(np.uint8), None)
    assert found.chosen == "per-block"
    assert "runs of" in found.reason


@pytest.mark.parametrize("length", [2, 10, 100])
def test_blocks_with_a_column(length: int) -> None:
    block = np.repeat(np.arange(60), length)
    question = np.repeat(rng_of(length).integers(0, 4, 60), length)
    trials = trials_of(question, block=block)
    assert trials.chosen == "per-block"
    assert trials.chosen_reason == "settings never change inside the 60 blocks"
    assert len(trials.blocks) == 60


def test_blocks_of_random_length() -> None:
    rng = rng_of(0)
    question = np.repeat(rng.integers(0, 4, 400), rng.integers(1, 30, 400))
    assert detected(question) == "per-block"


def test_a_block_column_does_not_make_fresh_settings_blocks() -> None:
    """A column that numbers days or jobs."""
    question = rng_of(1).integers(0, 4, 1000)
    assert detected(question, np.repeat(np.arange(10), 100)) == "per-shot"
    assert detected(question, np.arange(1000)) == "per-shot"
    assert detected(question, np.zeros(1000)) == "per-shot"


def test_blocks_inside_wider_blocks() -> None:
    """The column numbers jobs of 1000 rounds; settings last 50."""
    question = np.repeat(rng_of(2).integers(0, 4, 200), 50)
    assert detected(question, np.repeat(np.arange(10), 1000)) == "per-block"


@pytest.mark.parametrize("sizes", [[500] * 4, [100, 900, 2000, 30], [40, 40]])
def test_per_circuit(sizes: list[int]) -> None:
    question = np.repeat(np.arange(len(sizes)), sizes)
    assert detected(question) == "per-circuit"
    assert detected(question[::-1]) == "per-circuit"


def test_circuits_taken_twice_are_blocks() -> None:
    assert detected(np.tile(np.repeat(np.arange(4), 100), 3)) == "per-block"


@pytest.mark.parametrize("k", [2, 3, 4])
def test_taking_turns_is_a_pattern(k: int) -> None:
    assert detected(np.tile(np.arange(k), 200)) == "pattern"


def test_never_the_same_twice_is_a_pattern() -> None:
    step = rng_of(3).integers(1, 4, 2000)
    assert detected(np.cumsum(step) % 4) == "pattern"


def test_a_chain_with_the_right_number_of_changes_is_a_pattern() -> None:
    """Stay with chance 1/4 as fresh choices do, else go on to the next in the ring."""
    step = (rng_of(4).random(4000) > 0.25).astype(int)
    found = detect_rounds((np.cumsum(step) % 4).astype(np.uint8), None)
    assert (found.chosen, found.reason) == (
        "pattern",
        "the next setting depends on the one before it",
    )


def test_a_pattern_among_rare_questions_too() -> None:
    """Rare questions are pooled, not forgotten: 1 always follows 0 half of the time."""
    rng = rng_of(5)
    question = rng.choice(6, 20_000, p=[0.3, 0.2, 0.48, 0.018, 0.001, 0.001])
    question[1:][(question[:-1] == 0) & (rng.random(19_999) < 0.5)] = 1
    assert detected(question) == "pattern"


def test_one_question_only() -> None:
    found = detect_rounds(np.zeros(500, dtype=np.uint8), None)
    assert (found.chosen, found.reason) == ("unknown", "only one question was asked")


def test_wide_codes() -> None:
    """Questions numbered beyond 16 bits, as those of many parties are."""
    question = rng_of(6).integers(0, 4, 3000).astype(np.uint64) * np.uint64(2**61)
    assert detect_rounds(question, None).chosen == "per-shot"
    assert detect_rounds(np.sort(question), None).chosen == "per-circuit"


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        (np.repeat(np.arange(4), 250), "per-circuit"),
        (np.repeat(rng_of(7).integers(0, 4, 100), 10), "per-block"),
        (np.tile(np.arange(4), 250), "pattern"),
    ],
)
def test_a_contradicted_declaration_is_refused(question: Ints, kind: str) -> None:
    with pytest.raises(ArgumentError, match="declared per-shot, but the rounds say otherwise") as e:
        trials_of(question, chosen="per-shot")
    assert repr(kind) in str(e.value)
    for other in ("per-block", "per-circuit", "pattern", "unknown"):
        trials = trials_of(question, chosen=other)
        assert (trials.chosen, trials.chosen_reason) == (other, "declared")


def test_a_contradiction_by_a_block_column_must_be_beyond_chance() -> None:
    """Two rounds of one block that ask the same question happen one time in four."""
    two = trials_of(np.array([1, 1, 2]), block=[0, 0, 1], chosen="per-shot")
    assert two.chosen == "per-shot"
    assert trials_of(np.array([1, 1, 2]), block=[0, 0, 1]).chosen == "per-block"
    question = np.repeat(rng_of(8).integers(0, 4, 30), 5)
    with pytest.raises(ArgumentError, match="never change inside the 30 blocks"):
        trials_of(question, block=np.repeat(np.arange(30), 5), chosen="per-shot")


def test_an_unknown_declaration_is_refused() -> None:
    with pytest.raises(ArgumentError, match="chosen must be one of per-shot, per-block"):
        trials_of(np.arange(4), chosen="randomly")


def test_counts() -> None:
    assert detect_counts(np.array([500, 500, 500, 500])).chosen == "per-circuit"
    assert detect_counts(np.array([500, 0, 500, 500])).chosen == "per-circuit"
    assert detect_counts(np.array([500, 501, 500, 500])).chosen == "unknown"
    assert detect_counts(np.array([500, 0])).chosen == "unknown"
