"""Two-qubit and W states: circuits that prepare them, and the vectors they prepare.

Order, everywhere in this room: kets are written with qubit 0 first, |q0 q1 q2 ...>, and a vector's
index has qubit 0 as its least significant bit (Qiskit's order), so that ``Statevector(circuit)``
and the ideal vector compare entry by entry.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit

from ebit.circuits.layout import blank, check_size
from ebit.games import ArgumentError

BellName = Literal["phi+", "phi-", "psi+", "psi-"]
BELL_STATES: tuple[BellName, ...] = get_args(BellName)
Vector = npt.NDArray[np.complex128]


def bell(name: str = "phi+") -> QuantumCircuit:
    """Prepare a Bell state of qubits 0 and 1.

    phi+- = (|00> +- |11>)/sqrt 2, psi+- = (|01> +- |10>)/sqrt 2, kets written |q0 q1>.

    Args:
        name: ``phi+``, ``phi-``, ``psi+`` or ``psi-``.

    Returns:
        A circuit of two qubits with one CX, from qubit 0 to qubit 1.

    Raises:
        ArgumentError: for another name.

    Example:
        >>> bell("psi-").depth(lambda gate: gate.operation.num_qubits == 2)
        1
    """
    name = _bell_name(name)
    circuit = blank(2, name=name)
    circuit.h(0)
    circuit.cx(0, 1)
    if name.startswith("psi"):
        circuit.x(1)
    if name.endswith("-"):
        circuit.z(0)
    return circuit


def bell_vector(name: str = "phi+") -> Vector:
    """Return the vector of a Bell state, qubit 0 the least significant bit of the index.

    >>> (bell_vector("psi-").real * 2**0.5).round(12).tolist()
    [0.0, -1.0, 1.0, 0.0]
    """
    name = _bell_name(name)
    vector = np.zeros(4, dtype=np.complex128)
    sign = -1 if name.endswith("-") else 1
    # |01> has qubit 1 excited, so index 2; |10> is index 1.
    first, second = (0, 3) if name.startswith("phi") else (2, 1)
    vector[first], vector[second] = 1, sign
    return vector / math.sqrt(2)


def partial_pair(angle: float) -> QuantumCircuit:
    """Prepare cos(t)|00> + sin(t)|11> on qubits 0 and 1, t the angle in radians.

    Args:
        angle: t; pi/4 gives phi+, 0 the product state |00>.

    Example:
        >>> partial_pair(0.3).num_qubits
        2
    """
    circuit = blank(2, name="partial-pair")
    circuit.ry(2 * _finite(angle, "angle"), 0)
    circuit.cx(0, 1)
    return circuit


def partial_pair_vector(angle: float) -> Vector:
    """Return cos(t)|00> + sin(t)|11>, qubit 0 the least significant bit of the index.

    >>> partial_pair_vector(0.0).real.tolist()
    [1.0, 0.0, 0.0, 0.0]
    """
    angle = _finite(angle, "angle")
    return np.array([math.cos(angle), 0, 0, math.sin(angle)], dtype=np.complex128)


def w_state(n: int, *, layout: Literal["chain", "tree"] = "chain") -> QuantumCircuit:
    """Prepare the W state of n qubits, (|10...0> + |01...0> + ... + |0...01>)/sqrt n.

    One excitation starts on qubit 0. A block of a controlled Y rotation and a CX leaves it where
    it is with the right amplitude and moves the rest of it on: along the chain 0-1-2-..., or to
    the middle of each half in turn (depth grows as log n, but distant qubits interact).

    Args:
        n: number of qubits, 2 or more.
        layout: ``chain`` (couplings j, j+1 alone) or ``tree``.

    Returns:
        A circuit of n qubits with n-1 blocks.

    Raises:
        ArgumentError: for n below 2 or an unknown layout.

    Example:
        >>> w_state(3).count_ops()["cx"]
        2
    """
    n = check_size(n, name="n", least=2)
    if layout not in ("chain", "tree"):
        raise ArgumentError(f"layout must be 'chain' or 'tree', but was {layout!r}")
    circuit = blank(n, name=f"w-{n}")
    circuit.x(0)
    spans = [(0, n)]
    while spans:
        following: list[tuple[int, int]] = []
        for low, high in spans:
            middle = low + 1 if layout == "chain" else (low + high + 1) // 2
            circuit.cry(2 * math.acos(math.sqrt((middle - low) / (high - low))), low, middle)
            circuit.cx(middle, low)
            following += [s for s in ((low, middle), (middle, high)) if s[1] - s[0] > 1]
        spans = following
    return circuit


def w_vector(n: int) -> Vector:
    """Return the W state of n qubits, qubit 0 the least significant bit of the index.

    >>> (w_vector(2).real**2).round(12).tolist()
    [0.0, 0.5, 0.5, 0.0]
    """
    n = check_size(n, name="n", least=2)
    vector = np.zeros(1 << n, dtype=np.complex128)
    vector[1 << np.arange(n)] = 1 / math.sqrt(n)
    return vector


def _bell_name(name: str) -> str:
    if name not in BELL_STATES:
        raise ArgumentError(f"name must be one of {', '.join(BELL_STATES)}, but was {name!r}")
    return name


def _finite(value: float, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ArgumentError(f"{name} must be a finite angle, but was {value!r}")
    return number
