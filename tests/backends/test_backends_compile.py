"""Compilation: native gates, pinned qubits, refusals."""

from __future__ import annotations

import pytest

from ebit.backends.calibration import load_calibration
from ebit.backends.compile import compile_for
from ebit.circuits import PREPARED, chsh, mermin_ghz, w_fidelity
from ebit.games import ArgumentError

FEZ = load_calibration("fez")


def used(circuit):
    return {
        circuit.find_bit(q).index
        for item in circuit.data
        if item.operation.name != "barrier"
        for q in item.qubits
    }


@pytest.mark.parametrize("device", ["fez", "torino", "sherbrooke"])
@pytest.mark.parametrize("state", ["phi+", "psi-", "partial:0.4"])
def test_pairs_compile_to_one_native_entangler(device, state):
    calibration = load_calibration(device)
    pair = calibration.pairs[5]
    for qubits in (pair, pair[::-1]):
        for circuit in compile_for(chsh(state=state), calibration, qubits):
            assert circuit.num_qubits == calibration.num_qubits
            assert used(circuit) == set(pair)
            counts = circuit.count_ops()
            assert counts.get("cz", 0) + counts.get("ecr", 0) == 1
            labels = [item.operation.label for item in circuit.data]
            assert labels.count(PREPARED) == 1
            for item in circuit.data:
                where = tuple(circuit.find_bit(q).index for q in item.qubits)
                if item.operation.name not in ("barrier", "measure"):
                    assert where in calibration.gates[item.operation.name]


def test_coins_compile_on_a_chain_and_stay_measured_first():
    (circuit,) = compile_for(chsh(settings="per-shot"), FEZ, (4, 3, 2, 1))
    assert used(circuit) == {1, 2, 3, 4}
    assert circuit.count_ops()["cz"] == 5  # one for the pair, two per controlled rotation
    names = [(i.operation.name, circuit.find_bit(i.qubits[0]).index) for i in circuit.data]
    barrier = next(k for k, (name, _) in enumerate(names) if name == "barrier")
    coin = names.index(("measure", 4))
    first_cz_after = next(k for k in range(barrier, len(names)) if names[k][0] == "cz")
    assert barrier < coin < first_cz_after


def test_merging_blocks_is_used_where_it_saves_entanglers():
    # Two gates act in a row on the same pair: 6 entanglers one by one, 4 as blocks.
    chain = (1, 2, 3)
    assert max(c.count_ops()["cz"] for c in compile_for(w_fidelity(3), FEZ, chain)) == 4


def test_compiling_is_repeatable_and_does_not_touch_the_source():
    experiment = mermin_ghz(3)
    before = experiment.id
    first = compile_for(experiment, FEZ, (1, 2, 3))
    second = compile_for(mermin_ghz(3), FEZ, (1, 2, 3))
    assert all(a == b for a, b in zip(first, second, strict=True))
    assert [c.name for c in first] == [c.name for c in experiment.circuits]
    moved = compile_for(experiment, FEZ, (11, 12, 13))
    assert used(moved[0]) == {11, 12, 13}
    assert mermin_ghz(3).id == before


@pytest.mark.parametrize(
    ("qubits", "words"),
    [
        ((3, 5), ["3 and 5", "not", "3,4", "5,4"]),
        ((3,), ["must name 2", "A, B"]),
        ((3, 3), ["distinct"]),
        ((3, 156), ["0 .. 155", "156"]),
        ((-1, 0), ["0 .. 155", "-1"]),
    ],
)
def test_wrong_qubits_are_refused_in_one_line(qubits, words):
    with pytest.raises(ArgumentError) as caught:
        compile_for(chsh(), FEZ, qubits)
    text = str(caught.value)
    assert "\n" not in text
    for word in words:
        assert word in text
