"""Experiments and circuits as bytes and back: every builder, both libraries, and damage."""

from __future__ import annotations

import io
import json
import math
import os
import pickle
import sys
import zlib
from dataclasses import replace
from typing import Any

import cirq
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit, qpy
from qiskit.circuit import Parameter
from qiskit.circuit.library import ECRGate, UnitaryGate

import ebit.circuits as c
from ebit.backends import open_backend
from ebit.circuits.parallel import Group, ParallelTest
from ebit.circuits.record import (
    circuits_from_bytes,
    circuits_to_bytes,
    program_from_bytes,
    program_to_bytes,
)
from ebit.games import EbitError, Shots, Trials
from tests.killing import in_child, needs_fork

RNG = np.random.default_rng(7)
BUILT = {
    "chsh": c.chsh(),
    "coins": c.chsh(settings="per-shot"),
    "feed-forward": c.chsh(settings="per-shot", coins="feed-forward", state=0.3),
    "swapped": c.chsh(state="psi-", swapped=True, angles=((0.1, 1 / 3), (-2.0, math.pi))),
    "chained": c.chained_chsh(5),
    "agree": c.bases_agree("XZ", state="psi+"),
    "fringe": c.fringe(state="partial:0.4", alice=0.7, points=9),
    "magic": c.magic_square(),
    "mermin": c.mermin_ghz(4, layout="tree"),
    "ghz": c.stabilisers("ghz", 4, layout="chain"),
    "graph": c.stabilisers([(0, 1), (1, 2), (2, 0)], sample=5, rng=RNG),
    "w": c.w_fidelity(4, layout="tree"),
    "readout": c.with_readout(c.chsh()),
    "parallel": ParallelTest(
        "two pairs", (c.chsh(),), (Group(0, ((0, 1), (4, 3)), "simultaneous"),), readout=True
    ),
}


def equal(one: Any, other: Any) -> bool:
    """Equal to the last bit, kinds included."""
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=True)
    if hasattr(one, "items"):
        return list(one) == list(other) and all(equal(v, other[k]) for k, v in one.items())
    if isinstance(one, (list, tuple)):
        return type(one) is type(other) and len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, float) and math.isnan(one):
        return isinstance(other, float) and math.isnan(other)
    return bool(one == other) and type(one) is type(other)


def check(program: Any, back: Any) -> None:
    assert type(back) is type(program)
    assert back.id == program.id
    assert back.name == program.name
    assert equal(back.weights, program.weights)
    assert back.roles == program.roles
    assert equal(back.details, program.details)
    assert back.allocate(9973) == program.allocate(9973)
    for mine, theirs in zip(program.circuits, back.circuits, strict=True):
        assert mine == theirs
        assert mine.name == theirs.name
        assert [i.operation.label for i in mine.data] == [i.operation.label for i in theirs.data]


@pytest.mark.parametrize("name", BUILT)
def test_every_builder(name: str) -> None:
    program = BUILT[name]
    back = program_from_bytes(program_to_bytes(program))
    check(program, back)
    rng = np.random.default_rng(1)
    shots = Shots.from_bits([rng.integers(0, 2, (50, w)) for w in program.widths])
    mine, theirs = program.decode(shots), back.decode(shots)
    if isinstance(program, c.Experiment):
        assert isinstance(back, c.Experiment)
        assert back.readouts == program.readouts
        assert back.parties == program.parties
        assert (back.chosen, back.source) == (program.chosen, program.source)
        assert (program.ideal is None) == (back.ideal is None)
        assert program.ideal is None or equal(back.ideal, program.ideal)
        assert np.array_equal(back.game.table(), program.game.table())
        assert back.game.floors == program.game.floors
        mine, theirs = [(0, 0, mine)], [(0, 0, theirs)]
    for one, other in zip(mine, theirs, strict=True):
        assert one[:2] == other[:2]
        assert isinstance(one[2], Trials)
        assert np.array_equal(one[2].counts, other[2].counts)


@given(st.lists(st.floats(1e-6, 1e6), min_size=4, max_size=4))
def test_any_weights(weights: list[float]) -> None:
    program = replace(c.chsh(), weights=tuple(weights))
    assert program_from_bytes(program_to_bytes(program)).weights == tuple(weights)


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
COMPLEX = st.complex_numbers(allow_nan=False)
ARRAYS = st.lists(st.floats() | COMPLEX, max_size=4).map(np.array)
DETAILS = st.recursive(
    PLAIN | COMPLEX | ARRAYS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text() | st.integers() | st.tuples(st.integers()), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=40)
@given(st.dictionaries(st.text(), DETAILS, max_size=4))
def test_any_details(details: dict[str, Any]) -> None:
    program = replace(BUILT["magic"], details=details)
    assert equal(dict(program_from_bytes(program_to_bytes(program)).details), details)


def test_numbers_of_numpy() -> None:
    """A builder that leaves numpy's numbers in weights or details is stored all the same."""
    odd = replace(
        c.chsh(),
        weights=tuple(np.float32(w) for w in (1, 2, 3, 4)),
        details={"n": np.int8(3), "z": np.complex64(1j), "b": np.bool_(True)},
    )
    back = program_from_bytes(program_to_bytes(odd))
    assert back.id == odd.id
    assert back.details == {"n": 3, "z": 1j, "b": True}


@pytest.mark.parametrize("details", [{"x": object()}, {"x": {1, 2}}, {"x": b"raw"}])
def test_details_that_are_no_data_are_refused(details: dict[str, Any]) -> None:
    with pytest.raises(EbitError, match="cannot be stored"):
        program_to_bytes(replace(c.chsh(), details=details))


# --- circuits


def dynamic() -> QuantumCircuit:
    circuit = QuantumCircuit(3, 3, name="dynamic")
    circuit.h(0)
    circuit.rzz(0.1234567890123456, 0, 1)
    circuit.append(ECRGate(), [0, 2])
    circuit.append(UnitaryGate(np.diag([1, 1j])), [1])
    circuit.delay(100, 1, unit="dt")
    circuit.barrier(label="prepared")
    circuit.measure(0, 2)
    with circuit.if_test((2, 1)) as otherwise:
        circuit.x(1)
    with otherwise:
        circuit.sx(1)
    circuit.reset(0)
    circuit.global_phase = 0.5
    circuit.metadata = {"a": [1, "x"]}
    return circuit


def of_cirq() -> list[cirq.Circuit]:
    a, b = cirq.GridQubit(5, 6), cirq.GridQubit(5, 7)
    named, numbered = cirq.NamedQubit("coin"), cirq.LineQubit(3)
    return [
        cirq.Circuit(
            cirq.PhasedXZGate(x_exponent=0.1, z_exponent=1 / 3, axis_phase_exponent=-0.7)(a),
            cirq.CZ(a, b).with_tags("ebit", "prepared"),
            cirq.Moment(cirq.X(a) ** 0.123456789012345),
            cirq.measure(a, key="c0"),
            cirq.Y(b).with_classical_controls("c0"),
            cirq.ResetChannel()(a),
            cirq.measure(b, key="c1", invert_mask=(True,)),
        ),
        cirq.Circuit(
            cirq.SQRT_ISWAP(named, numbered),
            cirq.rx(sympy.Symbol("t") * 2 + 1)(named),
            cirq.MatrixGate(np.diag([1, 1j]))(named),
            cirq.depolarize(0.25)(numbered),
        ),
        cirq.Circuit(),
    ]


def test_circuits_of_qiskit() -> None:
    free = QuantumCircuit(1)
    free.rx(2 * Parameter("t") + 1, 0)
    made = [dynamic(), free, QuantumCircuit(2, 1)]
    back = circuits_from_bytes(circuits_to_bytes(made))
    assert list(back) == made
    assert [q.name for q in back] == [q.name for q in made]
    assert back[0].metadata == {"a": [1, "x"]}
    assert back[0].global_phase == 0.5
    assert [i.operation.label for i in back[0].data] == [i.operation.label for i in made[0].data]
    assert circuits_from_bytes(circuits_to_bytes([])) == ()


def test_circuits_of_cirq() -> None:
    made = of_cirq()
    back = circuits_from_bytes(circuits_to_bytes(made))
    assert list(back) == made
    assert back[0][1].operations[0].tags == ("ebit", "prepared")
    assert [c.freeze() for c in made] == list(
        circuits_from_bytes(circuits_to_bytes([c.freeze() for c in made]))
    )


def test_gates_of_google() -> None:
    google = pytest.importorskip("cirq_google")
    a, b = cirq.GridQubit(1, 1), cirq.GridQubit(1, 2)
    made = cirq.Circuit(google.SYC(a, b), cirq.Z(a).with_tags(google.PhysicalZTag()))
    assert circuits_from_bytes(circuits_to_bytes([made])) == (made,)


@pytest.mark.parametrize("name", [n for n in BUILT if n != "parallel"])
def test_every_builder_in_cirq(name: str) -> None:
    made = BUILT[name].to_cirq()
    assert circuits_from_bytes(circuits_to_bytes(made)) == made


def test_what_a_processor_runs() -> None:
    compiled = open_backend("aer:fez").compile(c.chsh(settings="per-shot"))
    data = circuits_to_bytes(compiled.circuits)
    assert circuits_from_bytes(data) == tuple(compiled.circuits)
    assert len(data) < 20_000


@pytest.mark.parametrize("wrong", [[object()], [QuantumCircuit(1), cirq.Circuit()], [1], ["x"]])
def test_what_is_no_circuit_is_refused(wrong: list[Any]) -> None:
    with pytest.raises(EbitError) as caught:
        circuits_from_bytes(circuits_to_bytes(wrong))
    assert len(str(caught.value).splitlines()) == 1


# --- damage


def outcome_of(read: Any, data: bytes, right: Any) -> str:
    """What comes of damaged bytes: an error of one line, or what was written; nothing else."""
    try:
        found = read(data)
    except EbitError as error:
        return "refused" if len(str(error).splitlines()) == 1 else str(error)
    return "right" if right(found) else "wrong"


def damages(data: bytes, flips: int, cuts: int) -> list[bytes]:
    out = [data[:n] for n in range(0, len(data), max(1, len(data) // cuts))]
    rng = np.random.default_rng(3)
    for at in rng.integers(0, len(data), flips).tolist():
        bad = bytearray(data)
        bad[at] ^= int(rng.integers(1, 256))
        out.append(bytes(bad))
    return [*out, b"", b"Q", b"C", b"X" + data[1:], data[::-1], bytes(200)]


@pytest.mark.parametrize("kind", ["program", "qiskit", "cirq"])
def test_damaged_bytes(kind: str) -> None:
    test = c.chsh()
    if kind == "program":
        data, read = program_to_bytes(test), program_from_bytes

        def right(found: Any) -> bool:
            return bool(
                found.id == test.id and equal(found.game.distribution, test.game.distribution)
            )
    else:
        made = [dynamic()] if kind == "qiskit" else of_cirq()[:1]
        data, read = circuits_to_bytes(made), circuits_from_bytes  # type: ignore[assignment]

        def right(found: Any) -> bool:
            return bool(list(found) == made)

    found = [outcome_of(read, bad, right) for bad in damages(data, 150, 50)]
    assert set(found) <= {"refused", "right"}
    assert found.count("right") < 10  # a bit that means nothing to zlib


@given(st.data())
def test_damaged_text(data: st.DataObject) -> None:
    """Damage that zlib does not see: an experiment of another id is refused."""
    test = BUILT["magic"]
    text = zlib.decompress(program_to_bytes(test))
    at = data.draw(st.integers(0, len(text) - 1))
    bad = text[:at] + bytes([data.draw(st.integers(32, 126))]) + text[at + 1 :]

    def right(found: Any) -> bool:
        return bool(found.id == test.id and found.circuits == test.circuits)

    assert outcome_of(program_from_bytes, zlib.compress(bad), right) in ("refused", "right")


def test_another_experiment_under_the_same_id_is_refused() -> None:
    plain = json.loads(zlib.decompress(program_to_bytes(c.chsh())))
    other = json.loads(zlib.decompress(program_to_bytes(c.chsh(state="psi-"))))
    mixed = zlib.compress(json.dumps(plain | {"circuits": other["circuits"]}).encode())
    with pytest.raises(EbitError, match=f"must have the id {c.chsh().id}"):
        program_from_bytes(mixed)


# --- nothing is executed


class Evil:
    def __reduce__(self) -> Any:
        return (os.putenv, ("EBIT_EVIL", "1"))


def old_qpy() -> bytes:
    file = io.BytesIO()
    qpy.dump(dynamic(), file)
    return file.getvalue()[:6] + bytes([12]) + file.getvalue()[7:]


@needs_fork
def test_nothing_is_executed() -> None:
    """No pickle is opened and no program started, whatever the bytes are."""
    bad = [
        *(kind + zlib.compress(pickle.dumps(Evil())) for kind in (b"Q", b"C", b"P")),
        b"C" + zlib.compress(json.dumps({"cirq_type": "os.putenv", "a": "1"}).encode()),
        b"C" + zlib.compress(json.dumps([{"cirq_type": "Evil"}]).encode()),
        b"C" + zlib.compress(json.dumps([1, 2]).encode()),
        b"Q" + zlib.compress(old_qpy()),
    ]
    good = [circuits_to_bytes([dynamic()]), circuits_to_bytes(of_cirq())]
    for data in good:
        circuits_from_bytes(data)

    def work() -> None:
        seen: list[str] = []
        sys.addaudithook(
            lambda event, _: (
                seen.append(event)
                if event in ("pickle.find_class", "os.system", "subprocess.Popen", "os.putenv")
                else None
            )
        )
        for data in good:
            circuits_from_bytes(data)
        for data in bad:
            assert outcome_of(circuits_from_bytes, data, lambda _: False) == "refused"
            assert outcome_of(program_from_bytes, data[1:], lambda _: False) == "refused"
        assert seen == []

    assert in_child(work) == 0


def test_old_files_of_circuits_are_refused() -> None:
    """Before version 13 they could hold expressions that a library unpickles."""
    with pytest.raises(EbitError, match="version 13 or later"):
        circuits_from_bytes(b"Q" + zlib.compress(old_qpy()))
