"""What a Bell test is expected to give before it runs: from the calibration, or from a pilot run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ebit.games import Trials

if TYPE_CHECKING:
    from ebit.backends import Backend, Compiled
    from ebit.circuits import Experiment

__all__ = ["Forecast", "forecast", "forecast_of_rounds"]

Floats = npt.NDArray[np.float64]
# What a calibration does not know, on a processor: win rate given up for cross-talk and drift, and
# chance of a setting by which its coins may have drifted.
_SAFETY, _DRIFT = 0.01, 0.008
_IDEAL = ("aer", "cirq")  # simulators without noise
_SIGMAS = 3.0  # of a pilot run, in the same way


@dataclass(frozen=True, eq=False)
class Forecast:
    """What the rounds of a CHSH test are expected to look like.

    Attributes:
        law: (2, 2), probability that the settings x, y are asked.
        wins: (2, 2), expected win rate of each question.
        ground: what says so.
        slack: how far the chance of a setting may be off: by a pilot run's size, or by drift.
    """

    law: Floats
    wins: Floats
    ground: str
    slack: float = 0.0

    @property
    def S(self) -> float:
        """The CHSH value, every question weighing alike."""
        return float(8 * self.wins.mean() - 4)

    def with_S(self, S: float, ground: str) -> Forecast:
        """Return the same law with questions that are all won alike, at another S."""
        return Forecast(self.law, np.full((2, 2), 0.5 + S / 8), ground, self.slack)

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as plain data."""
        return {"law": self.law.tolist(), "wins": self.wins.tolist(), "slack": self.slack}


def forecast(where: Backend, experiment: Experiment, compiled: Compiled) -> Forecast | None:
    """Return what the device's noise model predicts of a test with coins, None without a model.

    On a processor the expected win rates are lowered by 0.01 and the coins get room of 0.008: a
    calibration knows no cross-talk and no drift. A forecast that is too high costs acceptance, never
    soundness.

    Args:
        where: the backend.
        experiment: a CHSH test of one circuit whose settings are drawn inside every shot.
        compiled: the test as compiled for it.
    """
    if where.describe().kind == "simulator" and where.describe().name in _IDEAL:
        law = np.asarray(experiment.game.distribution, dtype=np.float64).reshape(2, 2)
        ideal = experiment.ideal
        if ideal is not None:
            return _from_table(
                law[:, :, None, None] * ideal.reshape(2, 2, 2, 2), "the ideal circuit"
            )
    found = _model(where, compiled)
    if found is None:
        return None
    parts, ground = found
    counts = np.zeros((2, 2, 2, 2))
    readout = experiment.readouts[0]
    if readout is None:
        return None
    clbits = [
        *(b for s in readout.settings or () for b in s),
        *(b for o in readout.outcomes for b in o),
    ]
    for part in parts:
        if set(clbits) <= set(part.clbits):
            index = np.arange(len(part.probabilities))
            bits = [(index >> part.clbits.index(b)) & 1 for b in clbits]
            np.add.at(counts, tuple(bits), part.probabilities)
    if not counts.sum():
        return None
    given = _from_table(counts, ground)
    if where.describe().kind == "simulator":
        return given
    wins = np.clip(given.wins - _SAFETY, 0.01, 0.99)
    return Forecast(given.law, wins, given.ground, slack=_DRIFT)


def forecast_of_rounds(trials: Trials) -> Forecast:
    """Return what a pilot run lets one expect: its win rates less three standard errors of their mean.

    The pilot's rounds are spent on that, and none of their bits is used.
    """
    counts = trials.counts.astype(np.float64)
    given = _from_table(counts, f"a pilot run of {trials.n} rounds")
    totals = np.maximum(counts.sum(axis=(2, 3)), 1)
    error = float(np.sqrt((given.wins * (1 - given.wins) / totals).sum()) / 4)
    wins = np.clip(given.wins - _SIGMAS * error, 0.01, 0.99)
    coins = np.array([given.law[1].sum(), given.law[:, 1].sum()])
    slack = _SIGMAS * float(np.sqrt(coins * (1 - coins) / trials.n).max())
    return Forecast(given.law, wins, given.ground, slack)


def _from_table(counts: Floats, ground: str) -> Forecast:
    law = counts.sum(axis=(2, 3))
    agree = counts[..., 0, 0] + counts[..., 1, 1]
    won = agree.copy()
    won[1, 1] = law[1, 1] - agree[1, 1]
    wins = np.divide(won, law, out=np.full((2, 2), 0.5), where=law > 0)
    return Forecast(law / law.sum(), np.clip(wins, 1e-9, 1 - 1e-9), ground)


def _model(where: Backend, compiled: Compiled) -> tuple[Any, str] | None:
    """Distributions of the components of the only circuit, and what they rest on."""
    from ebit.backends import DeviceNoise, expected_of

    told = where.describe()
    calibration = getattr(where, "calibration", None)
    if type(compiled.circuits[0]).__module__.startswith("qiskit"):
        if calibration is not None:
            noise = DeviceNoise(calibration)
            return expected_of(compiled.circuits, noise)[0], f"the calibration ({told.calibration})"
        return None
    predict = getattr(where, "expected", None)
    if predict is None or told.kind != "simulator":
        return None
    return predict(compiled)[0], f"the device's noise model ({told.calibration or told.name})"
