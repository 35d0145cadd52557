"""How the classical bits of one circuit become the settings and outcomes of a round."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from ebit.games import ArgumentError, Game, Shots

# A table of all bit strings is made only where it is smaller than the work it saves.
_TABLE_BITS = 16

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Readout:
    """How the classical bits of one circuit decode into a round.

    Attributes:
        question: row of ``game.questions`` that the circuit asks, or None when the settings are
            read from bits.
        settings: per party, the bits whose little-endian integer is the setting; empty tuples
            when the question is given.
        outcomes: per party, the bits whose little-endian integer is the outcome.
    """

    question: int | None
    settings: tuple[tuple[int, ...], ...]
    outcomes: tuple[tuple[int, ...], ...]


def check_readout(readout: Readout, game: Game, clbits: int) -> None:
    """Raise unless a readout fits a game and a circuit of so many classical bits."""
    n = game.n_parties
    if len(readout.settings) != n or len(readout.outcomes) != n:
        raise ArgumentError(
            f"readouts must have settings and outcomes of {n} parties, but had "
            f"{len(readout.settings)} and {len(readout.outcomes)}"
        )
    given = readout.question is not None
    if given and any(readout.settings):
        raise ArgumentError("readouts must read settings from bits or name a question, not both")
    if readout.question is not None and not 0 <= readout.question < game.n_questions:
        raise ArgumentError(
            f"readouts must name a question from 0 to {game.n_questions - 1}, "
            f"but had {readout.question}"
        )
    for bit in chain(*readout.settings, *readout.outcomes):
        if not 0 <= bit < clbits:
            raise ArgumentError(f"readouts must use bits 0 to {clbits - 1}, but had bit {bit}")
    for what, bits, sizes in (
        ("settings", readout.settings, (1,) * n if given else game.settings),
        ("outcomes", readout.outcomes, game.outcomes),
    ):
        for party, size in enumerate(sizes):
            if 1 << len(bits[party]) > size:
                raise ArgumentError(
                    f"readouts must fit the {size} {what} of party {party}, "
                    f"but read {len(bits[party])} bits"
                )


def question_and_answer(readout: Readout, game: Game, clbits: int) -> tuple[Codes, Codes]:
    """Return, for every bit string of a circuit, the question (-1 if none) and the answer's code.

    Bit j of an index is classical bit j; the answer is numbered in C order over the parties.
    """
    index = np.arange(1 << clbits, dtype=np.int64)

    def bit(j: int) -> Codes:
        return (index >> j) & 1

    answer = _number(readout.outcomes, game.outcomes, bit, len(index))
    if readout.question is not None:
        return np.full(len(index), readout.question, dtype=np.int64), answer
    asked = np.stack([_integer(bits, bit, len(index)) for bits in readout.settings], axis=-1)
    return game.question_index(asked).astype(np.int64), answer


def cells(readout: Readout, game: Game, shots: Shots, circuit: int) -> Codes:
    """Return the cell of every shot of a circuit, as `Trials` numbers them."""
    width, count = shots.widths[circuit], shots.counts[circuit]
    if width <= _TABLE_BITS and count > 1 << width:
        index = np.arange(1 << width, dtype=np.int64)
        table = _cells(readout, game, lambda j: (index >> j) & 1, len(index))
        packed = shots.packed[circuit]
        string = packed[:, 0].astype(np.uint16)
        for byte in range(1, packed.shape[1]):
            string |= packed[:, byte].astype(np.uint16) << 8 * byte
        return np.asarray(table[string & ((1 << width) - 1)], dtype=np.int64)
    bits = shots.bits(circuit)
    return _cells(readout, game, lambda j: bits[:, j].astype(np.int64), count)


def _cells(readout: Readout, game: Game, bit: Callable[[int], Codes], count: int) -> Codes:
    answers = math.prod(game.outcomes)
    if readout.question is None:
        asked = _number(readout.settings, game.settings, bit, count)
    else:
        code = 0
        for setting, size in zip(
            game.questions[readout.question].tolist(), game.settings, strict=True
        ):
            code = code * size + setting
        asked = np.full(count, code, dtype=np.int64)
    return asked * answers + _number(readout.outcomes, game.outcomes, bit, count)


def _number(
    parties: Sequence[Sequence[int]],
    sizes: Sequence[int],
    bit: Callable[[int], Codes],
    count: int,
) -> Codes:
    """Number one value per party, read from bits, in C order over the parties."""
    code = np.zeros(count, dtype=np.int64)
    for bits, size in zip(parties, sizes, strict=True):
        code = code * size + _integer(bits, bit, count)
    return code


def _integer(bits: Sequence[int], bit: Callable[[int], Codes], count: int) -> Codes:
    value = np.zeros(count, dtype=np.int64)
    for k, j in enumerate(bits):
        value |= bit(j) << k
    return value
