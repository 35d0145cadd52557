"""What every remote adapter refuses in the same words."""

from __future__ import annotations

from ebit.backends.model import Compiled
from ebit.games import ArgumentError

__all__ = ["check_submission"]


def check_submission(name: str, compiled: Compiled, seed: int | None) -> None:
    """Refuse a seed, and circuits that were compiled for another backend.

    Args:
        name: of the backend.
        compiled: what is to be sent.
        seed: must be None: a processor takes none.

    Raises:
        ArgumentError: one of the two.
    """
    if seed is not None:
        raise ArgumentError(
            f"argument seed must be left out on a processor, but was {seed!r}: {name} draws its "
            "own randomness"
        )
    if compiled.backend != name:
        raise ArgumentError(
            f"argument compiled must be compiled for {name}, but was for {compiled.backend}: "
            "compile it again"
        )
