"""Spot-checked CHSH as circuits: most rounds generate, few test, and every shot draws which."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit

from ebit import games
from ebit.circuits.experiment import Experiment, Readout
from ebit.circuits.layout import blank, prepared
from ebit.circuits.pairs import PairState, check_angles, pair_state, turn
from ebit.games import ArgumentError, Floor, Game, Shots

__all__ = ["rounds_tested", "spot_checked_chsh"]


def spot_checked_chsh(
    gamma: float,
    *,
    coins: Literal["independent", "shared"] = "independent",
    state: str | float = "phi+",
    angles: Sequence[Sequence[float]] | None = None,
) -> Experiment:
    r"""Build a CHSH test that tests few rounds and generates in the others, settings in every shot.

    ``independent``: each party has a coin that shows 1 with probability q,

    .. math:: q = 1 - \sqrt{1 - \gamma},\quad
        p(x, y) = q^{x + y} (1 - q)^{2 - x - y},\quad 1 - p(0, 0) = \gamma.

    The chain q0 = coin A, q1 = Alice, q2 = Bob, q3 = coin B fits every chip. Rounds with the
    settings (0, 0) generate, the others test.

    ``shared``: a fifth qubit T shows 1 with probability gamma; then x and y are fair coins,
    otherwise both are 0. p(0, 0) = 1 - 3 gamma / 4, and p(x, y) = gamma / 4 elsewhere; the rounds
    with T = 1 test. Its couplings T - coin A - Alice - Bob - coin B - T form a ring of five, which
    square and heavy-hexagonal chips do not have.

    Bits: c0 = x, c1 = y, c2 = a, c3 = b, and c4 = T if it is there; a and b are raw.

    Args:
        gamma: rate of the test rounds, between 0 and 1.
        coins: "independent" or "shared".
        state: as in `ebit.circuits.chsh`; its angles are the best for the state.
        angles: ((a0, a1), (b0, b1)) in radians, if others are wanted.

    Returns:
        An experiment whose game has p(x, y) as the distribution of its questions
        (``experiment.game.distribution``, in the order of ``experiment.game.questions``): what a
        certificate has to know. A readout error e of a coin makes q come out as q + e (1 - 2 q):
        compare the frequencies of the settings with p before relying on it.

    Raises:
        ArgumentError: a rate that is not between 0 and 1, an unknown kind of coins or state.

    Example:
        >>> test = spot_checked_chsh(0.19)
        >>> test.game.distribution.round(12).tolist(), round(test.game.bell_value(test.ideal), 6)
        ([0.81, 0.09, 0.09, 0.01], 2.828427)
        >>> spot_checked_chsh(0.2, coins="shared").game.distribution.round(12).tolist()
        [0.85, 0.05, 0.05, 0.05]

    Source:
        Miller, Shi, SIAM J. Comput. 46, 1304 (2017); Arnon-Friedman et al., Nature Commun. 9, 459
        (2018), protocol 1, for spot checks.
    """
    gamma = _rate(gamma)
    if coins not in ("independent", "shared"):
        raise ArgumentError(f"coins must be 'independent' or 'shared', but was {coins!r}")
    pair = pair_state(state)
    if angles is None:
        chosen = pair.chsh_angles()
    else:
        if not isinstance(angles, (Sequence, np.ndarray)) or len(angles) != 2:
            raise ArgumentError(
                f"angles must be ((a0, a1), (b0, b1)) in radians, but was {angles!r}"
            )
        a = check_angles(angles[0], name="angles of Alice", count=2)
        b = check_angles(angles[1], name="angles of Bob", count=2)
        chosen = ((a[0], a[1]), (b[0], b[1]))
    shared = coins == "shared"
    # 1 - sqrt(1 - gamma) without the loss of digits at small rates.
    q = gamma / (1 + math.sqrt(1 - gamma))
    if shared:
        odds = np.array([1 - 3 * gamma / 4, gamma / 4, gamma / 4, gamma / 4])
    else:
        odds = np.array([(1 - q) ** 2, q * (1 - q), q * (1 - q), q * q])
    odds = odds / odds.sum()
    (a0, a1), (b0, b1) = chosen
    return Experiment(
        name=f"chsh:{pair.name}:spot-checked:{coins}:{gamma:.6g}",
        game=_asked(odds),
        circuits=(_spot_circuit(pair, chosen, gamma if shared else q, shared=shared),),
        readouts=(Readout(None, ((0,), (1,)), ((2,), (3,))),),
        parties=((0, 1), (2, 3)),
        roles=("coin A", "A", "B", "coin B", *(["coin T"] if shared else [])),
        chosen="per-shot",
        source="device",
        ideal=pair.behaviour([(a0, b0), (a0, b1), (a1, b0), (a1, b1)]),
        details={
            "raw": (2, 3),
            "state": pair.name,
            "angles": chosen,
            "gamma": gamma,
            "coins": coins,
            "coin": None if shared else q,
            "test_bit": 4 if shared else None,
        },
    )


def rounds_tested(experiment: Experiment, shots: Shots) -> npt.NDArray[np.bool_]:
    """Say which rounds of a spot-checked test were test rounds: bool (N,), in the order of time.

    Args:
        experiment: from `spot_checked_chsh`.
        shots: what a run of it gave.

    Raises:
        ArgumentError: another experiment, or shots that are not its own.

    Example:
        >>> test = spot_checked_chsh(0.5)
        >>> rounds_tested(test, Shots.from_bits([[[0, 0, 1, 1], [0, 1, 0, 0]]])).tolist()
        [False, True]
    """
    if "test_bit" not in experiment.details:
        raise ArgumentError(f"experiment must be a spot-checked test, but was {experiment.name!r}")
    if tuple(shots.widths) != experiment.widths:
        raise ArgumentError(
            f"shots must have {experiment.widths} bits per circuit for {experiment.name!r}, but "
            f"had {tuple(shots.widths)}"
        )
    bit = experiment.details["test_bit"]
    return np.asarray(shots.integers(0, (0, 1) if bit is None else (bit,)) != 0, dtype=np.bool_)


def _spot_circuit(
    pair: PairState,
    angles: tuple[tuple[float, float], tuple[float, float]],
    rate: float,
    *,
    shared: bool,
) -> QuantumCircuit:
    size = 5 if shared else 4
    turned = 2 * math.asin(math.sqrt(rate))  # cos(t/2)|0> + sin(t/2)|1> shows 1 at this rate
    state = blank(size)
    if shared:
        state.ry(turned, 4)
        for coin in (0, 3):
            state.cry(math.pi / 2, 4, coin)
    else:
        state.ry(turned, 0)
        state.ry(turned, 3)
    state.compose(pair.circuit, qubits=[1, 2], inplace=True)
    circuit = prepared(state, size, name=f"spot-checked chsh, {size - 2} coins")
    circuit.measure([0, 3], [0, 1])
    if shared:
        circuit.measure(4, 4)
    for coin, qubit, (first, second) in ((0, 1, angles[0]), (3, 2, angles[1])):
        turn(circuit, qubit, first)
        # A coin that has been measured only gains a phase by a full turn: take the short way.
        difference = float(np.remainder(second - first + math.pi, 2 * math.pi)) - math.pi
        circuit.cry(-difference, coin, qubit)
    circuit.measure([1, 2], [2, 3])
    return circuit


def _asked(odds: npt.NDArray[np.float64]) -> Game:
    """CHSH with questions asked at other rates; what is won most then is another number."""
    least = float(odds.min())
    return replace(
        games.chsh(),
        name="chsh-spot-checked",
        distribution=odds,
        floors=(
            Floor(
                "none",
                "local",
                1 - least,
                "a local strategy loses one question at least, the one asked least often",
            ),
        ),
        quantum_value=None,
        quantum_source="",
    )


def _rate(gamma: object) -> float:
    if isinstance(gamma, bool) or not isinstance(gamma, (int, float, np.number)):
        raise ArgumentError(f"gamma must be a rate between 0 and 1, but was {gamma!r}")
    value = float(gamma)
    if not 0 < value < 1:
        raise ArgumentError(
            f"gamma must be a rate between 0 and 1, both left out, but was {value:g}"
        )
    return value
