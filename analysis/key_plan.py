r"""What is fixed before a run for a key: bases, rounds of key and test, tolerance, leak, length.

The sifting law, N signals, p the probability of the key basis Z on either side:

=========  ==================================  ==============================================  ==========
protocol   Alice's odds                        Bob's odds                                      rounds kept
=========  ==================================  ==============================================  ==========
bb84       Z p, X 1-p                          Z p, X 1-p                                      Z p^2, X (1-p)^2
bbm92      Z p, X 1-p                          Z p, X 1-p                                      bb84's
six-state  Z p, X (1-p)/2, Y (1-p)/2           the same                                        Z p^2, X (1-p)^2/4
mdi        Z p, X 1-p                          Z p, X 1-p                                      bb84's
e91        Z p, X 1-p                          Z p(1-c), X (1-p)(1-c), D- c/2, D+ c/2          1-c times bb84's
=========  ==================================  ==============================================  ==========

All of it times the chance that a round counts; D+ and D- are (Z+X)/sqrt 2 and (Z-X)/sqrt 2, c their
share. Z rounds make the key, X rounds test it, at random n of the one and k of the other. Honest runs
abort with at most a chance that is stated, a quarter each for too few key rounds, too few test rounds,
an error rate above the tolerated one, and a leak above its cap.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from ebit.analysis.binomial import check_count, check_probability
from ebit.analysis.key_asymptotic import MOST_S, check_error_rate, check_s
from ebit.analysis.key_finite import FiniteBound, finite_bound
from ebit.analysis.key_plan_search import MOST_ROUNDS, VERIFICATION, Search
from ebit.analysis.sheet import Sheet, Shown
from ebit.games import ArgumentError

__all__ = ["PLANNED", "KeyPlan", "plan_key"]

PLANNED = ("bb84", "bbm92", "e91", "six-state", "mdi")
"""Protocols whose length the theorem for BB84 gives."""
_BASES = {
    "bb84": (("Z", "X"), ("Z", "X")),
    "bbm92": (("Z", "X"), ("Z", "X")),
    "e91": (("Z", "X"), ("Z", "X", "D-", "D+")),
    "six-state": (("Z", "X", "Y"), ("Z", "X", "Y")),
    "mdi": (("Z", "X"), ("Z", "X")),
}
_SOURCES = {
    "prepare": "Alice's states are the qubit states that she means: one photon or one qubit each",
    "pair": "each side measures one qubit in the bases that it means; the source is untrusted",
    "middle": "both senders' states are the qubit states that they mean; the middle is untrusted",
}
_KINDS = {
    "bb84": "prepare",
    "six-state": "prepare",
    "mdi": "middle",
    "bbm92": "pair",
    "e91": "pair",
}
_OWN = {
    "e91": "the CHSH rounds are a witness of entanglement only: the length is that of BB84 from Z and X",
    "six-state": "the theorem of BB84 is used, from Z and X: Y rounds only test more and add no length",
    "mdi": "what the middle announces decides which rounds count, before any basis is told",
}


@dataclass(frozen=True)
class KeyPlan(Shown):
    """What both parties agree on before the first signal; what is observed only decides to abort.

    Attributes:
        protocol: its name. rounds: signals sent.
        qber: error rate that honest runs are expected to have, in every basis.
        S: CHSH value that is expected of e91, None elsewhere.
        success: chance that a round counts at all: detected, or announced by a middle.
        alice_bases, alice_odds: Alice's bases and how often she takes each; Bob's likewise.
        n: rounds of the key. k: rounds of the test; the run is aborted if fewer of either come.
        tolerated_errors: errors among the k up to which the run goes on; tolerated is the rate.
        phase_error: bound on the key rounds' error rate in the test's basis.
        leak_cap: bits that reconciliation may tell at most.
        verification_bits: bits of the hash that compares the corrected keys.
        length: bits of key, 0 if none can be had.
        authentication_bits: pre-shared bits that authentication uses up.
        net_length: length less those.
        theorem: what the length rests on. epsilon: secrecy error. eps_cor: correctness error.
        epsilons: how the secrecy error is made up.
        abort_probability: most that honest runs are aborted.
        reason: why there is no key, "" if there is one.
        rounds_needed: signals (within .02 %) from which on the net length is positive, where this one
            is not; None if no number would do, or if it is positive.
        assumptions, not_given: what it rests on, and what it does not say.
    """

    protocol: str
    rounds: int
    qber: float
    S: float | None
    success: float
    alice_bases: tuple[str, ...]
    alice_odds: tuple[float, ...]
    bob_bases: tuple[str, ...]
    bob_odds: tuple[float, ...]
    n: int
    k: int
    tolerated_errors: int
    tolerated: float
    phase_error: float
    leak_cap: int
    verification_bits: int
    length: int
    authentication_bits: int
    net_length: int
    theorem: str
    epsilon: float
    eps_cor: float
    epsilons: Mapping[str, float]
    abort_probability: float
    reason: str
    rounds_needed: int | None
    assumptions: tuple[str, ...]
    not_given: tuple[str, ...]

    @property
    def epsilon_total(self) -> float:
        """Secrecy and correctness error together; authentication's comes on top."""
        return self.epsilon + self.eps_cor

    @property
    def key_probability(self) -> float:
        """How often a round has the key basis on both sides."""
        return self.alice_odds[0] * self.bob_odds[0]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data; `from_dict` reads it back."""
        plain: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, tuple):
                value = list(value)
            plain[item.name] = dict(value) if isinstance(value, Mapping) else value
        plain["epsilon_total"] = self.epsilon_total
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> KeyPlan:
        """Return the plan that `to_dict` wrote.

        Raises:
            ArgumentError: something is missing.
        """
        missing = [item.name for item in fields(cls) if item.name not in plain]
        if missing:
            raise ArgumentError(f"a key plan must have {', '.join(missing)}, which are missing")
        values = {item.name: plain[item.name] for item in fields(cls)}
        for name, value in values.items():
            if isinstance(value, list):
                values[name] = tuple(value)
        return cls(**{**values, "epsilons": dict(values["epsilons"])})

    def _sheet(self) -> Sheet:
        """Return what is shown."""
        if self.length:
            sentence = (
                f"{self.length:,} bits of key from {self.rounds:,} signals at an error rate of "
                f"{100 * self.qber:.2f} %"
            )
        else:
            sentence = f"no key: {self.reason}"
        rows = [
            ("Alice's bases", _odds(self.alice_bases, self.alice_odds)),
            ("Bob's bases", _odds(self.bob_bases, self.bob_odds)),
            ("rounds", f"{self.n:,} for the key, {self.k:,} for the test"),
            (
                "tolerated",
                f"{self.tolerated_errors:,} errors in the test, {100 * self.tolerated:.3f} %; the "
                f"phase error is then at most {100 * self.phase_error:.3f} %",
            ),
            ("may leak", f"{self.leak_cap:,} bits, and {self.verification_bits} to verify"),
            (
                "net",
                f"{self.net_length:,} bits, less {self.authentication_bits} spent on authentication",
            ),
            ("theorem", self.theorem),
            (
                "error",
                f"{self.epsilon_total:.3g}: secrecy {self.epsilon:g} ("
                + ", ".join(f"{name} {value:.2g}" for name, value in self.epsilons.items())
                + f"), correctness {self.eps_cor:.2g}",
            ),
            ("honest runs abort", f"with probability {self.abort_probability:g} at most"),
        ]
        if self.rounds_needed is not None:
            rows.append(("would do", f"{self.rounds_needed:,} signals"))
        return Sheet(
            title=f"Plan of a key by {self.protocol}",
            sentence=sentence,
            good=self.length > 0,
            bad=False,
            rows=tuple(rows),
            table_title="",
            head=(),
            table=(),
            lists=(("assumes", self.assumptions), ("does not give", self.not_given)),
        )


def _odds(bases: tuple[str, ...], odds: tuple[float, ...]) -> str:
    return ", ".join(f"{basis} {share:.4f}" for basis, share in zip(bases, odds, strict=True))


def plan_key(
    protocol: str,
    rounds: int,
    *,
    qber: float,
    S: float | None = None,
    epsilon: float = 1e-10,
    eps_cor: float | None = None,
    theorem: str = "tomamichel-2012",
    f: float = 1.06,
    success: float = 1.0,
    abort_probability: float = 1e-3,
    authentication_bits: int = 0,
    search: bool = True,
) -> KeyPlan:
    r"""Fix everything about a run before it: who measures what how often, tolerance, leak, length.

    The bias is chosen so that the key is longest. With the counts n and k that come in all but few
    honest runs, :math:`\ell = \lfloor n(1-h(Q_{tol}+\mu)) - \mathrm{leak\ cap} - 64 - 1 -
    2\log_2(1/\varepsilon)\rfloor` (tomamichel-2012).

    Args:
        protocol: bb84, bbm92, e91, six-state or mdi.
        rounds: signals sent, whatever comes of them.
        qber: expected error rate, in every basis.
        S: e91: expected CHSH value; that of white noise with this error rate if None.
        epsilon: secrecy error.
        eps_cor: correctness error allowed; what the verification hash of 64 bits has if None, and
            never less.
        theorem: tomamichel-2012 or lim-2021.
        f: factor on the entropy of the errors in the leak cap, see `ebit.analysis.key_plan_search.leak_cap`.
        success: chance that a round counts: that the middle announces a Bell state (mdi), that the
            signal or pair is detected; 1 on a gate-model device.
        abort_probability: how often honest runs may be aborted.
        authentication_bits: pre-shared bits that the run uses up.
        search: whether to look for the number of rounds that would do, where there is no key.

    Returns:
        The plan; length 0 with a reason where there is no key.

    Raises:
        ArgumentError: an argument out of range.

    Example:
        >>> plan = plan_key("bb84", 1_000_000, qber=0.02)
        >>> plan.length > 380_000, plan.alice_odds == plan.bob_odds, plan.tolerated > 0.02
        (True, True, True)
        >>> short = plan_key("bb84", 2_000, qber=0.02)
        >>> short.length, 5_000 < short.rounds_needed < 20_000
        (0, True)

    Source:
        Tomamichel, Lim, Gisin, Renner, Nature Communications 3, 634 (2012); fixed numbers of
        signals: Pfister, Lütkenhaus, Wehner, Coles, New J. Phys. 18, 053001 (2016).
    """
    task = _search(
        protocol,
        qber,
        S,
        epsilon,
        eps_cor,
        theorem,
        f,
        success,
        abort_probability,
        authentication_bits,
    )
    rounds = check_count("rounds", rounds, low=1, high=MOST_ROUNDS)
    p, bits = task.best(rounds)
    n, k = task.counts(rounds, p)
    a, b = task.odds(rounds, p)
    if n >= 2 and k >= 2:
        bound, errors, cap = task.bound(n, k)
    else:
        bound, errors, cap = FiniteBound(-math.inf, 0.5, {}), 0, 0
    length = math.floor(max(0.0, bits))
    plan = KeyPlan(
        protocol=protocol,
        rounds=rounds,
        qber=task.qber,
        S=_expected_s(task),
        success=task.success,
        alice_bases=_BASES[protocol][0],
        alice_odds=a,
        bob_bases=_BASES[protocol][1],
        bob_odds=b,
        n=n,
        k=k,
        tolerated_errors=errors,
        tolerated=errors / k if k else 0.0,
        phase_error=bound.phase_error,
        leak_cap=cap,
        verification_bits=VERIFICATION,
        length=length,
        authentication_bits=task.authentication_bits,
        net_length=length - task.authentication_bits if length else 0,
        theorem=theorem,
        epsilon=task.epsilon,
        eps_cor=task.correctness(),
        epsilons=bound.epsilons,
        abort_probability=abort_probability,
        reason="",
        rounds_needed=None,
        assumptions=_assumptions(task),
        not_given=(
            "secrecy against flaws of devices that are assumed away, or if the plan is changed later",
        ),
    )
    fine = plan.net_length > 0 and (plan.S is None or plan.S > 2)
    return plan if fine else _refused(plan, task, search)


def _refused(plan: KeyPlan, task: Search, search: bool) -> KeyPlan:
    """The plan of a run too short, or too noisy, for a key."""
    needed = task.needed(plan.rounds) if search and plan.net_length <= 0 else None
    percent = f"{100 * plan.qber:.2f} %"
    if plan.S is not None and plan.S <= 2:
        needed, reason = (
            None,
            f"the expected S = {plan.S:.4g} is no more than 2, and every run would abort",
        )
    elif search and needed is None:
        reason = f"no number of rounds gives a key at an error rate of {percent}: it must be lower"
    else:
        reason = f"{plan.rounds:,} rounds are too few at an error rate of {percent}"
        if plan.length:
            reason = (
                f"{plan.rounds:,} rounds give {plan.length:,} bits, no more than authentication uses "
                f"up ({plan.authentication_bits})"
            )
        reason += f"; {needed:,} would do" if needed is not None else ""
    return replace(plan, length=0, net_length=0, reason=reason, rounds_needed=needed)


def _expected_s(task: Search) -> float | None:
    if task.protocol != "e91":
        return None
    return task.S if task.S is not None else MOST_S * (1 - 2 * task.qber)


def _assumptions(task: Search) -> tuple[str, ...]:
    own = (_OWN[task.protocol],) if task.protocol in _OWN else ()
    return (
        "quantum theory; Alice, Bob and their random numbers are out of Eve's reach",
        _SOURCES[_KINDS[task.protocol]],
        *own,
        "whether a round counts does not depend on the basis; none is dropped by its outcome",
        "the number of signals was fixed, and the last was measured before any basis is told",
        "Bob's side of reconciliation tells only what the error pattern tells, which may be given to Eve "
        "for qubits measured in Z and X (Tupkary, Lütkenhaus, arXiv:2307.00576)",
    )


def _search(
    protocol: str,
    qber: float,
    S: float | None,
    epsilon: float,
    eps_cor: float | None,
    theorem: str,
    f: float,
    success: float,
    abort_probability: float,
    authentication_bits: int,
) -> Search:
    if protocol not in PLANNED:
        raise ArgumentError(f"protocol must be one of {', '.join(PLANNED)}, but was {protocol!r}")
    if S is not None and protocol != "e91":
        raise ArgumentError(f"S is expected of e91 only, but the protocol was {protocol}")
    finite_bound(theorem)
    if not 1 <= f <= 10:
        raise ArgumentError(f"f must lie between 1 and 10, but was {f!r}")
    check_probability("success", success)
    if not success:
        raise ArgumentError("success must be above 0: no round would count")
    if eps_cor is not None:
        check_probability("eps_cor", eps_cor, open_ends=True)
    return Search(
        protocol=protocol,
        qber=check_error_rate("qber", qber),
        epsilon=float(check_probability("epsilon", epsilon, open_ends=True)),
        eps_cor=eps_cor,
        theorem=theorem,
        f=float(f),
        spare=check_probability("abort_probability", abort_probability, open_ends=True) / 4,
        success=float(success),
        S=None if S is None else check_s(S),
        authentication_bits=check_count("authentication_bits", authentication_bits),
    )
