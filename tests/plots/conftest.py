"""Scores of every status, made from seeded rounds."""

from collections.abc import Callable
from dataclasses import replace
from math import pi

import numpy as np
import pytest

from ebit.analysis import Evidence, Interval, RunInfo, Score, score, score_wins
from ebit.analysis.fringe import FringeScore, score_fringe
from ebit.analysis.state_result import StateScore
from ebit.analysis.states import score_state
from ebit.games import Game, Trials, chained_chsh, chsh, magic_square, mermin_ghz

RUN = RunInfo("aer:fez", (3, 4, 5, 6), "chsh", "0123456789abcdef", 4000, 1, "exact", "exact")


def rounds(game: Game, visibility: float, n: int, seed: int = 1) -> Trials:
    """Rounds of a parity game: right with the quantum share times the visibility."""
    rng = np.random.default_rng(seed)
    question = rng.integers(0, game.n_questions, n)
    share = 0.5 + visibility * ((game.quantum_value or 1.0) - 0.5)
    right = rng.random(n) < share
    answers = rng.integers(0, 2, (n, game.n_parties))
    target = (1 - game.signs[question].astype(int)) // 2
    answers[:, -1] ^= answers.sum(axis=1) % 2 ^ target ^ ~right
    return Trials.from_rounds(
        game.questions[question],
        answers.astype(np.uint8),
        chosen="per-shot",
        shape=(game.settings, game.outcomes),
    )


def square() -> Score:
    game = magic_square()
    rng = np.random.default_rng(2)
    question = rng.integers(0, 9, 3000)
    answers = np.array(
        [rng.choice(np.argwhere(game.table()[q] == (rng.random() < 0.97))) for q in question]
    )
    trials = Trials.from_rounds(
        game.questions[question], answers, chosen="per-shot", shape=((3, 3), (4, 4))
    )
    return score(trials, game)


def counted() -> Score:
    same, other = [[427, 73], [73, 427]], [[73, 427], [427, 73]]
    return score(Trials.from_counts([[same, same], [same, other]]), chsh(), minus="game")


def withheld() -> Score:
    """Counts, with no statistic at all."""
    found = counted()
    none = tuple(
        Evidence(e.name, e.kind, False, None, None, "", "a $reason$") for e in found.evidence
    )
    return replace(found, evidence=none, status="no violation", verdict="not shown")


def wide() -> Score:
    """One question with hardly any rounds."""
    found = score(rounds(chsh(), 0.9, 4000), chsh(), minus="game")
    first, *rest = found.correlators
    unsure = replace(first, interval=Interval(-0.2, 1.0, 0.95, "Clopper-Pearson"))
    return replace(found, correlators=(unsure, *rest))


def with_status(status: str) -> Score:
    found = score(rounds(chsh(), 0.95, 4000), chsh(), minus="game", run=RUN)
    return replace(found, status=status, verdict=f"{status} <b>& more</b>")


MAKERS: dict[str, Callable[[], Score]] = {
    "violation": lambda: with_status("violation"),
    "no violation": lambda: score(rounds(chsh(), 0.5, 2000), chsh(), minus="game"),
    "signalling": lambda: with_status("signalling"),
    "fault": lambda: with_status("fault"),
    "found minus": lambda: score(rounds(chsh(), 1.0, 2000), chsh()),
    "counts": counted,
    "withheld": withheld,
    "wide": wide,
    "square": square,
    "twelve questions": lambda: score(rounds(chained_chsh(6), 0.95, 6000), chained_chsh(6)),
    "many questions": lambda: score(rounds(mermin_ghz(7), 0.9, 6400), mermin_ghz(7), minus="game"),
    "wins": lambda: score_wins(196, 245, chsh(), tau=1.08e-5),
}


@pytest.fixture(scope="session")
def scores() -> dict[str, Score]:
    return {name: make() for name, make in MAKERS.items()}


@pytest.fixture(params=MAKERS)
def any_score(request: pytest.FixtureRequest, scores: dict[str, Score]) -> Score:
    return scores[request.param]


@pytest.fixture(scope="session")
def state() -> StateScore:
    counts = np.zeros((3, 3, 2, 2), dtype=int)
    for basis in range(3):
        counts[basis, basis] = [[25, 475], [475, 25]]
    return score_state(Trials.from_counts(counts), "bell:psi-", run=RUN)


@pytest.fixture(scope="session")
def fringe() -> FringeScore:
    rng = np.random.default_rng(4)
    angles = np.linspace(0, 2 * pi, 13)
    equal = rng.binomial(400, (1 + 0.9 * np.cos(angles - 0.2)) / 2)
    counts = np.zeros((1, 13, 2, 2), dtype=int)
    counts[0, :, 0, 0], counts[0, :, 0, 1] = equal, 400 - equal
    return score_fringe(Trials.from_counts(counts), angles.tolist(), run=RUN)
