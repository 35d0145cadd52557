r"""Decoy states: keys from weak laser pulses, whose photon number Eve may count.

Alice draws one of three intensities per pulse. How often pulses of each are detected, and with how many
errors, bounds how many of the detections came from single photons and from none: only they are secret.
Laser sources are no gate circuits: everything here is computed, nothing simulated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ebit.analysis.binomial import check_count, check_probability
from ebit.analysis.key_asymptotic import binary_entropy, check_error_rate, highest
from ebit.analysis.planning import divergence
from ebit.games import ArgumentError

__all__ = [
    "DecoyLength",
    "DecoyPlan",
    "best_decoy",
    "decoy_asymptotic",
    "decoy_gain",
    "decoy_length",
]

Three = Sequence[float]
_VACUUM = 2e-4  # weakest intensity: modulators do not reach zero


@dataclass(frozen=True)
class DecoyLength:
    """Key length from counts by intensity.

    Attributes:
        bits: before rounding down, below zero where there is no key.
        length: rounded down, 0 where there is none.
        vacuum: detections of the key basis without a photon, at least.
        single: detections of the key basis of one photon, at least.
        single_test: the same in the test's basis. errors: wrong ones among them, at most.
        phase_error: bound on the phase error rate of the single photons.
    """

    bits: float
    length: int
    vacuum: float
    single: float
    single_test: float
    errors: float
    phase_error: float

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return asdict(self)


@dataclass(frozen=True)
class DecoyPlan:
    """Intensities and shares that make the key from so many pulses longest, and that key.

    Attributes:
        pulses: pulses sent. key_bias: chance of the key basis, on either side.
        intensities: mean photon numbers. odds: how often each is sent.
        raw_bits: detections in the key basis on both sides that are expected.
        qber: error rate of those. leak: bits of reconciliation.
        found: the length and its bounds, at the counts that are expected.
    """

    pulses: int
    key_bias: float
    intensities: tuple[float, float, float]
    odds: tuple[float, float, float]
    raw_bits: float
    qber: float
    leak: float
    found: DecoyLength

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return asdict(self)


def decoy_gain(
    intensity: float, transmittance: float, dark: float, misalignment: float
) -> tuple[float, float]:
    r"""Return how often a weak pulse is detected, and how often detected wrongly.

    .. math:: Q = 1 - (1-d)^2 e^{-\eta\mu}, \quad
              EQ = \frac{1-(1-d)^2}{2} e^{-\eta\mu} + \left(e + (1-2e)\frac d2\right)(1-e^{-\eta\mu})

    Two detectors, each with dark-count probability d per pulse; where both click the bit is random.

    Args:
        intensity: mean photon number mu. transmittance: eta, detectors included.
        dark: d. misalignment: e, the error rate of photons.

    Returns:
        Q and E Q.

    Example:
        >>> gain, wrong = decoy_gain(0.5, 0.1, 1e-6, 0.01)
        >>> round(gain, 6), round(wrong / gain, 6)
        (0.048772, 0.01002)
    """
    photon = -math.expm1(-transmittance * intensity)
    vacuum = dark * (2 - dark)
    wrong = vacuum / 2 * (1 - photon) + (misalignment + (1 - 2 * misalignment) * dark / 2) * photon
    return photon + vacuum * (1 - photon), wrong


def decoy_length(
    key_counts: Three,
    test_counts: Three,
    test_errors: Three,
    *,
    intensities: Three,
    odds: Three,
    leak: float,
    eps_sec: float = 1e-10,
    eps_cor: float = 1e-15,
) -> DecoyLength:
    r"""Return the key length from counts at three intensities.

    With :math:`n^\pm_k = \frac{e^{\mu_k}}{p_k}(n_k \pm \sqrt{\tfrac n2 \ln\tfrac{21}{\varepsilon}})`
    and :math:`\tau_m = \sum_k p_k e^{-\mu_k}\mu_k^m/m!`,

    .. math:: s_0 \ge \tau_0 \frac{\mu_2 n^-_3 - \mu_3 n^+_2}{\mu_2-\mu_3}, \quad
              s_1 \ge \frac{\tau_1\mu_1 [n^-_2 - n^+_3 - \frac{\mu_2^2-\mu_3^2}{\mu_1^2}(n^+_1 - s_0/\tau_0)]}
                           {\mu_1(\mu_2-\mu_3) - \mu_2^2+\mu_3^2}

    .. math:: \ell = s_0 + s_1 (1 - h(\phi)) - \mathrm{leak} - 6\log_2\frac{21}{\varepsilon}
              - \log_2\frac{2}{\varepsilon_{cor}}

    Args:
        key_counts: detections of the key basis by intensity, strongest first.
        test_counts, test_errors: detections of the test's basis, and wrong ones.
        intensities: mu_1 > mu_2 + mu_3, mu_2 > mu_3 >= 0. odds: p_k, how often each is sent.
        leak: bits of reconciliation.
        eps_sec, eps_cor: errors.

    Raises:
        ArgumentError: not three, or intensities that the bounds do not allow.

    Example:
        >>> found = decoy_length(
        ...     (4e6, 6e5, 2e3), (4e5, 6e4, 2e2), (4e3, 6e2, 1e2),
        ...     intensities=(0.5, 0.1, 2e-4), odds=(0.6, 0.3, 0.1), leak=4e5,
        ... )
        >>> 0 < found.length < found.single + found.vacuum
        True

    Source:
        Lim, Curty, Walenta, Xu, Zbinden, PRA 89, 022307 (2014), eqs. 1 to 5; phi is raised to the
        bound of Hoeffding, J. Am. Stat. Assoc. 58, 13 (1963), which holds where errors are few too.
    """
    mu, p = _checked(intensities, odds, (key_counts, test_counts, test_errors))
    check_probability("eps_sec", eps_sec, open_ends=True)
    check_probability("eps_cor", eps_cor, open_ends=True)
    log = math.log(21 / eps_sec)
    tau = [sum(q * math.exp(-m) * m**j for q, m in zip(p, mu, strict=True)) for j in (0, 1)]

    def scaled(counts: Three, sign: int) -> list[float]:
        width = math.sqrt(sum(counts) / 2 * log)
        return [math.exp(m) / q * (c + sign * width) for m, q, c in zip(mu, p, counts, strict=True)]

    def bounds(counts: Three) -> tuple[float, float]:
        low, high = scaled(counts, -1), scaled(counts, 1)
        none = max(0.0, tau[0] * (mu[1] * low[2] - mu[2] * high[1]) / (mu[1] - mu[2]))
        inner = low[1] - high[2]
        inner -= (mu[1] ** 2 - mu[2] ** 2) / mu[0] ** 2 * (high[0] - none / tau[0])
        one = tau[1] * mu[0] * inner / (mu[0] * (mu[1] - mu[2]) - mu[1] ** 2 + mu[2] ** 2)
        return none, max(0.0, one)

    vacuum, single = bounds(key_counts)
    _, single_test = bounds(test_counts)
    low, high = scaled(test_errors, -1), scaled(test_errors, 1)
    errors = max(0.0, tau[1] * (high[1] - low[2]) / (mu[1] - mu[2]))
    phase = _phase_error(errors, single_test, single, eps_sec)
    bits = vacuum + single * (1 - binary_entropy(phase)) - leak
    bits -= 6 * math.log2(21 / eps_sec) + 1 - math.log2(eps_cor)
    return DecoyLength(bits, max(0, math.floor(bits)), vacuum, single, single_test, errors, phase)


def _phase_error(errors: float, sample: float, rest: float, eps_sec: float) -> float:
    """The error rate of the rest, at most, where the sample has so many errors.

    The larger of the paper's expression and of the bound p with sample D(b || p) = 2 ln(21 / eps_sec),
    p the rate of both together, which holds at any number of errors (Hoeffding 1963). The paper's is an
    expansion for many: at 20 errors of the sample it fails far more often than it states. Where it
    holds, this one's margin is a fifth wider, which costs less than 1 % of a long key.
    """
    if sample <= 0 or rest <= 0:
        return 0.5
    b, c, d = errors / sample, rest, sample
    if b >= 0.5:
        return 0.5
    extra = 0.0
    if b > 0:
        inner = math.log2((c + d) / (c * d * (1 - b) * b)) + 2 * math.log2(21 / eps_sec)
        width = (c + d) * (1 - b) * b / (c * d * math.log(2))
        extra = math.sqrt(width * max(0.0, inner))
    wanted = 2 * math.log(21 / eps_sec) / d
    low, high = b, 0.5
    if divergence(b, high) <= wanted:
        return 0.5
    for _ in range(46):
        middle = (low + high) / 2
        low, high = (middle, high) if divergence(b, middle) < wanted else (low, middle)
    whole = high  # of the sample and the rest together
    return min(0.5, max(b + extra, (whole * (c + d) - b * d) / c))


def _checked(
    intensities: Three, odds: Three, counts: Sequence[Three]
) -> tuple[list[float], list[float]]:
    for name, values in (("intensities", intensities), ("odds", odds)):
        if len(values) != 3:
            raise ArgumentError(f"{name} must be three numbers, but were {len(values)}")
    mu, p = [float(m) for m in intensities], [float(q) for q in odds]
    if not (mu[0] > mu[1] + mu[2] and mu[1] > mu[2] >= 0):
        raise ArgumentError(
            f"intensities must be mu1 > mu2 + mu3 and mu2 > mu3 >= 0, but were {tuple(mu)}"
        )
    if min(p) <= 0 or abs(sum(p) - 1) > 1e-9:
        raise ArgumentError(f"odds must be positive with sum 1, but were {tuple(p)}")
    if any(len(c) != 3 or min(c) < 0 for c in counts):
        raise ArgumentError("counts must be three numbers of at least 0, one per intensity")
    return mu, p


def decoy_asymptotic(
    transmittance: float, dark: float, misalignment: float, *, f: float = 1.1
) -> tuple[float, float]:
    r"""Return the key rate per pulse with endless decoys, and the intensity that is best.

    .. math:: r = Q_0 + Q_1 (1 - h(e_1)) - f\,Q\,h(E), \quad Q_n = e^{-\mu}\frac{\mu^n}{n!} Y_n

    Nearly all pulses are of one intensity and in the key basis.

    Args:
        transmittance, dark, misalignment: as in `decoy_gain`. f: efficiency of reconciliation.

    Example:
        >>> rate, mu = decoy_asymptotic(0.1, 1e-6, 0.01)
        >>> 0.01 < rate < 0.1, 0.4 < mu < 1
        (True, True)

    Source:
        Lo, Ma, Chen, PRL 94, 230504 (2005).
    """
    _check_link(transmittance, dark, misalignment)
    vacuum = dark * (2 - dark)
    one = transmittance + vacuum * (1 - transmittance)
    wrong = vacuum / 2 * (1 - transmittance)
    wrong += (misalignment + (1 - 2 * misalignment) * dark / 2) * transmittance
    secret = one * (1 - binary_entropy(wrong / one)) if one > 0 else 0.0

    def rate(mu: float) -> float:
        gain, bad = decoy_gain(mu, transmittance, dark, misalignment)
        if gain <= 0:
            return 0.0
        none = math.exp(-mu) * vacuum
        return none + mu * math.exp(-mu) * secret - f * gain * binary_entropy(bad / gain)

    mu = math.exp(highest(lambda x: rate(math.exp(x)), math.log(1e-3), math.log(2.0)))
    if rate(mu) <= 0:
        mu = 0.5
    return rate(mu), mu


def best_decoy(
    pulses: int,
    transmittance: float,
    dark: float,
    misalignment: float,
    *,
    eps_sec: float = 1e-10,
    eps_cor: float = 1e-15,
    f: float = 1.1,
) -> DecoyPlan:
    """Return the intensities, shares and bias that make the key from so many pulses longest.

    Two intensities, their shares and the bias are free; the third intensity is 2e-4.

    Args:
        pulses: pulses sent.
        transmittance, dark, misalignment: as in `decoy_gain`.
        eps_sec, eps_cor: errors. f: reconciliation tells f n h(E) bits.

    Raises:
        ArgumentError: an argument out of range.

    Example:
        >>> plan = best_decoy(10**10, 0.1, 1e-6, 0.01)
        >>> plan.found.length > 10**8, plan.intensities[0] > plan.intensities[1]
        (True, True)

    Source:
        Lim, Curty, Walenta, Xu, Zbinden, PRA 89, 022307 (2014), section IV.
    """
    from scipy.optimize import minimize

    sent = check_count("rounds", pulses, low=1, high=10**18)
    _check_link(transmittance, dark, misalignment)

    def plan(x: Sequence[float], total: int) -> DecoyPlan:
        bias = 1 / (1 + math.exp(-x[0]))
        strong = 10 * _VACUUM + 1 / (1 + math.exp(-x[1]))
        weak = _VACUUM + (strong - 2 * _VACUUM) * 0.98 / (1 + math.exp(-x[2]))
        raw = (1.0, math.exp(min(x[3], 30.0)), math.exp(min(x[4], 30.0)))
        odds = (raw[0] / sum(raw), raw[1] / sum(raw), raw[2] / sum(raw))
        mu = (strong, weak, _VACUUM)
        gains = [decoy_gain(m, transmittance, dark, misalignment) for m in mu]
        key = [total * bias**2 * q * gain for q, (gain, _) in zip(odds, gains, strict=True)]
        test = [total * (1 - bias) ** 2 * q * g for q, (g, _) in zip(odds, gains, strict=True)]
        bad = [total * (1 - bias) ** 2 * q * w for q, (_, w) in zip(odds, gains, strict=True)]
        wrong = sum(total * bias**2 * q * w for q, (_, w) in zip(odds, gains, strict=True))
        n = sum(key)
        qber = wrong / n if n > 0 else 0.5
        leak = f * n * binary_entropy(qber)
        found = decoy_length(
            key, test, bad, intensities=mu, odds=odds, leak=leak, eps_sec=eps_sec, eps_cor=eps_cor
        )
        return DecoyPlan(total, bias, mu, odds, n, qber, leak, found)

    def loss(x: Sequence[float], n: int) -> float:
        return -plan(x, n).found.bits

    # From many more pulses to those asked for: near the end of the range most choices give nothing.
    first: Sequence[float] = (2.0, 0.0, -1.0, -1.0, -2.0)
    best = first
    for more, size in zip((1000, 250, 60, 20, 8, 3, 1, 1), (1.2, *[0.3] * 7), strict=True):
        n = more * sent
        start = best if loss(best, n) <= loss(first, n) else first
        simplex = [list(start)] + [
            [v + (size if i == j else 0.0) for i, v in enumerate(start)] for j in range(5)
        ]
        found = minimize(
            loss,
            start,
            args=(n,),
            method="Nelder-Mead",
            options={"initial_simplex": simplex, "maxfev": 300, "xatol": 1e-4, "fatol": 1e-3},
        )
        best = [float(v) for v in found.x]
    return plan(best, sent)


def _check_link(transmittance: float, dark: float, misalignment: float) -> None:
    check_probability("transmittance", transmittance)
    check_error_rate("misalignment", misalignment)
    if not 0 <= dark < 0.5:
        raise ArgumentError(
            f"the dark-count probability must lie between 0 and 0.5, but was {dark!r}"
        )
