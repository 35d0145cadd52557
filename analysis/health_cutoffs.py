"""Cut-offs of the health tests of SP 800-90B section 4.4, and the record of what they saw."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from ebit.analysis.binomial import check_count, log_upper_tail
from ebit.games import ArgumentError

__all__ = ["ALPHA", "Cutoffs", "HealthRecord", "cutoffs"]

ALPHA = 2.0**-20


@dataclass(frozen=True)
class Cutoffs:
    """How often is too often.

    Attributes:
        bits: per sample.
        claim: min-entropy claimed per sample.
        alpha: chance of a false alarm, per sample or window.
        repetition: so many equal samples in a row fail.
        proportion: so many samples equal to the window's first, itself included, fail.
        window: samples per window.
    """

    bits: int
    claim: float
    alpha: float
    repetition: int
    proportion: int
    window: int

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "bits_per_symbol": self.bits,
            "claim": self.claim,
            "alpha": self.alpha,
            "repetition": self.repetition,
            "proportion": self.proportion,
            "window": self.window,
        }


def cutoffs(
    claim: float, bits: int = 1, *, alpha: float = ALPHA, window: int | None = None
) -> Cutoffs:
    r"""Return the cut-offs of both tests for a claimed min-entropy H per sample.

    .. math::
        C_\text{rep} = 1 + \lceil -\log_2 \alpha / H \rceil, \qquad
        C_\text{prop} = 1 + \min\{k : P(\mathrm{Bin}(W, 2^{-H}) \le k) \ge 1 - \alpha\}

    Args:
        claim: H, above 0 and at most ``bits``.
        bits: per symbol, 1 to 8.
        alpha: false-alarm probability; the standard recommends 2^-20 to 2^-40.
        window: W; the standard's 1024 for one bit and 512 otherwise, if left out.

    Raises:
        ArgumentError: claim, bits, alpha or window out of range.

    Example:
        >>> found = cutoffs(1), cutoffs(0.5)
        >>> [(c.repetition, c.proportion) for c in found]
        [(21, 589), (41, 793)]

    Source: SP 800-90B, 4.4.1 and 4.4.2 (footnote 10 for the binomial).
    """
    bits = check_count("bits", bits, low=1, high=8)
    if not 0 < claim <= bits:
        raise ArgumentError(
            f"The claimed min-entropy must be above 0 and at most {bits}, the bits of a symbol, "
            f"but was {claim}."
        )
    if not 0 < alpha < 1:
        raise ArgumentError(f"Argument `alpha` must lie strictly between 0 and 1, but was {alpha}.")
    size = check_count("window", (1024 if bits == 1 else 512) if window is None else window, low=2)
    p = 2.0**-claim
    level = math.log(alpha)
    k = int(stats.binom.isf(alpha, size, p))
    while k < size and log_upper_tail(k + 1, size, p) > level:
        k += 1
    while k > 0 and log_upper_tail(k, size, p) <= level:
        k -= 1
    # The rounding guards against -log2(alpha)/H just above a whole number.
    repetition = 1 + math.ceil(round(-math.log2(alpha) / claim, 9))
    return Cutoffs(bits, float(claim), alpha, repetition, k + 1, size)


@dataclass(frozen=True)
class HealthRecord:
    """What the tests have seen.

    Attributes:
        samples: gone through.
        cutoffs: in force.
        longest_run: most equal samples in a row.
        largest_count: most samples of a window equal to its first.
        runs: ``runs[k]`` runs of k equal samples have ended or failed; the last entry holds longer ones too.
        windows: ``windows[k]`` windows have ended or failed with k samples equal to their first.
        failure: the line of the test that failed, or None.
        failed_at: its sample, or None.
    """

    samples: int
    cutoffs: Cutoffs
    longest_run: int
    largest_count: int
    runs: tuple[int, ...]
    windows: tuple[int, ...]
    failure: str | None
    failed_at: int | None

    @property
    def passed(self) -> bool:
        """Whether no test has failed."""
        return self.failure is None

    @property
    def ideal_runs(self) -> npt.NDArray[np.float64]:
        """Runs of k equal samples that as many ideal samples have on average, by k."""
        q = 2.0**-self.cutoffs.bits
        found = self.samples * (1 - q) ** 2 * q ** (np.arange(len(self.runs)) - 1.0)
        found[0] = 0
        return np.asarray(found, np.float64)

    @property
    def ideal_windows(self) -> npt.NDArray[np.float64]:
        """Windows with k samples equal to their first that ideal samples have on average, by k."""
        c = self.cutoffs
        chance = stats.binom.pmf(np.arange(len(self.windows)) - 1, c.window - 1, 2.0**-c.bits)
        return np.asarray(chance * (self.samples // c.window), np.float64)

    def __str__(self) -> str:
        c = self.cutoffs
        verdict = "passed" if self.passed else f"FAILED: {self.failure}"
        return (
            f"health tests on {self.samples} samples: {verdict}\n"
            f"  claim: {c.claim:g} bits of min-entropy per sample, false alarms at "
            f"2^{math.log2(c.alpha):g} per sample\n"
            f"  repetition count: at most {self.longest_run} equal in a row (cut-off "
            f"{c.repetition})\n"
            f"  adaptive proportion: at most {self.largest_count} of {c.window} equal to the "
            f"window's first (cut-off {c.proportion})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the histograms as plain data."""
        return {
            "passed": self.passed,
            "samples": self.samples,
            "cutoffs": self.cutoffs.to_dict(),
            "longest_run": self.longest_run,
            "largest_count": self.largest_count,
            "failure": self.failure,
            "failed_at": self.failed_at,
        }
