"""The noise model against Aer's own, channel by channel."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit.quantum_info import SuperOp

from ebit.backends.calibration import load_calibration
from ebit.backends.noise import (
    DeviceNoise,
    aer_noise_model,
    depolarising,
    relaxation,
    restricted_target,
    tensor,
)

fake_provider = pytest.importorskip("qiskit_ibm_runtime.fake_provider")
noise_module = pytest.importorskip("qiskit_aer.noise")


def row_major(error):
    """Qiskit's column-stacked superoperator in this package's row-major order."""
    data = SuperOp(error).data
    d = round(len(data) ** 0.5)
    return data.reshape(d, d, d, d).transpose(1, 0, 3, 2).reshape(d * d, d * d)


@pytest.fixture(scope="module")
def fez_model():
    return noise_module.NoiseModel.from_backend(fake_provider.FakeFez())


@pytest.mark.slow
def test_every_channel_of_fez_equals_aers(fez_model):
    # Every qubit would take half a minute in Aer's own conversions; a stride covers the chip.
    noise = DeviceNoise(load_calibration("fez"))
    checked = 0
    for name, table in fez_model._local_quantum_errors.items():
        for qubits, error in list(table.items())[:: 7 if name != "cz" else 23]:
            mine = noise.channel(name, qubits)
            assert mine is not None
            # Shipped numbers carry six digits; errors are below 1, so 2e-6 covers the rounding.
            np.testing.assert_allclose(mine, row_major(error), atol=2e-6, rtol=0)
            checked += 1
    assert checked > 80
    assert noise.channel("rz", (0,)) is None
    assert noise.channel("cz", (0, 100)) is None


@pytest.mark.slow
def test_full_precision_equals_aers_to_rounding(fez_model):
    from ebit.backends.extract import snapshot

    noise = DeviceNoise(snapshot("fez"))
    for name, qubits in [("sx", (3,)), ("x", (155,)), ("reset", (20,)), ("cz", (3, 4))]:
        error = fez_model._local_quantum_errors[name][qubits]
        np.testing.assert_allclose(noise.channel(name, qubits), row_major(error), atol=1e-12)


def test_a_whole_small_device_equals_aers():
    from ebit.backends.extract import snapshot

    model = noise_module.NoiseModel.from_backend(fake_provider.FakeManilaV2())
    noise = DeviceNoise(snapshot("manila"))
    seen = 0
    for name, table in model._local_quantum_errors.items():
        for qubits, error in table.items():
            np.testing.assert_allclose(noise.channel(name, qubits), row_major(error), atol=1e-12)
            seen += 1
    assert seen == sum(
        noise.channel(name, where) is not None
        for name, table in noise.calibration.gates.items()
        for where in table
    )
    for q in range(5):
        read = model._local_readout_errors[(q,)].probabilities
        np.testing.assert_allclose(read.T, noise.assignment(q), atol=1e-12)


@pytest.mark.parametrize("device", ["sherbrooke", "torino"])
def test_pruned_aer_model_equals_ours(device):
    calibration = load_calibration(device)
    noise = DeviceNoise(calibration)
    a, b = min(calibration.directed)
    qubits = (b, a)  # out of order, so that the renumbering is seen
    model = aer_noise_model(noise, qubits)
    seen = 0
    for name, table in model._local_quantum_errors.items():
        for local, error in table.items():
            mine = noise.channel(name, tuple(qubits[i] for i in local))
            np.testing.assert_allclose(mine, row_major(error), atol=1e-12)
            seen += 1
    assert seen >= 9
    for i, q in enumerate(qubits):
        read = model._local_readout_errors[(i,)].probabilities
        np.testing.assert_allclose(read.T, noise.assignment(q), atol=1e-12)


@pytest.mark.slow
def test_readout_is_aers_or_as_reported(fez_model):
    calibration = load_calibration("fez")
    for q in (0, 77, 155):
        aer = fez_model._local_readout_errors[(q,)].probabilities.T
        np.testing.assert_allclose(DeviceNoise(calibration).assignment(q), aer, atol=1e-6)
        data = calibration.readout[q]
        reported = DeviceNoise(calibration, "reported").assignment(q)
        assert reported[1, 0] == data.p10
        assert reported[0, 1] == data.p01
        np.testing.assert_allclose(reported.sum(axis=0), 1)


def test_delay_relaxes_as_the_times_say():
    noise = DeviceNoise(load_calibration("fez"))
    t1 = noise.calibration.t1[5]
    rho = np.array([[0, 0], [0, 1]], dtype=complex).reshape(-1)
    after = noise.delay(5, t1) @ rho
    assert after[3].real == pytest.approx(np.exp(-1))
    assert after[0].real == pytest.approx(1 - np.exp(-1))


def test_gate_error_is_the_reported_average_infidelity():
    # The definition the model starts from: average infidelity of the whole channel.
    noise = DeviceNoise(load_calibration("fez"))
    data = noise.calibration.gates["cz"][(3, 4)]
    d = 4
    fidelity = (np.trace(noise.channel("cz", (3, 4))).real / d + 1) / (d + 1)
    assert 1 - fidelity == pytest.approx(data.error, abs=1e-12)


def test_channels_preserve_the_trace_and_stay_positive():
    rng = np.random.default_rng(5)
    channel = tensor(relaxation(50e-6, 70e-6, 1e-6), depolarising(0.1, 1))
    amplitudes = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
    rho = amplitudes @ amplitudes.conj().T
    out = (channel @ rho.reshape(-1)).reshape(4, 4)
    assert np.trace(out) == pytest.approx(np.trace(rho))
    assert np.linalg.eigvalsh(out).min() > -1e-12


def test_restricted_target_keeps_order_and_direction():
    target = restricted_target(load_calibration("sherbrooke"), (2, 1, 0))
    assert set(target["ecr"]) == {(1, 0), (1, 2)}  # the chip has 1 -> 0 and 1 -> 2
    assert target.num_qubits == 3
    assert set(target["measure"]) == {(0,), (1,), (2,)}
