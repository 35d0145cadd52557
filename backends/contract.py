"""The contract that every backend keeps, as a suite that anybody can run on an adapter.

In pytest, a subclass of `BackendContract` is collected and each of its checks is a test. Anywhere
else `check_backend` runs them and returns a table. Nothing here needs pytest.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any, Literal
from unittest import SkipTest

from ebit.backends.contract_base import Fate, check, refused, skip
from ebit.backends.contract_bits import BitChecks
from ebit.backends.contract_faults import FaultChecks
from ebit.backends.contract_form import FormChecks
from ebit.backends.contract_runs import RunChecks
from ebit.backends.model import Backend
from ebit.backends.names import open_backend
from ebit.backends.patience import one_line
from ebit.games import BudgetError

__all__ = [
    "BackendContract",
    "CheckResult",
    "Fate",
    "Report",
    "check",
    "check_backend",
    "refused",
    "skip",
]


class BackendContract(FormChecks, BitChecks, RunChecks, FaultChecks):
    """Every check of an adapter, for pytest to collect in a subclass.

    A subclass says in `backend()` how to make one, and whatever else it knows: see
    `ContractBase` for the attributes and hooks. What a hook cannot arrange is skipped, and said.
    A faithful adapter fails by chance less often than once in a billion runs of the suite.

    Example:
        >>> from ebit.backends import open_backend
        >>> class TestMine(BackendContract):
        ...     def backend(self):
        ...         return open_backend("aer")
        >>> TestMine().test_permuted_measurement()
    """


@dataclass(frozen=True)
class CheckResult:
    """One check of the contract.

    Args:
        name: of the check.
        says: what it demands, in a sentence.
        status: how it ended.
        detail: why it failed or was skipped.
        seconds: how long it took.
    """

    name: str
    says: str
    status: Literal["passed", "failed", "skipped"]
    detail: str
    seconds: float


@dataclass(frozen=True)
class Report:
    """What the contract found of a backend; prints as a table.

    Args:
        backend: its name.
        results: one per check, in the order in which they ran.
    """

    backend: str
    results: tuple[CheckResult, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failed

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the checks that failed."""
        return self._named("failed")

    @property
    def skipped(self) -> tuple[str, ...]:
        """Names of the checks that were left out."""
        return self._named("skipped")

    def _named(self, status: str) -> tuple[str, ...]:
        return tuple(result.name for result in self.results if result.status == status)

    def _summary(self) -> str:
        failed, skipped = len(self.failed), len(self.skipped)
        passed = len(self.results) - failed - skipped
        seconds = sum(result.seconds for result in self.results)
        return (
            f"{self.backend}: {passed} passed, {failed} failed, {skipped} skipped, {seconds:.1f} s"
        )

    def __str__(self) -> str:
        lines = []
        for result in self.results:
            lines.append(f"{result.status:<8}{result.says}")
            if result.detail:
                lines.append(f"        {result.detail}")
        return "\n".join([*lines, self._summary()])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{result.status}</td><td>{escape(result.says)}</td>"
            f"<td>{escape(result.detail)}</td></tr>"
            for result in self.results
        )
        return f"<p>{escape(self._summary())}</p><table>{rows}</table>"


def check_backend(
    backend: Any, *, paid: bool = False, progress: Callable[[int, int], None] | None = None
) -> Report:
    """Run the contract on a backend, outside pytest.

    Args:
        backend: a name, an object that `open_backend` takes, or an instance of a subclass of
            `BackendContract` that knows more about it.
        paid: run it although runs of this backend cost money: some fifty small jobs.
        progress: called as (checks done, checks in all).

    Returns:
        How every check ended. Nothing is raised for a check that fails.

    Raises:
        ArgumentError: nothing has that name, or the object is of no known kind.
        BudgetError: the backend is a paid one, and `paid` was not set.

    Example:
        >>> report = check_backend("aer")
        >>> report.ok, report.failed
        (True, ())
    """
    contract = backend if isinstance(backend, BackendContract) else _given(backend)
    first = contract.backend()
    if first.describe().paid and not paid:
        raise BudgetError(
            f"the contract runs some fifty small jobs on {first.name}, which may cost money: "
            "nothing was sent; pass paid=True to run them"
        )
    names = [name for name in dir(contract) if name.startswith("test_")]
    # In the order in which they were written: what is simplest comes first.
    names.sort(key=lambda name: _order(type(contract), name))
    results = []
    for done, name in enumerate(names):
        if progress is not None:
            progress(done, len(names))
        results.append(_result(name, getattr(contract, name)))
    if progress is not None:
        progress(len(names), len(names))
    return Report(first.name, tuple(results))


def _result(name: str, work: Callable[[], object]) -> CheckResult:
    begun = time.monotonic()
    status: Literal["passed", "failed", "skipped"] = "passed"
    detail = ""
    try:
        work()
    except SkipTest as reason:
        status, detail = "skipped", str(reason)
    except AssertionError as fault:
        status, detail = "failed", one_line(fault)
    except Exception as error:  # an adapter may raise anything; the other checks go on
        status, detail = "failed", f"{type(error).__name__}: {one_line(error)}"
    says = (work.__doc__ or name).strip().splitlines()[0]
    return CheckResult(name, says, status, detail, time.monotonic() - begun)


def _order(kind: type, name: str) -> tuple[int, int]:
    groups = (FormChecks, BitChecks, RunChecks, FaultChecks)
    for i, group in enumerate(groups):
        if name in vars(group):
            return i, list(vars(group)).index(name)
    return len(groups), list(vars(kind)).index(name) if name in vars(kind) else 0


def _given(backend: Any) -> BackendContract:
    """The contract of a name, or of one object that is already there."""
    opened = open_backend(backend)

    class Given(BackendContract):
        def backend(self) -> Backend:
            return opened

        def reopen(self, backend: Backend) -> Backend:
            return open_backend(name) if name else backend

    name = backend if isinstance(backend, str) else ""
    return Given()
