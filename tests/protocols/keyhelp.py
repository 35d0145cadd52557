"""Rounds for keys: a protocol that is planned and compiled once and drawn often, and rounds by hand."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from ebit.analysis import RunInfo
from ebit.analysis.key_plan import KeyPlan, plan_key
from ebit.backends import open_backend
from ebit.games import EbitError
from ebit.protocols.authentication import Authenticator
from ebit.protocols.conversation import HEAD_BYTES, Ending, Role, converse
from ebit.protocols.key_parties import KeyEnding, SiftingLaw, alice, bob
from ebit.protocols.key_referee import judge, law_for, random_bytes
from ebit.protocols.key_result import KeyResult
from ebit.protocols.keys import key_program
from ebit.protocols.run import Run
from ebit.protocols.sifting import RawSide

Wire = Callable[[Role, int, bytes], Iterable[bytes]]


FIELDS = {
    "protocol",
    "attack",
    "rounds",
    "sifted",
    "qber",
    "S",
    "leak_bits",
    "f",
    "message_rounds",
    "key_bits",
    "net_key_bits",
    "keys_equal",
    "aborted",
    "reason",
    "epsilon",
    "theorem",
    "eve",
    "assumptions",
    "not_given",
    "secrecy",
}
"""What the JSON of a key has at least."""


@dataclass(frozen=True, eq=False)
class Line:
    """A protocol on a backend: the plan and the circuits are fixed, the rounds are drawn by seeds."""

    where: Any
    program: Any
    purpose: dict[str, Any]
    total: int
    compiled: Any

    def run(self, seed: int) -> Run:
        where = self.where
        outcome = where.fetch(
            where.submit(self.compiled, shots=self.total, id=f"{seed:032x}", seed=seed)
        )
        info = RunInfo(
            where.name,
            self.compiled.qubits,
            self.program.name,
            self.program.id,
            self.total,
            seed,
            outcome.method,
            self.compiled.guard.status,
        )
        return Run(
            self.program,
            self.compiled,
            outcome,
            info,
            "simulated",
            "pseudo (simulator)",
            0,
            getattr(where, "calibration", None),
        )

    def judge(self, seed: int) -> KeyResult:
        return judge(self.run(seed), {**self.purpose, "seed": seed})


def line(protocol: str, backend: str = "aer", *, rounds: int, seed: int = 1, **more: Any) -> Line:
    where = open_backend(backend)
    made = key_program(where, shots=rounds, seed=seed, protocol=protocol, **more)
    program, purpose, total, place = made
    return Line(where, program, purpose, total, where.compile(program, qubits=place))


@lru_cache
def small_plan(rounds: int = 10_000, qber: float = 0.01, protocol: str = "bb84") -> KeyPlan:
    return plan_key(protocol, rounds, qber=qber, authentication_bits=256)


def law(protocol: str = "bb84") -> SiftingLaw:
    return law_for(protocol, (2, 2) if protocol != "six-state" else (3, 3))


def sides(plan: KeyPlan, seed: int, *, errors: float | None = None) -> tuple[RawSide, RawSide]:
    """Rounds of a line that errs as often as planned, without any circuit."""
    rng = np.random.default_rng(seed)
    n = plan.rounds
    a = rng.choice(len(plan.alice_odds), n, p=plan.alice_odds).astype(np.uint8)
    b = rng.choice(len(plan.bob_odds), n, p=plan.bob_odds).astype(np.uint8)
    bits = rng.integers(0, 2, n, np.uint8)
    other = bits ^ (rng.random(n) < (plan.qber if errors is None else errors))
    other = np.where(a == b, other, rng.integers(0, 2, n, np.uint8)).astype(np.uint8)
    return RawSide(a, bits), RawSide(b, other)


def talk(
    plan: KeyPlan,
    seed: int,
    *,
    wire: Wire | None = None,
    others: KeyPlan | None = None,
    errors: float | None = None,
    auth: tuple[Authenticator | None, Authenticator | None] | None = None,
) -> tuple[Ending[KeyEnding], Ending[KeyEnding]]:
    """Let Alice and Bob make a key of such rounds; the same seed says the same words."""
    one, two = sides(plan, seed, errors=errors)
    mine = seeded_auth(seed) if auth is None else auth
    return converse(
        alice(one, plan, law(), auth=mine[0], random=random_bytes(seed, 0)),
        bob(two, others or plan, law(), auth=mine[1], random=random_bytes(seed, 1)),
        wire=wire,
    )


def seeded_auth(seed: int) -> tuple[Authenticator, Authenticator]:
    generator = np.random.default_rng([seed, 7])
    return Authenticator.in_memory(random=generator.bytes)


def with_body(frame: bytes, body: bytes) -> bytes:
    """The frame of the same message with another body: what a peer that lies would send."""
    mark, version, kind, number, _ = struct.unpack(">2sBBII", frame[:HEAD_BYTES])
    head = struct.pack(">2sBBII", mark, version, kind, number, len(body))
    return head + frame[HEAD_BYTES : HEAD_BYTES + kind] + body


def body_of(frame: bytes) -> bytes:
    return frame[HEAD_BYTES + frame[3] :]


def check_ends(
    ends: tuple[Ending[KeyEnding], Ending[KeyEnding]], *, released: tuple[bool, bool] | None = None
) -> None:
    """No wrong key, and a clear word from whoever has none."""
    keys = []
    for ending in ends:
        assert ending.error is None or isinstance(ending.error, EbitError)
        value = ending.value
        key = None if value is None else value.key
        if key is None:
            word = str(ending.error) if value is None else value.reason
            assert len(word) > 10
            assert "\n" not in word
        else:
            assert value.reason == ""
        keys.append(key)
    if keys[0] is not None and keys[1] is not None:
        assert keys[0] == keys[1]
    # Bob's tag is checked first: he never has a key that Alice has not.
    assert keys[1] is None or keys[0] is not None
    if released is not None:
        assert tuple(key is not None for key in keys) == released


def changed(plan: KeyPlan, **values: Any) -> KeyPlan:
    return replace(plan, **values)
