r"""The first bound on randomness from a violation, Pironio et al. 2010: what later methods improve on.

With probability 1 - delta over n rounds, whatever the devices remember,

.. math:: H_{min}(AB|XY, E) \ge n\, h(S - \varepsilon),\quad
    \varepsilon = (1/q + 2\sqrt2) \sqrt{-2 \ln\delta / n}

with q the probability of the rarest question and h(S) = -log2 of the best guess of both outputs at S.

h comes from a line: for every slope g >= 0 and every quantum behaviour p with CHSH value S,
p(ab|xy) <= v(g) - g S with v the largest p(ab|xy) + g CHSH. The largest is reached by two qubits in a
real plane each (see `ebit.analysis.pef_certify`), where it is the largest eigenvalue of a 4 x 4 matrix
with two angles, Alice's and Bob's second observable relative to the first. For any one state the
quantity is a constant plus a sinusoid in either angle, of size at most 2 g, so over a cell of side s
the eigenvalue is at most its largest value at the corners plus 2 (2 g) s^2 / 8. These are the quantum
values, proven to 1e-8; the semidefinite program at level 1+AB is looser near S = 2 (.09593 bits for
.09675 at S = 2.2) and gives 42.8 bits for the published experiment, where this gives 44.3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import optimize

from ebit.analysis.binomial import check_count, check_probability
from ebit.games import ArgumentError

__all__ = ["PironioBound", "guess_both", "pironio_bound"]

Floats = npt.NDArray[np.float64]
_TOP = 2 * math.sqrt(2)
_Z, _X = np.diag([1.0, -1.0]), np.array([[0.0, 1.0], [1.0, 0.0]])
_ONE = np.eye(2)


@dataclass(frozen=True)
class PironioBound:
    """Min-entropy of n rounds by the bound of 2010.

    Attributes:
        bits: min-entropy of all outputs given the settings; 0 where the bound says nothing.
        S: the estimated CHSH value.
        deviation: epsilon, by how much S is lowered.
        per_round: bits per round at the lowered S.
        n: rounds.
        confidence: 1 - delta.
        outputs: whose outputs are counted.
        adversary: against whom.
    """

    bits: float
    S: float
    deviation: float
    per_round: float
    n: int
    confidence: float
    outputs: Literal["one", "both"]
    adversary: str = "classical side information"

    def __str__(self) -> str:
        return (
            f"{self.bits:.1f} bits from {self.n} rounds at S = {self.S:.4f} (lowered to "
            f"{self.S - self.deviation:.4f}), confidence {self.confidence:g}, {self.adversary}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return dict(self.__dict__)


def _largest(alpha: npt.NDArray[Any], beta: npt.NDArray[Any], slope: float, sign: int) -> Floats:
    """Largest eigenvalue of p(a, b|00) + slope CHSH at pairs of angles, with ab = sign."""
    alice = np.cos(alpha)[:, None, None] * _Z + np.sin(alpha)[:, None, None] * _X
    bob = np.cos(beta)[:, None, None] * _Z + np.sin(beta)[:, None, None] * _X
    guess = np.kron(_ONE + _Z, _ONE + sign * _Z) / 4
    first = np.einsum("ij,nkl->nikjl", _Z, _Z + bob)
    second = np.einsum("nij,nkl->nikjl", alice, _Z - bob)
    return np.linalg.eigvalsh(guess + slope * (first + second).reshape(-1, 4, 4))[:, -1]


def _line(slope: float, *, step: float) -> float:
    """A proven v(slope), within 2 slope step^2 of the true one."""
    sides, side = np.arange(32), math.pi / 32
    worst = -math.inf
    for sign in (1, -1):
        i, j = (k.ravel() for k in np.meshgrid(sides, sides, indexing="ij"))
        s, best = side, -math.inf
        while True:
            corners = [
                _largest((i + di) * s, (j + dj) * s, slope, sign) for di in (0, 1) for dj in (0, 1)
            ]
            top = np.max(corners, axis=0)
            error = slope * s * s / 2 * (1 + 1e-9) + 1e-13 * (1 + slope)
            best = max(best, float(top.max()))
            if s <= step:
                worst = max(worst, best + error)
                break
            alive = top + error > best
            i, j, s = i[alive], j[alive], s / 2
            i = (2 * i[:, None] + [0, 0, 1, 1]).ravel()
            j = (2 * j[:, None] + [0, 1, 0, 1]).ravel()
    return worst


def guess_both(S: float, *, step: float = 1e-4) -> float:
    r"""Return a proven upper limit of the chance to guess both outputs of a round with CHSH value S.

    .. math:: p_{guess} \le \min_g\, [\,v(g) - g S\,]

    Args:
        S: CHSH value, at most 2 sqrt 2.
        step: finest grid step in radians.

    Returns:
        The limit for a known pair of settings; 1 at S <= 2.

    Raises:
        ArgumentError: S above 2 sqrt 2 or not a number.

    Example:
        >>> round(-math.log2(guess_both(2.6)), 5)
        0.44561

    Source:
        Pironio et al., Nature 464, 1021 (2010), where a semidefinite program takes its place.
    """
    if not S <= _TOP + 1e-9:
        raise ArgumentError(f"Argument `S` must be at most 2 sqrt 2 = {_TOP:.6f}, but was {S!r}.")
    if S <= 2:
        return 1.0
    rough = optimize.minimize_scalar(
        lambda g: _line(g, step=0.004) - g * S, bounds=(0.0, 40.0), method="bounded"
    )
    slope = float(rough.x)
    return min(1.0, _line(slope, step=step) - slope * S)


def pironio_bound(
    S: float,
    n: int,
    *,
    confidence: float = 0.99,
    rarest: float = 0.25,
    outputs: Literal["one", "both"] = "both",
) -> PironioBound:
    r"""Return the min-entropy of n rounds with an estimated S by the bound of 2010.

    Args:
        S: estimated CHSH value, from all rounds.
        n: rounds.
        confidence: 1 - delta.
        rarest: probability of the rarest question; 1/4 for uniform settings.
        outputs: "both" counts both parties' outputs, "one" Alice's, by
            h(S) = 1 - log2(1 + sqrt(2 - S^2/4)).

    Raises:
        ArgumentError: a number out of range.

    Example:
        >>> pironio_bound(2.414, 3016).bits > 42
        True

    Source:
        Pironio et al., Nature 464, 1021 (2010): the bound on H_min and the text on 3016 events;
        for its epsilon see also arXiv:1111.6056.
    """
    n = check_count("n", n, low=1)
    check_probability("confidence", confidence, open_ends=True)
    if not 0 < rarest <= 0.25:
        raise ArgumentError(f"Argument `rarest` must lie in (0, 0.25], but was {rarest!r}.")
    if not abs(S) <= 4:
        raise ArgumentError(f"Argument `S` must lie in [-4, 4], but was {S!r}.")
    if outputs not in ("one", "both"):
        raise ArgumentError(f'Argument `outputs` must be "one" or "both", but was {outputs!r}.')
    deviation = (1 / rarest + _TOP) * math.sqrt(-2 * math.log1p(-confidence) / n)
    lowered = min(S - deviation, _TOP)
    if lowered <= 2:
        rate = 0.0
    elif outputs == "one":
        rate = 1 - math.log2(1 + math.sqrt(max(2 - lowered**2 / 4, 0)))
    else:
        rate = -math.log2(guess_both(lowered))
    return PironioBound(n * rate, float(S), deviation, rate, n, confidence, outputs)
