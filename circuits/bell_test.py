"""The CHSH test as circuits: one circuit per setting, or settings drawn in every shot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from qiskit import QuantumCircuit

from ebit import games
from ebit.circuits.experiment import Experiment, Readout
from ebit.circuits.layout import blank, prepared
from ebit.circuits.pairs import PairState, check_angles, measure_in_plane, pair_state, turn
from ebit.games import ArgumentError

Angles = tuple[tuple[float, float], tuple[float, float]]


def chsh(
    *,
    state: str | float = "phi+",
    settings: Literal["per-circuit", "per-shot"] = "per-circuit",
    angles: Sequence[Sequence[float]] | None = None,
    swapped: bool = False,
    coins: Literal["controlled", "feed-forward"] = "controlled",
) -> Experiment:
    """Build the CHSH test on a pair of qubits.

    S = E(0,0) + E(0,1) + E(1,0) - E(1,1). The default angles are the best for the state given
    (2 sqrt 2 for each Bell state, 2 sqrt(1 + sin^2 2t) for cos(t)|00> + sin(t)|11>), so that the
    same game, with its minus on (1,1), is won alike; the product state |00> takes the angles of
    phi+ and reaches sqrt 2.

    ``per-circuit``: four circuits on q0 = Alice, q1 = Bob; bits c0 = a, c1 = b.

    ``per-shot``: one circuit on the chain q0 = coin A, q1 = Alice, q2 = Bob, q3 = coin B; bits
    c0 = x, c1 = y, c2 = a, c3 = b. Each coin is a qubit in the state |+>, measured before anything
    else; what is left of it then turns the measuring basis, by a controlled RY or by a rotation
    conditioned on its bit. Fresh settings in every shot, in the order of time.

    Args:
        state: ``phi+``, ``phi-``, ``psi+``, ``psi-``, ``product``, ``partial:T``, or the angle T.
        settings: ``per-circuit`` or ``per-shot``.
        angles: ((a0, a1), (b0, b1)) in radians; angle v means cos(v) Z + sin(v) X.
        swapped: give the first qubit of the state to Bob; the whole layout is mirrored, the bits
            keep their meaning.
        coins: how a coin turns the basis, per shot: ``controlled`` or ``feed-forward``.

    Returns:
        An experiment on the game ``ebit.games.chsh()``.

    Raises:
        ArgumentError: for an unknown state or mode, or angles that are not two per side.

    Example:
        >>> test = chsh(state="psi-")
        >>> round(test.game.bell_value(test.ideal), 6)
        2.828427

    Source:
        Clauser, Horne, Shimony, Holt, PRL 23, 880 (1969); R., P. and M. Horodecki,
        Phys. Lett. A 200, 340 (1995) for the angles.
    """
    pair = pair_state(state)
    chosen = pair.chsh_angles() if angles is None else _check(angles)
    game = games.chsh()
    parties: tuple[tuple[int, ...], ...]
    roles: tuple[str, ...]
    if settings == "per-circuit":
        circuits, readouts = _per_circuit(pair, chosen, game, swapped=swapped)
        parties, roles = ((0,), (1,)), ("A", "B")
    elif settings == "per-shot":
        if coins not in ("controlled", "feed-forward"):
            raise ArgumentError(f"coins must be 'controlled' or 'feed-forward', but was {coins!r}")
        circuits = (_with_coins(pair, chosen, swapped=swapped, feed=coins == "feed-forward"),)
        readouts = (Readout(None, ((0,), (1,)), ((2,), (3,))),)
        parties, roles = ((0, 1), (2, 3)), ("coin A", "A", "B", "coin B")
    else:
        raise ArgumentError(f"settings must be 'per-circuit' or 'per-shot', but was {settings!r}")
    if swapped:
        parties, roles = parties[::-1], roles[::-1]
    (a0, a1), (b0, b1) = chosen
    return Experiment(
        name=":".join(["chsh", pair.name, settings, *(["swapped"] if swapped else [])]),
        game=game,
        circuits=circuits,
        readouts=readouts,
        parties=parties,
        roles=roles,
        chosen=settings,
        source="device" if settings == "per-shot" else "host",
        ideal=pair.behaviour([(a0, b0), (a0, b1), (a1, b0), (a1, b1)]),
        details={"state": pair.name, "angles": chosen, "swapped": swapped},
    )


def _check(angles: Sequence[Sequence[float]]) -> Angles:
    try:
        alice, bob = angles
    except (TypeError, ValueError):
        raise ArgumentError(
            f"angles must be ((a0, a1), (b0, b1)) in radians, but was {angles!r}"
        ) from None
    a0, a1 = check_angles(alice, name="angles of Alice", count=2)
    b0, b1 = check_angles(bob, name="angles of Bob", count=2)
    return (a0, a1), (b0, b1)


def _per_circuit(
    pair: PairState, angles: Angles, game: games.Game, *, swapped: bool
) -> tuple[tuple[QuantumCircuit, ...], tuple[Readout, ...]]:
    circuits, readouts = [], []
    alice, bob = (1, 0) if swapped else (0, 1)
    for question, (x, y) in enumerate(game.questions.tolist()):
        circuit = prepared(pair.circuit, 2, name=f"chsh x={x} y={y}")
        measure_in_plane(circuit, alice, 0, angles[0][x])
        measure_in_plane(circuit, bob, 1, angles[1][y])
        circuits.append(circuit)
        readouts.append(Readout(question, ((), ()), ((0,), (1,))))
    return tuple(circuits), tuple(readouts)


def _with_coins(pair: PairState, angles: Angles, *, swapped: bool, feed: bool) -> QuantumCircuit:
    state = blank(4)
    state.h([0, 3])
    state.compose(pair.circuit, qubits=[1, 2], inplace=True)
    circuit = prepared(state, 4, name="chsh with coins")
    sides = [(0, 1, 0), (3, 2, 1)]  # coin, qubit, party
    if swapped:
        sides = [(3, 2, 0), (0, 1, 1)]
    for coin, _, party in sides:
        circuit.measure(coin, party)
    for coin, qubit, party in sides:
        first, second = angles[party]
        turn(circuit, qubit, first)
        # A full turn only changes the phase of a coin that has been measured: take the short way.
        difference = float(np.remainder(second - first + math.pi, 2 * math.pi)) - math.pi
        if feed:
            with circuit.if_test((circuit.clbits[party], 1)):
                circuit.ry(-difference, qubit)
        else:
            circuit.cry(-difference, coin, qubit)
    for _, qubit, party in sides:
        circuit.measure(qubit, 2 + party)
    return circuit
