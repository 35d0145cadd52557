"""Qubits chosen by calibration."""

from __future__ import annotations

import pytest

from ebit.backends import complete_qubits, open_backend
from ebit.backends.calibration import load_calibration
from ebit.backends.choose import choose_qubits, embeddings, predict
from ebit.backends.noise import DeviceNoise
from ebit.circuits import chsh, magic_square, mermin_ghz, stabilisers
from ebit.games import ArgumentError

FEZ = load_calibration("fez")
NOISE = DeviceNoise(FEZ)


def test_every_pair_is_a_candidate_and_the_chosen_one_is_the_best():
    experiment = chsh()
    found = embeddings(experiment, FEZ, pinned={})
    assert {tuple(sorted(q)) for q in found} == set(FEZ.pairs)
    assert len(found) == 2 * len(FEZ.pairs)
    best, value = choose_qubits(experiment, FEZ, NOISE)
    # A sample of the others, the next ten in rank included: none beats it.
    others = [predict(experiment, FEZ, NOISE, q) for q in found[:26] + found[26::25]]
    assert value == pytest.approx(max(others), abs=1e-12)
    assert predict(experiment, FEZ, NOISE, best) == pytest.approx(value, abs=1e-12)


def test_prediction_is_what_the_simulator_gives():
    backend = open_backend("aer:fez")
    experiment = chsh()
    compiled = backend.compile(experiment)
    handle = backend.submit(compiled, shots=400_000, id="prediction", seed=4)
    trials = experiment.decode(backend.fetch(handle).shots)
    _, won = trials.question_outcomes(experiment.game)
    assert won.mean() == pytest.approx(compiled.predicted, abs=5 * 0.36 / 400_000**0.5)


@pytest.mark.parametrize("experiment", [mermin_ghz(4), chsh(settings="per-shot")])
def test_chains_are_coupled(experiment):
    qubits, value = choose_qubits(experiment, FEZ, NOISE)
    assert len(set(qubits)) == 4
    assert all(FEZ.coupled(qubits[a], qubits[b]) for a, b in experiment.couplings)
    assert 0.8 < value < 1


def test_wide_experiments_are_placed_without_a_prediction():
    experiment = stabilisers("ghz", 20, which=[0])
    qubits, value = choose_qubits(experiment, FEZ, NOISE)
    assert value is None
    assert len(set(qubits)) == 20
    assert all(FEZ.coupled(qubits[a], qubits[b]) for a, b in experiment.couplings)


def test_coins_are_placed_beside_a_given_pair():
    backend = open_backend("aer:fez")
    qubits = complete_qubits(chsh(settings="per-shot"), backend, (3, 2))
    assert qubits[1:3] == (3, 2)
    assert FEZ.coupled(qubits[0], 3)
    assert FEZ.coupled(qubits[3], 2)
    assert complete_qubits(chsh(), backend, (3, 4)) == (3, 4)
    # A swapped experiment has Bob first; the pair is still Alice's qubit, then Bob's.
    swapped = chsh(swapped=True)
    assert complete_qubits(swapped, backend, (3, 4)) == (4, 3)
    coins = chsh(settings="per-shot", swapped=True)
    placed = complete_qubits(coins, backend, (3, 2))
    assert placed[coins.roles.index("A")] == 3
    assert placed[coins.roles.index("B")] == 2
    ideal = complete_qubits(chsh(settings="per-shot"), open_backend("aer"), (1, 0))
    assert ideal[1:3] == (1, 0)
    assert len(set(ideal)) == 4


@pytest.mark.parametrize("pair", [(3, 5), (3, 3), (3,), (3, 400), (-1, 0)])
def test_wrong_pairs_are_refused(pair):
    for experiment in (chsh(), chsh(settings="per-shot")):
        with pytest.raises(ArgumentError) as caught:
            complete_qubits(experiment, open_backend("aer:fez"), pair)
        assert "\n" not in str(caught.value)


def test_what_does_not_fit_is_refused_and_not_routed():
    with pytest.raises(ArgumentError, match="no place for 'magic-square'"):
        choose_qubits(magic_square(), FEZ, NOISE)
    # No chain of four has an end of the chip in its middle.
    lonely = next(q for q in range(156) if len(FEZ.neighbours[q]) == 1)
    (friend,) = FEZ.neighbours[lonely]
    with pytest.raises(ArgumentError, match="fixed"):
        complete_qubits(chsh(settings="per-shot"), open_backend("aer:fez"), (lonely, friend))


def test_qubits_that_are_coupled_to_nothing_are_the_best_there_are():
    from ebit.circuits import key_round

    ranked = embeddings(key_round("bb84"), FEZ, pinned={})
    errors = [FEZ.readout[q].error if FEZ.readout[q] else 1.0 for q in range(FEZ.num_qubits)]
    least = sorted(range(FEZ.num_qubits), key=lambda q: errors[q])
    # A gate more or less on a qubit changes little against its readout.
    assert set(ranked[0]) <= set(least[:6])
    assert len(ranked) == len(set(ranked)) > 100
