"""Sources of random bits as circuits: Hadamards, halves of Bell pairs, GHZ states; their raw bits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import numpy.typing as npt

from ebit.circuits.experiment import Experiment, Readout
from ebit.circuits.ghz_states import ghz
from ebit.circuits.layout import blank, check_size, one_qubit_each, party_names, prepared
from ebit.circuits.parallel import Group, ParallelTest
from ebit.circuits.program import Program
from ebit.circuits.states import bell
from ebit.games import ArgumentError, Floor, Game
from ebit.games.game import ParityRule, TableRule

__all__ = [
    "bell_halves_source",
    "ghz_source",
    "hadamard_source",
    "raw_clbits",
]

_MOST_COINS = 62  # answers are numbered by 64-bit integers
_MOST_PAIRS = 8
_MOST_GHZ = 20

_NO_FLOOR = "no quantum device is needed to win: the game is no evidence of entanglement"


def hadamard_source(qubits: int | Sequence[int] = 16) -> Experiment | ParallelTest:
    """Build the plain source: a Hadamard on every qubit, all measured, one raw bit from each.

    Bit cj is qubit j. 12 to 16 qubits suit a simulator; on a chip, name as many as it has. The
    bits are random only if the device is trusted: nothing in them could tell a quantum coin from
    a file of pseudo-random numbers.

    Args:
        qubits: how many, 1 to 62, or the physical qubits to use, any number of them.

    Returns:
        An experiment in which every answer wins; for physical qubits, one of them at each place.

    Raises:
        ArgumentError: too many qubits, or places that are not different qubits.

    Example:
        >>> hadamard_source(3).ideal.ravel().tolist()
        [0.125, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125]
        >>> len(hadamard_source(range(100, 156)).fixed)
        56
    """
    if not _is_number(qubits):
        places = tuple((q,) for q in _places(qubits, 1, "qubits"))
        return _everywhere("hadamard", hadamard_source(1), places)
    n = check_size(cast("int", qubits), name="qubits", least=1, most=_MOST_COINS)
    state = blank(n)
    state.h(range(n))
    circuit = prepared(state, n, name=f"hadamard on {n}")
    circuit.measure(range(n), range(n))
    game = Game(
        name=f"coins-{n}",
        questions=np.zeros((1, n), dtype=np.uint8),
        distribution=np.ones(1),
        settings=(1,) * n,
        outcomes=(2,) * n,
        # The parity of no outcome at all is 0: every answer wins.
        rule=ParityRule(np.zeros((1, n), dtype=np.bool_), np.zeros(1, dtype=np.uint8)),
        floors=(Floor("none", "local", 1.0, _NO_FLOOR),),
    )
    return Experiment(
        name=f"hadamard:{n}",
        game=game,
        circuits=(circuit,),
        readouts=(Readout(0, ((),) * n, one_qubit_each(n)),),
        parties=one_qubit_each(n),
        roles=tuple(f"coin {i}" for i in range(n)),
        ideal=np.full((1, *game.outcomes), 2.0**-n) if n <= 16 else None,
        details={"raw": tuple(range(n))},
    )


def bell_halves_source(pairs: int | Sequence[Sequence[int]] = 1) -> Experiment | ParallelTest:
    """Build Bell pairs whose halves are measured in Z: Alice's half gives the bit, Bob's repeats it.

    Bits c0 ... c(k-1) are Alice's and raw; ck ... c(2k-1) are Bob's, and show how well he agrees.
    A bit that Bob has too is no secret between them.

    Args:
        pairs: how many, 1 to 8 (q0 ... q(k-1) are Alice's, q(k+i) is the partner of qi), or the
            physical pairs (Alice's qubit, Bob's qubit) to use, any number of them.

    Returns:
        An experiment that is won when all halves agree.

    Raises:
        ArgumentError: too many pairs, or places that are not pairs of different qubits.

    Example:
        >>> bell_halves_source(1).ideal.tolist()
        [[[0.5, 0.0], [0.0, 0.5]]]
    """
    if not _is_number(pairs):
        return _everywhere("bell halves", bell_halves_source(1), _pairs(pairs))
    k = check_size(cast("int", pairs), name="pairs", least=1, most=_MOST_PAIRS)
    state = blank(2 * k)
    for i in range(k):
        state.compose(bell("phi+"), qubits=[i, k + i], inplace=True)
    circuit = prepared(state, 2 * k, name=f"bell halves of {k}")
    circuit.measure(range(2 * k), range(2 * k))
    same = np.eye(2**k, dtype=np.bool_)[None]
    alice, bob = tuple(range(k)), tuple(range(k, 2 * k))
    return Experiment(
        name=f"bell-halves:{k}",
        game=_agreement(f"halves-agree-{k}", (2**k, 2**k), same),
        circuits=(circuit,),
        readouts=(Readout(0, ((), ()), (alice, bob)),),
        parties=(alice, bob),
        roles=("A",) * k + ("B",) * k,
        ideal=np.asarray(same / 2**k, dtype=np.float64),
        details={"raw": alice, "state": " ".join(["phi+"] * k)},
    )


def ghz_source(n: int) -> Experiment:
    """Build a GHZ state measured in Z: qubit 0 gives one raw bit, the others repeat it.

    Args:
        n: number of qubits, 2 to 20; bit cj is qubit j.

    Returns:
        An experiment that is won when all outcomes agree.

    Raises:
        ArgumentError: another number of qubits.

    Example:
        >>> raw_clbits(ghz_source(4))
        (0,)
    """
    n = check_size(n, name="n", least=2, most=_MOST_GHZ)
    circuit = prepared(ghz(n), n, name=f"ghz source of {n}")
    circuit.measure(range(n), range(n))
    same = np.zeros((1,) + (2,) * n, dtype=np.bool_)
    same[(0,) + (0,) * n] = same[(0,) + (1,) * n] = True
    return Experiment(
        name=f"ghz-source:{n}",
        game=_agreement(f"all-agree-{n}", (2,) * n, same),
        circuits=(circuit,),
        readouts=(Readout(0, ((),) * n, one_qubit_each(n)),),
        parties=one_qubit_each(n),
        roles=party_names(n),
        ideal=same / 2.0,
        details={"raw": (0,), "state": f"ghz {n}"},
    )


def raw_clbits(program: Program) -> tuple[int, ...]:
    """Return the classical bits of a source's circuit that are raw bits, in their order.

    Of an experiment that does not say: the outcomes of all parties, the first party's first.

    Args:
        program: a source of this module, a test such as ``chsh(settings="per-shot")``, or one of
            them at many places.

    Raises:
        ArgumentError: a program of several circuits, which has no single order of bits.

    Example:
        >>> from ebit.circuits import chsh
        >>> raw_clbits(chsh(settings="per-shot")), raw_clbits(bell_halves_source([(3, 4), (8, 7)]))
        ((2, 3), (0, 2))
    """
    if not isinstance(program, (Experiment, ParallelTest)):
        raise ArgumentError(
            f"source must be an experiment that yields bits, such as hadamard_source(16), but was "
            f"{program!r}"
        )
    if len(program.circuits) != 1:
        raise ArgumentError(
            f"source must be of one circuit, but {program.name!r} has {len(program.circuits)}: "
            "take one that draws its settings in every shot"
        )
    if isinstance(program, ParallelTest):
        test, places = program.tests[program.groups[0].test], len(program.groups[0].places)
        width, inner = int(test.circuits[0].num_clbits), raw_clbits(test)
        return tuple(k * width + bit for k in range(places) for bit in inner)
    if "raw" in program.details:
        return tuple(int(bit) for bit in program.details["raw"])
    readout = program.readouts[0]
    return tuple(bit for bits in (readout.outcomes if readout else ()) for bit in bits)


def _agreement(name: str, outcomes: tuple[int, ...], same: npt.NDArray[np.bool_]) -> Game:
    n = len(outcomes)
    return Game(
        name=name,
        questions=np.zeros((1, n), dtype=np.uint8),
        distribution=np.ones(1),
        settings=(1,) * n,
        outcomes=outcomes,
        rule=TableRule(same),
        floors=(Floor("none", "local", 1.0, _NO_FLOOR),),
    )


def _everywhere(
    name: str, test: Experiment | ParallelTest, places: tuple[tuple[int, ...], ...]
) -> ParallelTest:
    if not isinstance(test, Experiment):
        raise ArgumentError("a source at many places is made of one small experiment")
    return ParallelTest(
        name=f"{name} at {len(places)} places",
        tests=(test,),
        groups=(Group(0, places, "simultaneous"),),
    )


def _is_number(value: object) -> bool:
    return isinstance(value, (bool, int, float, str, np.number)) or value is None


def _places(given: object, each: int, name: str) -> tuple[int, ...]:
    """Return different physical qubits, or say what they must be."""
    try:
        listed = [check_size(q, name=name, least=0) for q in given]  # type: ignore[attr-defined]
    except TypeError:
        raise ArgumentError(
            f"{name} must be a number or a list of physical qubits, but was {given!r}"
        ) from None
    if not listed or len(set(listed)) != len(listed):
        raise ArgumentError(
            f"{name} must be different physical qubits, at least {each}, but were {listed}"
        )
    return tuple(listed)


def _pairs(given: object) -> tuple[tuple[int, ...], ...]:
    try:
        listed = [tuple(pair) for pair in given]  # type: ignore[attr-defined]
    except TypeError:
        listed = []
    if not listed or any(len(pair) != 2 for pair in listed):
        raise ArgumentError(
            f"pairs must be a number, or pairs of physical qubits such as [(3, 4)], but was {given!r}"
        )
    flat = _places([q for pair in listed for q in pair], 2, "pairs")
    return tuple(zip(flat[::2], flat[1::2], strict=True))
