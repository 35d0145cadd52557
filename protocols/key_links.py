"""A key between two processes over TCP: Alice listens and owns the source, Bob connects.

Two sessions follow each other on one port. The first stands for the quantum link: the source, which
runs beside Alice, hands Bob what he measured, and nothing of hers. The second is the classical channel,
open to everybody and authenticated at its end.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from ebit.games import ArgumentError
from ebit.protocols.authentication import Authenticator
from ebit.protocols.conversation import ChannelError, Ending, Expect, Message, Party
from ebit.protocols.key_outcome import circumstances, plan_of, result_of
from ebit.protocols.key_parties import KeyEnding
from ebit.protocols.key_referee import as_the_host_asked, law_of, parties_of, random_bytes, sides_of
from ebit.protocols.key_result import KeyResult
from ebit.protocols.key_told import Told, told_by
from ebit.protocols.keys import check_rounds
from ebit.protocols.resuming import program_of
from ebit.protocols.run import Progress, run_experiment
from ebit.protocols.sifting import RawSide
from ebit.protocols.tcp import connect, listen

__all__ = ["key_connect", "key_listen"]

_TWO_PROCESSES = (
    "a quantum link: the listening process runs the source and hands the other its half over the same "
    "network"
)


def key_listen(
    address: str,
    auth: str | Path,
    *,
    backend: str | object = "aer:fez",
    rounds: int = 100_000,
    timeout: float = 60.0,
    patience: float = 600.0,
    seed: int | None = None,
    progress: Progress | None = None,
    qubits: Sequence[int] | None = None,
    confirm: Any = None,
    max_seconds: float | None = None,
    ready: Callable[[str, int], None] | None = None,
    **options: Any,
) -> KeyResult:
    """Be Alice: run the rounds, wait for Bob, and make a key with him.

    Args:
        address: "HOST:PORT" to listen at; ":0" takes any free port.
        auth: her copy of the pre-shared key, from `ebit.protocols.authentication.new_auth_key`.
        timeout: seconds for each message. patience: seconds to wait for Bob.
        ready: told host and port as soon as Bob can connect.
        backend, rounds, seed, progress, qubits, confirm, max_seconds, options: as in `ebit.key`.

    Returns:
        The key as Alice knows it: whether Bob's is the same, nobody here can say.

    Raises:
        EbitError: something that cannot be run, nobody came, or what came was not Bob.
    """
    mine = _authenticator(auth, "alice")
    from ebit.backends import open_backend

    where = open_backend(backend)
    experiment, purpose, total, place = program_of(
        "key", where, check_rounds(rounds), qubits=qubits, seed=seed, **options
    )
    if purpose["attack"] == "man-in-the-middle":
        raise ArgumentError(
            "attack man-in-the-middle is one process's: over TCP put a proxy in the middle"
        )
    run = run_experiment(
        experiment,
        where,
        shots=total,
        qubits=place,
        seed=None if where.describe().remote else seed,
        progress=progress,
        confirm=confirm,
        max_seconds=max_seconds,
        purpose=purpose,
    )
    test = cast("Any", run.experiment)
    run = as_the_host_asked(run, purpose)
    law, plan = law_of(test), plan_of(purpose)
    hers, his = sides_of(test, run.trials)
    told = circumstances(run, seed)
    # A seed would tell more than Bob's half; which settings serve for what, he knows himself.
    seedless = [words for words in told["assumptions"] if "seed" not in words]
    open_purpose = {**purpose, "seed": None, "host": None}
    about: dict[str, Any] = {"purpose": open_purpose, "settings": list(law.settings)}
    about["circumstances"] = {**told, "assumptions": seedless}
    parties: Iterator[Party[Any]] = iter(
        (
            _or_stop(_source(his, about)),
            parties_of(purpose["protocol"])[0](
                hers, plan, law, auth=mine, random=random_bytes(seed, 0)
            ),
        )
    )
    begun = time.perf_counter()
    try:
        endings = listen(
            address,
            lambda: next(parties),
            sessions=2,
            patience=patience,
            timeout=timeout,
            say=getattr(progress, "say", None),
            ready=ready,
        )
    except _LostLinkError as lost:
        raise ChannelError(f"the quantum link broke: {lost}") from None
    return _known(purpose, endings[1], run.info, begun, told)


def key_connect(
    address: str,
    auth: str | Path,
    *,
    timeout: float = 60.0,
    seed: int | None = None,
    progress: Progress | None = None,
) -> KeyResult:
    """Be Bob: take his half of the rounds from the source, and make a key with Alice.

    Args:
        address: "HOST:PORT" where Alice listens, or will within `timeout` seconds.
        auth: his copy of the pre-shared key.
        timeout: seconds to reach her, and for each message.
        seed: makes his choices repeatable.
        progress: its method ``say`` is told what happens.

    Returns:
        The key as Bob knows it. What was planned, he took from Alice; it is part of what the tags
        confirm.

    Raises:
        EbitError: nobody is there, or what is there is not Alice.
    """
    mine = _authenticator(auth, "bob")
    say = getattr(progress, "say", None)
    # She may not be there yet.
    his, about = connect(address, _receiver(), timeout=timeout, patience=timeout, say=say).result()
    purpose, plan, law = about.purpose, about.plan, about.law
    begun = time.perf_counter()
    ending = connect(
        address,
        parties_of(purpose["protocol"])[1](his, plan, law, auth=mine, random=random_bytes(seed, 1)),
        timeout=timeout,
        say=say,
    )
    return _known(purpose, ending, None, begun, about.circumstances)


def _known(
    purpose: dict[str, Any], ending: Ending[KeyEnding], run: Any, begun: float, told: dict[str, Any]
) -> KeyResult:
    """The result as one party knows it."""
    if isinstance(ending.error, ChannelError) and ending.value is None:
        raise ending.error
    seconds = time.perf_counter() - begun
    # Bob's half of the rounds went over the network in the clear, whatever device they are from.
    told = {**told, "secrecy": "demonstration"}
    found = result_of(purpose, [ending], run=run, seconds=seconds, **told)
    return replace(found, not_given=(_TWO_PROCESSES, *found.not_given))


def _authenticator(auth: str | Path, role: str) -> Authenticator:
    found = Authenticator(auth)
    if found.role != role:
        raise ArgumentError(
            f"auth must be {role}'s copy of the pre-shared key here, but {os.fspath(auth)} is "
            f"{found.role}'s"
        )
    found.check_ready()
    return found


class _LostLinkError(Exception):
    """Bob has not got his half: nobody need wait for him to come again."""


def _or_stop(party: Party[None]) -> Party[None]:
    """The source, which takes the listener down with it where it fails."""
    try:
        yield from party
    except ChannelError as error:
        raise _LostLinkError(str(error)) from None


def _source(his: RawSide, about: dict[str, Any]) -> Party[None]:
    """The source's end of the quantum link: what Bob measured, and what was fixed before."""
    yield Message("quantum plan", json.dumps(about).encode())
    yield Message("quantum settings", his.settings.tobytes())
    yield Message("quantum bits", np.packbits(his.bits).tobytes())
    yield Message("quantum announcement", b"" if his.announced is None else his.announced.tobytes())
    yield Expect("received")


def _receiver() -> Party[tuple[RawSide, Told]]:
    """Bob's end of the quantum link."""
    about = told_by((yield Expect("quantum plan")))
    settings = np.frombuffer((yield Expect("quantum settings")), np.uint8)
    packed = np.frombuffer((yield Expect("quantum bits")), np.uint8)
    told = np.frombuffer((yield Expect("quantum announcement")), np.uint8)
    n = len(settings)
    middle = about.plan.protocol == "mdi"
    if n != about.plan.rounds or len(packed) != (n + 7) // 8 or len(told) != n * middle:
        raise ChannelError(
            "the source's rounds do not fit together: messages were changed on the way"
        )
    if settings.max() >= about.law.settings[1] or (middle and told.max() > 3):
        raise ChannelError(
            "the source's rounds have settings or outcomes that the protocol has not"
        )
    yield Message("received")
    bits = np.unpackbits(packed, count=n)
    return RawSide(settings.copy(), bits, told.copy() if middle else None), about
