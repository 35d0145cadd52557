"""Key rates of all protocols by one function: endless and finite runs, and over fibre."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ebit.analysis.binomial import check_count, check_probability
from ebit.analysis.key_asymptotic import MOST_S, check_error_rate, check_s
from ebit.analysis.key_diqkd_optimise import diqkd_length, diqkd_rounds_needed
from ebit.analysis.key_endless import Choice, endless_result
from ebit.analysis.key_links import DECOY, PAIR, SINGLE, Link, link_rate
from ebit.analysis.key_plan import PLANNED, plan_key
from ebit.analysis.key_plan_search import VERIFICATION
from ebit.analysis.key_rate_result import ASSUMPTIONS, NOT_GIVEN, RateResult
from ebit.games import ArgumentError

__all__ = ["PROTOCOLS", "SOURCES", "key_rate"]

PROTOCOLS = ("bb84", "bbm92", "e91", "six-state", "mdi", "decoy", "diqkd", "conference")
SOURCES = {"bb84": SINGLE, "decoy": DECOY, "bbm92": PAIR}
"""What sends the photons of the protocols whose rate over fibre is known here."""

AUTHENTICATION = 256
"""Pre-shared bits that a run uses up: one tag of 128 bits in each direction."""

_TAKES = {
    "qber": set(PROTOCOLS) - {"decoy"},
    "test_qber": {"bb84", "bbm92", "e91", "mdi", "conference"},
    "S": {"e91", "diqkd"},
    "noise": {"bb84", "bbm92", "e91", "six-state", "mdi", "diqkd"},
    "asymmetry": {"diqkd"},
    "test_fraction": {"diqkd"},
    "theorem": set(PLANNED),
    "f": set(PROTOCOLS) - {"conference"},
    "rounds": set(PROTOCOLS) - {"conference"},
    "link": set(SOURCES),
}
_FINITE = ("epsilon", "theorem", "test_fraction")
_ENDLESS = ("test_qber", "noise", "asymmetry")


def key_rate(
    protocol: str,
    *,
    qber: float | None = None,
    test_qber: float | None = None,
    S: float | None = None,
    rounds: int | None = None,
    epsilon: float | None = None,
    theorem: str | None = None,
    noise: Choice | None = None,
    asymmetry: Choice | None = None,
    test_fraction: float | None = None,
    f: float | None = None,
    link: Link | None = None,
    signal_rate: float | None = None,
) -> RateResult:
    """Return what a protocol is worth: of an endless run, of so many signals, or over fibre.

    Args:
        protocol: bb84, bbm92, e91, six-state, mdi, decoy, diqkd or conference.
        qber: error rate of the key's basis (conference: of the worst pair).
        test_qber: endless runs: that of the test's basis; the same if None.
        S: diqkd: CHSH value, that of white noise if None; e91: a witness that adds nothing.
        rounds: signals sent in a finite run; None is an endless one.
        epsilon: finite: secrecy error (diqkd: soundness error), 1e-10 if None.
        theorem: finite, trusted devices: tomamichel-2012 or lim-2021.
        noise: endless: how often Alice flips raw bits, or "best".
        asymmetry: endless diqkd: weight alpha of the CHSH terms, or "best".
        test_fraction: finite diqkd: share of test rounds; the best if None.
        f: efficiency of reconciliation: 1 in endless runs (the Shannon limit) and 1.1 over fibre if
            None; in the leak cap of a plan, see `ebit.analysis.key_plan_search.leak_cap`.
        link: bb84, bbm92, decoy: a fibre; its loss and detectors then say what the error rate is.
        signal_rate: signals per second, for bits per second.

    Returns:
        The rate with what it assumes.

    Raises:
        ArgumentError: an argument out of range, or one that does not belong to the protocol.

    Example:
        >>> round(key_rate("bb84", qber=0.05).rate, 6)
        0.427206
        >>> found = key_rate("bb84", qber=0.02, rounds=1_000_000, epsilon=1e-10)
        >>> found.theorem, found.key_bits > 380_000
        ('tomamichel-2012', True)

    Source:
        See the functions of each protocol in `ebit.analysis.key_asymptotic`, `key_finite`,
        `key_decoy`, `key_diqkd` and `key_links`.
    """
    given = {
        "qber": qber,
        "test_qber": test_qber,
        "S": S,
        "rounds": rounds,
        "epsilon": epsilon,
        "theorem": theorem,
        "noise": noise,
        "asymmetry": asymmetry,
        "test_fraction": test_fraction,
        "f": f,
        "link": link,
    }
    _check(protocol, given)
    if signal_rate is not None and not 0 < signal_rate < float("inf"):
        raise ArgumentError(f"signal_rate must be above 0 per second, but was {signal_rate!r}")
    if link is not None:
        return _over_fibre(protocol, link, rounds, epsilon, theorem, f, signal_rate)
    rate = check_error_rate("qber", qber if qber is not None else -1)
    test = None if test_qber is None else check_error_rate("test_qber", test_qber)
    seen = None if S is None else check_s(S)
    if rounds is None:
        return endless_result(
            protocol,
            rate,
            test_qber=test,
            S=seen,
            noise=noise,
            asymmetry=asymmetry,
            f=f or 1.0,
            signal_rate=signal_rate,
        )
    if protocol == "diqkd":
        return _diqkd(rate, seen, rounds, epsilon, test_fraction, f, signal_rate)
    return _planned(protocol, rate, seen, rounds, epsilon, theorem, f, signal_rate)


def _check(protocol: str, given: Mapping[str, Any]) -> None:
    if protocol not in PROTOCOLS:
        raise ArgumentError(f"protocol must be one of {', '.join(PROTOCOLS)}, but was {protocol!r}")
    for name, fit in _TAKES.items():
        if given[name] is not None and protocol not in fit:
            known = ", ".join(p for p in PROTOCOLS if p in fit)
            what = "a link (km)" if name == "link" else name
            raise ArgumentError(f"{what} belongs to {known}, not to {protocol}: leave it out")
    finite = given["rounds"] is not None
    for name in _FINITE if not finite else _ENDLESS:
        if given[name] is not None and (name != "test_qber" or protocol != "conference"):
            what = (
                "finite runs: give rounds too" if not finite else "endless runs: leave out rounds"
            )
            raise ArgumentError(f"{name} is for {what}")
    if given["link"] is not None:
        for name in ("qber", "test_qber", "S", "noise"):
            if given[name] is not None:
                raise ArgumentError(
                    f"{name} follows from the link (loss, dark counts, misalignment): leave it out"
                )
    elif protocol == "decoy":
        raise ArgumentError("decoy needs a link (km): its rate follows from loss and detectors")
    elif given["qber"] is None:
        raise ArgumentError(f"qber must be given for {protocol}: an error rate between 0 and 0.5")
    f = given["f"]
    if f is not None and not 1 <= f <= 10:
        raise ArgumentError(f"f must lie between 1 and 10, but was {f!r}")
    if finite:
        check_count("rounds", given["rounds"], low=1, high=10**15)
    if given["epsilon"] is not None:
        check_probability("epsilon", given["epsilon"], open_ends=True)


def _planned(
    protocol: str,
    qber: float,
    S: float | None,
    rounds: int,
    epsilon: float | None,
    theorem: str | None,
    f: float | None,
    signal_rate: float | None,
) -> RateResult:
    more: dict[str, Any] = {} if f is None else {"f": f}
    plan = plan_key(
        protocol,
        rounds,
        qber=qber,
        S=S,
        epsilon=1e-10 if epsilon is None else epsilon,
        theorem=theorem or "tomamichel-2012",
        authentication_bits=AUTHENTICATION,
        **more,
    )
    rate = plan.length / rounds
    return RateResult(
        protocol=protocol,
        rate=rate,
        unit="bits of key per signal sent",
        qber=qber,
        S=plan.S,
        f=f,
        rounds=rounds,
        key_bits=plan.length,
        net_key_bits=plan.net_length,
        theorem=plan.theorem,
        epsilon=plan.epsilon,
        epsilon_total=plan.epsilon_total,
        epsilons={**plan.epsilons, "correctness": plan.eps_cor},
        rounds_needed=plan.rounds_needed,
        signal_rate=signal_rate,
        key_per_second=None if signal_rate is None else rate * signal_rate,
        plan=plan.to_dict(),
        reason=plan.reason,
        assumptions=plan.assumptions,
        not_given=(*plan.not_given, *NOT_GIVEN),
    )


def _diqkd(
    qber: float,
    S: float | None,
    rounds: int,
    epsilon: float | None,
    test_fraction: float | None,
    f: float | None,
    signal_rate: float | None,
) -> RateResult:
    if f is not None:
        raise ArgumentError("f is for endless runs of diqkd: the finite length has its own leak")
    value = S if S is not None else MOST_S * (1 - 2 * qber)
    eps = 1e-10 if epsilon is None else epsilon
    found = diqkd_length(rounds, S=value, qber=qber, epsilon=eps, test_fraction=test_fraction)
    needed, reason = None, ""
    if not found.length:
        needed = diqkd_rounds_needed(
            S=value, qber=qber, epsilon=eps, test_fraction=test_fraction, above=rounds
        )
        reason = (
            f"{rounds:,} rounds are too few at S = {value:.4g}, error rate {100 * qber:.2f} %; "
            f"{needed:,} would do"
            if needed is not None
            else f"no number of rounds gives a key at S = {value:.4g}, error rate {100 * qber:.2f} %"
        )
    p = found.parameters
    rate = found.length / rounds
    return RateResult(
        protocol="diqkd",
        rate=rate,
        unit="bits of key per round",
        qber=qber,
        S=value,
        rounds=rounds,
        key_bits=found.length,
        net_key_bits=found.net_length,
        theorem="nadlinger-2022",
        epsilon=eps,
        epsilon_total=eps,
        epsilons={
            "smoothing, twice": 2 * p.smooth,
            "privacy amplification": p.hash,
            "verification and authentication": eps - 2 * p.smooth - p.hash,
        },
        rounds_needed=needed,
        signal_rate=signal_rate,
        key_per_second=None if signal_rate is None else rate * signal_rate,
        plan=found.to_dict(),
        reason=reason,
        assumptions=(
            *ASSUMPTIONS["diqkd"],
            "rounds one after the other; honest runs pass the threshold at three standard deviations",
            "a one-way syndrome corrects honest rounds with the leak that is stated",
        ),
        not_given=NOT_GIVEN,
    )


def _over_fibre(
    protocol: str,
    link: Link,
    rounds: int | None,
    epsilon: float | None,
    theorem: str | None,
    f: float | None,
    signal_rate: float | None,
) -> RateResult:
    if signal_rate is not None:
        raise ArgumentError("signal_rate is the link's own: give it there")
    eps = 1e-10 if epsilon is None else epsilon
    name = theorem or "tomamichel-2012"
    factor = 1.1 if f is None else f
    found = link_rate(SOURCES[protocol], link, rounds=rounds, epsilon=eps, theorem=name, f=factor)
    decoy = protocol == "decoy"
    correct = 1e-15 if decoy else 2.0**-VERIFICATION
    reason = "" if found.key_per_signal > 0 else f"too little arrives over {link.km:g} km"
    net = None
    if reason and rounds is not None:
        reason += f" for a run of {rounds:,} signals"
    if found.key_bits is not None:
        net = max(0, found.key_bits - AUTHENTICATION)
    expected = (
        ("the counts are those expected of the link: a run's own counts decide its length",)
        if decoy and rounds is not None
        else ()
    )
    return RateResult(
        protocol=protocol,
        rate=found.key_per_signal,
        unit="bits of key per pair" if protocol == "bbm92" else "bits of key per pulse",
        qber=found.qber,
        f=factor,
        rounds=rounds,
        key_bits=found.key_bits,
        net_key_bits=net,
        theorem=("lim-2014" if decoy else name) if rounds is not None else None,
        epsilon=None if rounds is None else eps,
        epsilon_total=None if rounds is None else eps + correct,
        epsilons={} if rounds is None else {"secrecy": eps, "correctness": correct},
        signal_rate=found.signal_rate,
        key_per_second=found.key_per_second,
        link=found.to_dict(),
        reason=reason,
        assumptions=(
            *ASSUMPTIONS[protocol],
            *expected,
            "loss, misalignment and dark counts alone disturb; detectors have no dead time",
            "whether a signal is detected does not depend on the basis",
        ),
        not_given=(
            "a simulation: photon sources are no gate circuits, so these figures are computed",
            *NOT_GIVEN,
        ),
    )
