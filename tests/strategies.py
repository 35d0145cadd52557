"""Hypothesis strategies that several rooms share: random games, graphs and trials."""

from itertools import product
from math import prod

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from ebit.games import Game, ParityRule, TableRule, Trials


def _questions(draw: st.DrawFn, settings: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    every = list(product(*(range(k) for k in settings)))
    chosen = draw(st.lists(st.sampled_from(every), min_size=1, max_size=8, unique=True))
    return np.array(chosen, dtype=np.uint8)


def _weights(draw: st.DrawFn, count: int) -> npt.NDArray[np.float64]:
    parts = draw(st.lists(st.integers(1, 9), min_size=count, max_size=count))
    return np.array(parts) / sum(parts)


@st.composite
def table_games(draw: st.DrawFn) -> Game:
    """Games of two or three parties with unequal settings, outcomes and weights."""
    parties = draw(st.integers(2, 3))
    most = 3 if parties == 2 else 2
    sizes = st.tuples(*[st.integers(1, most)] * parties)
    settings, outcomes = draw(sizes), draw(sizes)
    questions = _questions(draw, settings)
    size = len(questions) * prod(outcomes)
    cells = draw(st.lists(st.booleans(), min_size=size, max_size=size))
    return Game(
        name="random",
        questions=questions,
        distribution=_weights(draw, len(questions)),
        settings=settings,
        outcomes=outcomes,
        rule=TableRule(np.array(cells).reshape(len(questions), *outcomes)),
    )


@st.composite
def parity_games(draw: st.DrawFn) -> Game:
    """Games of one to four parties that are won by a parity of some of the outcomes."""
    parties = draw(st.integers(1, 4))
    settings = draw(st.tuples(*[st.integers(1, 2 if parties == 4 else 3)] * parties))
    questions = _questions(draw, settings)
    bits = st.lists(st.booleans(), min_size=questions.size, max_size=questions.size)
    signs = st.lists(st.integers(0, 1), min_size=len(questions), max_size=len(questions))
    return Game(
        name="random-parity",
        questions=questions,
        distribution=_weights(draw, len(questions)),
        settings=settings,
        outcomes=(2,) * parties,
        rule=ParityRule(
            np.array(draw(bits)).reshape(questions.shape), np.array(draw(signs), dtype=np.uint8)
        ),
    )


@st.composite
def graphs(draw: st.DrawFn, most: int = 5) -> tuple[int, list[tuple[int, int]]]:
    """A number of vertices, 2 or more, and some edges."""
    n = draw(st.integers(2, most))
    pairs = [(i, j) for i in range(n) for j in range(i)]
    return n, draw(st.lists(st.sampled_from(pairs), unique=True))


@st.composite
def shapes(
    draw: st.DrawFn, parties: int = 4, most: int = 4
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Numbers of settings and outcomes per party."""
    n = draw(st.integers(1, parties))
    sizes = st.tuples(*[st.integers(1, most)] * n)
    return draw(sizes), draw(sizes)


@st.composite
def ordered_trials(draw: st.DrawFn, most: int = 40) -> Trials:
    """Ordered rounds of any small shape, with or without blocks, one round included."""
    parties, largest = draw(st.sampled_from([(4, 2), (3, 4), (2, 13)]))
    settings, outcomes = draw(shapes(parties, largest))
    n = draw(st.integers(1, most))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    asked = np.stack([rng.integers(0, k, n) for k in settings], axis=1)
    answered = np.stack([rng.integers(0, k, n) for k in outcomes], axis=1)
    block = np.sort(rng.integers(0, 5, n)) if draw(st.booleans()) else None
    return Trials.from_rounds(
        asked,
        answered,
        block=block,
        shape=(settings, outcomes),
        chosen=draw(st.sampled_from([None, "per-block", "per-circuit", "pattern", "unknown"])),
        source=draw(st.sampled_from(["device", "host", "unknown"])),
    )


@st.composite
def counted_trials(draw: st.DrawFn) -> Trials:
    """Counts of any small shape."""
    settings, outcomes = draw(shapes(parties=3, most=3))
    size = prod((*settings, *outcomes))
    numbers = st.sampled_from([0, 0, 1, 2, 7, 12345, 10**12])
    counts = draw(st.lists(numbers, min_size=size, max_size=size).filter(any))
    return Trials.from_counts(
        np.array(counts).reshape(*settings, *outcomes),
        chosen=draw(st.sampled_from([None, "per-shot", "per-circuit"])),
        source=draw(st.sampled_from(["device", "host", "unknown"])),
    )
