"""The fringe: Alice's angle fixed, Bob's swept, one circuit per angle."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ebit.circuits.experiment import Experiment, Readout
from ebit.circuits.layout import check_size, prepared
from ebit.circuits.pairs import check_angles, measure_in_plane, pair_state
from ebit.games import Game, ParityRule


def fringe(
    *,
    state: str | float = "phi+",
    alice: float = 0.0,
    angles: Sequence[float] | None = None,
    points: int = 25,
) -> Experiment:
    """Build an angle sweep on q0 = Alice, q1 = Bob: the correlation fringe.

    E(a, b) = <ZZ> cos a cos b + <XX> sin a sin b, an angle v meaning cos(v) Z + sin(v) X; for phi+
    that is cos(a - b). Alice has one setting, Bob's setting j is the j-th angle; the pair "wins"
    when both outcomes are equal, so that the correlators of the game are the fringe itself.
    Bits: c0 = a, c1 = b.

    Args:
        state: ``phi+``, ``phi-``, ``psi+``, ``psi-``, ``product``, ``partial:T``, or the angle T.
        alice: Alice's angle in radians.
        angles: Bob's angles in radians; ``points`` of them from 0 to 2 pi, both ends included,
            when None.
        points: number of angles, when none are given, 2 or more.

    Returns:
        An experiment with one circuit per angle. ``details`` has ``alice``, ``angles`` and
        ``curve``, the ideal correlator at each angle.

    Raises:
        ArgumentError: for an unknown state or angles that are not finite.

    Example:
        >>> test = fringe(points=5)
        >>> test.game.correlators(test.ideal).round(6).astype(int).tolist()
        [1, 0, -1, 0, 1]
    """
    pair = pair_state(state)
    (alice,) = check_angles([alice], name="alice")
    if angles is None:
        points = check_size(points, name="points", least=2)
        bob = [2 * math.pi * j / (points - 1) for j in range(points)]
    else:
        bob = check_angles(angles, name="angles")
    k = check_size(len(bob), name="number of angles", least=1, most=256)
    game = Game(
        name=f"fringe-{k}",
        questions=np.array([(0, j) for j in range(k)], dtype=np.uint8),
        distribution=np.full(k, 1 / k),
        settings=(1, k),
        outcomes=(2, 2),
        rule=ParityRule(np.ones((k, 2), dtype=np.bool_), np.zeros(k, dtype=np.uint8)),
        labels=((f"a={_degrees(alice)}",), tuple(f"b={_degrees(angle)}" for angle in bob)),
    )
    circuits = []
    for angle in bob:
        circuit = prepared(pair.circuit, 2, name=f"fringe b={_degrees(angle)}")
        measure_in_plane(circuit, 0, 0, alice)
        measure_in_plane(circuit, 1, 1, angle)
        circuits.append(circuit)
    return Experiment(
        name=f"fringe-{k}:{pair.name}",
        game=game,
        circuits=tuple(circuits),
        readouts=tuple(Readout(q, ((), ()), ((0,), (1,))) for q in range(k)),
        parties=((0,), (1,)),
        roles=("A", "B"),
        ideal=pair.behaviour([(alice, angle) for angle in bob]),
        details={
            "state": pair.name,
            "alice": alice,
            "angles": tuple(bob),
            "curve": tuple(pair.correlator(alice, np.array(bob)).tolist()),
        },
    )


def _degrees(angle: float) -> str:
    return f"{math.degrees(angle):.4g} deg"
