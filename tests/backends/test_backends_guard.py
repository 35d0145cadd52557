"""The guard lets through what was asked and stops each kind of sabotage."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister

from ebit.backends.calibration import load_calibration
from ebit.backends.compile import compile_for
from ebit.backends.guard import guard_circuits
from ebit.circuits import PREPARED, bases_agree, chsh, ghz, mermin_ghz, stabilisers
from ebit.games import GuardError

FEZ = load_calibration("fez")
PAIR = (3, 4)
CHAIN = (1, 2, 3, 4)


def edited(circuit, change):
    """A copy whose instructions went through `change(index, instruction) -> list`."""
    out = circuit.copy_empty_like()
    for i, item in enumerate(circuit.data):
        for kept in change(i, item):
            out.append(kept)
    return out


def positions(circuit, name):
    return [i for i, item in enumerate(circuit.data) if item.operation.name == name]


def barrier_at(circuit):
    (found,) = (i for i, item in enumerate(circuit.data) if item.operation.label == PREPARED)
    return found


@pytest.mark.parametrize(
    ("experiment", "qubits"),
    [
        (chsh(), PAIR),
        (chsh(state="psi-", swapped=True), (4, 3)),
        (chsh(state="product"), PAIR),
        (chsh(settings="per-shot"), CHAIN),
        (chsh(settings="per-shot", coins="feed-forward", swapped=True), CHAIN),
        (mermin_ghz(4), CHAIN),
        (bases_agree("XYZ"), PAIR),
    ],
    ids=lambda x: getattr(x, "name", None),
)
def test_honest_compilation_is_exact(experiment, qubits):
    report = guard_circuits(experiment, compile_for(experiment, FEZ, qubits), qubits, FEZ)
    assert report.status == "exact"
    assert report.deviation < 1e-12


def sabotaged(experiment, qubits, which, change):
    circuits = list(compile_for(experiment, FEZ, qubits))
    circuits[which] = edited(circuits[which], change)
    return circuits


def stopped(experiment, qubits, circuits, which, match):
    with pytest.raises(GuardError, match=match) as caught:
        guard_circuits(experiment, circuits, qubits, FEZ)
    assert repr(experiment.circuits[which].name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_dropped_gates_are_seen():
    experiment = chsh()
    original = compile_for(experiment, FEZ, PAIR)[2]
    # Every sx and cz; a virtual rz right before a measurement would change nothing.
    for drop in positions(original, "sx") + positions(original, "cz"):
        circuits = sabotaged(experiment, PAIR, 2, lambda i, item, d=drop: [item] * (i != d))
        stopped(experiment, PAIR, circuits, 2, r"before the barrier|measure|outcome")


def test_the_empty_program_is_seen():
    experiment = chsh()
    circuits = sabotaged(
        experiment,
        PAIR,
        0,
        lambda i, item: [item] * (item.operation.name in ("measure", "barrier")),
    )
    stopped(experiment, PAIR, circuits, 0, r"before the barrier|outcome")


def test_swapped_bits_are_seen():
    experiment = chsh()

    def swap(_, item):
        if item.operation.name != "measure":
            return [item]
        (bit,) = item.clbits
        return [item.replace(clbits=[c for c in register if c != bit])]

    circuits = list(compile_for(experiment, FEZ, PAIR))
    register = list(circuits[1].clbits)
    circuits[1] = edited(circuits[1], swap)
    stopped(experiment, PAIR, circuits, 1, r"bit 0 reads qubits \[4\], not \[3\]")


@pytest.mark.parametrize("how", ["removed", "unlabelled", "narrow", "moved"])
def test_a_merged_barrier_is_seen(how):
    experiment = chsh()

    def change(i, item):
        if item.operation.label != PREPARED:
            return [item]
        if how == "removed":
            return []
        if how == "unlabelled":
            plain = item.operation.copy()
            plain.label = None
            return [item.replace(operation=plain)]
        from qiskit.circuit.library import Barrier

        return [item.replace(operation=Barrier(1, label=PREPARED), qubits=item.qubits[:1])]

    circuits = list(compile_for(experiment, FEZ, PAIR))
    if how == "moved":
        # One gate of the measurement slips in front of the barrier.
        data = list(circuits[0].data)
        at = barrier_at(circuits[0])
        data[at], data[at + 1] = data[at + 1], data[at]
        moved = circuits[0].copy_empty_like()
        for item in data:
            moved.append(item)
        circuits[0] = moved
    else:
        circuits[0] = edited(circuits[0], change)
    stopped(experiment, PAIR, circuits, 0, "barrier")


def test_another_qubit_is_seen():
    experiment = chsh()
    circuits = compile_for(experiment, FEZ, PAIR)
    moved = []
    for circuit in circuits:
        wide = circuit.copy_empty_like()
        shift = {3: 4, 4: 5}
        for item in circuit.data:
            where = [wide.qubits[shift[circuit.find_bit(q).index]] for q in item.qubits]
            wide.append(item.replace(qubits=where))
        moved.append(wide)
    stopped(experiment, PAIR, moved, 0, "not asked for")


def test_a_rotation_that_only_another_setting_would_show_is_seen():
    # Bob's basis is turned the wrong way: on phi+ with Alice in Z the correlator cos(b) is the
    # same, so this circuit's own outcomes cannot tell.
    experiment = chsh()
    source = experiment.circuits[0]
    turned = QuantumCircuit(QuantumRegister(156, "q"), ClassicalRegister(2, "c"), name=source.name)
    turned.h(3)
    turned.cx(3, 4)
    turned.barrier(3, 4, label=PREPARED)
    turned.ry(np.pi / 4, 4)  # asked: -pi / 4
    turned.measure([3, 4], [0, 1])
    circuits = list(compile_for(experiment, FEZ, PAIR))
    honest = turned.copy_empty_like()
    for item in turned.data:
        if item.operation.name == "ry":
            honest.ry(-np.pi / 4, 4)
        else:
            honest.append(item)
    assert guard_circuits(experiment, [honest, *circuits[1:]], PAIR).status == "exact"
    with pytest.raises(GuardError, match="bits 1 measure"):
        guard_circuits(experiment, [turned, *circuits[1:]], PAIR)


def test_gates_must_be_native_and_in_their_direction():
    experiment = chsh()
    device = load_calibration("sherbrooke")
    circuits = compile_for(experiment, device, (0, 1))
    assert guard_circuits(experiment, circuits, (0, 1), device).status == "exact"

    def reverse(_, item):
        return [item.replace(qubits=item.qubits[::-1]) if item.operation.name == "ecr" else item]

    with pytest.raises(GuardError, match="ecr on 0,1 is not native"):
        guard_circuits(experiment, [edited(c, reverse) for c in circuits], (0, 1), device)
    with pytest.raises(GuardError, match="not native"):
        guard_circuits(experiment, experiment.circuits, (0, 1), device)


def test_coins_must_be_measured_before_they_act():
    # Measuring the coin after its controlled rotation has the same statistics, but the round's
    # setting would not be fixed when the basis turns.
    experiment = chsh(settings="per-shot")
    (circuit,) = compile_for(experiment, FEZ, CHAIN)
    first = positions(circuit, "measure")[0]
    last = circuit.copy_empty_like()
    for i, item in enumerate(circuit.data):
        if i != first:
            last.append(item)
    last.append(circuit.data[first])
    stopped(experiment, CHAIN, [last], 0, "bit 0 is read after its qubit has met another")


def wide(n, device="fez"):
    """A chain of n coupled qubits, by depth-first search."""
    calibration = load_calibration(device)

    def grow(path):
        if len(path) == n:
            return path
        for q in calibration.neighbours[path[-1]]:
            if q not in path and (found := grow([*path, q])):
                return found
        return None

    return tuple(grow([0]))


def test_wide_clifford_circuits_are_compared_by_stabilisers():
    experiment = stabilisers("ghz", 20, which=[0, 3])
    qubits = wide(20)
    circuits = compile_for(experiment, FEZ, qubits)
    assert guard_circuits(experiment, circuits, qubits, FEZ).status == "stabiliser"
    at = barrier_at(circuits[0])
    drop = max(i for i in positions(circuits[0], "cz") if i < at)
    bad = [edited(circuits[0], lambda i, item: [item] * (i != drop)), *circuits[1:]]
    with pytest.raises(GuardError, match=r"stabilisers|outcomes"):
        guard_circuits(experiment, bad, qubits, FEZ)
    # A sign alone: one extra flip keeps the subspace's directions.
    flipped = circuits[0].copy_empty_like()
    for i, item in enumerate(circuits[0].data):
        if i == at:
            flipped.x(qubits[7])
        flipped.append(item)
    with pytest.raises(GuardError, match=r"stabilisers|outcomes"):
        guard_circuits(experiment, [flipped, *circuits[1:]], qubits, FEZ)


def test_wide_circuits_beyond_clifford_say_unchecked():
    from ebit.circuits import Experiment, Readout
    from ebit.games import stabilisers as game

    n = 16
    circuit = QuantumCircuit(QuantumRegister(n, "q"), ClassicalRegister(n, "c"), name="odd")
    circuit.compose(ghz(n), inplace=True)
    circuit.rx(0.3, 0)
    circuit.barrier(label=PREPARED)
    circuit.measure(range(n), range(n))
    small = game("ghz", n, which=[0])
    experiment = Experiment(
        name="odd",
        game=small,
        circuits=(circuit,),
        readouts=(Readout(0, ((),) * n, tuple((i,) for i in range(n))),),
        parties=tuple((i,) for i in range(n)),
        roles=tuple(f"P{i}" for i in range(n)),
    )
    qubits = wide(n)
    report = guard_circuits(experiment, compile_for(experiment, FEZ, qubits), qubits, FEZ)
    assert report.status == "unchecked"
    assert "too wide" in report.detail
