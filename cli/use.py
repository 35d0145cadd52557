"""ebit use."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ebit.cli.common import common, emit
from ebit.games.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ebit.protocols.key_uses import KeySource
    from ebit.protocols.key_uses_source import Side
    from ebit.protocols.secret_bits import SecretBits

_F = TypeVar("_F", bound=Callable[..., Any])
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group(name="use")
def command() -> None:
    """Use quantum keys: files, messages, TLS, WireGuard.

    Every command takes new bits of a key that both ends hold, or finds those that the other end took,
    by their name. The key is a file (--key; FILE.used keeps count) or a store (--store).
    """


def key_options() -> Callable[[_F], _F]:
    """Add where a key comes from: a file or a store."""

    def decorate(function: _F) -> _F:
        for option in (  # the last is shown first
            click.option(
                "--demonstration",
                is_flag=True,
                help="Take a key that is not secret, and say so everywhere.",
            ),
            click.option("--store-key", type=_FILE, help="With --store: its key file."),
            click.option("--peer", help="With --store: the other end's application."),
            click.option("--me", help="With --store: this end's application (SAE ID)."),
            click.option("--store", type=_FILE, help="Key store, in place of --key."),
            click.option(
                "--key", "file", type=_FILE, help="File with the key; FILE.used beside it."
            ),
        ):
            function = option(function)
        return function

    return decorate


def side_option() -> Callable[[_F], _F]:
    """Add whose half of a key file this end takes from."""
    return click.option(
        "--side",
        type=click.Choice(["sole", "alice", "bob"]),
        help="With --key: whose half new bits come from; sole (if left out): the other end takes none.",
    )


def _keyed() -> Callable[[_F], _F]:
    """Add where the key comes from, whose part of it is taken, and --json."""

    def decorate(function: _F) -> _F:
        return common(seed=False, out=False)(key_options()(side_option()(function)))

    return decorate


@command.command()
@click.argument("source", type=_FILE)
@click.option("--out", "target", type=_FILE, required=True, help="What to write, owner-only.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["ebit", "cms"]),
    default="ebit",
    show_default=True,
    help="ebit: any length; cms: what openssl cms reads, held in memory.",
)
@_keyed()
def encrypt(*, source: Path, target: Path, form: str, **where: Any) -> int:
    """Encrypt a file under 256 new bits of the key, with AES-256-GCM."""
    from ebit.protocols.key_uses import cms_encrypt, encrypt_file

    _readable(source)
    with open_keys(where) as keys:
        key_id, key = keys.take(256, "a file", side=side_of(where))
        if form == "cms":
            content = _bytes(source)
            _write(target, cms_encrypt(content, key, key_id=key_id))
            size = len(content)
        else:
            size = encrypt_file(source, target, key, key_id=key_id).bytes
        return _told(
            where,
            keys,
            f"{size:,} bytes encrypted under {key_id} in {target}",
            key_id=key_id,
            file=str(target),
            bytes=size,
            format=form,
        )


@command.command()
@click.argument("source", type=_FILE)
@click.option("--out", "target", type=_FILE, required=True, help="What to write, owner-only.")
@_keyed()
def decrypt(*, source: Path, target: Path, **where: Any) -> int:
    """Decrypt a file of ebit use encrypt, or of openssl cms with a shared key.

    Nothing is written unless all of the file is what was encrypted.
    """
    _readable(source)
    with source.open("rb") as content:
        ours = content.read(8) == b"ebitfile"
    with open_keys(where) as keys:
        decrypted = _sealed if ours else _message
        key_id, size = decrypted(source, target, keys, side_of(where))
        return _told(
            where,
            keys,
            f"{size:,} bytes decrypted under {key_id} in {target}",
            key_id=key_id,
            file=str(target),
            bytes=size,
        )


@command.command()
@click.argument("source", type=_FILE)
@click.option("--out", "target", type=_FILE, help="File for the tag; SOURCE.tag if left out.")
@click.option(
    "--method",
    type=click.Choice(["one-time", "hmac"]),
    default="one-time",
    show_default=True,
    help="Information-theoretic, or HMAC-SHA-256.",
)
@_keyed()
def tag(*, source: Path, target: Path | None, method: Any, **where: Any) -> int:
    """Tag a message or a transaction under 256 new bits of the key.

    With --key, --side must be given: a pad that both ends took would let a stranger forge.
    """
    from ebit.protocols.key_tags import TagSender

    if where["file"] is not None and where["side"] is None:
        raise ArgumentError(
            "a tag needs --side alice or --side bob, another at each end, or --side sole where the other "
            "end never takes bits: its pad is good once"
        )
    message = _bytes(source)
    target = target or source.with_name(source.name + ".tag")
    with open_keys(where) as keys:
        key_id, key = keys.take(256, "a tag", side=side_of(where))
        made = TagSender(key, method=method).tag(message, context=key_id.encode())
        plain = {
            "key_id": key_id,
            "method": method,
            "tag": made.to_bytes().hex(),
            "secrecy": keys.secrecy,
        }
        from ebit.games import write_whole

        write_whole(target, json.dumps(plain, indent=2) + "\n")
        return _told(where, keys, f"{source} tagged under {key_id} in {target}", **plain)


@command.command()
@click.argument("source", type=_FILE)
@click.option("--tag", "file_of_tag", type=_FILE, help="SOURCE.tag if left out.")
@_keyed()
def check(*, source: Path, file_of_tag: Path | None, **where: Any) -> int:
    """Check a tag, once: exit code 3 for a message that was changed, or that came before."""
    from ebit.protocols.key_tags import Tag, TagChecker

    message = _bytes(source)
    tag_file = file_of_tag or source.with_name(source.name + ".tag")
    try:
        told = json.loads(_bytes(tag_file))
        key_id, method = str(told["key_id"]), told["method"]
        made = Tag.of_bytes(bytes.fromhex(told["tag"]))
        if method not in ("one-time", "hmac"):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ArgumentError(f"{tag_file} must be a file of ebit use tag, but is none") from None
    found: dict[str, Any] = {}

    def accept(key: SecretBits) -> None:
        checked = TagChecker(key, method=method).check(message, made, context=key_id.encode())
        found["forgery"] = checked.forgery

    with open_keys(where) as keys:
        keys.find(key_id, "a tag", side=side_of(where), accept=accept, once=True)
        bound = found["forgery"]
        rests = "HMAC-SHA-256" if bound is None else f"a forgery has chance {bound:.2g}"
        return _told(
            where,
            keys,
            f"{source} is what was tagged under {key_id}, and new ({rests})",
            key_id=key_id,
            method=method,
            forgery=bound,
        )


@command.command()
@click.option(
    "--out", "target", type=_FILE, required=True, help="Session file for openssl, owner-only."
)
@click.option("--key-id", "known", help="The name that the other end's command printed.")
@_keyed()
def psk(*, target: Path, known: str | None, **where: Any) -> int:
    """Write a pre-shared key for TLS 1.3, as a file for openssl's -psk_session."""
    from ebit.protocols.key_uses import psk_session

    with open_keys(where) as keys:
        key_id, key = _one(keys, known, "TLS", where)
        psk_session(target, key)
        return _told(
            where,
            keys,
            f"{target} is the pre-shared key {key_id}; use it at both ends as\n"
            f"  openssl s_server -tls1_3 -nocert -psk_identity '{key_id}' -psk_session {target}\n"
            f"  openssl s_client -tls1_3 -psk_identity '{key_id}' -psk_session {target} -connect HOST:4433\n"
            f"the other end gets it with: ebit use psk --key-id '{key_id}'",
            key_id=key_id,
            file=str(target),
        )


@command.command()
@click.option("--out", "target", type=_FILE, required=True, help="Preshared-key file, owner-only.")
@click.option("--key-id", "known", help="The name that the other end's command printed.")
@_keyed()
def wireguard(*, target: Path, known: str | None, **where: Any) -> int:
    """Write a WireGuard preshared key."""
    from ebit.protocols.key_uses import wireguard_psk

    with open_keys(where) as keys:
        key_id, key = _one(keys, known, "WireGuard", where)
        wireguard_psk(target, key)
        return _told(
            where,
            keys,
            f"{target} is the preshared key {key_id}; use it at both ends as\n"
            f"  wg set wg0 peer PUBLIC_KEY_OF_THE_PEER preshared-key {target}\n"
            f"the other end gets it with: ebit use wireguard --key-id '{key_id}'",
            key_id=key_id,
            file=str(target),
        )


def _sealed(source: Path, target: Path, keys: KeySource, side: Side) -> tuple[str, int]:
    from ebit.protocols.key_uses import check_start, decrypt_file, key_id_of

    key_id = key_id_of(source)

    # Only the key that opens the file counts as used, whatever name a stranger wrote into it.
    def accept(key: SecretBits) -> None:
        check_start(source, key)

    key = keys.find(key_id, "a file", side=side, accept=accept)
    return key_id, decrypt_file(source, target, key).bytes


def _message(source: Path, target: Path, keys: KeySource, side: Side) -> tuple[str, int]:
    from ebit.protocols.key_uses import cms_decrypt, cms_key_ids

    message, plain = _bytes(source), []
    names = cms_key_ids(message)
    if not names:
        raise ArgumentError(f"{source} has no recipient with a shared key")

    def accept(key: SecretBits) -> None:
        plain.append(cms_decrypt(message, key, key_id=names[0]))

    keys.find(names[0], "a file", side=side, accept=accept)
    _write(target, plain[0])
    return names[0], len(plain[0])


@contextmanager
def open_keys(where: dict[str, Any]) -> Iterator[KeySource]:
    """The key file or the store that the options name."""
    from ebit.protocols.key_uses import KeyFile, StoreKeys

    file, store, demonstration = where["file"], where["store"], where["demonstration"]
    if (file is None) == (store is None):
        raise ArgumentError("give one of --key and --store: where the key is")
    if file is not None:
        yield KeyFile(file, demonstration=demonstration)
        return
    if not where["me"] or not where["peer"]:
        raise ArgumentError("--store needs --me and --peer: the applications at both ends")
    from ebit.protocols.key_store import KeyStore

    with KeyStore.open(store, key_file=where["store_key"], demonstration=demonstration) as opened:
        yield StoreKeys(opened, me=where["me"], peer=where["peer"])


def _one(
    keys: KeySource, known: str | None, purpose: str, where: dict[str, Any]
) -> tuple[str, SecretBits]:
    if known is None:
        return keys.take(256, purpose, side=side_of(where))
    return known, keys.find(known, purpose, side=side_of(where))


def side_of(where: dict[str, Any]) -> Side:
    """The side that the options name."""
    side: Side = where["side"] or "sole"
    return side


def _told(where: dict[str, Any], keys: KeySource, text: str, **plain: Any) -> int:
    plain["secrecy"] = keys.secrecy
    if keys.secrecy == "demonstration":
        text = f"demonstration: {text}\n(whoever ran the simulator or the processor knows this key)"
    emit(plain, lambda: text, as_json=where["as_json"])
    return 0


def _readable(source: Path) -> None:
    """Find out before a key is taken that there is something to use it for."""
    if not source.is_file():
        raise ArgumentError(f"cannot read {source}: there is no such file")


def _bytes(source: Path) -> bytes:
    try:
        return source.read_bytes()
    except OSError as error:
        raise ArgumentError(f"cannot read {source}: {error.strerror or error}") from None


def _write(target: Path, data: bytes) -> None:
    from ebit.protocols.private_files import private_file

    with private_file(target) as out:
        out.write(data)
