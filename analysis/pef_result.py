"""What rounds certify by probability estimation, and in which words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["ADVERSARY", "NOT_GIVEN", "PefEntropy", "assumptions"]

ADVERSARY = "classical side information"

NOT_GIVEN = (
    "security against an adversary who keeps quantum systems entangled with the devices (the "
    "methods renyi, geat and eat give it, at a lower rate)",
    "a statement about bits that are used although the threshold was missed",
    "secrecy of the settings: the entropy is that of the outputs given all settings",
)


def assumptions(tau: float, *, fair: bool = True) -> tuple[str, ...]:
    """Return what a certificate by probability estimation rests on.

    Args:
        tau: how far each setting bit may be predicted beyond its law.
        fair: whether the law is uniform.

    Example:
        >>> len(assumptions(0.0))
        4

    Source:
        arXiv:1709.06159, the conditions on the settings and on the devices.
    """
    if tau == 0:
        drawn = (
            "settings are drawn afresh in each round by the stated law, whatever happened before"
        )
    elif fair:
        drawn = (
            f"each setting bit is predictable to at most 1/2 + {tau:g} given everything before it, and "
            "its bias does not follow earlier outputs"
        )
    else:
        drawn = (
            "the two coins of a round are independent of each other, each shows 1 with a probability "
            f"within {tau:g} of the stated one given everything before, and its bias does not follow "
            "earlier outputs"
        )
    return (
        "devices obey quantum mechanics and may have any memory",
        "during a round neither party's outcome depends on the other's setting",
        drawn,
        "the factor, epsilon, the threshold and the number of rounds were fixed beforehand",
    )


@dataclass(frozen=True)
class PefEntropy:
    """Min-entropy that rounds certify by probability estimation.

    Attributes:
        bits: epsilon-smooth min-entropy of all outputs given settings and side information, on the
            sub-normalised state of acceptance; 0 when the threshold was missed.
        accepted: whether the sum of log2 F reached the threshold.
        estimate_bits: -log2 of the probability estimate at level epsilon: with probability 1 - epsilon
            the outputs that came had at most that probability. Not an extractable amount: for that
            the threshold must be fixed beforehand.
        log2_factor: the sum of log2 F.
        threshold: the least that is accepted.
        n: rounds.
        epsilon: smoothing error.
        adversary: against whom.
        method: how.
        assumptions: what it rests on.
        not_given: what it does not say.
    """

    bits: float
    accepted: bool
    estimate_bits: float
    log2_factor: float
    threshold: float
    n: int
    epsilon: float
    adversary: str
    method: str
    assumptions: tuple[str, ...]
    not_given: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        plain = asdict(self)
        return {**plain, "assumptions": list(self.assumptions), "not_given": list(self.not_given)}

    def __str__(self) -> str:
        if not self.accepted:
            return (
                f"nothing certified: log2 F = {self.log2_factor:.1f} missed the threshold "
                f"{self.threshold:.1f} ({self.n} rounds)"
            )
        return (
            f"{self.bits:.0f} bits certified from {self.n} rounds ({self.bits / self.n:.4f} a round), "
            f"epsilon {self.epsilon:.3g}, against {self.adversary}; {self.method}"
        )
