"""What is expected of a key round before it runs: errors, S, and how often each pair of bases comes."""

from __future__ import annotations

import numpy as np
import pytest

from ebit.analysis.key_signatures import noise_signature
from ebit.backends import expected_of, open_backend
from ebit.circuits import key_round
from ebit.games import ArgumentError
from ebit.protocols.key_forecast import agreement, error_of, full_table, key_forecast
from ebit.protocols.keys import key_program

PROTOCOLS = ("bb84", "bbm92", "e91", "six-state", "mdi", "diqkd")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_ideal_round_errs_never_and_reaches_the_quantum_s(protocol: str) -> None:
    choices = "per-circuit" if protocol == "diqkd" else "per-shot"
    made = key_round(protocol, choices=choices)  # type: ignore[arg-type]
    found = key_forecast(open_backend("aer"), made)
    assert found is not None
    assert found.key == pytest.approx(0, abs=1e-9)
    assert all(rate == pytest.approx(0, abs=1e-9) for rate in found.test.values())
    assert sum(found.law.values()) == pytest.approx(1)
    if protocol in ("e91", "diqkd"):
        assert pytest.approx(8**0.5) == found.S
    else:
        assert found.S is None


@pytest.mark.parametrize("noise", ["depolarising:0.1", "dephasing:0.03"])
@pytest.mark.parametrize(
    "protocol", ["bb84", "bbm92", "e91", pytest.param("six-state", marks=pytest.mark.slow)]
)
def test_noise_of_the_channel_gives_the_error_rates_of_its_formula(
    protocol: str, noise: str
) -> None:
    told = noise_signature(noise)
    found = key_forecast(open_backend("aer"), key_round(protocol, noise=noise))
    assert found is not None
    assert found.key == pytest.approx(told.qber["Z"], abs=1e-9)
    for name, rate in found.test.items():
        assert rate == pytest.approx(told.qber[name], abs=1e-9)
    if found.S is not None:
        assert pytest.approx(told.S, abs=1e-9) == found.S


def test_the_law_of_settings_is_that_of_the_coins() -> None:
    odds = (0.8, 0.2)
    made = key_round("bb84", alice_odds=odds, bob_odds=odds)
    found = key_forecast(open_backend("aer"), made)
    assert found is not None
    for (x, y), share in found.law.items():
        assert share == pytest.approx(odds[x] * odds[y], abs=1e-9)


def test_a_device_errs_and_its_coins_are_misread() -> None:
    odds = (0.9, 0.06, 0.04)
    made = key_round("six-state", alice_odds=odds, bob_odds=odds)
    found = key_forecast(open_backend("aer:fez"), made)
    assert found is not None
    assert 0.001 < found.key < 0.05
    assert found.law[0, 0] < 0.81
    assert len(found.qubits) > 0
    assert "calibration" in found.ground


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["bb84", "e91", "mdi"])
def test_what_is_expected_of_a_device_comes(protocol: str) -> None:
    """Fair coins, 200,000 rounds: error rates within five standard deviations of the forecast."""
    where = open_backend("aer:fez")
    made = key_round(protocol)
    found = key_forecast(where, made)
    assert found is not None
    compiled = where.compile(made, qubits=found.qubits)
    shots = where.fetch(where.submit(compiled, shots=200_000, id="1" * 32, seed=1)).shots
    settings, outcomes = made.decode(shots).rounds()
    a, b = outcomes[:, 0], outcomes[:, 1].copy()
    flip = made.details["flip"]
    for name, pair in zip(["Z", "X"], [*made.details["key"], *made.details["test"]], strict=True):
        here = (settings[:, 0] == pair[0]) & (settings[:, 1] == pair[1])
        other = b if flip is None else b ^ ((outcomes[:, 2] >> flip[name]) & 1)
        rate = found.key if name == "Z" else found.test[name]
        n = int(here.sum())
        assert abs((a != other)[here].mean() - rate) < 5 * np.sqrt(rate * (1 - rate) / n)
        assert abs(n / len(a) - found.law[tuple(pair)]) < 5 * np.sqrt(0.25 / len(a))


def test_a_table_of_components_is_their_product() -> None:
    made = key_round("bb84", choices="per-circuit")
    parts = expected_of(made.circuits, None)
    table = full_table(parts[0], int(made.widths[0]))
    assert table.sum() == pytest.approx(1)
    assert len(table) == 1 << int(made.widths[0])
    with pytest.raises(ArgumentError, match="width must be at most 16 bits, but was 17"):
        full_table([], 17)


def test_agreement_counts_a_middles_flip() -> None:
    made = key_round("mdi")
    assert made.ideal is not None
    agree = agreement(made, made.ideal)
    assert agree[0, 0] == pytest.approx(1)
    assert agree[1, 1] == pytest.approx(1)


@pytest.mark.parametrize("value", [True, None, "x", -0.01, 0.51, float("nan"), [0.1]])
def test_an_error_rate_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(ArgumentError, match=r"qber must be an error rate between 0 and 0\.5"):
        error_of(value, "qber")


def test_without_a_noise_model_the_error_rate_must_be_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ebit.protocols.keys.key_forecast", lambda *_: None)
    with pytest.raises(ArgumentError, match="qber must be given"):
        key_program("aer", shots=1000)
    plan = key_program("aer", shots=20_000, qber=0.02)[1]["plan"]
    assert plan["qber"] == 0.02
    assert plan["length"] > 0
