"""Google's grid processors as ebit sees them: numbered qubits, couplings, calibration.

Qubit i is the i-th grid qubit in row-major order. A chip is made either of what cirq-google ships
of a processor (its virtual processors) or of what the Engine answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from importlib.metadata import version
from math import inf
from typing import Any

import cirq
import cirq_google

from ebit.backends.calibration import Calibration, GateData, ReadoutData
from ebit.games import ArgumentError

# Two-qubit gates this program compiles to, best first, and what Google's metrics call them.
ENTANGLERS: dict[str, tuple[Any, str]] = {
    "cz": (cirq.CZ, "cz"),
    "sqrt_iswap": (cirq.SQRT_ISWAP, "sqrt_iswap"),
    "syc": (cirq_google.SYC, "sycamore"),
}
_NS = 1e-9


@dataclass(frozen=True, eq=False)
class Chip:
    """A Google processor.

    Args:
        name: its name with Google.
        device: the `cirq_google.GridDevice`.
        entangler: the two-qubit gate to compile to, a key of `ENTANGLERS`.
        calibration: errors and times by qubit number; what is not reported is None.
        measured: whether the calibration reports errors of the entangler.

    Example:
        >>> chip = virtual_chip("willow_pink")
        >>> chip.entangler, len(chip.grid), chip.labels[0]
        ('cz', 105, '0_6')
    """

    name: str
    device: Any
    entangler: str
    calibration: Calibration
    measured: bool

    @cached_property
    def grid(self) -> tuple[Any, ...]:
        """The grid qubit of each number."""
        return tuple(sorted(self.device.metadata.qubit_set))

    @cached_property
    def index(self) -> Mapping[Any, int]:
        """The number of each grid qubit."""
        return {q: i for i, q in enumerate(self.grid)}

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Google's own name of each qubit: row_column."""
        return tuple(f"{q.row}_{q.col}" for q in self.grid)

    @cached_property
    def positions(self) -> tuple[tuple[float, float], ...]:
        """(column, row) of each qubit."""
        return tuple((float(q.col), float(q.row)) for q in self.grid)

    @property
    def dated(self) -> str | None:
        """Date and source of the calibration, None where there is none."""
        date = self.calibration.date
        return f"{date[:10]}, {self.calibration.source}" if date else None

    def accepts(self, gate: Any) -> bool:
        """Whether a gate is native."""
        return gate in self.device.metadata.gateset

    def seconds(self, gate: Any) -> float:
        """Length of a native gate in seconds, 0 where the device does not say."""
        lengths = self.device.metadata.gate_durations or {}
        found = (span for family, span in lengths.items() if gate in family)
        return max((span.total_picos() * 1e-12 for span in found), default=0.0)


def virtual_processors() -> tuple[str, ...]:
    """Names of the processors that cirq-google ships a calibration and a noise model of."""
    from cirq_google.engine import virtual_engine_factory

    return tuple(virtual_engine_factory.list_virtual_processors())


@lru_cache(maxsize=8)
def virtual_chip(name: str) -> Chip:
    """The processor of that name as cirq-google ships it.

    Raises:
        ArgumentError: it ships none of that name.
    """
    if name not in virtual_processors():
        raise ArgumentError(
            f"argument processor must be one of {', '.join(virtual_processors())}, but was {name!r}"
        )
    source = f"cirq-google {version('cirq-google')}, median calibration of {name}"
    return chip_of(
        name,
        cirq_google.engine.create_device_from_processor_id(name),
        cirq_google.engine.load_median_device_calibration(name),
        source=source,
    )


def chip_of(name: str, device: Any, metrics: Any, *, source: str) -> Chip:
    """A chip out of a grid device and Google's calibration metrics.

    Of the two-qubit gates that the device offers, the first that has a calibrated error is taken,
    so that no simulation passes an unmeasured gate for a perfect one.

    Args:
        name: the processor.
        device: a `cirq_google.GridDevice`.
        metrics: a `cirq_google.Calibration`, None where there is none.
        source: where the metrics come from.

    Raises:
        ArgumentError: the device has none of the gates this program compiles to.
    """
    offered = [k for k, (gate, _) in ENTANGLERS.items() if gate in device.metadata.gateset]
    if not offered:
        raise ArgumentError(
            f"{name} must offer one of {', '.join(ENTANGLERS)} to be compiled for, "
            "but offers none of them"
        )
    errors = {k: _pair_errors(metrics, ENTANGLERS[k][1]) for k in offered}
    known = [k for k in offered if errors[k]]
    entangler = (known or offered)[0]
    bare = Chip(name, device, entangler, _no_calibration, bool(known))
    return Chip(
        name, device, entangler, _calibration(bare, metrics, errors[entangler], source), bool(known)
    )


def _calibration(
    chip: Chip, metrics: Any, errors: Mapping[frozenset[Any], float], source: str
) -> Calibration:
    one = _one_qubit(metrics)
    t1 = {q: 1e-6 * v for q, v in one("single_qubit_idle_t1_micros").items()}
    single = one("single_qubit_rb_average_error_per_gate") or {
        q: v * 2 / 3 for q, v in one("single_qubit_rb_pauli_error_per_gate").items()
    }
    pulse = chip.seconds(cirq.PhasedXZGate(x_exponent=0.5, z_exponent=0, axis_phase_exponent=0))
    t2 = _dephasing(t1, one("single_qubit_rb_incoherent_error_per_gate"), pulse or 25 * _NS)
    p10 = one("single_qubit_p00_error") or one("parallel_p00_error")
    p01 = one("single_qubit_p11_error") or one("parallel_p11_error")
    reading = chip.seconds(cirq.MeasurementGate(1, key="m")) or None

    def readout(q: Any) -> ReadoutData:
        # Google names the errors after the state that was prepared.
        a, b = p10.get(q, 0.0), p01.get(q, 0.0)
        return ReadoutData((a + b) / 2, a, b, reading)

    span = chip.seconds(ENTANGLERS[chip.entangler][0]) or None
    pairs: dict[tuple[int, ...], GateData] = {}
    for pair in sorted(tuple(sorted(p)) for p in chip.device.metadata.qubit_pairs):
        data = GateData(errors.get(frozenset(pair)), span)
        a, b = (chip.index[q] for q in pair)
        pairs[a, b] = pairs[b, a] = data
    stamp = getattr(metrics, "timestamp", 0) or 0
    return Calibration(
        name=chip.name,
        date=datetime.fromtimestamp(stamp / 1000, UTC).isoformat() if stamp else "",
        source=source,
        num_qubits=len(chip.grid),
        dt=None,
        t1=tuple(t1.get(q) for q in chip.grid),
        t2=tuple(t2.get(q) for q in chip.grid),
        readout=tuple(readout(q) for q in chip.grid),
        gates={
            chip.entangler: pairs,
            "phxz": {(i,): GateData(single.get(q), pulse or None) for i, q in enumerate(chip.grid)},
            "z": {(i,): GateData(0.0, 0.0) for i in range(len(chip.grid))},
        },
    )


def _one_qubit(metrics: Any) -> Any:
    def read(name: str) -> dict[Any, float]:
        if metrics is None or name not in metrics:
            return {}
        return {key[0]: float(value[0]) for key, value in metrics[name].items()}

    return read


def _pair_errors(metrics: Any, gate: str) -> dict[frozenset[Any], float]:
    """Average error of a two-qubit gate per pair, while its neighbours work too if reported."""
    if metrics is None:
        return {}
    for name in (f"two_qubit_parallel_{gate}_gate", f"two_qubit_{gate}_gate"):
        # A Pauli error is d + 1 over d times the average error; d = 4.
        for kind, factor in (("average", 1.0), ("pauli", 0.8)):
            metric = f"{name}_xeb_{kind}_error_per_cycle"
            if metric in metrics:
                return {
                    frozenset(key): factor * float(value[0])
                    for key, value in metrics[metric].items()
                }
    return {}


def _dephasing(
    t1: Mapping[Any, float], incoherent: Mapping[Any, float], pulse: float
) -> dict[Any, float]:
    """T2 from T1 and the incoherent error per gate, as Google's noise model reads them.

    The error of a gate of length t is t (1/T1 + 1/Tphi) / 3, and 1/T2 = 1/(2 T1) + 1/Tphi.
    """
    out = {}
    for q, relaxation in t1.items():
        rest = incoherent.get(q, inf) - pulse / (3 * relaxation)
        if rest < inf:
            rate = max(rest, 0.0) * 3 / pulse
            out[q] = 1 / (1 / (2 * relaxation) + rate)
    return out


_no_calibration = Calibration("", "", "", 0, None, (), (), (), {})
