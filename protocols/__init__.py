"""Anything with a peer, a clock or a disk: the Bell test end to end, states, scores of files."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ebit.protocols.bell_test import bell
    from ebit.protocols.fringes import fringe
    from ebit.protocols.mapping import chip_map
    from ebit.protocols.planning import plan
    from ebit.protocols.resuming import begin, estimate_of, resume, score_job
    from ebit.protocols.run import Run, run_experiment
    from ebit.protocols.scoring import score, score_wins
    from ebit.protocols.states import state

__all__ = [
    "Run",
    "begin",
    "bell",
    "chip_map",
    "estimate_of",
    "fringe",
    "plan",
    "resume",
    "run_experiment",
    "score",
    "score_job",
    "score_wins",
    "state",
]

_HOME = {
    "Run": "run",
    "begin": "resuming",
    "bell": "bell_test",
    "chip_map": "mapping",
    "estimate_of": "resuming",
    "fringe": "fringes",
    "plan": "planning",
    "resume": "resuming",
    "run_experiment": "run",
    "score": "scoring",
    "score_job": "resuming",
    "score_wins": "scoring",
    "state": "states",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
