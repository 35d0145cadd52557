"""ebit notebooks."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from shlex import quote

import click

from ebit.cli.common import common, emit


@click.command(name="notebooks")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite notebooks that are already there.")
@common(seed=False, out=False)
def command(folder: Path, *, force: bool, as_json: bool, quiet: bool, debug: bool) -> None:
    """Copy the lab notebooks and their data into FOLDER."""
    del quiet, debug
    from ebit.games import ArgumentError, write_whole

    home = files("ebit.notebooks")
    sources = {p.name: p for p in home.iterdir() if p.name.endswith(".ipynb")}
    data = home / "data"
    if data.is_dir():
        sources |= {f"data/{p.name}": p for p in data.iterdir() if p.is_file()}
    there = [name for name in sources if (folder / name).exists()]
    if there and not force:
        raise ArgumentError(
            f"{folder / there[0]} is there already: choose another folder or add --force"
        )
    written = [
        str(write_whole(folder / name, source.read_bytes()))
        for name, source in sorted(sources.items())
    ]
    emit(
        {"written": written},
        lambda: "\n".join(
            [
                *written,
                f"open them with:  jupyter lab {quote(str(folder))}",
                "where there is no Jupyter yet:  pip install jupyterlab 'ebit[notebook]'",
            ]
        ),
        as_json=as_json,
    )
