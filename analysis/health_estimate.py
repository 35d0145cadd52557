"""All ten estimators of SP 800-90B section 6.3 on one sequence of samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ebit.analysis.binomial import check_count
from ebit.analysis.health_contexts import lz78y, multi_mmc
from ebit.analysis.health_counting import (
    collision,
    compression,
    ideal_compression,
    markov,
    most_common_value,
    tuples,
)
from ebit.analysis.health_predicting import lag, multi_mcw
from ebit.analysis.health_result import EntropyEstimate, Estimate
from ebit.games import ArgumentError

__all__ = ["FEWEST", "as_symbols", "estimate_entropy", "relabelled", "to_bits"]

# Fewest samples of each estimator: (on symbols or bits, number).
FEWEST = {"MultiMCW": ("symbols", 4096), "compression": ("bits", 6012)}
_MOST_BITS = 80_000_000

Samples = npt.NDArray[np.uint8]
Progress = Callable[[int, int], None]


def as_symbols(samples: npt.ArrayLike, bits: int) -> Samples:
    """Return samples as whole numbers below 2^bits, or raise with the first that is not one.

    Args:
        samples: shape (n,), one symbol each. bits: per symbol, 1 to 8.

    Raises:
        ArgumentError: bits out of range, not one-dimensional, empty, not whole, or too large.

    Example:
        >>> as_symbols([0, 1, 3], 2).dtype
        dtype('uint8')
    """
    bits = check_count("bits", bits, low=1, high=8)
    given = np.asarray(samples)
    if given.ndim != 1 or given.size == 0:
        raise ArgumentError(
            f"Argument `samples` must be a row of at least one symbol, but has shape {given.shape}."
        )
    if given.dtype == np.bool_:
        return given.view(np.uint8)
    if given.dtype != np.uint8 and not (
        np.issubdtype(given.dtype, np.integer) or np.issubdtype(given.dtype, np.floating)
    ):
        raise ArgumentError(f"Argument `samples` must hold numbers, but holds {given.dtype}.")
    good = given < 1 << bits
    if given.dtype != np.uint8:
        good &= (given >= 0) & (given == np.floor(given))
    if not good.all():
        at = int(np.argmin(good))
        raise ArgumentError(
            f"Symbols of {bits} bit{'s' * (bits > 1)} must be whole numbers from 0 to "
            f"{(1 << bits) - 1}, but sample {at} is {given[at]}; say how many bits a symbol has "
            "(`bits`, --bits), or that bits are packed eight to a byte (--packed)."
        )
    return np.ascontiguousarray(given, np.uint8)


def to_bits(symbols: Samples, bits: int) -> Samples:
    """Write symbols out as bits, the highest first.

    Example:
        >>> to_bits(np.array([1, 6], np.uint8), 3).tolist()
        [0, 0, 1, 1, 1, 0]
    """
    if bits == 1:
        return symbols
    return np.unpackbits(symbols[:, None], axis=1)[:, 8 - bits :].reshape(-1)


def relabelled(symbols: Samples) -> tuple[Samples, int]:
    """Number the symbols that occur from 0 on, in their order; return them and how many.

    Example:
        >>> relabelled(np.array([7, 3, 7], np.uint8))
        (array([1, 0, 1], dtype=uint8), 2)
    """
    present = np.bincount(symbols, minlength=256) > 0
    count = int(present.sum())
    if present[:count].all():
        return symbols, count
    return (np.cumsum(present) - 1).astype(np.uint8)[symbols], count


def _on_bits(symbols: Samples, where: str) -> list[Callable[[], Any]]:
    return [partial(f, symbols, where) for f in (collision, markov, compression)]


def _tasks(symbols: Samples, where: str, alphabet: int) -> list[Callable[[], Any]]:
    return [
        partial(most_common_value, symbols, where),
        *(_on_bits(symbols, where) if alphabet == 2 else []),
        partial(tuples, symbols, where),
        *(partial(f, symbols, where, alphabet) for f in (multi_mcw, lag, multi_mmc, lz78y)),
    ]


def _check_length(symbols: int, bits: int, alphabet: int) -> None:
    have = {"symbols": symbols, "bits": symbols if alphabet == 2 else symbols * bits}
    for name, (on, least) in FEWEST.items():
        if have[on] < least:
            raise ArgumentError(
                f"The {name} estimate needs at least {least} {on}, but there are {have[on]}; "
                "SP 800-90B asks for 1000000 samples."
            )
    if symbols * bits > _MOST_BITS:
        raise ArgumentError(
            f"At most {_MOST_BITS} bits can be estimated at once, but there are {symbols * bits}: "
            f"take the first {_MOST_BITS // bits} samples."
        )


def _all(tasks: list[Callable[[], Any]], progress: Progress | None) -> Iterator[Estimate]:
    for i, task in enumerate(tasks):
        if progress is not None:
            progress(i, len(tasks))
        found = task()
        yield from found if isinstance(found, tuple) else (found,)
    if progress is not None:
        progress(len(tasks), len(tasks))


def estimate_entropy(
    samples: npt.ArrayLike, bits: int = 1, *, progress: Progress | None = None
) -> EntropyEstimate:
    r"""Estimate the min-entropy per sample of a source that need not be IID.

    All estimators run on the symbols and, where there are more than two different ones, also on
    the symbols written out as bits; collision, Markov and compression are for bits only. Then

    .. math:: H = \min(\text{bits},\; H_\text{original},\; \text{bits} \cdot H_\text{bitstring}).

    Args:
        samples: symbols from 0 to 2^bits - 1, in the order they were made, shape (n,). At least
            4096, and 6012 bits; the standard asks for 10^6.
        bits: bits per symbol, 1 to 8; the highest bit comes first in the bit string.
        progress: called with (done, total).

    Returns:
        Every estimate, the assessment, which estimate set it, and what ideal data would score.

    Raises:
        ArgumentError: a symbol of the wrong size, all samples equal, or too few for an estimator.

    Example:
        >>> bits = np.random.default_rng(1).integers(0, 2, 20_000)
        >>> found = estimate_entropy(bits)
        >>> found.lowest.name, 0.5 < found.min_entropy < 0.8
        ('compression', True)

    Source:
        NIST SP 800-90B (2018), sections 3.1.3 and 6.3; as NIST's EntropyAssessment tool, to ten
        digits.
    """
    raw = as_symbols(samples, bits)
    symbols, alphabet = relabelled(raw)
    if alphabet == 1:
        raise ArgumentError(
            f"All {raw.size} samples are equal to {raw[0]}: there is no entropy to estimate."
        )
    _check_length(raw.size, bits, alphabet)
    tasks = _tasks(symbols, "symbols", alphabet)
    if alphabet > 2:
        tasks += _tasks(to_bits(raw, bits), "bits", 2)
    estimates = tuple(_all(tasks, progress))
    if bits == 1:
        estimates = tuple(replace(e, on="bits") for e in estimates)
    scale = {"symbols": 1, "bits": bits}
    known = [e for e in estimates if e.entropy is not None]
    lowest = min(known, key=lambda e: scale[e.on] * (e.entropy or 0.0))
    original = [e.entropy for e in known if bits == 1 or e.on == "symbols"]
    strung = [e.entropy for e in known if bits > 1 and e.on == "bits"]
    value = min(float(bits), scale[lowest.on] * (lowest.entropy or 0.0))
    return EntropyEstimate(
        samples=raw.size,
        bits=bits,
        alphabet=alphabet,
        estimates=estimates,
        h_original=min(float(bits), *(h for h in original if h is not None)),
        h_bitstring=min(1.0, *(h for h in strung if h is not None)) if strung else None,
        min_entropy=value,
        lowest=lowest if value < bits else None,
        ideal_compression=ideal_compression(raw.size * (1 if alphabet == 2 else bits)),
    )
