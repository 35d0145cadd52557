"""A key rate as a result: the number, what it rests on, and what it does not say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ebit.analysis.sheet import Sheet, Shown

__all__ = ["ASSUMPTIONS", "NOT_GIVEN", "RateResult"]

_QUANTUM = "quantum theory; Alice, Bob and their random numbers are out of Eve's reach"
_BASES = "both sides' bases are the ones they mean"
_PREPARED = "Alice's states are the ones that she means: single photons or qubits"
ASSUMPTIONS: Mapping[str, tuple[str, ...]] = {
    "bb84": (_QUANTUM, _PREPARED, _BASES),
    "bbm92": (_QUANTUM, _BASES, "the source of pairs is untrusted"),
    "e91": (
        _QUANTUM,
        _BASES,
        "the source of pairs is untrusted; S is a witness and adds nothing to the rate",
    ),
    "six-state": (_QUANTUM, _PREPARED, _BASES, "the same error rate in X, Y and Z"),
    "mdi": (_QUANTUM, "both senders' states are the ones that they mean; the middle is untrusted"),
    "decoy": (
        _QUANTUM,
        _BASES,
        "pulses have a Poissonian photon number, a random phase, and intensities that are known",
    ),
    "diqkd": (
        _QUANTUM,
        "no device is trusted, and every round counts, detected or not",
        "devices do not signal to each other or to Eve, and settings are free",
    ),
    "conference": (
        _QUANTUM,
        "all parties' bases are the ones that they mean; the source of GHZ states is untrusted",
    ),
}
NOT_GIVEN = ("a key: nothing was run",)


@dataclass(frozen=True)
class RateResult(Shown):
    """What a protocol is worth.

    Attributes:
        protocol: its name.
        rate: bits of key per unit, 0 where there is none. unit: of what.
        qber: error rate of the key's basis. test_qber: of the test's, None where it is the same.
        S: CHSH value. noise: how often Alice flips raw bits. asymmetry: weight of the CHSH terms.
        threshold: error rate at which an endless run's rate is zero (same in all bases; white noise
            where S counts).
        f: efficiency of reconciliation, None where a plan has its own.
        rounds: signals of a finite run; what follows is None in endless ones.
        key_bits: its key. net_key_bits: less what authentication uses up.
        theorem: what the length rests on. epsilon: the secrecy error that was asked for (diqkd: the
            soundness error). epsilon_total: with correctness. epsilons: how it is made up.
        rounds_needed: signals that would give a key, where this number does not.
        signal_rate: signals per second. key_per_second: bits.
        link: of a rate over fibre, as plain data. plan: of a finite run, as plain data.
        reason: why there is no key.
        assumptions, not_given: what it rests on, and what it does not say.
    """

    protocol: str
    rate: float
    unit: str
    qber: float
    test_qber: float | None = None
    S: float | None = None
    noise: float | None = None
    asymmetry: float | None = None
    threshold: float | None = None
    f: float | None = None
    rounds: int | None = None
    key_bits: int | None = None
    net_key_bits: int | None = None
    theorem: str | None = None
    epsilon: float | None = None
    epsilon_total: float | None = None
    epsilons: Mapping[str, float] = field(default_factory=dict)
    rounds_needed: int | None = None
    signal_rate: float | None = None
    key_per_second: float | None = None
    link: Mapping[str, Any] | None = None
    plan: Mapping[str, Any] | None = None
    reason: str = ""
    assumptions: tuple[str, ...] = ()
    not_given: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        plain: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, tuple):
                value = list(value)
            plain[item.name] = dict(value) if isinstance(value, Mapping) else value
        return plain

    def _sheet(self) -> Sheet:
        """Return what is shown."""
        kind = "of an endless run" if self.rounds is None else f"of {self.rounds:,} signals"
        if self.rate <= 0:
            sentence = f"no key: {self.reason or 'the rate is zero'}"
        elif self.key_bits is not None:
            sentence = f"{self.key_bits:,} bits of key, {self.rate:.4g} {self.unit}"
        else:
            sentence = f"{self.rate:.6g} {self.unit}"
        return Sheet(
            title=f"Key rate of {self.protocol}, {kind}",
            sentence=sentence,
            good=self.rate > 0,
            bad=False,
            rows=tuple(_rows(self)),
            table_title="",
            head=(),
            table=(),
            lists=(("assumes", self.assumptions), ("does not give", self.not_given)),
        )


def _rows(r: RateResult) -> list[tuple[str, str]]:
    errors = f"{100 * r.qber:.3f} %"
    if r.test_qber is not None:
        errors += f", {100 * r.test_qber:.3f} % in the test"
    rows = [("errors", errors)]
    if r.S is not None:
        rows.append(("S", f"{r.S:.4f}"))
    if r.noise is not None:
        rows.append(("noise", f"Alice flips {100 * r.noise:.3g} % of her raw bits"))
    if r.asymmetry is not None:
        rows.append(("asymmetry", f"alpha = {r.asymmetry:.4f}"))
    if r.f is not None and r.f != 1:
        rows.append(("efficiency", f"reconciliation tells {r.f:g} times the entropy of the errors"))
    if r.threshold is not None:
        rows.append(
            (
                "threshold",
                f"no key from {100 * r.threshold:.3f} % errors on"
                + (", for white noise" if r.S is not None else ""),
            )
        )
    if r.plan is not None and "n" in r.plan:
        rows += [
            ("key basis", f"chosen with probability {r.plan['alice_odds'][0]:.4f}"),
            ("rounds", f"{r.plan['n']:,} for the key, {r.plan['k']:,} for the test"),
            ("tolerated", f"{100 * r.plan['tolerated']:.3f} % errors in the test"),
            (
                "may leak",
                f"{r.plan['leak_cap']:,} bits, and {r.plan['verification_bits']} to verify",
            ),
        ]
    elif r.plan is not None:
        rows += [
            ("tests", f"{100 * r.plan['test_fraction']:.4g} % of the rounds"),
            ("tolerated", f"win rate of at least {r.plan['tolerated_win_rate']:.6f}"),
            ("leak", f"{r.plan['leak']:,} bits"),
        ]
    if r.net_key_bits is not None:
        rows.append(("net", f"{r.net_key_bits:,} bits after authentication"))
    if r.theorem is not None and r.epsilon_total is not None:
        parts = ", ".join(f"{name} {value:.2g}" for name, value in r.epsilons.items())
        rows += [("theorem", r.theorem), ("error", f"{r.epsilon_total:.3g} in all: {parts}")]
    if r.link is not None:
        rows += [
            ("link", f"{r.link['km']:g} km, {r.link['source']}"),
            ("detected", f"{r.link['detected']:.3g} of the signals"),
        ]
        if r.link["bound"] is not None:
            rows.append(
                ("bound", f"{r.link['bound']:.4g} bits per pulse without a repeater (PLOB)")
            )
        rows += [
            (name.replace("_", " "), _short(value)) for name, value in r.link["choice"].items()
        ]
    if r.signal_rate is not None and r.key_per_second is not None:
        rows.append(
            ("speed", f"{r.key_per_second:.4g} bits per second at {r.signal_rate:.4g} signals")
        )
    if r.rounds_needed is not None:
        rows.append(("would do", f"{r.rounds_needed:,} signals"))
    return rows


def _short(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(f"{v:.4g}" for v in value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
