"""The referee of a simulation: gives each party its own rounds, lets them speak, and sees both ends.

Only here do Alice's and Bob's data stand side by side. The parties themselves get theirs alone, and
what the referee finds (are the keys equal? what does Eve know?) is known to nobody in a real run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ebit.games import ArgumentError
from ebit.protocols.authentication import Authenticator
from ebit.protocols.conversation import Ending, converse
from ebit.protocols.key_eve import eve_of
from ebit.protocols.key_outcome import circumstances, plan_of, result_of
from ebit.protocols.key_parties import KeyEnding, SiftingLaw, alice, bob, chsh_error, chsh_value
from ebit.protocols.key_result import KeyResult
from ebit.protocols.run import Run
from ebit.protocols.sifting import Bytes, RawSide

if TYPE_CHECKING:
    from ebit.circuits import Experiment
    from ebit.games import Trials

__all__ = ["judge", "law_for", "law_of", "random_bytes", "sides_of"]

_ONE_PROCESS = "separate parties: both ran in one process here, each with its own data alone"


def judge(run: Run, purpose: Mapping[str, Any]) -> KeyResult:
    """Let Alice and Bob make a key of a finished run's rounds, and say what came of it.

    Args:
        run: of a key round.
        purpose: what `ebit.protocols.keys.key_program` fixed before the run.
    """
    experiment = cast("Experiment", run.experiment)
    plan = plan_of(purpose)
    law = law_of(experiment)
    run = as_the_host_asked(run, purpose)
    one_party, other_party = parties_of(purpose["protocol"])
    begun = time.perf_counter()
    middle = purpose["attack"] == "man-in-the-middle"
    trials = run.trials
    seed = purpose["seed"]
    auth = Authenticator.in_memory()
    if middle:
        ends = _in_the_middle(experiment, trials, plan, law, auth, seed)
    else:
        one, two = sides_of(experiment, trials)
        ends = converse(
            one_party(one, plan, law, auth=auth[0], random=random_bytes(seed, 0)),
            other_party(two, plan, law, auth=auth[1], random=random_bytes(seed, 1)),
        )
    found = result_of(
        purpose, ends, run=run.info, seconds=time.perf_counter() - begun, **circumstances(run, seed)
    )
    if found.S is None and law.chsh and not middle:
        # Bob could not decode Alice's bits and so knows no S; the referee has both sides.
        S, error = _chsh_of(one, two, law)
        if S is not None:
            seen = f"S to the parties, who could not compare their tests: {S:.4f} is the referee's"
            found = replace(found, S=S, S_error=error, not_given=(seen, *found.not_given))
    a, b = (None if end.value is None else end.value.key for end in ends)
    return replace(
        found,
        keys_equal=None if a is None or b is None else a == b,
        eve=eve_of(run, purpose, ends[0].value, found.leak_bits, found.key_bits),
        not_given=(_ONE_PROCESS, *found.not_given),
    )


def _chsh_of(one: RawSide, two: RawSide, law: SiftingLaw) -> tuple[float | None, float | None]:
    """S of both sides' rounds, with its standard error."""
    at = [(one.settings == x) & (two.settings == y) for x, y in law.chsh]
    agree = [int((one.bits[here] == two.bits[here]).sum()) for here in at]
    total = [int(here.sum()) for here in at]
    return chsh_value(agree, total), chsh_error(agree, total)


def parties_of(protocol: str) -> tuple[Any, Any]:
    """Return the two parties of a protocol: functions that make them."""
    if protocol == "diqkd":
        from ebit.protocols.key_independent import independent_alice, independent_bob

        return independent_alice, independent_bob
    return alice, bob


def as_the_host_asked(run: Run, purpose: Mapping[str, Any]) -> Run:
    """Device-independent rounds in the order that the host has drawn, or by devices that cheat."""
    if purpose["host"] is None:
        return run
    from ebit.games import Trials

    host = np.random.default_rng([purpose["host"], 1])
    settings, outcomes = run.trials.rounds()
    order = host.permutation(len(settings))
    settings, outcomes = settings[order], outcomes[order]
    kind, _, strength = (purpose["attack"] or "").partition(":")
    sizes = (run.trials.settings, run.trials.outcomes)
    if kind in ("memory", "predicted-settings"):
        from ebit.analysis.eve_cheats import cheating_devices

        answers = cheating_devices(
            kind, settings[:, :2].astype(np.int64), host, strength=float(strength or 1)
        )
        settings = np.concatenate([settings[:, :2], np.zeros((len(settings), 1), np.uint8)], axis=1)
        outcomes = answers
        sizes = ((*sizes[0][:2], 1), (2, 2, 2))
    made = Trials.from_rounds(settings, outcomes, shape=sizes, chosen="per-shot", source="host")
    ordered = replace(run)
    object.__setattr__(ordered, "trials", made)  # what the run's cached property would hold
    return ordered


def law_of(experiment: Experiment) -> SiftingLaw:
    """Return which settings of a key round serve for what."""
    settings = experiment.game.settings
    return law_for(experiment.details["protocol"], (int(settings[0]), int(settings[1])))


def law_for(protocol: str, settings: tuple[int, int]) -> SiftingLaw:
    """Return which settings of a protocol serve for what: nobody has to be told.

    Args:
        protocol: its name.
        settings: how many Alice and Bob have: three bases that coins choose are one of four values.

    Raises:
        ArgumentError: no such protocol, or it has not so many settings.
    """
    from ebit.circuits import key_protocol

    rules = key_protocol(protocol)
    for name, count, bases in zip(
        ("Alice", "Bob"), settings, (rules.alice, rules.bob), strict=True
    ):
        if count not in (len(bases), len(bases) + (len(bases) == 3)):
            raise ArgumentError(
                f"settings must be {len(bases)} of {name} for {protocol}, but were {count!r}"
            )
    return SiftingLaw(
        settings=settings,
        key=rules.key[0],
        tests={rules.alice[x]: (x, y) for x, y in rules.test},
        chsh=tuple((x, y) for x, y, _ in rules.chsh),
        key_name=rules.alice[rules.key[0][0]],
    )


def sides_of(experiment: Experiment, trials: Trials) -> tuple[RawSide, RawSide]:
    """Return what Alice holds of the rounds and what Bob holds, after a middle's announcement.

    Bob flips his bit by what the middle announced, which everybody hears.
    """
    settings, outcomes = trials.rounds()
    mine = [np.ascontiguousarray(settings[:, i]) for i in (0, 1)]
    bits = [np.ascontiguousarray(outcomes[:, i]) for i in (0, 1)]
    flip, announced = experiment.details["flip"], None
    if flip is not None:
        announced = np.ascontiguousarray(outcomes[:, 2])
        shift = np.array([flip.get(name, 0) for name in experiment.details["bob_bases"]], np.uint8)
        bits[1] = (bits[1] ^ ((announced >> shift[mine[1]]) & 1)).astype(np.uint8)
    return RawSide(mine[0], bits[0], announced), RawSide(mine[1], bits[1], announced)


def random_bytes(seed: int | None, who: int) -> Bytes:
    """Return a party's source of random bytes: the operating system, or a seeded generator."""
    if seed is None:
        return os.urandom
    sequence = np.random.SeedSequence(seed, spawn_key=(0x6B6579, who))
    return np.random.Generator(np.random.PCG64(sequence)).bytes


def _in_the_middle(
    experiment: Experiment,
    trials: Trials,
    plan: Any,
    law: SiftingLaw,
    auth: tuple[Authenticator, Authenticator],
    seed: int | None,
) -> tuple[Ending[KeyEnding], Ending[KeyEnding]]:
    """Eve is Bob to Alice and Alice to Bob, with rounds of her own on both sides and a made-up key."""
    false = _posing_as(auth[0])
    near, far = sides_of(experiment, trials)
    # Of each kind of round she meets Alice in one half, and Bob in the other.
    one, hers, also, two = near[0::2], far[0::2], near[1::2], far[1::2]
    alice, bob = parties_of(experiment.details["protocol"])
    end_a, _ = converse(
        alice(one, plan, law, auth=auth[0], random=random_bytes(seed, 0)),
        bob(hers, plan, law, auth=false[1], random=random_bytes(seed, 2)),
    )
    _, end_b = converse(
        alice(also, plan, law, auth=false[0], random=random_bytes(seed, 3)),
        bob(two, plan, law, auth=auth[1], random=random_bytes(seed, 1)),
    )
    return end_a, end_b


def _posing_as(true: Authenticator) -> tuple[Authenticator, Authenticator]:
    """A pre-shared key with the true one's public name, and with secrets that Eve made up."""
    name = [bytes.fromhex(true.key.id)]
    return Authenticator.in_memory(random=lambda n: name.pop() if name else os.urandom(n))
