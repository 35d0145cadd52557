"""What an author tells the contract about an adapter, and what its checks share."""

from __future__ import annotations

import math
import unittest
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, NoReturn, TypeVar
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from ebit.backends import contract_probes as probes
from ebit.backends.contract_probes import Probe
from ebit.backends.contract_read import Form, form_of
from ebit.backends.model import Backend, Compiled, Handle, Outcome, Progress
from ebit.backends.patience import DeadlineError, one_line, within
from ebit.circuits import chsh
from ebit.circuits.program import Program
from ebit.games import EbitError

__all__ = ["ContractBase", "Fate", "check", "refused", "skip"]

_T = TypeVar("_T")
Fate = Literal["failed", "empty", "short", "held"]

# Per circuit. On a noisy device the majority of the shots counts: while each bit is wrong with a
# chance of at most 1/4, 256 shots outvote it but for exp(-2 * 256 / 16) = 1e-14 (Hoeffding).
_IDEAL_SHOTS, _NOISY_SHOTS = 16, 256
_LONGEST = 600  # characters of an error


class ContractBase:
    """What an author may say of an adapter; a subclass must say how to make one.

    Attributes:
        ideal: whether every shot of a circuit with a certain outcome must be right. None: yes for
            a simulator without a calibration. On other devices the majority of 256 shots must be
            right, which takes each bit to be wrong with a chance of at most 1/4.
        drift: how far S may lie from what the calibration predicts, beside chance. None: 0 for a
            simulator, 0.3 for a processor.
        most_shots: shots of one circuit that one call of the provider takes, None for any number.
        most_circuits: circuits that one call of the provider takes, None for any number.
        limit: seconds after which a run that was cancelled, or that failed, counts as a hang.
    """

    ideal: bool | None = None
    drift: float | None = None
    most_shots: int | None = None
    most_circuits: int | None = None
    limit: float = 120.0

    _places: ClassVar[dict[tuple[type, str, str], tuple[int, ...]]] = {}

    def backend(self) -> Backend:
        """A fresh backend object; for a remote one, of the same account each time."""
        raise NotImplementedError

    def reopen(self, backend: Backend) -> Backend:
        """A further object of the same backend, as another process would open it."""
        del backend
        return self.backend()

    def arrange(self, backend: Backend, fate: Fate) -> str | None:
        """Let the next run meet a fate: to fail, to give nothing or too little, or to be held back.

        Returns:
            The provider's words, which the error must repeat ("" for none); None where the fate
            cannot be arranged, so that its check is skipped.
        """
        del backend, fate
        return None

    def sent(self, backend: Backend, id: str) -> int | None:
        """How many jobs the provider has under an id of ours; None where nobody can tell."""
        del backend, id
        return None

    def forms(self, backend: Backend, compiled: Compiled) -> Sequence[Form] | None:
        """What the compiled circuits do: which qubit each bit reads, what is touched, the barrier.

        Known here for circuits of Qiskit and of Cirq; None where nobody can tell.
        """
        labels = backend.describe().labels
        found = [form_of(circuit, labels) for circuit in compiled.circuits]
        known = [form for form in found if form is not None]
        return known if len(known) == len(found) else None

    # What the checks share.

    def exact(self, backend: Backend) -> bool:
        """Whether every single shot must be right."""
        if self.ideal is not None:
            return self.ideal
        told = backend.describe()
        return told.kind == "simulator" and told.calibration is None

    def shots(self, backend: Backend, probe: Program) -> int:
        """Shots that tell the bits of every circuit."""
        least = _IDEAL_SHOTS if self.exact(backend) else _NOISY_SHOTS
        return math.ceil(least * sum(probe.weights) / min(probe.weights))

    def size(self, backend: Backend, wanted: int = 5) -> int:
        """Qubits that a probe may have."""
        return min(wanted, backend.describe().num_qubits or wanted)

    def place(self, backend: Backend, probe: Program) -> tuple[int, ...]:
        """Physical qubits for a probe, chosen once by the backend itself."""
        n = probe.num_qubits
        kind = "pair" if n == 2 else "qubits"
        key = (type(self), f"{type(backend).__name__} {backend.name}", kind)
        found = self._places.get(key)
        if found is None or len(found) < n:
            model = chsh() if n == 2 else probes.one_hot(max(n, self.size(backend)))
            found = self._places[key] = tuple(backend.compile(model).qubits)
        return found[:n]

    def compiled(self, backend: Backend, probe: Program) -> Compiled:
        """A probe compiled for the qubits chosen for its size."""
        return backend.compile(probe, qubits=self.place(backend, probe))

    def start(
        self, backend: Backend, probe: Program, *, shots: int | None = None, id: str | None = None
    ) -> Handle:
        """Submit a probe under an id of its own."""
        count = self.shots(backend, probe) if shots is None else shots
        return backend.submit(self.compiled(backend, probe), shots=count, id=id or fresh_id())

    def run(
        self,
        backend: Backend,
        probe: Program,
        *,
        shots: int | None = None,
        progress: Progress | None = None,
    ) -> Outcome:
        """Compile, submit and fetch a probe."""
        count = self.shots(backend, probe) if shots is None else shots
        return self.finish(backend, self.compiled(backend, probe), count, progress=progress)

    def finish(
        self, backend: Backend, compiled: Compiled, shots: int, *, progress: Progress | None = None
    ) -> Outcome:
        """Submit and fetch what was compiled; the shape of what comes back is checked."""
        handle = backend.submit(compiled, shots=shots, id=fresh_id())
        outcome = backend.fetch(handle, progress=progress)
        shaped(compiled.experiment, handle, outcome)
        return outcome

    def agree(self, backend: Backend, probe: Probe, outcome: Outcome) -> None:
        """Compare an outcome with what a probe must give."""
        for i, expected in enumerate(probe.expected):
            got = self._string(backend, outcome.shots.bits(i))
            check(
                got == expected,
                f"{probe.name}: circuit {i} ({probe.circuits[i].name!r}) must give "
                f"{shown(expected)} (bit 0 first), but gave {shown(got)}",
            )

    def _string(self, backend: Backend, bits: npt.NDArray[np.uint8]) -> str:
        if self.exact(backend):
            rows = {"".join(map(str, row)) for row in bits.tolist()}
            return rows.pop() if len(rows) == 1 else f"{len(rows)} different strings"
        return "".join("1" if mean > 0.5 else "0" for mean in bits.mean(axis=0))

    def soon(self, work: Callable[[], _T], what: str) -> _T:
        """Do what must not hang."""
        try:
            return within(work, self.limit, what)
        except DeadlineError:
            raise AssertionError(f"{what} must come to an end within {self.limit:g} s") from None


def check(condition: object, message: str) -> None:
    """Fail with a message unless a condition holds.

    Raises:
        AssertionError: it does not hold.
    """
    if not condition:
        raise AssertionError(message)


def skip(reason: str) -> NoReturn:
    """Leave a check out and say why; pytest and `check_backend` both understand it.

    Raises:
        unittest.SkipTest: always.
    """
    raise unittest.SkipTest(reason)


def refused(
    what: str, work: Callable[[], object], *, kind: type[EbitError] = EbitError, words: str = ""
) -> str:
    """The one line with which something is refused.

    Args:
        what: what is tried, for people.
        work: the call.
        kind: the kind of error that it must raise.
        words: what the error must say.

    Raises:
        AssertionError: it went through, raised something else, or said more or less than a line.
    """
    try:
        work()
    except EbitError as error:
        text = str(error)
        check(
            isinstance(error, kind),
            f"{what} must raise {kind.__name__}, but raised {type(error).__name__}: {text}",
        )
        plain = text.strip() and len(text) <= _LONGEST and len(text.splitlines()) == 1
        check(
            plain and "Traceback" not in text,
            f"{what} must be refused in one line of at most {_LONGEST} characters, "
            f"but the error was {text!r}",
        )
        check(
            " ".join(words.split()) in text,
            f"{what} must be refused with the words {words!r}, but the error was {text!r}",
        )
        return text
    except AssertionError:
        raise
    except Exception as error:
        raise AssertionError(
            f"{what} must raise {kind.__name__} with one line, but raised "
            f"{type(error).__name__}: {one_line(error)}"
        ) from error
    raise AssertionError(f"{what} must be refused with {kind.__name__}, but went through")


def attempt(what: str, work: Callable[[], _T]) -> _T | None:
    """What a call returns, or None where it is refused in one line; anything else fails."""
    done: list[_T] = []
    try:
        done.append(work())
    except EbitError as error:
        caught = error

        def again() -> NoReturn:
            raise caught

        refused(what, again)
    return done[0] if done else None


def shaped(probe: Program, handle: Handle, outcome: Outcome) -> None:
    """Every circuit has the bits it was built with and the shots it was given."""
    check(
        outcome.shots.widths == probe.widths,
        f"{probe.name}: the circuits must have {probe.widths} bits, but the shots have "
        f"{outcome.shots.widths}",
    )
    check(
        outcome.shots.counts == handle.shots,
        f"{probe.name}: the circuits must have {handle.shots} shots, but have "
        f"{outcome.shots.counts}",
    )


def shown(bits: str) -> str:
    """A bit string that fits on a line: the positions of its ones where it is long."""
    if len(bits) <= 24 or not set(bits) <= {"0", "1"}:
        return bits
    return f"ones at {[j for j, bit in enumerate(bits) if bit == '1']} of {len(bits)}"


def fresh_id() -> str:
    """An id that nobody used before, of the form that ebit's own runs have."""
    return uuid4().hex


def same(first: Any, second: Any) -> bool:
    """Whether two outcomes have the same shots."""
    return all(
        np.array_equal(a, b) for a, b in zip(first.shots.packed, second.shots.packed, strict=True)
    )
