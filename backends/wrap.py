"""Objects passed as they are: which adapter takes them."""

from __future__ import annotations

from typing import Any

from ebit.backends.model import Backend
from ebit.games import ArgumentError


def wrap(thing: Any) -> Backend:
    """A backend out of an object.

    Args:
        thing: a backend of ebit, a Qiskit `BackendV2` or local sampler primitive, a
            `cirq.Sampler`, or a `cirq_google.EngineProcessor`.

    Raises:
        ArgumentError: it is none of these.
    """
    if isinstance(thing, Backend):
        return thing
    modules = [base.__module__.partition(".")[0] for base in type(thing).__mro__]
    # Looked up by module name, so that passing a Qiskit object does not import Cirq.
    if any(name.startswith("cirq") for name in modules):
        if "cirq_google" in modules:
            from ebit.backends.google_objects import open_object

            if (processor := open_object(thing)) is not None:
                return processor
        import cirq

        if isinstance(thing, cirq.Sampler):
            from ebit.backends.wrap_cirq import CirqBackend

            return CirqBackend(thing)
    elif hasattr(thing, "run") and _is_qiskit(thing):
        from ebit.backends.wrap_qiskit import QiskitBackend, of_ibm

        if of_ibm(thing) and hasattr(thing, "target"):
            from ebit.backends.ibm import IbmBackend

            return IbmBackend(thing)
        return QiskitBackend(thing)
    raise ArgumentError(
        "argument backend must be a name, a Qiskit BackendV2 or SamplerV2, a cirq.Sampler, or an "
        f"EngineProcessor of cirq_google, but was {type(thing).__name__}"
    )


def _is_qiskit(thing: Any) -> bool:
    from qiskit.primitives import BaseSamplerV2
    from qiskit.providers import BackendV2

    return isinstance(thing, (BackendV2, BaseSamplerV2))
