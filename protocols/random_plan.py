"""How a run for random bits is planned: what is expected, how it will be judged, how many rounds."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np

from ebit.analysis.certifying import CertificatePlan, Method, plan_rounds_for_bits
from ebit.analysis.coins import following
from ebit.games import ArgumentError, RefusedError
from ebit.protocols.forecast import Forecast, forecast, forecast_of_rounds
from ebit.protocols.run import Progress, check_shots, run_experiment
from ebit.protocols.terms import Confirm

if TYPE_CHECKING:
    from ebit.backends import Backend
    from ebit.circuits import Experiment

__all__ = [
    "BELL_TESTS",
    "DEFAULTS",
    "EPSILON",
    "TRUSTED",
    "check_hash_seed",
    "check_options",
    "expectation",
    "most_bits",
    "raw_of",
    "rounds_for",
    "source_program",
    "terms_of",
]

BELL_TESTS = ("chsh", "spot")
TRUSTED = ("hadamard", "bell", "ghz")
EPSILON = 2.0**-40
# What `random_bits` and `begin("random", ...)` understand, apart from where and how much to run.
DEFAULTS: dict[str, Any] = {
    "bits": None,
    "source": "chsh",
    "certify": None,
    "epsilon": EPSILON,
    "tau": None,
    "gamma": 0.2,
    "size": None,
    "hash_seed": None,
}
_PILOT = 20_000
_TAU_MARGIN = 0.002  # beyond the bias that the calibration predicts of the coins
_TRUSTED_RATE = 0.8  # bits of entropy expected of a raw bit, noise and statistics allowed for
_LEAST = 4096


def check_options(options: Mapping[str, Any], shots: int | None) -> None:
    """Refuse what does not go together, before anything is built."""
    source, how = options["source"], options["certify"]
    if source not in (*BELL_TESTS, *TRUSTED):
        raise ArgumentError(
            f"source must be one of {', '.join((*BELL_TESTS, *TRUSTED))}, but was {source!r}"
        )
    if source in TRUSTED and how not in (None, "none"):
        raise ArgumentError(
            f"certify must be none for source {source!r}, but was {how!r}: without a Bell test nothing "
            "is certified; take --source chsh or spot"
        )
    if source in BELL_TESTS and how == "none":
        raise ArgumentError(
            f"certify must be one of {', '.join(get_args(Method))} for source {source!r}, but was "
            "'none': take --source hadamard for uncertified bits"
        )
    if how not in (None, "none", *get_args(Method)):
        raise ArgumentError(
            f"certify must be one of {', '.join(get_args(Method))} or none, but was {how!r}"
        )
    epsilon = options["epsilon"]
    if isinstance(epsilon, bool) or not isinstance(epsilon, (int, float)) or not 0 < epsilon < 1:
        raise ArgumentError(f"epsilon must lie strictly between 0 and 1, but was {epsilon!r}")
    bits = options["bits"]
    if bits is None and shots is None:
        raise ArgumentError("give bits (how many are wanted) or shots (how many rounds to take)")
    whole = isinstance(bits, (int, np.integer)) and not isinstance(bits, bool)
    if bits is not None and not (whole and bits >= 1):
        raise ArgumentError(f"bits must be a whole number of at least 1, but was {bits!r}")
    tau = options["tau"]
    if tau is not None and not (isinstance(tau, (int, float)) and 0 <= tau < 0.5):
        raise ArgumentError(f"tau must lie in [0, 0.5), but was {tau!r}")


def most_bits(options: Mapping[str, Any], plan: CertificatePlan) -> int:
    """Bits that a run which passes will give; refused before the run if they are none or too few.

    Raises:
        ArgumentError: more are asked for.
        RefusedError: the hash would give none.
    """
    from ebit.analysis.hash_lemma import output_length

    wanted, half = options["bits"], options["epsilon"] / 2
    what = f"{plan.n} rounds at an expected S of {plan.expected_S:.4f} by {plan.method}"
    try:
        most = output_length(plan.threshold_bits, half)
    except ArgumentError:
        raise RefusedError(
            f"{what} certify {plan.threshold_bits:.1f} bits of entropy, which the hash needs for its "
            f"own error at epsilon {options['epsilon']:.3g}: take more rounds, or leave shots out and "
            "say how many bits are wanted"
        ) from None
    if wanted is not None and wanted > most:
        raise ArgumentError(
            f"bits must be at most {most}, which {what} give when they pass ({plan.threshold_bits:.1f} "
            f"bits of entropy), but was {wanted}: leave shots out and as many rounds are taken as it "
            "needs"
        )
    return most


def check_hash_seed(options: Mapping[str, Any], raw_bits: int, most: int) -> None:
    """Refuse what cannot seed the hash, has too few bits for it or was spent, before the run.

    Args:
        options: of the run.
        raw_bits: that will be hashed.
        most: bits that can come out.
    """
    given = options["hash_seed"]
    if given is None or (isinstance(given, int) and not isinstance(given, bool) and given >= 0):
        return
    if not isinstance(given, (str, os.PathLike)):
        raise ArgumentError(
            f"hash_seed must be None, a whole number of 0 or more, or a file, but was {given!r}"
        )
    from ebit.protocols.seeds import draw_seed, spent

    needed = raw_bits + (options["bits"] or most) - 1
    try:
        size = Path(given).stat().st_size
    except OSError as error:
        raise ArgumentError(f"cannot read the seed {given}: {error.strerror or error}") from None
    if 8 * size < needed:
        raise ArgumentError(
            f"hash_seed must have {needed} bits ({(needed + 7) // 8} bytes) for {raw_bits} raw bits, "
            f"but {given} has {size} bytes: take a longer file"
        )
    used, budget = spent(draw_seed(needed, Path(given)))
    if budget is not None and used + options["epsilon"] / 2 > budget * (1 + 1e-12):
        raise ArgumentError(
            f"hash_seed must have {options['epsilon'] / 2:.3g} of its error budget left, but {given} has "
            f"spent {used:.3g} of {budget:.3g}: take a fresh seed"
        )


def expectation(
    where: Backend,
    options: Mapping[str, Any],
    *,
    expected_S: float | None = None,
    pilot: int | None = None,
    qubits: Sequence[int] | None = None,
    pair: Sequence[int] | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
    confirm: Confirm = None,
) -> Forecast:
    """What to plan for: S as given, a pilot run, or the device's own noise model."""
    from ebit.backends import complete_qubits

    if expected_S is not None:
        _check_S(expected_S)
    experiment = source_program(options)
    chosen = complete_qubits(experiment, where, pair) if pair is not None else qubits
    model = forecast(where, experiment, where.compile(experiment, qubits=chosen))
    if pilot is None and expected_S is None:
        if model is not None:
            return model
        if where.describe().kind != "simulator":
            raise ArgumentError(
                f"expected_S must be given for {where.name}, which has no noise model to predict S by, "
                "or pilot (rounds of a pilot run, paid for like any other)"
            )
        pilot = _PILOT
    if pilot is None:
        law = np.asarray(experiment.game.distribution, dtype=np.float64).reshape(2, 2)
        # The coins are the device's all the same: their law is what its noise makes of them.
        blank = Forecast(law, np.full((2, 2), 0.75), "") if model is None else model
        return blank.with_S(float(expected_S or 0), "as given")
    if progress is not None and hasattr(progress, "say"):
        progress.say(f"a pilot run of {pilot} rounds")
    run = run_experiment(
        experiment,
        where,
        shots=check_shots(pilot),
        qubits=qubits,
        pair=pair,
        seed=None if seed is None else seed + 1,
        progress=progress,
        confirm=confirm,
    )
    found = forecast_of_rounds(run.trials)
    return found if model is None else replace(found, law=model.law, slack=model.slack)


def _check_S(S: object) -> None:
    number = isinstance(S, (int, float)) and not isinstance(S, bool)
    if not number or not 2 < float(cast("float", S)) <= 2 * math.sqrt(2) + 1e-9:
        raise ArgumentError(
            f"expected_S must be above 2 and at most 2 sqrt 2 = 2.828427, but was {S!r}"
        )


def terms_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """How the method is set up: expected win rates, law, tau and the entropy's share of epsilon."""
    law = np.asarray(options["expected"]["law"], np.float64)
    wins = np.asarray(options["expected"]["wins"], np.float64)
    if options["source"] == "chsh":
        bias = max(abs(law[1].sum() - 0.5), abs(law[:, 1].sum() - 0.5)) + following(law)
        asked, wins = np.full((2, 2), 0.25), np.full((2, 2), wins.mean())
    else:
        # Two independent coins: the law they were built for or, of a noisy device, what it makes of it.
        asked = np.outer(law.sum(axis=1), law.sum(axis=0))
        bias = following(law)
    bias += options["expected"].get("slack", 0.0)
    tau = options["tau"]
    used = math.ceil(1e4 * (bias + _TAU_MARGIN)) / 1e4 if tau is None else float(tau)
    return {"wins": wins, "law": asked, "tau": used, "epsilon": options["epsilon"] / 2}


def rounds_for(options: Mapping[str, Any]) -> int:
    """Rounds, or shots of a trusted source, that the bits asked for need."""
    from ebit.analysis.hash_lemma import entropy_needed

    needed = entropy_needed(int(options["bits"]), options["epsilon"] / 2)
    if options["source"] in BELL_TESTS:
        return plan_rounds_for_bits(needed, options["certify"] or "pef", **terms_of(options))
    each = len(raw_of(source_program(options)))
    return max(_LEAST, math.ceil(needed / (_TRUSTED_RATE * each)))


def source_program(options: Mapping[str, Any]) -> Experiment:
    """The experiment that makes the raw bits."""
    from ebit import circuits

    source, size = options["source"], options.get("size")
    if source == "chsh":
        return circuits.chsh(settings="per-shot")
    if source == "spot":
        return circuits.spot_checked_chsh(options["gamma"])
    if source == "ghz":
        return circuits.ghz_source(4 if size is None else size)
    if source == "bell":
        return cast("Experiment", circuits.bell_halves_source(1 if size is None else size))
    return cast("Experiment", circuits.hadamard_source(16 if size is None else size))


def raw_of(program: Experiment) -> tuple[int, ...]:
    """Classical bits of the source's circuit that are raw bits."""
    from ebit.circuits import raw_clbits

    return raw_clbits(program)
