"""The chained CHSH test as circuits: m settings a side, one circuit per question."""

from __future__ import annotations

import math

from ebit import games
from ebit.circuits.experiment import Experiment, Readout
from ebit.circuits.layout import check_size, prepared
from ebit.circuits.pairs import measure_in_plane, pair_state
from ebit.circuits.states import BELL_STATES
from ebit.games import ArgumentError


def chained_chsh(m: int, *, state: str = "phi+") -> Experiment:
    """Build the chained CHSH test with m settings a side on q0 = Alice, q1 = Bob.

    Alice's setting i is the angle i pi/m, Bob's (2i+1) pi/(2m) (for phi+; the mirrored angle for
    another Bell state), an angle v meaning cos(v) Z + sin(v) X. Every question is won with
    probability 1/2 + cos(pi/(2m))/2. Bits: c0 = a, c1 = b.

    Args:
        m: settings per side, 2 or more.
        state: ``phi+``, ``phi-``, ``psi+`` or ``psi-``.

    Returns:
        An experiment of 2m circuits on the game ``ebit.games.chained_chsh(m)``.

    Raises:
        ArgumentError: for m out of range or another state.

    Example:
        >>> test = chained_chsh(3)
        >>> round(test.game.value(test.ideal), 6)
        0.933013

    Source:
        S. L. Braunstein and C. M. Caves, Ann. Phys. 202, 22 (1990).
    """
    m = check_size(m, name="m", least=2)
    if state not in BELL_STATES:
        raise ArgumentError(f"state must be one of {', '.join(BELL_STATES)}, but was {state!r}")
    pair, game = pair_state(state), games.chained_chsh(m)
    alice = [i * math.pi / m for i in range(m)]
    bob = [pair.mirrored((2 * i + 1) * math.pi / (2 * m)) for i in range(m)]
    asked = game.questions.tolist()
    circuits = []
    for x, y in asked:
        circuit = prepared(pair.circuit, 2, name=f"chained x={x} y={y}")
        measure_in_plane(circuit, 0, 0, alice[x])
        measure_in_plane(circuit, 1, 1, bob[y])
        circuits.append(circuit)
    return Experiment(
        name=f"chained-chsh-{m}:{state}",
        game=game,
        circuits=tuple(circuits),
        readouts=tuple(Readout(q, ((), ()), ((0,), (1,))) for q in range(len(asked))),
        parties=((0,), (1,)),
        roles=("A", "B"),
        ideal=pair.behaviour([(alice[x], bob[y]) for x, y in asked]),
        details={"state": state, "angles": (tuple(alice), tuple(bob))},
    )
