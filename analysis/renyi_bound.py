r"""Renyi entropy of CHSH rounds, and its accumulation without a second-order remainder.

With Q(r || s) = tr (s^{-(alpha-1)/(2 alpha)} r s^{-(alpha-1)/(2 alpha)})^alpha, 1 < alpha <= 2, and
b = alpha - 1, weigh each round's question z = (x, y) and answers c = (a, b) by F(z, c) > 0 such that

.. math:: \sum_{z, c} p(z) F(z, c) Q(\rho_E^{c|z} \| \rho_E) \le 1 \qquad (1)

for every device, where rho_E^{c|z} is the adversary's unnormalised state. Then for n rounds

.. math:: H_{min}^{\varepsilon}(A^n B^n | X^n Y^n E)_{|\Omega} \ge \frac1b \Bigl[ \sum_i \log_2 F_i
    - G(\varepsilon) - \alpha \log_2 \frac{1}{P(\Omega)} \Bigr] \qquad (2)

if the sum is at least this large everywhere in the event. F is a *quantum estimation factor*.

**Rounds chain.** Let rho_RE be the state after some past (R the devices, E purifying), unnormalised,
sigma the adversary's state given past questions, and X = s^{-t} rho_E s^{-t} with s = sigma,
t = b/(2 alpha). By the polar decomposition rho_E^{1/2} s^{-t} = V X^{1/2}, a measurement M on R (which
leaves rho_E^{1/2} M rho_E^{1/2}) has Q(rho^M || sigma) = tr (X^{1/2} V* M V X^{1/2})^alpha. With
tau = X^alpha / tr X^alpha and omega^M = tau^{1/2} V* M V tau^{1/2}, the same trace is
tr X^alpha Q(omega^M || tau). Here omega^M is what the same measurement leaves after a filter on E
alone, so omega is a device of the model, (1) holds for it, and weighing the next round multiplies the
sum by at most 1: sum_z,c p(z) F Q(rho^{c|z} || p-weighted sigma) <= Q(rho || sigma). By induction
sum over all z^n c^n of prod F_i Q(rho^{cz} || rho^z) <= 1. Inside the event prod F_i >= T, so
sum over it of Q <= 1/T; dividing the states by P(event), H_alpha >= (log2 T - alpha log2 1/P)/b for
the sandwiched entropy, and smoothing costs G/b.

**One round.** Let T(z) = sum_a Q(rho^{a|z} || rho_E) for one output. For two outcomes c = 0 (lost),
1 (won): T_0 + T_1 <= T because Q is superadditive in its first argument, and T_1 <= w(z), because
rho^c <= rho_E makes Q(rho^c || rho_E) at most tr rho^c. By Jordan's lemma the device is a mixture,
known to the adversary, of qubit pairs, and sums of Q are linear in that mixture. For qubits with CHSH
value S > 2, Bob has an observable whose correlation with the observable complementary to A_x is at
least r = sqrt(S^2/4 - 1); the uncertainty relation for the dual pair of entropies (sandwiched with
sigma = rho_E at alpha, Petz with the best sigma at 1/alpha) gives

.. math:: T \le \tau(w) = 2^{-b} \bigl[(\tfrac{1+r}{2})^{1/\alpha} + (\tfrac{1-r}{2})^{1/\alpha}
    \bigr]^{\alpha}, \qquad H_\alpha(A|E) \ge 1 - h_{1/\alpha}(\tfrac{1+r}{2})

and 1 for S <= 2. With F = kappa [1 + mu s_z (c - c0)], s_z = 1/(4 p(z)), kappa for a round that is not
scored, and 0 <= mu s_z c0 < 1, the left of (1) is at most kappa max_w [(1 - mu c0) tau(w) + mu w].
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ebit.analysis.accumulation_score import MOST_WIN_RATE, Settings
from ebit.analysis.geat import smoothing_bits
from ebit.games import ArgumentError

__all__ = ["largest_weight", "renyi_entropy_one", "renyi_loss", "tilt", "weight_one"]

Array = npt.NDArray[np.float64]


def _bias(win_rate: Array) -> Array:
    """R = sqrt(S^2/4 - 1) at S = 8w - 4, 0 below S = 2."""
    s = np.clip(8 * win_rate - 4, 2.0, 2 * math.sqrt(2))
    return np.minimum(np.sqrt((s - 2) * (s + 2)) / 2, 1.0)


def weight_one(win_rate: float | Array, b: float) -> Array:
    r"""Return tau(w) = 2^{-b H(A|E)}, the most that one output's Q can add up to.

    Args:
        win_rate: w for uniform settings; 1 up to 3/4.
        b: alpha - 1, in (0, 1].

    Example:
        >>> weight_one(np.array([0.5, 0.75]), 0.1).tolist()
        [1.0, 1.0]

    Source:
        See the module; Coles, Colbeck, Yu, Zwolak, PRL 108, 210405 (2012), with the duality of
        Tomamichel, Berta, Hayashi, J. Math. Phys. 55, 082206 (2014).
    """
    r, s = _bias(np.asarray(win_rate, dtype=np.float64)), 1 / (1 + b)
    both = ((1 + r) / 2) ** s + ((1 - r) / 2) ** s
    return np.asarray(np.where(r > 0, 2.0**-b * both ** (1 + b), 1.0))


def renyi_entropy_one(S: float | Array, alpha: float) -> float | Array:
    r"""Return the sandwiched Renyi entropy of one output in bits, conditioned with sigma = rho_E.

    .. math:: H_\alpha(A|E) = 1 - h_{1/\alpha}\bigl(\tfrac12 + \tfrac12\sqrt{S^2/4 - 1}\bigr)

    0 at S <= 2. It falls from the von Neumann entropy as alpha grows from 1.

    Args:
        S: CHSH value, at most 2 sqrt 2.
        alpha: in (1, 2].

    Raises:
        ArgumentError: alpha is not in (1, 2].

    Example:
        >>> round(renyi_entropy_one(2.6, 1.0001), 4), round(renyi_entropy_one(2.6, 1.5), 4)
        (0.5815, 0.4498)

    Source:
        See the module. Bounds of this kind with the other conditioning: Hahn, Philip, Tan, Brown,
        arXiv:2507.07365.
    """
    if not 1 < alpha <= 2:
        raise ArgumentError(f"Argument `alpha` must be in (1, 2], but was {alpha!r}.")
    found = -np.log2(weight_one(0.5 + np.asarray(S, np.float64) / 8, alpha - 1)) / (alpha - 1)
    return found + 0.0 if isinstance(S, np.ndarray) else float(found) + 0.0


def tilt(w0: float, b: float, pivot: float) -> float:
    """Return the mu for which (1 - mu c0) tau(w) + mu w is stationary at w0.

    Args:
        w0: strictly between 3/4 and (2 + sqrt 2)/4.
        b: alpha - 1.
        pivot: c0.

    Example:
        >>> mu = tilt(0.82, 0.01, 0.0)
        >>> w = np.array([0.819, 0.82, 0.821])
        >>> int(np.argmax(weight_one(w, 0.01) + mu * w))
        1
    """
    r, s, size = float(_bias(np.array(w0))), 1 / (1 + b), 8 * w0 - 4
    p, q = (1 + r) / 2, (1 - r) / 2
    steep = p ** (s - 1) * math.expm1((s - 1) * math.log(q / p)) / 2
    fall = 2.0**-b * (p**s + q**s) ** b * steep * 2 * size / r
    return float(fall / (1 + fall * pivot))


def _coins(settings: Settings, pivot: float, b: float) -> float:
    """What predictable coins can add to the sum, for mu = 1."""
    excess = (settings.ratios - 1) / 4
    found = 0.0
    for tau in (2.0**-b, 1.0):  # linear between
        gain = np.maximum(excess * (1 - pivot * tau), -excess * pivot * tau)
        found = max(found, float(gain.sum(axis=1).max()))
    return found


def largest_weight(
    settings: Settings, mu: float, pivot: float, b: float, *, tolerance: float = 1e-13
) -> float:
    r"""Return a proven upper bound of max_w [(1 - mu c0) tau(w) + mu w], coins included.

    tau does not increase, so over a cell [u, v] the expression is at most (1 - mu c0) tau(u) + mu v.
    Cells whose bound exceeds the best value found by more than the tolerance are split until none
    is left. Nothing is assumed about the shape of tau. Up to w = 3/4 the maximum is at 3/4.

    Args:
        settings: how rounds are asked.
        mu: tilt, not negative. pivot: c0. b: alpha - 1.
        tolerance: how far above the maximum the result may lie.

    Example:
        >>> mu = tilt(0.82, 0.01, 0.0)
        >>> best = float(weight_one(0.82, 0.01)) + mu * 0.82
        >>> 0 < largest_weight(Settings(), mu, 0.0, 0.01) - best < 3e-13
        True

    Source:
        Branch and bound; see the module for the expression.
    """
    lead = 1 - mu * pivot
    edges = np.linspace(0.75, MOST_WIN_RATE, 4097)
    edges[-1] = MOST_WIN_RATE + 1e-15
    low, high, best = edges[:-1], edges[1:], -math.inf
    while True:
        value = lead * weight_one(low, b)
        best = max(best, float((value + mu * low).max()))
        keep = value + mu * high > best + tolerance
        low, high = low[keep], high[keep]
        if not low.size or float((high - low).max()) < 1e-15:
            break
        cuts = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, 9)
        cuts[:, -1] = high
        low, high = cuts[:, :-1].reshape(-1), cuts[:, 1:].reshape(-1)
    # 4e-15 covers the rounding of the powers and sums above.
    return (best + tolerance + mu * _coins(settings, pivot, b)) * (1 + 4e-15)


def renyi_loss(b: float, *, epsilon: float, epsilon_accept: float) -> float:
    """Return what is subtracted once, (G(epsilon) + alpha log2(1/epsilon_accept)) / b.

    Args:
        b: alpha - 1, in (0, 1].
        epsilon: smoothing. epsilon_accept: smallest probability to pass.

    Example:
        >>> round(renyi_loss(0.01, epsilon=2**-65, epsilon_accept=2**-65))
        19665

    Source:
        Equation (2) of the module; the method is that of Zhang, Fu, Knill, Phys. Rev. Research 2,
        013016 (2020), and Arqand, Hahn, Tan, PRX 15, 041013 (2025).
    """
    return (smoothing_bits(epsilon) - (1 + b) * math.log2(epsilon_accept)) / b
