"""Secret keys end to end: plan, run the rounds, let Alice and Bob agree on a key, and judge it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from ebit.games import ArgumentError, RefusedError
from ebit.protocols.key_forecast import KeyForecast, error_of, key_forecast
from ebit.protocols.key_result import KeyResult
from ebit.protocols.resuming import play
from ebit.protocols.run import Progress, Run, check_shots
from ebit.protocols.terms import Confirm

if TYPE_CHECKING:
    from ebit.backends import Backend
    from ebit.circuits import Experiment

__all__ = ["key", "key_program", "score_key"]

PROTOCOLS = ("bb84", "bbm92", "e91", "six-state", "mdi", "diqkd")
_MADE = "bits of secret key made"
_DRIFT = 0.02  # share of rounds that a processor may lose to coins that drift
Choices = Literal["per-shot", "per-circuit"]
_DEFAULTS: Mapping[str, Any] = {
    "protocol": "bb84",
    "attack": None,
    "noise": None,
    "epsilon": 1e-10,
    "qber": None,
    "expected_S": None,
    "theorem": None,
    "choices": None,
}
# Every way to build the circuits of a round, the one that needs least of a chip first.
_BUILDS: tuple[tuple[Choices, str], ...] = (
    ("per-shot", "feed-forward"),
    ("per-shot", "controlled"),
    ("per-circuit", "feed-forward"),
    ("per-circuit", "controlled"),
)


def key(
    backend: str | object = "aer",
    *,
    protocol: str = "bb84",
    rounds: int = 100_000,
    attack: str | None = None,
    noise: str | None = None,
    epsilon: float = 1e-10,
    qber: float | None = None,
    expected_S: float | None = None,
    theorem: str | None = None,
    choices: Choices | None = None,
    qubits: Sequence[int] | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
    confirm: Confirm = None,
    max_seconds: float | None = None,
) -> KeyResult:
    """Make a secret key between two parties on a backend, or say why there is none.

    What is tolerated, how long the key will be and how much may be told are fixed before the first
    round, from what the calibration predicts or from ``qber``; what is observed only decides whether
    to abort. Both parties live in this process and share nothing but rounds and frames.

    Args:
        backend: a name ("aer", "aer:fez", "ibm:ibm_fez"), or an object.
        protocol: "bb84", "bbm92", "e91", "six-state", "mdi" (an untrusted middle) or "diqkd"
            (device-independent).
        rounds: signals sent.
        attack: an eavesdropper, such as "intercept-resend", "cloner:0.3", "spoofed-source" or
            "man-in-the-middle"; see `ebit.circuits.parse_attack`. The plan does not know of it.
        noise: what the channel does besides, such as "dephasing:0.02".
        epsilon: secrecy error; correctness and authentication come on top and are printed.
        qber: plan for this error rate, not for the calibration's.
        expected_S: diqkd: plan for this S.
        theorem: what the length rests on; `ebit.analysis.key_plan` lists them.
        choices: who draws bases: coins "per-shot", or the host "per-circuit"; what fits the device
            if left out.
        qubits: all physical qubits, in the round's order.
        seed: makes a simulator's run and the parties' choices repeatable.
        progress, confirm, max_seconds: as in `bell`.

    Returns:
        The key with what is proven of it; without a key, and with the reason, when it was aborted.

    Raises:
        EbitError: something that cannot be run, in one line.

    Example:
        >>> import ebit
        >>> found = ebit.key("aer:fez", rounds=100_000, seed=1)
        >>> found.keys_equal, found.key_bits > 10_000, found.secrecy
        (True, True, 'demonstration')
        >>> ebit.key("aer:fez", rounds=100_000, attack="intercept-resend", seed=1).aborted
        True

    Source:
        Tomamichel, Lim, Gisin, Renner, Nature Communications 3, 634 (2012).
    """
    found: KeyResult = play(
        "key",
        backend,
        shots=check_rounds(rounds),
        qubits=qubits,
        seed=seed,
        progress=progress,
        confirm=confirm,
        max_seconds=max_seconds,
        protocol=protocol,
        attack=attack,
        noise=noise,
        epsilon=epsilon,
        qber=qber,
        expected_S=expected_S,
        theorem=theorem,
        choices=choices,
    )
    return found


def check_rounds(rounds: object) -> int:
    """Return a number of rounds, or say what it must be."""
    try:
        return check_shots(rounds)
    except ArgumentError:
        raise ArgumentError(
            f"rounds must be a whole number of at least 1, but was {rounds!r}"
        ) from None


def key_program(
    backend: object,
    *,
    shots: int,
    qubits: Sequence[int] | None = None,
    seed: int | None = None,
    **options: Any,
) -> tuple[Experiment, dict[str, Any], int, Sequence[int] | None]:
    """Return what `key` runs, what its parties need to know later, the shots in all, and the qubits."""
    from ebit.backends import open_backend
    from ebit.circuits import parse_attack

    unknown = set(options) - set(_DEFAULTS)
    if unknown:
        raise TypeError(f"unexpected {', '.join(sorted(unknown))}")
    full = {**_DEFAULTS, **options}
    protocol, rounds = full["protocol"], check_rounds(shots)
    if protocol not in PROTOCOLS:
        raise ArgumentError(f"protocol must be one of {', '.join(PROTOCOLS)}, but was {protocol!r}")
    full["expected_S"] = _expected_s(full["expected_S"], protocol)
    eve = None if full["attack"] is None else parse_attack(full["attack"])
    where = open_backend(backend)
    build, expected = _expected(where, full, qubits)
    plan = _plan(full, rounds, expected)
    circuit_attack = str(eve) if eve is not None and eve.quantum else None
    host = None
    if protocol == "diqkd":
        host = int(np.random.SeedSequence(seed).generate_state(2, np.uint64)[0])
        program = _tested_rounds(full, build, plan, rounds, host, attack=circuit_attack)
    else:
        if eve is not None and eve.kind in ("memory", "predicted-settings"):
            raise ArgumentError(
                f"attack {eve.kind} is one on devices that nobody trusts: it takes protocol diqkd, but "
                f"the protocol was {protocol}"
            )
        plan = _seen_through_coins(where, full, build, plan, expected)
        program = _round(full, build, plan, attack=circuit_attack)
    if circuit_attack is None and qubits is None:
        qubits = expected.qubits or None
    twice = eve is not None and eve.kind == "man-in-the-middle"
    purpose = {
        "kind": "key",
        "protocol": protocol,
        "rounds": rounds,
        "attack": None if eve is None else str(eve),
        "noise": full["noise"],
        "ground": expected.ground,
        "plan": plan.to_dict(),
        "seed": seed,
        "host": host,
    }
    # Who sits in the middle keeps up two links, of all rounds each.
    return program, purpose, rounds * (2 if twice else 1), qubits


def _expected_s(S: Any, protocol: str) -> float | None:
    """An S to plan for, or None; what no quantum devices reach is refused."""
    from ebit.analysis.key_asymptotic import MOST_S

    if S is None:
        return None
    if protocol not in ("e91", "diqkd"):
        raise ArgumentError(
            f"expected_S is of protocols with a Bell test, e91 and diqkd, but the protocol was {protocol}"
        )
    number = isinstance(S, (int, float, np.number)) and not isinstance(S, bool)
    if not number or not 0 <= float(S) <= MOST_S + 1e-9:
        raise ArgumentError(f"expected_S must lie between 0 and 2.8284 (2 sqrt 2), but was {S!r}")
    return min(float(S), MOST_S)


def _tested_rounds(
    full: Mapping[str, Any],
    build: tuple[Choices, str],
    plan: Any,
    rounds: int,
    host: int,
    *,
    attack: str | None,
) -> Experiment:
    """Device-independent rounds, as often of each question as the host has drawn."""
    from ebit.circuits.key_spot import independent_rounds, spot_law

    law = spot_law(plan.test_fraction)
    counts = np.random.default_rng(host).multinomial(rounds, law)
    return independent_rounds(
        counts.tolist(), attack=attack, noise=full["noise"], wiring=cast("Any", build[1])
    )


def _seen_through_coins(
    where: Backend, full: Mapping[str, Any], build: Any, plan: Any, expected: KeyForecast
) -> Any:
    """The plan for what comes when coins are sometimes read wrongly.

    Then fewer rounds than meant have the key's bases, and where coins act by themselves (wiring
    "controlled") a rare basis is full of rounds that were measured in another.
    """
    for _ in range(2):
        if not expected.qubits:
            break
        test = _round(full, build, plan, attack=None)
        found = key_forecast(where, test, expected.qubits)
        if found is None:
            break
        key, main = tuple(test.details["key"][0]), tuple(test.details["test"][0])
        meant = {pair: plan.alice_odds[pair[0]] * plan.bob_odds[pair[1]] for pair in (key, main)}
        share = min(1.0, *(found.law[pair] / meant[pair] for pair in (key, main)))
        if where.describe().kind != "simulator":
            share -= _DRIFT
        fewer = math.floor(plan.rounds * share)
        told = found if full["qber"] is None else expected
        if fewer < 1 or (share > 1 - 1e-6 and told.test == expected.test):
            break
        plan = _of_fewer(full, plan.rounds, fewer, told)
        if told.test == expected.test:
            break
    return plan


def _of_fewer(full: Mapping[str, Any], rounds: int, fewer: int, told: KeyForecast) -> Any:
    """The plan for so many rounds of which only `fewer` count; what would do is said in rounds sent."""
    plan = _plan(full, fewer, told)
    needed, reason = plan.rounds_needed, plan.reason
    if needed is not None:
        sent = math.ceil(needed * rounds / fewer)
        while _plan(full, math.floor(sent * fewer / rounds), told).net_length <= 0:
            sent = math.ceil(1.005 * sent)
        reason = reason.replace(f"{needed:,}", f"{sent:,}").replace(f"{fewer:,}", f"{rounds:,}")
        needed = sent
    return replace(plan, rounds=rounds, rounds_needed=needed, reason=reason)


def _expected(
    where: Backend, full: Mapping[str, Any], qubits: Sequence[int] | None
) -> tuple[tuple[Choices, str], KeyForecast]:
    """How the round is built for this device, and what honest rounds are expected to give."""
    wanted = full["choices"]
    if wanted not in (None, "per-shot", "per-circuit"):
        raise ArgumentError(f"choices must be 'per-shot' or 'per-circuit', but was {wanted!r}")
    if full["protocol"] == "diqkd":
        if wanted == "per-shot":
            raise ArgumentError(
                "choices must be 'per-circuit' for diqkd, whose tests are a share that both sides know "
                "of at once, but was 'per-shot'"
            )
        wanted = "per-circuit"
    # Cirq runs conditions on bits shot by shot, and Google's devices not at all. Without them coins turn
    # bases by themselves, and a coin that is read wrongly is an error: one circuit per basis is better.
    plain = where.describe().name.startswith(("cirq", "google"))
    first: ArgumentError | None = None
    for build in reversed(_BUILDS) if plain else _BUILDS:
        if wanted not in (None, build[0]) or (plain and build[1] == "feed-forward"):
            continue
        try:
            test = _round(full, build, None, attack=None)
            found = key_forecast(where, test, qubits)
        except ArgumentError as error:
            first = first or error
            continue
        return build, _told(found, full, where)
    raise cast("ArgumentError", first)


def _told(found: KeyForecast | None, full: Mapping[str, Any], where: Backend) -> KeyForecast:
    """The forecast, with what the user expects in its place."""
    if found is None and full["qber"] is None:
        raise ArgumentError(
            f"qber must be given: nothing says which error rate to expect of {where.name}"
        )
    if full["qber"] is None:
        told = cast("KeyForecast", found)
        S = full["expected_S"]
        return told if S is None else replace(told, S=S)
    rate = error_of(full["qber"], "qber")
    tests = dict.fromkeys(found.test if found is not None else ("X",), rate)
    S = full["expected_S"]
    if S is None and found is not None:
        S = found.S
    ground = "the expected error rate that was given"
    if found is None:
        return KeyForecast(rate, tests, S, ground)
    return replace(found, key=rate, test=tests, S=S, ground=ground)


def _round(
    full: Mapping[str, Any], build: tuple[Choices, str], plan: Any, *, attack: str | None
) -> Experiment:
    from ebit.circuits import key_protocol, key_round

    if plan is None:  # biased in some way, since fair coins take fewer couplings
        rules = key_protocol(full["protocol"])
        a, b = (_biased(len(bases)) for bases in (rules.alice, rules.bob))
    else:
        a, b = plan.alice_odds, plan.bob_odds
    return key_round(
        full["protocol"],
        alice_odds=a,
        bob_odds=b,
        attack=attack,
        noise=full["noise"],
        choices=build[0],
        wiring=cast("Any", build[1]),
    )


def _biased(bases: int) -> tuple[float, ...]:
    rest = [0.1 + 0.05 * i for i in range(bases - 1)]
    return (1 - sum(rest), *rest)


def _plan(full: Mapping[str, Any], rounds: int, expected: KeyForecast) -> Any:
    if full["protocol"] == "diqkd":
        from ebit.analysis.key_diqkd_plan import plan_independent

        if expected.S is None:
            raise ArgumentError("expected_S must be given: nothing says which S to expect")
        if full["theorem"] not in (None, "nadlinger-2022"):
            raise ArgumentError(
                f"theorem must be nadlinger-2022 for diqkd, but was {full['theorem']!r}"
            )
        S = expected.S if full["expected_S"] is None else full["expected_S"]
        return plan_independent(rounds, S=S, qber=expected.key, epsilon=full["epsilon"])
    from ebit.analysis.key_plan import plan_key
    from ebit.analysis.polynomial_hash import TAG_BITS

    more: dict[str, Any] = {} if full["theorem"] is None else {"theorem": full["theorem"]}
    if full["protocol"] == "e91" and expected.S is not None:
        more["S"] = expected.S
    return plan_key(
        full["protocol"],
        rounds,
        qber=max(expected.key, *expected.test.values()),
        epsilon=full["epsilon"],
        authentication_bits=2 * TAG_BITS,
        **more,
    )


def score_key(run: Run, purpose: Mapping[str, Any]) -> KeyResult:
    """Let the two parties of a finished run make their key, and judge it as the referee.

    Raises:
        RefusedError: a key was made of these rounds before: two would together say more than the rounds
            hold.
    """
    from ebit.protocols.key_referee import judge

    if run.info.job is None:
        return judge(run, purpose)
    from ebit.backends import open_job

    kept = open_job(run.info.job)
    if any(_MADE in what for _, what in kept.entry.events):
        raise RefusedError(
            f"a secret key was made of the rounds of job {run.info.job[:8]} before: they make no second one"
        )
    found = judge(run, purpose)
    if not found.aborted:
        kept.ledger.note(kept.id, f"{found.key_bits} {_MADE}")  # before the key is anybody's
    return found
