"""One answer about a stretch of samples: health tests, entropy estimates, and the IID tests."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ebit.analysis.binomial import check_count
from ebit.analysis.health_cutoffs import HealthRecord
from ebit.analysis.health_estimate import Progress, as_symbols, estimate_entropy
from ebit.analysis.health_iid import iid_tests
from ebit.analysis.health_iid_result import IidResult
from ebit.analysis.health_online import HealthFailure, HealthTests
from ebit.analysis.health_result import NOT_GIVEN, EntropyEstimate
from ebit.games import RefusedError

__all__ = ["HealthReport", "health_report", "stretch_alpha", "watch"]


@dataclass(frozen=True)
class HealthReport:
    """What is known about the health of a stretch of samples.

    Attributes:
        samples: in all.
        bits: per symbol.
        health: the online tests, over everything up to the first failure.
        entropy: the estimates, over the first ``entropy.samples``.
        iid: the IID tests over the same samples, if they were asked for.
        notes: what the reader should know.
    """

    samples: int
    bits: int
    health: HealthRecord
    entropy: EntropyEstimate
    iid: IidResult | None = None
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the online tests passed; estimates have no verdict."""
        return self.health.passed

    def __str__(self) -> str:
        parts = [str(self.health), str(self.entropy)]
        if self.iid is not None:
            parts.append(str(self.iid))
        said = f"  {NOT_GIVEN}"
        lines = [line for line in "\n".join(parts).split("\n") if line != said]
        return "\n".join([*lines, *self.notes, NOT_GIVEN])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "samples": self.samples,
            "bits_per_symbol": self.bits,
            "passed": self.passed,
            "min_entropy": self.entropy.min_entropy,
            "min_entropy_per_bit": self.entropy.per_bit,
            "health": self.health.to_dict(),
            "entropy": self.entropy.to_dict(),
            "iid": None if self.iid is None else self.iid.to_dict(),
            "notes": list(self.notes),
            "not_given": [NOT_GIVEN],
        }


def stretch_alpha(n: int) -> float:
    """Return a false-alarm rate per sample that suits a test of n samples in one go.

    At 2^-20 a sample, a million good bits fail about four times in ten. This is 2^-20 for the
    whole stretch, within the 2^-20 to 2^-40 per sample that SP 800-90B recommends.

    Example:
        >>> [round(math.log2(stretch_alpha(n))) for n in (1, 1_000, 10**9)]
        [-20, -30, -40]
    """
    return 2.0 ** -min(20 + math.ceil(math.log2(max(n, 1))), 40)


def watch(tests: HealthTests, pieces: Iterable[npt.NDArray[np.uint8]]) -> HealthRecord:
    """Feed pieces until they end or a test fails, and return the record of either."""
    try:
        for piece in pieces:
            tests.feed(piece)
    except HealthFailure:
        pass
    return tests.record


def health_report(
    samples: npt.ArrayLike,
    bits: int = 1,
    *,
    claim: float | None = None,
    alpha: float | None = None,
    first: int = 1_000_000,
    iid: bool = False,
    permutations: int = 10_000,
    seed: int = 0,
    health: HealthRecord | None = None,
    total: int | None = None,
    progress: Progress | None = None,
) -> HealthReport:
    """Run the online tests over all samples, and the estimators over the first of them.

    Args:
        samples: symbols from 0 to 2^bits - 1, shape (n,).
        bits: bits per symbol, 1 to 8.
        claim: min-entropy per sample that the online tests hold against; ``bits``, if left out.
        alpha: their false-alarm rate per sample; `stretch_alpha` of n, if left out.
        first: samples for the estimators.
        iid: whether to run the IID tests too. permutations, seed: of them.
        health: what the online tests found, if they ran already (over a stream).
        total: samples in all, where ``samples`` is their beginning.
        progress: called with (done, total).

    Raises:
        ArgumentError: an argument out of range, a symbol of the wrong size, or too few samples.
        RefusedError: all samples are equal.

    Example:
        >>> bits = np.random.default_rng(1).integers(0, 2, 20_000)
        >>> report = health_report(bits)
        >>> report.passed, report.health.cutoffs.repetition
        (True, 36)

    Source:
        NIST SP 800-90B (2018), sections 4.4, 5 and 6.3.
    """
    symbols = as_symbols(samples, bits)
    first = check_count("first", first, low=1)
    n = symbols.size if total is None else total
    if health is None:
        rate = stretch_alpha(n) if alpha is None else alpha
        health = watch(HealthTests(bits if claim is None else claim, bits, alpha=rate), [symbols])
    used = symbols[:first]
    if used.min() == used.max():
        failed = "" if health.failure is None else f"; {health.failure}"
        raise RefusedError(f"all {used.size} samples are {used[0]}: there is no entropy{failed}")
    entropy = estimate_entropy(used, bits, progress=progress)
    tests = (
        iid_tests(used, bits, permutations=permutations, seed=seed, progress=progress)
        if iid
        else None
    )
    notes: tuple[str, ...] = ()
    if used.size < n:
        what = "The estimates and the IID tests" if iid else "The estimates"
        notes = (f"{what} are of the first {used.size} of {n} samples; the health tests of all.",)
    return HealthReport(n, bits, health, entropy, tests, notes)
