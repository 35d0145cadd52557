"""Anything with a peer, a clock or a disk: the Bell test end to end, states, scores of files."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ebit.protocols.bell_test import bell
    from ebit.protocols.bit_generator import EbitBits
    from ebit.protocols.extracting import extract_bits, extract_file
    from ebit.protocols.fringes import fringe
    from ebit.protocols.key_result import KeyResult
    from ebit.protocols.keys import key
    from ebit.protocols.mapping import chip_map
    from ebit.protocols.planning import plan
    from ebit.protocols.pool import Pool, open_pool
    from ebit.protocols.random_numbers import random_bits
    from ebit.protocols.random_result import RandomBits
    from ebit.protocols.resuming import begin, estimate_of, resume, score_job
    from ebit.protocols.run import Run, run_experiment
    from ebit.protocols.scoring import score, score_wins
    from ebit.protocols.states import state

__all__ = [
    "EbitBits",
    "KeyResult",
    "Pool",
    "RandomBits",
    "Run",
    "begin",
    "bell",
    "chip_map",
    "estimate_of",
    "extract_bits",
    "extract_file",
    "fringe",
    "key",
    "open_pool",
    "plan",
    "random_bits",
    "resume",
    "run_experiment",
    "score",
    "score_job",
    "score_wins",
    "state",
]

_HOME = {
    "EbitBits": "bit_generator",
    "KeyResult": "key_result",
    "Pool": "pool",
    "RandomBits": "random_result",
    "Run": "run",
    "begin": "resuming",
    "bell": "bell_test",
    "chip_map": "mapping",
    "estimate_of": "resuming",
    "extract_bits": "extracting",
    "extract_file": "extracting",
    "fringe": "fringes",
    "key": "keys",
    "open_pool": "pool",
    "plan": "planning",
    "random_bits": "random_numbers",
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
