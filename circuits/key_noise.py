"""Set noise of a key round's channel, by coins and qubits of an environment that nobody reads."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from qiskit import QuantumCircuit

from ebit.circuits.experiment import Experiment
from ebit.circuits.key_gates import Wiring, apply_if
from ebit.circuits.key_weave import cut, joined, widened
from ebit.games import ArgumentError

__all__ = ["NOISES", "Noise", "parse_noise", "with_noise"]

NOISES = {
    "depolarising": 1.0,
    "dephasing": 0.5,
    "amplitude-damping": 1.0,
    "misalignment": math.pi,
}
"""Kinds of noise, and the largest strength of each."""


@dataclass(frozen=True)
class Noise:
    """Noise of the channel.

    Attributes:
        kind: one of `NOISES`.
        strength: depolarising: probability that the state is replaced, QBER half of it in each
            basis; dephasing: QBER in X and Y; amplitude-damping: probability that 1 decays to 0;
            misalignment: angle in radians between the Z axes, about Y.
    """

    kind: str
    strength: float

    def __str__(self) -> str:
        return f"{self.kind}:{self.strength:.12g}"


def parse_noise(text: str | Noise) -> Noise:
    """Read a noise, ``kind:strength``.

    Raises:
        ArgumentError: an unknown kind, or a strength out of range.

    Example:
        >>> parse_noise("dephasing:0.02")
        Noise(kind='dephasing', strength=0.02)
    """
    kind, _, given = str(text).partition(":")
    kind = kind.replace("_", "-").replace(" ", "-")
    try:
        strength = float(given)
    except ValueError:
        strength = math.nan
    if kind not in NOISES or not 0 <= strength <= NOISES[kind]:
        known = ", ".join(f"{name}:0..{most:.4g}" for name, most in NOISES.items())
        raise ArgumentError(
            f"noise must be KIND:STRENGTH, one of {known}, but was {str(text)[:60]!r}"
        )
    return Noise(kind, strength)


def with_noise(experiment: Experiment, noise: str | Noise) -> Experiment:
    """Return a key round whose signal meets noise on its way, just before it is measured.

    Args:
        experiment: from `ebit.circuits.key_round`, before any attack: Eve then stands first.
        noise: see `parse_noise`.

    Raises:
        ArgumentError: an unknown noise, or a round that has noise or an attack already.
    """
    given = parse_noise(noise)
    details = dict(experiment.details)
    if "channel" not in details or details["noise"] is not None or details["attack"] is not None:
        raise ArgumentError(
            f"experiment must be a key round without noise and attack, but was {experiment.name!r}"
        )
    wiring = details["wiring"]
    width = {"depolarising": 3, "dephasing": 1, "amplitude-damping": 1, "misalignment": 0}
    qubits = width[given.kind]
    bits = qubits if wiring == "feed-forward" and given.kind != "amplitude-damping" else 0
    signal, barrier = details["channel"]
    made = []
    for circuit in experiment.circuits:
        out = widened(circuit, qubits, bits, f"{circuit.name}, {given}")
        before, after = cut(circuit, barrier)
        joined(out, before)
        first, bit = circuit.num_qubits, circuit.num_clbits
        _disturb(out, given, signal, range(first, first + qubits), bit, wiring)
        out.barrier()
        joined(out, after)
        made.append(out)
    details["noise"] = str(given)
    return replace(
        experiment,
        name=f"{experiment.name}:{given}",
        circuits=tuple(made),
        roles=(*experiment.roles, *(f"environment {i + 1}" for i in range(qubits))),
        ideal=None,
        details=details,
    )


def _disturb(
    circuit: QuantumCircuit, noise: Noise, signal: int, own: range, bit: int, wiring: Wiring
) -> None:
    if noise.kind == "misalignment":
        circuit.ry(noise.strength, signal)
        return
    if noise.kind == "amplitude-damping":
        circuit.cry(2 * math.asin(math.sqrt(noise.strength)), signal, own[0])
        circuit.cx(own[0], signal)
        return
    if noise.kind == "dephasing":
        paulis, rate = "z", noise.strength
    else:
        # Three independent flips about the axes: each shrinks the two others by 1 - 2 rate.
        paulis, rate = "xyz", (1 - math.sqrt(1 - noise.strength)) / 2
    for i, pauli in enumerate(paulis):
        circuit.ry(2 * math.asin(math.sqrt(rate)), own[i])
        if wiring == "feed-forward":
            circuit.measure(own[i], bit + i)
        for name, angle in _turn(pauli):
            apply_if(circuit, ((name, angle),), signal, bit=bit + i, coin=own[i], wiring=wiring)


def _turn(pauli: str) -> tuple[tuple[str, float], ...]:
    """A Pauli as half turns; the phase of a coin that nobody reads does not matter."""
    return {
        "x": (("rz", math.pi), ("ry", math.pi)),
        "y": (("ry", math.pi),),
        "z": (("rz", math.pi),),
    }[pauli]
