"""ebit random."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ebit.cli.common import check_file, common, emit, paid, progress_bar, qubit_list, whole_number
from ebit.cli.launch import Terms, ask, job_dict
from ebit.games.errors import ArgumentError


@click.command(name="random")
@click.option(
    "--backend", default="aer", show_default=True, help="Where to run; see ebit backends."
)
@click.option("--bits", type=whole_number(), help="Bits wanted; all there are if left out.")
@click.option(
    "--out", "file", type=click.Path(path_type=Path), help="File for the bits; FILE.json beside it."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["raw", "hex", "base64", "numbers"]),
    default="raw",
    show_default=True,
    help="How the file holds them; numbers: lines of the digits 0 and 1.",
)
@click.option(
    "--source",
    type=click.Choice(["chsh", "spot", "hadamard", "bell", "ghz"]),
    default="chsh",
    show_default=True,
    help="A Bell test (chsh, spot), or what has to be trusted.",
)
@click.option(
    "--certify",
    type=click.Choice(["pef", "renyi", "renyi-one", "geat", "eat", "none"]),
    help="How entropy is certified: pef for a Bell test, none for a trusted source.",
)
@click.option("--shots", type=whole_number(), help="Rounds; as many as the bits need if left out.")
@click.option("--expect", "expected_S", type=float, help="Plan for this S, not the calibration's.")
@click.option("--pilot", type=whole_number(), help="Plan by a pilot run of so many rounds.")
@click.option(
    "--epsilon",
    type=float,
    default=2.0**-40,
    show_default="2^-40",
    help="Error in all: half for the entropy, half for the hash.",
)
@click.option("--tau", type=float, help="How far settings can be predicted beyond their law.")
@click.option(
    "--gamma", type=float, default=0.2, show_default=True, help="spot: share of rounds that test."
)
@click.option("--size", type=whole_number(), help="Qubits of hadamard or ghz, pairs of bell.")
@click.option("--pair", type=qubit_list(), help="Physical qubits of Alice and Bob, such as 3,4.")
@click.option("--qubits", type=qubit_list(), help="All physical qubits in order.")
@click.option(
    "--hash-seed",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with the seed of the hash; the operating system's if left out.",
)
@click.option(
    "--pool",
    type=click.Path(path_type=Path, file_okay=False),
    help="Put the bits into this pool, in place of --out.",
)
@paid()
@common(out=False)
def command(
    *,
    backend: str,
    bits: int | None,
    file: Path | None,
    form: str,
    source: str,
    certify: str | None,
    shots: int | None,
    expected_S: float | None,
    pilot: int | None,
    epsilon: float,
    tau: float | None,
    gamma: float,
    size: int | None,
    pair: tuple[int, ...] | None,
    qubits: tuple[int, ...] | None,
    hash_seed: Path | None,
    pool: Path | None,
    yes: bool,
    no_wait: bool,
    max_seconds: float | None,
    seed: int | None,
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> int:
    """Make random bits with a proven amount of entropy, and a certificate of it.

    Plans the rounds, runs them, certifies the entropy of the outcomes, hashes them and tests the
    result. Without --out the bits are printed (hex, unless --format says otherwise). Exit code 3:
    the certificate was refused, with the reason.

    \b
    ebit random --backend aer:fez --bits 4096 --out bits.bin
    ebit random --backend aer:fez --bits 256 --certify renyi --format hex
    ebit random --backend aer --source hadamard --bits 1e6 --out raw.bin
    """
    del debug
    if file is not None and pool is not None:
        raise ArgumentError(
            "--out and --pool exclude each other: a pool hands each bit out once, a file is another copy"
        )
    if no_wait and (file is not None or pool is not None):
        raise ArgumentError(
            "--no-wait takes no --out and no --pool: ebit resume JOB --out FOLDER does"
        )
    check_file(file)
    options: dict[str, Any] = {
        "bits": bits,
        "source": source,
        "certify": certify,
        "epsilon": epsilon,
        "tau": tau,
        "gamma": gamma,
        "size": size,
        "hash_seed": None if hash_seed is None else str(hash_seed),
        "shots": shots,
        "expected_S": expected_S,
        "qubits": qubits,
        "pair": pair,
        "seed": seed,
        "max_seconds": max_seconds,
        "confirm": ask(Terms(yes, no_wait, max_seconds), backend),
    }
    with progress_bar("random bits", quiet=quiet) as report:
        if no_wait:
            if pilot is not None:
                raise ArgumentError("--pilot is waited for: leave out --no-wait, or give --expect")
            return _begin(backend, options, report, as_json=as_json)
        from ebit.protocols import random_bits

        found = random_bits(backend, progress=report, pilot=pilot, **options)
    return finish_random(found, file, form, pool, as_json=as_json)


def _begin(backend: str, options: dict[str, Any], report: Any, *, as_json: bool) -> int:
    from ebit.protocols import begin

    if options["shots"] is None:
        raise ArgumentError("--no-wait needs --shots: how many rounds to send")
    line = begin("random", backend, progress=report, **options).entry.summary
    emit(
        job_dict(line),
        lambda: (
            f"job {line.id} is with {line.backend}; certify and extract its bits with: "
            f"ebit resume {line.id[:8]} --out FOLDER"
        ),
        as_json=as_json,
    )
    return 0


def finish_random(
    found: Any, file: Path | None, form: str = "raw", pool: Path | None = None, *, as_json: bool
) -> int:
    """Write the bits and print what is proven of them; the exit code is 3 without bits."""
    if found.refused:
        emit(found.to_dict(), lambda: str(found), as_json=as_json)
        if file is not None and file.exists():
            click.echo(f"{file} was left as it was: its bits are of an earlier run", err=True)
        return 3
    if pool is not None:
        from ebit.protocols import Pool

        Pool(pool).append(
            found.packed, found.to_dict(), bits=found.bits, randomness=found.randomness
        )
    if file is not None:
        found = found.save(file, format=form)
    plain = found.to_dict()
    if pool is not None:  # hands each bit out once: not here as well
        emit(plain, lambda: f"{found}\n\n  in the pool {pool}", as_json=as_json)
        return 0
    if file is None:
        shown = "hex" if form == "raw" else form
        plain["format"], plain["value"] = shown, found.content(shown).decode().strip()
    emit(
        plain,
        lambda: str(found) if file is not None else f"{found}\n\n{plain['value']}",
        as_json=as_json,
    )
    return 0
