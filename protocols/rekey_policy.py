"""When a key is old: after so long, so many bytes, or an alarm."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from ebit.games import ArgumentError

__all__ = ["RekeyMeter", "RekeyPolicy"]


@dataclass(frozen=True)
class RekeyPolicy:
    """How long a key may serve.

    Attributes:
        seconds: age at which it is refreshed, None for any age.
        bytes: how much it may protect, None for any amount.
        on_alarm: whether an alarm ends it.

    Raises:
        ArgumentError: a limit that is not positive, or no limit at all.

    Example:
        >>> RekeyPolicy(seconds=60, bytes=10**9).due(seconds=61, bytes=0)
        'time: 61 s of 60 s'
        >>> RekeyPolicy.of("seconds=3600,alarm").due(seconds=5, bytes=0, alarm="QBER 9 %")
        'alarm: QBER 9 %'
    """

    seconds: float | None = None
    bytes: int | None = None
    on_alarm: bool = True

    def __post_init__(self) -> None:
        for name, limit in (("seconds", self.seconds), ("bytes", self.bytes)):
            if limit is not None and not (limit > 0 and math.isfinite(limit)):
                raise ArgumentError(f"{name} of a policy must be positive, but was {limit}")
        if self.seconds is None and self.bytes is None and not self.on_alarm:
            raise ArgumentError(
                "a policy must have seconds, bytes or on_alarm, but had none of them"
            )

    @classmethod
    def of(cls, text: str) -> RekeyPolicy:
        """Read a policy such as ``seconds=3600,bytes=1e9,alarm``; what is left out sets no limit.

        Raises:
            ArgumentError: anything else.
        """
        limits: dict[str, float] = {}
        alarm = False
        for part in text.split(","):
            name, equals, value = part.strip().partition("=")
            if name == "alarm" and not equals:
                alarm = True
                continue
            try:
                limits[name] = float(value)
            except ValueError:
                limits[name] = math.nan
            if name not in ("seconds", "bytes") or math.isnan(limits[name]):
                raise ArgumentError(
                    f"a policy must be like seconds=3600,bytes=1e9,alarm, but had {part.strip()!r}"
                )
        most = limits.get("bytes")
        if most is not None and not math.isfinite(most):
            raise ArgumentError(f"bytes of a policy must be positive, but was {most}")
        return cls(limits.get("seconds"), None if most is None else int(most), alarm)

    def due(self, *, seconds: float, bytes: int, alarm: str = "") -> str:
        """Return why a key of this age and use must be refreshed, or nothing if it need not."""
        if self.on_alarm and alarm:
            return f"alarm: {alarm}"
        if self.bytes is not None and bytes >= self.bytes:
            return f"bytes: {bytes:,} of {self.bytes:,}"
        if self.seconds is not None and seconds >= self.seconds:
            return f"time: {seconds:.4g} s of {self.seconds:.4g} s"
        return ""


class RekeyMeter:
    """How long the present key has served, and what for.

    Args:
        policy: what is enough.
        clock: seconds; the system's monotonic clock if left out.

    Example:
        >>> meter = RekeyMeter(RekeyPolicy(bytes=1000))
        >>> meter.spend(600); meter.due()
        ''
        >>> meter.spend(600); meter.due()
        'bytes: 1,200 of 1,000'
        >>> meter.refreshed(); meter.due()
        ''
    """

    def __init__(self, policy: RekeyPolicy, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.policy = policy
        self._clock = clock
        self.refreshed()

    def spend(self, bytes: int) -> None:
        """Count bytes that the key protects."""
        if bytes < 0:
            raise ArgumentError(f"bytes must not be negative, but was {bytes}")
        self._bytes += bytes

    def alarm(self, words: str) -> None:
        """Note an alarm: a rise of the error rate, a refused certificate, a lost device."""
        self._alarm = words or "an alarm"

    def due(self) -> str:
        """Return why the key must be refreshed now, or nothing."""
        age = self._clock() - self._began
        return self.policy.due(seconds=age, bytes=self._bytes, alarm=self._alarm)

    def left(self) -> float:
        """Return the seconds until the key's time is up; infinite without such a limit."""
        if self.policy.seconds is None:
            return math.inf
        return max(0.0, self.policy.seconds - (self._clock() - self._began))

    def refreshed(self) -> None:
        """Begin anew, with a new key."""
        self._began, self._bytes, self._alarm = self._clock(), 0, ""
