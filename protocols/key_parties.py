"""Alice and Bob of the protocols with trusted devices: each holds its own rounds and speaks frames.

In this order: both name the plan; bases are announced, and who is in surplus is dropped by a random
choice; test rounds are announced and the error rate decides whether to go on; Cascade corrects Bob's
bits; a hash verifies them; another shortens them to the length that was fixed before the run; one tag
in each direction over the whole transcript confirms that nobody changed a word. Only then does a party
return a key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ebit.protocols.conversation import ChannelError, Expect, Message, Party
from ebit.protocols.secret_bits import SecretBits
from ebit.protocols.sifting import (
    Bytes,
    RawSide,
    bits_from_body,
    body_of_bits,
    body_of_settings,
    random_subset,
    rounds_with,
    settings_from_body,
)

if TYPE_CHECKING:
    from ebit.analysis.key_plan import KeyPlan
    from ebit.protocols.authentication import Authenticator

__all__ = [
    "KeyEnding",
    "SiftingLaw",
    "alice",
    "bob",
    "chsh_error",
    "chsh_value",
    "same_plan",
    "sealed_ending",
    "shortened",
]

Bits = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class SiftingLaw:
    """Which pairs of settings (Alice's, Bob's) serve for what.

    Attributes:
        settings: number of settings of Alice and of Bob.
        key: the pair that makes the key.
        tests: name -> pair that tests it; the first is the one that the theorem asks for.
        chsh: the four pairs (0, 0), (0, 1), (1, 0), (1, 1) of a CHSH test, or none.
        key_name: the basis that makes the key.
    """

    settings: tuple[int, int]
    key: tuple[int, int]
    tests: Mapping[str, tuple[int, int]]
    chsh: tuple[tuple[int, int], ...] = ()
    key_name: str = "Z"


@dataclass(frozen=True, eq=False, repr=False)
class KeyEnding:
    """How a party ended, as it knows it.

    Attributes:
        key: None where there is none. reason: why.
        facts: what it may tell: sifted, errors by basis, S, leak, message rounds ...
        rounds: which rounds the raw bits are of, as both sides chose aloud.
        raw: its bits before they were shortened, for a simulation's referee.
    """

    key: SecretBits | None
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    rounds: npt.NDArray[np.int64] | None = None
    raw: Bits | None = None

    def __repr__(self) -> str:
        return f"KeyEnding({'a key' if self.key is not None else self.reason})"


def chsh_value(agree: npt.ArrayLike, total: npt.ArrayLike) -> float | None:
    """Return S = E00 + E01 + E10 - E11 of four settings, None where one was never met.

    Args:
        agree: rounds with equal bits. total: rounds, both (4,).
    """
    met = np.asarray(total, dtype=np.float64)
    if not (met > 0).all():
        return None
    e = 2 * np.asarray(agree, dtype=np.float64) / met - 1
    return float(e[0] + e[1] + e[2] - e[3])


def chsh_error(agree: npt.ArrayLike, total: npt.ArrayLike) -> float | None:
    """Return the standard error of S, sqrt of the sum of (1 - E^2) / n over the settings.

    Args:
        agree, total: as in `chsh_value`.
    """
    met = np.asarray(total, dtype=np.float64)
    if not (met > 0).all():
        return None
    e = 2 * np.asarray(agree, dtype=np.float64) / met - 1
    return float(np.sqrt(np.sum((1 - e * e) / met)))


def shortened(bits: Bits, seed: npt.NDArray[np.uint8], length: int) -> SecretBits:
    """Return the Toeplitz hash of 0/1 values: the final key."""
    from ebit.analysis.toeplitz import toeplitz_hash_packed

    hashed = toeplitz_hash_packed(np.packbits(bits), seed, len(bits), length)
    return SecretBits(hashed, length)


def alice(
    side: RawSide,
    plan: KeyPlan,
    law: SiftingLaw,
    *,
    auth: Authenticator | None,
    random: Bytes,
) -> Party[KeyEnding]:
    """Alice: hers is the key that Bob's bits are corrected to.

    Args:
        side: her rounds.
        plan: what was fixed before the run.
        law: which settings serve for what.
        auth: her copy of the pre-shared key; None leaves the channel unauthenticated, and then there
            is no key.
        random: gives random bytes: the choice of rounds and the hashes' seeds.

    Returns:
        A party for `ebit.protocols.conversation`.
    """
    yield from same_plan(plan, first=True)
    theirs = settings_from_body((yield Expect("bob's bases")), side.n, law.settings[1])
    yield Message("alice's bases", body_of_settings(side.settings, law.settings[0]))
    if side.announced is not None:
        yield Message("announced", side.announced.tobytes())
    found = _Sifted(side.settings, theirs, law, plan)
    if found.stopped():
        return found.ending()
    keep = random_subset(len(found.key), found.n, random)
    test = random_subset(len(found.test), found.k, random)
    yield Message("chosen for the key", body_of_bits(keep))
    yield Message("chosen for the test", body_of_bits(test))
    raw, shown = found.choose(keep, test)
    other = bits_from_body((yield Expect("bob's test bits")), len(shown), "test bits")
    yield Message("alice's test bits", body_of_bits(side.bits[shown]))
    found.estimate(side.bits[shown], other)
    if found.stopped():
        return found.ending()

    from ebit.protocols.cascade import cascade_alice
    from ebit.protocols.verification import verify_alice

    bits = side.bits[raw]
    made = yield from cascade_alice(bits, qber=found.rate, leak_cap=plan.leak_cap, random=random)
    found.reconciled(made)
    if found.stopped():
        return found.ending()
    if not (yield from verify_alice(bits, random=random)):
        return found.unverified()
    seed = np.frombuffer(random((plan.n + plan.length + 6) // 8), np.uint8)
    yield Message("hash seed", seed.tobytes())
    key = shortened(bits, seed, plan.length)
    return (yield from _sealed(found, key, bits, auth))


def bob(
    side: RawSide,
    plan: KeyPlan,
    law: SiftingLaw,
    *,
    auth: Authenticator | None,
    random: Bytes,
) -> Party[KeyEnding]:
    """Bob: his bits are corrected to Alice's. The arguments are those of `alice`."""
    yield from same_plan(plan, first=False)
    yield Message("bob's bases", body_of_settings(side.settings, law.settings[1]))
    theirs = settings_from_body((yield Expect("alice's bases")), side.n, law.settings[0])
    if side.announced is not None:
        told = np.frombuffer((yield Expect("announced")), np.uint8)
        if not np.array_equal(told, side.announced):
            raise ChannelError("the middle must announce the same to both sides, but did not")
    found = _Sifted(theirs, side.settings, law, plan)
    if found.stopped():
        return found.ending()
    chosen = yield Expect("chosen for the key")
    keep = bits_from_body(chosen, len(found.key), "the choice of key rounds")
    chosen = yield Expect("chosen for the test")
    test = bits_from_body(chosen, len(found.test), "the choice of test rounds")
    if int(keep.sum()) != found.n or int(test.sum()) != found.k:
        raise ChannelError(
            f"the peer must choose {found.n} rounds for the key and {found.k} for the test, but chose "
            f"{int(keep.sum())} and {int(test.sum())}"
        )
    raw, shown = found.choose(keep.astype(np.bool_), test.astype(np.bool_))
    yield Message("bob's test bits", body_of_bits(side.bits[shown]))
    other = bits_from_body((yield Expect("alice's test bits")), len(shown), "test bits")
    found.estimate(other, side.bits[shown])
    if found.stopped():
        return found.ending()

    from ebit.protocols.cascade import cascade_bob
    from ebit.protocols.verification import verify_bob

    made = yield from cascade_bob(
        side.bits[raw], qber=found.rate, leak_cap=plan.leak_cap, random=random
    )
    found.reconciled(made)
    if found.stopped():
        return found.ending()
    bits = made.bits
    if not (yield from verify_bob(bits)):
        return found.unverified()
    seed = yield Expect("hash seed")
    if len(seed) != (plan.n + plan.length + 6) // 8:
        raise ChannelError(
            f"the hash's seed must have {(plan.n + plan.length + 6) // 8} bytes, but had {len(seed)}"
        )
    key = shortened(bits, np.frombuffer(seed, np.uint8), plan.length)
    return (yield from _sealed(found, key, bits, auth))


def same_plan(plan: Any, *, first: bool) -> Party[None]:
    """Both sides name the plan; two plans make no key."""
    mine = json.dumps(plan.to_dict(), sort_keys=True, separators=(",", ":")).encode()
    if first:
        yield Message("plan", mine)
        theirs = yield Expect("plan")
    else:
        theirs = yield Expect("plan")
        yield Message("plan", mine)
    if theirs != mine:
        try:
            other = json.loads(theirs)
            differing = [name for name, value in plan.to_dict().items() if other.get(name) != value]
        except (ValueError, AttributeError, RecursionError):
            differing = []
        which = ", ".join(differing[:4]) or "its form"
        raise ChannelError(f"both sides must have the same plan, but they differ in {which}")


class _Sifted:
    """What both sides work out alike from what was announced."""

    def __init__(self, a: Bits, b: Bits, law: SiftingLaw, plan: KeyPlan) -> None:
        self.plan, self.law = plan, law
        self.a, self.b = a, b
        self.key = rounds_with(a, b, (law.key,))
        names = list(law.tests)
        self.main = names[0]
        self.test = rounds_with(a, b, (law.tests[self.main],))
        # Rounds that make neither key nor the theorem's test: further bases, and CHSH.
        others = tuple(law.tests[name] for name in names[1:]) + law.chsh
        self.others = rounds_with(a, b, others) if others else np.zeros(0, np.int64)
        sifted = rounds_with(a, b, (law.key, *law.tests.values()))
        self.facts: dict[str, Any] = {"sifted": len(sifted)}
        self.reason = ""
        self.rate = plan.qber
        # Without a length there is no key: all rounds are announced, to see what the line does.
        self.n, self.k = (plan.n, plan.k) if plan.length else (0, len(self.test))
        if not self.k:
            self.reason = plan.reason or "no round tested the key"
        elif len(self.key) < self.n or len(self.test) < self.k:
            self.reason = (
                f"too few rounds: the plan needs {self.n:,} for the key and {self.k:,} for the test, "
                f"but {len(self.key):,} and {len(self.test):,} came"
            )

    def stopped(self) -> bool:
        """Whether there is a reason to stop."""
        return bool(self.reason)

    def choose(self, keep: Any, test: Any) -> tuple[Any, Any]:
        """Return the rounds of the key, and those whose bits are announced: the test's first."""
        self.raw, self.tested = self.key[keep], self.test[test]
        self.facts["raw_bits"] = len(self.raw)
        self.facts["test_bits"] = len(self.tested)
        # Rounds in surplus are announced as well: they cost nothing, and show the key basis's errors.
        self.spare = self.key[~keep]
        shown = np.concatenate([self.tested, self.others, self.spare]).astype(np.int64)
        return self.raw, shown

    def estimate(self, a: Bits, b: Bits) -> None:
        """Compare what was announced, and decide."""
        plan, law = self.plan, self.law
        wrong = a != b
        k = len(self.tested)
        errors = int(wrong[:k].sum())
        rate = errors / k
        self.facts["qber"] = rate
        self.facts["qbers"] = {}
        if len(self.spare):
            self.facts["qbers"][law.key_name] = float(wrong[len(wrong) - len(self.spare) :].mean())
        self.facts["qbers"][self.main] = rate
        rest = wrong[k : len(wrong) - len(self.spare)]
        pairs = np.stack([self.a[self.others], self.b[self.others]], axis=1)
        for name in list(law.tests)[1:]:
            here = (pairs == law.tests[name]).all(axis=1)
            if here.any():
                self.facts["qbers"][name] = float(rest[here].mean())
        if law.chsh:
            at = [(pairs == pair).all(axis=1) for pair in law.chsh]
            counted = [int((~rest[m]).sum()) for m in at], [int(m.sum()) for m in at]
            S, self.facts["S_error"] = chsh_value(*counted), chsh_error(*counted)
            self.facts["S"] = S
            self.facts["chsh_rounds"] = [int(m.sum()) for m in at]
        if not plan.length:
            self.reason = plan.reason
        elif errors > plan.tolerated_errors:
            self.reason = (
                f"the error rate {100 * rate:.2f} % of the {k:,} test rounds is above the tolerated "
                f"{100 * plan.tolerated:.2f} %: somebody listens, or the line is worse than planned"
            )
        S = self.facts.get("S")
        if not self.reason and law.chsh and (S is None or S <= 2):
            shown = "could not be measured" if S is None else f"is {S:.3f}"
            self.reason = f"the CHSH value {shown}, where entanglement gives more than 2"

    def reconciled(self, made: Any) -> None:
        """Keep what reconciliation took."""
        self.facts["leak_bits"] = self.facts["reconciliation_bits"] = int(made.leak_bits)
        self.facts["message_rounds"] = int(made.message_rounds)
        self.facts["corrected"] = made.errors_corrected
        if (
            not made.capped
        ):  # now all errors of the key rounds are known, not those in surplus alone
            self.facts["qbers"][self.law.key_name] = made.errors_corrected / len(self.raw)
        else:
            self.reason = (
                "the key rounds have more errors than was planned for ("
                + self._key_errors()
                + f"): correcting them would tell more than the {self.plan.leak_cap:,} bits that the "
                "plan allows"
            )

    def _key_errors(self) -> str:
        seen = self.facts["qbers"].get(self.law.key_name)
        if seen is None:
            return f"planned: {100 * self.plan.qber:.2f} %"
        return f"{100 * seen:.2f} % of those announced, planned: {100 * self.plan.qber:.2f} %"

    def ending(self, key: SecretBits | None = None, raw: Bits | None = None) -> KeyEnding:
        """Return the end, without a key unless one is given."""
        return KeyEnding(key, self.reason, self.facts, getattr(self, "raw", None), raw)

    def unverified(self) -> KeyEnding:
        """Return the end of bits that are not equal."""
        self.reason = "verification failed: the corrected bits differ"
        self.facts["leak_bits"] += self.plan.verification_bits
        return self.ending()


def _sealed(
    found: _Sifted, key: SecretBits, raw: Bits, auth: Authenticator | None
) -> Party[KeyEnding]:
    found.facts["leak_bits"] += found.plan.verification_bits
    return (yield from sealed_ending(found.ending(key, raw), found.plan, auth))


def sealed_ending(ending: KeyEnding, plan: Any, auth: Authenticator | None) -> Party[KeyEnding]:
    """Authenticate the transcript; only then is there a key.

    Args:
        ending: with the key that there will be.
        plan: what was fixed before the run.
        auth: this side's copy of the pre-shared key.
    """
    from ebit.protocols.authentication import authenticate

    if auth is None:
        reason = "the channel was not authenticated: anybody may have been the other party"
        return replace(ending, key=None, reason=reason)
    sealed = yield from authenticate(auth)
    facts = {**ending.facts, "authentication": sealed.to_dict()}
    if not sealed.ok:
        return replace(ending, key=None, reason=sealed.reason, facts=facts)
    return replace(ending, facts=facts)
