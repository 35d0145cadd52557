"""One round of a key protocol as circuits: prepare and measure, entangled pair, untrusted middle.

Photon sources are no gate circuits: rates with decoy states are computed in `ebit.analysis`, not
simulated here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count, product
from typing import Literal

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit

from ebit.circuits.experiment import Experiment, Readout
from ebit.circuits.key_attacks import Attack, parse_attack, with_attack
from ebit.circuits.key_gates import Coins, Wiring, apply, coins, inverse, turns
from ebit.circuits.key_noise import Noise, with_noise
from ebit.circuits.key_protocols import (
    DIRECTIONS,
    KeyProtocol,
    check_odds,
    key_game,
    key_protocol,
)
from ebit.circuits.layout import blank, prepared
from ebit.games import ArgumentError

__all__ = ["key_round"]

Odds = Sequence[float] | Mapping[str, float] | None


def key_round(
    protocol: str,
    *,
    alice_odds: Odds = None,
    bob_odds: Odds = None,
    attack: str | Attack | None = None,
    noise: str | Noise | None = None,
    choices: Literal["per-shot", "per-circuit"] = "per-shot",
    wiring: Wiring = "feed-forward",
) -> Experiment:
    r"""Build one round of a key protocol; every shot is a signal sent.

    Outcomes are raw bits, and Alice's equals Bob's when their bases agree and nothing disturbs, in
    every protocol. With a middle they agree once Bob has flipped his bit by what it announced
    (``details["flip"]``: the bit of its outcome that decides, per basis).

    ``per-shot``: coins draw both bases in every shot, value b0 + 2 b1 of a party's coins being its
    setting. Three bases take two coins, whose fourth value is no setting and comes only from a
    wrong reading. ``per-circuit``: one circuit per pair of bases, weighed by the odds.

    ``feed-forward``: random bits of the parties are measured first and act through the bits; a
    sender measures the qubit it sends, which is then in the state it prepared. Only pairs, middles
    and some attacks couple qubits, so that every chip has room. ``controlled``: nothing is measured
    and used again, and choices act through their qubits, for processors that measure only at the
    end (Google's): coins then are coupled to what they turn. Where a party has three or four bases
    per shot its coins form a triangle with its qubit, which no chip has: take per-circuit there.

    Bits: settings of Alice and Bob (per-shot), a, b, the middle's two, then those of Eve.

    Args:
        protocol: bb84, bbm92, e91, six-state, mdi or diqkd (`key_protocol` says what they measure).
        alice_odds: probability of each of Alice's bases, in the order of ``key_protocol(p).alice``
            or by name; uniform if None.
        bob_odds: of Bob's.
        attack: what an eavesdropper does on the channel, such as ``cloner:0.5``; see
            `ebit.circuits.key_attacks.parse_attack`. Eve then is the last party.
        noise: what the channel does besides, such as ``dephasing:0.02``; see
            `ebit.circuits.key_noise.parse_noise`. Nobody has a record of it.
        choices: who chooses bases, coins ``per-shot`` or the host ``per-circuit``.
        wiring: ``feed-forward`` or ``controlled``.

    Returns:
        An experiment. ``details`` holds: protocol; alice_bases and bob_bases, names by setting; key,
        test and chsh, lists of settings (x, y) and for chsh the sign; alice_odds and bob_odds;
        choices, wiring; flip; attack and noise as text; eve, names of the bits of Eve's outcome.

    Raises:
        ArgumentError: an unknown protocol, attack or noise, or odds that are none.

    Example:
        >>> test = key_round("bb84", alice_odds=(0.9, 0.1), bob_odds=(0.9, 0.1))
        >>> test.roles, test.details["alice_bases"]
        (('signal', 'coin A', 'coin B'), ('Z', 'X'))
        >>> round(test.game.value(test.ideal), 6)
        1.0

    Source:
        See ``key_protocol(p).source``.
    """
    rules = key_protocol(protocol)
    odds_a = check_odds(alice_odds, rules.alice, "alice_odds")
    odds_b = check_odds(bob_odds, rules.bob, "bob_odds")
    if choices not in ("per-shot", "per-circuit"):
        raise ArgumentError(f"choices must be 'per-shot' or 'per-circuit', but was {choices!r}")
    if wiring not in ("feed-forward", "controlled"):
        raise ArgumentError(f"wiring must be 'feed-forward' or 'controlled', but was {wiring!r}")
    eve = parse_attack(attack) if attack is not None else None
    shot = choices == "per-shot"
    game = key_game(rules, odds_a, odds_b, coined=shot)
    if shot:
        pieces = [_Round(rules, wiring, odds_a, odds_b, rules.alice, rules.bob)]
        readouts = [pieces[0].readout(None)]
        weights: tuple[float, ...] = ()
    else:
        pieces = [
            _Round(rules, wiring, (1.0,), (1.0,), (x,), (y,))
            for x, y in product(rules.alice, rules.bob)
        ]
        readouts = [piece.readout(q) for q, piece in enumerate(pieces)]
        weights = tuple(game.distribution.tolist())
    one = pieces[0]
    made = Experiment(
        name=f"key:{rules.name}:{choices}",
        game=game,
        circuits=tuple(piece.circuit for piece in pieces),
        readouts=tuple(readouts),
        parties=one.parties,
        roles=one.roles,
        chosen=choices,
        source="device" if shot else "host",
        weights=weights,
        ideal=ideal_behaviour(rules),
        details={
            "protocol": rules.name,
            "alice_bases": rules.alice,
            "bob_bases": rules.bob,
            "key": rules.key,
            "test": rules.test,
            "chsh": rules.chsh,
            "alice_odds": odds_a,
            "bob_odds": odds_b,
            "choices": choices,
            "wiring": wiring,
            "flip": {"Z": 1, "X": 0} if rules.kind == "middle" else None,
            "attack": None,
            "noise": None,
            "eve": None,
            # Where attacks and noise go in: the qubit that travels, after so many barriers.
            "channel": (one.travels, one.barrier),
            "pair": one.pair,
        },
    )
    if noise is not None:
        made = with_noise(made, noise)
    return made if eve is None else with_attack(made, eve)


def ideal_behaviour(rules: KeyProtocol) -> npt.NDArray[np.float64]:
    """Return P(a, b [, m] | x, y) of a round that nothing disturbs, (Q, 2, 2 [, 4]).

    P = (1 + (-1)^(a+b) n_x . n_y) / 4: for a pair, with the sign of Y turned so that bits agree.
    The middle's outcome m = m0 + 2 m1 turns Bob's direction: z by (-1)^m1, x by (-1)^m0.
    """
    a, b = np.indices((2, 2))
    sign = (-1.0) ** (a + b)
    rows = []
    for x, y in product(rules.alice, rules.bob):
        one, two = np.array(DIRECTIONS[x]), np.array(DIRECTIONS[y])
        if rules.kind != "middle":
            rows.append((1 + sign * (one @ two)) / 4)
            continue
        turned = [np.array([(-1) ** (m & 1), 0, (-1) ** (m >> 1)]) * two for m in range(4)]
        rows.append(np.stack([(1 + sign * (one @ t)) / 16 for t in turned], axis=-1))
    return np.asarray(rows, dtype=np.float64)


@dataclass
class _Round:
    """The circuit of a round without attack, for coins or for bases that are given."""

    rules: KeyProtocol
    wiring: Wiring
    odds_a: tuple[float, ...]
    odds_b: tuple[float, ...]
    alice: tuple[str, ...]
    bob: tuple[str, ...]
    circuit: QuantumCircuit = field(init=False)
    travels: int = 0
    barrier: int = 1
    pair: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self._names: list[str] = []
        self._bits = count()
        kind = self.rules.kind
        # Who sends qubits, who measures one, and whose hands each travelling qubit starts in.
        names = {"prepare": ["signal"], "pair": ["A", "B"], "middle": ["A", "B"]}[kind]
        players = [self._qubit(name) for name in names]
        self.coins_a = self._coins("A", self.odds_a)
        self.coins_b = self._coins("B", self.odds_b)
        senders = {"prepare": players, "pair": [], "middle": players}[kind]
        own = self.wiring == "controlled"
        sources = [
            self._qubit(f"bit {'AB'[i]}") if own else qubit for i, qubit in enumerate(senders)
        ]
        a, b = next(self._bits), next(self._bits)
        middle = (next(self._bits), next(self._bits)) if kind == "middle" else ()
        self.outcomes = ((a,), (b,), *([middle] if middle else []))
        self._build(players, sources, senders, (a, b), middle)
        self.parties = self._shared(players, sources, middle)
        self.roles = tuple(self._names)

    def readout(self, question: int | None) -> Readout:
        """How the bits decode; settings come from coins where no question is given."""
        none: tuple[tuple[int, ...], ...] = ((),) * len(self.outcomes)
        asked = (self.coins_a.bits, self.coins_b.bits, *none[2:]) if question is None else none
        return Readout(question, asked, self.outcomes)

    def _build(
        self,
        players: Sequence[int],
        sources: Sequence[int],
        senders: Sequence[int],
        bits: tuple[int, int],
        middle: tuple[int, ...],
    ) -> None:
        state = blank(len(self._names))
        if self.rules.kind == "pair":
            state.h(players[0])
            state.cx(players[0], players[1])
            self.pair = tuple(players)
            self.travels = players[1]
        for source in sources:
            state.h(source)
        for side in (self.coins_a, self.coins_b):
            side.prepare(state)
        total = next(self._bits)
        name = f"{self.rules.name} {' '.join((*self.alice, '|', *self.bob))}"
        circuit = prepared(state, total, name=name)
        for side in (self.coins_a, self.coins_b):
            side.toss(circuit, self.wiring)
        stations = [(self.coins_a, self.alice), (self.coins_b, self.bob)]
        for (side, bases), qubit, source, bit in zip(
            stations, senders, sources, bits, strict=False
        ):
            circuit.measure(source, bit)
            if source != qubit:
                circuit.cx(source, qubit)
            self._prepare(circuit, side, bases, qubit)
        if senders:
            circuit.barrier()
            self.barrier = 2
        if middle:
            circuit.cx(players[0], players[1])
            circuit.h(players[0])
            circuit.measure(players[0], middle[0])
            circuit.measure(players[1], middle[1])
        elif senders:
            self._measure(circuit, self.coins_b, self.bob, players[0], bits[1])
        else:
            self._measure(circuit, self.coins_a, self.alice, players[0], bits[0])
            self._measure(circuit, self.coins_b, self.bob, players[1], bits[1])
        self.circuit = circuit

    def _prepare(
        self, circuit: QuantumCircuit, side: Coins, bases: tuple[str, ...], qubit: int
    ) -> None:
        first, added = turns(bases)
        # The reverse of measuring, gate by gate and coin by coin.
        for i in reversed(range(len(side.qubits))):
            only = replace(side, qubits=side.qubits[i : i + 1], bits=side.bits[i : i + 1])
            only.choose(circuit, [inverse(added[i])], qubit, self.wiring)
        apply(circuit, inverse(first), qubit)

    def _measure(
        self,
        circuit: QuantumCircuit,
        side: Coins,
        bases: tuple[str, ...],
        qubit: int,
        bit: int,
    ) -> None:
        first, added = turns(bases)
        apply(circuit, first, qubit)
        side.choose(circuit, added[: len(side.qubits)], qubit, self.wiring)
        circuit.measure(qubit, bit)

    def _shared(
        self, players: Sequence[int], sources: Sequence[int], middle: tuple[int, ...]
    ) -> tuple[tuple[int, ...], ...]:
        """Qubits of each party: a sender's own coins and bits, what travels to whom it reaches."""
        kind = self.rules.kind
        alice, bob = list(self.coins_a.qubits), list(self.coins_b.qubits)
        if kind == "pair":
            alice, bob = [players[0], *alice], [players[1], *bob]
        else:
            alice += [q for q in sources[:1] if q not in players]
            bob += [q for q in sources[1:] if q not in players]
        if kind == "prepare":
            bob = [players[0], *bob]
        return (tuple(alice), tuple(bob), *([tuple(players)] if middle else []))

    def _coins(self, side: str, odds: tuple[float, ...]) -> Coins:
        names: Iterator[str] = iter((f"coin {side}", f"coin {side} 2"))
        return coins(odds, lambda: self._qubit(next(names)), lambda: next(self._bits))

    def _qubit(self, name: str) -> int:
        self._names.append(name)
        return len(self._names) - 1
