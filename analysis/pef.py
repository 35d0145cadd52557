r"""Probability estimation: min-entropy of CHSH outputs against classical side information, n rounds.

**What a factor is.** F(abxy) >= 0 is a probability estimation factor (PEF) with power beta > 0 when
sum q(xy) F(abxy) p(ab|xy)^(1+beta) <= 1 for every quantum behaviour p (and every law q of the settings
that is allowed for). `ebit.analysis.pef_certify` proves it for a given F.

**Rounds with memory.** Let C, Z be all outputs and settings, E whatever classical information the
adversary has, P their law, and write P(c|z,e) as the product of the rounds' behaviours given the past
and e; that is right when a round's settings do not depend on earlier outputs, given earlier settings
and e. Each round's behaviour is quantum, so given the past the mean of F_i p_i^beta is at most 1, and
by induction the mean of prod F_i P(C|Z,E)^beta is at most 1.

**What follows.** Let G be the event prod F_i P(C|Z,E)^beta <= 1/epsilon. By Markov P(not G) <= epsilon.
Fix a threshold k beforehand and accept when

.. math:: \sum \log_2 F_i \ge \beta k + \log_2(1/\epsilon).

When accepted, and in G, P(c|z,e) <= 2^-k. So the sub-normalised law P(c,z,e, accept and G) has
min-entropy of C given Z, E of at least k, and the accepted law differs from it by weight at most
epsilon. No term for the probability of acceptance is subtracted: it belongs to statements about the
law *conditional* on acceptance. Hashing to m bits with a two-universal family (leftover hash lemma for
sub-normalised laws) gives

.. math:: P(\text{accept}) \cdot \text{distance from uniform and independent of } Z, E, \text{seed}
    \;\le\; \epsilon + \tfrac12 2^{-(k-m)/2}.

That product is the soundness error. `threshold_bits` is k.

Source: arXiv:1709.06159 and arXiv:1812.07786; the sub-normalised form is derived above.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import stats

from ebit.analysis.binomial import check_count, check_probability
from ebit.analysis.pef_certify import certify
from ebit.analysis.pef_constraint import check_pef, extreme_products, extreme_settings
from ebit.analysis.pef_design import best_factor
from ebit.analysis.pef_factor import Pair, Pef
from ebit.analysis.pef_result import PefEntropy
from ebit.games import ArgumentError, RefusedError

__all__ = ["Pef", "PefEntropy", "design_pef", "estimated_rate", "planned_bits"]

Floats = npt.NDArray[np.float64]
_TOP_WIN = (2 + math.sqrt(2)) / 4
_FAIR = ((0.25, 0.25), (0.25, 0.25))


def _expected(S: float | None, win_rates: npt.ArrayLike | None, q: Floats) -> Floats:
    """Expected frequency of each (x, y, won)."""
    if (S is None) == (win_rates is None):
        raise ArgumentError("Give either `S` or `win_rates`, and not both.")
    if S is not None:
        if not 2 < S <= 2 * math.sqrt(2) + 1e-9:
            raise ArgumentError(
                "Argument `S` must be the expected CHSH value, above 2 and at most 2 sqrt 2 = "
                f"2.828427, but was {S!r}; nothing can be certified without a violation."
            )
        wins = np.full((2, 2), 0.5 + S / 8)
    else:
        wins = np.broadcast_to(np.asarray(win_rates, dtype=np.float64), (2, 2))
        if not ((wins > 0) & (wins < 1)).all() or not 0.75 < wins.mean() <= _TOP_WIN + 1e-9:
            raise ArgumentError(
                "Argument `win_rates` must lie strictly between 0 and 1, with a mean above 0.75 "
                f"and at most {_TOP_WIN:.6f}, but was {np.asarray(win_rates).tolist()}."
            )
    return np.asarray(q[:, :, None] * np.stack([1 - wins, wins], axis=-1))


def _laws(settings: npt.ArrayLike | None, tau: float) -> tuple[Floats, list[Floats], bool]:
    """The law of the settings, those to be obeyed, and whether F may know the question."""
    q = np.asarray(_FAIR if settings is None else settings, dtype=np.float64)
    check_pef(np.ones((2, 2, 2)), 1.0, q)
    if not (q > 0).all():
        raise ArgumentError(
            f"Argument `settings` must give each question a chance, but was {q.tolist()}."
        )
    fair = bool(np.abs(q - 0.25).max() < 1e-12)
    q = q / q.sum()
    if tau and not fair:
        return q, extreme_products(q, tau), False
    return q, extreme_settings(tau) if tau else [q], fair


def _pair(values: Floats) -> Pair:
    return float(values[0]), float(values[1])


def design_pef(
    S: float | None,
    n: int,
    epsilon: float = 2**-64,
    *,
    win_rates: npt.ArrayLike | None = None,
    settings: npt.ArrayLike | None = None,
    tau: float = 0.0,
    power: float = 0.99,
    tolerance: float = 3e-4,
) -> Pef:
    r"""Return the factor with the most expected bits in n rounds, its constraint proven.

    F depends on won and lost; on the question too where settings are not uniform or the expected win
    rates differ. F and beta are searched for numerically, then F is divided by the proven limit of its
    constraint, so that a failure of the search costs bits and never soundness.

    Args:
        S: expected CHSH value, or None with `win_rates`.
        n: rounds at most.
        epsilon: smoothing error.
        win_rates: expected win rate of each question, (2, 2) or one number.
        settings: law of the settings, (2, 2) indexed [x, y]; uniform if left out. A spot-checked run
            is one whose law favours a question.
        tau: how far each setting bit may be predicted beyond 1/2, given everything before it; of
            settings that are not uniform, beyond their law, which must be that of two independent coins.
        power: chance that the expected device reaches the threshold; at least 1/2.
        tolerance: precision of the proof; its cost is tolerance / ln 2 bits per round.

    Returns:
        The factor with its threshold.

    Raises:
        ArgumentError: a number out of range.
        RefusedError: n rounds are too few for any entropy at that expectation.

    Example:
        >>> pef = design_pef(2.6, 10**6)
        >>> round(pef.expected_rate, 2), pef.certified < 1 + 1e-5
        (1.1, True)

    Source:
        arXiv:1812.07786; see the module's docstring for what acceptance means.
    """
    n = check_count("n", n, low=1)
    check_probability("epsilon", epsilon, open_ends=True)
    if not 0.5 <= power < 1:
        raise ArgumentError(f"Argument `power` must lie in [0.5, 1), but was {power!r}.")
    q, laws, fair = _laws(settings, tau)
    weights = _expected(S, win_rates, q)
    tied = fair and (tau > 0 or bool(np.ptp(weights[:, :, 1]) < 1e-12))
    if tied:
        weights = np.tile(weights.mean(axis=(0, 1)), (2, 2, 1))
    cost = -math.log2(epsilon)
    plan = best_factor(weights, n, cost, laws, tied=tied)
    proofs = [certify(plan.factors, plan.beta, law, tolerance=tolerance) for law in laws]
    limit = max(1.0, *(c.bound for c in proofs))
    logs = np.log2(plan.factors / limit)
    mean = float(np.sum(weights * logs))
    spread = math.sqrt(max(float(np.sum(weights * logs**2)) - mean**2, 0.0))
    total = n * mean - float(stats.norm.ppf(power)) * spread * math.sqrt(n)
    bits, expected = (total - cost) / plan.beta, (n * mean - cost) / plan.beta
    if bits <= 0:
        raise RefusedError(
            f"{n} rounds are too few at the expected win rate {weights[:, :, 1].sum():.4f}: epsilon "
            f"{epsilon:.3g} costs {cost:.1f} bits of log2 F, the mean gain is {n * mean:.1f}, and "
            f"{total:.1f} is reached with probability {power:g}; take more rounds or a larger epsilon"
        )
    return Pef(
        beta=plan.beta,
        log2_factors=(
            (_pair(logs[0, 0]), _pair(logs[0, 1])),
            (_pair(logs[1, 0]), _pair(logs[1, 1])),
        ),
        settings=(_pair(q[0]), _pair(q[1])),
        tau=float(tau),
        n=n,
        epsilon=float(epsilon),
        threshold_bits=bits,
        expected_bits=expected,
        power=float(power),
        certified=limit,
        lost_to_proof=math.log2(limit) / plan.beta,
    )


def estimated_rate(S: float, n: int, epsilon: float = 2**-64) -> float:
    """Return expected bits per round for planning: without the proof, whose cost is 0.0004.

    Args:
        S: expected CHSH value, above 2.
        n: rounds.
        epsilon: smoothing error.

    Returns:
        Bits per round; negative where n is too small.

    Example:
        >>> round(estimated_rate(2.6, 10**6), 3)
        1.099

    Source:
        arXiv:1812.07786.
    """
    fair = np.asarray(_FAIR)
    weights = _expected(S, None, fair)
    check_probability("epsilon", epsilon, open_ends=True)
    n = check_count("n", n, low=1)
    return best_factor(weights, n, -math.log2(epsilon), [fair], tied=True).rate


def planned_bits(
    n: int,
    epsilon: float = 2**-64,
    *,
    win_rates: npt.ArrayLike,
    settings: npt.ArrayLike | None = None,
    tau: float = 0.0,
    power: float = 0.99,
) -> float:
    """Return the threshold that `design_pef` would set, without the proof: a figure to plan by.

    Args:
        n, epsilon, win_rates, settings, tau, power: as in `design_pef`.

    Returns:
        Bits; negative where n is too small.

    Example:
        >>> design = design_pef(2.6, 10**5)
        >>> bool(abs(planned_bits(10**5, win_rates=0.825) / design.threshold_bits - 1) < 0.002)
        True

    Source:
        arXiv:1812.07786.
    """
    n = check_count("n", n, low=1)
    check_probability("epsilon", epsilon, open_ends=True)
    q, laws, fair = _laws(settings, tau)
    weights = _expected(None, win_rates, q)
    tied = fair and (tau > 0 or bool(np.ptp(weights[:, :, 1]) < 1e-12))
    if tied:
        weights = np.tile(weights.mean(axis=(0, 1)), (2, 2, 1))
    plan = best_factor(weights, n, -math.log2(epsilon), laws, tied=tied)
    logs = np.log2(plan.factors)
    mean = float(np.sum(weights * logs))
    spread = math.sqrt(max(float(np.sum(weights * logs**2)) - mean**2, 0.0))
    total = n * mean - float(stats.norm.ppf(power)) * spread * math.sqrt(n)
    return (total + math.log2(epsilon)) / plan.beta
