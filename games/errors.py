"""What ebit says when it cannot go on: one line that names the argument and the way out."""

from __future__ import annotations

__all__ = [
    "ArgumentError",
    "BudgetError",
    "EbitError",
    "GuardError",
    "JobError",
    "MissingExtraError",
    "NetworkError",
    "RefusedError",
]


class EbitError(Exception):
    """Any error a user can meet and mend; its text is the one line they see."""

    exit_code = 2


class ArgumentError(EbitError, ValueError):
    """A wrong argument or a wrong input file: which one, what it must be, what it was."""


class MissingExtraError(EbitError, ImportError):
    """Something needs an optional package; the text names the extra to install."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an optional package: run  pip install 'ebit[{extra}]'")
        self.extra = extra


class GuardError(EbitError):
    """A compiled circuit is not the circuit that was asked for."""

    exit_code = 1


class RefusedError(EbitError):
    """A certificate that the data do not support."""

    exit_code = 3


class NetworkError(EbitError):
    """A provider could not be reached or would not answer; nothing is lost, and one may try again."""

    exit_code = 1


class JobError(EbitError):
    """A job failed at the provider, was cancelled, or is not there."""

    exit_code = 1


class BudgetError(EbitError):
    """A run would cost more than was allowed, or was not agreed to: nothing was sent."""

    exit_code = 1
