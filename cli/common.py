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

__all__ = [
    "Report",
    "common",
    "emit",
    "paid",
    "progress_bar",
    "qubit_list",
    "shots_option",
    "whole_number",
]

_F = TypeVar("_F", bound=Callable[..., Any])


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


def paid() -> Callable[[_F], _F]:
    """Add what runs on processors need: --yes, --no-wait and --max-seconds."""

    def decorate(function: _F) -> _F:
        for option in (
            click.option("--yes", is_flag=True, help="Send a paid run without asking."),
            click.option(
                "--no-wait",
                is_flag=True,
                help="Return at once with the job's id; ebit resume picks it up.",
            ),
            click.option(
                "--max-seconds",
                type=click.FloatRange(min=0, min_open=True),
                help="Refuse a run that would take longer (quantum time, where that is paid).",
            ),
        ):
            function = option(function)
        return function

    return decorate


def shots_option(default: int, words: str = "Rounds in all.") -> Callable[[_F], _F]:
    """Add --shots, a positive whole number; 1e5 is understood."""
    return click.option(
        "--shots", type=_Whole(), default=str(default), show_default=True, help=words
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


def whole_number() -> _Whole:
    """Return the type of options such as --bits 1e6: a positive whole number."""
    return _Whole()


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


def check_file(file: Path | None) -> None:
    """Find out before the run, not after it, that a file cannot be written."""
    if file is None:
        return
    if file.is_dir():
        raise ArgumentError(f"--out must be a file, but {file} is a folder")
    probe = file.with_name(f".{file.name}.ebit-write-test")
    try:
        write_whole(probe, b"")
    except ArgumentError as error:
        reason = str(error).rpartition(": ")[2]
        raise ArgumentError(f"cannot write {file}: {reason}") from None
    probe.unlink()


class Report:
    """What long work is given: called with (done, total), and told news with ``say``.

    Args:
        show: draws the bar.
        tell: prints a line of news.
    """

    def __init__(self, show: Callable[[int, int], None], tell: Callable[[str], None]) -> None:
        self._show = show
        self._tell = tell
        self._last = ""

    def __call__(self, done: int, total: int) -> None:
        """Show how far the work is."""
        self._show(done, total)

    def say(self, text: str) -> None:
        """Print news on standard error, once each."""
        if text != self._last:
            self._last = text
            self._tell(text)


@contextmanager
def progress_bar(label: str, *, quiet: bool) -> Iterator[Report]:
    """Show a bar on standard error for work that reports (done, total); silent when quiet.

    News (a job's id, a retry, a place in a queue) is printed where standard error is no terminal
    too.
    """
    if quiet:
        yield Report(lambda done, total: None, lambda text: None)
        return
    if not sys.stderr.isatty():
        yield Report(lambda done, total: None, lambda text: click.echo(f"  {text}", err=True))
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
        yield Report(
            lambda done, total: bar.update(task, completed=done, total=total),
            lambda text: bar.console.print(f"  {text}", markup=False, highlight=False),
        )
