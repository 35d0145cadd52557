"""SP 800-90B estimators that predict, part two: what followed the same 1 to 16 samples before."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from ebit.analysis.health_predicting import prediction_estimate
from ebit.analysis.health_result import Estimate

__all__ = ["lz78y", "multi_mmc"]

Samples = npt.NDArray[np.uint8]

_DEPTH = 16
_MMC_ENTRIES = 100_000  # pairs of a context and what followed it, per length
_LZ_CONTEXTS = 65_536  # contexts of all lengths together
_MIX = np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True)
def _mmc_bits(bits, room):  # type: ignore[no-untyped-def]
    """MultiMMC of bits: a table per length with `room` pairs, indexed by the context as a number."""
    n = bits.size
    counts = np.zeros((1 << (_DEPTH + 2)) - 4, np.int32)
    entries = np.zeros(_DEPTH, np.int64)
    score = np.zeros(_DEPTH, np.int64)
    winner, correct, run, longest = 0, 0, 0, 0
    start = 0
    for d in range(min(_DEPTH, n - 2)):
        start = (start << 1) | bits[d]
        counts[(4 << d) - 4 + 2 * start + bits[d + 1]] = 1
        entries[d] = 1
    history = np.int64(bits[0])
    for i in range(2, n):
        history = ((history << 1) | bits[i - 1]) & ((1 << _DEPTH) - 1)
        now = bits[i]
        leader = winner
        found = True
        for d in range(min(_DEPTH, i - 1)):
            at = (4 << d) - 4 + 2 * (history & ((2 << d) - 1))
            zeros, ones = counts[at], counts[at + 1]
            found = found and zeros + ones > 0
            if not found:
                if d == leader:  # it said nothing, which is not right
                    run = 0
                if entries[d] < room:
                    counts[at + now] = 1
                    entries[d] += 1
                continue
            if now == (0 if zeros > ones else 1):
                score[d] += 1
                if score[d] >= score[winner]:
                    winner = d
                if d == leader:
                    correct += 1
                    run += 1
                    longest = max(longest, run)
            elif d == leader:
                run = 0
            if counts[at + now] > 0:
                counts[at + now] += 1
            elif entries[d] < room:
                counts[at + now] = 1
                entries[d] += 1
    return correct, longest


@njit(cache=True)
def _slot(keys, key):  # type: ignore[no-untyped-def]
    """Where a key is in an open-addressed table, or the free place for it; 0 marks free."""
    mask = np.int64(keys.size - 1)
    at = np.int64((np.uint64(key) * _MIX) >> np.uint64(20)) & mask
    while keys[at] != 0 and keys[at] != key:
        at = (at + 1) & mask
    return at


@njit(cache=True)
def _mmc_symbols(samples, room):  # type: ignore[no-untyped-def]
    """MultiMMC of symbols: contexts are nodes of a tree that grows towards the past.

    A context can be found only if all shorter ones are, so that its parent always exists where it
    matters; an entry whose parent is missing is counted, and never looked at.
    """
    n = samples.size
    size = 2 * _DEPTH * (min(n, room) + _DEPTH)  # twice the entries, and a power of two
    size = 1 << int(np.ceil(np.log2(size)))
    children = np.zeros(size, np.int64)  # key: node and older symbol
    child = np.zeros(size, np.int32)
    pairs = np.zeros(size, np.int64)  # key: node and what followed
    times = np.zeros(size, np.int32)
    nodes = 1
    best = np.zeros(size // 2 + 2, np.int32)
    guess = np.zeros(size // 2 + 2, np.uint8)
    entries = np.zeros(_DEPTH, np.int64)
    score = np.zeros(_DEPTH, np.int64)
    winner, correct, run, longest = 0, 0, 0, 0
    for d in range(min(_DEPTH, n - 2)):  # the first d+1 samples, and what followed them
        node = 0
        for back in range(d + 1):
            key = np.int64(node) * 256 + samples[d - back] + 1
            at = _slot(children, key)
            if children[at] == 0:
                children[at] = key
                child[at] = nodes
                nodes += 1
            node = child[at]
        at = _slot(pairs, np.int64(node) * 256 + samples[d + 1] + 1)
        pairs[at] = np.int64(node) * 256 + samples[d + 1] + 1
        times[at] = 1
        best[node], guess[node] = 1, samples[d + 1]
        entries[d] = 1
    for i in range(2, n):
        now = samples[i]
        leader = winner
        found = True
        node = 0  # -1 where the tree has no such context
        for d in range(min(_DEPTH, i - 1)):
            at = -1
            if node >= 0:
                key = np.int64(node) * 256 + samples[i - d - 1] + 1
                at = _slot(children, key)
                if children[at] != 0:
                    node = child[at]
                    found = found and best[node] > 0
                else:
                    found = False
                    if entries[d] < room:
                        children[at] = key
                        child[at] = nodes
                        node = nodes
                        nodes += 1
                    else:
                        node = -1
            if found and guess[node] == now:
                score[d] += 1
                if score[d] >= score[winner]:
                    winner = d
                if d == leader:
                    correct += 1
                    run += 1
                    longest = max(longest, run)
            elif d == leader:  # wrong, or it said nothing, which is not right
                run = 0
            if not found:
                if entries[d] >= room:
                    continue
                if node < 0:
                    entries[d] += 1
                    continue
            key = np.int64(node) * 256 + now + 1
            at = _slot(pairs, key)
            if pairs[at] == 0:
                if entries[d] >= room:
                    continue
                pairs[at] = key
                entries[d] += 1
            times[at] += 1
            if times[at] > best[node] or (times[at] == best[node] and now > guess[node]):
                best[node], guess[node] = times[at], now
    return correct, longest


def multi_mmc(samples: Samples, on: str, alphabet: int) -> Estimate:
    """Estimate by predicting what most often followed the last 1, 2, ... or 16 samples.

    Args:
        samples: symbols below ``alphabet``, shape (n,), at least 4. on: for the result.
        alphabet: number of different symbols.

    A predictor that has not met its context says nothing, which ends a run of right predictions: so
    the standard, and NIST's tool for bits. For symbols that tool lets the run go on; on its own
    files this makes no difference.

    Source: SP 800-90B, 6.3.9.
    """
    play = _mmc_bits if alphabet == 2 else _mmc_symbols
    correct, longest = play(samples, _MMC_ENTRIES)
    return prediction_estimate(
        "MultiMMC",
        on,
        "6.3.9",
        correct=correct,
        n=samples.size - 2,
        longest=longest,
        alphabet=alphabet,
    )


@njit(cache=True)
def _lz_bits(bits, room):  # type: ignore[no-untyped-def]
    """LZ78Y of bits: a table per length, indexed by the context; `room` contexts in all."""
    n = bits.size
    counts = np.zeros((1 << (_DEPTH + 2)) - 4, np.int32)
    contexts = 0
    correct, run, longest = 0, 0, 0
    history = np.int64(0)
    for i in range(_DEPTH - 1):
        history = (history << 1) | bits[i]
    for i in range(_DEPTH, n):
        history = ((history << 1) | bits[i - 1]) & ((1 << _DEPTH) - 1)
        now = bits[i]
        most, guess = np.int32(0), 2
        for d in range(_DEPTH - 1, -1, -1):
            at = (4 << d) - 4 + 2 * (history & ((2 << d) - 1))
            zeros, ones = counts[at], counts[at + 1]
            if zeros + ones > 0:
                if max(zeros, ones) > most:
                    most = max(zeros, ones)
                    guess = 0 if zeros > ones else 1
                counts[at + now] += 1
            elif contexts < room:
                counts[at + now] = 1
                contexts += 1
        if guess == now:
            correct += 1
            run += 1
            longest = max(longest, run)
        else:
            run = 0
    return correct, longest


@njit(cache=True)
def _lz_symbols(samples, alphabet, room):  # type: ignore[no-untyped-def]
    """LZ78Y of symbols: contexts are nodes of a tree that grows towards the past.

    The dictionary may fill up between a long context and its shorter ones; those become nodes
    that are not in the dictionary (`best` 0), so that the long one can still be reached.
    """
    n = samples.size
    size = min(room, _DEPTH * n) + _DEPTH + 1
    child = np.zeros((size, alphabet), np.int32)
    times = np.zeros((size, alphabet), np.int32)
    best = np.zeros(size, np.int32)
    guess = np.zeros(size, np.uint8)
    path = np.zeros(_DEPTH, np.int64)
    nodes, contexts = 1, 0
    correct, run, longest = 0, 0, 0
    for i in range(_DEPTH, n):
        now = samples[i]
        node, depth = 0, 0
        while depth < _DEPTH:
            following = child[node, samples[i - depth - 1]]
            if following == 0:
                break
            node = following
            path[depth] = node
            depth += 1
        if contexts < room:
            while depth < _DEPTH:
                child[node, samples[i - depth - 1]] = nodes
                node = nodes
                path[depth] = node
                nodes += 1
                depth += 1
        most, value, any_guess = np.int32(0), now, False
        for d in range(depth - 1, -1, -1):
            node = path[d]
            if best[node] > most:
                most, value, any_guess = best[node], guess[node], True
            if best[node] == 0:
                if contexts >= room:
                    continue
                contexts += 1
            times[node, now] += 1
            count = times[node, now]
            if count > best[node] or (count == best[node] and now > guess[node]):
                best[node], guess[node] = count, now
        if any_guess and value == now:
            correct += 1
            run += 1
            longest = max(longest, run)
        else:
            run = 0
    return correct, longest


def lz78y(samples: Samples, on: str, alphabet: int) -> Estimate:
    """Estimate by predicting from a dictionary of contexts that stops growing when full.

    Args:
        samples: symbols below ``alphabet``, shape (n,), at least 19. on: for the result.
        alphabet: number of different symbols.

    Source: SP 800-90B, 6.3.10.
    """
    if alphabet == 2:
        correct, longest = _lz_bits(samples, _LZ_CONTEXTS)
    else:
        correct, longest = _lz_symbols(samples, alphabet, _LZ_CONTEXTS)
    return prediction_estimate(
        "LZ78Y",
        on,
        "6.3.10",
        correct=correct,
        n=samples.size - _DEPTH - 1,
        longest=longest,
        alphabet=alphabet,
    )
