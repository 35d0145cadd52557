"""What an eavesdropper's own record tells her of a raw key.

Her record is one value per round; P(a, e) for a round is known exactly in a simulation, so the
posterior of the raw key given her whole record is a product over rounds. It holds for attacks round
by round, which simulated ones are; a real eavesdropper need not attack so, and the key's length
never rests on this.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from ebit.analysis.binomial import check_count, check_probability
from ebit.games import ArgumentError

__all__ = [
    "EveKnowledge",
    "joint_tables",
    "knowledge",
    "posteriors",
    "record_entropies",
    "smooth_min_entropy",
]

Float = npt.NDArray[np.float64]
_POINTS = 1 << 14  # of a distribution of surprise


@dataclass(frozen=True)
class EveKnowledge:
    """What Eve holds about a raw key, and what that leaves of it.

    Attributes:
        n: bits of the raw key.
        right: share of the bits that her best guesses got right.
        expected_right: that share as her posterior expects it.
        information: (1 - H(A|E)) averaged over her record, in bits per bit.
        min_entropy: of the raw key given her record: -log2 of the chance that her best guess of
            the whole key is right.
        average_min_entropy: n times -log2 of the mean guessing probability, before her record is
            known.
        smooth_min_entropy: given her record, up to `epsilon`: no key has a larger posterior than 2
            to minus this, but for keys of total posterior `epsilon`.
        epsilon: of that.
        leak: bits announced: parities, verification.
        key_bits: length of the final key.
        margin: smooth_min_entropy - leak - key_bits.
        kept: whether the margin is not negative.
        assumptions: what this rests on.
    """

    n: int
    right: float
    expected_right: float
    information: float
    min_entropy: float
    average_min_entropy: float
    smooth_min_entropy: float
    epsilon: float
    leak: float
    key_bits: int
    margin: float
    kept: bool
    assumptions: tuple[str, ...] = (
        "Eve acts on each round alone and measures as simulated",
        "the table of her outcomes is exact (a simulation's)",
    )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {**asdict(self), "assumptions": list(self.assumptions)}

    def __str__(self) -> str:
        words = "the bound is kept" if self.kept else "THE BOUND IS NOT KEPT"
        return (
            f"Eve holds {self.information:.4f} bit per raw bit and guesses {100 * self.right:.2f} % "
            f"of {self.n} (expected {100 * self.expected_right:.2f} %); min-entropy given her record "
            f"{self.smooth_min_entropy:.1f} bits up to {self.epsilon:.2g} "
            f"({self.min_entropy:.1f} unsmoothed), minus {self.leak:.0f} leaked, against a key of "
            f"{self.key_bits}: {words}"
        )


def joint_tables(
    behaviour: npt.ArrayLike,
    *,
    middle: bool = False,
    errors: bool = False,
    flips: Sequence[int | None] | None = None,
) -> Float:
    """Return P(a, e) for every question from a round's exact behaviour: (Q, 2, E).

    Her record may be more than her own outcome: what a middle announced is public, and if messages of
    error correction go both ways she is given credit for knowing which of Bob's bits were wrong.

    Args:
        behaviour: (Q, 2, 2, E), or (Q, 2, 2, 4, E) with a middle, or without the last axis where
            there is no Eve: probabilities of Alice's bit, Bob's, the middle's and Eve's outcome, as
            `Experiment.behaviour` returns them.
        middle: whether there is one. Her record then is e = 4 * (her outcome) + (the middle's).
        errors: whether she knows where the bits differ; her record then is 2 e + (a xor b), b being
            Bob's bit after any flip.
        flips: with a middle and errors, per question the bit of the middle's outcome that flips Bob's
            bit, None where bits are not compared.

    Raises:
        ArgumentError: another shape, or flips that are missing.

    Example:
        >>> joint_tables(np.full((1, 2, 2), 0.25)).tolist()
        [[[0.5], [0.5]]]
        >>> joint_tables([[[0.4, 0.1], [0.1, 0.4]]], errors=True).tolist()
        [[[0.4, 0.1], [0.4, 0.1]]]

    Source: Tupkary, Luetkenhaus, arXiv:2307.00576, for the errors given to Eve.
    """
    table = np.array(behaviour, dtype=np.float64)
    axes = 3 + middle
    if table.ndim == axes:
        table = table[..., None]
    if table.ndim != axes + 1 or table.shape[1:3] != (2, 2) or (middle and table.shape[3] != 4):
        raise ArgumentError(
            f"Argument `behaviour` must have shape (Q, 2, 2{', 4' if middle else ''}) and an axis for "
            f"Eve if there is one, but had {table.shape}."
        )
    if middle:
        if errors and (flips is None or len(flips) != len(table)):
            raise ArgumentError(
                f"Argument `flips` must have one entry for each of {len(table)} questions, but was "
                f"{flips!r}."
            )
        for row, bit in zip(table, flips or () if errors else (), strict=False):
            for m in range(4):
                if bit is not None and (m >> bit) & 1:
                    row[:, :, m] = row[:, ::-1, m].copy()
        table = np.swapaxes(table, 3, 4).reshape(len(table), 2, 2, -1)
    if not errors:
        return np.asarray(table.sum(axis=2), dtype=np.float64)
    # (Q, a, E, difference)
    split = np.stack([table[:, (0, 1), (0, 1)], table[:, (0, 1), (1, 0)]], axis=-1)
    return np.asarray(split.reshape(len(table), 2, -1), dtype=np.float64)


def posteriors(table: npt.ArrayLike) -> Float:
    """Return P(a | e) from joint probabilities P(a, e), (..., 2, E) -> (..., E, 2).

    A record that never occurs tells nothing: 1/2.

    Raises:
        ArgumentError: not two rows of probabilities.

    Example:
        >>> posteriors([[0.4, 0.1], [0.1, 0.4]]).tolist()
        [[0.8, 0.2], [0.2, 0.8]]
    """
    joint = np.asarray(table, dtype=np.float64)
    if joint.ndim < 2 or joint.shape[-2] != 2 or not joint.min(initial=0.0) >= -1e-12:
        raise ArgumentError(
            f"Argument `table` must hold probabilities P(a, e) of shape (..., 2, E), but had shape "
            f"{joint.shape} and the minimum {joint.min(initial=0.0):.3g}."
        )
    joint = np.clip(joint, 0.0, None)
    total = joint.sum(axis=-2, keepdims=True)
    shares = np.where(total > 1e-15, joint / np.where(total > 1e-15, total, 1.0), 0.5)
    return np.asarray(np.swapaxes(shares, -1, -2), dtype=np.float64)


def record_entropies(table: npt.ArrayLike) -> tuple[float, float, float]:
    """Return (guessing probability, H_min(A|E), 1 - H(A|E)) of one round, before Eve's record.

    p_guess = sum_e max_a P(a, e), H_min = -log2 p_guess, H(A|E) = sum_e P(e) h(P(0|e)).

    Args:
        table: (2, E) joint probabilities P(a, e).

    Example:
        >>> [round(v, 6) for v in record_entropies([[0.5, 0.0, 0.0], [0.0, 0.25, 0.25]])]
        [1.0, -0.0, 1.0]

    Source: Koenig, Renner, Schaffner, IEEE Trans. Inf. Theory 55, 4337 (2009), for H_min.
    """
    joint = np.asarray(table, dtype=np.float64)
    shares = posteriors(joint)
    weight = joint.sum(axis=0)
    guess = float(weight @ shares.max(axis=1))
    return guess, -math.log2(guess), 1 - float(weight @ _entropy(shares))


def knowledge(
    bits: npt.ArrayLike,
    records: npt.ArrayLike,
    tables: npt.ArrayLike,
    *,
    leak: float,
    key_bits: int,
    which: npt.ArrayLike | None = None,
    epsilon: float = 1e-10,
) -> EveKnowledge:
    r"""Return what Eve's record of a run tells her of the raw key, and whether the bound is kept.

    .. math:: H_{min}(A^n | e^n) = -\sum_i \log_2 \max_a P(a | e_i),\quad
        l \le H_{min}^{\epsilon}(A^n | e^n) - leak

    Args:
        bits: (n,) Alice's raw key.
        records: (n,) Eve's outcome in those rounds.
        tables: (2, E) joint probabilities P(a, e) of a key round, or (K, 2, E) for several kinds of
            rounds (see `joint_tables`).
        leak: bits announced about the raw key.
        key_bits: length of the final key.
        which: (n,) kind of each round, for several.
        epsilon: of the smooth min-entropy, the secrecy of the key.

    Raises:
        ArgumentError: shapes that do not fit, a record that has no column.

    Example:
        >>> table = [[0.45, 0.05], [0.05, 0.45]]
        >>> found = knowledge([0, 1, 1, 0], [0, 1, 0, 0], table, leak=0, key_bits=0)
        >>> found.right, round(found.min_entropy, 6)
        (0.75, 0.608012)

    Source: R. Renner, PhD thesis, quant-ph/0512258, section 3.1 and 3.2.
    """
    raw = np.asarray(bits).astype(np.int64).ravel()
    seen = np.asarray(records).astype(np.int64).ravel()
    joint = np.asarray(tables, dtype=np.float64)
    joint = joint[None] if joint.ndim == 2 else joint
    kinds = np.zeros(len(raw), dtype=np.int64) if which is None else np.asarray(which).ravel()
    if not len(raw) == len(seen) == len(kinds):
        raise ArgumentError(
            f"Arguments `bits`, `records` and `which` must be of one length, but were of {len(raw)}, "
            f"{len(seen)} and {len(kinds)}."
        )
    shares = posteriors(joint)
    _inside("records", seen, shares.shape[1])
    _inside("bits", raw, 2)
    _inside("which", kinds, shares.shape[0])
    check_probability("epsilon", epsilon, open_ends=True)
    length = check_count("key_bits", key_bits)
    # Rounds with the same posterior are one group: there are few.
    counts = np.zeros(shares.shape[:2], dtype=np.int64)
    np.add.at(counts, (kinds, seen), 1)
    best = shares.max(axis=2)
    n = len(raw)
    right = np.argmax(shares, axis=2)[kinds, seen] == raw
    used = counts > 0
    smooth = smooth_min_entropy(best[used], counts[used], epsilon)
    per_kind = np.bincount(kinds, minlength=len(joint))
    average = sum(
        int(k) * record_entropies(table)[1] for k, table in zip(per_kind, joint, strict=True) if k
    )
    margin = smooth - leak - length
    return EveKnowledge(
        n=n,
        right=float(right.mean()) if n else 0.5,
        expected_right=float((counts * best).sum() / n) if n else 0.5,
        information=1 - float((counts * _entropy(shares)).sum() / n) if n else 0.0,
        min_entropy=float(-(counts[used] * np.log2(best[used])).sum()) + 0.0,
        average_min_entropy=float(average) + 0.0,
        smooth_min_entropy=smooth,
        epsilon=float(epsilon),
        leak=float(leak),
        key_bits=length,
        margin=float(margin),
        kept=bool(margin >= 0 or length == 0),
    )


def smooth_min_entropy(best: npt.ArrayLike, counts: npt.ArrayLike, epsilon: float) -> float:
    r"""Return the smooth min-entropy of independent bits, given how well each can be guessed.

    The surprise -log2 P(a^n) is a sum of independent values: log2(1/g), or log2(1/(1-g)) with
    probability 1 - g. The result is a value that it falls below with probability at most epsilon, so
    leaving out keys of that total probability bounds all others. Rounding is downwards; without
    room to leave anything out it is the plain min-entropy.

    Args:
        best: (K,) the probability g >= 1/2 of the likelier value, per group of bits.
        counts: (K,) how many bits each group has.
        epsilon: what may be left out.

    Raises:
        ArgumentError: a probability below 1/2 or above 1, or shapes that differ.

    Example:
        >>> smooth_min_entropy([0.5, 1.0], [100, 50], 1e-10)
        100.0
        >>> round(smooth_min_entropy([0.75], [1000], 1e-10), 1), round(1000 * 0.811278, 1)
        (679.7, 811.3)

    Source: R. Renner, S. Wolf, ASIACRYPT 2005, LNCS 3788, 199, for the smoothing.
    """
    g = np.asarray(best, dtype=np.float64).ravel()
    m = np.asarray(counts, dtype=np.int64).ravel()
    if g.shape != m.shape or (g.size and not (g.min() >= 0.5 - 1e-12 and g.max() <= 1 + 1e-12)):
        raise ArgumentError(
            "Argument `best` must hold a probability from 1/2 to 1 for each of `counts`, but was "
            f"{g.tolist()[:8]} for {m.tolist()[:8]}."
        )
    g = np.clip(g, 0.5, 1.0)
    floor = float(-(m * np.log2(g)).sum()) + 0.0
    lost, parts = 0.0, []
    for p, k in zip(g.tolist(), m.tolist(), strict=True):
        # A bit that is all but sure counts as sure, a fair one has one surprise only.
        if 1 - p < 1e-12 or p - 0.5 < 1e-12 or not k:
            continue
        least, gain, mass = _window(p, k, epsilon)
        lost += least
        parts.append((gain, mass))
    values, chances = _summed(parts)
    below = lost + np.concatenate([[0.0], np.cumsum(chances)[:-1]])
    allowed = values[below <= epsilon]
    return floor + float(allowed.max(initial=0.0))


def _window(p: float, k: int, epsilon: float) -> tuple[float, Float, Float]:
    """What unlikely values add to the surprise of k bits: mass left out below, gains, their mass.

    The gains reach sqrt(2 k q ln(1e6/epsilon)) below the mean, beyond which lies less than
    epsilon / 1e6 (Chernoff); what lies above the last gain is put on it, which rounds downwards.
    """
    q = 1 - p
    reach = math.sqrt(2 * k * q * math.log(1e6 / epsilon))
    low = max(0, math.floor(k * q - reach))
    high = min(k, math.ceil(k * q + reach) + 40)
    times = np.arange(low, high + 1)
    mass = np.asarray(stats.binom.pmf(times, k, q), dtype=np.float64)
    mass[-1] += float(stats.binom.sf(high, k, q))
    least = float(stats.binom.cdf(low - 1, k, q)) if low else 0.0
    gain = np.asarray(times * (math.log2(p) - math.log2(q)), dtype=np.float64)
    return least, gain, mass


def _summed(parts: list[tuple[Float, Float]]) -> tuple[Float, Float]:
    """The distribution of a sum of independent values, ascending, rounded downwards.

    Exact where there are few points; otherwise on a grid of 2^14 steps, each value losing less than
    a step.
    """
    if math.prod(len(gain) for gain, _ in parts) <= _POINTS:
        values, chances = np.zeros(1), np.ones(1)
        for gain, mass in parts:
            values = (values[:, None] + gain[None, :]).ravel()
            chances = (chances[:, None] * mass[None, :]).ravel()
        order = np.argsort(values, kind="stable")
        return values[order], chances[order]
    step = sum(float(gain[-1] - gain[0]) for gain, _ in parts) / _POINTS
    start, total = 0.0, np.ones(1)
    for gain, mass in parts:
        start += float(gain[0])
        cell = np.floor((gain - gain[0]) / step).astype(np.int64)
        total = np.convolve(total, np.bincount(cell, weights=mass))
    return np.asarray(start + step * np.arange(len(total)), dtype=np.float64), total


def _entropy(shares: Float) -> Float:
    safe = np.clip(shares, 1e-300, 1.0)
    return np.asarray(-(shares * np.log2(safe)).sum(axis=-1), dtype=np.float64)


def _inside(name: str, values: npt.NDArray[np.int64], size: int) -> None:
    if values.size and not (values.min() >= 0 and values.max() < size):
        raise ArgumentError(
            f"Argument `{name}` must hold numbers from 0 to {size - 1}, but had "
            f"{int(values.min())} to {int(values.max())}."
        )
