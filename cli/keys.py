"""ebit keys."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ebit.cli.common import check_folder, common, emit, whole_number
from ebit.games.errors import ArgumentError

if TYPE_CHECKING:
    from uuid import UUID

    from ebit.protocols.key_store import KeyStore
    from ebit.protocols.secret_bits import SecretBits

_F = TypeVar("_F", bound=Callable[..., Any])
_FILE = click.Path(path_type=Path, dir_okay=False)
_LINK = " of the link "
_ORIGIN = ("protocol", "job", "backend", "epsilon", "theorem", "key_bits", "net_key_bits", "attack")


def opening(function: _F) -> _F:
    """Add what opens a store: --key-file, --passphrase-env, --passphrase-file, --demonstration."""
    for option in (
        click.option("--key-file", type=_FILE, help="The store's key; STORE.key if left out."),
        click.option("--passphrase-env", help="Environment variable with the store's passphrase."),
        click.option("--passphrase-file", type=_FILE, help="File with the store's passphrase."),
        click.option(
            "--demonstration", is_flag=True, help="Take and hand out keys that are not secret."
        ),
    ):
        function = option(function)
    return function


def passphrase(variable: str | None, file: Path | None) -> str | None:
    """Return the passphrase from where it is kept; it never stands in a command.

    Raises:
        ArgumentError: both places were given, or the one that was is empty or cannot be read.
    """
    if variable is not None and file is not None:
        raise ArgumentError("give --passphrase-env or --passphrase-file, not both")
    if variable is not None:
        words = os.environ.get(variable, "")
        if not words:
            raise ArgumentError(
                f"--passphrase-env must name a variable with a passphrase, but {variable} is empty"
            )
        return words
    if file is None:
        return None
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ArgumentError(f"--passphrase-file {file} cannot be read: {words}") from None
    if not lines or not lines[0]:
        raise ArgumentError(f"the first line of --passphrase-file {file} must be a passphrase")
    return lines[0]


def opened(
    path: Path,
    *,
    key_file: Path | None,
    passphrase_env: str | None,
    passphrase_file: Path | None,
    demonstration: bool,
) -> KeyStore:
    """Open a store with the options of `opening`."""
    from ebit.protocols.key_store import KeyStore

    return KeyStore.open(
        path,
        key_file=key_file,
        passphrase=passphrase(passphrase_env, passphrase_file),
        demonstration=demonstration,
    )


@click.group(name="keys")
def command() -> None:
    """Keep keys in a store, sealed, and hand each out once.

    \b
    ebit keys init alice.db --kme kme-a --peer kme-b
    ebit keys add alice.db key.bin
    ebit keys list alice.db
    ebit keys get alice.db --master alice --slave bob --out file.key --purpose "a file"
    ebit keys audit alice.db
    """


@command.command(name="init")
@click.argument("store", type=_FILE)
@click.option("--kme", required=True, help="Name of this end of the link.")
@click.option("--peer", required=True, help="Name of the other end.")
@click.option(
    "--share",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Part that the end whose name sorts first hands out; alike at both ends.",
)
@opening
@common(seed=False, out=False)
def init(
    *,
    store: Path,
    kme: str,
    peer: str,
    share: float,
    key_file: Path | None,
    passphrase_env: str | None,
    passphrase_file: Path | None,
    demonstration: bool,
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> None:
    """Make an empty store for one end of a link.

    What opens it is a random key in STORE.key, or a passphrase.
    """
    del debug, quiet, demonstration
    from ebit.protocols.key_store import KeyStore

    words = passphrase(passphrase_env, passphrase_file)
    with KeyStore.create(
        store, kme=kme, peer=peer, share=share, key_file=key_file, passphrase=words
    ) as made:
        told = {"store": str(made.path), "kme": kme, "peer": peer, "share": share}
    place = "the passphrase" if words else f"{key_file or f'{store}.key'} (keep it secret)"
    emit(
        told,
        lambda: f"{store}: key store of {kme}, link to {peer}; opened by {place}",
        as_json=as_json,
    )


@command.command(name="add")
@click.argument("store", type=_FILE)
@click.argument("file", type=_FILE)
@click.option("--block", help="The block's id, a UUID, as it is at the other end.")
@click.option("--peer-store", type=_FILE, help="Put them into the other end's store too.")
@click.option("--peer-key-file", type=_FILE, help="That store's key; PEER-STORE.key if left out.")
@opening
@common(seed=False, out=False)
def add(
    *,
    store: Path,
    file: Path,
    block: str | None,
    peer_store: Path | None,
    peer_key_file: Path | None,
    as_json: bool,
    quiet: bool,
    debug: bool,
    demonstration: bool,
    **key: Any,
) -> None:
    """Put the bits of FILE into STORE, as one block.

    FILE is what `ebit key --out FILE` wrote, or any file of secret bytes of your own. The other end
    must hold the same bits under the same block id: take over the id that the first `add` prints, or
    give --peer-store where both stores are at hand.

    FILE.used, the count that `ebit use` and `ebit rekey` keep of FILE, says from then on that all of
    it is gone. A FILE of which some was used is refused.
    """
    del debug, quiet
    file = file.resolve() if file.is_symlink() else file  # FILE.json and FILE.used are the key's
    bits, about = _read(file)
    origin = {name: about[name] for name in _ORIGIN if about.get(name) is not None}
    origin.setdefault("file", file.name)
    id = _uuid("--block", block or about.get("block"))
    with ExitStack() as stack:
        found = [stack.enter_context(opened(store, demonstration=demonstration, **key))]
        if peer_store is not None:
            key["key_file"] = peer_key_file
            found.append(
                stack.enter_context(opened(peer_store, demonstration=demonstration, **key))
            )
            if (found[1].kme, found[1].peer) != (found[0].peer, found[0].kme):
                raise ArgumentError(
                    f"--peer-store must be the other end of {found[0].kme} - {found[0].peer}, but "
                    f"was {found[1].kme} - {found[1].peer}"
                )
        ends = " - ".join(sorted((found[0].kme, found[0].peer)))
        for one in found:
            id = one.add(
                bits,
                origin=origin,
                secrecy=about["secrecy"],
                block=id,
                demonstration=demonstration,
                before=lambda new: _spend(file, new, ends),
            )
    told = {
        "stores": [str(one.path) for one in found],
        "block": str(id),
        "bits": bits.bits,
        "secrecy": about["secrecy"],
    }
    places = " and ".join(told["stores"])
    emit(
        told,
        lambda: (
            f"{places}: block {id}, {bits.bits} bits{_show(about['secrecy'])}; "
            f"{file.name}.used counts all of {file} as used: delete the key"
        ),
        as_json=as_json,
    )


@command.command(name="list")
@click.argument("store", type=_FILE)
@click.option("--check", is_flag=True, help="Open every sealed piece.")
@opening
@common(seed=False, out=False)
def list_(*, store: Path, check: bool, as_json: bool, quiet: bool, debug: bool, **key: Any) -> None:
    """List the blocks of STORE, and how many bits this end may still hand out."""
    del debug, quiet
    with opened(store, **key) as found:
        pieces = found.check() if check else None
        blocks = found.blocks()
        told = {
            "store": str(store),
            "kme": found.kme,
            "peer": found.peer,
            "share": found.share,
            "left_bits": 8 * sum(block.left for block in blocks),
            "blocks": [block.to_dict() for block in blocks],
            **({} if pieces is None else {"pieces_checked": pieces}),
        }

    def text() -> str:
        lines = [f"{store}: {told['kme']}, link to {told['peer']}; {told['left_bits']} bits left"]
        lines += [
            f"  {block.id}  {8 * block.left} of {8 * block.mine} bits left  "
            f"{block.origin.get('protocol', '-')}  {block.created}{_show(block.secrecy)}"
            for block in blocks
        ]
        if pieces is not None:
            lines.append(f"  {pieces} sealed pieces, all as they were written")
        return "\n".join(lines)

    emit(told, text, as_json=as_json)


@command.command(name="get")
@click.argument("store", type=_FILE)
@click.option("--master", required=True, help="SAE that has the key first.")
@click.option("--slave", required=True, help="SAE at the other end that shares it.")
@click.option("--id", "key_id", help="The key's id: have what the master had at the other end.")
@click.option("--bits", type=whole_number(), default="256", show_default=True, help="Of a new key.")
@click.option(
    "--out", "target", type=_FILE, required=True, help="File for the key; only you read it."
)
@click.option("--purpose", default="", help="What it is for; written into the audit.")
@opening
@common(seed=False, out=False)
def get(
    *,
    store: Path,
    master: str,
    slave: str,
    key_id: str | None,
    bits: int,
    target: Path,
    purpose: str,
    as_json: bool,
    quiet: bool,
    debug: bool,
    **key: Any,
) -> None:
    """Take one key out of STORE, for good, into a file.

    A new one, or with --id the one that the master had at the other end. The file's JSON sidecar has
    its id.
    """
    del debug, quiet
    if target.exists():
        raise ArgumentError(f"--out must be a new file, but {target} is there already")
    check_folder(target.parent)
    from ebit.protocols.key_result import save_key

    wanted = _uuid("--id", key_id)
    with opened(store, **key) as found:
        if wanted is None:
            (had,) = found.deliver(bits, master=master, slave=slave, purpose=purpose)
        else:
            (had,) = found.collect([wanted], master=master, slave=slave, purpose=purpose)
    told = {
        "key_ID": str(had.id),
        "bits": had.key.bits,
        "master": master,
        "slave": slave,
        "secrecy": had.secrecy,
        "file": str(target),
    }
    save_key(target, had.key, told)
    emit(
        told,
        lambda: f"{target}: key {had.id}, {had.key.bits} bits{_show(had.secrecy)}",
        as_json=as_json,
    )


@command.command(name="audit")
@click.argument("store", type=_FILE)
@click.option("--last", type=whole_number(), help="Only the last so many; all if left out.")
@opening
@common(seed=False, out=False)
def audit(
    *, store: Path, last: int | None, as_json: bool, quiet: bool, debug: bool, **key: Any
) -> None:
    """Say who had which key of STORE, when and for what; never the key."""
    del debug, quiet
    with opened(store, **key) as found:
        uses = found.uses(last)

    def text() -> str:
        lines = [
            f"{use.time}  {use.key_id}  {use.bits} bits  {use.who} ({use.role}) with {use.peer}  "
            f"{use.purpose or '-'}{_show(use.secrecy)}"
            for use in uses
        ]
        return "\n".join(lines) or "no key has left the store"

    emit({"store": str(store), "uses": [use.to_dict() for use in uses]}, text, as_json=as_json)


def _read(file: Path) -> tuple[SecretBits, dict[str, Any]]:
    from ebit.protocols.key_result import read_key

    try:
        return read_key(file)
    except RecursionError:
        raise ArgumentError(
            f"{file}.json must say how secret the key is, but is no such file: write the key again"
        ) from None


def _spend(file: Path, block: UUID, link: str) -> None:
    """Write into FILE.used that the whole key is gone.

    The same block may come again, for the other end or after a fault; whatever else was done with
    any of the bits refuses it.

    Raises:
        KeyFileError: some of it was used, or the count cannot be kept.
    """
    from ebit.protocols.key_uses_source import KeyFile, SpentError

    key = KeyFile(file, demonstration=True)  # the store has decided whether it takes such a key
    try:
        key.find(f"{key.name}#0+{key.bits}", f"block {block}{_LINK}{link}")
    except SpentError as error:
        if _LINK in str(error):  # it names the block, under which it may come again
            raise
        raise SpentError(
            f"{file} must be a key of which nothing was used, but {file}.used counts "
            f"{key.bits - key.left()} of its {key.bits} bits as used: make another key"
        ) from None


def _show(secrecy: str) -> str:
    return "  (demonstration: not secret)" if secrecy == "demonstration" else ""


def _uuid(name: str, text: Any) -> Any:
    from uuid import UUID

    if text is None:
        return None
    try:
        return UUID(text)
    except (ValueError, AttributeError, TypeError):
        raise ArgumentError(f"{name} must be a UUID, but was {text!r}") from None
