"""What a Bell test is expected to give: ideal circuits exactly, a chip by its calibration, a pilot."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ebit import circuits
from ebit.backends import Description, open_backend
from ebit.games import Trials
from ebit.protocols.forecast import Forecast, forecast, forecast_of_rounds
from ebit.protocols.random_plan import source_program, terms_of
from tests.fakeprovider import LabBackend

IDEAL = 0.5 + math.sqrt(2) / 4


def found(name: str, experiment: circuits.Experiment) -> Forecast:
    where = open_backend(name)
    given = forecast(where, experiment, where.compile(experiment))
    assert given is not None
    return given


@pytest.mark.parametrize("name", ["aer", "cirq"])
def test_ideal(name: str) -> None:
    given = found(name, circuits.chsh(settings="per-shot"))
    assert abs(given.S - 2 * math.sqrt(2)) < 1e-9
    np.testing.assert_allclose(given.wins, IDEAL, atol=1e-9)
    np.testing.assert_allclose(given.law, 0.25, atol=1e-12)
    assert given.ground == "the ideal circuit"


def test_ideal_spot_checks() -> None:
    given = found("aer", circuits.spot_checked_chsh(0.19))  # q = 0.1 for each coin
    np.testing.assert_allclose(given.law, [[0.81, 0.09], [0.09, 0.01]], atol=1e-12)
    np.testing.assert_allclose(given.wins, IDEAL, atol=1e-9)


def test_spot_checks_of_a_chip_have_the_law_of_its_noisy_coins() -> None:
    experiment = circuits.spot_checked_chsh(0.19)
    given = found("aer:fez", experiment)
    assert "calibration" in given.ground
    assert given.law.sum() == pytest.approx(1)
    # A readout error e makes q = 0.1 come out as q + e (1 - 2 q): more often, by up to a few per cent.
    for q in (given.law[1].sum(), given.law[:, 1].sum()):
        assert 0.1 < q < 0.13
    assert abs(given.law - np.outer(given.law.sum(1), given.law.sum(0))).max() < 0.003
    assert 2.5 < given.S < 2.8


def test_a_chip_is_forecast_as_it_is_simulated() -> None:
    experiment = circuits.chsh(settings="per-shot")
    given = found("aer:fez", experiment)
    where = open_backend("aer:fez")
    n = 40_000
    handle = where.submit(where.compile(experiment), shots=n, id="x", seed=4)
    counts = experiment.decode(where.fetch(handle).shots).counts
    asked = counts.sum(axis=(2, 3))
    won = counts[..., 0, 0] + counts[..., 1, 1]
    won[1, 1] = asked[1, 1] - won[1, 1]
    np.testing.assert_allclose(asked / n, given.law, atol=5 * math.sqrt(0.25 * 0.75 / n))
    np.testing.assert_allclose(won / asked, given.wins, atol=5 * math.sqrt(0.15 * 0.85 / (n / 4)))
    assert given.S < found("aer", experiment).S


def test_nothing_without_a_model(tmp_path: Path) -> None:
    experiment = circuits.chsh(settings="per-shot")
    where = LabBackend(tmp_path / "lab")
    assert forecast(where, experiment, where.compile(experiment)) is None


def test_a_pilot_gives_up_three_standard_errors() -> None:
    rng = np.random.default_rng(1)
    asked = np.repeat(np.arange(4), 2500)
    x, y = asked >> 1, asked & 1
    lost = np.tile(np.arange(2500) < 500, 4)  # a fifth, of every question
    a = rng.integers(0, 2, 10_000)
    trials = Trials.from_rounds(np.stack([x, y], 1), np.stack([a, a ^ (x & y) ^ lost], 1))
    given = forecast_of_rounds(trials)
    error = math.sqrt(4 * 0.8 * 0.2 / 2500) / 4
    np.testing.assert_allclose(given.wins, 0.8 - 3 * error, rtol=1e-12)
    np.testing.assert_allclose(given.law, 0.25)
    assert given.ground == "a pilot run of 10000 rounds"
    assert given.slack == pytest.approx(3 * 0.005)  # of a coin's chance, in standard errors


def test_a_pilot_that_missed_a_question() -> None:
    trials = Trials.from_rounds(
        np.zeros((50, 2), int), np.zeros((50, 2), int), shape=((2, 2), (2, 2))
    )
    given = forecast_of_rounds(trials)
    assert np.isfinite(given.wins).all()
    assert (given.wins < 1).all()


def test_another_S() -> None:
    given = Forecast(np.full((2, 2), 0.25), np.full((2, 2), 0.8), "x").with_S(2.6, "as given")
    assert abs(given.S - 2.6) < 1e-12
    np.testing.assert_allclose(given.wins, 0.825)
    assert given.ground == "as given"


class OnAChip:
    """The simulated Fez under the word "processor"."""

    def __init__(self) -> None:
        self.simulated = open_backend("aer:fez")
        self.calibration = self.simulated.calibration  # type: ignore[attr-defined]

    def describe(self) -> Description:
        return replace(self.simulated.describe(), kind="processor")


@pytest.mark.parametrize("source", ["chsh", "spot"])
def test_a_processor_gets_room_for_what_its_calibration_does_not_know(source: str) -> None:
    where, experiment = OnAChip(), source_program({"source": source, "gamma": 0.2})
    compiled = where.simulated.compile(experiment)
    simulated = forecast(where.simulated, experiment, compiled)
    chip = forecast(where, experiment, compiled)  # type: ignore[arg-type]
    assert simulated is not None
    assert chip is not None
    np.testing.assert_allclose(chip.wins, simulated.wins - 0.01, atol=1e-12)
    options = {"source": source, "tau": None, "epsilon": 1e-6}
    taus = [terms_of({**options, "expected": f.to_dict()})["tau"] for f in (simulated, chip)]
    assert taus[1] == pytest.approx(taus[0] + 0.008)
    assert terms_of({**options, "tau": 0.001, "expected": chip.to_dict()})["tau"] == 0.001
