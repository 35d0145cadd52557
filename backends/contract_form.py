"""The contract's checks before anything runs: description, estimate, compilation, refusals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ebit.backends import contract_probes as probes
from ebit.backends.contract_base import ContractBase, attempt, check, fresh_id, refused, skip
from ebit.backends.model import Backend, Compiled, Description
from ebit.circuits import PREPARED, chsh
from ebit.circuits.program import Program
from ebit.games import ArgumentError

__all__ = ["FormChecks"]


class FormChecks(ContractBase):
    """What a backend says of itself, and what it makes of an experiment."""

    def test_it_has_every_verb(self) -> None:
        """It has every verb of a backend and one name."""
        backend = self.backend()
        check(isinstance(backend, Backend), f"{type(backend).__name__} lacks a verb of Backend")
        _line("name", backend.name)
        check(
            backend.describe().name == backend.name,
            f"describe().name must be {backend.name!r}, but was {backend.describe().name!r}",
        )

    def test_the_description_is_consistent(self) -> None:
        """Qubits, couplings, labels and positions of the description fit together."""
        told = self.backend().describe()
        check(
            told.kind in ("simulator", "processor"),
            f"kind must be simulator or processor, but was {told.kind!r}",
        )
        check(
            told.note == "" or len(told.note.splitlines()) == 1,
            f"note must be one line, but was {told.note!r}",
        )
        check(told.remote or not told.paid, "what is paid must be remote")
        n = told.num_qubits
        if n is None:
            check(
                not told.couplings and not told.labels and not told.positions,
                "couplings, labels and positions need num_qubits",
            )
            return
        check(n >= 2, f"num_qubits must be at least 2 for any test, but was {n}")
        check(all(isinstance(gate, str) for gate in told.basis), "basis must be names of gates")
        for pair in told.couplings or ():
            check(
                len(pair) == 2 and pair[0] != pair[1] and all(0 <= q < n for q in pair),
                f"couplings must be pairs of different qubits below {n}, but have {pair}",
            )
        check(
            told.couplings is None or len(set(told.couplings)) == len(told.couplings),
            "couplings must be given once each",
        )
        for what, given in (("labels", told.labels), ("positions", told.positions)):
            check(
                len(given) in (0, n) and len(set(given)) == len(given),
                f"{what} must be {n} different ones or none, but were {len(given)}",
            )

    def test_the_estimate_counts_shots_and_circuits(self) -> None:
        """The estimate counts the shots that will be taken, the circuits and the jobs."""
        backend = self.backend()
        told = backend.describe()
        for program, shots in ((chsh(), 4003), (probes.shared([1.0, 2.0, 5.0]), 4001)):
            found = backend.estimate(program, shots)
            expected = sum(program.allocate(shots)), len(program.circuits)
            check(
                (found.shots, found.circuits) == expected,
                f"estimate of {program.name!r} must count (shots, circuits) = {expected}, "
                f"but counted {(found.shots, found.circuits)}",
            )
            check(
                math.isfinite(found.seconds) and found.seconds >= 0,
                f"estimated seconds must be finite, but were {found.seconds}",
            )
            check(not told.remote or found.jobs >= 1, "a remote run must count at least one job")
            _line("basis of the estimate", found.basis)
            _line("the estimate in words", str(found))
            if told.paid:
                check(
                    found.quantum_seconds is not None and found.quantum_seconds > 0,
                    "a paid run must estimate its quantum_seconds",
                )
        refused("an estimate of no shots", lambda: backend.estimate(chsh(), 0))

    def test_compiling_keeps_what_was_asked(self) -> None:
        """A compiled experiment names its experiment, backend, qubits and what the guard found."""
        backend = self.backend()
        for program in (chsh(), probes.twins(), probes.small()):
            found = backend.compile(program)
            check(
                found.experiment.id == program.id,
                f"compiled.experiment must be {program.name!r} itself",
            )
            check(
                found.backend == backend.name,
                f"compiled.backend must be {backend.name!r}, but was {found.backend!r}",
            )
            _laid_out(program, found, backend.describe())
            check(
                found.guard.status in ("exact", "stabiliser", "unchecked"),
                f"the guard's status must be a known one, but was {found.guard.status!r}",
            )
            check(
                math.isfinite(found.guard.deviation) and found.guard.deviation < 1e-3,
                f"the guard's deviation must be next to 0, but was {found.guard.deviation}",
            )
            _line("detail of the guard", found.guard.detail)
            for text in found.assumptions:
                _line("an assumption", text)
        check(
            found.predicted is None,
            f"predicted must be None for circuits that score nothing, but was {found.predicted}",
        )

    def test_compiling_is_repeatable(self) -> None:
        """The same experiment compiles to the same qubits and bits each time."""
        backend = self.backend()
        first, second = backend.compile(chsh()), self.backend().compile(chsh())
        check(
            first.qubits == second.qubits,
            f"the qubits chosen must be the same each time, but were {first.qubits} "
            f"and {second.qubits}",
        )
        check(
            self.forms(backend, first) == self.forms(backend, second),
            "the bits of compiled circuits must be the same each time",
        )

    def test_qubits_that_were_asked_for_are_used(self) -> None:
        """Circuits are compiled for the qubits asked for, in their order."""
        backend = self.backend()
        for asked in _pairs(backend.describe()):
            found = backend.compile(chsh(), qubits=asked)
            check(
                tuple(found.qubits) == asked,
                f"the qubits must be {asked}, but were {found.qubits}",
            )

    def test_bits_read_the_qubits_asked_for(self) -> None:
        """Every bit of a compiled circuit reads the physical qubit of its logical one."""
        backend = self.backend()
        told = backend.describe()
        if told.num_qubits is None:
            skip("any number of qubits goes: none of them is a physical one")
        for asked in _pairs(told):
            compiled = backend.compile(chsh(), qubits=asked)
            forms = self.forms(backend, compiled)
            if forms is None:
                skip("forms() cannot tell which qubit a bit of these circuits reads")
            for circuit, form in zip(chsh().circuits, forms, strict=True):
                check(
                    form.reads == {0: asked[0], 1: asked[1]},
                    f"{circuit.name!r} on {asked} must read qubits {asked} into bits 0 and 1, "
                    f"but reads {form.reads}",
                )
                check(
                    form.touched <= set(asked),
                    f"{circuit.name!r} on {asked} must touch no other qubit, but touches "
                    f"{sorted(form.touched)}",
                )

    def test_the_barrier_is_kept(self) -> None:
        """The labelled barrier still stands between what entangles and what measures."""
        backend = self.backend()
        forms = self.forms(backend, backend.compile(chsh()))
        if forms is None:
            skip("forms() cannot tell where the barrier of these circuits is")
        for circuit, form in zip(chsh().circuits, forms, strict=True):
            check(
                form.parted,
                f"{circuit.name!r} must keep its barrier {PREPARED!r}, after what entangles and "
                "before what measures",
            )

    def test_wrong_qubits_are_refused(self) -> None:
        """Qubits that are negative, repeated, too few, too many or not there are refused."""
        backend = self.backend()
        told = backend.describe()
        for wrong in _wrong(told):
            refused(
                f"compiling a pair for qubits {wrong!r}",
                partial(backend.compile, chsh(), qubits=wrong),
                kind=ArgumentError,
            )

    def test_too_large_an_experiment_is_refused(self) -> None:
        """More qubits than the device has are refused."""
        backend = self.backend()
        told = backend.describe()
        if told.num_qubits is None:
            skip("any number of qubits goes")
        big = probes.one_hot(told.num_qubits + 1)
        refused(f"compiling {big.num_qubits} qubits", lambda: backend.compile(big))

    def test_free_parameters_are_refused(self) -> None:
        """A circuit with a free parameter never runs; the parameter or its gate is named."""
        backend = self.backend()
        probe = probes.free()
        text = refused(
            "a free parameter",
            lambda: backend.submit(
                backend.compile(probe, qubits=self.place(backend, probe)), shots=10, id=fresh_id()
            ),
        )
        check(
            "unbound" in text or "rx" in text,
            f"the error must name the parameter 'unbound', but was {text!r}",
        )

    def test_circuits_of_another_backend_are_refused(self) -> None:
        """What was compiled for another backend is not run."""
        backend = self.backend()
        foreign = replace(self.compiled(backend, probes.small()), backend="another:backend")
        refused(
            "circuits compiled for another backend",
            lambda: backend.submit(foreign, shots=10, id=fresh_id()),
        )

    def test_gates_that_it_cannot_run_are_named(self) -> None:
        """A gate is compiled, or refused in one line that names it; few are refused."""
        backend = self.backend()
        lost = []
        for name in probes.GATE_PROBES:
            probe = probes.gate_probe([name])
            if attempt(f"compiling {name}", partial(self.compiled, backend, probe)) is None:
                lost.append(name)
        needed = {"h", "x", "y", "z", "s", "sdg", "rx", "ry", "rz", "cx", "cz", "barrier"}
        check(
            not needed & set(lost),
            f"gates of every test must compile, but refused were {sorted(needed & set(lost))}",
        )


def _pairs(told: Description) -> Iterator[tuple[int, int]]:
    """Pairs that a backend would hardly choose by itself, both ways round."""
    if told.couplings:
        a, b = sorted(told.couplings)[len(told.couplings) // 2]
    else:
        a, b = (3, 1) if (told.num_qubits or 9) > 3 else (0, 1)
    yield a, b
    yield b, a


def _wrong(told: Description) -> Iterator[Sequence[Any]]:
    a, b = next(_pairs(told))
    yield from ((a, a), (a, -1), (a,), (a, b, b + 1), (), (a, 0.5), (a, "b"))
    n = told.num_qubits
    if n is not None:
        yield a, n
        joined = {frozenset(pair) for pair in told.couplings or ()}
        if told.couplings is not None:
            apart = next(
                ((p, q) for p in range(n) for q in range(p) if frozenset((p, q)) not in joined),
                None,
            )
            if apart is not None:
                yield apart


def _laid_out(program: Program, found: Compiled, told: Description) -> None:
    check(
        len(found.circuits) == len(program.circuits),
        f"{program.name!r} must compile to {len(program.circuits)} circuits, "
        f"but gave {len(found.circuits)}",
    )
    qubits = tuple(found.qubits)
    check(
        len(qubits) == program.num_qubits == len(set(qubits)),
        f"qubits must be {program.num_qubits} different ones, but were {qubits}",
    )
    if told.num_qubits is not None:
        check(
            all(0 <= q < told.num_qubits for q in qubits),
            f"qubits must lie below {told.num_qubits}, but were {qubits}",
        )
    if told.couplings is not None:
        joined = {frozenset(pair) for pair in told.couplings}
        for a, b in program.couplings:
            check(
                frozenset((qubits[a], qubits[b])) in joined,
                f"qubits {qubits[a]} and {qubits[b]} must be coupled, but are not",
            )


def _line(what: str, text: str) -> None:
    check(
        isinstance(text, str) and len(text.splitlines()) == 1 and text.strip(),
        f"{what} must be one line, but was {text!r}",
    )
