"""An experiment: circuits, the question each one asks, and how its bits become rounds of a game."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit

from ebit.circuits.canonical import canonical, digest, number
from ebit.circuits.program import Program
from ebit.circuits.readout import Readout, cells, check_readout, question_and_answer
from ebit.games import ArgumentError, Game, Shots, Trials
from ebit.games.trials import cell_type

__all__ = ["Experiment", "Readout"]


@dataclass(frozen=True, eq=False)
class Experiment(Program):
    """A strategy for a game as circuits, with everything needed to decode what they return.

    Attributes:
        name: short name for people.
        game: the game that is played.
        circuits: circuits of the same number of qubits, one register ``q``, one register ``c``.
        readouts: how each circuit's bits decode; None for a circuit that plays no round (see
            `ebit.circuits.with_readout`).
        parties: logical qubits of each party.
        roles: what each logical qubit is: ``A``, ``B``, ``coin A`` ...
        chosen: whether settings are drawn ``per-shot`` or fixed ``per-circuit``.
        source: who draws them, ``device`` (coin qubits) or ``host``.
        weights: share of the shots of each circuit, in any unit.
        ideal: (Q, *outcomes), the exact behaviour where it is known in closed form.
        details: what a reader may want to know (state, angles ...); not part of the id.
    """

    name: str
    game: Game
    circuits: tuple[QuantumCircuit, ...]
    readouts: tuple[Readout | None, ...]
    parties: tuple[tuple[int, ...], ...]
    roles: tuple[str, ...]
    chosen: Literal["per-shot", "per-circuit"] = "per-circuit"
    source: Literal["device", "host"] = "host"
    weights: tuple[float, ...] = ()
    ideal: npt.NDArray[np.float64] | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Plain floats: the id is computed from them, here and wherever it is read back.
        weights = tuple(float(w) for w in self.weights) or (1.0,) * len(self.circuits)
        object.__setattr__(self, "weights", weights)
        _check(self)

    def __repr__(self) -> str:
        return (
            f"Experiment({self.name!r}, {len(self.circuits)} circuits of {self.num_qubits} qubits, "
            f"settings {self.chosen} by the {self.source}, id {self.id})"
        )

    @cached_property
    def id(self) -> str:
        """The first 16 hexadecimal digits of a SHA-256 over gates, readouts, weights and questions.

        The same experiment has the same id in every process and on every machine.
        """
        scale = sum(self.weights)
        return digest(
            [
                "ebit experiment 1",
                [self.game.name, self.game.questions.tolist()],
                [list(party) for party in self.parties],
                [
                    [canonical(circuit), *_plain(readout), number(weight / scale)]
                    for circuit, readout, weight in zip(
                        self.circuits, self.readouts, self.weights, strict=True
                    )
                ],
            ]
        )

    def decode(self, shots: Shots) -> Trials:
        """Turn the shots of a run into rounds: those of circuit 0 first, then of circuit 1, ...

        Args:
            shots: one array of bits per circuit; column j is classical bit j.

        Raises:
            ArgumentError: if the number of circuits or of bits differs from the experiment's.
        """
        widths = self.widths
        if tuple(shots.widths) != widths:
            raise ArgumentError(
                f"shots must have {widths} bits per circuit for {self.name!r}, "
                f"but had {tuple(shots.widths)}"
            )
        size = math.prod(self.game.settings) * math.prod(self.game.outcomes)
        kind = cell_type(size)
        found = Trials.from_cells(
            np.concatenate(
                [
                    cells(readout, self.game, shots, i).astype(kind)
                    for i, readout in enumerate(self.readouts)
                    if readout is not None
                ]
            ),
            settings=self.game.settings,
            outcomes=self.game.outcomes,
            chosen=None if self.chosen == "per-shot" else self.chosen,
            source=self.source,
        )
        if self.chosen == "per-circuit":
            return replace(found, chosen_reason="one circuit per question")
        # Coins that the data show not to be fresh must not pass for fresh ones, and the shots
        # must not be lost either.
        if self.chosen == "per-shot" and found.chosen in ("per-shot", "unknown"):
            return replace(found, chosen=self.chosen, chosen_reason="coin qubits in every shot")
        return found

    def behaviour(
        self, distributions: Sequence[npt.ArrayLike], *, quasi: bool = False
    ) -> npt.NDArray[np.float64]:
        """Return the conditional behaviour that exact distributions of the circuits give.

        Circuits that ask the same question are averaged by weight. Settings read from coins are
        conditioned on; settings that the game never asks are left out.

        Args:
            distributions: per circuit, 2**clbits probabilities; bit j of an index is classical
                bit j.
            quasi: take entries below 0 as they are, such as corrected counts have.

        Returns:
            (Q, *outcomes) probabilities that sum to 1 for each question.

        Raises:
            ArgumentError: for a wrong number or shape of distributions, entries that are no
                probabilities, or a question that is never asked.
        """
        if len(distributions) != len(self.circuits):
            raise ArgumentError(
                f"distributions must be one per circuit ({len(self.circuits)}), "
                f"but were {len(distributions)}"
            )
        answers = math.prod(self.game.outcomes)
        joint = np.zeros(self.game.n_questions * answers)
        for i, given in enumerate(distributions):
            readout, bits = self.readouts[i], int(self.circuits[i].num_clbits)
            if readout is None:
                continue
            probabilities = (
                np.asarray(given, dtype=np.float64)
                if quasi
                else _check_distribution(given, i, bits)
            )
            question, outcome = question_and_answer(readout, self.game, bits)
            asked = question >= 0
            joint += self.weights[i] * np.bincount(
                (question * answers + outcome)[asked], probabilities[asked], joint.size
            )
        table = joint.reshape(self.game.n_questions, answers)
        total = table.sum(axis=1, keepdims=True)
        if (total <= 0).any():
            missing = int(np.argmin(total))
            raise ArgumentError(
                f"distributions must ask every question, but never ask "
                f"{self.game.questions[missing].tolist()}"
            )
        return np.asarray(
            (table / total).reshape(self.game.n_questions, *self.game.outcomes), dtype=np.float64
        )

    def value(self, distributions: Sequence[npt.ArrayLike]) -> float:
        """Return the game value in [0, 1] that exact distributions of the circuits give.

        Args:
            distributions: see `behaviour`.
        """
        return float(self.game.value(self.behaviour(distributions)))

    def draw(self) -> str:
        """Return every circuit as text, under the question it asks."""
        parts = []
        for i, (circuit, readout) in enumerate(zip(self.circuits, self.readouts, strict=True)):
            if readout is None:
                asked = "a known state, to measure readout errors"
            elif readout.question is None:
                asked = "settings drawn in every shot"
            else:
                asked = self.game.label(readout.question)
            parts.append(f"circuit {i}: {asked}\n{circuit.draw(output='text', fold=-1)}")
        roles = ", ".join(f"q{i} = {role}" for i, role in enumerate(self.roles))
        return "\n\n".join([f"{self.name}: {roles}", *parts])


def _plain(readout: Readout | None) -> list[Any]:
    if readout is None:
        return ["no round"]
    return [
        readout.question,
        [list(bits) for bits in readout.settings],
        [list(bits) for bits in readout.outcomes],
    ]


def _check(experiment: Experiment) -> None:
    count = len(experiment.circuits)
    if not count:
        raise ArgumentError("circuits must be at least one")
    for name, values in (("readouts", experiment.readouts), ("weights", experiment.weights)):
        if len(values) != count:
            raise ArgumentError(f"{name} must be one per circuit ({count}), but were {len(values)}")
    if all(readout is None for readout in experiment.readouts):
        raise ArgumentError("readouts must be of at least one circuit that plays a round")
    if not all(math.isfinite(w) and w > 0 for w in experiment.weights):
        raise ArgumentError(f"weights must be positive, but were {experiment.weights}")
    widths = {int(circuit.num_qubits) for circuit in experiment.circuits}
    if widths != {len(experiment.roles)}:
        raise ArgumentError(
            f"circuits must have as many qubits as roles ({len(experiment.roles)}), "
            f"but had {sorted(widths)}"
        )
    game, held = experiment.game, [q for party in experiment.parties for q in party]
    if len(experiment.parties) != game.n_parties or len(set(held)) != len(held):
        raise ArgumentError(
            f"parties must be {game.n_parties} and share no qubit, but were {experiment.parties}"
        )
    if not set(held) <= set(range(len(experiment.roles))):
        raise ArgumentError(
            f"parties must hold qubits 0 to {len(experiment.roles) - 1}, "
            f"but were {experiment.parties}"
        )
    if math.prod(game.settings) * math.prod(game.outcomes) > 1 << 62:
        raise ArgumentError(
            f"game must have fewer than 2^62 pairs of settings and answers, but {game.name!r} has "
            f"{game.n_parties} parties of {game.settings[0]} settings: use fewer parties"
        )
    for circuit, readout in zip(experiment.circuits, experiment.readouts, strict=True):
        if readout is not None:
            check_readout(readout, game, int(circuit.num_clbits))
        canonical(circuit)  # refuses what has no stable id
    if experiment.ideal is not None:
        shape = (game.n_questions, *game.outcomes)
        if experiment.ideal.shape != shape:
            raise ArgumentError(f"ideal must have shape {shape}, but had {experiment.ideal.shape}")


def _check_distribution(given: npt.ArrayLike, circuit: int, clbits: int) -> npt.NDArray[np.float64]:
    values = np.asarray(given, dtype=np.float64)
    if values.shape != (1 << clbits,):
        raise ArgumentError(
            f"distributions must hold {1 << clbits} probabilities for circuit {circuit}, "
            f"but had shape {values.shape}"
        )
    # Exact methods leave negative rounding errors of this size.
    if not (values.min() >= -1e-9 and abs(values.sum() - 1) < 1e-6):
        raise ArgumentError(
            f"distributions must be probabilities with sum 1, but circuit {circuit} has the "
            f"minimum {values.min():.3g} and the sum {values.sum():.9g}"
        )
    return np.maximum(values, 0.0)
