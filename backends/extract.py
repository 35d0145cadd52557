"""Extraction of calibrations from the snapshots that qiskit-ibm-runtime carries.

`python -m ebit.backends.extract fez torino` rewrites the files of `data/` (maintainers only).
The snapshots are part of qiskit-ibm-runtime, Apache License 2.0, copyright IBM.
"""

from __future__ import annotations

import json
import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

from qiskit_ibm_runtime.fake_provider import FakeProviderForBackendV2

from ebit.backends.calibration import Calibration
from ebit.backends.target import from_target

DATA = Path(__file__).parent / "data"


def _provider() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one snapshot warns that it is not typical
        return FakeProviderForBackendV2()


def snapshot(name: str) -> Calibration | None:
    """The snapshot of one processor at full precision, None when there is none of that name."""
    found = [b for b in _provider().backends() if b.name == f"fake_{name}"]
    if not found:
        return None
    source = f"qiskit-ibm-runtime {version('qiskit-ibm-runtime')}, fake_{name} (Apache-2.0, IBM)"
    properties = found[0].properties()
    date = properties.last_update_date.isoformat() if properties is not None else "unknown"
    return from_target(name, found[0].target, properties, date=date, source=source)


def main(names: list[str]) -> int:
    """Write the calibrations named, and the list of all names."""
    snapshots = sorted(_provider().backends(), key=lambda b: b.name)
    listing = {
        "source": f"qiskit-ibm-runtime {version('qiskit-ibm-runtime')} (Apache-2.0, IBM)",
        "qubits": {b.name.removeprefix("fake_"): b.num_qubits for b in snapshots},
    }
    _write(DATA / "processors.json", listing)
    for name in names:
        found = snapshot(name)
        if found is None:
            sys.stderr.write(f"no snapshot is named {name!r}\n")
            return 2
        _write(DATA / f"{name}.json", found.to_json())
    return 0


def _write(path: Path, data: dict[str, Any]) -> None:
    # One line per key: small, and a change of calibration shows as a readable difference.
    lines = [f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in data.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8", newline="\n")
    sys.stdout.write(f"{path} {path.stat().st_size} bytes\n")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
