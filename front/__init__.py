"""ebit: certify entanglement on gate-model quantum processors, and use it.

The names here are loaded when they are first used:

- `bell`: run a Bell test on a backend and score it.
- `chip_map`: a Bell test on every coupled pair of a chip.
- `state`: prepare a state on a backend and say whether it is entangled.
- `score`, `score_wins`: score anybody's trials, counts, results, or number of wins.
- `fringe`: sweep a measuring angle.
- `random_bits`: random bits with a proven amount of entropy; `EbitBits`: numpy's generators on
  them; `Pool`: where bits wait, each handed out once.
- `key`: a secret key between two parties, with what is proven of it.
- `plan`: how many rounds a test needs.
- `begin`, `resume`: send a run and pick it up later, from any process.
- `open_job`, `list_jobs`, `cancel_job`: what the ledger holds.
- `open_backend`, `list_backends`: where circuits can run.
- `read_trials`, `Trials`, `game`: rounds and games.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ebit._version import __version__

if TYPE_CHECKING:
    from ebit.analysis import Score
    from ebit.backends import cancel_job, list_backends, list_jobs, open_backend, open_job
    from ebit.games import EbitError, Trials, game, read_trials
    from ebit.protocols import (
        EbitBits,
        Pool,
        begin,
        bell,
        chip_map,
        fringe,
        key,
        plan,
        random_bits,
        resume,
        score,
        score_wins,
        state,
    )

__all__ = [
    "EbitBits",
    "EbitError",
    "Pool",
    "Score",
    "Trials",
    "__version__",
    "begin",
    "bell",
    "cancel_job",
    "chip_map",
    "fringe",
    "game",
    "key",
    "list_backends",
    "list_jobs",
    "open_backend",
    "open_job",
    "plan",
    "random_bits",
    "read_trials",
    "resume",
    "score",
    "score_wins",
    "state",
]

_HOME = {
    "EbitBits": "ebit.protocols",
    "EbitError": "ebit.games",
    "Pool": "ebit.protocols",
    "Score": "ebit.analysis",
    "Trials": "ebit.games",
    "begin": "ebit.protocols",
    "bell": "ebit.protocols",
    "cancel_job": "ebit.backends",
    "chip_map": "ebit.protocols",
    "fringe": "ebit.protocols",
    "game": "ebit.games",
    "key": "ebit.protocols",
    "list_backends": "ebit.backends",
    "list_jobs": "ebit.backends",
    "open_backend": "ebit.backends",
    "open_job": "ebit.backends",
    "plan": "ebit.protocols",
    "random_bits": "ebit.protocols",
    "read_trials": "ebit.games",
    "resume": "ebit.protocols",
    "score": "ebit.protocols",
    "score_wins": "ebit.protocols",
    "state": "ebit.protocols",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        from importlib import import_module

        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'ebit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
