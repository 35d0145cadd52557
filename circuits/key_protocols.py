"""What is measured in a round of each key protocol: bases, settings, which of them give key."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from ebit.games import ArgumentError, Game, ParityRule, TableRule

__all__ = ["DIRECTIONS", "KEY_PROTOCOLS", "KeyProtocol", "key_game", "key_protocol"]

_HALF = math.sqrt(0.5)

DIRECTIONS: Mapping[str, tuple[float, float, float]] = MappingProxyType(
    {
        "Z": (0.0, 0.0, 1.0),
        "X": (1.0, 0.0, 0.0),
        "Y": (0.0, 1.0, 0.0),
        "D+": (_HALF, 0.0, _HALF),
        "D-": (-_HALF, 0.0, _HALF),
    }
)
"""Direction (x, y, z) on the sphere of each basis; D+ is (Z+X)/sqrt 2, D- is (Z-X)/sqrt 2."""


@dataclass(frozen=True)
class KeyProtocol:
    """A key protocol as its rounds see it.

    Attributes:
        name: as `key_protocol` takes it.
        kind: ``prepare`` (Alice prepares, Bob measures), ``pair`` (an entangled pair), or
            ``middle`` (both prepare, an untrusted middle makes a Bell measurement).
        alice: bases of Alice; setting j is the j-th.
        bob: bases of Bob.
        key: settings (x, y) whose bits make the key.
        test: settings (x, y) of equal bases that are only compared.
        chsh: settings (x, y) with their sign, empty where there is no Bell test.
        source: who described it.
    """

    name: str
    kind: str
    alice: tuple[str, ...]
    bob: tuple[str, ...]
    key: tuple[tuple[int, int], ...]
    test: tuple[tuple[int, int], ...]
    chsh: tuple[tuple[int, int, int], ...]
    source: str

    @property
    def matched(self) -> tuple[tuple[int, int], ...]:
        """Settings (x, y) of the same basis, key first."""
        return (*self.key, *self.test)


# S = E(Z, D+) + E(Z, D-) + E(X, D+) - E(X, D-).
_BB84 = "Bennett, Brassard, Proc. IEEE ICCSSP Bangalore, 175 (1984)"
KEY_PROTOCOLS: Mapping[str, KeyProtocol] = MappingProxyType(
    {
        p.name: p
        for p in (
            KeyProtocol("bb84", "prepare", ("Z", "X"), ("Z", "X"), ((0, 0),), ((1, 1),), (), _BB84),
            KeyProtocol(
                "bbm92",
                "pair",
                ("Z", "X"),
                ("Z", "X"),
                ((0, 0),),
                ((1, 1),),
                (),
                "Bennett, Brassard, Mermin, PRL 68, 557 (1992)",
            ),
            KeyProtocol(
                "e91",
                "pair",
                ("Z", "X"),
                ("Z", "X", "D-", "D+"),
                ((0, 0),),
                ((1, 1),),
                ((0, 3, 1), (0, 2, 1), (1, 3, 1), (1, 2, -1)),
                "Ekert, PRL 67, 661 (1991)",
            ),
            KeyProtocol(
                "six-state",
                "prepare",
                ("Z", "X", "Y"),
                ("Z", "X", "Y"),
                ((0, 0),),
                ((1, 1), (2, 2)),
                (),
                "Bruss, PRL 81, 3018 (1998)",
            ),
            KeyProtocol(
                "mdi",
                "middle",
                ("Z", "X"),
                ("Z", "X"),
                ((0, 0),),
                ((1, 1),),
                (),
                "Lo, Curty, Qi, PRL 108, 130503 (2012)",
            ),
            KeyProtocol(
                "diqkd",
                "pair",
                ("Z", "X"),
                ("D+", "D-", "Z"),
                ((0, 2),),
                (),
                ((0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, -1)),
                "Acin et al., PRL 98, 230501 (2007)",
            ),
        )
    }
)
"""The protocols by name. Key is made of the Z basis; the others test."""


def key_protocol(name: str) -> KeyProtocol:
    """Return a protocol by name: bb84, bbm92, e91, six-state, mdi or diqkd.

    Raises:
        ArgumentError: no protocol has this name.

    Example:
        >>> key_protocol("e91").bob
        ('Z', 'X', 'D-', 'D+')
    """
    if name not in KEY_PROTOCOLS:
        raise ArgumentError(f"protocol must be one of {', '.join(KEY_PROTOCOLS)}, but was {name!r}")
    return KEY_PROTOCOLS[name]


def check_odds(
    odds: Sequence[float] | Mapping[str, float] | None, bases: Sequence[str], name: str
) -> tuple[float, ...]:
    """Return how often each basis is chosen, uniform for None, or refuse it.

    Args:
        odds: in the order of the bases, or by name of the basis.
        bases: their names.
        name: of the argument.

    Raises:
        ArgumentError: not one positive number per basis with sum 1.
    """
    if odds is None:
        return (1 / len(bases),) * len(bases)
    try:
        if isinstance(odds, Mapping):
            values = [float(odds[basis]) for basis in bases] if set(odds) == set(bases) else []
        else:
            values = [float(value) for value in odds]
    except (TypeError, ValueError):
        values = []
    if len(values) != len(bases) or not (
        all(0 < value < 1 for value in values) and abs(sum(values) - 1) <= 1e-9
    ):
        raise ArgumentError(
            f"{name} must be {len(bases)} positive probabilities with sum 1, for the bases "
            f"{', '.join(bases)}, but was {odds!r}"
        )
    return tuple(values)


def key_game(
    protocol: KeyProtocol,
    alice_odds: Sequence[float],
    bob_odds: Sequence[float],
    *,
    eve: int | None = None,
    coined: bool = False,
) -> Game:
    """Return the game of a round: bits in the same basis agree, CHSH settings have their sign.

    Rounds of other bases are won always, so the value only serves to choose qubits. With a middle,
    bits agree after the flip that its two bits call for: bit 1 in Z, bit 0 in X.

    Args:
        protocol: which rounds.
        alice_odds: probability of each setting of Alice.
        bob_odds: of Bob.
        eve: outcomes of Eve, the last party, None where there is none.
        coined: whether settings are read from coins: 3 settings then take two coins, whose fourth
            value stands for no setting.

    Example:
        >>> game = key_game(key_protocol("bb84"), (0.9, 0.1), (0.9, 0.1))
        >>> game.distribution.round(12).tolist()
        [0.81, 0.09, 0.09, 0.01]
    """
    parties = 2 + (protocol.kind == "middle") + (eve is not None)
    pairs = [(x, y) for x in range(len(protocol.alice)) for y in range(len(protocol.bob))]
    questions = np.zeros((len(pairs), parties), dtype=np.uint8)
    questions[:, :2] = pairs
    odds = np.array([alice_odds[x] * bob_odds[y] for x, y in pairs])
    sizes = [len(protocol.alice), len(protocol.bob)]
    if coined:
        sizes = [4 if size == 3 else size for size in sizes]
    outcomes = [2, 2, *([4] if protocol.kind == "middle" else []), *([eve] if eve else [])]
    rule: ParityRule | TableRule
    if protocol.kind == "middle":
        rule = TableRule(_middle_wins(protocol, pairs, eve))
    else:
        signs = {(x, y): sign for x, y, sign in protocol.chsh}
        counted = np.array([p in signs or p in protocol.matched for p in pairs])
        mask = np.zeros((len(pairs), parties), dtype=np.bool_)
        mask[:, :2] = counted[:, None]
        rule = ParityRule(mask, np.array([signs.get(p, 1) < 0 for p in pairs], dtype=np.uint8))
    none = ("-",)
    labels = [
        (*protocol.alice, *none * (sizes[0] - len(protocol.alice))),
        (*protocol.bob, *none * (sizes[1] - len(protocol.bob))),
        *[none] * (parties - 2),
    ]
    return Game(
        name=f"key:{protocol.name}",
        questions=questions,
        distribution=np.asarray(odds / odds.sum(), dtype=np.float64),
        settings=(*sizes, *[1] * (parties - 2)),
        outcomes=tuple(outcomes),
        rule=rule,
        labels=tuple(labels),
    )


def _middle_wins(
    protocol: KeyProtocol, pairs: Sequence[tuple[int, int]], eve: int | None
) -> npt.NDArray[np.bool_]:
    a, b, m = np.indices((2, 2, 4))
    wins = np.ones((len(pairs), 2, 2, 4), dtype=np.bool_)
    for row, (x, y) in enumerate(pairs):
        if (x, y) in protocol.matched:
            wins[row] = a == b ^ ((m >> int(protocol.alice[x] == "Z")) & 1)
    if eve is None:
        return wins
    return np.repeat(wins[..., None], eve, axis=-1)
