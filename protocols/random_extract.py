"""From a finished run to bits: what a trusted source is worth, the hash, and the health tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ebit.analysis import Score
from ebit.analysis.entropy_result import EntropyCertificate
from ebit.games import ArgumentError
from ebit.protocols.random_plan import raw_of
from ebit.protocols.random_result import RandomBits
from ebit.protocols.run import Run

if TYPE_CHECKING:
    from ebit.circuits import Experiment

__all__ = ["extract", "trusted", "watch"]


def trusted(run: Run, experiment: Experiment, purpose: Mapping[str, Any]) -> EntropyCertificate:
    """Return what the bits of a trusted source are worth."""
    from ebit.analysis.entropy_trusted import trusted_source_entropy

    bits = run.outcome.shots.bits(0)[:, list(raw_of(experiment))]
    found = trusted_source_entropy(bits, epsilon=purpose["epsilon"] / 2)
    simulated = run.separation == "simulated"
    words = (
        "a simulator drew them from its seed"
        if simulated
        else ("their entropy rests on trust in the device: nothing was certified")
    )
    total = found.value * len(bits)
    return EntropyCertificate(
        entropy_bits=total,
        status="refused" if found.status == "refused" or total <= 0 else "trusted source",
        reason=found.reason if found.status == "refused" else "",
        method="none",
        adversary=found.adversary,
        epsilon=found.epsilon,
        n=len(bits),
        raw_bits=bits.size,
        settings_bits=0.0,
        S=None,
        expected_S=None,
        tau=0.0,
        estimate_bits=None,
        p_no_signalling=None,
        separation=run.separation,
        randomness=run.randomness,
        sentence=words,
        parameters={"largest bias": found.bias.high, "largest correlation": found.correlation.high},
        assumptions=found.assumptions,
        not_given=found.not_given,
    )


def extract(
    packed: Any,
    raw_bits: int,
    certificate: EntropyCertificate,
    purpose: Mapping[str, Any],
    score: Score | None,
    run: Run,
    context: Mapping[str, Any],
) -> RandomBits:
    """Hash raw bits to what the certificate allows, and test both for health.

    Args:
        packed: raw bits, the first the most significant of the first byte.
        raw_bits: how many.
        certificate: their entropy.
        purpose: what was asked for.
        score: the Bell test, where there was one.
        run, context: where they come from.
    """
    from ebit.analysis.hash_lemma import output_length
    from ebit.analysis.health_online import HealthFailure
    from ebit.analysis.toeplitz import ToeplitzHash
    from ebit.protocols.seeds import draw_seed, spend_seed

    wanted, half = purpose["bits"], purpose["epsilon"] / 2
    refused, health, most = "" if certificate.accepted else certificate.reason, {}, 0
    if not refused:
        try:
            most = output_length(certificate.entropy_bits, half)
        except ArgumentError as error:
            refused = str(error)
    if not refused and wanted is not None and wanted > most:
        refused = (
            f"{wanted} bits were asked for, but the certificate allows {most}: "
            f"{certificate.entropy_bits:.1f} bits of min-entropy in {certificate.n} rounds at epsilon "
            f"{purpose['epsilon']:.3g}; ask for fewer, or take more rounds"
        )
    if not refused:
        try:
            claim = min(1.0, certificate.entropy_bits / raw_bits)
            health["raw"] = watch(packed, raw_bits, claim)
        except HealthFailure as failure:
            refused = str(failure)
    m = 0 if refused else (most if wanted is None else int(wanted))
    out, seed_bits, seed_source = np.zeros(0, np.uint8), 0, "none"
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    if m:
        given = purpose["hash_seed"]
        drawn = draw_seed(raw_bits + m - 1, given)
        out = ToeplitzHash(drawn.packed, raw_bits, m)(packed)
        spend_seed(drawn, half, None, {"bits": m, "raw_bits": raw_bits})
        seed_bits, seed_source = drawn.bits, drawn.source
        notes = ("the hash's seed is uniform and independent of the device and of its data",)
        if drawn.kind == "pseudo-random":
            missing = ("anything beyond repetition: the seed of the hash is pseudo-random",)
        try:
            health["output"] = watch(out, m, 1.0)
        except HealthFailure as failure:
            refused, m, out = (
                f"the extracted bits are unhealthy: {failure}",
                0,
                np.zeros(0, np.uint8),
            )
    return RandomBits(
        packed=out,
        bits=m,
        wanted=wanted,
        certificate=certificate,
        epsilon=float(purpose["epsilon"]),
        source=str(purpose["source"]),
        raw_bits=raw_bits,
        seed_bits=seed_bits,
        seed_source=seed_source,
        settings_bits=certificate.settings_bits,
        refused=refused,
        health=health,
        assumptions=tuple(
            dict.fromkeys((*certificate.assumptions, *notes, *context["assumptions"]))
        ),
        not_given=tuple(dict.fromkeys((*certificate.not_given, *missing, *context["not_given"]))),
        score=score,
        run=run.info,
    )


def watch(packed: Any, bits: int, claim: float) -> dict[str, Any]:
    """Run SP 800-90B's continuous tests over bits, at a false-alarm rate for all of them together.

    Raises:
        HealthFailure: a test failed.
    """
    from ebit.analysis.health_online import HealthTests
    from ebit.analysis.health_report import stretch_alpha

    tests = HealthTests(claim, alpha=stretch_alpha(bits))
    tests.feed_packed(np.ascontiguousarray(packed), bits)
    record = tests.record
    limits = record.cutoffs
    proportion = (
        f"most equal of {limits.window}: {record.largest_count} (cut-off {limits.proportion})"
        if bits >= limits.window
        else f"proportion not tested ({bits} bits, a window has {limits.window})"
    )
    longest = f"longest run {record.longest_run} (cut-off {limits.repetition})"
    return {"summary": f"{longest}, {proportion}", **record.to_dict()}
