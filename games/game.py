"""A game: what is asked of each party, which answers win, and how often without entanglement."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import Literal

import numpy as np
import numpy.typing as npt

from ebit.games.enumeration import conventions_of, flip_basis, in_span, local_value_of
from ebit.games.errors import ArgumentError

__all__ = ["Against", "Floor", "Game", "ParityRule", "TableRule", "Trust"]

Trust = Literal["none", "one", "all"]
Against = Literal["local", "unsteerable", "separable", "biseparable"]

# A table of all answers to all questions is held in memory; larger games keep to their rule.
_TABLE_LIMIT = 1 << 26


@dataclass(frozen=True)
class Floor:
    """The most often that anybody limited to ``against`` wins, when ``trust`` devices are trusted.

    Attributes:
        trust: whose measuring devices are trusted: "none", "one" party's, or "all".
        against: what the bound excludes when it is exceeded.
        value: the win probability that cannot be exceeded.
        source: where the number comes from.
    """

    trust: Trust
    against: Against
    value: float
    source: str


@dataclass(frozen=True, eq=False)
class ParityRule:
    """Win when the XOR of the outcomes of the masked parties equals the target.

    Attributes:
        mask: bool (Q, n), the parties whose outcome counts, per question.
        target: uint8 (Q,), the parity that wins, per question.
    """

    mask: npt.NDArray[np.bool_]
    target: npt.NDArray[np.uint8]

    def won(
        self, question: npt.NDArray[np.intp], outcomes: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.bool_]:
        """Say which rounds win: question (N,), outcomes (N, n) -> bool (N,)."""
        parity = np.bitwise_xor.reduce(outcomes * self.mask[question], axis=-1)
        return np.asarray(parity == self.target[question], dtype=np.bool_)

    def table(self, outcomes: tuple[int, ...]) -> npt.NDArray[np.bool_]:
        """Return the predicate for every answer: bool (Q, *outcomes)."""
        n = len(outcomes)
        answers = np.indices(outcomes, dtype=np.uint8).reshape(n, -1)
        parity = (self.mask.astype(np.uint8) @ answers) & 1
        return np.asarray((parity == self.target[:, None]).reshape(-1, *outcomes), dtype=np.bool_)


@dataclass(frozen=True, eq=False)
class TableRule:
    """Win when the table says so.

    Attributes:
        winning: bool (Q, *outcomes).
    """

    winning: npt.NDArray[np.bool_]

    def won(
        self, question: npt.NDArray[np.intp], outcomes: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.bool_]:
        """Say which rounds win: question (N,), outcomes (N, n) -> bool (N,)."""
        return np.asarray(self.winning[(question, *outcomes.T)], dtype=np.bool_)

    def table(self, outcomes: tuple[int, ...]) -> npt.NDArray[np.bool_]:
        """Return the predicate for every answer: bool (Q, *outcomes)."""
        return self.winning


@dataclass(frozen=True, eq=False)
class Game:
    """A question to each party, an answer from each, and the answers that win.

    Attributes:
        name: the game's name, as ``ebit.games.game`` takes it.
        questions: uint8 (Q, n), the setting asked of each party, a row per question.
        distribution: float (Q,), how often each question is asked.
        settings: number of settings per party.
        outcomes: number of outcomes per party.
        rule: which answers win (`ParityRule` or `TableRule`).
        floors: what players with limited means reach, by trust.
        quantum_value: the largest quantum win probability, where it is known.
        quantum_source: where that number comes from.
        labels: a name for each setting, per party.

    Example:
        >>> from ebit.games import chsh
        >>> game = chsh()
        >>> game.local_value(), round(game.quantum_value, 6)
        (0.75, 0.853553)
        >>> game.local_bell, round(game.quantum_bell, 6)
        (2.0, 2.828427)
    """

    name: str
    questions: npt.NDArray[np.uint8]
    distribution: npt.NDArray[np.float64]
    settings: tuple[int, ...]
    outcomes: tuple[int, ...]
    rule: ParityRule | TableRule
    floors: tuple[Floor, ...] = ()
    quantum_value: float | None = None
    quantum_source: str = ""
    labels: tuple[tuple[str, ...], ...] = ()
    signs_changed: bool = field(default=False)

    def __post_init__(self) -> None:
        _check(self)

    def __repr__(self) -> str:
        return (
            f"Game({self.name!r}, {self.n_parties} parties, {self.n_questions} questions, "
            f"settings {self.settings}, outcomes {self.outcomes})"
        )

    @property
    def n_parties(self) -> int:
        """Number of parties."""
        return int(self.questions.shape[1])

    @property
    def n_questions(self) -> int:
        """Number of different questions."""
        return int(self.questions.shape[0])

    @property
    def uniform(self) -> bool:
        """Whether every question is asked equally often."""
        return bool(np.allclose(self.distribution, 1 / self.n_questions, rtol=0, atol=1e-12))

    @cached_property
    def _codes(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.intp]]:
        if prod(self.settings) > 1 << 62:
            raise ArgumentError(f"game {self.name!r} has too many settings to number its questions")
        codes = self._code(self.questions.astype(np.int64))
        order = np.argsort(codes)
        return codes[order], order

    def _code(self, settings: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        code = np.zeros(settings.shape[:-1], dtype=np.int64)
        for i, size in enumerate(self.settings):
            code = code * size + settings[..., i]
        return code

    def question_index(self, settings: npt.NDArray[np.integer]) -> npt.NDArray[np.intp]:
        """Return the question of each row of settings, -1 where the game never asks it.

        Args:
            settings: integers (..., n), the setting of each party.
        """
        given = np.asarray(settings).astype(np.int64)
        if not given.ndim or given.shape[-1] != self.n_parties:
            raise ArgumentError(
                f"settings must have one entry per party ({self.n_parties}) in their last axis, "
                f"but had shape {given.shape}"
            )
        known, order = self._codes
        inside = ((given >= 0) & (given < np.asarray(self.settings))).all(axis=-1)
        code = np.where(inside, self._code(given), -1)
        at = np.minimum(np.searchsorted(known, code), len(known) - 1)
        return np.asarray(np.where(known[at] == code, order[at], -1), dtype=np.intp)

    def won(
        self, question: npt.NDArray[np.intp], outcomes: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.bool_]:
        """Say which rounds win: question (N,) indices, outcomes (N, n) -> bool (N,)."""
        return self.rule.won(np.asarray(question), np.asarray(outcomes))

    @cached_property
    def _table(self) -> npt.NDArray[np.bool_]:
        size = self.n_questions * prod(self.outcomes)
        if size > _TABLE_LIMIT:
            raise ArgumentError(
                f"game {self.name!r} has {float(size):.3g} pairs of question and answer; a table of them "
                f"may have at most {_TABLE_LIMIT}: use a smaller game, or `won` on rounds"
            )
        return self.rule.table(self.outcomes)

    def table(self) -> npt.NDArray[np.bool_]:
        """Return the predicate for every question and answer: bool (Q, *outcomes)."""
        return self._table

    def local_value(self) -> float:
        r"""Return the best win probability of local players, exactly.

        .. math:: \omega = \max_{f_1..f_n} \sum_q \pi_q\, V(q, f_1(q_1), .., f_n(q_n))

        over deterministic strategies, which suffices because shared randomness only mixes
        them. All parties but one are enumerated; the last one answers best.

        Raises:
            ArgumentError: the enumeration could not finish; the text says its size.
        """
        return self._local_value

    @cached_property
    def _local_value(self) -> float:
        return local_value_of(self)

    def floor(self, trust: Trust = "none", *, against: Against | None = None) -> Floor:
        """Return what players limited to ``against`` reach when ``trust`` devices are trusted.

        Args:
            trust: "none", "one" or "all".
            against: "local", "unsteerable", "separable" or "biseparable"; left out, the first
                that the catalogue lists for this trust.

        Raises:
            ArgumentError: no such floor is known; the text lists those that are.
        """
        for floor in self.floors:
            if floor.trust == trust and against in (None, floor.against):
                return floor
        if trust == "none" and against in (None, "local"):
            return Floor("none", "local", self.local_value(), "enumeration of local strategies")
        pairs = {("none", "local"): None, **{(f.trust, f.against): None for f in self.floors}}
        known = ", ".join(f"({t}, {a})" for t, a in pairs)
        raise ArgumentError(
            f"game {self.name!r} has no floor for trust={trust!r}, against={against!r}; "
            f"known: {known}"
        )

    def value(self, behaviour: npt.NDArray[np.float64]) -> float:
        r"""Return the win probability of an exact behaviour, sum_q pi_q sum_a V(q,a) P(a|q).

        Args:
            behaviour: (Q, *outcomes), the probability of each answer given each question.
        """
        table = self.table()
        if behaviour.shape != table.shape:
            raise ArgumentError(
                f"behaviour must have shape {table.shape} for game {self.name!r}, "
                f"but has {behaviour.shape}"
            )
        per_question = (behaviour * table).reshape(self.n_questions, -1).sum(axis=1)
        return float(self.distribution @ per_question)

    @property
    def is_parity(self) -> bool:
        """Whether only the parity of some outcomes decides, so that correlators make sense."""
        return isinstance(self.rule, ParityRule)

    @property
    def signs(self) -> npt.NDArray[np.int8]:
        """Return the sign s_q of each correlator: a win means that the product of outcomes is s_q.

        Outcome 0 counts as +1 and outcome 1 as -1.
        """
        if not isinstance(self.rule, ParityRule):
            raise ArgumentError(f"game {self.name!r} is not decided by a parity: it has no signs")
        return (1 - 2 * self.rule.target.astype(np.int8)).astype(np.int8)

    def conventions(self) -> npt.NDArray[np.int8]:
        """Return every sign pattern that relabelling outcomes can reach, the game's own first.

        A party that reads its outcomes the other way round at one of its settings flips the
        signs of all the questions with that setting. CHSH has 8 patterns.

        Returns:
            int8 (C, Q) of +1 and -1.
        """
        return self._conventions

    @cached_property
    def _conventions(self) -> npt.NDArray[np.int8]:
        return conventions_of(self)

    def with_signs(self, signs: npt.NDArray[np.int8]) -> Game:
        """Return the same game with its outcomes relabelled, so that it has these signs.

        Raises:
            ArgumentError: no relabelling of outcomes gives these signs.
        """
        wanted = np.asarray(signs)
        if not (wanted.shape == self.signs.shape and self._reaches(wanted)):
            raise ArgumentError(
                f"signs must be one of the 2^{len(flip_basis(self))} patterns that relabelling "
                f"outcomes of {self.name!r} can reach, but were {wanted.tolist()}"
            )
        if np.array_equal(wanted, self.signs):
            return self
        rule = self.rule
        if not isinstance(rule, ParityRule):  # `signs` has refused already
            raise ArgumentError(f"game {self.name!r} has no signs")
        target = (wanted < 0).astype(np.uint8)
        return replace(self, rule=ParityRule(rule.mask, target), signs_changed=True)

    def _reaches(self, signs: npt.NDArray[np.int8]) -> bool:
        flipped = sum(1 << int(q) for q in np.flatnonzero(signs != self.signs))
        return bool((np.abs(signs) == 1).all()) and in_span(flipped, flip_basis(self))

    def bell_of(self, win_rate: float) -> float:
        """Return sum_q s_q E_q of a parity game asked uniformly, at this win probability."""
        return self.n_questions * (2 * win_rate - 1)

    def bell_value(self, behaviour: npt.NDArray[np.float64]) -> float:
        r"""Return sum_q s_q E_q of an exact behaviour (CHSH: the S value)."""
        correlators = self.correlators(behaviour)
        return float(self.signs @ correlators)

    def correlators(self, behaviour: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return E_q, the mean product of the outcomes that count: behaviour (Q, *outcomes)."""
        wins = (behaviour * self.table()).reshape(self.n_questions, -1).sum(axis=1)
        return np.asarray(self.signs * (2 * wins - 1), dtype=np.float64)

    @property
    def local_bell(self) -> float:
        """Largest sum_q s_q E_q of local models (CHSH: 2)."""
        return self.bell_of(self.floor("none", against="local").value)

    @property
    def quantum_bell(self) -> float | None:
        """Largest quantum sum_q s_q E_q, where it is known (CHSH: 2 sqrt 2)."""
        return None if self.quantum_value is None else self.bell_of(self.quantum_value)

    def label(self, question: int) -> str:
        """Return a short name of a question, such as "x=0, y=1" or "X X Y"."""
        row = self.questions[question]
        if self.labels:
            return " ".join(self.labels[i][int(s)] for i, s in enumerate(row))
        if self.n_parties == 2:
            return f"x={row[0]}, y={row[1]}"
        return "".join(str(int(s)) for s in row)


def _check(game: Game) -> None:
    questions = game.questions
    if questions.ndim != 2 or not questions.size or questions.dtype != np.uint8:
        raise ArgumentError(
            "questions must be uint8 (questions, parties) with at least one of each, "
            f"but were {questions.dtype} of shape {questions.shape}"
        )
    n = questions.shape[1]
    if not len(game.settings) == len(game.outcomes) == n:
        raise ArgumentError(
            f"settings and outcomes must have one entry per party ({n}), "
            f"but have {len(game.settings)} and {len(game.outcomes)}"
        )
    if min(game.outcomes) < 1 or (questions >= np.asarray(game.settings)).any():
        raise ArgumentError(
            f"questions must ask settings below {game.settings}, with at least one outcome each"
        )
    if len({bytes(row) for row in np.ascontiguousarray(questions)}) != len(questions):
        raise ArgumentError(f"questions of {game.name!r} must differ from one another")
    weights = game.distribution
    if weights.shape != (len(questions),) or not (
        (weights > 0).all() and abs(weights.sum() - 1) <= 1e-9
    ):
        raise ArgumentError(
            "distribution must give each question a positive probability, with sum 1"
        )
    if isinstance(game.rule, ParityRule):
        if game.rule.mask.shape != questions.shape or game.rule.target.shape != weights.shape:
            raise ArgumentError("rule must have a mask (Q, n) and a target (Q,)")
        if (game.rule.target > 1).any():
            raise ArgumentError("rule must have targets 0 or 1")
        if game.rule.mask.dtype != np.bool_:
            raise ArgumentError(f"rule must have a mask of bool, but had {game.rule.mask.dtype}")
        counted = np.asarray(game.outcomes)[game.rule.mask.any(axis=0)]
        if (counted != 2).any():
            raise ArgumentError("a parity rule needs two outcomes of every party that counts")
    elif (
        game.rule.winning.shape != (len(questions), *game.outcomes)
        or game.rule.winning.dtype != np.bool_
    ):
        raise ArgumentError(
            f"rule must have a bool table of shape {(len(questions), *game.outcomes)}, but had "
            f"{game.rule.winning.dtype} of shape {game.rule.winning.shape}"
        )
