"""What a key round is expected to give before it runs: errors by basis, and S, from the noise model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ebit.games import ArgumentError

if TYPE_CHECKING:
    from ebit.backends import Backend, Distribution
    from ebit.circuits import Experiment

__all__ = ["KeyForecast", "agreement", "full_table", "key_forecast"]

Floats = npt.NDArray[np.float64]
_SAFETY = 0.01  # error rate that a processor's calibration does not know of: cross-talk and drift
_MOST_BITS = 16


@dataclass(frozen=True)
class KeyForecast:
    """Error rates that honest rounds are expected to have.

    Attributes:
        key: of the basis that makes the key.
        test: of each basis that tests it, by name.
        S: CHSH value, None where the protocol measures none.
        ground: what says so.
        law: how often each pair of settings comes, with the coins' errors.
        qubits: physical qubits that this holds for.
    """

    key: float
    test: dict[str, float] = field(default_factory=dict)
    S: float | None = None
    ground: str = ""
    law: dict[tuple[int, int], float] = field(default_factory=dict)
    qubits: tuple[int, ...] = ()


def key_forecast(
    where: Backend, experiment: Experiment, qubits: Sequence[int] | None = None
) -> KeyForecast | None:
    """Return what a backend's noise model predicts of a key round, None where it has none.

    On a processor .01 is added to every error rate: a calibration knows no cross-talk and no drift.

    Args:
        where: the backend.
        experiment: a round as `ebit.circuits.key_round` makes it, without an eavesdropper.
        qubits: physical qubits, chosen by calibration if left out.
    """
    from ebit.backends import DeviceNoise, expected_of

    compiled = where.compile(experiment, qubits=qubits)
    told = where.describe()
    calibration = getattr(where, "calibration", None)
    parts: Sequence[Sequence[Distribution]] | None
    if type(compiled.circuits[0]).__module__.startswith("qiskit"):
        if calibration is None and told.kind != "simulator":
            return None
        noise = None if calibration is None else DeviceNoise(calibration)
        parts = expected_of(compiled.circuits, noise)
        ground = "the ideal circuit" if noise is None else f"the calibration ({told.calibration})"
    else:
        predict = getattr(where, "expected", None)
        if predict is None or told.kind != "simulator":
            parts = expected_of(experiment.circuits, None) if told.name == "cirq" else None
            ground = "the ideal circuit"
        else:
            parts = predict(compiled)
            ground = f"the device's noise model ({told.calibration or told.name})"
        if parts is None:
            return None
    tables = [
        full_table(found, int(width)) for found, width in zip(parts, experiment.widths, strict=True)
    ]
    details = experiment.details
    agree = agreement(experiment, experiment.behaviour(tables))
    worse = 0.0 if told.kind == "simulator" else _SAFETY

    def error(pair: tuple[int, int]) -> float:
        return min(0.5, 1 - agree[pair] + worse)

    S = None
    if details["chsh"]:
        S = sum(sign * (2 * agree[x, y] - 1) for x, y, sign in details["chsh"])
        S -= 8 * worse * (told.kind != "simulator")
    bases = details["alice_bases"]
    return KeyForecast(
        error(tuple(details["key"][0])),
        {bases[pair[0]]: error(tuple(pair)) for pair in details["test"]},
        S,
        ground,
        law_of_settings(experiment, tables),
        tuple(compiled.qubits),
    )


def agreement(experiment: Experiment, behaviour: Floats) -> dict[tuple[int, int], float]:
    """Return, for each pair of settings, how often the raw bits agree, after a middle's flip.

    Args:
        experiment: a key round.
        behaviour: (Q, 2, 2, ...), as `Experiment.behaviour` has it.
    """
    flip = experiment.details["flip"]
    bases = experiment.details["alice_bases"]
    found = {}
    for row, question in zip(behaviour, experiment.game.questions.tolist(), strict=True):
        x, y = question[0], question[1]
        table = row
        if flip is None:
            table = table.reshape(2, 2, -1).sum(axis=2)
        else:
            table = table.reshape(2, 2, 4, -1).sum(axis=3)
            bit = flip[bases[x]]
            kept = np.array([(m >> bit) & 1 for m in range(4)])
            table = table[:, :, kept == 0].sum(axis=2) + table[:, ::-1, kept == 1].sum(axis=2)
        found[x, y] = float(table[0, 0] + table[1, 1])
    return found


def law_of_settings(
    experiment: Experiment, tables: Sequence[Floats]
) -> dict[tuple[int, int], float]:
    """Return how often each pair of settings of Alice and Bob is asked.

    Args:
        experiment: a key round. tables: distribution of all bits, per circuit.
    """
    questions = experiment.game.questions.tolist()
    found = {(q[0], q[1]): 0.0 for q in questions}
    shares = np.array(experiment.weights) / sum(experiment.weights)
    for readout, table, share in zip(experiment.readouts, tables, shares, strict=True):
        if readout is None:
            continue
        if readout.question is not None:
            x, y = questions[readout.question][:2]
            found[x, y] += float(share)
            continue
        index = np.arange(len(table))
        asked = [
            sum((((index >> bit) & 1) << k for k, bit in enumerate(bits)), np.zeros_like(index))
            for bits in readout.settings[:2]
        ]
        for x, y in found:
            found[x, y] += float(share * table[(asked[0] == x) & (asked[1] == y)].sum())
    return found


def full_table(parts: Sequence[Distribution], width: int) -> Floats:
    """Return the distribution of all bits of a circuit from those of its components.

    Args:
        parts: components, as the exact simulator gives them. width: classical bits.

    Returns:
        (2**width,); bit j of an index is classical bit j.

    Raises:
        ArgumentError: more than 16 bits.
    """
    if width > _MOST_BITS:
        raise ArgumentError(f"width must be at most {_MOST_BITS} bits, but was {width}")
    index = np.arange(1 << width)
    table = np.ones(1 << width)
    written: set[int] = set()
    for part in parts:
        code = np.zeros(1 << width, dtype=np.int64)
        for k, bit in enumerate(part.clbits):
            code |= ((index >> bit) & 1) << k
            written.add(bit)
        table = table * part.probabilities[code]
    for bit in set(range(width)) - written:  # a bit that nothing writes is 0
        table = table * (((index >> bit) & 1) == 0)
    return np.asarray(table, dtype=np.float64)


def error_of(value: Any, name: str) -> float:
    """Return an error rate, or say what it must be."""
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not number or not 0 <= float(value) <= 0.5:
        raise ArgumentError(f"{name} must be an error rate between 0 and 0.5, but was {value!r}")
    return float(value)
