"""ebit key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ebit.cli.common import check_file, common, emit, paid, progress_bar, qubit_list, whole_number
from ebit.cli.launch import Terms, ask, job_dict
from ebit.games.errors import ArgumentError

PROTOCOLS = ("bb84", "bbm92", "e91", "six-state", "mdi", "diqkd")


@click.command(name="key")
@click.option(
    "--protocol",
    type=click.Choice(PROTOCOLS),
    default="bb84",
    show_default=True,
    help="bb84 and six-state send qubits, bbm92 and e91 share pairs, mdi meets in an untrusted "
    "middle, diqkd trusts no device.",
)
@click.option(
    "--backend", default="aer:fez", show_default=True, help="Where to run; see ebit backends."
)
@click.option(
    "--rounds", type=whole_number(), default="100000", show_default=True, help="Signals sent."
)
@click.option(
    "--attack",
    metavar="KIND[:STRENGTH]",
    help="An eavesdropper: intercept-resend, intercept-z, intercept-x, breidbart, cloner, probe, "
    "depolarising, spoofed-source, man-in-the-middle; diqkd also memory, predicted-settings.",
)
@click.option("--noise", metavar="KIND:RATE", help="Noise of the channel, such as dephasing:0.02.")
@click.option(
    "--epsilon", type=float, default=1e-10, show_default=True, help="Secrecy error of the key."
)
@click.option("--qber", type=float, help="Plan for this error rate, not the calibration's.")
@click.option("--S", "expected_S", type=float, help="diqkd, e91: plan for this S.")
@click.option(
    "--theorem", help="What the length rests on: tomamichel-2012, lim-2021; diqkd: nadlinger-2022."
)
@click.option(
    "--choices",
    type=click.Choice(["per-shot", "per-circuit"]),
    help="Who draws bases: coin qubits in every shot, or one circuit per pair of bases.",
)
@click.option("--qubits", type=qubit_list(), help="All physical qubits in order.")
@click.option(
    "--out", "file", type=click.Path(path_type=Path), help="File for the key; FILE.json beside it."
)
@click.option(
    "--listen", metavar="HOST:PORT", help="Be Alice, in a process of her own, and wait for Bob."
)
@click.option("--connect", metavar="HOST:PORT", help="Be Bob, in a process of his own.")
@click.option(
    "--auth",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --listen or --connect: this side's copy of the pre-shared key.",
)
@click.option(
    "--new-auth",
    type=click.Path(path_type=Path),
    help="Make a pre-shared key, PATH.alice and PATH.bob, and do nothing else.",
)
@click.option(
    "--sessions",
    type=whole_number(),
    default="100",
    show_default=True,
    help="With --new-auth: runs that it serves.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="With --listen or --connect: seconds for each message.",
)
@click.option(
    "--wait",
    type=click.FloatRange(min=0, min_open=True),
    default=600.0,
    show_default=True,
    help="With --listen: seconds to wait for the other side to come.",
)
@paid()
@common(out=False)
def command(
    *,
    protocol: str,
    backend: str,
    rounds: int,
    attack: str | None,
    noise: str | None,
    epsilon: float,
    qber: float | None,
    expected_S: float | None,
    theorem: str | None,
    choices: str | None,
    qubits: tuple[int, ...] | None,
    file: Path | None,
    listen: str | None,
    connect: str | None,
    auth: Path | None,
    new_auth: Path | None,
    sessions: int,
    timeout: float,
    wait: float,
    yes: bool,
    no_wait: bool,
    max_seconds: float | None,
    seed: int | None,
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> int:
    """Make a secret key between two parties, and say what is proven of it.

    Tolerated errors, length and leak are fixed before the first round; what is observed only decides
    whether there is a key. Exit code 3: there is none, with the reason. A key of a simulator, or of a
    processor that somebody else runs, is a demonstration and no secret.

    \b
    ebit key --protocol bb84 --backend aer:fez --rounds 1e5 --seed 1
    ebit key --protocol e91 --rounds 1e5 --attack intercept-resend --seed 1
    ebit key --new-auth us
    ebit key --listen 127.0.0.1:7000 --auth us.alice --out alice.key
    ebit key --connect 127.0.0.1:7000 --auth us.bob --out bob.key
    """
    del debug
    if new_auth is not None:
        _alone("--new-auth", ("sessions",))
        return _new_auth(new_auth, sessions, as_json=as_json)
    if listen is not None and connect is not None:
        raise ArgumentError(
            "--listen and --connect exclude each other: one side waits for the other"
        )
    check_file(file)
    if file is not None and file.exists():
        raise ArgumentError(
            f"--out must be a new file, but {file} is there: a key is not overwritten"
        )
    if connect is not None:
        _alone("--connect", ("auth", "timeout", "file", "seed"))
        return _connect(connect, auth, timeout, file, seed, as_json=as_json, quiet=quiet)
    options: dict[str, Any] = {
        "protocol": protocol,
        "attack": attack,
        "noise": noise,
        "epsilon": epsilon,
        "qber": qber,
        "expected_S": expected_S,
        "theorem": theorem,
        "choices": choices,
        "qubits": qubits,
        "seed": seed,
        "max_seconds": max_seconds,
        "confirm": ask(Terms(yes, no_wait, max_seconds), backend),
    }
    with progress_bar("key", quiet=quiet) as report:
        if listen is not None:
            from ebit.protocols.key_links import key_listen

            if no_wait:
                raise ArgumentError("--no-wait cannot be had with --listen: the other side waits")
            found = key_listen(
                listen,
                _auth_file(auth, "--listen"),
                backend=backend,
                rounds=rounds,
                timeout=timeout,
                patience=wait,
                progress=report,
                **options,
            )
        elif no_wait:
            if file is not None:
                raise ArgumentError("--no-wait takes no --out: ebit resume JOB --out FOLDER does")
            return _begin(backend, rounds, options, report, as_json=as_json)
        else:
            if auth is not None:
                raise ArgumentError(
                    "--auth goes with --listen or --connect: in one process the parties get a "
                    "pre-shared key of their own"
                )
            from ebit.protocols import key

            found = key(backend, rounds=rounds, progress=report, **options)
    return finish_key(found, file, as_json=as_json)


def finish_key(found: Any, file: Path | None, *, as_json: bool) -> int:
    """Write the key and print what is proven of it; the exit code is 3 without a key."""
    if found.aborted:
        emit(found.to_dict(), lambda: str(found), as_json=as_json)
        if file is not None and file.exists():
            click.echo(f"{file} was left as it was: its key is of an earlier run", err=True)
        return 3
    if file is not None:
        found = found.save(file)
    emit(found.to_dict(), lambda: str(found), as_json=as_json)
    return 0


def _begin(
    backend: str, rounds: int, options: dict[str, Any], report: Any, *, as_json: bool
) -> int:
    from ebit.protocols import begin

    line = begin("key", backend, shots=rounds, progress=report, **options).entry.summary
    emit(
        job_dict(line),
        lambda: (
            f"job {line.id} is with {line.backend}; make its key with: "
            f"ebit resume {line.id[:8]} --out FOLDER"
        ),
        as_json=as_json,
    )
    return 0


def _new_auth(path: Path, sessions: int, *, as_json: bool) -> int:
    from ebit.protocols.authentication import new_auth_key

    alice, bob = new_auth_key(path, tags=sessions)
    emit(
        {"alice": str(alice), "bob": str(bob), "sessions": sessions},
        lambda: (
            f"{alice} and {bob} serve {sessions} runs. Bring Bob his by hand and keep no copy of "
            "it: whoever has one can pose as either."
        ),
        as_json=as_json,
    )
    return 0


def _connect(
    address: str,
    auth: Path | None,
    timeout: float,
    file: Path | None,
    seed: int | None,
    *,
    as_json: bool,
    quiet: bool,
) -> int:
    from ebit.protocols.key_links import key_connect

    with progress_bar("key", quiet=quiet) as report:
        found = key_connect(
            address, _auth_file(auth, "--connect"), timeout=timeout, seed=seed, progress=report
        )
    return finish_key(found, file, as_json=as_json)


def _alone(option: str, may: tuple[str, ...]) -> None:
    """Refuse options that mean nothing beside one: they were meant for another run."""
    context = click.get_current_context()
    kept = {option[2:].replace("-", "_"), *may, "as_json", "quiet", "debug"}
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if name not in kept and source is click.core.ParameterSource.COMMANDLINE:
            raise ArgumentError(f"{option} takes no {parameter.opts[0]}: leave it out")


def _auth_file(auth: Path | None, option: str) -> Path:
    if auth is None:
        raise ArgumentError(
            f"{option} needs --auth FILE, this side's copy of the pre-shared key: "
            "ebit key --new-auth PATH makes both"
        )
    return auth
