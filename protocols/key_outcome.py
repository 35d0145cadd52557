"""From what the parties of a run for a key know at its end to the result that is shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

from ebit.analysis import RunInfo
from ebit.protocols.conversation import Ending
from ebit.protocols.key_parties import KeyEnding
from ebit.protocols.key_result import UNCOVERED, KeyResult, Secrecy
from ebit.protocols.run import Run, context_of

__all__ = ["circumstances", "plan_of", "result_of"]

_KEYS = UUID("8b0a7c5e-1f0e-4c5b-9a63-6e1f2b1d9c40")  # the name space of keys
_DEMONSTRATION = (
    "a secret: whoever ran the simulator or the processor can know the key",
    "secrecy against flaws of the devices (side channels, Trojan-horse light, detector blinding): the "
    "theorem takes them as described",
)
_CHOICES = {
    "per-shot": "bases, and the bits that are sent, are drawn by coin qubits beside the signals, which are "
    "taken to be fair and unknown to Eve",
    "per-circuit": "bases are the host's: one circuit for each pair of them",
}
_MISREAD = (
    "coins that are read rightly: one that is not names the wrong basis, and bases are then a little less "
    "complementary than the theorem takes them to be"
)


def circumstances(run: Run, seed: int | None) -> dict[str, Any]:
    """Return what a result takes over from the run of the rounds.

    A key is its owners' own only where the device is, not of a simulator and not in a cloud; where
    nobody knew the bases before the signals passed; and where no seed foretells the parties' choices.
    """
    from ebit.backends import open_backend

    context = context_of(run)
    choices = run.experiment.details["choices"]
    uncovered = (UNCOVERED,) if choices == "per-circuit" else ()
    controlled = run.experiment.details["wiring"] == "controlled"
    misread = (_MISREAD,) if controlled and choices == "per-shot" else ()
    own = run.separation != "simulated" and run.info.job is None
    own = own and choices == "per-shot" and seed is None
    if own:
        told = open_backend(run.info.backend).describe()
        own = told.kind == "processor" and not told.remote
    return {
        "randomness": run.randomness,
        "separation": run.separation,
        "secrecy": "own" if own else "demonstration",
        "assumptions": (_CHOICES[choices], *misread, *context["assumptions"]),
        "not_given": (*uncovered, *context["not_given"]),
    }


def plan_of(purpose: Mapping[str, Any]) -> Any:
    """Return the plan that was fixed before the run."""
    if purpose["protocol"] == "diqkd":
        from ebit.analysis.key_diqkd_plan import IndependentPlan

        return IndependentPlan.from_dict(purpose["plan"])
    from ebit.analysis.key_plan import KeyPlan

    return KeyPlan.from_dict(purpose["plan"])


def result_of(
    purpose: Mapping[str, Any],
    ends: Sequence[Ending[KeyEnding]],
    *,
    run: RunInfo | None,
    seconds: float,
    randomness: str,
    separation: str,
    secrecy: Secrecy,
    assumptions: tuple[str, ...],
    not_given: tuple[str, ...],
) -> KeyResult:
    """Return the result of a run as the parties in `ends` know it: both of them, or the one that is here.

    Args:
        purpose: what was fixed before the run.
        ends: how the parties ended.
        run: where the rounds come from.
        seconds: that the classical part took.
        randomness, separation, secrecy, assumptions, not_given: see `circumstances`.
    """
    plan = plan_of(purpose)
    facts: dict[str, Any] = {}
    reasons = []
    for end in ends:
        facts.update({} if end.value is None else end.value.facts)
        reasons.append(str(end.error or "" if end.value is None else end.value.reason))
    keys = [None if end.value is None else end.value.key for end in ends]
    aborted = any(key is None for key in keys)
    raw_bits = int(facts.get("raw_bits", 0))
    leak, sealed = int(facts.get("leak_bits", 0)), facts.get("authentication", {})
    told = int(facts.get("reconciliation_bits", 0))
    return KeyResult(
        protocol=purpose["protocol"],
        attack=purpose["attack"],
        rounds=purpose["rounds"],
        sifted=int(facts.get("sifted", 0)),
        raw_bits=raw_bits,
        test_bits=int(facts.get("test_bits", 0)),
        qber=facts.get("qber"),
        qbers=facts.get("qbers", {}),
        tolerated=plan.tolerated,
        S=facts.get("S"),
        leak_bits=leak,
        f=None
        if aborted
        else _efficiency(told, raw_bits, facts.get("corrected"), facts.get("uncertainty")),
        message_rounds=int(facts.get("message_rounds", 0)),
        key_bits=0 if aborted or keys[0] is None else keys[0].bits,
        authentication_bits=int(sealed.get("bits_spent", 0)),
        keys_equal=None,
        aborted=aborted,
        reason=_plainest(reasons),
        epsilon=plan.epsilon_total + float(sealed.get("epsilon", 0.0)),
        theorem=plan.theorem,
        plan=purpose["plan"],
        eve=None,
        secrecy=secrecy,
        randomness=randomness,
        separation=separation,
        seconds=seconds,
        assumptions=(*plan.assumptions, *assumptions),
        not_given=(
            *plan.not_given,
            *(_DEMONSTRATION if secrecy == "demonstration" else _DEMONSTRATION[1:]),
            *not_given,
        ),
        tests_lost=facts.get("tests_lost"),
        S_error=facts.get("S_error"),
        key=None if aborted else keys[0],
        key_id=None if aborted else _named(ends[0].end.digest()),
        run=run,
    )


def _named(transcript: bytes) -> str:
    """A name of the key that both sides come to without a further word."""
    return str(uuid5(_KEYS, transcript.hex()))


def _plainest(reasons: Sequence[str]) -> str:
    """The reason of the party that met it, not of the one that was told."""
    given = [reason for reason in reasons if reason]
    return next((r for r in given if not r.startswith("the other side")), given[0] if given else "")


def _efficiency(told: int, n: int, corrected: Any, uncertainty: float | None) -> float | None:
    """Return leak / (n h(Q)) at the rate of errors that were corrected, None where it means nothing.

    Where rounds of different error rates were corrected, `uncertainty` is the sum of their n h(Q).
    """
    if uncertainty is None and n and corrected:
        q = min(corrected / n, 0.5)
        uncertainty = -n * (q * math.log2(q) + (1 - q) * math.log2(1 - q))
    return float(told / uncertainty) if told > 0 and uncertainty else None
