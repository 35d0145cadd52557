"""Classical devices that pretend to hold entangled pairs, against device-independent keys.

They share random bits that Eve has too, so she knows every bit of the key; what they cannot do is
violate a Bell inequality with settings they do not know.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ebit.analysis.binomial import check_count, check_probability
from ebit.games import ArgumentError, Trials

__all__ = ["cheated_rounds", "cheating_devices"]

KINDS = ("memory", "predicted-settings")
_KEY = 2  # Bob's setting that is aligned with Alice's setting 0


def cheating_devices(
    kind: str,
    settings: npt.ArrayLike,
    rng: np.random.Generator,
    *,
    strength: float = 1.0,
) -> npt.NDArray[np.uint8]:
    r"""Return what cheating devices answer: (N, 3), Alice's bit, Bob's, and Eve's record.

    Settings are those of the device-independent protocol: x in {0, 1} for Alice, y in {0, 1, 2} for
    Bob; x, y < 2 play CHSH (equal bits win but at (1, 1)), and (0, 2) makes key. Local devices
    win three of the four questions; which one they lose they may change from round to round.

    ``memory``: they answer so that the question of the round before is won and the likeliest to be
    lost is one that has been asked least so far. Settings drawn per shot keep S at 2 (win rate 3/4);
    settings that stay the same in blocks are lost only where a block begins, and S comes near 4.
    ``predicted-settings``: with probability `strength` a round's settings are known beforehand and
    the round is won, otherwise a question at random is lost: S = 2 + 2 strength for uniform
    settings.

    Key bits agree always and Eve's record is Alice's bit of setting 0.

    Args:
        kind: "memory" or "predicted-settings".
        settings: (N, 2) whole numbers, x and y, in the order of time.
        rng: where the devices' shared random bits come from.
        strength: for "predicted-settings", in [0, 1].

    Raises:
        ArgumentError: an unknown kind, or settings out of range.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> asked = np.array([[1, 1]] * 4 + [[0, 2]] * 2)
        >>> answers = cheating_devices("memory", asked, rng)
        >>> (answers[1:4, 0] != answers[1:4, 1]).tolist(), (answers[4:, 0] == answers[4:, 2]).all()
        ([True, True, True], np.True_)

    Source: Barrett, Collins, Hardy, Kent, Popescu, PRA 66, 042111 (2002), for memory; Acin et al.,
    PRL 98, 230501 (2007), for the protocol.
    """
    asked = np.asarray(settings)
    if kind not in KINDS:
        raise ArgumentError(f"Argument `kind` must be one of {', '.join(KINDS)}, but was {kind!r}.")
    if asked.ndim != 2 or asked.shape[1] != 2 or not np.issubdtype(asked.dtype, np.integer):
        raise ArgumentError(
            f"Argument `settings` must be whole numbers of shape (N, 2), but were {asked.dtype} of "
            f"shape {asked.shape}."
        )
    x, y = asked.astype(np.int64).T
    if asked.size and not (min(x.min(), y.min()) >= 0 and x.max() < 2 and y.max() <= _KEY):
        raise ArgumentError(
            "Argument `settings` must be 0 or 1 for Alice and 0 to 2 for Bob, but reached "
            f"{x.max()} and {y.max()}."
        )
    check_probability("strength", strength)
    n = len(asked)
    shared = rng.integers(0, 2, n)
    if kind == "memory":
        lost = _least_likely(x, y)
    else:
        lost = rng.integers(0, 4, n)
        known = rng.random(n) < strength
        # To win for sure, lose a question that is not asked.
        lost = np.where(known, 2 * (1 - x) + (1 - np.minimum(y, 1)), lost)
    lose_x, lose_y = lost >> 1, lost & 1
    # a + b = x y, plus 1 at the question that is lost, splits into f(x) + g(y):
    # lost (0,0): 1 + x + y; (0,1): y; (1,0): x; (1,1): 0. Alice's bit at x = 0 is the shared one.
    alice = shared ^ (x & (1 - lose_y))
    bob = shared ^ np.where(y == _KEY, 0, (y & (1 - lose_x)) ^ ((1 - lose_x) & (1 - lose_y)))
    return np.stack([alice, bob, shared], axis=1).astype(np.uint8)


def cheated_rounds(
    kind: str,
    rounds: int,
    rng: np.random.Generator,
    *,
    alice_odds: Sequence[float] = (0.5, 0.5),
    bob_odds: Sequence[float] = (1 / 3, 1 / 3, 1 / 3),
    strength: float = 1.0,
) -> Trials:
    """Return rounds of the device-independent protocol with cheating devices: parties Alice, Bob, Eve.

    Shaped as the rounds of ``ebit.circuits.key_round("diqkd", attack=...)`` are: settings
    (2, 4, 1), of which Bob's 3 never occurs, and outcomes (2, 2, 2).

    Args:
        kind: see `cheating_devices`.
        rounds: how many.
        rng: draws settings and the devices' shared bits.
        alice_odds: probability of each setting of Alice.
        bob_odds: of Bob.
        strength: see `cheating_devices`.

    Raises:
        ArgumentError: an unknown kind, no round, or odds that are none.

    Example:
        >>> cheated_rounds("memory", 100, np.random.default_rng(1)).outcomes
        (2, 2, 2)
    """
    count = check_count("rounds", rounds, low=1)
    columns = []
    for name, odds, size in (("alice_odds", alice_odds, 2), ("bob_odds", bob_odds, 3)):
        p = np.asarray(odds, dtype=np.float64)
        if p.shape != (size,) or not (p.min() >= 0 and abs(p.sum() - 1) <= 1e-9):
            raise ArgumentError(
                f"Argument `{name}` must be {size} probabilities with sum 1, but was {odds!r}."
            )
        columns.append(rng.choice(size, count, p=p / p.sum()))
    asked = np.stack([*columns, np.zeros(count, dtype=np.int64)], axis=1)
    answers = cheating_devices(kind, asked[:, :2], rng, strength=strength)
    return Trials.from_rounds(
        asked, answers, shape=((2, 4, 1), (2, 2, 2)), chosen="per-shot", source="host"
    )


def _least_likely(x: npt.NDArray[np.int64], y: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The question to lose in each round, 2 x + y, from the rounds before it alone."""
    n = len(x)
    question = np.where(y == _KEY, -1, 2 * x + np.minimum(y, 1))
    # How often each was asked before each round.
    before = np.zeros((n, 4), dtype=np.int64)
    if n > 1:
        before[1:] = np.cumsum(question[:-1, None] == np.arange(4), axis=0)
    rows = np.arange(n)
    played = np.maximum.accumulate(np.where(question >= 0, rows, -1))
    last = np.concatenate([[-1], played[:-1]]) if n else played
    before[rows[last >= 0], question[last[last >= 0]]] = n + 1
    return np.asarray(np.argmin(before, axis=1), dtype=np.int64)
