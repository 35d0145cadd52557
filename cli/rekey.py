"""ebit rekey."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from ebit.cli.common import common, emit, whole_number
from ebit.cli.use import key_options, open_keys, side_of, side_option
from ebit.games.errors import ArgumentError, EbitError

if TYPE_CHECKING:
    from ebit.protocols.key_uses import KeySource
    from ebit.protocols.key_uses_source import Side
    from ebit.protocols.rekey import QuantumKey, RekeyPolicy, RekeyState
    from ebit.protocols.secret_bits import SecretBits

_PURPOSE = "a refresh"


@click.command(name="rekey")
@key_options()
@side_option()
@click.option(
    "--mode",
    type=click.Choice(["computational", "information-theoretic"]),
    default="computational",
    show_default=True,
    help="HKDF over all three secrets, or the quantum key under a mask of the other two.",
)
@click.option(
    "--bits", type=whole_number(), default="256", show_default=True, help="Length of each key."
)
@click.option(
    "--epochs",
    type=whole_number(),
    help="Refreshes in all; 1, or without end if --policy is given.",
)
@click.option("--policy", "words", help="When to refresh, such as seconds=3600,bytes=1e9,alarm.")
@click.option(
    "--events",
    type=click.File("r"),
    help="Lines 'bytes N' and 'alarm WORDS' that the policy goes by; - for standard input.",
)
@click.option("--no-fallback", is_flag=True, help="No key rather than one without a quantum key.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Owner-only file of the newest key, replaced at each refresh; FILE.json beside it.",
)
@click.option("--listen", "here", help="Run one end only: wait at HOST:PORT, and say when.")
@click.option("--connect", "there", help="Run one end only: follow the one at HOST:PORT.")
@click.option(
    "--auth",
    type=click.Path(path_type=Path, dir_okay=False),
    help="This end's pre-shared key: each epoch is authenticated by it.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=3600.0,
    show_default=True,
    help="Seconds to wait for the other end.",
)
@common(seed=False, out=False)
def command(
    *,
    mode: Any,
    bits: int,
    epochs: int | None,
    words: str | None,
    events: TextIO | None,
    no_fallback: bool,
    out: Path | None,
    here: str | None,
    there: str | None,
    auth: Path | None,
    timeout: float,
    as_json: bool,
    quiet: bool,
    debug: bool,
    **where: Any,
) -> int:
    """Refresh a key from a quantum key, ML-KEM-768 and X25519 together.

    Each epoch takes --bits of the quantum key; when there are none left, the other two go on alone,
    and every output says so. Without --listen and --connect both ends run here, over the frames that
    a network would carry. With --json the epochs are listed when all are done.

    \b
    ebit rekey --key key.bin --out session.bin
    ebit rekey --key key.bin --mode information-theoretic --epochs 3
    ebit rekey --key key.bin --policy bytes=1e9,alarm --events -
    ebit rekey --key alice.bin --policy seconds=3600 --listen :7000 --out session.bin
    ebit rekey --key bob.bin --connect HOST:7000 --out session.bin
    """
    del debug
    from ebit.protocols.rekey import RekeyPolicy, RekeyState

    policy = None if words is None else RekeyPolicy.of(words)
    _check(policy, events, bits, here, there, auth)
    masks = mode == "information-theoretic" and here is not None and where["file"] is not None
    if masks and where["side"] is None:
        raise ArgumentError(
            "--mode information-theoretic with --listen needs --side alice or --side bob, or --side sole "
            "where the other end never takes bits: a mask is good once"
        )
    states = [
        RekeyState(mode, bits, fallback=not no_fallback, demonstration=where["demonstration"])
        for _ in range(2)
    ]
    kept: list[Any] = []

    def keep(found: Any) -> None:
        kept.append(found if out is None else found.save(out))
        if not as_json and not quiet:
            click.echo(_line(kept[-1]), err=True)

    failed, equal = None, None
    given = where["file"] is not None or where["store"] is not None
    with open_keys(where) if given else nullcontext() as source:
        ends = _Ends(source, side_of(where), _triggers(policy, events, epochs), keep)
        if here is None and there is None:
            equal = ends.together(*states)
        else:
            failed = ends.apart(states[0], here, there, auth, timeout, quiet)
    plain = {
        "mode": mode,
        "ends": "both in this process" if equal is not None else "one",
        "epochs": [one.to_dict() for one in kept],
        "fallback": any(one.fallback for one in kept),
        "keys_equal": equal,
        "secrecy": "demonstration" if any(one.secrecy != "own" for one in kept) else "own",
        "file": None if out is None or not kept else str(out),
        "reason": _why(failed, kept),
    }
    if kept or as_json:
        emit(plain, lambda: str(kept[-1]), as_json=as_json)
    if failed is not None:
        raise failed
    return 0


def _check(
    policy: RekeyPolicy | None,
    events: TextIO | None,
    bits: int,
    here: str | None,
    there: str | None,
    auth: Path | None,
) -> None:
    if here is not None and there is not None:
        raise ArgumentError("--listen and --connect exclude each other: one end each")
    if there is not None and policy is not None:
        raise ArgumentError("--policy goes with --listen: the end that listens says when")
    if auth is not None and here is None and there is None:
        raise ArgumentError("--auth goes with --listen or --connect: it is for two ends apart")
    if events is not None and policy is None:
        raise ArgumentError("--events needs --policy: when to refresh, such as bytes=1e9,alarm")
    if policy is not None and policy.seconds is None and events is None:
        raise ArgumentError(
            "--policy without seconds needs --events: bytes and alarms come from there"
        )
    if bits % 8:
        raise ArgumentError(f"--bits must be a multiple of 8, but was {bits}")


class _Ends:
    """Both ends, or one of them: where its keys come from, and where they go."""

    def __init__(
        self,
        source: KeySource | None,
        side: Side,
        triggers: Iterator[str],
        keep: Callable[[Any], None],
    ) -> None:
        self.source, self.side, self.triggers, self.keep = source, side, triggers, keep

    def together(self, alice: RekeyState, bob: RekeyState) -> bool:
        """Run both ends here; whether their keys were equal each time."""
        from ebit.protocols.rekey import rekey

        equal = True
        for trigger in self.triggers:
            quantum, reason = _quantum(self.source, alice, self.side)
            mine, theirs = rekey(alice, bob, quantum, reason=reason, trigger=trigger)
            equal = equal and mine.key == theirs.key
            self.keep(mine)
        return equal

    def apart(
        self,
        state: RekeyState,
        here: str | None,
        there: str | None,
        auth: Path | None,
        timeout: float,
        quiet: bool,
    ) -> EbitError | None:
        """Run one end; why it ended before it should, or None."""
        from ebit.protocols.rekey_session import refreshes_alice, refreshes_bob
        from ebit.protocols.tcp import connect, listen

        seal = None
        if auth is not None:
            from ebit.protocols.authentication import Authenticator

            seal = Authenticator(auth)
        say = None if quiet else lambda text: click.echo(f"  {text}", err=True)

        def take() -> tuple[QuantumKey | None, str]:
            return _quantum(self.source, state, self.side)

        def find(key_id: str) -> QuantumKey | None:
            return _copy(self.source, key_id, state.bits, self.side)

        if here is not None:
            party = refreshes_alice(state, self.triggers, take, self.keep, auth=seal)
            (ending,) = listen(
                here, lambda: party, role="alice", patience=timeout, timeout=timeout, say=say
            )
        else:
            follows = refreshes_bob(state, find, self.keep, auth=seal)
            ending = connect(
                str(there), follows, role="bob", timeout=timeout, patience=timeout, say=say
            )
        return ending.error


def _why(failed: EbitError | None, kept: list[Any]) -> str | None:
    """Why it ended, or why a refresh was made without the quantum key."""
    if failed is not None:
        return str(failed)
    return next((one.reason for one in kept if one.fallback), None)


def _copy(source: KeySource | None, key_id: str, bits: int, side: Side) -> QuantumKey | None:
    """This end's copy of a quantum key, once; None if it has none of that name."""
    from ebit.protocols.conversation import ChannelError
    from ebit.protocols.key_store import UnknownKeyError
    from ebit.protocols.rekey import QuantumKey

    if source is None:
        return None

    def accept(key: SecretBits) -> None:
        if key.bits != bits:  # nothing vouches for the name yet: it must not spend more
            raise ChannelError(
                f"the peer names a quantum key of {key.bits} bits, but an epoch takes {bits} here: say the "
                "same --bits at both ends"
            )

    try:
        key = source.find(key_id, _PURPOSE, side=side, accept=accept, once=True)
    except (ArgumentError, UnknownKeyError):
        return None
    return QuantumKey(key_id, key, source.secrecy)


def _quantum(
    source: KeySource | None, state: RekeyState, side: Side
) -> tuple[QuantumKey | None, str]:
    """The next quantum key, or why there is none."""
    from ebit.protocols.key_store import NoKeysLeftError
    from ebit.protocols.key_uses import KeyFileEmptyError
    from ebit.protocols.rekey import QuantumKey

    if source is None:
        return None, "no quantum key was given (--key, --store)"
    try:
        key_id, key = source.take(state.bits, _PURPOSE, side=side)
    except (KeyFileEmptyError, NoKeysLeftError) as error:
        return None, _plain(str(error))
    return QuantumKey(key_id, key, source.secrecy), ""


def _triggers(
    policy: RekeyPolicy | None, events: TextIO | None, epochs: int | None
) -> Iterator[str]:
    """Why to refresh, each time it is time to."""
    most = epochs if epochs is not None else 1 if policy is None else None
    numbers: Iterator[int] = iter(range(1, most)) if most is not None else iter(int, 1)
    yield "the first key"
    if policy is None:
        for _ in numbers:
            yield "on demand"
        return
    from ebit.protocols.rekey import RekeyMeter

    meter = RekeyMeter(policy)
    wait = _waiting(meter) if events is None else _reading(meter, events)
    for _ in numbers:
        due = wait()
        if not due:
            return
        yield due
        meter.refreshed()


def _waiting(meter: Any) -> Callable[[], str]:
    def wait() -> str:
        while not meter.due():
            time.sleep(min(meter.left() + 0.001, 1.0))
        return str(meter.due())

    return wait


def _reading(meter: Any, events: TextIO) -> Callable[[], str]:
    """Read events until a refresh is due; nothing at the end of them."""

    def wait() -> str:
        while line := events.readline():
            kind, _, rest = line.strip().partition(" ")
            spent = _spent(rest) if kind == "bytes" else None
            if spent is not None:
                meter.spend(spent)
            elif kind == "alarm":
                meter.alarm(_plain(rest.strip()))
            elif kind:  # a slip in one line does not stop what watches over keys
                click.echo(
                    f"  passed over: an event must be 'bytes N' or 'alarm WORDS', but was "
                    f"{_plain(line.strip())[:60]!r}",
                    err=True,
                )
            if meter.due():
                return str(meter.due())
        return ""

    return wait


def _spent(text: str) -> int | None:
    """A number of bytes, also written 5e8; None if it is none."""
    try:
        number = float(text.replace("_", ""))
        return int(number) if number >= 0 and number == int(number) else None
    except (ValueError, OverflowError):
        return None


def _plain(text: str) -> str:
    """Words as a peer takes them: printable, and not too long."""
    shown = "".join(sign if sign.isprintable() else " " for sign in text)
    return shown.encode("utf-8", "replace")[:400].decode("utf-8", "ignore")


def _line(found: Any) -> str:
    kind = " (demonstration)" if found.secrecy == "demonstration" else ""
    fell = f"; FALLBACK: {found.reason}" if found.fallback else ""
    return f"  epoch {found.epoch}: {found.bits} bits{kind}, {found.trigger}{fell}"
