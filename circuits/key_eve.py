"""What each eavesdropper does to the qubit that passes her, gate by gate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qiskit import QuantumCircuit

from ebit.circuits.key_gates import (
    BREIDBART,
    Gates,
    Wiring,
    apply,
    apply_if,
    coins,
    inverse,
    measuring,
    turns,
)
from ebit.games import ArgumentError

__all__ = ["Bases", "Eve", "eve_of"]

Qubits = Sequence[int]
During = Callable[[QuantumCircuit, Qubits, Qubits, Qubits], None]


@dataclass(frozen=True)
class Bases:
    """Alice's basis as it is announced.

    Attributes:
        names: the one it is, or all that her coins choose from.
        bits: classical bits of her coins, none where the basis is known.
        coins: their qubits.
        wiring: whether to act on the bits or on the qubits.
    """

    names: tuple[str, ...]
    bits: tuple[int, ...]
    coins: tuple[int, ...]
    wiring: Wiring

    def turn(self, circuit: QuantumCircuit, qubit: int) -> None:
        """Turn Alice's basis of a qubit into Z."""
        first, added = turns(self.names)
        apply(circuit, first, qubit)
        for bit, coin, gates in zip(self.bits, self.coins, added, strict=False):
            apply_if(circuit, gates, qubit, bit=bit, coin=coin, wiring=self.wiring)


After = Callable[[QuantumCircuit, Qubits, Qubits, Bases], None]


def _nothing(circuit: QuantumCircuit, own: Qubits, bits: Qubits, bases: Bases) -> None:
    """Everything was measured on the way."""


@dataclass(frozen=True)
class Eve:
    """An eavesdropper.

    Attributes:
        qubits: names of her qubits.
        bits: names of the bits she keeps.
        during: what she does to the signal: (circuit, signal, her qubits, her bits).
        after: what she does once bases are announced: (circuit, her qubits, her bits, bases).
        source: whether she replaces the source; the signal then is the pair.
    """

    qubits: tuple[str, ...]
    bits: tuple[str, ...]
    during: During
    after: After = _nothing
    source: bool = False


def eve_of(kind: str, strength: float, variant: str, wiring: Wiring) -> Eve:
    """Return the eavesdropper of an attack that `ebit.circuits.key_attacks` has read."""
    if kind == "cloner":
        return _cloner(strength)
    if kind == "probe":
        return _probe(strength)
    if kind == "depolarising":
        return _depolarising(strength)
    if kind == "spoofed-source":
        return _zeros() if variant == "zeros" else _separable(wiring)
    basis = {"intercept-z": "Z", "intercept-x": "X", "breidbart": BREIDBART}.get(kind)
    return _intercept(basis, strength, wiring)


def _intercept(basis: str | None, fraction: float, wiring: Wiring) -> Eve:
    """Measure and resend: in one basis, or in Z or X by a coin; in a fraction of the rounds.

    The measured qubit is in the state to resend, so it is passed on. Where some rounds are left
    alone, or where nothing may be measured half way, a record qubit is coupled to the signal by a
    CX: it starts in |0>, or in |+> where the round is left alone, which a CX does not change.

    Source: Bennett, Brassard 1984; Bennett, Bessette, Brassard, Salvail, Smolin, J. Cryptology 5,
    3 (1992), for the Breidbart basis.
    """
    tossed, some = basis is None, fraction < 1
    record = some or wiring == "controlled"
    qubits = ([] if not record else ["record"]) + ["basis"] * tossed + ["chance"] * some
    bits = ["outcome"] + ["basis"] * tossed + ["attacked"] * some
    first = measuring("Z" if basis is None else basis)

    def during(circuit: QuantumCircuit, at: Qubits, own: Qubits, to: Qubits) -> None:
        signal = at[0]
        place = dict(zip(qubits, own, strict=True))
        bit = dict(zip(bits, to, strict=True))

        def turned(gates: Gates) -> None:
            apply_if(circuit, gates, signal, bit=bit["basis"], coin=place["basis"], wiring=wiring)

        if tossed:
            circuit.h(place["basis"])
            circuit.measure(place["basis"], bit["basis"])
        if some:
            coin = place["chance"]
            circuit.ry(2 * math.atan2(math.sqrt(fraction), math.sqrt(1 - fraction)), coin)
            circuit.measure(coin, bit["attacked"])
            circuit.ry(math.pi / 2, place["record"])
            apply_if(
                circuit,
                (("ry", -math.pi / 2),),
                place["record"],
                bit=bit["attacked"],
                coin=coin,
                wiring=wiring,
            )
        apply(circuit, first, signal)
        if tossed:
            turned(measuring("X"))
        if record:
            circuit.cx(signal, place["record"])
            circuit.measure(place["record"], bit["outcome"])
        else:
            circuit.measure(signal, bit["outcome"])
        if tossed:
            turned(inverse(measuring("X")))
        apply(circuit, inverse(first), signal)

    return Eve(tuple(qubits), tuple(bits), during)


def _cloner(strength: float) -> Eve:
    r"""Copy the circle of Z and X: |0>|0> stays, |1>|0> -> cos t |10> + sin t |01>, about the Y axis.

    Bob's vector shrinks by cos t in the plane, Eve's copy has sin t; t = strength * pi/2.

    Source: Niu, Griffiths, PRA 60, 2764 (1999); Fuchs et al., PRA 56, 1163 (1997), for the
    optimum it reaches; Bruss, Cinchetti, D'Ariano, Macchiavello, PRA 62, 012302 (2000).
    """

    def during(circuit: QuantumCircuit, at: Qubits, own: Qubits, to: Qubits) -> None:
        signal, copy = at[0], own[0]
        circuit.rx(math.pi / 2, signal)
        circuit.cry(strength * math.pi, signal, copy)
        circuit.cx(copy, signal)
        circuit.rx(-math.pi / 2, signal)
        circuit.rx(-math.pi / 2, copy)

    def after(circuit: QuantumCircuit, own: Qubits, bits: Qubits, bases: Bases) -> None:
        bases.turn(circuit, own[0])
        circuit.measure(own[0], bits[0])

    return Eve(("copy",), ("outcome",), during, after)


def _probe(strength: float) -> Eve:
    """Couple a probe to the signal's Breidbart basis; its two states overlap by cos(s pi/2).

    They are told apart with the least error. The error rate is (1 - overlap) / 4.

    Source: Brandt, PRA 71, 042312 (2005); Shapiro, Wong, PRA 73, 012315 (2006): one CNOT-like gate
    with a control turned by pi/8 reaches the optimum of Fuchs and Peres, PRA 53, 2038 (1996).
    """
    angle = strength * math.pi

    def during(circuit: QuantumCircuit, at: Qubits, own: Qubits, to: Qubits) -> None:
        apply(circuit, measuring(BREIDBART), at[0])
        circuit.cry(angle, at[0], own[0])
        apply(circuit, inverse(measuring(BREIDBART)), at[0])
        circuit.ry((math.pi - angle) / 2, own[0])
        circuit.measure(own[0], to[0])

    return Eve(("probe",), ("outcome",), during)


def _depolarising(strength: float) -> Eve:
    """Apply the Paulis X, Y, Z with probability p/4 each, by two qubits that Eve keeps.

    They hold sum_P sqrt(p_P) |P>, so she has the purification of the channel. One says "flip", the
    other "phase"; in Alice's basis one of them tells whether Bob's bit is wrong and is read as it
    is, the other leaks Alice's bit and is read in the conjugate basis. The two swap places half
    way, so that only one of them is coupled to the signal.

    Source: Bruss, PRL 81, 3018 (1998), for the optimum that it reaches with six states.
    """
    left = 1 - 3 * strength / 4
    rest = strength / 4

    def during(circuit: QuantumCircuit, at: Qubits, own: Qubits, to: Qubits) -> None:
        near, far = own
        which = coins((left, rest, rest, rest), iter(own).__next__, iter(to).__next__)
        which.prepare(circuit)
        circuit.cry(which.more, near, far)
        circuit.cx(near, at[0])
        circuit.swap(near, far)
        circuit.cz(near, at[0])

    def after(circuit: QuantumCircuit, own: Qubits, bits: Qubits, bases: Bases) -> None:
        phase, flip = own
        if bases.bits:
            steps = [_conjugate(name, phase, flip) for name in bases.names]
            _do(circuit, steps[0])
            undo = [(name, -v, where) for name, v, where in reversed(steps[0])]
            for bit, coin, step in zip(bases.bits, bases.coins, steps[1:], strict=False):
                _do_if(circuit, [*undo, *step], bit, coin, bases.wiring)
        else:
            _do(circuit, _conjugate(bases.names[0], phase, flip))
        circuit.measure(flip, bits[0])
        circuit.measure(phase, bits[1])

    return Eve(("flip", "phase"), ("flip", "phase"), during, after)


Step = tuple[str, float, tuple[int, ...]]


def _conjugate(basis: str, phase: int, flip: int) -> list[Step]:
    """How the two qubits of the depolarising channel are turned before they are read."""
    if basis == "Z":
        return [("ry", -math.pi / 2, (phase,))]
    if basis == "X":
        return [("ry", -math.pi / 2, (flip,))]
    return [
        ("cx", 0.0, (flip, phase)),
        ("rz", -math.pi / 2, (flip,)),
        ("ry", -math.pi / 2, (flip,)),
    ]


def _do(circuit: QuantumCircuit, steps: Sequence[Step]) -> None:
    for name, angle, where in steps:
        if name == "cx":
            circuit.cx(*where)
        else:
            getattr(circuit, name)(angle, *where)


def _do_if(
    circuit: QuantumCircuit, steps: Sequence[Step], bit: int, coin: int, wiring: Wiring
) -> None:
    if wiring == "feed-forward":
        with circuit.if_test((circuit.clbits[bit], 1)):
            _do(circuit, steps)
        return
    for name, angle, where in steps:
        if name == "cx":
            raise ArgumentError(
                "attack depolarising on three bases per shot must have wiring='feed-forward', but had "
                "'controlled': take that, or choices='per-circuit'"
            )
        getattr(circuit, f"c{name}")(angle, coin, *where)


def _separable(wiring: Wiring) -> Eve:
    """Send both the same state: a random bit in Z or X, both known to Eve."""

    def during(circuit: QuantumCircuit, at: Qubits, own: Qubits, to: Qubits) -> None:
        circuit.h(own[0])
        circuit.h(own[1])
        circuit.measure(own[0], to[0])
        circuit.measure(own[1], to[1])
        for i, angle in enumerate((math.pi, math.pi / 2)):
            for qubit in at:
                apply_if(circuit, (("ry", angle),), qubit, bit=to[i], coin=own[i], wiring=wiring)

    return Eve(("bit", "basis"), ("outcome", "basis"), during, source=True)


def _zeros() -> Eve:
    """Send both |0>: nothing to remember."""
    return Eve((), (), lambda circuit, at, own, to: None, source=True)
