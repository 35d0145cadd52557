"""Shipped calibrations against the snapshots they were taken from."""

from __future__ import annotations

import json
import sys
from importlib import resources

import pytest

from ebit.backends.calibration import Calibration, load_calibration, processors, shipped
from ebit.games import ArgumentError, MissingExtraError


def test_three_processors_ship_small_with_date_and_source():
    assert {"fez", "torino", "sherbrooke"} <= set(shipped())
    folder = resources.files("ebit.backends").joinpath("data")
    for name in shipped():
        text = folder.joinpath(f"{name}.json").read_bytes()
        assert len(text) < 100_000
        data = json.loads(text)
        assert data["date"].startswith("20")
        assert "qiskit-ibm-runtime" in data["source"]
        assert "Apache-2.0" in data["source"]
    assert len(processors()) >= 68


@pytest.mark.parametrize("name", ["fez", "torino", "sherbrooke"])
def test_shipped_numbers_are_the_snapshots(name):
    provider = pytest.importorskip("qiskit_ibm_runtime.fake_provider")
    backend = provider.FakeProviderForBackendV2().backend(f"fake_{name}")
    mine, target, properties = load_calibration(name), backend.target, backend.properties()
    assert mine.num_qubits == processors()[name] == backend.num_qubits
    assert mine.directed == set(backend.coupling_map.get_edges())
    for q in range(mine.num_qubits):
        assert mine.t1[q] == pytest.approx(properties.t1(q), rel=1e-5)
        assert mine.t2[q] == pytest.approx(properties.t2(q), rel=1e-5)
        assert mine.readout[q].error == pytest.approx(properties.readout_error(q), rel=1e-5)
        p10 = properties.qubit_property(q, "prob_meas1_prep0")[0]
        p01 = properties.qubit_property(q, "prob_meas0_prep1")[0]
        assert mine.readout[q].p10 == pytest.approx(p10, rel=1e-5)
        assert mine.readout[q].p01 == pytest.approx(p01, rel=1e-5)
        assert (p10 + p01) / 2 == pytest.approx(mine.readout[q].error, abs=1e-4)
    for gate in mine.basis:
        for where, data in mine.gates[gate].items():
            assert data.error == pytest.approx(target[gate][where].error, rel=1e-5)
            assert data.duration == pytest.approx(target[gate][where].duration, rel=1e-5)


def test_json_round_trip_keeps_everything():
    fez = load_calibration("fez")
    again = Calibration.from_json(json.loads(json.dumps(fez.to_json())))
    for field in ("name", "date", "source", "num_qubits", "dt", "t1", "t2", "readout", "gates"):
        assert getattr(again, field) == getattr(fez, field)


def test_couplings_and_neighbours():
    device = load_calibration("sherbrooke")  # directed: ecr one way only
    a, b = next(iter(sorted(device.directed)))
    assert (b, a) not in device.directed
    assert device.coupled(a, b)
    assert device.coupled(b, a)
    assert (min(a, b), max(a, b)) in device.pairs
    assert device.gate_error(a, b) == device.gate_error(b, a) == device.gates["ecr"][(a, b)].error
    assert not device.coupled(0, 100)


def test_other_processors_come_with_the_extra():
    pytest.importorskip("qiskit_ibm_runtime")
    marrakesh = load_calibration("marrakesh")
    assert marrakesh.num_qubits == 156
    assert marrakesh.basis


def test_without_the_extra_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "qiskit_ibm_runtime", None)
    monkeypatch.setitem(sys.modules, "qiskit_ibm_runtime.fake_provider", None)
    monkeypatch.delitem(sys.modules, "ebit.backends.extract", raising=False)
    load_calibration.cache_clear()
    assert load_calibration("fez").num_qubits == 156
    with pytest.raises(MissingExtraError, match=r"ebit\[ibm\]"):
        load_calibration("kingston")
    with pytest.raises(ArgumentError, match="fez"):
        load_calibration("fezz")
