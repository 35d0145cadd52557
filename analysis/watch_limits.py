"""How fast anyone could notice an attack: by the game that is played, and by any measurement at all.

Whatever the detector, if a false alarm comes once in c rounds on average, noticing a change takes at
least about ln(c) / D rounds, D the relative entropy per round between what is seen after and before.
What is seen depends on the measurement: the classical figures are those of the games, the quantum one,
D(rho_attack || rho_honest) of the pair itself, cannot be exceeded by any measurement on one or many pairs.

The honest pair is a Werner state of error rate q0 in every basis, the attack acts on the half that
travels. Bob's outcomes are counted such that a perfect pair agrees in Z, X and Y.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ebit.analysis.binomial import check_probability
from ebit.games import ArgumentError

__all__ = [
    "ATTACKS",
    "AttackLimits",
    "GameLimit",
    "attacked_pair",
    "bell_relative_entropy",
    "binary_divergence",
    "detection_limits",
    "least_rounds",
    "relative_entropy",
]

Floats = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.complex128]
_HALF = np.array([[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 0]])  # onto the axis between Z and X
_PAULI = np.array([[[1, 0], [0, -1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]]])  # Z, X, Y
ATTACKS = (
    "intercept-resend",
    "intercept-z",
    "intercept-x",
    "intercept-xyz",
    "breidbart",
    "cloner",
    "probe",
    "depolarising",
    "dephasing",
    "amplitude-damping",
    "swap-out",
)


def binary_divergence(q: float, q0: float) -> float:
    """Return D(q || q0) = q ln(q/q0) + (1-q) ln((1-q)/(1-q0)), in nats.

    Args:
        q: rate of failed rounds after the change, in [0, 1]. q0: before, in [0, 1].

    Raises:
        ArgumentError: no probabilities.

    Example:
        >>> round(binary_divergence(0.26, 0.02), 4)
        0.459
    """
    q, q0 = check_probability("q", q), check_probability("q0", q0)
    total = 0.0
    for now, before in ((q, q0), (1 - q, 1 - q0)):
        if now > 0:
            total += now * math.log(now / before) if before > 0 else math.inf
    return max(total, 0.0)


def least_rounds(nats: float, c: float) -> float:
    """Return ln(c) / D, about the fewest rounds in which a change can be noticed on average.

    Args:
        nats: D per round, at least 0; at 0 nothing can be noticed and the answer is infinite.
        c: mean number of rounds to a false alarm, above 1.

    Raises:
        ArgumentError: a number out of range.

    Example:
        >>> round(least_rounds(binary_divergence(0.26, 0.02), 1e6), 1)
        30.1

    Source:
        Lorden, Ann. Math. Stat. 42, 1897 (1971), theorem 3: the limit for large c.
    """
    if not nats >= 0:
        raise ArgumentError(f"Argument `nats` must be at least 0, but was {nats!r}.")
    if not 1 < c < math.inf:
        raise ArgumentError(f"Argument `c` must be a number above 1, but was {c!r}.")
    return math.log(c) / nats if nats > 0 else math.inf


def attacked_pair(attack: str, strength: float) -> tuple[Floats, Floats, Floats]:
    r"""Return what an attack makes of a perfect pair: correlations and both ends' mean vectors.

    With f = s the fraction of the rounds, t = s pi/2, k = cos t and n the axis half way between Z and
    X, the correlations (Z, X, Y) and Bob's vector are:

    =================  =======================================  ================================
    attack             correlations                             Bob's vector
    =================  =======================================  ================================
    intercept-resend   1 - f/2, 1 - f/2, 1 - f                  0
    intercept-z, -x    1 on the axis, 1 - f on others           0
    intercept-xyz      1 - 2f/3 on all                          0
    breidbart          1 along n, 1 - f across                  0
    cloner             k, k, k^2                                (0, 0, 1 - k^2)
    probe              1 along n, k across                      0
    depolarising       1 - s                                    0
    dephasing          1, 1 - 2s, 1 - 2s                        0
    amplitude-damping  1 - s, sqrt(1-s), sqrt(1-s)              (s, 0, 0)
    swap-out           |00> in a fraction s of rounds           (s, 0, 0), Alice's too
    =================  =======================================  ================================

    Args:
        attack: one of `ATTACKS`.
        strength: s in [0, 1]; for dephasing in [0, 1/2].

    Returns:
        Correlations (3, 3), rows Alice's and columns Bob's Z, X, Y; Alice's and Bob's vector, (3,).

    Raises:
        ArgumentError: an unknown attack, or a strength out of range.

    Example:
        >>> attacked_pair("intercept-resend", 1.0)[0].diagonal().tolist()
        [0.5, 0.5, 0.0]

    Source:
        `ebit.analysis.key_signatures.attack_signature` and its sources.
    """
    most = 0.5 if attack == "dephasing" else 1.0
    if attack not in ATTACKS or not 0 <= strength <= most:
        raise ArgumentError(
            f"Arguments `attack` and `strength` must be one of {', '.join(ATTACKS)} and a number "
            f"from 0 to 1 (dephasing: to 0.5), but were {attack!r} and {strength!r}."
        )
    s, k, none = strength, math.cos(strength * math.pi / 2), np.zeros(3)
    diagonal = {
        "intercept-resend": (1 - s / 2, 1 - s / 2, 1 - s),
        "intercept-z": (1.0, 1 - s, 1 - s),
        "intercept-x": (1 - s, 1.0, 1 - s),
        "intercept-xyz": (1 - 2 * s / 3,) * 3,
        "cloner": (k, k, k * k),
        "depolarising": (1 - s,) * 3,
        "dephasing": (1.0, 1 - 2 * s, 1 - 2 * s),
        "amplitude-damping": (1 - s, math.sqrt(1 - s), math.sqrt(1 - s)),
        "swap-out": (1.0, 1 - s, 1 - s),
    }
    if attack in {"breidbart", "probe"}:
        across = 1 - s if attack == "breidbart" else k
        return across * np.eye(3) + (1 - across) * _HALF, none, none
    bob = none
    if attack == "cloner":
        bob = np.array([0.0, 0.0, 1 - k * k])
    elif attack in {"amplitude-damping", "swap-out"}:
        bob = np.array([s, 0.0, 0.0])
    return np.diag(diagonal[attack]), bob if attack == "swap-out" else none, bob


def bell_relative_entropy(after: npt.ArrayLike, before: npt.ArrayLike) -> float:
    r"""Return D between two Bell-diagonal states of given correlations, in nats.

    .. math:: \lambda = \tfrac14 (1 + t_Z + t_X + t_Y,\ 1 + t_Z - t_X - t_Y,\ 1 - t_Z + t_X - t_Y,\
              1 - t_Z - t_X + t_Y), \qquad D = \sum \lambda \ln (\lambda / \mu)

    The states commute, so a Bell measurement reaches it.

    Args:
        after: correlations in Z, X, Y after the change, (3,). before: before it.

    Raises:
        ArgumentError: correlations that no state has.

    Example:
        >>> d = bell_relative_entropy([0.48, 0.48, 0.0], [0.96, 0.96, 0.96])
        >>> round(least_rounds(d, 1e6), 1)
        10.8
    """
    signs = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    now, then = ((1 + signs @ np.asarray(t, np.float64)) / 4 for t in (after, before))
    if min(now.min(), then.min()) < -1e-12:
        raise ArgumentError(
            f"Arguments `after` and `before` must be correlations of states, but were {after!r} and "
            f"{before!r}."
        )
    return _divergence(now, then)


def relative_entropy(rho: Matrix, sigma: Matrix) -> float:
    """Return D(rho || sigma) = tr rho (ln rho - ln sigma), in nats, for two density matrices.

    Args:
        rho: after the change, (d, d). sigma: before it; D is infinite if rho is not in its support.

    Example:
        >>> round(relative_entropy(np.diag([1.0, 0.0]), np.eye(2) / 2), 6) == round(math.log(2), 6)
        True

    Source:
        Umegaki 1962; as the limit of detection: Fanizza, Hirche, Calsamiglia, PRL 131, 020602 (2023).
    """
    a, u = np.linalg.eigh(rho)
    b, v = np.linalg.eigh(sigma)
    overlap = np.abs(u.conj().T @ v) ** 2
    total = 0.0
    for i in range(len(a)):
        if a[i] > 1e-14:
            total += a[i] * math.log(a[i])
            for j in range(len(b)):
                weight = a[i] * overlap[i, j]
                if weight > 1e-14:
                    total -= weight * math.log(b[j]) if b[j] > 1e-14 else -math.inf
    return max(float(total), 0.0)


def _divergence(now: Floats, then: Floats) -> float:
    held = now > 1e-15
    if np.any(then[held] <= 1e-15):
        return math.inf
    return max(float(np.sum(now[held] * np.log(now[held] / then[held]))), 0.0)


def _state(correlations: Floats, alice: Floats, bob: Floats) -> Matrix:
    rho = np.eye(4, dtype=np.complex128)
    for i, left in enumerate(_PAULI):
        rho += alice[i] * np.kron(left, np.eye(2)) + bob[i] * np.kron(np.eye(2), left.conj())
        for j, right in enumerate(_PAULI):
            rho += correlations[i, j] * np.kron(left, right.conj())
    return np.asarray(rho / 4, np.complex128)


@dataclass(frozen=True)
class GameLimit:
    """How fast an attack can be noticed in a game.

    Attributes:
        game: xz, xyz or chsh; "pooled" is added where only the total of passed rounds is used, as
            the watch does, and not which setting they belong to.
        q0: rate of failed rounds before.
        q: rate of failed rounds after.
        nats: D per round.
        rounds: ln(c) / D.
        efficiency: nats over those of the best measurement, in [0, 1]; NaN if both are 0.
    """

    game: str
    q0: float
    q: float
    nats: float
    rounds: float
    efficiency: float


@dataclass(frozen=True)
class AttackLimits:
    """How fast an attack on a link can be noticed, by each game and by any measurement.

    Attributes:
        attack: which attack.
        strength: how strong.
        q0: error rate of the honest link, in every basis.
        c: mean number of rounds to a false alarm.
        nats: quantum relative entropy per pair.
        rounds: ln(c) / nats: pairs needed by the best collective measurement.
        games: the same by game.
    """

    attack: str
    strength: float
    q0: float
    c: float
    nats: float
    rounds: float
    games: tuple[GameLimit, ...]

    method = "ln(c) over the relative entropy per round"
    assumptions = (
        "the honest pair is a Werner state known exactly, the attack and its strength are known",
        "the limit of large c, for a detector that gains nothing before the change",
    )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "attack": self.attack,
            "strength": self.strength,
            "q0": self.q0,
            "c": self.c,
            "nats": self.nats,
            "rounds": self.rounds,
            "games": [vars(game).copy() for game in self.games],
            "method": self.method,
            "assumptions": list(self.assumptions),
        }

    def __str__(self) -> str:
        seen = ", ".join(f"{game.game} {game.rounds:.1f}" for game in self.games)
        return (
            f"{self.attack}:{self.strength:g} on a link with {100 * self.q0:g} % errors, one false "
            f"alarm in {self.c:g} rounds: {self.rounds:.1f} pairs by the best measurement; {seen}"
        )


def detection_limits(attack: str, *, strength: float = 1.0, q0: float, c: float) -> AttackLimits:
    r"""Return how fast anyone could notice an attack, in each two-party game and at all.

    Where Bob's vector is zero the attacked state is Bell-diagonal after a rotation of both sides, which
    the honest one does not notice: D is `bell_relative_entropy` at the eigenvalues of the correlations.

    Args:
        attack: one of `ATTACKS`, see `attacked_pair`.
        strength: s.
        q0: error rate of the honest link in every basis, in (0, 1/2): visibility 1 - 2 q0.
        c: mean number of rounds to a false alarm, above 1.

    Raises:
        ArgumentError: a number out of range, or an unknown attack.

    Example:
        >>> limits = detection_limits("intercept-resend", q0=0.02, c=1e6)
        >>> round(limits.rounds, 1), [(g.game, round(g.rounds, 1)) for g in limits.games[:4]]
        (10.8, [('xz', 30.1), ('xz pooled', 30.1), ('xyz', 18.9), ('xyz pooled', 19.7)])

    Source:
        Lorden 1971; Fanizza, Hirche, Calsamiglia, PRL 131, 020602 (2023).
    """
    if not 0 < q0 < 0.5:
        raise ArgumentError(f"Argument `q0` must lie between 0 and 1/2, but was {q0!r}.")
    correlations, alice, bob = attacked_pair(attack, strength)
    v = 1 - 2 * q0
    if alice.any() or bob.any():
        rho = _state(v * correlations, alice, v * bob)
        nats = relative_entropy(rho, _state(v * np.eye(3), np.zeros(3), np.zeros(3)))
    else:
        nats = bell_relative_entropy(v * np.linalg.eigvalsh(correlations), [v, v, v])
    z, x, y = (v * t for t in correlations.diagonal().tolist())
    zx, xz = v * float(correlations[0, 1]), v * float(correlations[1, 0])
    r = math.sqrt(0.5)
    seen = {
        "xz": ((z, x), v),
        "xyz": ((z, x, y), v),
        "chsh": (((z + zx) * r, (z - zx) * r, (xz + x) * r, (x - xz) * r), v * r),
    }
    games = []
    for name, (agreement, honest) in seen.items():
        rates = [(1 - e) / 2 for e in agreement]
        before, after = (1 - honest) / 2, sum(rates) / len(rates)
        split = sum(binary_divergence(q, before) for q in rates) / len(rates)
        pooled = binary_divergence(after, before)
        for label, d in ((name, split), (f"{name} pooled", pooled)):
            share = d / nats if nats > 0 else math.nan
            games.append(GameLimit(label, before, after, d, least_rounds(d, c), share))
    return AttackLimits(
        attack, float(strength), float(q0), float(c), nats, least_rounds(nats, c), tuple(games)
    )
