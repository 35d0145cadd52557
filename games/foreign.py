"""Counts and results in the shapes other programs give: dictionaries, Qiskit's and Cirq's results."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ebit.games.cells import TABLE_LIMIT, check_shape
from ebit.games.choice import Chosen
from ebit.games.csvtext import shown
from ebit.games.errors import ArgumentError
from ebit.games.game import Game
from ebit.games.trials import Trials

__all__ = [
    "BitOrder",
    "by_question",
    "counts_from_json",
    "trials_from_cirq",
    "trials_from_dict",
    "trials_from_json",
    "trials_from_qiskit",
    "trials_from_table",
]

BitOrder = Literal["qiskit", "cirq"]

_CHSH = [(0, 0), (0, 1), (1, 0), (1, 1)]
_ASSUMED = "assumed: counts per setting come from one circuit per setting"


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
        raise ArgumentError(f"bits must be 'qiskit' or 'cirq', but was {_brief(bits)}")
    questions = [_question(key) for key in counts]
    parties = len(questions[0])
    if any(len(q) != parties for q in questions):
        raise ArgumentError("every question must have one setting per party")
    top = tuple(max(q[i] for q in questions) + 1 for i in range(parties))
    settings, outcomes = tuple(max(2, t) for t in top), (2,) * parties
    if game is not None:
        settings, outcomes = game.settings, game.outcomes
    if len(settings) != parties or any(t > k for t, k in zip(top, settings, strict=True)):
        raise ArgumentError(
            f"questions must name settings below {settings}, one per party, but they reach "
            f"{tuple(t - 1 for t in top)}"
        )
    check_shape(settings, outcomes)
    if prod((*settings, *outcomes)) > TABLE_LIMIT:
        raise ArgumentError(f"a table of {prod((*settings, *outcomes)):.3g} counts is too large")
    table = np.zeros((*settings, *outcomes), dtype=np.int64)
    for question, answers in zip(questions, counts.values(), strict=True):
        if not isinstance(answers, Mapping):
            raise ArgumentError(f"question {question} must have a dictionary of counts")
        for key, number in answers.items():
            table[(*question, *_answer(key, outcomes, bits))] += _count(number)
    found = Trials.from_counts(table, chosen=chosen or "per-circuit")
    return found if chosen else replace(found, chosen_reason=_ASSUMED)


def _question(key: Any) -> tuple[int, ...]:
    expected = f"a question must be like '01', '0,1' or (0, 1), but was {_brief(key)}"
    if isinstance(key, str):
        digits = re.findall(r"[0-9]+" if "," in key else r"[0-9]", key)
        if not digits or re.sub(r"[0-9,\s()xy=]", "", key) or max(map(len, digits)) > 3:
            raise ArgumentError(expected)
        return tuple(int(d) for d in digits)
    return _small_integers(key, expected)


def _small_integers(key: Any, expected: str) -> tuple[int, ...]:
    """Return the whole numbers of a tuple, none of them negative."""
    if not _is_list(key) or not len(key):
        raise ArgumentError(expected)
    numbers = [int(d) if isinstance(d, (int, np.integer)) else -1 for d in key]
    if min(numbers) < 0:
        raise ArgumentError(expected)
    return tuple(numbers)


def _is_list(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _answer(key: Any, outcomes: tuple[int, ...], bits: BitOrder) -> tuple[int, ...]:
    parties = len(outcomes)
    if isinstance(key, (str, int, np.integer)):
        expected = f"an answer must be {parties} bits, but was {_brief(key)}"
        if any(k != 2 for k in outcomes):
            raise ArgumentError(
                f"an answer must be a tuple of outcomes below {outcomes}, but was {_brief(key)}"
            )
        text = key.replace(" ", "") if isinstance(key, str) else format(int(key), f"0{parties}b")
        if re.fullmatch(r"0x[0-9a-fA-F]{1,16}", text):
            text = format(int(text, 16), f"0{parties}b")
        if len(text) != parties or set(text) - {"0", "1"}:
            raise ArgumentError(expected)
        digits = tuple(int(c) for c in text)
        return digits[::-1] if bits == "qiskit" else digits
    expected = f"an answer must be {parties} outcomes below {outcomes}, but was {_brief(key)}"
    found = _small_integers(key, expected)
    if len(found) != parties or any(d >= k for d, k in zip(found, outcomes, strict=True)):
        raise ArgumentError(expected)
    return found


def _count(number: Any) -> int:
    whole = isinstance(number, (int, np.integer)) and not isinstance(number, bool)
    if isinstance(number, (float, np.floating)):
        whole = float(number).is_integer()
    if not whole:
        raise ArgumentError(f"a count must be a whole number, but was {_brief(number)}")
    value = int(number)
    if value < 0:
        raise ArgumentError(f"counts must not be negative, but one is {_brief(number)}")
    # A float beyond 2^53 stands for many whole numbers.
    if value > 1 << 53:
        raise ArgumentError(f"a count must be at most 2^53, but was {_brief(number)}")
    return value


def _brief(value: Any) -> str:
    try:
        return shown(repr(value), 60)
    except ValueError:  # Python does not write out whole numbers of thousands of digits
        return f"a very large {type(value).__name__}"


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
        return counts_from_json(text, game=game, chosen=chosen, bits=bits)
    except ArgumentError as error:
        raise ArgumentError(f"{place}: {error}") from None


def counts_from_json(
    text: bytes | str,
    *,
    game: Game | None = None,
    chosen: Chosen | None = None,
    bits: BitOrder = "qiskit",
) -> Trials:
    """Read counts from JSON as `trials_from_json` does; messages do not name the place."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArgumentError(f"not JSON, or cut short ({error})") from None
    if isinstance(data, dict) and "counts" in data:
        chosen = chosen or data.get("chosen")
        bits = data.get("bits", bits)
        data = data["counts"]
    if isinstance(data, list) and data and all(isinstance(row, dict) for row in data):
        data = by_question(data, game)
    if isinstance(data, list):
        return trials_from_table(data, game=game, chosen=chosen)
    return trials_from_dict(data, bits=bits, game=game, chosen=chosen)


def by_question(counts: Sequence[Any], game: Game | None = None) -> dict[tuple[int, ...], Any]:
    """Name the question of each of a list of counts, in the order of the game's (CHSH's) questions.

    Raises:
        ArgumentError: more or fewer counts than questions.
    """
    asked = _CHSH if game is None else [tuple(int(s) for s in q) for q in game.questions]
    if len(counts) != len(asked):
        raise ArgumentError(
            f"a list of counts must have one dictionary for each of the {len(asked)} questions, in "
            f"their order, but had {len(counts)}"
        )
    return dict(zip(asked, counts, strict=True))


def trials_from_table(
    rows: Any, *, game: Game | None = None, chosen: Chosen | None = None
) -> Trials:
    """Build trials from a table of counts: a row per question, a column per answer.

    Both are numbered in C order over the parties, the last party's fastest; for CHSH rows are
    (0,0), (0,1), (1,0), (1,1) and so are the columns.

    Raises:
        ArgumentError: another shape, or counts that are not whole, finite and positive.
    """
    if not _is_list(rows):
        raise ArgumentError("a table of counts must be a list of rows of numbers")
    for row in rows:
        if not _is_list(row):
            raise ArgumentError(f"a table of counts must have rows, but one is {_brief(row)}")
    settings, outcomes = (game.settings, game.outcomes) if game else ((2, 2), (2, 2))
    height, width = prod(settings), prod(outcomes)
    lengths = sorted({len(row) for row in rows})
    if len(rows) != height or lengths != [width]:
        raise ArgumentError(
            f"a table of counts must have {height} rows (settings) of {width} counts (outcomes), "
            f"but had {len(rows)} rows of {' or '.join(map(str, lengths)) or 'no'} counts"
        )
    table = np.array([[_count(v) for v in row] for row in rows], dtype=np.int64)
    return Trials.from_counts(table.reshape(*settings, *outcomes), chosen=chosen)


def _asked(
    questions: Iterable[Sequence[int]] | None, game: Game | None, n: int
) -> list[tuple[int, ...]]:
    if questions is not None:
        asked = [_question(q) for q in questions]
    elif game is not None:
        asked = [tuple(int(s) for s in row) for row in game.questions]
    else:
        asked = list(_CHSH)
    if len(asked) != n:
        raise ArgumentError(
            f"questions must name the settings of each of the {n} results, but named {len(asked)}"
        )
    if len({len(q) for q in asked}) != 1:
        raise ArgumentError("every question must have one setting per party")
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
    settings = np.repeat(np.array(asked), lengths, axis=0)
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
    """Build trials from a Qiskit ``PrimitiveResult`` of a Sampler, one circuit per question.

    Classical bit j of the register is the outcome of party j. A PUB with an array of parameter
    values counts as one circuit per element, in C order.

    Args:
        result: the result, or a list of PUB results.
        questions: the settings of each circuit; the game's questions (CHSH if left out) in order.
        register: the classical register to read, where there are several.
        game: fixes the number of settings and outcomes.
        chosen: how settings were chosen; "per-circuit" if left out.
    """
    try:
        pubs = list(result)
    except TypeError:
        raise ArgumentError(
            "result must be a PrimitiveResult of a Sampler or a list of its PUB results, "
            f"but was {type(result).__name__}"
        ) from None
    arrays: list[npt.NDArray[np.uint8]] = []
    for pub in pubs:
        data = getattr(pub, "data", None)
        registers = dict(data.items()) if data is not None and hasattr(data, "items") else {}
        names = [n for n in registers if hasattr(registers[n], "num_bits")]
        listed = ", ".join(names) or "(none found)"
        if register is not None and register not in names:
            raise ArgumentError(f"register must be one of {listed}, but was {register!r}")
        if register is None and len(names) != 1:
            raise ArgumentError(f"register must be given, one of {listed}")
        stored = registers[register or names[0]]
        # The last axes are shots and bytes; the last bit of the last byte is classical bit 0.
        packed = np.asarray(stored.array, dtype=np.uint8)
        for one in packed.reshape(-1, *packed.shape[-2:]):
            bits = np.unpackbits(one, axis=-1)[:, ::-1]
            arrays.append(np.ascontiguousarray(bits[:, : stored.num_bits]))
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
            in order, or the keys in alphabetical order (numbers by value) hold one bit each.
        game: fixes the number of settings and outcomes.
        chosen: how settings were chosen; "per-circuit" if left out.
    """
    try:
        listed = [results] if hasattr(results, "measurements") else list(results)
        measurements = [dict(one.measurements) for one in listed]
    except (TypeError, AttributeError, ValueError) as error:
        raise ArgumentError(
            f"results must be cirq.Result objects with each key measured once ({error})"
        ) from None
    arrays: list[npt.NDArray[np.uint8]] = []
    for measured in measurements:
        order = list(keys) if keys is not None else sorted(measured, key=_natural)
        missing = [k for k in order if k not in measured]
        if missing or not order:
            raise ArgumentError(
                f"keys must be among {', '.join(sorted(measured, key=_natural)) or '(none)'}, "
                f"but were {order}"
            )
        # Cirq gives int8 or uint8 by the kind of circuit; both hold 0 and 1.
        arrays.append(
            np.concatenate([np.asarray(measured[k]) for k in order], axis=1).astype(np.uint8)
        )
    if not arrays:
        raise ArgumentError("there are no results")
    return _assemble(arrays, _asked(questions, game, len(arrays)), game, chosen)


def _natural(key: str) -> list[tuple[int, str]]:
    """Order names with the numbers in them by value: q2 before q10."""
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in re.split(r"([0-9]+)", key)]
