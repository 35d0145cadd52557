"""Where experiments run: names, compilation, guard, simulators and adapters."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ebit.backends.aer import AerBackend
    from ebit.backends.batch import expected_of
    from ebit.backends.calibration import Calibration, load_calibration, processors
    from ebit.backends.choose import choose_qubits, complete_qubits, predict
    from ebit.backends.compile import compile_for
    from ebit.backends.exact import Distribution, distributions, joint
    from ebit.backends.guard import guard_circuits
    from ebit.backends.jobs import Job, list_jobs, open_job
    from ebit.backends.ledger import Ledger, LedgerError
    from ebit.backends.model import (
        Backend,
        Compiled,
        Description,
        Estimate,
        GuardReport,
        Handle,
        JobState,
        Listing,
        Outcome,
    )
    from ebit.backends.names import fetch_provider_job, list_backends, open_backend
    from ebit.backends.noise import DeviceNoise, aer_noise_model
    from ebit.backends.runs import Stopped, begin, cancel_job, collect

__all__ = [
    "AerBackend",
    "Backend",
    "Calibration",
    "Compiled",
    "Description",
    "DeviceNoise",
    "Distribution",
    "Estimate",
    "GuardReport",
    "Handle",
    "Job",
    "JobState",
    "Ledger",
    "LedgerError",
    "Listing",
    "Outcome",
    "Stopped",
    "aer_noise_model",
    "begin",
    "cancel_job",
    "choose_qubits",
    "collect",
    "compile_for",
    "complete_qubits",
    "distributions",
    "expected_of",
    "fetch_provider_job",
    "guard_circuits",
    "joint",
    "list_backends",
    "list_jobs",
    "load_calibration",
    "open_backend",
    "open_job",
    "predict",
    "processors",
]

_HOME = {
    "open_job": "jobs",
    "list_jobs": "jobs",
    "collect": "runs",
    "cancel_job": "runs",
    "begin": "runs",
    "Stopped": "runs",
    "LedgerError": "ledger",
    "Ledger": "ledger",
    "Job": "jobs",
    "AerBackend": "aer",
    "Backend": "model",
    "Calibration": "calibration",
    "Compiled": "model",
    "Description": "model",
    "DeviceNoise": "noise",
    "Distribution": "exact",
    "Estimate": "model",
    "GuardReport": "model",
    "Handle": "model",
    "JobState": "model",
    "Listing": "model",
    "Outcome": "model",
    "aer_noise_model": "noise",
    "choose_qubits": "choose",
    "compile_for": "compile",
    "complete_qubits": "choose",
    "distributions": "exact",
    "expected_of": "batch",
    "fetch_provider_job": "names",
    "guard_circuits": "guard",
    "joint": "exact",
    "list_backends": "names",
    "load_calibration": "calibration",
    "open_backend": "names",
    "predict": "choose",
    "processors": "calibration",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"ebit.backends.{_HOME[name]}"), name)
    raise AttributeError(f"module 'ebit.backends' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
