"""IBM's processors."""

from __future__ import annotations

from ebit.backends.model import Backend, Listing
from ebit.games import ArgumentError


def open_named(name: str) -> Backend:
    """The backend `ibm:{name}`."""
    raise ArgumentError(f"backend 'ibm:{name}' cannot be used yet")


def listing() -> list[Listing]:
    """What `ebit backends` says of them, without asking anybody on the network."""
    return [Listing("ibm:PROCESSOR", False, None, "not yet")]
