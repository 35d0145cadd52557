"""Nothing that costs money is sent without having been agreed to."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from ebit.backends import AerBackend, Description, Estimate, load_calibration
from ebit.circuits import chsh
from ebit.games import ArgumentError, BudgetError
from ebit.protocols.terms import agree, check_terms


class Priced(AerBackend):
    """The simulator, as if it cost money."""

    def __init__(self) -> None:
        super().__init__(load_calibration("fez"))

    def describe(self) -> Description:
        return Description("priced:fez", "processor", paid=True)

    def estimate(self, experiment: Any, shots: int) -> Estimate:
        return Estimate(10.0, shots, 4, "a made-up price", jobs=1, quantum_seconds=7.5)

    def compile(self, experiment: Any, *, qubits: Sequence[int] | None = None) -> Any:
        raise AssertionError("pricing must not need more than an estimate")


def test_a_free_run_is_not_asked_about() -> None:
    assert agree(AerBackend(), chsh(), 1000) is None


@pytest.mark.parametrize("answer", [True, lambda estimate: estimate.quantum_seconds < 8])
def test_agreed(answer: Any) -> None:
    found = agree(Priced(), chsh(), 1000, confirm=answer)
    assert found is not None
    assert found.jobs == 1


@pytest.mark.parametrize("answer", [False, lambda estimate: False])
def test_not_agreed(answer: Any) -> None:
    with pytest.raises(BudgetError, match=r"not sent.*7\.5 s of quantum time"):
        agree(Priced(), chsh(), 1000, confirm=answer)


def test_nobody_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    with pytest.raises(BudgetError, match="confirm=True"):
        agree(Priced(), chsh(), 1000)


@pytest.mark.parametrize(("typed", "sent"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_a_person_is_asked(typed: str, sent: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    if sent:
        assert agree(Priced(), chsh(), 1000) is not None
    else:
        with pytest.raises(BudgetError, match="not agreed"):
            agree(Priced(), chsh(), 1000)


def test_a_budget_refuses_even_what_was_agreed_to() -> None:
    with pytest.raises(BudgetError, match="more than the 7 s allowed; nothing was sent"):
        agree(Priced(), chsh(), 1000, confirm=True, max_seconds=7)
    assert agree(Priced(), chsh(), 1000, confirm=True, max_seconds=8) is not None


def test_a_budget_holds_for_simulators_too() -> None:
    slow = 10**10
    with pytest.raises(BudgetError, match="allowed"):
        agree(AerBackend(), chsh(), slow, max_seconds=0.001)


@pytest.mark.parametrize("confirm", [1, "yes"])
def test_wrong_confirm(confirm: Any) -> None:
    with pytest.raises(ArgumentError, match="confirm must be"):
        check_terms(confirm, None)


@pytest.mark.parametrize("budget", [0, -1, "5", True, float("nan")])
def test_wrong_budget(budget: Any) -> None:
    with pytest.raises(ArgumentError, match="max_seconds must be"):
        check_terms(None, budget)


def test_an_estimate_reads_as_a_sentence() -> None:
    assert str(Estimate(1.0, 100_000, 4, "measured")) == (
        "4 circuits, 100 000 shots, about 1 s (measured)"
    )
    assert "1 job, about 7.5 s of quantum time" in str(
        Estimate(10.0, 1000, 1, "made up", jobs=1, quantum_seconds=7.5)
    )
