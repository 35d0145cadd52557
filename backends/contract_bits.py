"""The contract's checks of bits: which circuit, which bit, which shot."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from ebit.backends import contract_probes as probes
from ebit.backends.contract_base import ContractBase, attempt, check, same, skip
from ebit.circuits import chsh

__all__ = ["BitChecks"]

# Shots of a fair coin: enough that every limit below is passed by chance less often than 1e-9.
_COIN = 1024
_BELL = 2_000  # shots per setting


class BitChecks(ContractBase):
    """What comes back is what was asked, bit by bit."""

    def test_each_qubit_has_its_bit(self) -> None:
        """Each qubit flipped alone shows in its own bit."""
        backend = self.backend()
        probe = probes.one_hot(self.size(backend))
        self.agree(backend, probe, self.run(backend, probe))

    def test_permuted_measurement(self) -> None:
        """Qubit i read into bit p(i) shows there, for a permutation that is not its own inverse."""
        backend = self.backend()
        n = self.size(backend)
        order = (2, 0, 4, 1, 3) if n == 5 else tuple((i + 1) % n for i in range(n))
        probe = probes.one_hot(n, order=order)
        self.agree(backend, probe, self.run(backend, probe))

    def test_circuits_keep_their_order(self) -> None:
        """Twenty circuits of four widths come back in the order in which they were given."""
        backend = self.backend()
        probe = probes.counted(self.size(backend), 20 if self.size(backend) == 5 else 3)
        self.agree(backend, probe, self.run(backend, probe))

    def test_many_circuits(self) -> None:
        """More circuits than one call of the provider takes come back in their order."""
        if self.most_circuits is None:
            skip("most_circuits is not given: any number goes")
        backend = self.backend()
        n = max(2, (self.most_circuits + 2).bit_length())
        probe = probes.counted(n, self.most_circuits + 1)
        self.agree(backend, probe, self.run(backend, probe))

    def test_wide_registers(self) -> None:
        """Bits beyond a byte and beyond a machine word; bits that are never written stay 0."""
        backend = self.backend()
        if self.size(backend) < 3:
            skip("the device has fewer than three qubits")
        probe = probes.wide()
        self.agree(backend, probe, self.run(backend, probe))

    def test_several_registers(self) -> None:
        """A circuit built with two classical registers is refused, or read in the right order."""
        backend = self.backend()
        if self.size(backend) < 3:
            skip("the device has fewer than three qubits")
        probe = probes.registers()
        outcome = attempt("two classical registers", lambda: self.run(backend, probe))
        if outcome is not None:
            self.agree(backend, probe, outcome)

    def test_bound_parameters(self) -> None:
        """Circuits whose parameters were bound run with those values."""
        backend = self.backend()
        probe = probes.bound()
        self.agree(backend, probe, self.run(backend, probe))

    def test_gates_mean_what_they_mean(self) -> None:
        """Every gate that compiles has its own sign, direction and angle."""
        backend = self.backend()
        names = [
            name
            for name in probes.GATE_PROBES
            if attempt(
                f"compiling {name}", partial(self.compiled, backend, probes.gate_probe([name]))
            )
        ]
        probe = probes.gate_probe(names)
        self.agree(backend, probe, self.run(backend, probe))

    def test_a_condition_on_a_bit(self) -> None:
        """A bit measured in the middle decides, or the circuit is refused in one line."""
        backend = self.backend()
        probe = probes.conditioned()
        outcome = attempt("a condition on one bit", lambda: self.run(backend, probe))
        if outcome is not None:
            self.agree(backend, probe, outcome)

    def test_bits_of_a_shot_stay_together(self) -> None:
        """Two bits of a Bell pair are equal in every shot, and the shots are not sorted."""
        backend = self.backend()
        outcome = self.run(backend, probes.twins(), shots=2 * _COIN)
        for circuit in range(2):
            bits = outcome.shots.bits(circuit)
            first, middle, last = bits[:, 0], bits[:, 1], bits[:, 2]
            check(not middle.any(), "a bit that is never written must stay 0")
            equal = float((first == last).mean())
            check(
                equal == 1 if self.exact(backend) else equal > 5 / 8,
                f"bits of one shot must stay together: those of a Bell pair agree in {equal:.3f} "
                "of the shots",
            )
            check(
                0.2 < first.mean() < 0.8,
                f"a bit of a Bell pair must be random, but its mean is {first.mean():.3f}",
            )
            turns = int((first[1:] != first[:-1]).sum())
            check(
                turns > _COIN // 8,
                f"shots must come in the order they were taken: {turns} changes in {_COIN} shots "
                "of a fair bit look sorted, as shots made up from counts are",
            )
        check(
            not np.array_equal(outcome.shots.packed[0], outcome.shots.packed[1]),
            "two circuits of a run must not share their random numbers",
        )

    def test_runs_differ(self) -> None:
        """Two runs of the same circuits, with no seed given, have different shots."""
        backend = self.backend()
        first, second = (self.run(backend, probes.twins(), shots=256) for _ in range(2))
        check(not same(first, second), "two runs must not have the same random shots")

    def test_a_bell_test_decodes(self) -> None:
        """A Bell test gives the S that the device promises."""
        backend = self.backend()
        experiment = chsh(state="psi-")
        compiled = backend.compile(experiment)
        outcome = self.finish(backend, compiled, 4 * _BELL)
        counts = experiment.decode(outcome.shots).game_counts(experiment.game)
        behaviour = counts / counts.sum(axis=(1, 2), keepdims=True)
        found = float(experiment.game.bell_value(behaviour))
        # S is a sum of 4 means of n values of +-1: Hoeffding, both sides, 1e-10.
        margin = math.sqrt(8 * math.log(2e10) / _BELL)
        told = backend.describe()
        if self.exact(backend):
            low = high = math.sqrt(8)
        elif compiled.predicted is not None:
            drift = self.drift
            if drift is None:
                drift = 0.0 if told.kind == "simulator" else 0.3
            centre = 8 * (compiled.predicted - 0.5)  # uniform questions: S = 8 (w - 1/2)
            low, high = centre - drift, centre + drift
        else:
            low, high = 2.0, math.sqrt(8)
        check(
            low - margin < found < high + margin,
            f"S must lie between {low - margin:.3f} and {high + margin:.3f}, but was {found:.3f}",
        )
