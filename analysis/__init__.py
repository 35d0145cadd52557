"""What rounds are worth: pure functions of arrays, and the scores they make."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ebit.analysis.evidence import EvidencePath
    from ebit.analysis.fringe import score_fringe
    from ebit.analysis.fringe_result import FringeScore
    from ebit.analysis.intervals import Interval
    from ebit.analysis.nosignalling import NoSignalling, no_signalling
    from ebit.analysis.planning import Plan, plan_rounds
    from ebit.analysis.results import Convention, Correlator, Evidence, RunInfo, Score
    from ebit.analysis.scoring import score, score_wins
    from ebit.analysis.state_result import StateScore
    from ebit.analysis.states import score_state

_HOME = {
    "evidence": ("EvidencePath",),
    "fringe": ("score_fringe",),
    "fringe_result": ("FringeScore",),
    "intervals": ("Interval",),
    "nosignalling": ("NoSignalling", "no_signalling"),
    "planning": ("Plan", "plan_rounds"),
    "results": ("Convention", "Correlator", "Evidence", "RunInfo", "Score"),
    "scoring": ("score", "score_wins"),
    "state_result": ("StateScore",),
    "states": ("score_state",),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Convention",
    "Correlator",
    "Evidence",
    "EvidencePath",
    "FringeScore",
    "Interval",
    "NoSignalling",
    "Plan",
    "RunInfo",
    "Score",
    "StateScore",
    "no_signalling",
    "plan_rounds",
    "score",
    "score_fringe",
    "score_state",
    "score_wins",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
