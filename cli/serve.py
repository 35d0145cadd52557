"""ebit serve."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ebit.cli.common import common, emit, whole_number
from ebit.cli.keys import opened, opening
from ebit.games.errors import ArgumentError

if TYPE_CHECKING:
    from ebit.protocols.etsi014_server import KeyServer
    from ebit.protocols.key_store import KeyStore

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(name="serve")
@click.option("--store", type=_FILE, help="The key store of this end of the link.")
@click.option("--sae", "saes", multiple=True, help="SAE_ID of an application at this end.")
@click.option("--peer-sae", "peer_saes", multiple=True, help="SAE_ID of one at the other end.")
@click.option("--peer-store", type=_FILE, help="The other end's store, to play it too.")
@click.option("--peer-key-file", type=_FILE, help="That store's key; PEER-STORE.key if left out.")
@click.option(
    "--certificates",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder with ca.crt and, named after the KME, its .crt and .key.",
)
@click.option("--certificate", type=_FILE, help="The server's certificate (PEM).")
@click.option("--private-key", type=_FILE, help="The key of --certificate (PEM).")
@click.option("--ca", type=_FILE, help="The authority of the callers' certificates (PEM).")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8443,
    show_default=True,
    help="Port to listen on; 0 for any that is free.",
)
@click.option(
    "--key-size", type=whole_number(), default="256", show_default=True, help="Bits, if unasked."
)
@click.option("--max-key-size", type=whole_number(), help="Bits at most; 4096 if left out.")
@click.option(
    "--make-certificates",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Make test certificates of --kme, --sae and --peer-sae in a folder, and end.",
)
@click.option("--kme", "kmes", multiple=True, help="Name of a server, for --make-certificates.")
@click.option(
    "--days",
    type=click.FloatRange(min=0, min_open=True),
    default=30.0,
    show_default=True,
    help="How long they are valid.",
)
@opening
@common(seed=False, out=False)
def command(
    *,
    store: Path | None,
    saes: tuple[str, ...],
    peer_saes: tuple[str, ...],
    peer_store: Path | None,
    peer_key_file: Path | None,
    certificates: Path | None,
    certificate: Path | None,
    private_key: Path | None,
    ca: Path | None,
    host: str,
    port: int,
    key_size: int,
    max_key_size: int | None,
    folder: Path | None,
    kmes: tuple[str, ...],
    days: float,
    key_file: Path | None,
    passphrase_env: str | None,
    passphrase_file: Path | None,
    demonstration: bool,
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> None:
    """Hand out the keys of a store by ETSI GS QKD 014 over mutual TLS, until Ctrl-C.

    A caller is the SAE that the common name of its certificate says.

    \b
    ebit serve --make-certificates tls --kme kme-a --kme kme-b --sae alice --peer-sae bob
    ebit serve --store alice.db --sae alice --peer-sae bob --certificates tls --port 8443
    """
    del debug
    if folder is not None:
        from ebit.protocols.certificates import make_certificates

        hosts = list(dict.fromkeys(["localhost", "127.0.0.1", "::1", host]))
        made = make_certificates(
            folder, servers=kmes or ["kme"], saes=[*saes, *peer_saes], hosts=hosts, days=days
        )
        emit(made.to_dict(), lambda: str(made), as_json=as_json)
        return
    if store is None:
        raise ArgumentError("give --store, the key store, or --make-certificates")
    for name, given in (("--sae", saes), ("--peer-sae", peer_saes)):
        if not given:
            end = "this end" if name == "--sae" else "the other end"
            raise ArgumentError(f"give {name}, the SAE_ID of an application at {end}, once or more")
    key: dict[str, Any] = {
        "passphrase_env": passphrase_env,
        "passphrase_file": passphrase_file,
        "demonstration": demonstration,
    }
    from ebit.protocols.etsi014 import KeyService, Limits
    from ebit.protocols.etsi014_server import KeyServer, server_context

    mine = opened(store, key_file=key_file, **key)
    other = None if peer_store is None else opened(peer_store, key_file=peer_key_file, **key)
    _check_stores([one for one in (mine, other) if one is not None])
    files = _files(mine.kme, certificates, certificate, private_key, ca)
    service = KeyService(
        mine,
        saes=saes,
        peer_saes=peer_saes,
        peer_store=other,
        limits=Limits(
            key_size=key_size,
            min_key_size=min(64, key_size),
            max_key_size=max_key_size or max(4096, key_size),
        ),
        fault=_complain,
    )
    server = KeyServer(service, server_context(*files), host=host, port=port)
    try:
        _run(server, as_json=as_json, quiet=quiet)
    finally:
        for one in (mine, other):
            if one is not None:
                one.close()


def _run(server: KeyServer, *, as_json: bool, quiet: bool) -> None:
    """Serve until the process is told to stop."""
    import asyncio
    import signal

    async def work() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                loop.add_signal_handler(number, stop.set)
            except (NotImplementedError, RuntimeError):  # Windows; or a thread, in tests
                break
        await server.start()
        service = server.service
        about = {
            "url": f"https://{server.address}/api/v1/keys",
            "port": server.port,
            "kmes": [end.store.kme for end in service.ends],
            "saes": [sae for end in service.ends for sae in end.saes],
            **({"secrecy": "demonstration"} if service.demonstration else {}),
        }
        if as_json:
            click.echo(json.dumps(about))
        else:
            show = " (demonstration: keys that are not secret)" if service.demonstration else ""
            click.echo(
                f"{' and '.join(about['kmes'])} for {', '.join(about['saes'])} at "  # type: ignore[arg-type]
                f"{about['url']}{show}; Ctrl-C ends it"
            )
        try:
            await stop.wait()
        finally:
            await server.stop()

    with suppress(KeyboardInterrupt):
        asyncio.run(work())
    if not quiet:
        click.echo(f"ebit: stopped; {server.service.delivered} keys were delivered", err=True)


def _check_stores(stores: list[KeyStore]) -> None:
    """Refuse damaged stores, and those with nothing but keys for demonstration, unless wanted."""
    for store in stores:
        store.check()
        blocks = [block for block in store.blocks() if block.left]
        shown = [block for block in blocks if block.secrecy == "demonstration"]
        if shown and len(shown) == len(blocks) and not store.demonstration:
            raise ArgumentError(
                f"all keys in {store.path} are for demonstration only, not secret (a simulator or a "
                "provider has them too): serve them for show with --demonstration"
            )


def _files(
    kme: str,
    folder: Path | None,
    certificate: Path | None,
    private_key: Path | None,
    ca: Path | None,
) -> tuple[Path, Path, Path]:
    if folder is not None:
        certificate = certificate or folder / f"{kme}.crt"
        private_key = private_key or folder / f"{kme}.key"
        ca = ca or folder / "ca.crt"
    if certificate is None or private_key is None or ca is None:
        raise ArgumentError(
            "give --certificates, the folder with ca.crt and the server's .crt and .key, or all of "
            "--certificate, --private-key and --ca"
        )
    return certificate, private_key, ca


def _complain(line: str) -> None:
    click.echo(f"ebit: {line}", err=True)
