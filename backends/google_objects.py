"""Objects of Google's client handed in: a processor of an engine, or a sampler of one."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from ebit.backends.google_client import GoogleLine

if TYPE_CHECKING:
    from ebit.backends.google import GoogleBackend

__all__ = ["engine_of", "open_object"]


def open_object(thing: Any) -> GoogleBackend | None:
    """The backend of an object that stands for a processor in Google's engine.

    Args:
        thing: a `cirq_google.EngineProcessor`, or a `cirq_google.ProcessorSampler` of one, whose
            device configuration is kept. How many jobs a sampler sends at once or in a batch is
            not: a run is sent in jobs of our own.

    Returns:
        The backend; None for any other object, such as a sampler of a simulated processor.

    Raises:
        ArgumentError: its project has no such processor, or its credentials are not accepted.
        NetworkError: Google did not answer.
    """
    from cirq_google.engine import EngineProcessor, ProcessorSampler

    from ebit.backends.google import GoogleBackend

    if isinstance(thing, EngineProcessor):
        return GoogleBackend(thing)
    if isinstance(thing, ProcessorSampler) and isinstance(thing.processor, EngineProcessor):
        return GoogleBackend(
            thing.processor,
            device_config_name=thing.device_config_name,
            run_name=thing.run_name,
            snapshot_id=thing.snapshot_id,
        )
    return None


def engine_of(processor: Any, line: GoogleLine) -> Any:
    """The engine that a processor belongs to, with its project, connection and credentials.

    What is the caller's is left as it is. The client of the returned engine shares the connection
    but gives up at the first fault: what is repeated, and how long, is decided and told here.

    Args:
        processor: a `cirq_google.EngineProcessor`.
        line: with the limits of opening the connection, if it is not open yet.

    Raises:
        ArgumentError: no credentials.
    """
    # Here and not in the thread of a call, which ends before the libraries are done with it.
    import cirq_google

    def make() -> Any:
        processor.context.client.grpc_client  # noqa: B018  # one connection, opened once
        context = copy.copy(processor.context)
        context.client = copy.copy(processor.context.client)
        context.client.max_retry_delay_seconds = 0
        context.client.verbose = False
        context.enable_streaming = False
        return cirq_google.Engine(processor.project_id, context=context)

    return line.ask(make, "opening Google's engine")
