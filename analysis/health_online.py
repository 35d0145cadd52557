"""Health tests of SP 800-90B section 4.4 on a running stream: repetition count, proportion."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from ebit.analysis.binomial import check_count
from ebit.analysis.health_cutoffs import ALPHA, HealthRecord, cutoffs
from ebit.analysis.health_estimate import as_symbols
from ebit.games import ArgumentError, RefusedError

__all__ = ["HealthFailure", "HealthTests"]

_STARTUP = 1024
_REPETITION, _PROPORTION = 1, 2
_NAMES = {_REPETITION: "repetition count test", _PROPORTION: "adaptive proportion test"}

Samples = npt.NDArray[np.uint8]


class HealthFailure(RefusedError):
    """A health test failed: nothing more comes out of this stream.

    Attributes:
        test: "repetition count test" or "adaptive proportion test".
        position: the sample, counted from 0, at which it failed.
        value: the symbol that came too often.
        count: how often. cutoff: the number that fails.
    """

    def __init__(self, test: str, position: int, value: int, count: int, cutoff: int) -> None:
        how = "in a row" if test == _NAMES[_REPETITION] else "within its window"
        super().__init__(
            f"the {test} failed at sample {position}: symbol {value} came {count} times {how} "
            f"(cut-off {cutoff}); nothing after it may be used"
        )
        self.test, self.position, self.value = test, position, value
        self.count, self.cutoff = count, cutoff


# Positions in the state: the run, the window, and what was seen so far.
_LAST, _RUN, _FIRST, _COUNT, _INSIDE, _SEEN, _FAILED, _LONGEST = range(8)
_LONG = 4096  # longer runs are counted as this long
_NEVER = 1 << 62


@njit(cache=True)
def _watch(data, n, packed, state, limits, runs, windows):  # type: ignore[no-untyped-def]
    """Go through n samples and stop at the first failure.

    Without branches on the data, whose bits no processor predicts.
    """
    last, run, first, count = state[0], state[1], state[2], state[3]
    inside, failed = state[4], 0
    repetition, proportion, window = limits[0], limits[1], limits[2]
    long, longest = runs.size - 1, state[7]
    i = 0
    while i < n and failed == 0:
        if inside == 0:
            first = np.int64((data[i >> 3] >> (7 - (i & 7))) & 1) if packed else np.int64(data[i])
            count = 0
        stop = min(n, i + window - inside)
        inside += stop - i
        while i < stop:
            x = np.int64((data[i >> 3] >> (7 - (i & 7))) & 1) if packed else np.int64(data[i])
            i += 1
            same = np.int64(x == last)
            runs[min(run, long)] += 1 - same
            run = run * same + 1
            longest = max(longest, run)
            last = x
            count += np.int64(x == first)
            if run >= repetition or count >= proportion:
                failed = 1 if run >= repetition else 2
                runs[min(run, long)] += failed == 1
                windows[count] += failed == 2
                inside -= stop - i
                break
        if inside == window and failed == 0:
            windows[count] += 1
            inside = 0
    runs[0] = 0  # the run before the first sample
    state[0], state[1], state[2], state[3] = last, run, first, count
    state[4], state[6], state[7] = inside, failed, longest
    state[5] += i


class HealthTests:
    """Both tests on a stream that comes in pieces, with the start-up test; a failure is final.

    However the stream is cut, the outcome is that of one piece. Windows of the proportion test
    follow each other without overlap. The first samples are held back until they have passed.

    Args:
        claim: min-entropy per sample, above 0 and at most ``bits``.
        bits: per symbol, 1 to 8.
        alpha: false-alarm probability.
        window: of the proportion test; the standard's if left out.
        startup: samples that must pass before any comes out; at least 1024.

    Raises:
        ArgumentError: an argument out of range.

    Example:
        >>> tests = HealthTests(claim=1.0)
        >>> tests.feed(np.random.default_rng(1).integers(0, 2, 1000)).size  # still starting up
        0
        >>> tests.feed(np.random.default_rng(2).integers(0, 2, 1000)).size
        2000
        >>> tests.feed(np.zeros(21, np.uint8))
        Traceback (most recent call last):
        ...
        ebit.analysis.health_online.HealthFailure: the repetition count test failed at sample ...

    Source: SP 800-90B, 4.3 and 4.4.
    """

    def __init__(
        self,
        claim: float,
        bits: int = 1,
        *,
        alpha: float = ALPHA,
        window: int | None = None,
        startup: int = _STARTUP,
    ) -> None:
        self.cutoffs = cutoffs(claim, bits, alpha=alpha, window=window)
        self.bits = bits
        self.startup = check_count("startup", startup, low=_STARTUP)
        self._state = np.zeros(8, np.int64)
        self._state[_LAST] = -1
        limits = self.cutoffs.repetition, self.cutoffs.proportion, self.cutoffs.window
        self._limits = np.array([min(limit, _NEVER) for limit in limits], np.int64)
        self._runs = np.zeros(min(self.cutoffs.repetition, _LONG) + 1, np.int64)
        self._windows = np.zeros(self.cutoffs.window + 1, np.int64)
        self._held: list[Samples] = []
        self._failure: HealthFailure | None = None

    def feed(self, samples: npt.ArrayLike) -> Samples:
        """Test the next samples and return those that may be used.

        Args:
            samples: symbols, shape (n,); n may be 0.

        Returns:
            Nothing until the start-up test has passed; then also what was held back.

        Raises:
            HealthFailure: now or before; no sample of this piece may be used.
            ArgumentError: a symbol of the wrong size.
        """
        if np.size(samples) == 0:
            self._stop()
            return np.empty(0, np.uint8)
        symbols = as_symbols(samples, self.bits)
        self._run(symbols, symbols.size, packed=False)
        return self._released(symbols)

    def feed_packed(self, data: npt.NDArray[np.uint8], count: int | None = None) -> None:
        """Test bits packed eight to a byte, the highest first, without unpacking them.

        For one bit per symbol. Nothing is held back: the caller waits for `started`.

        Args:
            data: bytes, shape (m,). count: bits, at most 8 m; all, if left out. A piece that is not
                the last should hold whole bytes.

        Raises:
            HealthFailure: now or before.
            ArgumentError: more than one bit per symbol, or count out of range.
        """
        if self.bits != 1:
            raise ArgumentError(
                f"Packed bits need 1 bit per symbol, but these tests have {self.bits}."
            )
        if data.dtype != np.uint8 or data.ndim != 1:
            raise ArgumentError(
                f"Argument `data` must be bytes (uint8) in a row, but was {data.dtype} of shape "
                f"{data.shape}."
            )
        n = check_count("count", 8 * data.size if count is None else count, high=8 * data.size)
        self._run(np.ascontiguousarray(data), n, packed=True)

    @property
    def started(self) -> bool:
        """Whether the start-up samples have come and passed."""
        return self._failure is None and int(self._state[_SEEN]) >= self.startup

    @property
    def record(self) -> HealthRecord:
        """What has been seen so far."""
        whole = np.flatnonzero(self._windows)
        return HealthRecord(
            samples=int(self._state[_SEEN]),
            cutoffs=self.cutoffs,
            longest_run=int(self._state[_LONGEST]),
            largest_count=max(int(whole[-1]) if whole.size else 0, int(self._state[_COUNT])),
            runs=tuple(self._runs.tolist()),
            windows=tuple(self._windows.tolist()),
            failure=None if self._failure is None else str(self._failure),
            failed_at=None if self._failure is None else self._failure.position,
        )

    def _stop(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _run(self, data: Samples, n: int, *, packed: bool) -> None:
        self._stop()
        _watch(data, n, packed, self._state, self._limits, self._runs, self._windows)
        failed = int(self._state[_FAILED])
        if not failed:
            return
        value, count, limit = (
            (_LAST, _RUN, self.cutoffs.repetition)
            if failed == _REPETITION
            else (_FIRST, _COUNT, self.cutoffs.proportion)
        )
        self._held.clear()
        self._failure = HealthFailure(
            _NAMES[failed],
            int(self._state[_SEEN]) - 1,
            int(self._state[value]),
            int(self._state[count]),
            limit,
        )
        raise self._failure

    def _released(self, symbols: Samples) -> Samples:
        if not self.started:
            self._held.append(symbols.copy())
            return np.empty(0, np.uint8)
        if self._held:
            symbols = np.concatenate([*self._held, symbols])
            self._held.clear()
        return symbols
