"""The Bell test, end to end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, cast

from ebit.analysis import Score
from ebit.analysis import score as score_trials
from ebit.protocols.readout import corrected_of
from ebit.protocols.resuming import play
from ebit.protocols.run import Progress, Run, context_of
from ebit.protocols.terms import Confirm

if TYPE_CHECKING:
    from ebit.circuits import Experiment

__all__ = ["bell", "bell_program", "score_bell"]


def bell(
    backend: str | object = "aer",
    *,
    shots: int = 100_000,
    settings: Literal["per-shot", "per-circuit"] = "per-shot",
    pair: Sequence[int] | None = None,
    qubits: Sequence[int] | None = None,
    state: str | float = "phi+",
    angles: Sequence[Sequence[float]] | None = None,
    swapped: bool = False,
    tau: float | None = None,
    readout: bool = False,
    seed: int | None = None,
    progress: Progress | None = None,
    confirm: Confirm = None,
    max_seconds: float | None = None,
) -> Score:
    """Run a CHSH test on a backend and score it.

    Args:
        backend: a name ("aer", "aer:fez", "cirq"), or an object: ``AerSimulator()``,
            ``cirq.Simulator()``, an IBM backend.
        shots: rounds in all.
        settings: "per-shot" draws them with coin qubits inside every shot, which is what evidence
            against devices with memory needs; "per-circuit" runs one circuit per setting on two
            qubits only.
        pair: physical qubits of Alice and Bob; chosen by calibration if left out.
        qubits: all physical qubits, in the experiment's order, in place of ``pair``.
        state: phi+, phi-, psi+, psi-, or the angle of a partially entangled pair; measuring
            angles follow it.
        angles: ((a0, a1), (b0, b1)) in radians from Z in the XZ plane.
        swapped: exchange the two qubits.
        tau: how far settings can be predicted beyond 1/2; at least the coins' bias if left out.
        readout: also measure the readout errors, by two more circuits of as many shots as an
            average one, and show the corrected value beside the raw one (``score.corrected``).
        seed: makes a simulator's run repeatable.
        progress: called with (done, total).
        confirm: whether to send a paid run; asked of you if left out.
        max_seconds: refuse a run that would take longer.

    Returns:
        The score, with the rounds in ``score.trials``.

    Raises:
        EbitError: something that cannot be run, in one line.

    Example:
        >>> import ebit
        >>> score = ebit.bell("aer", shots=20_000, settings="per-circuit", seed=1)
        >>> bool(score.S > 2.7), score.status
        (True, 'violation')

    Source:
        Clauser, Horne, Shimony, Holt, PRL 23, 880 (1969); coin qubits inside the circuit stand
        for fresh settings.
    """
    found: Score = play(
        "bell",
        backend,
        shots=shots,
        qubits=qubits,
        pair=pair,
        seed=seed,
        progress=progress,
        confirm=confirm,
        max_seconds=max_seconds,
        settings=settings,
        state=state,
        angles=angles,
        swapped=swapped,
        tau=tau,
        readout=readout,
    )
    return found


def bell_program(
    *,
    settings: Literal["per-shot", "per-circuit"] = "per-shot",
    state: str | float = "phi+",
    angles: Sequence[Sequence[float]] | None = None,
    swapped: bool = False,
    tau: float | None = None,
    readout: bool = False,
) -> tuple[Experiment, dict[str, Any]]:
    """Return what `bell` runs, and what a score of it needs to know later."""
    from ebit.circuits import chsh, with_readout

    experiment = chsh(state=state, settings=settings, angles=angles, swapped=swapped)
    if readout:
        experiment = with_readout(experiment)
    return experiment, {"kind": "bell", "tau": tau}


def score_bell(run: Run, purpose: Mapping[str, Any]) -> Score:
    """Score a finished Bell test."""
    experiment = cast("Experiment", run.experiment)
    # The circuits were built for the game's own signs, before any data.
    score = score_trials(
        run.trials, experiment.game, minus="game", tau=purpose.get("tau"), **context_of(run)
    )
    return replace(score, corrected=corrected_of(experiment, run.outcome.shots))
