"""Counts and results in the shapes other programs give: dictionaries, Qiskit's and Cirq's results."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ebit.games.choice import Chosen
from ebit.games.errors import ArgumentError
from ebit.games.game import Game
from ebit.games.trials import Trials

__all__ = [
    "BitOrder",
    "trials_from_cirq",
    "trials_from_dict",
    "trials_from_json",
    "trials_from_qiskit",
]

BitOrder = Literal["qiskit", "cirq"]


def trials_from_dict(
    counts: Mapping[Any, Mapping[Any, int]],
    *,
    bits: BitOrder = "qiskit",
    game: Game | None = None,
    chosen: Chosen | None = None,
) -> Trials:
    """Build trials from one dictionary of counts per setting.

    Args:
        counts: per question, counts per answer. A question is a tuple ``(0, 1)`` or text "01" or
            "0,1", the first party first. An answer is a bit string, a tuple, or Cirq's integer.
        bits: the end of a bit string that is the first party: "qiskit" (rightmost, as Qiskit
            writes classical bit 0) or "cirq" (leftmost). Tuples name the first party first.
        game: fixes the number of settings; taken from the questions if left out.
        chosen: how settings were chosen; "per-circuit" if left out, since a dictionary per
            setting is what one circuit per setting gives.

    Example:
        >>> t = trials_from_dict({"00": {"00": 5, "01": 1}, "01": {"11": 2}, "10": {"10": 3}})
        >>> int(t.counts[0, 0, 1, 0]), t.chosen
        (1, 'per-circuit')

    Raises:
        ArgumentError: a question, an answer or a count that cannot be read.
    """
    if not isinstance(counts, Mapping) or not counts:
        raise ArgumentError("counts must be a dictionary per setting, and not empty")
    if bits not in ("qiskit", "cirq"):
        raise ArgumentError(f"bits must be 'qiskit' or 'cirq', but was {bits!r}")
    questions = [_question(key) for key in counts]
    parties = len(questions[0])
    if any(len(q) != parties for q in questions):
        raise ArgumentError("every question must have one setting per party")
    top = np.max(questions, axis=0)
    settings = game.settings if game else tuple(max(2, int(t) + 1) for t in top)
    if len(settings) != parties or (top >= np.asarray(settings)).any():
        raise ArgumentError(
            f"questions must lie below {tuple(settings)} per party, but one is {tuple(map(int, top))}"
        )
    table = np.zeros((*settings, *(2,) * parties), dtype=np.int64)
    for question, answers in zip(questions, counts.values(), strict=True):
        if not isinstance(answers, Mapping):
            raise ArgumentError(f"question {question} must have a dictionary of counts")
        for key, number in answers.items():
            answer = _answer(key, parties, bits)
            table[(*question, *answer)] += _count(number)
    return Trials.from_counts(table, chosen=chosen or "per-circuit")


def _question(key: Any) -> tuple[int, ...]:
    if isinstance(key, str):
        digits = re.findall(r"\d", key) if "," not in key else re.findall(r"\d+", key)
        if not digits or re.sub(r"[\d,\s()xy=]", "", key):
            raise ArgumentError(f"a question must be like '01', '0,1' or (0, 1), but was {key!r}")
        return tuple(int(d) for d in digits)
    if isinstance(key, Sequence):
        return tuple(int(d) for d in key)
    raise ArgumentError(f"a question must be like '01' or (0, 1), but was {key!r}")


def _answer(key: Any, parties: int, bits: BitOrder) -> tuple[int, ...]:
    if isinstance(key, str):
        text = key.replace(" ", "")
        if text.startswith("0x"):
            text = format(int(text, 16), f"0{parties}b")
        if len(text) != parties or set(text) - {"0", "1"}:
            raise ArgumentError(f"an answer must be {parties} bits, but was {key!r}")
        digits = [int(c) for c in text]
        return tuple(digits[::-1] if bits == "qiskit" else digits)
    if isinstance(key, (int, np.integer)):
        if not 0 <= key < 1 << parties:
            raise ArgumentError(f"an answer must be below 2^{parties}, but was {key}")
        return _answer(format(int(key), f"0{parties}b"), parties, bits)
    if isinstance(key, Sequence) and len(key) == parties and all(int(d) in (0, 1) for d in key):
        return tuple(int(d) for d in key)
    raise ArgumentError(f"an answer must be {parties} bits, but was {key!r}")


def _count(number: Any) -> int:
    try:
        value = float(number)
    except (TypeError, ValueError):
        raise ArgumentError(f"a count must be a whole number, but was {number!r}") from None
    if not np.isfinite(value) or value != int(value):
        raise ArgumentError(f"a count must be a whole number, but was {number!r}")
    if value < 0:
        raise ArgumentError(f"counts must not be negative, but one is {number!r}")
    return int(value)


def trials_from_json(
    text: bytes | str,
    place: str = "the JSON text",
    *,
    game: Game | None = None,
    chosen: Chosen | None = None,
    bits: BitOrder = "qiskit",
) -> Trials:
    """Read counts from JSON: a table, or a dictionary of counts per setting.

    A table is a list of rows, one per question in C order of the settings, one column per answer
    in C order of the outcomes (for CHSH 4 x 4), by itself or under the key "counts". A "chosen"
    beside it declares how settings were chosen.

    Raises:
        ArgumentError: text that is not JSON, or of another shape.
    """
    try:
        data = json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ArgumentError(f"{place}: not JSON, or cut short ({error})") from None
    try:
        if isinstance(data, dict) and "counts" in data:
            chosen = chosen or data.get("chosen")
            bits = data.get("bits", bits)
            data = data["counts"]
        if isinstance(data, list):
            return _from_table(data, game, chosen)
        return trials_from_dict(data, bits=bits, game=game, chosen=chosen)
    except ArgumentError as error:
        raise ArgumentError(f"{place}: {error}") from None


def _from_table(rows: list[Any], game: Game | None, chosen: Chosen | None) -> Trials:
    try:
        table = np.array(
            [[np.nan if v is None else float(v) for v in row] for row in rows], dtype=np.float64
        )
    except (TypeError, ValueError):
        raise ArgumentError("a table of counts must have rows of equally many numbers") from None
    settings, outcomes = (game.settings, game.outcomes) if game else ((2, 2), (2, 2))
    shape = (int(np.prod(settings)), int(np.prod(outcomes)))
    if table.shape != shape:
        raise ArgumentError(
            f"a table of counts must have {shape[0]} rows (settings) of {shape[1]} counts "
            f"(outcomes), but had shape {table.shape}"
        )
    if not np.isfinite(table).all():
        raise ArgumentError("counts must be whole numbers, but had NaN or a missing value")
    return Trials.from_counts(table.reshape(*settings, *outcomes), chosen=chosen)


def _asked(
    questions: Iterable[Sequence[int]] | None, game: Game | None, n: int
) -> list[tuple[int, ...]]:
    if questions is not None:
        asked = [tuple(int(s) for s in q) for q in questions]
    elif game is not None:
        asked = [tuple(int(s) for s in row) for row in game.questions]
    else:
        asked = [(0, 0), (0, 1), (1, 0), (1, 1)]
    if len(asked) != n:
        raise ArgumentError(
            f"questions must name the settings of each of the {n} results, but named {len(asked)}"
        )
    return asked


def _assemble(
    bits: list[npt.NDArray[np.uint8]],
    asked: list[tuple[int, ...]],
    game: Game | None,
    chosen: Chosen | None,
) -> Trials:
    parties = len(asked[0])
    for array in bits:
        if array.shape[1] != parties:
            raise ArgumentError(
                f"each result must have one bit per party ({parties}), but one has {array.shape[1]}"
            )
    lengths = [len(array) for array in bits]
    settings = np.repeat(np.array(asked, dtype=np.uint8), lengths, axis=0)
    shape = (game.settings, game.outcomes) if game else None
    return Trials.from_rounds(
        settings, np.concatenate(bits), shape=shape, chosen=chosen or "per-circuit", source="host"
    )


def trials_from_qiskit(
    result: Any,
    *,
    questions: Iterable[Sequence[int]] | None = None,
    register: str | None = None,
    game: Game | None = None,
    chosen: Chosen | None = None,
) -> Trials:
    """Build trials from a Qiskit ``PrimitiveResult`` of a Sampler, one PUB per question.

    Classical bit j of the register is the outcome of party j.

    Args:
        result: the result, or a list of PUB results.
        questions: the settings of each PUB; the game's questions (CHSH if left out) in order.
        register: the classical register to read, where there are several.
        game: fixes the number of settings and outcomes.
        chosen: how settings were chosen; "per-circuit" if left out.
    """
    arrays: list[npt.NDArray[np.uint8]] = []
    for pub in result:
        data = getattr(pub, "data", None)
        registers = {} if data is None else dict(data.items())
        names = [n for n in registers if hasattr(registers[n], "num_bits")]
        if register is not None and register not in names:
            raise ArgumentError(f"register must be one of {', '.join(names)}, but was {register!r}")
        if register is None and len(names) != 1:
            raise ArgumentError(
                f"register must be given, one of {', '.join(names) or '(none found)'}"
            )
        stored = registers[register or names[0]]
        packed = np.asarray(stored.array, dtype=np.uint8).reshape(-1, stored.array.shape[-1])
        unpacked = np.unpackbits(packed, axis=-1)[:, ::-1]
        arrays.append(np.ascontiguousarray(unpacked[:, : stored.num_bits]))
    if not arrays:
        raise ArgumentError("the result holds no circuits")
    return _assemble(arrays, _asked(questions, game, len(arrays)), game, chosen)


def trials_from_cirq(
    results: Any,
    *,
    questions: Iterable[Sequence[int]] | None = None,
    keys: Sequence[str] | None = None,
    game: Game | None = None,
    chosen: Chosen | None = None,
) -> Trials:
    """Build trials from a ``cirq.Result`` per question.

    Args:
        results: the results, in the order of the questions (one alone may be given bare).
        questions: the settings of each result; the game's questions (CHSH if left out) in order.
        keys: the measurement key of each party; left out, a single key holds all parties' bits
            in order, or the keys in alphabetical order hold one bit each.
        game: fixes the number of settings and outcomes.
        chosen: how settings were chosen; "per-circuit" if left out.
    """
    listed = [results] if hasattr(results, "measurements") else list(results)
    arrays: list[npt.NDArray[np.uint8]] = []
    for one in listed:
        measured = one.measurements
        order = list(keys) if keys is not None else sorted(measured)
        missing = [k for k in order if k not in measured]
        if missing:
            raise ArgumentError(f"keys must be among {', '.join(measured)}, but had {missing[0]!r}")
        # Cirq gives int8 or uint8 by the kind of circuit; both hold 0 and 1.
        arrays.append(
            np.concatenate([np.asarray(measured[k]) for k in order], axis=1).astype(np.uint8)
        )
    if not arrays:
        raise ArgumentError("there are no results")
    return _assemble(arrays, _asked(questions, game, len(arrays)), game, chosen)
