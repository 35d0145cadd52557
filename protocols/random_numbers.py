"""Random numbers end to end: plan, run, certify, extract, test."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, cast

from ebit.analysis import Score
from ebit.analysis import score as score_trials
from ebit.analysis.certifying import certify as certify_trials
from ebit.analysis.certifying import plan_certificate
from ebit.protocols.random_extract import extract, trusted
from ebit.protocols.random_plan import (
    BELL_TESTS,
    DEFAULTS,
    EPSILON,
    check_hash_seed,
    check_options,
    expectation,
    most_bits,
    raw_of,
    rounds_for,
    source_program,
    terms_of,
)
from ebit.protocols.random_result import RandomBits
from ebit.protocols.resuming import play
from ebit.protocols.run import Progress, Run, context_of
from ebit.protocols.terms import Confirm

if TYPE_CHECKING:
    from ebit.circuits import Experiment

__all__ = ["random_bits", "random_program", "score_random"]

_EXTRACTED = "random bits extracted"
_AGAIN = (
    "independence from the bits that were extracted from these very rounds before (the ledger says "
    "so): use one of them only"
)
Source = Literal["chsh", "spot", "hadamard", "bell", "ghz"]


def random_bits(
    backend: str | object = "aer",
    bits: int | None = None,
    *,
    source: Source = "chsh",
    certify: str | None = None,
    shots: int | None = None,
    expected_S: float | None = None,
    pilot: int | None = None,
    epsilon: float = EPSILON,
    tau: float | None = None,
    gamma: float = 0.2,
    qubits: Sequence[int] | None = None,
    pair: Sequence[int] | None = None,
    size: int | None = None,
    hash_seed: str | os.PathLike[str] | int | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
    confirm: Confirm = None,
    max_seconds: float | None = None,
) -> RandomBits:
    """Make random bits on a backend, with a certificate of their entropy.

    The number of rounds, the threshold and the method's parameters are fixed before the first round,
    from what the calibration predicts, from ``expected_S``, or from a pilot run whose bits are not used.

    Args:
        backend: a name ("aer", "aer:fez", "ibm:ibm_fez"), or an object.
        bits: how many; all that the certificate allows if left out, with ``shots``.
        source: "chsh" (a Bell test with coins in every shot), "spot" (the same with settings that
            mostly stay (0, 0)), or a source that has to be trusted: "hadamard", "bell" (halves of Bell
            pairs), "ghz".
        certify: "pef", "renyi", "renyi-one", "geat", "eat", or "none" for a trusted source.
        shots: rounds; as many as the bits need if left out.
        expected_S: plan for this S, in place of the calibration's.
        pilot: rounds of a pilot run to plan by.
        epsilon: error of the bits in all: half for the entropy, half for the hash.
        tau: how far each party's setting may be predicted beyond its law; what the calibration says
            of the coins, and 0.002 more, if left out.
        gamma: "spot": share of rounds with other settings than (0, 0).
        qubits, pair: physical qubits, as in `bell`.
        size: qubits of "hadamard" (16) or "ghz" (4), pairs of "bell" (1).
        hash_seed: the extractor's seed: the operating system's if left out, a file, or a number for
            repetition (pseudo-random).
        seed: makes a simulator's run repeatable, and the hash too unless ``hash_seed`` is given.
        progress, confirm, max_seconds: as in `bell`.

    Returns:
        The bits with their certificate; without bits, and with the reason, when it is refused.

    Raises:
        EbitError: something that cannot be run, in one line.

    Example:
        >>> import ebit
        >>> found = ebit.random_bits("aer", 256, seed=1)
        >>> found.bits, found.randomness, found.certificate.method
        (256, 'pseudo (simulator)', 'pef')

    Source:
        `ebit.analysis.pef`, `ebit.analysis.eat`, `ebit.analysis.toeplitz`.
    """
    from ebit.backends import open_backend

    where = open_backend(backend)
    options: dict[str, Any] = {
        "bits": bits,
        "source": source,
        "certify": certify,
        "epsilon": epsilon,
        "tau": tau,
        "gamma": gamma,
        "size": size,
        "hash_seed": hash_seed,
    }
    check_options(options, shots)
    if source in BELL_TESTS:
        expected = expectation(
            where,
            options,
            expected_S=expected_S,
            pilot=pilot,
            qubits=qubits,
            pair=pair,
            seed=seed,
            progress=progress,
            confirm=confirm,
        )
        options["expected"] = expected.to_dict()
        options["ground"] = expected.ground
    if progress is not None and hasattr(progress, "say"):
        progress.say("planning" + _patience(options))
    if shots is None:
        shots = rounds_for(options)
    found: RandomBits = play(
        "random",
        where,
        shots=shots,
        qubits=qubits,
        pair=pair,
        seed=seed,
        progress=progress,
        confirm=confirm,
        max_seconds=max_seconds,
        **options,
    )
    return found


def _patience(options: Mapping[str, Any]) -> str:
    """What to expect of planning that proves its bounds over many cells."""
    if options["certify"] == "renyi":
        return " (a proof cell by cell: some seconds, with biased coins a minute or two)"
    return ""


def random_program(
    backend: object,
    *,
    shots: int,
    qubits: Sequence[int] | None = None,
    pair: Sequence[int] | None = None,
    seed: int | None = None,
    expected_S: float | None = None,
    **options: Any,
) -> tuple[Experiment, dict[str, Any], Sequence[int] | None]:
    """Return what `random_bits` runs, what its certificate needs to know later, and the qubits.

    `ebit.begin("random", ...)` comes here without a plan, which is then made first.
    """
    from ebit.backends import open_backend

    unknown = set(options) - {*DEFAULTS, "expected", "ground"}
    if unknown:
        raise TypeError(f"unexpected {', '.join(sorted(unknown))}")
    full = {**DEFAULTS, **options}
    if full["hash_seed"] is None:
        full["hash_seed"] = seed
    check_options(full, shots)
    if full["bits"] is not None:
        full["bits"] = int(full["bits"])
    if isinstance(full["hash_seed"], (str, os.PathLike)):  # resumed from any folder
        full["hash_seed"] = os.path.abspath(full["hash_seed"])
    if full["source"] in BELL_TESTS:
        if "expected" not in full:
            where = open_backend(backend)
            found = expectation(where, full, expected_S=expected_S, qubits=qubits, pair=pair)
            full["expected"] = found.to_dict()
            full["ground"] = found.ground
        # Refused now, where nothing certifies anything, and not after the run.
        plan = plan_certificate(full["certify"] or "pef", int(shots), **terms_of(full))
        most = most_bits(full, plan)
    program = source_program(full)
    raw_bits = int(shots) * len(raw_of(program))
    if full["source"] not in BELL_TESTS and qubits is None and pair is None:
        from ebit.protocols.raw_bits import loose_qubits

        qubits = loose_qubits(program, open_backend(backend))
    check_hash_seed(full, raw_bits, most if full["source"] in BELL_TESTS else raw_bits)
    return program, {"kind": "random", "rounds": int(shots), **full}, qubits


def score_random(run: Run, purpose: Mapping[str, Any]) -> RandomBits:
    """Certify a finished run and extract its bits."""
    from ebit.protocols.raw_bits import shots_to_bits

    experiment = cast("Experiment", run.experiment)
    context = context_of(run)
    score: Score | None = None
    if purpose["source"] in BELL_TESTS:
        plan = plan_certificate(purpose["certify"] or "pef", purpose["rounds"], **terms_of(purpose))
        tau = plan.tau if purpose["source"] == "chsh" else None
        score = score_trials(run.trials, experiment.game, minus="game", tau=tau, **context)
        certificate = certify_trials(run.trials, plan, score)
    else:
        certificate = trusted(run, experiment, purpose)
    found = _once(run)
    shots = run.outcome.shots
    clbits = raw_of(experiment)
    packed = shots_to_bits(shots, clbits)
    made = extract(packed, shots.n * len(clbits), certificate, purpose, score, run, context)
    return _noted(made, run.info.job, found)


def _once(run: Run) -> bool:
    """Whether bits were extracted from these rounds before."""
    if run.info.job is None:
        return False
    from ebit.backends import open_job

    return any(_EXTRACTED in what for _, what in open_job(run.info.job).entry.events)


def _noted(made: RandomBits, job: str | None, before: bool) -> RandomBits:
    """Write into the ledger that bits were made of a job's rounds; say if they were made before."""
    from ebit.backends import LedgerError, open_job

    if job is None or made.refused:
        return made
    with suppress(LedgerError):  # a full disk must not cost the bits
        kept = open_job(job)
        kept.ledger.note(kept.id, f"{made.bits} {_EXTRACTED}")
    if not before:
        return made
    return replace(made, not_given=(*made.not_given, _AGAIN))
