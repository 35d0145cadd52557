"""ebit extract."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ebit.cli.common import common, emit, progress_bar, whole_number


@click.command(name="extract")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--rate",
    type=float,
    required=True,
    help="Min-entropy per raw bit, in every block given the earlier ones.",
)
@click.option(
    "--out",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="File for the bits; FILE.json beside it.",
)
@click.option("--bits", type=whole_number(), help="Bits wanted; all there are if left out.")
@click.option("--raw-bits", type=whole_number(), help="Bits of FILE that count; all if left out.")
@click.option(
    "--epsilon",
    type=float,
    default=2.0**-40,
    show_default="2^-40",
    help="Error of the whole output, shared by its blocks.",
)
@click.option(
    "--block-bits",
    type=whole_number(),
    default="8388608",
    show_default=True,
    help="Raw bits hashed at a time.",
)
@click.option(
    "--hash-seed",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with the seed of the hash; the operating system's if left out.",
)
@click.option(
    "--budget", type=float, help="What all uses of --hash-seed may add up to, fixed at the first."
)
@common(out=False)
def command(
    *,
    file: Path,
    rate: float,
    target: Path,
    bits: int | None,
    raw_bits: int | None,
    epsilon: float,
    block_bits: int,
    hash_seed: Path | None,
    budget: float | None,
    seed: int | None,
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> None:
    """Hash FILE, raw bits eight to a byte, to fewer bits that are nearly uniform; any size of file.

    The entropy is taken from --rate: it is your claim, or a certificate's. Toeplitz hashing, with the
    errors of the blocks added up.

    \b
    ebit extract raw.bin --rate 0.5 --out random.bin
    """
    del debug
    from ebit.games import write_whole
    from ebit.protocols import extract_file

    with progress_bar("extracting", quiet=quiet) as report:
        found = extract_file(
            file,
            target,
            entropy_rate=rate,
            epsilon=epsilon,
            bits=bits,
            raw_bits=raw_bits,
            block_bits=block_bits,
            seed=hash_seed if hash_seed is not None else seed,
            budget=budget,
            progress=report,
        )
    plain = found.to_dict()
    write_whole(target.with_name(target.name + ".json"), json.dumps(plain, indent=2) + "\n")
    emit(plain, lambda: str(found), as_json=as_json)
