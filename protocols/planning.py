"""How many rounds a test needs, at an expected score or at one predicted from a calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ebit.analysis import Plan, plan_rounds
from ebit.games import ArgumentError, Game
from ebit.games import game as game_by_name

if TYPE_CHECKING:
    from ebit.analysis.entropy_plan import EntropyPlan

__all__ = ["expected_win_rate", "plan", "plan_random"]


def plan(
    game: Game | str = "chsh",
    *,
    S: float | None = None,
    win_rate: float | None = None,
    backend: str | object | None = None,
    p_value: float = 1e-6,
    evidence: float = 1e6,
    power: float = 0.9,
    tau: float = 0.0,
) -> Plan:
    """Return the rounds needed for a p-value, and for an amount of evidence.

    Args:
        game: the game to be played.
        S: expected sum of signed correlators; or
        win_rate: expected win rate; or
        backend: where a CHSH test with coin qubits is to run: its calibration predicts it.
        p_value: p-value wanted from the fixed-n test.
        evidence: e-value wanted from the anytime-valid test.
        power: chance of reaching the p-value.
        tau: how far settings can be predicted beyond 1/2.

    Raises:
        ArgumentError: not exactly one expectation, or one that the null reaches too.
    """
    played = game_by_name(game) if isinstance(game, str) else game
    expected = expected_win_rate(played, S=S, win_rate=win_rate, backend=backend)
    return plan_rounds(
        played,
        expected,
        p_value=p_value,
        evidence=evidence,
        power=power,
        tau=tau,
        coins=backend is not None,
    )


def plan_random(S: float, bits: float, *, epsilon: float = 2.0**-40) -> EntropyPlan:
    """Return the rounds that each method needs for so many bits of entropy at an expected S.

    Args:
        S: expected CHSH value.
        bits: of smooth min-entropy; hashing takes 2 log2(1/epsilon) - 2 of them.
        epsilon: given to each method.

    Raises:
        ArgumentError: an argument out of range.

    Example:
        >>> plan_random(2.6, 1000).rows[0].method
        'pef'
    """
    from ebit.analysis.entropy_plan import plan_entropy

    return plan_entropy(S, bits, epsilon=epsilon)


def expected_win_rate(
    game: Game | str,
    *,
    S: float | None = None,
    win_rate: float | None = None,
    backend: str | object | None = None,
) -> float:
    """Return the win rate that exactly one expectation stands for.

    Raises:
        ArgumentError: none or several.
    """
    played = game_by_name(game) if isinstance(game, str) else game
    given = [
        name
        for name, v in (("S", S), ("win_rate", win_rate), ("backend", backend))
        if v is not None
    ]
    if len(given) != 1:
        raise ArgumentError(
            f"give one expectation (S, win_rate or backend), but got {', '.join(given) or 'none'}"
        )
    if backend is not None:
        return _predicted(played, backend)
    if S is not None:
        return (1 + S / played.n_questions) / 2
    return float(win_rate or 0.0)


def _predicted(game: Game, backend: str | object) -> float:
    from ebit.backends import open_backend
    from ebit.circuits import chsh

    if game.name != "chsh":
        raise ArgumentError("backend predicts the chsh game only; give S or win_rate instead")
    compiled = open_backend(backend).compile(chsh(settings="per-shot"))
    if compiled.predicted is None:
        raise ArgumentError("this backend has no calibration to predict from: give S or win_rate")
    return compiled.predicted
