"""What can go wrong between a client and Google's server, ordered beforehand and counted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Fault:
    """What is done to the calls that match.

    Args:
        kind: "error" (of a gRPC code), "drop" (an UNAVAILABLE after the call was carried out),
            "slow" (a late reply), "stall" (no reply), "cut" (half of a result).
        call: name of the RPC.
        code: name of the gRPC code of an error.
        times: how often.
        seconds: of a slow or stalled reply.
    """

    kind: str
    call: str
    code: str = "UNAVAILABLE"
    times: int = 1
    seconds: float = 600.0
    hits: int = 0
