"""Device-independent keys: Alice and Bob who trust no device.

Every round's outcomes go into the key. Alice tells a syndrome of all of hers at once, and nothing that
depends on Bob's bits is said before he has hers: parities that go back and forth, as Cascade's do, would
tell Eve's devices what no theorem allows for. From Alice's bits Bob counts how many of the tests were
lost, and stops if there were more than was fixed before.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ebit.protocols.conversation import ChannelError, Expect, Message, Party
from ebit.protocols.key_parties import (
    KeyEnding,
    SiftingLaw,
    chsh_error,
    chsh_value,
    same_plan,
    sealed_ending,
    shortened,
)
from ebit.protocols.sifting import (
    Bytes,
    RawSide,
    bits_from_body,
    body_of_bits,
    body_of_settings,
    settings_from_body,
)

if TYPE_CHECKING:
    from ebit.analysis.key_diqkd_plan import IndependentPlan
    from ebit.protocols.authentication import Authenticator

__all__ = ["independent_alice", "independent_bob", "too_good"]

Bits = npt.NDArray[np.uint8]
_FAULT = 1e-6  # chance below which a device is at fault


def independent_alice(
    side: RawSide,
    plan: IndependentPlan,
    law: SiftingLaw,
    *,
    auth: Authenticator | None,
    random: Bytes,
) -> Party[KeyEnding]:
    """Alice: hers is the key. The arguments are those of `ebit.protocols.key_parties.alice`."""
    from ebit.protocols.syndrome import syndrome_alice
    from ebit.protocols.verification import verify_alice

    yield from same_plan(plan, first=True)
    theirs = settings_from_body((yield Expect("bob's settings")), side.n, law.settings[1])
    yield Message("alice's settings", body_of_settings(side.settings, law.settings[0]))
    tests = _tests(side.settings, theirs, law)
    facts = _facts(side.n, tests)
    if not plan.length:
        yield Message("alice's test bits", np.packbits(side.bits[tests]).tobytes())
        return KeyEnding(None, plan.reason, facts)
    codes = plan.syndromes(int(tests.sum()))
    leak = plan.told(int(tests.sum()))
    if leak > plan.leak_cap:
        return KeyEnding(None, _too_many_tests(int(tests.sum()), plan), facts)
    for code, part in zip(codes, (tests, ~tests), strict=True):
        if code is None:
            told = side.bits[part]
            yield Message("bits", body_of_bits(told), leaks=len(told))
        else:
            yield from syndrome_alice(side.bits[part], code)
    facts.update(leak_bits=leak, reconciliation_bits=leak, message_rounds=1, raw_bits=side.n)
    where = np.arange(side.n)
    if (yield Expect("decoded")) != b"yes":
        return KeyEnding(
            None, "the other side could not decode the syndrome", facts, where, side.bits
        )
    equal = yield from verify_alice(side.bits, random=random)
    facts["leak_bits"] = leak + plan.verification_bits
    if not equal:
        return KeyEnding(None, "verification failed: the bits differ", facts, where, side.bits)
    if (yield Expect("accepted")) != b"yes":
        return KeyEnding(None, "the other side found too many lost tests", facts, where, side.bits)
    seed = np.frombuffer(random((side.n + plan.length + 6) // 8), np.uint8)
    yield Message("hash seed", seed.tobytes())
    key = shortened(side.bits, seed, plan.length)
    return (yield from sealed_ending(KeyEnding(key, "", facts, where, side.bits), plan, auth))


def independent_bob(
    side: RawSide,
    plan: IndependentPlan,
    law: SiftingLaw,
    *,
    auth: Authenticator | None,
    random: Bytes,
) -> Party[KeyEnding]:
    """Bob: he guesses Alice's bits, and corrects his guess by her syndrome."""
    del random
    from ebit.analysis.key_asymptotic import binary_entropy
    from ebit.protocols.syndrome import syndrome_bob
    from ebit.protocols.verification import verify_bob

    yield from same_plan(plan, first=False)
    yield Message("bob's settings", body_of_settings(side.settings, law.settings[1]))
    theirs = settings_from_body((yield Expect("alice's settings")), side.n, law.settings[0])
    tests = _tests(theirs, side.settings, law)
    facts = _facts(side.n, tests)
    # A round that is won has a + b = x y: that is his guess of her bit.
    lost_pair = np.array(law.chsh[3], np.uint8)
    flip = (theirs == lost_pair[0]) & (side.settings == lost_pair[1]) & tests
    guess = side.bits ^ flip.astype(np.uint8)
    if not plan.length:
        body = yield Expect("alice's test bits")
        if len(body) != (int(tests.sum()) + 7) // 8:
            raise ChannelError(f"test bits must be {int(tests.sum())}, but {len(body)} bytes came")
        hers = np.unpackbits(np.frombuffer(body, np.uint8), count=int(tests.sum()))
        _count(facts, hers ^ guess[tests], theirs[tests], side.settings[tests], law)
        return KeyEnding(None, plan.reason, facts)
    codes = plan.syndromes(int(tests.sum()))
    leak = plan.told(int(tests.sum()))
    if leak > plan.leak_cap:
        return KeyEnding(None, _too_many_tests(int(tests.sum()), plan), facts)
    hers, failed = guess.copy(), ""
    for code, part, rate, name in zip(
        codes, (tests, ~tests), plan.rates, ("test", "key"), strict=True
    ):
        if code is None:
            hers[part] = bits_from_body((yield Expect("bits")), int(part.sum()), "bits")
            continue
        done = yield from syndrome_bob(guess[part], code, rate)
        if done.failed or done.bits is None:
            failed = failed or f"of the {name} rounds, {done.reason}"
        else:
            hers[part] = done.bits
    facts.update(leak_bits=leak, reconciliation_bits=leak, message_rounds=1, raw_bits=side.n)
    where = np.arange(side.n)
    yield Message("decoded", b"no" if failed else b"yes")
    if failed:
        return KeyEnding(None, failed, facts, where)
    equal = yield from verify_bob(hers)
    facts["leak_bits"] = leak + plan.verification_bits
    if not equal:
        return KeyEnding(None, "verification failed: the corrected bits differ", facts, where)
    wrong = hers ^ guess
    _count(facts, wrong[tests], theirs[tests], side.settings[tests], law)
    keys = int((~tests).sum())
    facts["qber"] = float(wrong[~tests].mean()) if keys else None
    facts["qbers"] = {law.key_name: facts["qber"]} if keys else {}
    facts["corrected"] = int(wrong.sum())
    parts = (wrong[tests], wrong[~tests])
    facts["uncertainty"] = sum(len(w) * binary_entropy(float(w.mean())) for w in parts if len(w))
    lost = int(wrong[tests].sum())
    facts["tests_lost"] = lost
    impossible = too_good(lost, int(tests.sum()))
    accepted = lost <= plan.tolerated_losses and not impossible
    yield Message("accepted", b"yes" if accepted else b"no")
    if impossible:
        reason = (
            f"S is {facts['S']:.3f}, more than quantum devices reach whose settings cannot be foreseen: "
            "settings are predicted, or the devices talk to each other"
        )
        return KeyEnding(None, reason, facts, where)
    if not accepted:
        reason = (
            f"{lost:,} of {int(tests.sum()):,} tests were lost, more than the {plan.tolerated_losses:,} "
            f"that the plan tolerates: S is {facts['S']:.3f}, {plan.S:.3f} was expected"
        )
        return KeyEnding(None, reason, facts, where)
    seed = yield Expect("hash seed")
    if len(seed) != (side.n + plan.length + 6) // 8:
        raise ChannelError(
            f"the hash's seed must have {(side.n + plan.length + 6) // 8} bytes, but had {len(seed)}"
        )
    key = shortened(hers, np.frombuffer(seed, np.uint8), plan.length)
    return (yield from sealed_ending(KeyEnding(key, "", facts, where, hers), plan, auth))


def too_good(lost: int, tests: int) -> bool:
    """Say whether so few tests are lost by quantum devices with a probability below 1e-6.

    Whatever the devices do, each test is lost with probability (2 - sqrt 2)/4 at least given all before
    it, so that the binomial tail bounds the chance.

    Example:
        >>> too_good(146, 1000), too_good(20, 1000)
        (False, True)

    Source:
        B. S. Cirelson, Lett. Math. Phys. 4, 93 (1980).
    """
    from ebit.analysis.binomial import log_lower_tail

    least = (2 - math.sqrt(2)) / 4
    return tests > 0 and log_lower_tail(lost, tests, least) < math.log(_FAULT)


def _tests(a: Bits, b: Bits, law: SiftingLaw) -> npt.NDArray[np.bool_]:
    """Which rounds test; a pair of settings that is neither key nor test is nobody's plan."""
    table = np.full((256, 256), -1, dtype=np.int8)
    table[law.key] = 0
    for pair in law.chsh:
        table[pair] = 1
    kinds = table[a, b]
    if (kinds < 0).any():
        raise ChannelError(
            "settings must be those of the key or of a test, but others were announced"
        )
    return np.asarray(kinds == 1, dtype=np.bool_)


def _too_many_tests(tests: int, plan: IndependentPlan) -> str:
    return (
        f"{tests:,} rounds tested, {plan.test_fraction * plan.rounds:,.0f} were expected: their syndromes "
        f"would tell more than the {plan.leak_cap:,} bits of the plan"
    )


def _facts(n: int, tests: npt.NDArray[np.bool_]) -> dict[str, Any]:
    return {"sifted": n, "test_bits": int(tests.sum())}


def _count(facts: dict[str, Any], lost: Bits, x: Bits, y: Bits, law: SiftingLaw) -> None:
    """S of the tests: a test is won where the guess was right."""
    agree, total = [], []
    for i, pair in enumerate(law.chsh):
        here = (x == pair[0]) & (y == pair[1])
        won = int((lost[here] == 0).sum())
        total.append(int(here.sum()))
        agree.append(won if i < 3 else total[-1] - won)
    facts["S"], facts["S_error"] = chsh_value(agree, total), chsh_error(agree, total)
