"""Small tests side by side: the same rounds at every place as if it stood alone."""

from __future__ import annotations

import numpy as np
import pytest

from ebit.circuits import ALIKE_ANGLES, Group, ParallelTest, chsh
from ebit.circuits.record import program_from_bytes, program_to_bytes
from ebit.games import ArgumentError, Shots


def program(**options: object) -> ParallelTest:
    groups = (Group(0, ((3, 4), (0, 1)), "simultaneous"), Group(1, ((5, 4, 3, 2),), "separated"))
    return ParallelTest("two", (chsh(), chsh(settings="per-shot")), groups, **options)  # type: ignore[arg-type]


def test_every_place_decodes_as_it_would_alone() -> None:
    rng = np.random.default_rng(5)
    made = program(readout=True)
    shots = Shots.from_bits([rng.integers(0, 2, (60, w)) for w in made.widths])
    decoded = made.decode(shots)
    assert [place for _, place, _ in decoded] == [(3, 4), (0, 1), (5, 4, 3, 2)]
    for k in (0, 1):
        alone = chsh().decode(
            Shots.from_bits([shots.bits(i)[:, 2 * k : 2 * k + 2] for i in range(4)])
        )
        assert (decoded[k][2].counts == alone.counts).all()
    alone = chsh(settings="per-shot").decode(Shots.from_bits([shots.bits(4)]))
    assert (decoded[2][2].counts == alone.counts).all()
    for table, (_, _, trials) in zip(
        [t for group in made.counts(shots) for t in group], decoded, strict=True
    ):
        assert (table.reshape(2, 2, 2, 2) == trials.counts).all()


def test_circuits_are_equal_up_to_their_angles() -> None:
    alike = chsh(angles=ALIKE_ANGLES)
    assert alike.game.bell_value(alike.ideal) == pytest.approx(2 * 2**0.5, abs=1e-12)
    made = ParallelTest("alike", (alike,), (Group(0, ((3, 4), (0, 1)), "simultaneous"),))
    shapes = {
        tuple((item.operation.name, item.qubits, item.clbits) for item in circuit.data)
        for circuit in made.circuits
    }
    assert len(shapes) == 1
    angles = {
        tuple(p for item in circuit.data for p in item.operation.params)
        for circuit in made.circuits
    }
    assert len(angles) == 4
    assert all(c.count_ops()["barrier"] == 1 for c in made.circuits)


def test_logical_qubits_stand_for_physical_ones() -> None:
    made = program()
    assert made.fixed == (0, 1, 2, 3, 4, 5)
    sparse = ParallelTest("s", (chsh(),), (Group(0, ((9, 4), (2, 7)), "simultaneous"),))
    assert sparse.fixed == (2, 4, 7, 9)
    assert sparse.num_qubits == 4
    assert sparse.couplings == ((0, 2), (1, 3))


def test_rounds_are_shared_alike() -> None:
    made = program(readout=True)
    shares = made.allocate(made.total(400))
    assert shares == (100, 100, 100, 100, 400, 100, 100)
    with pytest.raises(ArgumentError, match="at least 4 for each pair"):
        made.total(3)


def test_ids_and_records() -> None:
    made = program(readout=True)
    again = program_from_bytes(program_to_bytes(made))
    assert again.id == made.id != program().id
    assert [c.name for c in again.circuits] == [c.name for c in made.circuits]


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (Group(0, ((0, 1), (1, 2)), "x"), "share no qubit"),
        (Group(0, ((0, 1, 2),), "x"), "of 2 qubits each"),
        (Group(7, ((0, 1),), "x"), "name a test"),
    ],
)
def test_what_cannot_stand_together(group: Group, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        ParallelTest("x", (chsh(),), (group,))


def test_readout_counts() -> None:
    made = program(readout=True)
    bits = [np.zeros((10, w), dtype=np.uint8) for w in made.widths]
    bits[-1][:] = 1
    bits[-2][:3, 2] = 1
    ones = made.ones(Shots.from_bits(bits))
    assert ones is not None
    assert ones.tolist() == [[0, 0, 3, 0, 0, 0], [10] * 6]
    assert program().ones(Shots.from_bits(bits[:-2])) is None
