"""The processors of the IBM server: the client's own snapshots, as the API would send them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any


@dataclass
class Device:
    """One processor.

    Args:
        name: as users know it.
        snapshot: the snapshot of the client's collection, and of ebit's, that it copies.
        state: whether it takes jobs.
        status: the provider's word for it.
        limits: entries of the configuration that differ from the snapshot's.
    """

    name: str
    snapshot: str
    state: bool = True
    status: str = "active"
    limits: dict[str, Any] | None = None

    def configuration(self) -> dict[str, Any]:
        found = dict(_read(self.snapshot, "conf"))
        found["backend_name"] = self.name
        found.update(self.limits or {})
        return found

    def properties(self) -> dict[str, Any]:
        return {**_read(self.snapshot, "props"), "backend_name": self.name}

    def line(self, queue: int) -> dict[str, Any]:
        """Its entry in the list of devices."""
        conf = self.configuration()
        return {
            "name": self.name,
            "qubits": conf["n_qubits"],
            "status": {"name": "online" if self.state else "offline", "reason": self.status},
            "is_simulator": False,
            "queue_length": queue,
            "processor_type": conf.get("processor_type", {}),
        }


def devices() -> dict[str, Device]:
    """What a new server offers."""
    listed = [
        Device("ibm_fez", "fez"),
        Device("ibm_manila", "manila"),
        Device("ibm_lima", "lima", limits={"max_shots": 300, "max_experiments": 3}),
        Device("ibm_torino", "torino", state=False, status="maintenance"),
    ]
    return {device.name: device for device in listed}


@cache
def _read(snapshot: str, kind: str) -> dict[str, Any]:
    # The package is not imported for this: that takes longer than the server needs to start.
    spec = find_spec("qiskit_ibm_runtime")
    if spec is None or spec.origin is None:
        raise RuntimeError("the IBM server needs qiskit-ibm-runtime")
    folder = Path(spec.origin).parent / "fake_provider" / "backends" / snapshot
    data: dict[str, Any] = json.loads((folder / f"{kind}_{snapshot}.json").read_text("utf-8"))
    return data
