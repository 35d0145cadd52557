"""What rounds certify, in which words: the certificate of entropy, frozen."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from ebit.analysis.sheet import Sheet, Shown

__all__ = ["EntropyCertificate"]

_LISTS = ("assumptions", "not_given")


@dataclass(frozen=True)
class EntropyCertificate(Shown):
    """Min-entropy that n rounds certify, or the reason why they certify none.

    Attributes:
        entropy_bits: certified smooth min-entropy of the raw bits, in bits; 0 when refused.
        status: "certified", "refused", or "trusted source" for bits without a Bell test.
        reason: why it was refused; empty when it was not.
        method: "pef", "renyi", "renyi-one", "geat", "eat" or "none".
        adversary: against whom the entropy is.
        epsilon: the error of this amount; hashing adds its own.
        n: rounds, or shots of a trusted source.
        raw_bits: bits that hold the entropy: both outcomes of every round.
        settings_bits: randomness that the choice of settings took, in bits.
        S: observed; None without a Bell test.
        expected_S: what the method was set up for before the rounds; None without a Bell test.
        tau: how far each setting bit may be predicted beyond its law.
        estimate_bits: what these rounds would have given with the best threshold for them: a figure to
            plan with, never an amount to extract. None where the method has none.
        p_no_signalling: smallest corrected p-value of the no-signalling test; None without a test.
        separation: "simulated", "one chip", "distant" or "unknown".
        randomness: "pseudo (simulator)", "device" or "unknown".
        sentence: what may be said of the bits.
        parameters: of the method, by name.
        assumptions: what it rests on.
        not_given: what it does not say.
    """

    entropy_bits: float
    status: str
    reason: str
    method: str
    adversary: str
    epsilon: float
    n: int
    raw_bits: int
    settings_bits: float
    S: float | None
    expected_S: float | None
    tau: float
    estimate_bits: float | None
    p_no_signalling: float | None
    separation: str
    randomness: str
    sentence: str
    parameters: dict[str, float] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()
    not_given: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether there is an amount that may be extracted."""
        return self.status != "refused" and self.entropy_bits > 0

    @property
    def entropy_rate(self) -> float:
        """Certified bits per round."""
        return self.entropy_bits / self.n

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data that JSON can hold."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        plain |= {name: list(plain[name]) for name in _LISTS}
        return {**plain, "parameters": dict(self.parameters), "entropy_rate": self.entropy_rate}

    def _rows(self) -> list[tuple[str, str]]:
        rows = [
            ("entropy", f"{self.entropy_bits:,.1f} bits, {self.entropy_rate:.4f} per round"),
            ("rounds", f"{self.n:,} ({self.raw_bits:,} raw bits)"),
            ("method", self.method),
            ("adversary", self.adversary),
            ("epsilon", f"{self.epsilon:.3g}"),
        ]
        if self.S is not None:
            rows.append(("S", f"{self.S:.4f} (set up for {self.expected_S:.4f})"))
            rows.append(("settings", f"{self.settings_bits:,.0f} bits spent, tau {self.tau:.3g}"))
        if self.p_no_signalling is not None:
            rows.append(("no-signalling", f"smallest corrected p = {self.p_no_signalling:.3g}"))
        if self.estimate_bits is not None and not self.accepted:
            rows.append(("estimate", f"{self.estimate_bits:,.1f} bits, not to be extracted"))
        rows += [(name, f"{value:.6g}") for name, value in self.parameters.items()]
        return rows

    def _sheet(self) -> Sheet:
        refused = self.status == "refused"
        return Sheet(
            title="no entropy certified"
            if refused
            else f"{self.entropy_bits:,.1f} bits of entropy",
            sentence=self.reason if refused else self.sentence,
            good=self.accepted,
            bad=refused,
            rows=tuple(self._rows()),
            table_title="",
            head=(),
            table=(),
            lists=(("assumptions", self.assumptions), ("not given", self.not_given)),
        )
