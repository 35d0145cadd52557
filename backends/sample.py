"""Ordered shots drawn from exact distributions.

A draw compares 64 random bits with probabilities rounded to multiples of 2^-64 (thresholds) or
2^-(64 - k) (alias table of 2^k outcomes). Both are finer than the float64 the probabilities come
in, and no sample that fits in memory can tell the difference. Outcomes of probability 0 are never
drawn. A component whose outcomes are all equally likely is so many fair coins, and takes one random
bit for each. The stream of shots does not depend on the size of the chunks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from ebit.backends.exact import Distribution
from ebit.games import Shots

Progress = Callable[[int, int], None]
Codes = npt.NDArray[np.unsignedinteger]

_CHUNK = 1 << 16  # random words of one chunk stay in the processor's cache
_TOSSED = 1 << 17  # shots of fair coins at a time; their words stay in the cache too
_REPORT = 1 << 20  # shots between two calls of the progress function
_FEW = 16  # up to here comparing with every threshold is faster than a table


def draw(
    circuits: Sequence[Sequence[Distribution]],
    widths: Sequence[int],
    shots: Sequence[int],
    *,
    seed: int,
    progress: Progress | None = None,
) -> Shots:
    """Draw ordered, independent shots of every circuit.

    Args:
        circuits: per circuit, the distributions of its components.
        widths: classical bits per circuit; a bit that belongs to no component stays 0.
        shots: shots per circuit.
        seed: any integer >= 0; equal seeds give equal shots.
        progress: called as (shots done, shots in all), over all circuits.

    >>> coin = Distribution((1,), np.array([0.0, 1.0]))
    >>> draw([[coin]], [2], [3], seed=1).bits(0).tolist()
    [[0, 1], [0, 1], [0, 1]]
    """
    total, done = sum(shots), 0
    packed = []
    for i, (parts, width, n) in enumerate(zip(circuits, widths, shots, strict=True)):
        out = np.zeros((n, (width + 7) // 8), dtype=np.uint8)
        fair = [_is_fair(part) for part in parts]
        coins = [bit for part, even in zip(parts, fair, strict=True) if even for bit in part.clbits]
        _toss(coins, out, stream(seed, i, len(parts)))
        uneven = [j for j, even in enumerate(fair) if not even]
        streams = [stream(seed, i, j) for j in uneven]
        drawers = [_drawer(parts[j]) for j in uneven]
        for start in range(0, n, _REPORT):
            block = out[start : start + _REPORT]
            for generator, drawer in zip(streams, drawers, strict=True):
                for low in range(0, len(block), _CHUNK):
                    drawer(generator, block[low : low + _CHUNK])
            if progress is not None:
                progress(done + start + len(block), total)
        done += n
        packed.append(out)
    return Shots(tuple(packed), tuple(widths))


def stream(seed: int, *key: int) -> np.random.Generator:
    """The random stream of one part of a run: independent of every other part's."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


def place_bits(packed: npt.NDArray[np.uint8], bits: npt.ArrayLike, clbits: Sequence[int]) -> None:
    """Write bit columns into packed shots.

    Args:
        packed: (shots, bytes), changed in place; the bits written must be 0 before.
        bits: (shots, len(clbits)) of 0 and 1.
        clbits: the classical bit of every column.
    """
    columns = np.asarray(bits)
    for j, bit in enumerate(clbits):
        # Counted results arrive as int8 or bool: shift as uint8 only.
        packed[:, bit // 8] |= (columns[:, j] != 0).astype(np.uint8) << np.uint8(bit % 8)


def _is_fair(part: Distribution) -> bool:
    """Whether every bit of a component is a fair coin of its own, exactly."""
    size = 1 << len(part.clbits)
    return bool(size > 1 and (part.probabilities == 1 / size).all())


def _toss(
    clbits: Sequence[int], out: npt.NDArray[np.uint8], generator: np.random.Generator
) -> None:
    """Toss fair coins into the bits of all shots, one random bit each (and those between them)."""
    masks: dict[int, int] = {}
    for bit in clbits:
        masks[bit // 8] = masks.get(bit // 8, 0) | 1 << bit % 8
    if not masks:
        return
    whole = len(masks) == out.shape[1] and all(mask == 255 for mask in masks.values())
    for low in range(0, len(out), _TOSSED):
        block = out[low : low + _TOSSED]
        words = _words(generator, (len(block) * len(masks) + 7) // 8)
        tossed = words.view(np.uint8)[: len(block) * len(masks)].reshape(len(block), len(masks))
        if whole:
            block[:] = tossed
            continue
        for column, (byte, mask) in enumerate(masks.items()):
            block[:, byte] |= tossed[:, column] & np.uint8(mask)


def _drawer(part: Distribution) -> Callable[[np.random.Generator, npt.NDArray[np.uint8]], None]:
    """A function that draws as many outcomes as a block has rows and writes their bits there."""
    (support,) = np.nonzero(part.probabilities)
    weights = part.probabilities[support] / part.probabilities[support].sum()
    few = len(support) <= _FEW
    sampler = _by_thresholds(weights) if few else _by_alias(weights)
    tables = _byte_tables(support, part.clbits)

    def write(generator: np.random.Generator, block: npt.NDArray[np.uint8]) -> None:
        codes = sampler(generator, len(block))
        for byte, table in tables:
            block[:, byte] |= table[codes]

    return write


def _byte_tables(
    support: npt.NDArray[np.intp], clbits: Sequence[int]
) -> list[tuple[int, npt.NDArray[np.uint8]]]:
    """For every byte of a shot that a component touches, its contribution per outcome."""
    tables: dict[int, npt.NDArray[np.uint8]] = {}
    for i, bit in enumerate(clbits):
        table = tables.setdefault(bit // 8, np.zeros(len(support), dtype=np.uint8))
        table |= (((support >> i) & 1) << (bit % 8)).astype(np.uint8)
    return list(tables.items())


def _words(generator: np.random.Generator, size: int) -> npt.NDArray[np.uint64]:
    # On 64-bit generators a word is exactly one step, so chunks do not change the stream.
    return generator.integers(0, 2**64, size=size, dtype=np.uint64)


def _fixed_point(p: npt.NDArray[np.float64]) -> npt.NDArray[np.uint64]:
    """Probabilities below 1 as multiples of 2^-64, rounded down; 1 becomes the largest integer."""
    top = np.nextafter(2.0**64, 0)
    return np.where(p >= 1, np.uint64(2**64 - 1), np.minimum(p * 2.0**64, top).astype(np.uint64))


def _by_thresholds(
    weights: npt.NDArray[np.float64],
) -> Callable[[np.random.Generator, int], Codes]:
    limits = _fixed_point(np.cumsum(weights)[:-1])

    def sample(generator: np.random.Generator, size: int) -> Codes:
        words = _words(generator, size)
        codes = np.zeros(size, dtype=np.uint8)
        for limit in limits:
            codes += words >= limit
        return codes

    return sample


def _by_alias(weights: npt.NDArray[np.float64]) -> Callable[[np.random.Generator, int], Codes]:
    """The alias method on a power of two of columns: high bits choose, low bits decide.

    Source: Vose, IEEE Trans. Software Eng. 17, 972 (1991).
    """
    k = max(1, int(len(weights) - 1).bit_length())
    columns = 2**k
    scaled = np.zeros(columns)
    scaled[: len(weights)] = weights * columns
    share: list[float] = scaled.tolist()
    other = list(range(columns))
    small = [i for i, q in enumerate(share) if q < 1]
    large = [i for i, q in enumerate(share) if q >= 1]
    left = share.copy()
    keep = [1.0] * columns
    while small and large:
        s, g = small.pop(), large[-1]
        keep[s], other[s] = left[s], g
        left[g] -= 1 - left[s]
        if left[g] < 1:
            small.append(large.pop())
    threshold = _fixed_point(np.array(keep))
    alias = np.array(other, dtype=np.int64)
    high, low = np.uint64(64 - k), np.uint64(k)

    def sample(generator: np.random.Generator, size: int) -> Codes:
        words = _words(generator, size)
        column = (words >> high).astype(np.int64)
        fraction = words << low
        return np.where(fraction < threshold[column], column, alias[column]).astype(np.uint32)

    return sample
