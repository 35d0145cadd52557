"""The built-in simulator behind the verbs of a backend."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from ebit.backends import AerBackend, Backend, Handle, load_calibration, open_backend
from ebit.circuits import chsh, mermin_ghz, stabilisers
from ebit.games import ArgumentError


def run(backend, experiment, shots, *, seed, qubits=None, id="run"):
    compiled = backend.compile(experiment, qubits=qubits)
    handle = backend.submit(compiled, shots=shots, id=id, seed=seed)
    return compiled, handle, backend.fetch(handle)


def bell_value(experiment, outcome):
    trials = experiment.decode(outcome.shots)
    counts = trials.game_counts(experiment.game)
    behaviour = counts / counts.sum(axis=tuple(range(1, counts.ndim)), keepdims=True)
    return float(experiment.game.bell_value(behaviour))


@pytest.mark.parametrize("state", ["phi+", "phi-", "psi+", "psi-"])
@pytest.mark.parametrize("settings", ["per-circuit", "per-shot"])
@pytest.mark.parametrize("swapped", [False, True])
def test_ideal_bell_states_reach_tsirelson(state, settings, swapped):
    experiment = chsh(state=state, settings=settings, swapped=swapped)
    _, _, outcome = run(AerBackend(), experiment, 200_000, seed=3)
    assert bell_value(experiment, outcome) == pytest.approx(8**0.5, abs=0.02)


def test_a_device_scores_below_and_as_predicted():
    # The same experiment on the same pair scores alike for every Bell state.
    backend = open_backend("aer:fez")
    scores = []
    for state in ("phi+", "phi-", "psi+", "psi-"):
        for qubits in ((3, 4), (4, 3)):
            experiment = chsh(state=state)
            compiled, _, outcome = run(
                backend, experiment, 200_000, seed=5, qubits=qubits, id=f"{state}{qubits}"
            )
            assert compiled.qubits == qubits
            scores.append(bell_value(experiment, outcome))
            predicted = 8 * (compiled.predicted - 0.5)  # uniform questions: S = 8 (w - 1/2)
            assert scores[-1] == pytest.approx(predicted, abs=0.02)
    assert max(scores) - min(scores) < 0.04
    assert 2.6 < min(scores) < max(scores) < 2.8


def test_a_product_state_stays_below_the_product_bound():
    experiment = chsh(state="product")
    for name in ("aer", "aer:fez"):
        _, _, outcome = run(open_backend(name), experiment, 200_000, seed=3)
        # Five standard errors of 50,000 shots per setting.
        assert bell_value(experiment, outcome) < 2**0.5 + 0.037


def test_handles_are_plain_data_and_runs_repeat_by_seed():
    backend = open_backend("aer:torino")
    experiment = chsh()
    compiled, handle, outcome = run(backend, experiment, 4001, seed=11)
    assert handle.shots == (1000,) * 4
    assert Handle.from_dict(json.loads(json.dumps(handle.to_dict()))) == handle
    assert backend.find("run") == handle
    assert backend.find("other") is None
    # The same id is the same run: a repeated call takes no second one.
    assert backend.submit(compiled, shots=8, id="run", seed=1) == handle
    again = backend.fetch(Handle.from_dict(handle.to_dict()))
    for a, b in zip(outcome.shots.packed, again.shots.packed, strict=True):
        np.testing.assert_array_equal(a, b)
    fresh = AerBackend(load_calibration("torino"))
    _, _, same = run(fresh, chsh(), 4001, seed=11, id="elsewhere", qubits=compiled.qubits)
    np.testing.assert_array_equal(same.shots.packed[2], outcome.shots.packed[2])
    backend.cancel(handle)
    with pytest.raises(ArgumentError, match="submit it again"):
        backend.fetch(handle)


def test_a_missing_seed_is_drawn_and_recorded():
    backend = AerBackend()
    compiled = backend.compile(chsh())
    seeds = {backend.submit(compiled, shots=4, id=str(i)).seed for i in range(5)}
    assert len(seeds) == 5
    handle = backend.submit(compiled, shots=4, id="0")
    assert backend.fetch(handle).seed == handle.seed
    assert any(f"seed {handle.seed}" in text for text in backend.fetch(handle).assumptions)


@pytest.mark.parametrize("bad", [{"shots": 0}, {"shots": -5}, {"seed": -1}, {"seed": 1.5}])
def test_wrong_arguments_are_refused(bad):
    backend = AerBackend()
    compiled = backend.compile(chsh())
    with pytest.raises(ArgumentError) as caught:
        backend.submit(compiled, **({"shots": 100, "id": "x"} | bad))
    assert "\n" not in str(caught.value)
    with pytest.raises(ArgumentError):
        backend.compile(chsh(), qubits=(0, 0))


def test_the_result_names_its_method_and_assumptions():
    _, _, outcome = run(open_backend("aer:fez"), chsh(), 400, seed=1)
    assert "exact" in outcome.method
    text = " ".join(outcome.assumptions)
    for words in ("cross-talk", "idle qubits are not decohered", "pseudo-random, seed 1"):
        assert words in text
    assert outcome.not_given
    _, _, ideal = run(AerBackend(), stabilisers("ghz", 20, which=[0]), 100, seed=1)
    assert "stim" in ideal.method or "exact" in ideal.method
    assert json.dumps(dict(outcome.metadata))


def test_descriptions_estimates_and_progress():
    backend = open_backend("aer:sherbrooke")
    assert isinstance(backend, Backend)
    told = backend.describe()
    assert told.kind == "simulator"
    assert told.num_qubits == 127
    assert "2025-02-26" in told.calibration
    assert (1, 0) in told.couplings
    estimate = backend.estimate(chsh(), 10_000)
    assert estimate.shots == 10_000
    assert 0 < estimate.seconds < 1
    seen = []
    compiled = AerBackend().compile(mermin_ghz(3))
    simulator = AerBackend()
    handle = simulator.submit(compiled, shots=4000, id="p", seed=1)
    simulator.fetch(handle, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (4000, 4000)


def test_small_experiments_import_neither_aer_nor_stim():
    # Both cost more than the experiment itself.
    code = (
        "import sys; from ebit.backends import open_backend; from ebit.circuits import chsh\n"
        "for name in ('aer', 'aer:fez'):\n"
        "    b = open_backend(name); c = b.compile(chsh())\n"
        "    b.fetch(b.submit(c, shots=1000, id='x'))\n"
        "heavy = {'qiskit_aer', 'stim', 'cirq', 'qiskit_ibm_runtime', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
