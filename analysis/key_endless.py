"""Key rates of endless runs as results, with noise and the weight of the CHSH terms chosen or given."""

from __future__ import annotations

from typing import Literal

from ebit.analysis.key_asymptotic import (
    MOST_S,
    bb84_rate,
    best_noise,
    binary_entropy,
    chsh_rate,
    conference_rate,
    flipped,
    highest,
    six_state_rate,
    threshold,
)
from ebit.analysis.key_rate_result import ASSUMPTIONS, NOT_GIVEN, RateResult
from ebit.games import ArgumentError

__all__ = ["Choice", "endless_rate", "endless_result"]

Choice = float | Literal["best"]
"""A number, or "best": the one that makes the rate highest."""


def endless_rate(
    protocol: str,
    qber: float,
    *,
    test_qber: float | None = None,
    S: float | None = None,
    noise: float = 0.0,
    asymmetry: float = 1.0,
    f: float = 1.0,
) -> float:
    """Return the rate of an endless run per raw bit, below zero where there is no key.

    Args:
        protocol: all but decoy. qber, test_qber, S, noise, asymmetry: as in `key_rate`.
        f: reconciliation tells f times the entropy of the errors.

    Example:
        >>> round(endless_rate("six-state", 0.05), 6)
        0.496816
    """
    if protocol == "six-state":
        rate = six_state_rate(qber, noise=noise)
    elif protocol == "diqkd":
        value = S if S is not None else MOST_S * (1 - 2 * min(qber, 0.5))
        rate = chsh_rate(value, qber, noise=noise, asymmetry=asymmetry)
    elif protocol == "conference":
        rate = conference_rate(qber if test_qber is None else test_qber, (qber,))
    else:
        rate = bb84_rate(qber, test_qber, noise=noise)
    return rate - (f - 1) * binary_entropy(flipped(qber, noise))


def endless_result(
    protocol: str,
    qber: float,
    *,
    test_qber: float | None = None,
    S: float | None = None,
    noise: Choice | None = None,
    asymmetry: Choice | None = None,
    f: float = 1.0,
    signal_rate: float | None = None,
) -> RateResult:
    """Return the rate of an endless run with its threshold and what it assumes.

    Args:
        protocol, qber, test_qber, S, noise, asymmetry, f, signal_rate: as in
            `ebit.analysis.key_rates.key_rate`, checked there.

    Raises:
        ArgumentError: a noise or an asymmetry out of range.

    Example:
        >>> found = endless_result("bb84", 0.115, noise="best")
        >>> found.rate > 0, round(found.threshold, 4)
        (True, 0.1241)
    """
    for name, value in (("noise", noise), ("asymmetry", asymmetry)):
        if isinstance(value, str) and value != "best":
            raise ArgumentError(f'{name} must be a number or "best", but was {value!r}')
    if isinstance(noise, int | float) and not 0 <= noise <= 0.5:
        raise ArgumentError(f"noise must lie between 0 and 0.5, but was {noise!r}")
    if isinstance(asymmetry, int | float) and not 0.1 <= asymmetry <= 10:
        raise ArgumentError(f"asymmetry must lie between 0.1 and 10, but was {asymmetry!r}")

    def at(q: float, Q: float, a: float, own: bool) -> float:
        return endless_rate(
            protocol,
            Q,
            test_qber=test_qber if own else None,
            S=S if own else None,
            noise=q,
            asymmetry=a,
            f=f,
        )

    def solve(Q: float, own: bool) -> tuple[float, float, float]:
        def noisy(a: float) -> tuple[float, float]:
            if noise == "best":
                return best_noise(lambda q: at(q, Q, a, own))
            q = float(noise or 0.0)
            return q, at(q, Q, a, own)

        a = float(asymmetry) if isinstance(asymmetry, int | float) else 1.0
        if asymmetry == "best":
            a = highest(lambda x: noisy(x)[1], 0.5, 1.5, 24)
        q, found = noisy(a)
        return found, q, a

    rate, q, a = solve(qber, True)
    at_most = threshold(lambda Q: solve(Q, False)[0]) if asymmetry != "best" else None
    reason = "" if rate > 0 else f"an error rate of {100 * qber:.2f} % is too high"
    if protocol == "diqkd" and S is None:
        S = MOST_S * (1 - 2 * qber)
    return RateResult(
        protocol=protocol,
        rate=max(0.0, rate),
        unit="bits of key per raw bit",
        qber=qber,
        test_qber=test_qber,
        S=S,
        noise=q if noise is not None else None,
        asymmetry=a if asymmetry is not None else None,
        threshold=at_most,
        f=f,
        signal_rate=signal_rate,
        key_per_second=None if signal_rate is None else max(0.0, rate) * signal_rate,
        reason=reason,
        assumptions=(*ASSUMPTIONS[protocol], "endless rounds, nearly all in the key's basis"),
        not_given=("the length of any finite run: give the number of rounds", *NOT_GIVEN),
    )
