"""Objects passed as they are: order of bits, seeds, refusals."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.primitives import BackendSamplerV2, StatevectorSampler

from ebit.backends import AerBackend, Backend, open_backend
from ebit.backends.wrap_cirq import bits_of_result
from ebit.circuits import PREPARED, Experiment, Readout, chsh
from ebit.games import ArgumentError, chained_chsh

aer = pytest.importorskip("qiskit_aer")


def aer_sampler(**options):
    from qiskit_aer.primitives import SamplerV2

    return SamplerV2(**options)


def cirq_simulator():
    import cirq

    return cirq.Simulator()


def asymmetric(*, conditional=False):
    """Ten bits, of which 9, 4, 0 and 2 are 1 with probabilities .96, .35, .71 and 1."""
    circuit = QuantumCircuit(QuantumRegister(4, "q"), ClassicalRegister(10, "c"), name="asymmetric")
    circuit.ry(2 * np.arcsin(0.96**0.5), 0)
    circuit.ry(2 * np.arcsin(0.35**0.5), 1)
    circuit.ry(2 * np.arcsin(0.71**0.5), 2)
    circuit.barrier(label=PREPARED)
    circuit.measure([0, 1, 2], [9, 4, 0])
    if conditional:
        with circuit.if_test((circuit.clbits[9], 1)):
            circuit.x(3)
        circuit.measure(3, 2)
    return Experiment(
        name="asymmetric",
        game=chained_chsh(2),
        circuits=(circuit, circuit.copy(name="again")),
        readouts=(Readout(0, ((), ()), ((0,), (4,))), Readout(1, ((), ()), ((0,), (4,)))),
        parties=((0,), (1,)),
        roles=("A", "B", "other", "target"),
    )


OBJECTS = {
    "AerSimulator": lambda: aer.AerSimulator(),
    "Aer SamplerV2": aer_sampler,
    "StatevectorSampler": StatevectorSampler,
    "BackendSamplerV2": lambda: BackendSamplerV2(backend=aer.AerSimulator()),
    "cirq.Simulator": cirq_simulator,
    "name cirq": lambda: "cirq",
    "name aer": lambda: "aer",
}


def shots_of(backend, experiment, shots=8000, seed=5, id="x"):
    compiled = backend.compile(experiment)
    return backend.fetch(backend.submit(compiled, shots=shots, id=id, seed=seed))


@pytest.mark.parametrize("kind", OBJECTS)
@pytest.mark.parametrize("conditional", [False, True])
def test_bits_come_in_order(kind, conditional):
    if conditional and kind == "StatevectorSampler":
        pytest.skip("it runs no measurement in the middle")
    backend = open_backend(OBJECTS[kind]())
    assert isinstance(backend, Backend)
    experiment = asymmetric(conditional=conditional)
    compiled = backend.compile(experiment)
    assert compiled.guard.status == ("unchecked" if "cirq" in kind else "exact")
    shots = 2000 if conditional else 8000  # Cirq takes a thousand conditional shots a second
    outcome = shots_of(backend, experiment, shots)
    for circuit in range(2):
        bits = outcome.shots.bits(circuit).astype(float)
        assert bits.shape == (shots // 2, 10)
        expected = np.zeros(10)
        expected[[9, 4, 0]] = 0.96, 0.35, 0.71
        if conditional:
            expected[2] = 0.96
            np.testing.assert_array_equal(bits[:, 2], bits[:, 9])
        np.testing.assert_allclose(bits.mean(axis=0), expected, atol=0.07)
    # Two circuits of one run must not share their random numbers.
    assert not np.array_equal(outcome.shots.packed[0], outcome.shots.packed[1])


@pytest.mark.parametrize("kind", OBJECTS)
def test_chsh_reaches_tsirelson_on_every_object(kind):
    backend = open_backend(OBJECTS[kind]())
    experiment = chsh(state="psi-")
    outcome = shots_of(backend, experiment, shots=40_000)
    trials = experiment.decode(outcome.shots)
    counts = trials.game_counts(experiment.game)
    behaviour = counts / counts.sum(axis=(1, 2), keepdims=True)
    assert experiment.game.bell_value(behaviour) == pytest.approx(8**0.5, abs=0.06)
    assert backend.compile(experiment).guard.status == "exact"
    assert backend.describe().kind == "simulator"


@pytest.mark.parametrize("kind", OBJECTS)
def test_seeds_repeat_a_run(kind):
    one, two, other = (
        shots_of(open_backend(OBJECTS[kind]()), chsh(), 400, seed=s).shots.packed[0]
        for s in (7, 7, 8)
    )
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    "make",
    [
        lambda: StatevectorSampler(seed=3),
        lambda: aer_sampler(seed=3),
        lambda: BackendSamplerV2(backend=aer.AerSimulator(), options={"seed_simulator": 3}),
        lambda: aer.AerSimulator(seed_simulator=3),
    ],
)
def test_an_object_with_its_own_seed_gives_new_shots_at_each_call(make):
    inner = make()
    first = shots_of(open_backend(inner), chsh(), 400, seed=None)
    second = shots_of(open_backend(inner), chsh(), 400, seed=None)
    assert not np.array_equal(first.shots.packed[0], second.shots.packed[0])
    # Another object with the same seed repeats the whole series.
    again = shots_of(open_backend(make()), chsh(), 400, seed=None)
    np.testing.assert_array_equal(first.shots.packed[0], again.shots.packed[0])
    assert first.seed == again.seed != second.seed


def test_a_device_object_is_compiled_for_and_chosen_on():
    provider = pytest.importorskip("qiskit_ibm_runtime.fake_provider")
    experiment = chsh()
    backend = open_backend(provider.FakeFez())
    compiled = backend.compile(experiment)
    assert tuple(sorted(compiled.qubits)) == (96, 103)  # as aer:fez chooses
    assert compiled.guard.status == "exact"
    assert compiled.predicted == pytest.approx(0.847, abs=0.001)
    with pytest.raises(ArgumentError, match="coupled"):
        backend.compile(experiment, qubits=(3, 5))


def test_a_noisy_object_scores_as_its_calibration_predicts():
    # Aer's own model of the whole device against ours of the two qubits in use.
    provider = pytest.importorskip("qiskit_ibm_runtime.fake_provider")
    backend = open_backend(aer.AerSimulator.from_backend(provider.FakeManilaV2()))
    experiment = chsh()
    compiled = backend.compile(experiment, qubits=(3, 4))
    assert compiled.guard.status == "exact"
    outcome = backend.fetch(backend.submit(compiled, shots=40_000, id="x", seed=5))
    _, won = experiment.decode(outcome.shots).question_outcomes(experiment.game)
    ours = open_backend("aer:manila").compile(experiment, qubits=(3, 4)).predicted
    assert won.mean() == pytest.approx(ours, abs=5 * 0.38 / 40_000**0.5)


def test_a_device_object_measures_the_qubits_asked_for():
    generic = pytest.importorskip("qiskit.providers.fake_provider").GenericBackendV2(
        5, coupling_map=[[0, 1], [1, 2], [2, 3], [3, 4]], seed=1
    )
    backend = open_backend(generic)
    compiled = backend.compile(chsh(), qubits=(3, 2))
    for circuit in compiled.circuits:
        used = {circuit.find_bit(q).index for i in circuit.data for q in i.qubits}
        assert used == {2, 3}


def test_int8_records_do_not_overflow():
    records = {
        "c1": np.array([[[1]], [[-128]], [[0]]], dtype=np.int8),
        "c3": np.ones((3, 2, 1), dtype=np.uint8),
    }
    bits = bits_of_result(SimpleNamespace(records=records), 4)
    assert bits.tolist() == [[0, 1, 0, 1], [0, 1, 0, 1], [0, 0, 0, 1]]


def test_the_guard_sees_a_wrong_translation(monkeypatch):
    from ebit.games import GuardError

    experiment = chsh()
    honest = experiment.to_cirq()
    monkeypatch.setattr(type(experiment), "to_cirq", lambda self: honest[::-1])
    with pytest.raises(GuardError, match="chsh x=0"):
        open_backend("cirq").compile(experiment)


def test_coins_in_cirq_are_compared_too():
    for coins in ("controlled", "feed-forward"):
        experiment = chsh(settings="per-shot", coins=coins)
        compiled = open_backend("cirq").compile(experiment)
        assert compiled.guard.status == "exact"


def test_backends_of_ours_pass_through_and_the_rest_is_refused():
    mine = AerBackend()
    assert open_backend(mine) is mine
    for thing in (3, None, object(), aer.AerSimulator, [1]):
        with pytest.raises(ArgumentError, match="must be a name"):
            open_backend(thing)


def test_real_processors_are_refused_in_one_line():
    pytest.importorskip("qiskit_ibm_runtime")
    from qiskit_ibm_runtime.ibm_backend import IBMBackend

    from ebit.backends.wrap_qiskit import QiskitBackend

    real = IBMBackend.__new__(IBMBackend)
    with pytest.raises(ArgumentError, match="ibm:ibm_fez"):
        QiskitBackend(real)


def test_errors_of_a_sampler_are_one_line():
    from ebit.games import EbitError

    experiment = chsh(settings="per-shot", coins="feed-forward")
    backend = open_backend(StatevectorSampler())
    with pytest.raises(EbitError) as caught:
        shots_of(backend, experiment, 100)
    assert "\n" not in str(caught.value)
