"""The fringe, end to end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ebit.analysis.fringe import FringeScore, score_fringe
from ebit.protocols.resuming import play
from ebit.protocols.run import Progress, Run, context_of
from ebit.protocols.terms import Confirm

if TYPE_CHECKING:
    from ebit.circuits import Experiment

__all__ = ["fringe", "fringe_program", "score_fringe_run"]


def fringe(
    backend: str | object = "aer",
    *,
    points: int = 25,
    alice: float = 0.0,
    state: str | float = "phi+",
    angles: Sequence[float] | None = None,
    shots: int = 25_000,
    pair: Sequence[int] | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
    confirm: Confirm = None,
    max_seconds: float | None = None,
) -> FringeScore:
    """Sweep Bob's angle on a pair of qubits and score the fringe.

    Args:
        backend: a name ("aer", "aer:fez", "cirq"), or an object such as ``AerSimulator()``.
        points: number of angles from 0 to 2 pi, both ends included; 3 or more.
        alice: Alice's angle in radians from Z in the XZ plane.
        state: phi+, phi-, psi+, psi-, product, or the angle of a partially entangled pair.
        angles: Bob's angles in radians, in place of ``points``.
        shots: rounds in all, shared equally among the angles.
        pair: physical qubits of Alice and Bob; chosen by calibration if left out.
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
        >>> found = ebit.fringe("aer", points=9, shots=9_000, seed=1)
        >>> bool(found.visibility > 0.97), len(found.points)
        (True, 9)

    Source:
        E(b) = v cos(b - b0), see `ebit.analysis.fringe.score_fringe`.
    """
    found: FringeScore = play(
        "fringe",
        backend,
        shots=shots,
        pair=pair,
        seed=seed,
        progress=progress,
        confirm=confirm,
        max_seconds=max_seconds,
        points=points,
        alice=alice,
        state=state,
        angles=angles,
    )
    return found


def fringe_program(
    *,
    points: int = 25,
    alice: float = 0.0,
    state: str | float = "phi+",
    angles: Sequence[float] | None = None,
) -> tuple[Experiment, dict[str, Any]]:
    """Return what `fringe` runs, and what a score of it needs to know later."""
    from ebit.circuits import fringe as sweep

    return sweep(state=state, alice=alice, angles=angles, points=points), {"kind": "fringe"}


def score_fringe_run(run: Run, purpose: Mapping[str, Any]) -> FringeScore:
    """Score a finished fringe."""
    del purpose
    details = run.experiment.details
    return score_fringe(
        run.trials,
        details["angles"],
        alice=details["alice"],
        ideal=details["curve"],
        state=details["state"],
        **context_of(run),
    )
