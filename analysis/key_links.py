r"""Keys over fibre: what loss, detectors and dark counts leave, in bits per second.

Three sources: single photons and weak pulses with decoys, sent by Alice, and entangled pairs from the
middle of the line. Photon sources are no gate circuits: these figures are computed, nothing simulated.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from ebit.analysis.binomial import check_probability
from ebit.analysis.key_asymptotic import binary_entropy, check_error_rate, highest
from ebit.analysis.key_decoy import best_decoy, decoy_asymptotic, decoy_gain
from ebit.analysis.key_plan import plan_key
from ebit.games import ArgumentError

__all__ = [
    "DECOY",
    "PAIR",
    "SINGLE",
    "Link",
    "LinkRate",
    "link_rate",
    "repeaterless_bound",
]

SINGLE, DECOY, PAIR = "single photon", "decoy states", "entangled pairs"


@dataclass(frozen=True)
class Link:
    """A fibre with its detectors.

    Attributes:
        km: length.
        loss: of the fibre, in dB per km.
        detector_efficiency: chance that a photon at the detector is counted, other optics included.
        dark_rate: false counts per second of each detector.
        window: seconds within which a count is taken for the pulse's or the pair's.
        misalignment: error rate of photons that arrive.
        signal_rate: pulses or pairs per second; None is the best for pairs, and 1e9 for pulses.
    """

    km: float
    loss: float = 0.2
    detector_efficiency: float = 0.2
    dark_rate: float = 100.0
    window: float = 1e-9
    misalignment: float = 0.01
    signal_rate: float | None = None

    def __post_init__(self) -> None:
        for name, unit in (
            ("km", "kilometres"),
            ("loss", "dB per km"),
            ("dark_rate", "per second"),
        ):
            value = getattr(self, name)
            if not (0 <= value < math.inf):
                raise ArgumentError(
                    f"{name} must be at least 0 {unit}, and finite, but was {value!r}"
                )
        check_probability("detector_efficiency", self.detector_efficiency)
        check_error_rate("misalignment", self.misalignment)
        if not 0 < self.window < 1:
            raise ArgumentError(
                f"window must be seconds strictly between 0 and 1, but was {self.window!r}"
            )
        if self.dark_rate * self.window >= 0.5:
            raise ArgumentError(
                f"dark_rate must be below one half per window of {self.window:g} s, but was "
                f"{self.dark_rate:g} per second"
            )
        rate = self.signal_rate
        if rate is not None and not 0 < rate < math.inf:
            raise ArgumentError(f"signal_rate must be above 0 per second, but was {rate!r}")

    @property
    def fibre(self) -> float:
        """Transmittance of the fibre, 10^(-loss km / 10)."""
        return float(10 ** (-self.loss * self.km / 10))

    @property
    def transmittance(self) -> float:
        """Transmittance of the fibre and the detector."""
        return self.fibre * self.detector_efficiency

    @property
    def dark(self) -> float:
        """Chance of a false count of a detector within the window."""
        return self.dark_rate * self.window


@dataclass(frozen=True)
class LinkRate:
    """What a link gives.

    Attributes:
        source: "single photon", "decoy states" or "entangled pairs".
        km: length. transmittance: of the fibre and one detector.
        detected: share of signals that count: clicks, or coincidences.
        qber: error rate of those.
        signal_rate: signals per second.
        key_per_signal: bits of key per signal, 0 if none.
        key_per_second: the same per second.
        bound: the repeaterless bound: most key per pulse sent straight through this fibre.
        rounds: signals of a finite run, None for endless ones.
        key_bits: of that run.
        choice: what was optimised: intensity, intensities, bias.
    """

    source: str
    km: float
    transmittance: float
    detected: float
    qber: float
    signal_rate: float
    key_per_signal: float
    key_per_second: float
    bound: float
    rounds: int | None
    key_bits: int | None
    choice: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data; an endless bound is None."""
        plain = asdict(self)
        if not math.isfinite(self.bound):
            plain["bound"] = None
        return plain


def repeaterless_bound(transmittance: float) -> float:
    r"""Return :math:`-\log_2(1-\eta)`, the most key per pulse without a repeater.

    Args:
        transmittance: eta of the channel alone, [0, 1].

    Example:
        >>> repeaterless_bound(0.5), round(repeaterless_bound(0.01), 6)
        (1.0, 0.0145)

    Source:
        Pirandola, Laurenza, Ottaviani, Banchi, Nature Communications 8, 15043 (2017), eq. 19.
    """
    check_probability("transmittance", transmittance)
    return math.inf if transmittance >= 1 else -math.log1p(-transmittance) / math.log(2)


def link_rate(
    source: str,
    link: Link,
    *,
    rounds: int | None = None,
    epsilon: float = 1e-10,
    theorem: str = "tomamichel-2012",
    f: float = 1.1,
) -> LinkRate:
    r"""Return the key that a link gives, per signal and per second.

    Single photons and decoys: a pulse is detected with probability Q, wrongly with E Q
    (`ebit.analysis.key_decoy.decoy_gain`, a single photon being there with probability eta in place of
    1 - exp(-eta mu)). Pairs at rate R from the middle, each arm :math:`\sqrt{\eta_{fibre}}\,\eta_d`,
    with two detectors a side:

    .. math:: t = 1 - e^{-R\,\eta_{arm}^2\tau}, \quad
              a = (1 - t)\left(1 - e^{-(R\,\eta_{arm}(1-\eta_{arm}) + 2 d)\tau}\right)^2, \quad
              E = \frac{e\,t + a/2}{t + a},

    t the chance of a true coincidence in a window, a that of an accidental one.

    Endless runs: :math:`Q(1 - (1 + f) h(E))`, with nearly all signals in the key's basis.

    Args:
        source: "single photon", "decoy states" or "entangled pairs".
        link: the line.
        rounds: signals sent in a finite run; None for endless ones.
        epsilon: secrecy error of a finite run. theorem: for photons and pairs.
        f: efficiency of reconciliation; in the leak cap of a plan, the factor on the entropy.

    Raises:
        ArgumentError: an unknown source.

    Example:
        >>> near, far = (link_rate("single photon", Link(km)) for km in (10, 100))
        >>> near.key_per_second > 30 * far.key_per_second > 0
        True
        >>> far.key_per_signal < far.bound
        True

    Source:
        Losses and dark counts: Lim et al., PRA 89, 022307 (2014); pairs: Neumann et al., PRA 104,
        022406 (2021).
    """
    if f < 1:
        raise ArgumentError(f"f must be at least 1, but was {f!r}")
    if source == SINGLE:
        return _single(link, rounds, epsilon, theorem, f)
    if source == DECOY:
        return _decoy(link, rounds, epsilon, f)
    if source == PAIR:
        return _pairs(link, rounds, epsilon, theorem, f)
    raise ArgumentError(f"source must be {SINGLE!r}, {DECOY!r} or {PAIR!r}, but was {source!r}")


def _single(link: Link, rounds: int | None, epsilon: float, theorem: str, f: float) -> LinkRate:
    eta, dark, e = link.transmittance, link.dark, link.misalignment
    vacuum = dark * (2 - dark)
    gain = eta + vacuum * (1 - eta)
    wrong = vacuum / 2 * (1 - eta) + (e + (1 - 2 * e) * dark / 2) * eta
    qber = wrong / gain if gain > 0 else 0.5
    return _made(SINGLE, link, gain, qber, link.signal_rate or 1e9, rounds, epsilon, theorem, f)


def _pair_figures(link: Link, rate: float) -> tuple[float, float]:
    arm = math.sqrt(link.fibre) * link.detector_efficiency
    true = -math.expm1(-rate * arm * arm * link.window)  # per window
    single = -math.expm1(-(rate * arm * (1 - arm) + 2 * link.dark_rate) * link.window)
    accidental = (1 - true) * single * single
    total = true + accidental
    if total <= 0:
        return 0.0, 0.5
    return total / (rate * link.window), (link.misalignment * true + accidental / 2) / total


def _pairs(link: Link, rounds: int | None, epsilon: float, theorem: str, f: float) -> LinkRate:
    def per_second(x: float) -> float:
        detected, qber = _pair_figures(link, math.exp(x))
        return math.exp(x) * detected * (1 - (1 + f) * binary_entropy(qber))

    rate = link.signal_rate
    if rate is None:  # more pairs, more accidental coincidences: the best lies between
        rate = math.exp(highest(per_second, math.log(1.0), math.log(1.0 / link.window)))
    detected, qber = _pair_figures(link, rate)
    return _made(PAIR, link, min(1.0, detected), qber, rate, rounds, epsilon, theorem, f)


def _made(
    source: str,
    link: Link,
    detected: float,
    qber: float,
    rate: float,
    rounds: int | None,
    epsilon: float,
    theorem: str,
    f: float,
) -> LinkRate:
    choice: dict[str, Any] = {}
    bits: int | None = None
    if rounds is None:
        per_signal = detected * max(0.0, 1 - (1 + f) * binary_entropy(qber))
    elif detected <= 0:
        per_signal, bits = 0.0, 0
    else:
        name = "bbm92" if source == PAIR else "bb84"
        plan = plan_key(
            name, rounds, qber=qber, epsilon=epsilon, theorem=theorem, success=detected, f=f
        )
        bits, per_signal = plan.length, plan.length / rounds
        choice = {"key_basis": plan.alice_odds[0], "n": plan.n, "k": plan.k}
    return _result(source, link, detected, qber, rate, per_signal, rounds, bits, choice)


def _decoy(link: Link, rounds: int | None, epsilon: float, f: float) -> LinkRate:
    at = link.transmittance, link.dark, link.misalignment
    bits: int | None = None
    if rounds is None:
        per_signal, mu = decoy_asymptotic(*at, f=f)
        gain, wrong = decoy_gain(mu, *at)
        qber = wrong / gain if gain > 0 else 0.5
        choice: dict[str, Any] = {"intensity": mu}
    else:
        plan = best_decoy(rounds, *at, eps_sec=epsilon, f=f)
        bits, qber = plan.found.length, plan.qber
        per_signal = bits / rounds
        gain = sum(
            q * decoy_gain(m, *at)[0] for q, m in zip(plan.odds, plan.intensities, strict=True)
        )
        choice = {
            "intensities": list(plan.intensities),
            "odds": list(plan.odds),
            "key_basis": plan.key_bias,
        }
    rate = link.signal_rate or 1e9
    return _result(DECOY, link, gain, qber, rate, max(0.0, per_signal), rounds, bits, choice)


def _result(
    source: str,
    link: Link,
    detected: float,
    qber: float,
    rate: float,
    per_signal: float,
    rounds: int | None,
    bits: int | None,
    choice: dict[str, Any],
) -> LinkRate:
    return LinkRate(
        source=source,
        km=float(link.km),
        transmittance=link.transmittance,
        detected=detected,
        qber=qber,
        signal_rate=rate,
        key_per_signal=per_signal,
        key_per_second=per_signal * rate,
        bound=repeaterless_bound(link.fibre),
        rounds=rounds,
        key_bits=bits,
        choice=choice,
    )
