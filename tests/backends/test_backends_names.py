"""Names of backends, lists, and what is said of the rest."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from ebit import backends
from ebit.backends import list_backends, names, open_backend
from ebit.games import ArgumentError, MissingExtraError


def test_names_open():
    assert open_backend("aer").name == "aer"
    assert open_backend("aer:fez").name == "aer:fez"
    assert open_backend("aer:ibm_fez").name == "aer:fez"
    assert open_backend("cirq").name == "cirq"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("aer:fezz", "aer:fez"),
        ("aer:", "aer"),
        ("are", "aer"),
        ("cirk", "cirq"),
        ("", "known name"),
        ("ibm:ibm_fez", "no account of IBM is known here"),
        ("google:weber", "no project at Google is known here"),
        ("cirq:willow_red", "rainbow, weber, willow_pink"),
    ],
)
def test_unknown_names_are_refused_with_a_way_out(name, words):
    with pytest.raises(ArgumentError) as caught:
        open_backend(name)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_list_says_what_is_usable(monkeypatch):
    listed = {b.name: b for b in list_backends()}
    assert listed["aer"].usable
    assert listed["aer:fez"].qubits == 156
    assert not listed["ibm:PROCESSOR"].usable
    assert len(listed) > 70
    monkeypatch.setattr(names, "find_spec", lambda name: None)
    without = {b.name: b for b in list_backends()}
    assert without["aer:fez"].usable
    assert not without["aer:kingston"].usable
    assert without["aer:kingston"].note == "pip install 'ebit[ibm]'"


def test_a_known_device_without_the_extra_names_it(monkeypatch):
    for module in ("qiskit_ibm_runtime", "qiskit_ibm_runtime.fake_provider"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "ebit.backends.extract", raising=False)
    backends.load_calibration.cache_clear()
    with pytest.raises(MissingExtraError, match=r"ebit\[ibm\]"):
        open_backend("aer:kingston")


def test_other_packages_can_add_backends(monkeypatch):
    point = EntryPoint("mine", "ebit.backends.aer:AerBackend", names.GROUP)
    monkeypatch.setattr(names, "_plugins", lambda: {"mine": point})
    assert open_backend("mine").name == "aer"
    assert any(b.name == "mine" and b.usable for b in list_backends())


def test_every_public_name_resolves_and_importing_is_light():
    for name in backends.__all__:
        assert getattr(backends, name) is not None
    code = (
        "import sys, ebit.backends; print(sorted({'qiskit', 'cirq', 'scipy'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
