r"""What a trusted source's own statistics say about its entropy, and the assumptions that takes.

A register of qubits that a trusted device puts into superposition and measures. No Bell test stands
behind it: the same counts could come from a tape. So this is the weaker statement of a source
model: *if* shots are independent and alike, the distribution of a shot can be learnt, and with it the
min-entropy against somebody who knows the distribution and nothing else.

**Words.** The n bits are cut into blocks of k neighbours before the data are seen. In a block a word
w that came c_w times in N shots has

.. math:: P(w) \le \mathrm{CP}(c_w, N; \epsilon' / 2^k) \quad\text{for all } w \text{ at once,}

with CP the upper limit of Clopper and Pearson, so the likeliest word has at most the limit of the one
that came most often, and H_min(block) >= -log2 of it. A shot is at least as unpredictable as any
block in it; that needs no more assumptions. *If* blocks are independent, the blocks' min-entropies add.

**Why biases and correlations are not enough.** Each bit fair and each pair uncorrelated still allows
all n bits to be functions of log2(n + 1) fair bits (their parities). Limits on both are
reported, for they show what is wrong with a source, but the entropy does not follow from them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ebit.analysis.binomial import check_count, check_probability, clopper_pearson
from ebit.analysis.nosignalling import independence_log_p
from ebit.games import ArgumentError

__all__ = ["SourceLimit", "TrustedEntropy", "trusted_source_entropy"]

Array = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

_MOST_BLOCK = 12
_CHUNK = 1 << 16
# Pairs whose tables are tested exactly: those that look worst, paid for as if all had been.
_TESTED = 16

ADVERSARY = "somebody who knows the distribution of a shot and nothing of any shot's noise"
_ASSUMPTIONS = (
    "the device is trusted: it prepared and measured what was asked, and did not replay a record",
    "shots are independent and have the same distribution",
    "noise (preparation, readout, drift within a shot) is known to nobody",
    "the blocks were chosen before the data were seen",
)
_INDEPENDENT = "blocks of qubits are independent of each other (tested for pairs of bits alone)"
_NOT_GIVEN = (
    "entropy against somebody who knows the noise or holds what the qubits are entangled with",
    "device independence: no Bell test was made",
    "entropy from fair and uncorrelated pairs: n such bits may hold as few as log2(n + 1)",
)


@dataclass(frozen=True)
class SourceLimit:
    """The largest of many quantities, with the upper limit that holds for all of them at once.

    Attributes:
        value: the largest observed.
        high: the largest upper limit: none of the true ones is above it.
        where: which qubit or qubits have the largest limit.
    """

    value: float
    high: float
    where: tuple[int, ...]


@dataclass(frozen=True)
class TrustedEntropy:
    """Min-entropy per shot of a trusted source, and what it rests on.

    Attributes:
        value: bits of min-entropy per shot; the sum over blocks where they pass as independent,
            the best block alone where not, 0 where shots do not pass as independent and alike.
        status: "blocks add", "best block alone" or "refused".
        reason: why it is not the sum; empty where it is.
        best_block: bits of the block with the most, which needs no independence of blocks.
        blocks: bits of each block, in the order of the qubits.
        epsilon: chance that any of the limits here errs, if the assumptions hold.
        n: shots.
        qubits: bits per shot.
        block: qubits per block.
        bias: ``|P(1) - 1/2|``, of all qubits.
        correlation: ``|<ZiZj> - <Zi><Zj>|``, of all pairs.
        lag: the same for one qubit and itself a shot later.
        log10_p_shots: log10 of the p-value that shots are independent and alike.
        log10_p_blocks: log10 of the p-value that bits of different blocks are independent.
        level: both are called failed below this.
        adversary: whom the entropy is against.
        method: how it was found.
        assumptions: what it rests on.
        not_given: what it does not say.
    """

    value: float
    status: str
    reason: str
    best_block: float
    blocks: tuple[float, ...]
    epsilon: float
    n: int
    qubits: int
    block: int
    bias: SourceLimit
    correlation: SourceLimit
    lag: SourceLimit
    log10_p_shots: float
    log10_p_blocks: float
    level: float
    adversary: str
    method: str
    assumptions: tuple[str, ...]
    not_given: tuple[str, ...]

    def __str__(self) -> str:
        why = f"; {self.reason}" if self.reason else ""
        return (
            f"{self.value:.4f} bits of min-entropy per shot of {self.qubits} ({self.status}{why}), "
            f"from {self.n} shots at epsilon = {self.epsilon:g}; adversary: {self.adversary}. "
            f"Bias at most {self.bias.high:.4f}, correlation at most {self.correlation.high:.4f}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data that JSON can hold."""
        plain: dict[str, Any] = {
            name: getattr(self, name)
            for name in self.__dataclass_fields__
            if name not in ("bias", "correlation", "lag", "blocks", "assumptions", "not_given")
        }
        for name in ("bias", "correlation", "lag"):
            limit: SourceLimit = getattr(self, name)
            plain[name] = {"value": limit.value, "high": limit.high, "where": list(limit.where)}
        for name in ("blocks", "assumptions", "not_given"):
            plain[name] = list(getattr(self, name))
        return plain


def trusted_source_entropy(
    bits: npt.ArrayLike, *, epsilon: float = 1e-6, block: int = 4, level: float = 1e-6
) -> TrustedEntropy:
    r"""Return the min-entropy per shot of a trusted source, from its bits.

    Half of epsilon goes to the blocks' words and half to the limits on bias and correlation. The
    p-values (Fisher's exact test where they are small, Bonferroni's correction for their number)
    look for three failures: a qubit that depends on itself a shot before, a qubit whose bias
    differs between the first and the second half, bits of different blocks that are correlated.

    Args:
        bits: (N, n) of 0 and 1: a row per shot, in the order of time, a column per qubit.
        epsilon: chance that any limit errs, in (0, 1).
        block: qubits per block, 1 to 12; small blocks lose less to statistics and lean more on
            independence. The last block may be smaller.
        level: below this p-value an assumption counts as failed, in (0, 1).

    Raises:
        ArgumentError: bits of another shape or with other values, fewer than 4 shots, or arguments
            out of range.

    Example:
        >>> bits = np.random.default_rng(1).integers(0, 2, (20000, 6))
        >>> found = trusted_source_entropy(bits, block=2)
        >>> round(found.value, 2), found.status
        (5.66, 'blocks add')

    Source:
        Clopper and Pearson, Biometrika 26, 404 (1934). The source model and its limits: Ma et al.,
        npj Quantum Information 2, 16021 (2016).
    """
    data = _checked(bits)
    shots, qubits = data.shape
    epsilon = float(check_probability("epsilon", epsilon, open_ends=True))
    level = float(check_probability("level", level, open_ends=True))
    block = check_count("block", block, low=1, high=_MOST_BLOCK)
    starts = range(0, qubits, block)
    entropies = [
        _word_entropy(data[:, start : start + block], epsilon / (2 * len(starts)))
        for start in starts
    ]
    ones, both = _pair_counts(data)
    bias, correlation, lag = _limits(data, ones, both, epsilon / 2)
    log10_shots = _shots_log10_p(data)
    log10_blocks = _blocks_log10_p(ones, both, shots, np.arange(qubits) // block)
    value, status, reason = math.fsum(entropies), "blocks add", ""
    if log10_blocks < math.log10(level):
        value, status = max(entropies), "best block alone"
        reason = f"bits of different blocks are not independent (p = 10^{log10_blocks:.1f})"
    if log10_shots < math.log10(level):
        value, status = 0.0, "refused"
        reason = f"shots are not independent and alike (p = 10^{log10_shots:.1f})"
    added = (_INDEPENDENT,) if status == "blocks add" and len(entropies) > 1 else ()
    return TrustedEntropy(
        value=value,
        status=status,
        reason=reason,
        best_block=max(entropies),
        blocks=tuple(entropies),
        epsilon=epsilon,
        n=shots,
        qubits=qubits,
        block=block,
        bias=bias,
        correlation=correlation,
        lag=lag,
        log10_p_shots=log10_shots,
        log10_p_blocks=log10_blocks,
        level=level,
        adversary=ADVERSARY,
        method="upper limit of the likeliest word per block (Clopper-Pearson, all words at once)",
        assumptions=_ASSUMPTIONS + added,
        not_given=_NOT_GIVEN,
    )


def _checked(bits: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    given = np.asarray(bits)
    if given.ndim != 2 or given.shape[0] < 4 or given.shape[1] < 1:
        raise ArgumentError(
            "Argument `bits` must have shape (shots, qubits) with at least 4 shots and a qubit, but "
            f"has {given.shape}."
        )
    if not (np.issubdtype(given.dtype, np.integer) or given.dtype == np.bool_):
        raise ArgumentError(f"Argument `bits` must hold whole numbers, but holds {given.dtype}.")
    if given.min() < 0 or given.max() > 1:
        raise ArgumentError(
            f"Argument `bits` must hold 0 and 1 alone, but has {given.min()} to {given.max()}."
        )
    return given.astype(np.uint8, copy=False)


def _word_entropy(columns: npt.NDArray[np.uint8], error: float) -> float:
    """-log2 of the upper limit of the likeliest word."""
    k = columns.shape[1]
    words = columns @ (1 << np.arange(k, dtype=np.uint16))
    most = int(np.bincount(words).max())
    high = clopper_pearson(most, len(columns), low_error=0.5, high_error=error / 2**k)[1]
    return 0.0 - math.log2(float(high))


def _pair_counts(data: npt.NDArray[np.uint8]) -> tuple[Whole, Whole]:
    """How often each bit is 1, and each pair: (n,) and (n, n)."""
    both = np.zeros((data.shape[1],) * 2)
    for start in range(0, len(data), _CHUNK):
        chunk = data[start : start + _CHUNK].astype(np.float32)
        # At most 2^16 per chunk: exact in single precision, and the sum is in double.
        both += chunk.T @ chunk
    counts = both.astype(np.int64)
    return np.diagonal(counts).copy(), counts


def _means(plus: Whole | Array, n: int, error: float) -> tuple[Array, Array]:
    """Limits of a mean of +1 and -1, of which `plus` are +1; each side errs by error / 2."""
    low, high = clopper_pearson(plus, n, low_error=error / 2, high_error=error / 2)
    return 2 * low - 1, 2 * high - 1


def _product(a: tuple[Array, Array], b: tuple[Array, Array]) -> tuple[Array, Array]:
    corners = np.stack([a[i] * b[j] for i in (0, 1) for j in (0, 1)])
    return corners.min(axis=0), corners.max(axis=0)


def _limits(
    data: npt.NDArray[np.uint8], ones: Whole, both: Whole, error: float
) -> tuple[SourceLimit, SourceLimit, SourceLimit]:
    """Limits on bias, correlation and lag that hold at once."""
    shots, qubits = data.shape
    first, second = np.triu_indices(qubits, 1)
    each = error / (2 * qubits + len(first))
    single = _means(shots - ones, shots, each)
    z = 1 - 2 * ones / shots

    seen, high = np.abs(z) / 2, np.maximum(-single[0], single[1]) / 2
    bias = _largest(seen, high, [(i,) for i in range(qubits)])

    differ = ones[first] + ones[second] - 2 * both[first, second]
    pair = _means(shots - differ, shots, each)
    product = _product((single[0][first], single[1][first]), (single[0][second], single[1][second]))
    seen = np.abs(1 - 2 * differ / shots - z[first] * z[second])
    high = np.maximum(pair[1] - product[0], product[1] - pair[0])
    correlation = _largest(seen, high, list(zip(first.tolist(), second.tolist(), strict=True)))

    # Shots 0 and 1, 2 and 3, ...: pairs that share no shot are independent of each other.
    pairs = shots // 2
    changed = (data[0 : 2 * pairs : 2] != data[1 : 2 * pairs : 2]).sum(axis=0)
    later = _means(pairs - changed, pairs, each)
    # The same mean twice: its square lies between the squares of its limits, or above 0.
    square = _product(single, single)
    low = np.where(single[0] * single[1] < 0, 0.0, square[0])
    seen = np.abs(1 - 2 * changed / pairs - z**2)
    high = np.maximum(later[1] - low, square[1] - later[0])
    return bias, correlation, _largest(seen, high, [(i,) for i in range(qubits)])


def _largest(seen: Array, high: Array, where: list[tuple[int, ...]]) -> SourceLimit:
    if not len(seen):
        return SourceLimit(0.0, 0.0, ())
    return SourceLimit(float(seen.max()), float(high.max()), where[int(np.argmax(high))])


def _log10_p(table: list[list[int]]) -> float:
    return independence_log_p(np.array(table, dtype=np.int64))[0] / math.log(10)


def _shots_log10_p(data: npt.NDArray[np.uint8]) -> float:
    """log10 p, corrected, that no qubit depends on its last shot or drifts."""
    shots, qubits = data.shape
    half = shots // 2
    worst = 0.0
    for column in data.T:
        halves = [int(part.sum()) for part in (column[:half], column[half:])]
        worst = min(
            worst, _log10_p([[half - halves[0], halves[0]], [shots - half - halves[1], halves[1]]])
        )
        for phase in (0, 1):
            count = (shots - phase) // 2
            before = column[phase : phase + 2 * count : 2].astype(np.int64)
            after = column[phase + 1 : phase + 2 * count : 2]
            table = np.bincount(2 * before + after, minlength=4).reshape(2, 2)
            worst = min(worst, _log10_p(table.tolist()))
    return min(0.0, worst + math.log10(3 * qubits))


def _blocks_log10_p(ones: Whole, both: Whole, shots: int, block: Whole) -> float:
    """log10 p, corrected, that bits of different blocks are independent."""
    first, second = np.nonzero(block[:, None] < block[None, :])
    if not len(first):
        return 0.0
    a, b, ab = ones[first], ones[second], both[first, second]
    spread = np.sqrt(a * (shots - a) / shots**2 * (b * (shots - b) / shots**2))
    gap = np.abs(ab / shots - a / shots * (b / shots))
    score = np.divide(gap, spread, out=np.zeros_like(gap), where=spread > 0)
    worst = 0.0
    for i in np.argsort(-score)[:_TESTED]:
        x, y, z = int(a[i]), int(b[i]), int(ab[i])
        worst = min(worst, _log10_p([[shots - x - y + z, y - z], [x - z, z]]))
    return min(0.0, worst + math.log10(len(first)))
