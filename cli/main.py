"""The group of subcommands: each one's module is imported only when it is called."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from ebit._version import __version__

__all__ = ["COMMANDS", "main", "run"]

# name -> one line of help; the module ebit.cli.<name> holds `command`.
COMMANDS: dict[str, str] = {
    "demo": "Run the whole tour on the built-in simulator and write a report.",
    "bell": "Run a Bell test on a backend and score it.",
    "map": "Run a Bell test on every coupled pair of a chip.",
    "state": "Prepare a state on a backend and say whether it is entangled.",
    "fringe": "Sweep a measuring angle and draw the fringe.",
    "score": "Score anybody's trials or counts.",
    "random": "Make random bits with a proven amount of entropy.",
    "key": "Make a secret key between two parties, eavesdroppers included.",
    "rate": "Say how much key a protocol gives, without running anything.",
    "rekey": "Refresh keys from a quantum key and post-quantum exchanges together.",
    "keys": "Make a store of keys; add, list, get and audit them.",
    "serve": "Hand keys to programs: ETSI GS QKD 014 over mutual TLS.",
    "use": "Encrypt files, tag messages and set up TLS with delivered keys.",
    "extract": "Hash raw bits of known entropy to nearly uniform ones.",
    "health": "Test the health of random bits in a file and estimate their min-entropy.",
    "plan": "Say how many rounds a Bell test needs.",
    "estimate": "Say what a run would take, before it is paid for.",
    "jobs": "List the jobs in the ledger, and where they stand.",
    "resume": "Pick up a job where it was left, and score it.",
    "cancel": "Cancel a job at its provider.",
    "backends": "List where circuits can run, and why the rest cannot.",
    "notebooks": "Copy the lab notebooks into a folder.",
}


class _Lazy(click.Group):
    """A group that knows its commands by name and imports one only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        found = import_module(f"ebit.cli.{name}").command
        return found if isinstance(found, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            import difflib

            near = difflib.get_close_matches(name, COMMANDS, n=2)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise click.UsageError(f"there is no command {name!r}.{hint} See: ebit --help")
        return super().resolve_command(ctx, args)


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ebit")
def main() -> None:
    """Certify entanglement on quantum processors, and use it.

    Start with `ebit demo`. Every command explains itself: `ebit bell --help`.
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; no traceback without --debug.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a refused certificate.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    try:
        return _invoke(given)
    except click.exceptions.Exit as stop:
        return int(stop.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.ClickException as error:
        _complain(error.format_message())
        return 2
    except (KeyboardInterrupt, click.Abort) as stop:
        # A wait for a job that was broken off says how to pick it up.
        waiting = stop if isinstance(stop, KeyboardInterrupt) else stop.__cause__
        _complain(str(waiting or "") or "interrupted; no file was left half written")
        return 130
    except BrokenPipeError:
        # The reader of our output has gone; let the interpreter close quietly.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except MemoryError:
        if debug:
            raise
        _complain("not enough memory for so many rounds: take fewer --shots")
        return 1
    except Exception as error:
        if debug:
            raise
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            _complain(f"cannot write: {error.strerror}")
            return 1
        # Not at the top: numpy comes with it, and help should not wait for numpy.
        from ebit.games.errors import EbitError

        if isinstance(error, EbitError):
            _complain(str(error))
            return error.exit_code
        _complain(f"unexpected {type(error).__name__}: {error} (run again with --debug for more)")
        return 1


def _invoke(arguments: list[str]) -> int:
    outcome: Any = main.main(args=arguments, prog_name="ebit", standalone_mode=False)
    return int(outcome) if isinstance(outcome, int) else 0


def _complain(message: str) -> None:
    line = " ".join(message.split())
    click.echo(f"ebit: {line}", err=True)
