"""The noise a calibration predicts: thermal relaxation, depolarisation, readout errors.

The model is the one of `qiskit_aer.noise.NoiseModel.from_backend`, computed here as plain
superoperators so that small circuits need neither Aer nor a model of the whole chip. It has no
cross-talk, and qubits that wait are not decohered unless the circuit holds explicit delays.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import exp, inf
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ebit.backends.calibration import NOT_GATES, Calibration

Complex = npt.NDArray[np.complex128]
Readout = Literal["symmetric", "reported"]


class DeviceNoise:
    """Channels and assignment matrices of one calibrated processor.

    A superoperator acts on row-major vectors: rho'[i, j] = sum S[(i, j), (k, l)] rho[k, l], with
    the first qubit of a gate the least significant bit of its indices.

    Args:
        calibration: the processor.
        readout: "symmetric" flips both outcomes with the mean assignment error, as Aer does with
            these data; "reported" uses the two reported probabilities.

    Example:
        >>> from ebit.backends import load_calibration
        >>> noise = DeviceNoise(load_calibration("fez"))
        >>> noise.channel("cz", (3, 4)).shape, noise.channel("rz", (3,)) is None
        ((16, 16), True)

    Source:
        Average and entanglement fidelity: Nielsen, Phys. Lett. A 303, 249 (2002), eq. 3.
    """

    def __init__(self, calibration: Calibration, readout: Readout = "symmetric") -> None:
        self.calibration = calibration
        self.readout_kind = readout
        self.key = (calibration.name, calibration.date, calibration.source, readout)
        self._channels: dict[tuple[str, tuple[int, ...]], Complex | None] = {}

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DeviceNoise) and self.key == other.key

    @property
    def dt(self) -> float | None:
        """Sample time in seconds, the unit of delays in `dt`."""
        return self.calibration.dt

    def channel(self, name: str, qubits: tuple[int, ...]) -> Complex | None:
        """Error that follows a gate or a reset: a superoperator (4^m, 4^m), None for no error."""
        known = (name, qubits)
        if known not in self._channels:
            self._channels[known] = self._channel(name, qubits)
        return self._channels[known]

    def delay(self, qubit: int, seconds: float) -> Complex | None:
        """Relaxation while a qubit waits: a superoperator (4, 4), None without T1 and T2."""
        return self._relaxation((qubit,), seconds)

    def assignment(self, qubit: int) -> npt.NDArray[np.float64] | None:
        """Readout matrix A[recorded, true], None where readout errors are not calibrated."""
        data = self.calibration.readout[qubit]
        if data is None:
            return None
        p10, p01 = (
            (data.error, data.error) if self.readout_kind == "symmetric" else (data.p10, data.p01)
        )
        return np.array([[1 - p10, p01], [p10, 1 - p01]])

    def _channel(self, name: str, qubits: tuple[int, ...]) -> Complex | None:
        data = self.calibration.gates.get(name, {}).get(qubits)
        if data is None:
            return None
        relax = self._relaxation(qubits, data.duration) if data.duration else None
        if not data.error or name in NOT_GATES:
            return relax
        d = 2 ** len(qubits)
        # The reported error is 1 - F of relaxation and depolarisation together. Average fidelity
        # from the trace: F = (d F_e + 1) / (d + 1), F_e = tr(S) / d^2.
        fidelity = 1.0 if relax is None else (np.trace(relax).real / d + 1) / (d + 1)
        error = min(data.error, d / (d + 1))
        if error <= 1 - fidelity:
            return relax  # relaxation alone already costs more than was reported
        p = d * (error - 1 + fidelity) / (d * fidelity - 1)
        depol = depolarising(min(p, d * d / (d * d - 1)), len(qubits))
        return depol if relax is None else relax @ depol

    def _relaxation(self, qubits: tuple[int, ...], seconds: float) -> Complex | None:
        times = [(self.calibration.t1[q], self.calibration.t2[q]) for q in qubits]
        if all(t1 is None and t2 is None for t1, t2 in times):
            return None
        singles = [relaxation(t1, t2, seconds) for t1, t2 in times]
        out = singles[0]
        for single in singles[1:]:
            out = tensor(single, out)
        return out


def relaxation(t1: float | None, t2: float | None, seconds: float) -> Complex:
    """Thermal relaxation to 0 of one qubit as a superoperator (4, 4), T2 cut at 2 T1.

    >>> relaxation(None, None, 1e-6).real.tolist() == np.eye(4).tolist()
    True
    """
    long = inf if t1 is None else t1
    cross = min(inf if t2 is None else t2, 2 * long)
    stay = exp(-seconds / long)
    coherent = exp(-seconds / cross)
    out: Complex = np.diag([1, coherent, coherent, stay]).astype(np.complex128)
    out[0, 3] = 1 - stay
    return out


def depolarising(p: float, num_qubits: int) -> Complex:
    """rho -> (1 - p) rho + p tr(rho) I / d, as a superoperator (4^m, 4^m)."""
    d = 2**num_qubits
    identity = np.eye(d).reshape(-1)
    out: Complex = (1 - p) * np.eye(d * d) + p * np.outer(identity, identity) / d + 0j
    return out


def tensor(high: Complex, low: Complex) -> Complex:
    """Superoperator of `high` on more significant qubits beside `low` on less significant ones."""
    h, k = int(np.sqrt(len(high))), int(np.sqrt(len(low)))
    joined: Complex = np.einsum(
        "abcd,efgh->aebfcgdh", high.reshape(h, h, h, h), low.reshape(k, k, k, k)
    )
    return joined.reshape(h * h * k * k, h * h * k * k)


def restricted_target(calibration: Calibration, qubits: Sequence[int]) -> Any:
    """Qiskit `Target` of some qubits of a processor, renumbered 0, 1, ... in the order given."""
    from qiskit.circuit import Delay, IfElseOp, Measure, Parameter, Reset
    from qiskit.circuit.library import get_standard_gate_name_mapping
    from qiskit.transpiler import InstructionProperties, QubitProperties, Target

    standard = get_standard_gate_name_mapping()
    place = {q: i for i, q in enumerate(qubits)}
    target = Target(
        dt=calibration.dt,
        num_qubits=len(qubits),
        qubit_properties=[
            QubitProperties(t1=calibration.t1[q], t2=calibration.t2[q]) for q in qubits
        ],
    )
    for name, table in calibration.gates.items():
        inside = {
            tuple(place[q] for q in key): InstructionProperties(data.duration, data.error)
            for key, data in table.items()
            if all(q in place for q in key)
        }
        operation = Reset() if name == "reset" else standard.get(name)
        if operation is not None and inside:
            target.add_instruction(operation, inside)
    read = {place[q]: calibration.readout[q] for q in qubits}
    target.add_instruction(
        Measure(),
        {
            (i,): InstructionProperties(data.duration, data.error)
            for i, data in read.items()
            if data is not None
        },
    )
    target.add_instruction(Delay(Parameter("t")), {(i,): None for i in range(len(qubits))})
    target.add_instruction(IfElseOp, name="if_else")
    return target


@lru_cache(maxsize=64)
def aer_noise_model(noise: DeviceNoise, qubits: tuple[int, ...]) -> Any:
    """Aer's own `NoiseModel` of some qubits of a processor, renumbered 0, 1, ... as given.

    Built by Aer from the restricted target, so it holds only the qubits in use: Aer then runs
    many times faster than with the model of the whole chip.

    Args:
        noise: of the processor.
        qubits: physical qubits; qubit i of the model is `qubits[i]`.
    """
    from qiskit.providers import BackendV2, Options
    from qiskit_aer.noise import NoiseModel, ReadoutError

    target = restricted_target(noise.calibration, qubits)

    class Snapshot(BackendV2):  # the shape in which Aer wants a target
        @property
        def target(self) -> Any:
            return target

        @property
        def max_circuits(self) -> None:
            return None

        @classmethod
        def _default_options(cls) -> Any:
            return Options()

        def run(self, run_input: Any, **options: Any) -> Any:
            raise NotImplementedError

    model = NoiseModel.from_backend(Snapshot(name=noise.calibration.name), readout_error=False)
    for i, q in enumerate(qubits):
        matrix = noise.assignment(q)
        if matrix is not None:
            model.add_readout_error(ReadoutError(matrix.T), [i])
    return model
