"""What a run costs, said before it is sent, and whether that is agreed to."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from ebit.games import ArgumentError, BudgetError

if TYPE_CHECKING:
    from ebit.backends import Backend, Estimate
    from ebit.circuits.program import Program

__all__ = ["Confirm", "agree", "check_terms"]

Confirm = bool | Callable[["Estimate"], bool] | None


def check_terms(confirm: Confirm, max_seconds: float | None) -> None:
    """Refuse terms that are none."""
    if confirm is not None and not isinstance(confirm, bool) and not callable(confirm):
        raise ArgumentError(
            f"confirm must be True, False or a function of the estimate, but was {confirm!r}"
        )
    number = isinstance(max_seconds, (int, float)) and not isinstance(max_seconds, bool)
    if max_seconds is not None and not (number and max_seconds > 0):
        raise ArgumentError(f"max_seconds must be a number above 0, but was {max_seconds!r}")


def agree(
    where: Backend,
    program: Program,
    shots: int,
    *,
    confirm: Confirm = None,
    max_seconds: float | None = None,
) -> Estimate | None:
    """Price a run and have it agreed to.

    Args:
        where: the backend.
        program: what is to run.
        shots: over all circuits.
        confirm: True agrees, False does not; a function is shown the estimate and decides; None
            asks at the terminal or in the notebook, and refuses where there is nobody to ask.
        max_seconds: budget in seconds (of quantum time where that is paid for, else of computing).

    Returns:
        The estimate, None where a run costs nothing and no budget was set.

    Raises:
        BudgetError: too expensive, or not agreed to. Nothing was sent.
    """
    paid = where.describe().paid
    if not paid and max_seconds is None:
        return None
    estimate = where.estimate(program, shots)
    seconds = estimate.seconds if estimate.quantum_seconds is None else estimate.quantum_seconds
    if max_seconds is not None and seconds > max_seconds:
        raise BudgetError(
            f"this run would take {estimate}: more than the {max_seconds:g} s allowed; "
            "nothing was sent"
        )
    if not paid or confirm is True:
        return estimate
    asked = f"{where.name}: {estimate}"
    decided = _ask(asked) if confirm is None else callable(confirm) and confirm(estimate)
    if not decided:
        raise BudgetError(f"not sent, because it was not agreed to: {asked}")
    return estimate


def _ask(asked: str) -> bool:
    if not (_is_notebook() or (sys.stdin is not None and sys.stdin.isatty())):
        raise BudgetError(
            f"a paid run must be agreed to: pass confirm=True (--yes) to send it. {asked}"
        )
    try:
        return input(f"{asked}. Send it? [y/N] ").strip().lower() in ("y", "yes")
    except (EOFError, RuntimeError, NotImplementedError):  # nobody there after all
        return False


def _is_notebook() -> bool:
    shell = sys.modules.get("IPython")
    found = None if shell is None else shell.get_ipython()
    # A kernel that runs a notebook without a person has no way to ask.
    return getattr(getattr(found, "kernel", None), "_allow_stdin", False) is True
