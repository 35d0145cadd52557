r"""Lengths of keys from so many rounds, by two theorems for BB84 and its relatives.

Both are theorems for a *fixed length*: the tolerated error rate, the length and the most that
reconciliation may tell are set before the run, and what is observed only decides whether to abort. The
n rounds of the key and the k of the test are random subsets of a fixed number of signals.

The smooth min-entropy of the key basis is n (1 - h(phase error)), by the uncertainty relation between Z
and X; the theorems differ in how the phase error is bounded from the k test rounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from ebit.analysis.binomial import check_count, check_probability
from ebit.analysis.key_asymptotic import binary_entropy, check_error_rate, highest
from ebit.games import ArgumentError

__all__ = [
    "THEOREMS",
    "FiniteBound",
    "best_split",
    "finite_bound",
    "lim_2021",
    "tomamichel_2012",
]


@dataclass(frozen=True)
class FiniteBound:
    """What a theorem gives, before the length is rounded down.

    Attributes:
        bits: n (1 - h(phase_error)) - leak - verification - what the last hash costs; below zero
            there is no key.
        phase_error: bound on the error rate that the key rounds would have had in the test's basis.
        epsilons: how the secrecy error is made up, by name.
    """

    bits: float
    phase_error: float
    epsilons: dict[str, float]


def _checked(n: int, k: int, tolerated: float, eps_sec: float, eps_cor: float, leak: float) -> None:
    check_count("n", n, low=1)
    check_count("k", k, low=1)
    check_error_rate("tolerated", tolerated)
    check_probability("eps_sec", eps_sec, open_ends=True)
    check_probability("eps_cor", eps_cor, open_ends=True)
    if not leak >= 0:
        raise ArgumentError(f"leak must be at least 0 bits, but was {leak!r}")


def tomamichel_2012(
    n: int, k: int, tolerated: float, *, eps_sec: float, eps_cor: float, leak: float
) -> FiniteBound:
    r"""Return the key length of Tomamichel, Lim, Gisin and Renner.

    .. math:: \ell = n\,(1 - h(Q_{tol} + \mu)) - \mathrm{leak}
              - \log_2\frac{2}{\varepsilon_{sec}^2\varepsilon_{cor}}, \quad
              \mu = \sqrt{\frac{n+k}{nk}\,\frac{k+1}{k}\,\ln\frac{4}{\varepsilon_{sec}}}

    Args:
        n: raw key bits.
        k: test bits.
        tolerated: error rate of the test above which the run is aborted.
        eps_sec: secrecy error.
        eps_cor: correctness error; log2(1/eps_cor) bits are the verification hash.
        leak: bits that reconciliation may tell at most.

    Returns:
        The length before rounding down, the bound on the phase error, the epsilons.

    Example:
        >>> leak = 1.1 * 100_000 * binary_entropy(0.02)
        >>> found = tomamichel_2012(
        ...     100_000, 10_000, 0.02, eps_sec=1e-10, eps_cor=1e-15, leak=leak
        ... )
        >>> round(found.bits, 1)
        47055.3

    Source:
        Tomamichel, Lim, Gisin, Renner, Nature Communications 3, 634 (2012), eqs. 1 and 2.
    """
    _checked(n, k, tolerated, eps_sec, eps_cor, leak)
    mu = math.sqrt((n + k) / (n * k) * (k + 1) / k * math.log(4 / eps_sec))
    phase = tolerated + mu
    secret = n * (1 - binary_entropy(phase)) if phase < 0.5 else 0.0
    bits = secret - leak - 1 + 2 * math.log2(eps_sec) + math.log2(eps_cor)
    # The proof's choice: smoothing by eps_sec / 4 counts twice, the last hash takes the other half.
    parts = {"smoothing, twice": eps_sec / 2, "privacy amplification": eps_sec / 2}
    return FiniteBound(bits, min(phase, 0.5), parts)


def lim_2021(
    n: int, k: int, tolerated: float, *, eps_sec: float, eps_cor: float, leak: float
) -> FiniteBound:
    r"""Return the key length for small blocks of Lim, Xu, Pan and Ekert.

    .. math:: \ell = n(1 - h(\delta+\nu)) - \mathrm{leak} - \log_2\frac1{\varepsilon_{cor}}
              - 2\log_2\frac{1}{2(\varepsilon_{sec} - 2\varepsilon_{pe})}

    .. math:: \varepsilon_{pe}^2 = e^{-2mk\xi^2/(n+1)} + e^{-2\Gamma((n(\nu-\xi))^2-1)}, \quad
              \Gamma = \frac{1}{m(\delta+\xi)+1} + \frac{1}{m-m(\delta+\xi)+1}, \quad m = n + k

    The first term bounds the error rate of all m rounds from the test (Serfling), the second that of
    the key from it (hypergeometric tail). The share of eps_pe and the split between both terms are
    chosen to make the length highest.

    Args:
        n, k, tolerated, eps_sec, eps_cor, leak: as in `tomamichel_2012`.

    Example:
        >>> leak = 1.1 * 7_200 * binary_entropy(0.01)
        >>> lim_2021(7_200, 2_800, 0.01, eps_sec=1e-10, eps_cor=1e-15, leak=leak).bits > 2_800
        True

    Source:
        Lim, Xu, Pan, Ekert, PRL 126, 100501 (2021). The tail of the second term: Hush, Scovel,
        Stat. Probab. Lett. 75, 127 (2005).
    """
    _checked(n, k, tolerated, eps_sec, eps_cor, leak)
    m = n + k

    def phase_of(eps_pe: float, share: float) -> float:
        xi = math.sqrt((n + 1) * -(math.log(share) + 2 * math.log(eps_pe)) / (2 * m * k))
        errors = m * (tolerated + xi)
        if errors >= m:
            return 0.5
        gamma = 1 / (errors + 1) + 1 / (m - errors + 1)
        rest = math.sqrt(-(math.log(1 - share) + 2 * math.log(eps_pe)) / (2 * gamma) + 1) / n
        return min(0.5, tolerated + xi + rest)

    def bits_of(part: float, share: float) -> float:
        phase = phase_of(part * eps_sec, share)
        left = eps_sec * (1 - 2 * part)
        secret = n * (1 - binary_entropy(phase))
        return secret - leak + math.log2(eps_cor) + 2 * math.log2(2 * left)

    # The length hardly depends on the split, and smoothly: one pass over each is enough.
    part = 0.45
    share = highest(lambda x: bits_of(part, 10.0**x), -6.0, -0.001)
    part = highest(lambda x: bits_of(0.5 - 10.0**x, 10.0**share), -6.0, -0.31)
    eps_pe = (0.5 - 10.0**part) * eps_sec
    parts = {
        "smoothing, twice": 2 * eps_pe,
        "privacy amplification": eps_sec - 2 * eps_pe,
    }
    bits = bits_of(0.5 - 10.0**part, 10.0**share)
    return FiniteBound(bits, phase_of(eps_pe, 10.0**share), parts)


THEOREMS: dict[str, Callable[..., FiniteBound]] = {
    "tomamichel-2012": tomamichel_2012,
    "lim-2021": lim_2021,
}
"""Theorems by name; the first is the default everywhere."""


def finite_bound(theorem: str) -> Callable[..., FiniteBound]:
    """Return a theorem by name.

    Raises:
        ArgumentError: no theorem has this name.

    Example:
        >>> finite_bound("tomamichel-2012") is tomamichel_2012
        True
    """
    if theorem not in THEOREMS:
        raise ArgumentError(f"theorem must be one of {', '.join(THEOREMS)}, but was {theorem!r}")
    return THEOREMS[theorem]


def best_split(
    total: int,
    tolerated: float,
    *,
    eps_sec: float = 1e-10,
    eps_cor: float = 1e-15,
    f: float = 1.1,
    theorem: str = "tomamichel-2012",
) -> tuple[int, FiniteBound]:
    """Return how many of so many sifted bits to test, and the bound for that.

    Args:
        total: sifted bits, n + k.
        tolerated: error rate, expected and tolerated at once.
        eps_sec, eps_cor: errors.
        f: reconciliation tells f n h(tolerated) bits.
        theorem: by name.

    Returns:
        k and the bound.

    Example:
        >>> k, found = best_split(100_000, 0.025, theorem="lim-2021")
        >>> int(found.bits)
        39226

    Source:
        Lim et al., PRL 126, 100501 (2021), who optimise the same.
    """
    check_count("total", total, low=4)
    law = finite_bound(theorem)

    def bound(k: int) -> FiniteBound:
        n = total - k
        leak = f * n * binary_entropy(tolerated)
        return law(n, k, tolerated, eps_sec=eps_sec, eps_cor=eps_cor, leak=leak)

    low, high = 0.0, math.log(total - 1)
    x = highest(lambda x: bound(min(total - 1, max(1, round(math.exp(x))))).bits, low, high)
    k = min(total - 1, max(1, round(math.exp(x))))
    return k, bound(k)
