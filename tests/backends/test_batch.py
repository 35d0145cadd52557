"""Many components at once: equal to one after another, and to the wide circuit's own guard."""

from __future__ import annotations

import numpy as np
import pytest

from ebit.backends import AerBackend, compile_for, load_calibration
from ebit.backends.batch import distributions_of, expected_of
from ebit.backends.exact import distribution
from ebit.backends.guard import guard_circuits
from ebit.backends.lower import components, lower
from ebit.backends.noise import DeviceNoise
from ebit.backends.parts import parts
from ebit.backends.positions import positions_of
from ebit.circuits import Group, ParallelTest, chsh, colour_edges, stabilisers
from ebit.games import GuardError
from ebit.protocols.mapping import map_program


@pytest.mark.parametrize("device", ["fez", "sherbrooke"])
@pytest.mark.parametrize("settings", ["per-circuit", "per-shot"])
def test_together_as_one_by_one(device: str, settings: str) -> None:
    calibration = load_calibration(device)
    noise = DeviceNoise(calibration)
    test = chsh(settings=settings)  # type: ignore[arg-type]
    size, places = test.num_qubits, []
    for start in range(0, 12):
        chain = [start]
        while len(chain) < size:
            free = [q for q in calibration.neighbours[chain[-1]] if q not in chain]
            if not free:
                break
            chain.append(free[-1])
        if len(chain) == size:
            places.append(chain)
    assert len(places) >= 8
    found = [
        part
        for place in places
        for circuit in compile_for(test, calibration, place)
        for part in components(lower(circuit))
    ]
    for one, part in zip(distributions_of(found, noise), found, strict=True):
        alone = distribution(part, noise)
        assert one.clbits == alone.clbits
        assert np.abs(one.probabilities - alone.probabilities).max() < 1e-12


def test_a_chip_wide_run_is_that_of_its_parts() -> None:
    where = AerBackend(load_calibration("fez"))
    pairs = [(3, 4), (7, 8), (20, 21), (96, 103), (141, 142)]
    made = ParallelTest("m", (chsh(),), (Group(0, tuple(pairs), "simultaneous"),))
    wide = expected_of(where.compile(made).circuits, where.noise)
    for k, pair in enumerate(pairs):
        alone = expected_of(where.compile(chsh(), qubits=pair).circuits, where.noise)
        for i in range(4):
            assert np.abs(wide[i][k].probabilities - alone[i][0].probabilities).max() < 1e-12
            assert wide[i][k].clbits == (2 * k, 2 * k + 1)


def chip_program() -> tuple[AerBackend, ParallelTest]:
    where = AerBackend(load_calibration("fez"))
    assert where.calibration is not None
    groups = colour_edges(where.calibration.pairs)
    return where, ParallelTest("m", (chsh(),), (Group(0, groups[0], "simultaneous"),), True)


@pytest.mark.parametrize("device", ["fez", "torino", "sherbrooke"])
def test_settings_and_pairs_compile_alike(device: str) -> None:
    """One circuit with other angles bound, in which every pair has the same pulses."""
    where = AerBackend(load_calibration(device))
    made, _, _, qubits = map_program(where, shots=4096)
    native = where.compile(made, qubits=qubits).circuits
    assert len(made.groups) == 3
    for number, group in enumerate(made.groups):
        shapes, pulses = set(), set()
        owner = {q: (place, i) for place in group.places for i, q in enumerate(place)}
        for circuit in native[4 * number : 4 * number + 4]:
            steps = [
                (item.operation.name, tuple(circuit.find_bit(q).index for q in item.qubits))
                for item in circuit.data
            ]
            shapes.add(tuple(steps))
            mine: dict[tuple[int, ...], list[object]] = {place: [] for place in group.places}
            for name, on in steps:
                if name != "barrier":
                    mine[owner[on[0]][0]].append((name, tuple(owner[q][1] for q in on)))
            pulses |= {tuple(one) for one in mine.values()}
        assert len(shapes) == 1
        assert len(pulses) == 1


def test_physical_pairs_are_those_asked_for() -> None:
    where, made = chip_program()
    compiled = where.compile(made)
    assert compiled.guard.status == "exact"
    for circuit in compiled.circuits[:4]:
        joined = {
            tuple(sorted(circuit.find_bit(q).index for q in item.qubits))
            for item in circuit.data
            if item.operation.name == "cz"
        }
        assert joined == set(made.groups[0].places)


@pytest.mark.parametrize("sabotage", ["drop", "swap", "barrier", "bits", "pair"])
def test_sabotage_of_one_pair_among_sixty_is_seen(sabotage: str) -> None:
    where, made = chip_program()
    compiled = where.compile(made)
    victim = compiled.circuits[2]
    broken = victim.copy_empty_like()
    cut, swapped = False, {}
    measures = [item for item in victim.data if item.operation.name == "measure"]
    if sabotage == "bits":
        a, b = measures[40], measures[41]
        swapped = {id(a): b.clbits, id(b): a.clbits}
    for item in victim.data:
        name = item.operation.name
        if sabotage == "drop" and name == "sx" and not cut:
            cut = True
            continue
        if sabotage == "barrier" and name == "barrier":
            continue
        if sabotage == "swap" and name == "cz" and not cut:
            cut = True
            broken.cz(*item.qubits)
            broken.cz(*item.qubits)
            continue
        if sabotage == "pair" and name == "cz" and not cut:
            cut = True
            broken.cz(broken.qubits[0], broken.qubits[100])
            continue
        clbits = next((c for i, c in swapped.items() if measures and i == id(item)), item.clbits)
        if name == "measure" and sabotage == "bits" and item.qubits == measures[40].qubits:
            clbits = measures[41].clbits
        elif name == "measure" and sabotage == "bits" and item.qubits == measures[41].qubits:
            clbits = measures[40].clbits
        broken.append(item.operation, item.qubits, clbits)
    circuits = (*compiled.circuits[:2], broken, *compiled.circuits[3:])
    with pytest.raises(GuardError, match="is not what was asked"):
        guard_circuits(made, circuits, compiled.qubits, where.calibration)


def test_parts_are_numbered_alike() -> None:
    where, made = chip_program()
    ops = lower(where.compile(made).circuits[0])
    found = parts([ops])
    assert len(found) == len(made.groups[0].places)
    assert len({part.ops for part in found}) == 1


def test_ideal_and_wide_parts_take_their_own_way() -> None:
    found = [
        c
        for circuit in stabilisers("ghz", 6, which=[3]).circuits
        for c in components(lower(circuit))
    ]
    (one,) = distributions_of(found, None)
    assert one.probabilities.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("device", "width", "height"), [("fez", 16, 15), ("torino", 15, 14), ("sherbrooke", 15, 13)]
)
def test_chips_are_laid_out_as_they_are(device: str, width: int, height: int) -> None:
    data = load_calibration(device)
    places = np.array(positions_of(data.num_qubits, data.pairs))
    assert len({tuple(p) for p in places.tolist()}) == data.num_qubits
    assert np.ptp(places, axis=0).tolist() == [width - 1, height - 1]
    for a, b in data.pairs:  # every coupling is one step
        assert np.abs(places[a] - places[b]).sum() == 1


def test_other_graphs_are_drawn_by_their_distances() -> None:
    ring = [(i, (i + 1) % 7) for i in range(7)]
    places = np.array(positions_of(7, ring))
    gaps = np.linalg.norm(places[:, None] - places, axis=-1)
    sides = [gaps[a, b] for a, b in ring]
    assert np.allclose(sides, sides[0], rtol=1e-3)  # a regular heptagon
    assert gaps[~np.eye(7, dtype=bool)].min() > 0.99 * sides[0]


def test_cairo_is_laid_out_with_its_qubits_apart() -> None:
    data = load_calibration("cairo")
    places = np.array(positions_of(data.num_qubits, data.pairs))
    gaps = np.linalg.norm(places[:, None] - places, axis=-1)
    assert gaps[~np.eye(data.num_qubits, dtype=bool)].min() > 0.7
    assert max(gaps[a, b] for a, b in data.pairs) < 1.3
    assert gaps.max() < 15  # qubit 0, which nothing couples, stands beside the others


def test_pieces_do_not_lie_on_one_another() -> None:
    places = np.array(positions_of(7, [(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3)]))
    gaps = np.linalg.norm(places[:, None] - places, axis=-1) + 9 * np.eye(7)
    assert gaps.min() > 0.9 * gaps[0, 1]
