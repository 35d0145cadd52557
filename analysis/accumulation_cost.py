r"""What choosing settings costs in random bits, what is left of the output, and when it grows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ebit.analysis.accumulation import Method, likely_bits
from ebit.analysis.accumulation_score import Settings
from ebit.analysis.binomial import check_count, check_probability
from ebit.games import ArgumentError

__all__ = ["Expansion", "NetBits", "net_bits", "plan_expansion", "settings_bits"]

_MOST = 10**14


def _plogp(p: float) -> float:
    return -p * math.log2(p) if p > 0 else 0.0


def settings_bits(settings: Settings) -> float:
    r"""Return the random bits that a round's settings cost: their Shannon entropy.

    .. math:: h(\gamma) + \gamma \sum_{xy} p(x,y) \log_2 \frac{1}{p(x,y)}

    2 for fair coins in every round, h(gamma) + 2 gamma for spot checks, 2 h(q) for two coins that
    show 1 with probability q. An arithmetic decoder turns fair bits into such settings at that cost
    on average.

    Args:
        settings: how rounds are asked.

    Example:
        >>> settings_bits(Settings())
        2.0
        >>> round(settings_bits(Settings(gamma=0.01)), 6)
        0.100793
    """
    gamma = settings.gamma
    law = sum(_plogp(p) for row in settings.law for p in row)
    return _plogp(gamma) + _plogp(1 - gamma) + gamma * law


@dataclass(frozen=True)
class NetBits:
    """Output of an extractor, and what went into it.

    Attributes:
        output_bits: extracted bits.
        settings_bits: random bits spent on settings.
        seed_bits: random bits of the extractor's seed that are counted; 0 if the seed is kept.
        net_bits: output minus both; may be negative.
    """

    output_bits: float
    settings_bits: float
    seed_bits: float
    net_bits: float

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "output_bits": self.output_bits,
            "settings_bits": self.settings_bits,
            "seed_bits": self.seed_bits,
            "net_bits": self.net_bits,
        }


def net_bits(
    entropy_bits: float,
    n: int,
    settings: Settings | None = None,
    *,
    epsilon_hash: float = 2**-65,
    seed_bits: float = 0.0,
) -> NetBits:
    r"""Return what n rounds leave after settings and seed are paid.

    .. math:: \lfloor k + 2 - 2 \log_2(1/\varepsilon) \rfloor - n H(settings) - seed

    Args:
        entropy_bits: certified smooth min-entropy k.
        n: rounds.
        settings: how rounds are asked; fair coins in every round if left out.
        epsilon_hash: error of the extractor.
        seed_bits: seed to be counted: 0 where the extractor is strong and the seed, which stays as
            good as it was, is used again; for a Toeplitz hash of both outputs else
            2 n + output - 1.

    Raises:
        ArgumentError: n, epsilon or seed out of range.

    Example:
        >>> net_bits(1e6, 10**6).net_bits
        -1000128.0

    Source:
        Leftover hash lemma: Tomamichel, Schaffner, Smith, Renner, IEEE Trans. Inf. Theory 57, 5524
        (2011), arXiv:1002.2436.
    """
    check_count("n", n)
    check_probability("epsilon_hash", epsilon_hash, open_ends=True)
    if not seed_bits >= 0:
        raise ArgumentError(f"Argument `seed_bits` must not be negative, but was {seed_bits!r}.")
    output = max(0, math.floor(entropy_bits + 2 + 2 * math.log2(epsilon_hash)))
    spent = n * settings_bits(settings or Settings())
    return NetBits(float(output), spent, float(seed_bits), output - spent - seed_bits)


@dataclass(frozen=True)
class Expansion:
    """When more random bits come out than go in.

    Attributes:
        S: expected CHSH value.
        method: method of the certificate.
        rounds: fewest rounds found with more output than settings; None if there are none.
        gamma: share of scored rounds there.
        net_bits: net output there.
        at_uniform: what can be said of fair settings in every round.
    """

    S: float
    method: str
    rounds: int | None
    gamma: float | None
    net_bits: float | None
    at_uniform: str

    def __str__(self) -> str:
        if self.rounds is None:
            return f"no expansion by {self.method} at S = {self.S:g} below {_MOST:.0e} rounds"
        return (
            f"expansion by {self.method} at S = {self.S:g} from about {self.rounds:.2e} rounds, "
            f"{self.gamma:.2g} of them scored; {self.at_uniform}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "S": self.S,
            "method": self.method,
            "rounds": self.rounds,
            "gamma": self.gamma,
            "net_bits": self.net_bits,
            "at_uniform": self.at_uniform,
        }


def plan_expansion(
    S: float,
    *,
    method: Method = "renyi-one",
    epsilon: float = 2**-65,
    gammas: tuple[float, ...] = (0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001),
) -> Expansion:
    """Return from how many rounds on spot-checked CHSH gives more random bits than it takes.

    Rounds are tried in steps of a factor 10^(1/4) and each share of scored rounds in turn; the seed
    of the extractor is kept and not counted. With fair settings in *every* round there is no
    expansion at any n: settings cost 2 bits, and both outputs have at most 1.6 bits of entropy.

    Args:
        S: expected CHSH value, above 2.
        method: method of the certificate.
        epsilon: smoothing, chance to pass, and error of the extractor, each.
        gammas: shares of scored rounds to try.

    Raises:
        ArgumentError: S out of range.

    Example:
        >>> plan_expansion(2.6, gammas=(0.05, 0.02)).gamma
        0.02

    Source:
        The bits of `accumulate` minus those of `settings_bits`.
    """
    never = "never with fair settings in every round (2 bits a round in, at most 1.6 out)"
    for step in range(16, 4 * 14 + 1):
        n = round(10 ** (step / 4))
        best: tuple[float, float] | None = None
        for gamma in gammas:
            chosen = Settings(gamma=gamma)
            k = likely_bits(n, 0.5 + S / 8, method=method, settings=chosen, epsilon=epsilon)
            net = net_bits(k, n, chosen, epsilon_hash=epsilon).net_bits
            if best is None or net > best[0]:
                best = (net, gamma)
        if best is not None and best[0] > 0:
            return Expansion(S, method, n, best[1], best[0], never)
    return Expansion(S, method, None, None, None, never)
