"""Names of backends: which exist, which can be used here, and what to do about the rest."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Any

from ebit.backends.calibration import load_calibration, processors, shipped
from ebit.backends.model import Backend, Listing
from ebit.games import ArgumentError, MissingExtraError

GROUP = "ebit.backends"
# Families of named backends: the module that opens them, the package it needs, the extra.
_FAMILIES = {
    "ibm": ("ebit.backends.ibm", "qiskit_ibm_runtime", "ibm"),
    "google": ("ebit.backends.google", "cirq_google", "google"),
    "cirq": ("ebit.backends.virtual", "cirq_google", "google"),
}


def open_backend(backend: Any) -> Backend:
    """The backend of a name, or of an object.

    Args:
        backend: "aer", "aer:DEVICE", "cirq", "cirq:PROCESSOR", "ibm:NAME", "google:PROCESSOR", a
            name that an installed package adds, or an object such as `AerSimulator()`, a sampler
            primitive, an IBM backend, `cirq.Simulator()`, or a processor of Google's engine
            (`cirq_google.EngineProcessor`) or its sampler.

    Raises:
        ArgumentError: nothing has that name, or the object is of no known kind.
        MissingExtraError: the name needs a package that is not installed.

    >>> open_backend("aer:fez").describe().num_qubits
    156
    """
    if not isinstance(backend, str):
        from ebit.backends.wrap import wrap

        return wrap(backend)
    kind, colon, rest = backend.partition(":")
    if kind == "aer" and not (colon and not rest):
        from ebit.backends.aer import AerBackend

        if not colon:
            return AerBackend()
        device = rest.removeprefix("fake_").removeprefix("ibm_")
        if device not in processors() and find_spec("qiskit_ibm_runtime") is None:
            raise ArgumentError(_unknown(backend))
        try:
            return AerBackend(load_calibration(device))
        except ArgumentError:
            raise ArgumentError(_unknown(backend)) from None
    if backend == "cirq":
        if find_spec("cirq") is None:
            raise MissingExtraError("backend 'cirq'", "google")
        from ebit.backends.wrap_cirq import CirqBackend

        return CirqBackend()
    if colon and rest and kind in _FAMILIES:
        module, package, extra = _FAMILIES[kind]
        if find_spec(package) is None:
            raise MissingExtraError(f"backend {backend!r}", extra)
        opened: Backend = import_module(module).open_named(rest)
        return opened
    found = _plugins()
    if kind in found:
        factory: Callable[[str | None], Backend] = found[kind].load()
        return factory(rest if colon else None)
    raise ArgumentError(_unknown(backend))


def fetch_provider_job(family: str, id: str, *, progress: object = None) -> Any:
    """The results of a job at a provider, whoever sent it.

    Args:
        family: "ibm" or "google".
        id: the provider's id.
        progress: told of a wait if it has a method ``say``.

    Returns:
        An object with ``id``, ``backend``, ``created`` and ``result``, the client's own.

    Raises:
        ArgumentError: there is no such provider.
        JobError: there is no such job, or it failed.
    """
    providers = [name for name in _FAMILIES if name != "cirq"]
    if family not in providers:
        raise ArgumentError(f"argument family must be {' or '.join(providers)}, but was {family!r}")
    module, package, extra = _FAMILIES[family]
    if find_spec(package) is None:
        raise MissingExtraError(f"a job at {family}", extra)
    return import_module(module).fetch_foreign(id, progress=progress)


def list_backends() -> list[Listing]:
    """Every known backend, usable ones first."""
    runtime = find_spec("qiskit_ibm_runtime") is not None
    listed = [Listing("aer", True, None, "ideal simulator")]
    for name, size in processors().items():
        here = name in shipped() or runtime
        note = f"simulator with the published noise of {name}"
        listed.append(
            Listing(f"aer:{name}", here, size, note if here else "pip install 'ebit[ibm]'")
        )
    here = find_spec("cirq") is not None
    listed.append(
        Listing("cirq", here, None, "ideal simulator of Cirq" if here else "pip install cirq-core")
    )
    for name, point in _plugins().items():
        listed.append(Listing(name, True, None, f"from {point.value.partition(':')[0]}"))
    for kind, (module, package, extra) in _FAMILIES.items():
        if find_spec(package) is None:
            listed.append(Listing(f"{kind}:PROCESSOR", False, None, f"pip install 'ebit[{extra}]'"))
        else:
            listed += import_module(module).listing()
    # Shipped calibrations first among the usable: they need no further package.
    order = {b.name: 2 for b in listed if not b.name.startswith("aer:")}
    order |= {f"aer:{name}": 1 for name in shipped()} | {"aer": 0}
    return sorted(listed, key=lambda b: (not b.usable, order.get(b.name, 3)))


def _plugins() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _unknown(name: str) -> str:
    names = [b.name for b in list_backends() if "PROCESSOR" not in b.name]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(near)}?" if near else "`ebit backends` lists all names"
    return f"argument backend must be a known name, but was {name!r}; {hint}"
