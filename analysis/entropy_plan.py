"""Rounds needed for a number of random bits at an expected S, method by method."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ebit.analysis.accumulation import Method, likely_bits
from ebit.analysis.accumulation_cost import net_bits
from ebit.analysis.accumulation_plan import ADVERSARY
from ebit.analysis.accumulation_score import Settings
from ebit.analysis.binomial import check_probability
from ebit.games import ArgumentError

__all__ = [
    "EntropyCurves",
    "EntropyPlan",
    "EntropyRow",
    "PlanningMethod",
    "accumulation_methods",
    "entropy_curves",
    "plan_entropy",
    "standard_methods",
]

_MOST = 10**12


@dataclass(frozen=True)
class PlanningMethod:
    """A way to certify entropy, as planning sees it.

    Attributes:
        name: short name.
        adversary: what the adversary may hold, such as ``quantum side information``.
        bits: function of S, n and epsilon that returns the bits certified at the expected score
            (may be negative).
        settings: how rounds are asked, for what the settings cost.
    """

    name: str
    adversary: str
    bits: Callable[[float, int, float], float]
    settings: Settings = field(default_factory=Settings)


def accumulation_methods(
    names: Sequence[Method] = ("renyi", "renyi-one", "geat", "eat"),
    *,
    settings: Settings | None = None,
    completeness: float | None = 0.99,
) -> tuple[PlanningMethod, ...]:
    """Return the methods of `ebit.analysis.accumulation` for planning.

    Args:
        names: which ones.
        settings: how rounds are asked; fair coins in every round if left out.
        completeness: chance to pass that an honest device shall have; None plans for the expected
            score itself.

    Example:
        >>> [method.name for method in accumulation_methods(("eat", "geat"))]
        ['eat', 'geat']
    """
    chosen = settings or Settings()

    def made(name: Method) -> PlanningMethod:
        def bits(S: float, n: int, epsilon: float) -> float:
            return likely_bits(
                n,
                0.5 + S / 8,
                method=name,
                settings=chosen,
                epsilon=epsilon,
                completeness=completeness,
            )

        return PlanningMethod(name, ADVERSARY, bits, chosen)

    return tuple(made(name) for name in names)


def standard_methods() -> tuple[PlanningMethod, ...]:
    """Return the methods of `ebit random`: probability estimation and accumulation.

    They answer to different adversaries; thresholds are such that an honest device passes in 99 of
    100 runs.

    Example:
        >>> [method.name for method in standard_methods()]
        ['pef', 'renyi', 'geat', 'eat']
    """
    from ebit.analysis.pef import planned_bits
    from ebit.analysis.pef_result import ADVERSARY as CLASSICAL

    def bits(S: float, n: int, epsilon: float) -> float:
        return planned_bits(n, epsilon, win_rates=0.5 + S / 8)

    return (
        PlanningMethod("pef", CLASSICAL, bits),
        *accumulation_methods(("renyi", "geat", "eat")),
    )


@dataclass(frozen=True)
class EntropyRow:
    """What one method needs.

    Attributes:
        method: its name.
        adversary: what the adversary may hold.
        rounds: rounds needed; None if more than 1e12.
        bits: bits certified with so many rounds.
        bits_per_round: the same per round.
        settings_bits: random bits spent on settings.
        net_bits: extracted bits minus settings, the extractor's seed kept; may be negative.
    """

    method: str
    adversary: str
    rounds: int | None
    bits: float | None
    bits_per_round: float | None
    settings_bits: float | None
    net_bits: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "method": self.method,
            "adversary": self.adversary,
            "rounds": self.rounds,
            "bits": self.bits,
            "bits_per_round": self.bits_per_round,
            "settings_bits": self.settings_bits,
            "net_bits": self.net_bits,
        }


@dataclass(frozen=True)
class EntropyPlan:
    """Rounds needed for a number of bits, by each method.

    Attributes:
        S: expected CHSH value.
        bits: bits wanted.
        epsilon: smoothing and chance to pass, each.
        rows: one per method.
    """

    S: float
    bits: float
    epsilon: float
    rows: tuple[EntropyRow, ...]

    def __str__(self) -> str:
        lines = [
            f"{self.bits:g} bits at an expected S of {self.S:g}, epsilon {self.epsilon:.3g}; settings "
            "that nobody can predict (tau = 0)",
            f"  {'method':<12}{'rounds':>14}{'bits/round':>12}{'net bits':>16}  against",
        ]
        for row in self.rows:
            if row.rounds is None or row.bits_per_round is None or row.net_bits is None:
                lines.append(f"  {row.method:<12}{'> 1e12':>14}{'':>12}{'':>16}  {row.adversary}")
            else:
                lines.append(
                    f"  {row.method:<12}{row.rounds:>14,}{row.bits_per_round:>12.4f}"
                    f"{row.net_bits:>16,.0f}  {row.adversary}"
                )
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "S": self.S,
            "bits": self.bits,
            "epsilon": self.epsilon,
            "rows": [row.to_dict() for row in self.rows],
        }


def plan_entropy(
    S: float,
    bits: float,
    methods: Sequence[PlanningMethod] | None = None,
    *,
    epsilon: float = 2**-65,
) -> EntropyPlan:
    """Return the rounds that each method needs for a number of bits at an expected S.

    The certified bits grow with n wherever they are positive, so doubling and bisection (to half
    a per cent) find the fewest rounds.

    Args:
        S: expected CHSH value, above 2 and at most 2 sqrt 2.
        bits: smooth min-entropy wanted, in bits.
        methods: what to compare; those of `standard_methods` if left out.
        epsilon: given to each method.

    Raises:
        ArgumentError: S, bits or epsilon out of range.

    Example:
        >>> plan = plan_entropy(2.6, 10_000, accumulation_methods(("geat", "eat")))
        >>> [row.method for row in plan.rows if row.rounds < 110_000]
        []
        >>> plan.rows[0].rounds < plan.rows[1].rounds
        True
    """
    if not bits > 0 or math.isinf(bits):
        raise ArgumentError(f"Argument `bits` must be a positive number, but was {bits!r}.")
    _check(S, epsilon)
    chosen = standard_methods() if methods is None else methods
    return EntropyPlan(
        float(S), float(bits), epsilon, tuple(_row(m, float(S), bits, epsilon) for m in chosen)
    )


def _check(S: float, epsilon: float) -> None:
    if not 2 < S <= 2 * math.sqrt(2):
        raise ArgumentError(
            "Argument `S` must be above 2, since nothing below gives entropy, and at most "
            f"{2 * math.sqrt(2):.6f}, but was {S!r}."
        )
    check_probability("epsilon", epsilon, open_ends=True)


def _row(method: PlanningMethod, S: float, bits: float, epsilon: float) -> EntropyRow:
    high = max(16, math.ceil(bits / 2))
    while method.bits(S, high, epsilon) < bits:
        high *= 2
        if high > _MOST:
            return EntropyRow(method.name, method.adversary, None, None, None, None, None)
    low = high // 2
    while high - low > max(1, high // 200):
        middle = (low + high) // 2
        low, high = (low, middle) if method.bits(S, middle, epsilon) >= bits else (middle, high)
    found = float(method.bits(S, high, epsilon))
    net = net_bits(found, high, method.settings, epsilon_hash=epsilon)
    return EntropyRow(
        method.name,
        method.adversary,
        high,
        found,
        found / high,
        net.settings_bits,
        net.net_bits,
    )


@dataclass(frozen=True)
class EntropyCurves:
    """Bits per round against the number of rounds, by method, for a picture.

    Attributes:
        S: expected CHSH value.
        epsilon: given to each method.
        rounds: numbers of rounds.
        names: methods.
        adversaries: what each method's adversary may hold.
        rates: bits per round, one row per method; 0 where nothing is certified.
    """

    S: float
    epsilon: float
    rounds: tuple[int, ...]
    names: tuple[str, ...]
    adversaries: tuple[str, ...]
    rates: tuple[tuple[float, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "S": self.S,
            "epsilon": self.epsilon,
            "rounds": list(self.rounds),
            "names": list(self.names),
            "adversaries": list(self.adversaries),
            "rates": [list(row) for row in self.rates],
        }


def entropy_curves(
    S: float,
    rounds: Sequence[int] | None = None,
    methods: Sequence[PlanningMethod] | None = None,
    *,
    epsilon: float = 2**-65,
) -> EntropyCurves:
    """Return bits per round at an expected S for many numbers of rounds, by each method.

    Args:
        S: expected CHSH value, above 2 and at most 2 sqrt 2.
        rounds: numbers of rounds; 1e3 to 1e9 if left out.
        methods: what to compare; those of `standard_methods` if left out.
        epsilon: given to each method.

    Raises:
        ArgumentError: S or epsilon out of range.

    Example:
        >>> curves = entropy_curves(2.6, (10**6, 10**8), accumulation_methods(("geat",)))
        >>> curves.rates[0][0] < curves.rates[0][1] < 0.5816
        True
    """
    _check(S, epsilon)
    chosen = standard_methods() if methods is None else methods
    many = (
        tuple(rounds) if rounds is not None else tuple(round(10 ** (k / 4)) for k in range(12, 37))
    )
    rates = tuple(tuple(max(0.0, m.bits(S, n, epsilon)) / n for n in many) for m in chosen)
    return EntropyCurves(
        float(S),
        epsilon,
        many,
        tuple(m.name for m in chosen),
        tuple(m.adversary for m in chosen),
        rates,
    )
