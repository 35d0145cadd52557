"""Options and output that all subcommands share."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from ebit.games.atomic import write_whole
from ebit.games.errors import ArgumentError

__all__ = ["Report", "common", "emit", "progress_bar", "qubit_list", "shots_option"]

_F = TypeVar("_F", bound=Callable[..., Any])
Report = Callable[[int, int], None]


def common(*, seed: bool = True, out: bool = True) -> Callable[[_F], _F]:
    """Add --json, --quiet, --debug and, where they mean something, --seed and --out."""

    def decorate(function: _F) -> _F:
        options = [
            click.option(
                "--json", "as_json", is_flag=True, help="Print one JSON object, nothing else."
            ),
            click.option("--quiet", is_flag=True, help="No progress on standard error."),
            click.option("--debug", is_flag=True, help="Show a traceback if something breaks."),
        ]
        if seed:
            options.append(
                click.option("--seed", type=click.IntRange(min=0), help="Make the run repeatable.")
            )
        if out:
            options.append(
                click.option(
                    "--out",
                    type=click.Path(path_type=Path),
                    help="Folder for trials, results.json and pictures.",
                )
            )
        for option in options:
            function = option(function)
        return function

    return decorate


def shots_option(default: int) -> Callable[[_F], _F]:
    """Add --shots, a positive whole number; 1e5 is understood."""
    return click.option(
        "--shots", type=_Whole(), default=str(default), show_default=True, help="Rounds in all."
    )


class _Whole(click.ParamType):  # type: ignore[type-arg]
    """A positive whole number, also written 1e5 or 100_000."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            number = float(str(value).replace("_", ""))
            whole = int(number)
        except (ValueError, OverflowError):
            self.fail(f"must be a whole number of at least 1, but was {value!r}", param, ctx)
        if whole != number or whole < 1:
            self.fail(f"must be a whole number of at least 1, but was {value!r}", param, ctx)
        return whole


class _Qubits(click.ParamType):  # type: ignore[type-arg]
    """Qubit numbers separated by commas."""

    name = "qubits"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(int(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"must be qubit numbers like 3,4, but was {value!r}", param, ctx)
        if any(n < 0 for n in numbers) or len(set(numbers)) != len(numbers):
            self.fail(f"must be different qubit numbers from 0 on, but was {value!r}", param, ctx)
        return numbers


def qubit_list() -> _Qubits:
    """Return the type of options such as --pair 3,4."""
    return _Qubits()


def emit(result: dict[str, Any], text: Callable[[], str], *, as_json: bool) -> None:
    """Print one JSON object, or the text for people."""
    if as_json:
        click.echo(json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        click.echo(text())


def save_json(path: Path, result: dict[str, Any]) -> None:
    """Write a result whole or not at all."""
    write_whole(path, json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def check_folder(out: Path | None) -> None:
    """Find out before the work, not after it, that a folder cannot be written."""
    if out is None:
        return
    if out.exists() and not out.is_dir():
        raise ArgumentError(f"--out must be a folder, but {out} is a file")
    probe = out / ".ebit-write-test"
    try:
        write_whole(probe, b"")
    except ArgumentError as error:
        reason = str(error).rpartition(": ")[2]
        raise ArgumentError(f"cannot write into the folder {out}: {reason}") from None
    probe.unlink()


@contextmanager
def progress_bar(label: str, *, quiet: bool) -> Iterator[Report]:
    """Show a bar on standard error for work that reports (done, total); silent when quiet."""
    if quiet or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task(label, total=None)

        def report(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield report
