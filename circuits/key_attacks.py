"""Eavesdroppers on a key round: names and strengths, and the round's circuits with Eve in them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ebit.circuits.experiment import Experiment, Readout
from ebit.circuits.key_eve import Bases, eve_of
from ebit.circuits.key_protocols import key_game, key_protocol
from ebit.circuits.key_weave import cut, joined, widened
from ebit.games import ArgumentError

__all__ = ["ATTACKS", "Attack", "parse_attack", "with_attack"]

# Strength that is meant where none is given; a text is a variant.
ATTACKS: dict[str, float | str | None] = {
    "intercept-resend": 1.0,
    "intercept-z": 1.0,
    "intercept-x": 1.0,
    "breidbart": 1.0,
    "cloner": 0.5,
    "probe": 0.5,
    "depolarising": 0.2,
    "spoofed-source": "separable",
    "memory": None,
    "predicted-settings": 1.0,
    "man-in-the-middle": None,
}
"""Kinds of attack and what is meant where no strength is given."""

_VARIANTS = {"spoofed-source": ("separable", "zeros")}
_CLASSICAL = ("memory", "predicted-settings")


@dataclass(frozen=True)
class Attack:
    """What an eavesdropper does.

    Attributes:
        kind: one of `ATTACKS`.
        strength: between 0 (nothing) and 1; 1 for kinds without one.
        variant: of a spoofed source, ``separable`` or ``zeros``.
    """

    kind: str
    strength: float = 1.0
    variant: str = ""

    def __str__(self) -> str:
        if self.variant:
            return f"{self.kind}:{self.variant}"
        return self.kind if ATTACKS[self.kind] is None else f"{self.kind}:{self.strength:.12g}"

    @property
    def quantum(self) -> bool:
        """Whether it is done on the quantum channel and changes the circuits."""
        return self.kind not in (*_CLASSICAL, "man-in-the-middle")


def parse_attack(text: str | Attack) -> Attack:
    r"""Read an attack, ``kind`` or ``kind:strength``.

    ==================  =========================================  ==============================
    kind                what Eve does                              strength s
    ==================  =========================================  ==============================
    intercept-resend    measures in Z or X at random, resends      fraction of rounds attacked
    intercept-z, -x     measures in Z, in X                        fraction of rounds attacked
    breidbart           measures half way between Z and X          fraction of rounds attacked
    cloner              keeps a phase-covariant copy, measures it  turn s pi/2; error (1 - cos)/2,
                        when Alice's basis is announced            .5 makes two equal copies
    probe               couples a probe half way between Z and X   overlap cos(s pi/2) of the probe
    depolarising        replaces the state with this probability,  that probability
                        holds the purification of that channel
    spoofed-source      replaces the pair by a separable state     separable (default) or zeros
    memory              device-independent devices that answer by  none
                        the rounds before
    predicted-settings  devices that know settings beforehand      probability to know
    man-in-the-middle   forges classical messages; no circuit      none
    ==================  =========================================  ==============================

    Raises:
        ArgumentError: an unknown kind, or a strength it has not.

    Example:
        >>> parse_attack("cloner:0.3")
        Attack(kind='cloner', strength=0.3, variant='')
        >>> str(parse_attack("spoofed-source"))
        'spoofed-source:separable'
    """
    if isinstance(text, Attack):
        text = str(text)
    kind, colon, given = str(text).partition(":")
    if kind not in ATTACKS:
        raise ArgumentError(
            f"attack must be KIND or KIND:STRENGTH with one of the kinds {', '.join(ATTACKS)}, "
            f"but was {str(text)[:60]!r}"
        )
    usual = ATTACKS[kind]
    if kind in _VARIANTS:
        variant = given if colon else str(usual)
        if variant not in _VARIANTS[kind]:
            raise ArgumentError(
                f"attack {kind} must be followed by {' or '.join(_VARIANTS[kind])}, "
                f"but was {str(text)[:60]!r}"
            )
        return Attack(kind, 1.0, variant)
    if usual is None:
        if colon:
            raise ArgumentError(f"attack {kind} has no strength, but was {str(text)[:60]!r}")
        return Attack(kind)
    try:
        strength = float(given) if colon else float(usual)
    except ValueError:
        strength = math.nan
    if not 0 <= strength <= 1:
        raise ArgumentError(
            f"attack {kind} must have a strength between 0 and 1, such as {kind}:{usual}, "
            f"but was {str(text)[:60]!r}"
        )
    return Attack(kind, strength)


def with_attack(experiment: Experiment, attack: str | Attack) -> Experiment:
    """Return a key round with Eve in its channel: the circuits with her qubits, bits and gates.

    The signal is what she meets: the qubit on its way to Bob (with a middle, Alice's on its way
    there). She comes before any noise of the channel. What she learns is the outcome of one more
    party, the last, with the bits that ``details["eve"]`` names, bit 0 first. What she does after
    bases are announced she does by Alice's classical bits, which are public then.

    Args:
        experiment: from `ebit.circuits.key_round`, without attack.
        attack: see `parse_attack`. A man in the middle changes no circuit.

    Raises:
        ArgumentError: an attack that this protocol does not allow, or a round attacked already.

    Example:
        >>> from ebit.circuits.key_rounds import key_round
        >>> tapped = with_attack(key_round("bbm92"), "intercept-resend")
        >>> tapped.game.outcomes, tapped.details["eve"]
        ((2, 2, 4), ('outcome', 'basis'))
    """
    given = parse_attack(attack)
    details = dict(experiment.details)
    if "channel" not in details or details.get("attack") is not None:
        raise ArgumentError(
            f"experiment must be a key round without an attack, but was {experiment.name!r}"
        )
    if given.kind in _CLASSICAL:
        raise ArgumentError(
            f"attack {given.kind} is done by classical devices and has no circuit: "
            "take ebit.analysis.eve_cheats"
        )
    details["attack"] = str(given)
    name = f"{experiment.name}:{given}"
    if not given.quantum:
        return replace(experiment, name=name, details=details)
    rules = key_protocol(details["protocol"])
    if given.kind == "spoofed-source" and rules.kind != "pair":
        raise ArgumentError(
            f"attack spoofed-source must replace a source of pairs, but {rules.name} has none: "
            "take bbm92, e91 or diqkd"
        )
    eve = eve_of(given.kind, given.strength, given.variant, details["wiring"])
    size, bits = experiment.num_qubits, experiment.widths[0]
    signal, barrier = details["channel"]
    own = tuple(range(size, size + len(eve.qubits)))
    records = tuple(range(bits, bits + len(eve.bits)))
    made, readouts = [], []
    for circuit, readout in zip(experiment.circuits, experiment.readouts, strict=True):
        bases = _bases(experiment, readout)
        out = widened(circuit, len(own), len(records), f"{circuit.name}, {given}")
        before, after = cut(circuit, barrier)
        joined(out, before, leave=details["pair"] if eve.source else ())
        target = tuple(details["pair"]) if eve.source else (signal,)
        eve.during(out, target, own, records)
        out.barrier()
        joined(out, after)
        eve.after(out, own, records, bases)
        made.append(out)
        if readout is not None:
            settings, outcomes = (*readout.settings, ()), (*readout.outcomes, records)
            readouts.append(Readout(readout.question, settings, outcomes))
    details["eve"] = eve.bits
    game = key_game(
        rules,
        details["alice_odds"],
        details["bob_odds"],
        eve=1 << len(records),
        coined=experiment.chosen == "per-shot",
    )
    return replace(
        experiment,
        name=name,
        game=game,
        circuits=tuple(made),
        readouts=tuple(readouts),
        parties=(*experiment.parties, own),
        roles=(*experiment.roles, *(f"Eve {qubit}" for qubit in eve.qubits)),
        ideal=None,
        details=details,
    )


def _bases(experiment: Experiment, readout: Readout | None) -> Bases:
    """What Eve hears of Alice's basis: which it is, or the bits that say so."""
    names = tuple(experiment.details["alice_bases"])
    if readout is None or readout.question is None:
        bits = () if readout is None else readout.settings[0]
        coins = tuple(
            experiment.roles.index(f"coin A{' 2' if i else ''}") for i in range(len(bits))
        )
        return Bases(names, bits, coins, experiment.details["wiring"])
    setting = int(experiment.game.questions[readout.question][0])
    return Bases((names[setting],), (), (), experiment.details["wiring"])
