"""Samples by a rule that needs no library, and the estimators once more, slowly, by the book."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

import numpy as np
import numpy.typing as npt

Record = tuple[int, int, int]  # right, predictions, longest run of right ones


def rule(n: int, bits: int, *, seed: int = 1, lean: int = 0) -> npt.NDArray[np.uint8]:
    """Symbols from a linear congruential rule; `lean` of 256 times the symbol is 0 instead."""
    state, out = seed, []
    for _ in range(n):
        state = (6364136223846793005 * state + 1442695040888963407) % 2**64
        symbol, chance = state >> (64 - bits), state >> 40 & 255
        out.append(0 if chance < lean else symbol)
    return np.array(out, np.uint8)


def _longest(right: list[bool]) -> int:
    run = best = 0
    for ok in right:
        run = run + 1 if ok else 0
        best = max(best, run)
    return best


def _scored(s: list[int], start: int, guesses: list[list[int | None]]) -> Record:
    """Play several predictors, always the one ahead; a tie goes to the last that drew level."""
    score = [0] * len(guesses[0])
    winner, right = 0, []
    for x, guess in zip(s[start:], guesses, strict=True):
        right.append(guess[winner] == x)
        for j, g in enumerate(guess):
            if g == x:
                score[j] += 1
                if score[j] >= score[winner]:
                    winner = j
    return sum(right), len(right), _longest(right)


def multi_mcw(s: list[int]) -> Record:
    """Section 6.3.7, steps 1 to 4: each window counted afresh."""

    def commonest(window: list[int]) -> int:
        counts = Counter(window)
        top = max(counts.values())
        return next(x for x in reversed(window) if counts[x] == top)

    guesses = [
        [commonest(s[i - w : i]) if i >= w else None for w in (63, 255, 1023, 4095)]
        for i in range(63, len(s))
    ]
    return _scored(s, 63, guesses)


def lag(s: list[int]) -> Record:
    """Section 6.3.8, steps 1 to 4."""
    guesses = [[s[i - d] if d <= i else None for d in range(1, 129)] for i in range(1, len(s))]
    return _scored(s, 1, guesses)


def multi_mmc(s: list[int], most: int = 100_000) -> Record:
    """Section 6.3.9, steps 1 to 5: a dictionary of pairs per length.

    A length says nothing where a shorter one has not seen its context, as in NIST's tool; by the
    book alone it would where the shorter one's dictionary was full one step earlier.
    """
    tables: list[dict[tuple[int, ...], Counter[int]]] = [defaultdict(Counter) for _ in range(16)]
    entries = [0] * 16
    guesses: list[list[int | None]] = []
    for i in range(2, len(s)):
        for d in range(1, 17):
            if d < i:
                x, y = tuple(s[i - d - 1 : i - 1]), s[i - 1]
                table = tables[d - 1]
                if x in table and y in table[x]:
                    table[x][y] += 1
                elif entries[d - 1] < most:
                    table[x][y] = 1
                    entries[d - 1] += 1
        guess: list[int | None] = []
        for d in range(1, 17):
            seen = tables[d - 1].get(tuple(s[i - d : i])) if d < i else None
            if d > 1 and guess[-1] is None:
                seen = None
            guess.append(max(seen, key=lambda y: (seen[y], y)) if seen else None)
        guesses.append(guess)
    return _scored(s, 2, guesses)


def lz78y(s: list[int], most: int = 65_536) -> Record:
    """Section 6.3.10, steps 1 to 4: one dictionary of contexts up to 16 long."""
    table: dict[tuple[int, ...], Counter[int]] = {}
    right = []
    for i in range(17, len(s)):
        for j in range(16, 0, -1):
            x, y = tuple(s[i - j - 1 : i - 1]), s[i - 1]
            if x not in table and len(table) < most:
                table[x] = Counter()
            if x in table:
                table[x][y] += 1
        best, guess = 0, None
        for j in range(16, 0, -1):
            seen = table.get(tuple(s[i - j : i]))
            if seen:
                y = max(seen, key=lambda y: (seen[y], y))
                if seen[y] > best:
                    best, guess = seen[y], y
        right.append(guess == s[i])
    return sum(right), len(right), _longest(right)


def no_run(p: float, r: int, n: int) -> float:
    """Chance of no run of r successes in n trials, by the exact recurrence."""
    chance = [1.0] * (n + 1)
    for i in range(r, n + 1):
        if i == r:
            chance[i] = 1 - p**r
        else:
            chance[i] = chance[i - 1] - chance[i - r - 1] * (1 - p) * p**r
    return chance[n]


def share(z: float, blocks: int, warm_up: int = 1000) -> float:
    """G of section 6.3.4 as the double sum it is written as."""
    total = 0.0
    for t in range(warm_up + 1, blocks + 1):
        u = np.arange(1, t)
        total += float((np.log2(u) * z * z * (1 - z) ** (u - 1)).sum())
        total += math.log2(t) * z * (1 - z) ** (t - 1)
    return total / (blocks - warm_up)
