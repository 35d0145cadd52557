"""The Bell test end to end: states, swaps, seeds, names and objects."""

from __future__ import annotations

import numpy as np
import pytest

import ebit
from ebit.games import ArgumentError
from ebit.protocols import plan, run_experiment

PAIR = (3, 4)


@pytest.mark.parametrize("settings", ["per-circuit", "per-shot"])
def test_bell_states_and_swaps_score_alike(settings: str) -> None:
    values = {}
    for state in ("phi+", "phi-", "psi+", "psi-"):
        for swapped in (False, True):
            score = ebit.bell(
                "aer:fez",
                shots=100_000,
                pair=PAIR,
                state=state,
                swapped=swapped,
                settings=settings,  # type: ignore[arg-type]
                seed=1,
            )
            assert score.status == "violation"
            assert score.run is not None
            assert score.run.qubits is not None
            middle = slice(1, 3) if settings == "per-shot" else slice(None)
            # Alice keeps her physical qubit; swapped, she holds the state's second one.
            assert score.run.qubits[middle] == (PAIR[::-1] if swapped else PAIR)
            values[state, swapped] = (score.S, score.run.predicted)
    found = np.array([v[0] for v in values.values()])
    predicted = np.array([v[1] for v in values.values()], dtype=float)
    # Published errors differ a little between states and qubits, by far less than the violation.
    assert np.ptp(8 * predicted - 4) < 0.05
    assert np.abs(found - (8 * predicted - 4)).max() < 5 * np.sqrt(8 / 100_000)


def test_product_state_stays_below_root_two() -> None:
    for settings in ("per-circuit", "per-shot"):
        for seed in range(5):
            score = ebit.bell("aer", shots=40_000, state="product", settings=settings, seed=seed)  # type: ignore[arg-type]
            assert score.S_interval is not None
            assert score.S_interval.low <= 2**0.5
            assert score.status == "no violation"


def test_same_seed_same_rounds() -> None:
    one = ebit.bell("aer", shots=3000, seed=5)
    two = ebit.bell("aer", shots=3000, seed=5)
    other = ebit.bell("aer", shots=3000, seed=6)
    assert one.trials is not None
    assert two.trials is not None
    assert other.trials is not None
    assert np.array_equal(one.trials.cells, two.trials.cells)
    assert not np.array_equal(one.trials.cells, other.trials.cells)


def test_objects_are_taken_as_they_are() -> None:
    import cirq
    from qiskit_aer import AerSimulator

    for backend in (AerSimulator(), cirq.Simulator()):
        score = ebit.bell(backend, shots=4000, settings="per-circuit", seed=2)
        assert pytest.approx(2 * 2**0.5, abs=0.15) == score.S
        assert score.status == "violation"


def test_partly_entangled_pairs_reach_their_optimum() -> None:
    angle = 0.4
    score = ebit.bell("aer", shots=200_000, state=angle, settings="per-circuit", seed=3)
    assert pytest.approx(2 * np.sqrt(1 + np.sin(2 * angle) ** 2), abs=0.03) == score.S


def test_wrong_arguments() -> None:
    with pytest.raises(ArgumentError, match="both"):
        ebit.bell("aer:fez", shots=100, pair=(3, 4), qubits=(2, 3, 4, 5))
    with pytest.raises(ArgumentError, match="shots"):
        ebit.bell("aer", shots=True)
    with pytest.raises(ArgumentError, match="whole number"):
        ebit.bell("aer", shots=10.5)  # type: ignore[arg-type]


def test_run_keeps_what_was_compiled() -> None:
    from ebit.circuits import chsh

    run = run_experiment(chsh(), "aer:fez", shots=400, pair=PAIR, seed=1)
    assert run.compiled.qubits == PAIR
    assert run.compiled.guard.status == "exact"
    assert run.info.experiment_id == chsh().id
    assert run.trials.n == 400


def test_plan_from_a_calibration() -> None:
    found = plan(backend="aer:fez")
    assert 0.8 < found.win_rate < 0.8536
    assert found.rounds_for_p > found.rounds_at_best * 0.5
    with pytest.raises(ArgumentError, match="one expectation"):
        plan()


@pytest.mark.slow
def test_device_intervals_cover_the_predicted_value() -> None:
    """The exact distribution is known, so the interval's coverage can be counted."""
    covered = {"per-circuit": 0, "per-shot": 0}
    runs = 300
    for settings in covered:
        for seed in range(runs):
            score = ebit.bell("aer:fez", shots=4000, pair=PAIR, settings=settings, seed=seed)  # type: ignore[arg-type]
            assert score.run is not None
            assert score.run.predicted is not None
            span = score.S_interval
            assert span is not None
            covered[settings] += span.low <= 8 * score.run.predicted - 4 <= span.high
    allowed = 0.95 - 3 * np.sqrt(0.95 * 0.05 / runs)
    assert all(k / runs >= allowed for k in covered.values()), covered
