"""What is fixed before a run for a device-independent key: tests, tolerance, syndromes, length.

Test rounds and key rounds differ in their error rates by a factor of ten or more, so that each kind has a
syndrome of its own. How many rounds test is drawn by the host and known to all once settings are
announced; the cap on what is told holds for up to five standard deviations of that number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ebit.analysis.key_asymptotic import binary_entropy
from ebit.analysis.key_diqkd_optimise import diqkd_length, diqkd_rounds_needed
from ebit.games import ArgumentError

__all__ = ["LEAST_QBER", "IndependentPlan", "plan_independent"]

LEAST_QBER = 4e-3
"""Error rate of key rounds that is planned for at least: below, codes fall behind their plan."""

_THEOREM = "nadlinger-2022"
_FAILURE = 1e-3  # chance that honest bits cannot be decoded
_LEAST_F = 1.1  # syndrome over n h(q) at least
# Of tests, about a seventh of which is lost, codes fall behind their plan as well. As measured, with
# 60 blocks each, none fails at 1.125 + 5 / sqrt n; three quarters did at what was planned, 1.116.
_TESTS_F, _TESTS_MORE = 1.125, 5.0
_SIGMAS = 5.0  # of the number of test rounds
_VERIFICATION = 64  # bits; the theorem's own constant covers them


@dataclass(frozen=True)
class IndependentPlan:
    """What both parties agree on before the first round of a device-independent key.

    Attributes:
        protocol, theorem: names. rounds: n, key and test together.
        test_fraction: gamma. S, qber: expected.
        tolerated_losses: tests that may be lost; tolerated is their share of the tests expected.
        leak_cap: bits of the syndrome. length: of the key, 0 if none can be had.
        net_length: less what authentication uses up.
        epsilon: soundness error, correctness included.
        parameters: of the theorem.
        verification_bits: of the hash that compares; part of the theorem's constant.
        reason: why there is no key, "" if there is one. rounds_needed: from which on there would be.
        assumptions, not_given: what it rests on, and what it does not say.
    """

    protocol: str
    theorem: str
    rounds: int
    test_fraction: float
    S: float
    qber: float
    tolerated_losses: int
    tolerated: float
    leak_cap: int
    length: int
    net_length: int
    epsilon: float
    parameters: Mapping[str, float]
    verification_bits: int
    reason: str
    rounds_needed: int | None
    assumptions: tuple[str, ...]
    not_given: tuple[str, ...]

    @property
    def epsilon_total(self) -> float:
        """The soundness error, which covers correctness."""
        return self.epsilon

    @property
    def rates(self) -> tuple[float, float]:
        """How likely a bit of Bob's guess is wrong, in test rounds and in key rounds."""
        return (4 - self.S) / 8, max(self.qber, LEAST_QBER)

    def told(self, tests: int) -> int:
        """Return the bits that are told where so many rounds test."""
        return _told(self.syndromes(tests), tests, self.rounds - tests)

    def syndromes(self, tests: int) -> tuple[Any, Any]:
        """Return how the syndromes are told, of the test rounds and of the key rounds.

        Args:
            tests: how many rounds test, which both know once the settings are announced.
        """
        return _syndromes(tests, self.rounds - tests, self.S, self.qber)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data; `from_dict` reads it back."""
        plain = asdict(self)
        plain["assumptions"], plain["not_given"] = list(self.assumptions), list(self.not_given)
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> IndependentPlan:
        """Return the plan that `to_dict` wrote."""
        given = {name: plain[name] for name in cls.__dataclass_fields__}
        given["assumptions"] = tuple(given["assumptions"])
        given["not_given"] = tuple(given["not_given"])
        return cls(**given)


def _syndromes(tests: int, keys: int, S: float, qber: float) -> tuple[Any, Any]:
    """Codes of their own for rounds that differ so much: tests are lost far more often.

    None where a code would tell nearly all: then all is told.
    """
    from ebit.analysis.ldpc import plan_syndrome  # numba: only where a plan is made

    def code(n: int, rate: float, f: float) -> Any:
        least = math.ceil(f * n * binary_entropy(rate))
        try:
            found = plan_syndrome(n, rate, failure=_FAILURE / 2)
            return found if found.leak_bits >= least else plan_syndrome(n, rate, leak_bits=least)
        except ArgumentError:
            return None

    more = _TESTS_F + _TESTS_MORE / math.sqrt(max(1, tests))
    return code(tests, (4 - S) / 8, more), code(keys, max(qber, LEAST_QBER), _LEAST_F)


def _told(codes: tuple[Any, Any], tests: int, keys: int) -> int:
    """Bits that are told: those of the syndromes, or all of them."""
    sizes = (tests, keys)
    return sum(
        n if code is None else int(code.leak_bits) for code, n in zip(codes, sizes, strict=True)
    )


def _leak(rounds: int, gamma: float, S: float, qber: float) -> int:
    """The most that both syndromes tell, however many rounds test."""
    spread = _SIGMAS * math.sqrt(rounds * gamma * (1 - gamma))
    most = min(rounds, math.ceil(rounds * gamma + spread))
    keys = rounds - max(0, math.floor(rounds * gamma - spread))
    # Of fewer tests all may have to be told, where of many there is a code.
    return max(_told(_syndromes(n, keys, S, qber), n, keys) for n in (rounds - keys, most))


def _needed(rounds: int, S: float, qber: float, epsilon: float) -> int | None:
    """Rounds, within 4 %, from which on these codes leave a key; None if there are none."""
    n = diqkd_rounds_needed(S=S, qber=qber, epsilon=epsilon, above=rounds)
    if n is None:
        return None

    def enough(n: int) -> bool:
        gamma = diqkd_length(n, S=S, qber=qber, epsilon=epsilon).test_fraction
        leak = _leak(n, gamma, S, qber)
        found = diqkd_length(n, S=S, qber=qber, epsilon=epsilon, test_fraction=gamma, leak=leak)
        return found.net_length > 0

    for _ in range(40):
        if enough(n):
            break
        n = math.ceil(1.04 * n)
    else:
        return None
    while n > 1.04 * rounds and enough(math.floor(n / 1.04)):
        n = math.floor(n / 1.04)
    return n


def plan_independent(
    rounds: int,
    *,
    S: float,
    qber: float,
    epsilon: float = 1e-10,
    test_fraction: float | None = None,
) -> IndependentPlan:
    """Fix everything about a device-independent run before it.

    Args:
        rounds: key and test together. S, qber: expected of honest devices.
        epsilon: soundness error. test_fraction: share of tests; the best one if None.

    Returns:
        The plan; length 0 with a reason where there is no key.

    Raises:
        ArgumentError: an argument out of range.

    Source:
        Nadlinger et al., Nature 607, 682 (2022), eq. (73) of its supplement.
    """
    S = min(S, 8**0.5)
    first = diqkd_length(rounds, S=S, qber=qber, epsilon=epsilon, test_fraction=test_fraction)
    gamma = first.test_fraction
    leak = _leak(rounds, gamma, S, qber)
    found = diqkd_length(rounds, S=S, qber=qber, epsilon=epsilon, test_fraction=gamma, leak=leak)
    reason, needed = "", None
    if not found.net_length:
        needed = _needed(rounds, S, qber, epsilon)
        reason = (
            f"no number of rounds gives a key at S = {S:.4f} and {100 * qber:.2f} % errors"
            if needed is None
            else f"{rounds:,} rounds are too few at S = {S:.4f} and {100 * qber:.2f} % errors; about "
            f"{needed:,} would do"
        )
    expected = max(1.0, rounds * gamma)
    return IndependentPlan(
        protocol="diqkd",
        theorem=_THEOREM,
        rounds=rounds,
        test_fraction=gamma,
        S=S,
        qber=qber,
        tolerated_losses=found.tolerated_losses,
        tolerated=found.tolerated_losses / expected,
        leak_cap=leak,
        length=found.length if found.net_length else 0,
        net_length=found.net_length,
        epsilon=epsilon,
        parameters=asdict(found.parameters),
        verification_bits=_VERIFICATION,
        reason=reason,
        rounds_needed=needed,
        assumptions=(
            "quantum theory; no signal leaves either side but what the protocol says",
            "settings are drawn at random, independent of the devices, and which rounds test is not "
            "known to the devices before",
            "each side's device gets its setting alone: the two do not communicate during a round",
            "devices may have memory, and may have been built by Eve",
        ),
        not_given=(
            "a loophole-free test: nothing separates two devices in one simulator or on one chip",
            "security if the same devices are used again: they may leak old keys through later "
            "announcements (Barrett, Colbeck, Kent, PRL 110, 010503 (2013))",
        ),
    )
