"""The command line, a file per subcommand."""

from ebit.cli.main import run

__all__ = ["run"]
