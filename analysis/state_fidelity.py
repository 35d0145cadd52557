"""What rounds of the tests of a state say: its fidelity, the interval, the pass rates."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from ebit.analysis.binomial import PValue, clopper_pearson
from ebit.analysis.intervals import Interval, mean_interval, sum_interval, sum_tail
from ebit.analysis.state_bounds import BoundedMeans, StabiliserSample
from ebit.analysis.state_result import PassRate
from ebit.analysis.state_targets import Target
from ebit.games import ArgumentError, Trials

__all__ = ["STRONG", "Asked", "Found", "asked_of", "from_stabilisers", "from_w"]

STRONG = 1e-6
_LETTERS = "XYZI"


@dataclass(frozen=True, eq=False)
class Asked:
    """What was measured, one row per Pauli string, and how often each answer came."""

    letters: npt.NDArray[np.int64]  # (U, n)
    question: npt.NDArray[np.intp]  # (C,) row of each cell
    answers: npt.NDArray[np.int64]  # (C, n)
    times: npt.NDArray[np.int64]  # (C,)

    def name(self, row: int) -> str:
        """Return the Pauli letters of a row."""
        return "".join(_LETTERS[k] for k in self.letters[row])

    def total(self, values: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
        """Sum a number per cell over the rounds of each row."""
        sums = np.bincount(self.question, self.times * values, len(self.letters))
        return np.asarray(sums, dtype=np.float64)


@dataclass(frozen=True)
class Found:
    """A fidelity and what its interval rests on."""

    value: float
    interval: Interval
    tails: tuple[PValue, ...]
    rates: tuple[PassRate, ...]
    source: str
    fault: str = ""


def asked_of(trials: Trials, aim: Target) -> Asked:
    """Group the rounds by question and answer, without a table of all that could be asked."""
    n = aim.n
    if trials.n_parties != n:
        raise ArgumentError(
            f"state {aim.name} has {n} qubits, but the rounds have {trials.n_parties} parties"
        )
    if max(trials.outcomes) > 2 or max(trials.settings) > 4:
        raise ArgumentError(
            f"rounds of state {aim.name} must have settings X, Y, Z, nothing (0 to 3) and two "
            f"outcomes, but have {trials.settings} settings and {trials.outcomes} outcomes"
        )
    shape = (*trials.settings, *trials.outcomes)
    if trials.cells is not None:
        cells, times = np.unique(trials.cells, return_counts=True)
    else:
        flat = trials.counts.ravel()
        cells = np.flatnonzero(flat)
        times = flat[cells]
    columns = np.stack(np.unravel_index(cells.astype(np.int64), shape), axis=1)
    letters, question = np.unique(columns[:, :n], axis=0, return_inverse=True)
    return Asked(letters, question.reshape(-1), columns[:, n:], times.astype(np.int64))


def from_stabilisers(
    asked: Asked, aim: Target, level: float, bounds: list[float], *, sampled: bool
) -> Found:
    """Average the stabilisers of a GHZ, graph or Bell state; the identity is known to pass."""
    signs = aim.signs(asked.letters)
    if (signs == 0).any():
        row = int(np.argmin(np.abs(signs)))
        raise ArgumentError(
            f"rounds must ask stabilisers of {aim.name}, but some ask {asked.name(int(row))}, "
            "which is none"
        )
    counted = asked.letters[asked.question] != 3
    parity = (asked.answers * counted).sum(axis=1) % 2
    passed = asked.total(parity == (1 - signs[asked.question]) // 2)
    shots = asked.total(np.ones_like(parity))
    kept = np.flatnonzero((asked.letters != 3).any(axis=1))
    if not len(kept):
        raise ArgumentError(f"rounds must ask stabilisers of {aim.name}, not the identity alone")
    k, n = passed[kept], shots[kept]
    names = [("-" if signs[row] < 0 else "+") + asked.name(row) for row in kept.tolist()]
    size = 2**aim.n
    source = "Toth and Guehne, PRA 72, 022340 (2005): the mean of all stabilisers"
    if len(kept) == size - 1:
        weights, shift = np.full(len(k), 2 / size), (2 - size) / size
        interval = sum_interval(k, n, weights, level).affine(1, shift)
        tails = tuple(sum_tail(k, n, weights, b - shift) for b in bounds)
        strong = sum_interval(k, n, weights, 1 - STRONG).low + shift
        value = shift + float(weights @ (k / n))
    elif sampled:
        sample = StabiliserSample(k, n, aim.n)
        interval, value = sample.interval(level), sample.estimate
        tails = tuple(sample.tail(b) for b in bounds)
        strong = sample.interval(1 - STRONG).low
    else:
        raise ArgumentError(
            f"rounds must ask all {size - 1} stabilisers of {aim.name}, but ask {len(kept)}; if "
            "these were drawn at random before the run, say so (sampled=True)"
        )
    interval = Interval(max(interval.low, 0.0), min(interval.high, 1.0), level, interval.method)
    rates = _rates(names, k, n, level)
    return Found(value, interval, tails, rates, source, _inconsistent(names, k, n, strong))


def _inconsistent(
    names: list[str], k: npt.NDArray[np.float64], n: npt.NDArray[np.float64], low: float
) -> str:
    """Say which stabiliser passes less often than the fidelity, which no state allows."""
    _, high = clopper_pearson(k, n, low_error=STRONG / 2, high_error=STRONG / (2 * len(k)))
    worst = int(np.argmin(high))
    if high[worst] >= low:
        return ""
    return (
        f"{names[worst]} passes at a rate of at most {high[worst]:.4f}, but the others together ask "
        f"for a fidelity of at least {low:.4f}, and a state passes each stabiliser at least that "
        f"often (level {STRONG:g})"
    )


def from_w(asked: Asked, aim: Target, level: float, bounds: list[float]) -> Found:
    """Add up the populations and coherences of a W state; units of 1/(2n) throughout."""
    n = aim.n
    wanted = [(2,) * n] + [
        tuple(letter if i in pair else 2 for i in range(n))
        for pair in combinations(range(n), 2)
        for letter in (0, 1)
    ]
    place = {tuple(row): i for i, row in enumerate(asked.letters.tolist())}
    for row in place:
        if row not in wanted:
            raise ArgumentError(
                f"rounds of {aim.name} must measure Z on all qubits, or X or Y on two and Z on "
                f"the rest, but some ask {''.join(_LETTERS[s] for s in row)}"
            )
    missing = [row for row in wanted if row not in place]
    if missing:
        raise ArgumentError(
            f"rounds of {aim.name} must ask all {len(wanted)} questions, but never ask "
            f"{''.join(_LETTERS[s] for s in missing[0])}"
        )
    in_z = asked.letters[asked.question] == 2
    rest = (asked.answers * in_z).sum(axis=1)
    pair_sum = (asked.answers * ~in_z).sum(axis=1)
    all_z = in_z.all(axis=1)
    value = np.where(all_z, 2 * (rest == 1), np.where(rest > 0, 0, 1 - 2 * (pair_sum % 2)))
    values = np.array([-1, 0, 1, 2])
    order = [place[row] for row in wanted]
    counts = np.stack([asked.total(value == v) for v in values], axis=1)[order]
    is_z = np.arange(len(wanted)) == 0
    centre = np.where(is_z, 2.0, 2 / n)
    # Spread of a W state mixed with a fifth of white noise.
    noisy, nonzero = 0.8 + 0.2 * n / 2**n, 0.8 * 2 / n + 0.2 * 4 / 2**n
    spread = np.where(is_z, 4 * noisy * (1 - noisy), nonzero - (0.8 * centre) ** 2)
    allowed = np.where(is_z[:, None], [False, True, False, True], [True, True, True, False])
    means = BoundedMeans(values.astype(np.float64), counts, allowed, centre, spread, 1 / (2 * n))
    error = (1 - level) / 2
    interval = means.interval(level)
    # In Z a W state has one 1; in X or Y the two agree unless another qubit reads 1.
    passed = np.where(is_z, counts[:, 3], counts[:, 1] + counts[:, 2])
    shots = counts.sum(axis=1)
    names = ["".join(_LETTERS[s] for s in row) for row in wanted]
    return Found(
        means.estimate,
        interval,
        tuple(means.tail(b, error) for b in bounds),
        _rates(names, passed, shots, level),
        "populations and coherences of W, ebit.circuits.w_fidelity",
    )


def _rates(
    names: list[str],
    passed: npt.NDArray[np.float64],
    shots: npt.NDArray[np.float64],
    level: float,
) -> tuple[PassRate, ...]:
    return tuple(
        PassRate(name, float(k / n), mean_interval(int(k), int(n), level), int(n))
        for name, k, n in zip(names, passed, shots, strict=True)
    )
