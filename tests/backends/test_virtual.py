"""Google's virtual processors: exact by parts, equal to Cirq's own simulation of Google's noise."""

from __future__ import annotations

import numpy as np
import pytest

import ebit
from ebit.backends import joint, open_backend
from ebit.circuits import Group, ParallelTest, bases_agree, chsh, colour_edges, stabilisers
from ebit.games import ArgumentError, GuardError

cirq = pytest.importorskip("cirq")
cirq_google = pytest.importorskip("cirq_google")

from ebit.backends.cirq_guard import guard_native  # noqa: E402
from ebit.backends.virtual import VirtualBackend  # noqa: E402


def by_cirq(name: str, circuit: object, width: int) -> np.ndarray:
    """The distribution of the bits by Cirq's density matrices under Google's noise."""
    properties = cirq_google.engine.load_device_noise_properties(name)
    model = cirq_google.NoiseModelFromGoogleNoiseProperties(properties)
    qubits = sorted(circuit.all_qubits())  # type: ignore[attr-defined]
    noisy = cirq.Circuit(model.noisy_moments(circuit.moments, qubits))  # type: ignore[attr-defined]
    reads = {
        int(cirq.measurement_key_name(op)[1:]): op.qubits[0]
        for op in noisy.all_operations()
        if cirq.is_measurement(op)
    }
    body = cirq.Circuit(op for op in noisy.all_operations() if not cirq.is_measurement(op))
    simulator = cirq.DensityMatrixSimulator(dtype=np.complex128)
    rho = simulator.simulate(body, qubit_order=qubits).final_density_matrix
    cube = np.diag(rho).real.reshape((2,) * len(qubits))
    axes = [qubits.index(reads[b]) for b in sorted(reads, reverse=True)]
    rest = tuple(a for a in range(len(qubits)) if a not in axes)
    kept = sorted(axes)
    return cube.sum(axis=rest).transpose([kept.index(a) for a in axes]).reshape(2**width)


@pytest.mark.parametrize("name", ["willow_pink", "weber", "rainbow"])
@pytest.mark.parametrize("test", [chsh(), chsh(settings="per-shot"), bases_agree("XYZ")])
def test_equal_to_cirq(name: str, test: ebit.Trials) -> None:
    where = VirtualBackend(name)
    compiled = where.compile(test)  # type: ignore[arg-type]
    exact = where.expected(compiled)
    for parts, circuit, width in zip(exact, compiled.circuits, test.widths, strict=True):  # type: ignore[attr-defined]
        gap = joint(parts, width) - by_cirq(name, circuit, width)
        assert np.abs(gap).max() < 1e-12


@pytest.mark.slow
def test_a_wide_state_is_equal_to_cirq() -> None:
    where = VirtualBackend("willow_pink")
    test = stabilisers("ghz", 5, which=[7, 11], layout="chain")
    compiled = where.compile(test)
    for parts, circuit in zip(where.expected(compiled), compiled.circuits, strict=True):
        assert np.abs(joint(parts, 5) - by_cirq("willow_pink", circuit, 5)).max() < 1e-12


@pytest.mark.parametrize(
    ("name", "S"), [("cirq:willow_pink", 2.76), ("cirq:weber", 2.5), ("cirq:rainbow", 2.5)]
)
def test_the_best_pair(name: str, S: float) -> None:
    found = ebit.bell(name, shots=40_000, settings="per-circuit", seed=1)
    assert pytest.approx(S, abs=0.06) == found.S
    assert found.run is not None
    assert found.run.predicted is not None
    assert abs(found.win_rate - found.run.predicted) < 0.01
    assert found.run.labels


def test_one_entangling_gate_for_a_bell_pair() -> None:
    compiled = open_backend("cirq:willow_pink").compile(chsh())
    for circuit in compiled.circuits:
        assert sum(op.gate == cirq.CZ for op in circuit.all_operations()) == 1
        assert circuit.are_all_measurements_terminal()


def test_seeds_repeat() -> None:
    first, again, other = (ebit.bell("cirq:willow_pink", shots=2000, seed=s).S for s in (1, 1, 2))
    assert first == again != other


def test_coins_by_feed_forward_have_the_statistics_of_controlled_ones() -> None:
    where = VirtualBackend("willow_pink")
    feed, plain = chsh(settings="per-shot", coins="feed-forward"), chsh(settings="per-shot")
    qubits = where.compile(plain).qubits
    one, other = where.compile(feed, qubits=qubits), where.compile(plain, qubits=qubits)
    assert any("feed-forward" in a for a in one.assumptions)
    tables = [joint(where.expected(c)[0], 4) for c in (one, other)]
    assert np.abs(tables[0] - tables[1]).max() < 1e-9


@pytest.mark.parametrize("sabotage", ["swap", "drop", "boundary", "keys", "extra"])
def test_a_sabotaged_circuit_is_refused(sabotage: str) -> None:
    where = VirtualBackend("willow_pink")
    test = chsh()
    compiled = where.compile(test)
    victim = compiled.circuits[1]
    moments = list(victim.moments)
    a, b = (where.chip.grid[q] for q in compiled.qubits)
    if sabotage == "swap":
        broken = victim.transform_qubits(lambda q: {a: b, b: a}.get(q, q))
    elif sabotage == "drop":
        broken = cirq.Circuit(moments[:1] + moments[2:])
    elif sabotage == "boundary":
        broken = cirq.Circuit(op.untagged for op in victim.all_operations())
    elif sabotage == "keys":
        broken = cirq.with_measurement_key_mapping(victim, {"c0": "c1", "c1": "c0"})
    else:
        stranger = next(q for q in where.chip.grid if q not in (a, b))
        broken = victim + cirq.Circuit(cirq.X(stranger))
    circuits = (compiled.circuits[0], broken, *compiled.circuits[2:])
    with pytest.raises(GuardError, match="chsh x=0 y=1"):
        guard_native(test, circuits, compiled.qubits, where.chip)


def test_a_chip_wide_map_is_guarded_pair_by_pair() -> None:
    where = VirtualBackend("willow_pink")
    groups = colour_edges(where.calibration.pairs)
    assert len(groups) == 4
    made = ParallelTest("m", (chsh(),), (Group(0, groups[0], "simultaneous"),))
    compiled = where.compile(made)
    assert compiled.guard.status == "exact"
    victim = compiled.circuits[0]
    lost = next(i for i, moment in enumerate(victim) for op in moment if op.gate == cirq.CZ)
    kept = list(victim.moments[lost])[1:]
    broken = cirq.Circuit([*victim.moments[:lost], cirq.Moment(kept), *victim.moments[lost + 1 :]])
    with pytest.raises(GuardError, match="is not what was asked"):
        guard_native(made, (broken, *compiled.circuits[1:]), compiled.qubits, where.chip)


def test_too_wide_a_part_is_refused_in_one_line() -> None:
    with pytest.raises(ArgumentError, match=r"at most 10\): take fewer qubits"):
        ebit.state("ghz:12", "cirq:willow_pink", shots=1000, sample=4, seed=1)


def test_unknown_processor() -> None:
    with pytest.raises(ArgumentError, match="rainbow, weber, willow_pink"):
        open_backend("cirq:willow_red")
