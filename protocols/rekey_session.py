"""Refreshes one after the other over one channel: who says when, and what authenticates them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from ebit.games import RefusedError
from ebit.protocols.conversation import ChannelError, Expect, Message, Party
from ebit.protocols.rekey import QuantumKey, RekeyState, rekey_alice, rekey_bob
from ebit.protocols.rekey_result import RekeyResult

if TYPE_CHECKING:
    from ebit.protocols.authentication import Authenticator

__all__ = ["refreshes_alice", "refreshes_bob"]

_MORE, _END = b"\1", b"\0"


def refreshes_alice(
    state: RekeyState,
    triggers: Iterable[str],
    take: Callable[[], tuple[QuantumKey | None, str]],
    keep: Callable[[RekeyResult], None],
    *,
    auth: Authenticator | None = None,
) -> Party[int]:
    """Return the party that says when: an epoch for each trigger, until there are no more.

    Args:
        state: this end's.
        triggers: why to refresh; taking the next one may wait until it is time.
        take: the next quantum key, or None and why there is none.
        keep: given each key as soon as it may be used; it should let go of the one before.
        auth: of a pre-shared key: each epoch is authenticated by a tag that no computer can forge,
            before its key is given out. The other end must have one too.

    Returns:
        A party that returns the number of epochs.

    Raises:
        RefusedError, ChannelError: as `rekey_alice`, or the authentication failed.

    Example:
        >>> from ebit.protocols.conversation import converse
        >>> mine, theirs = [], []
        >>> none = lambda: (None, "no link today")
        >>> alice = refreshes_alice(RekeyState(), ["first", "an hour"], none, mine.append)
        >>> bob = refreshes_bob(RekeyState(), lambda name: None, theirs.append)
        >>> converse(alice, bob)[0].result()
        2
        >>> mine[1].key == theirs[1].key, theirs[1].trigger, theirs[1].reason
        (True, 'an hour', 'no link today')
    """
    count = 0
    for trigger in triggers:
        yield Message("rekey-next", _MORE)
        quantum, reason = take()
        found = yield from rekey_alice(state, quantum, reason=reason, trigger=trigger)
        keep((yield from _sealed(found, state, auth)))
        count += 1
    yield Message("rekey-next", _END)
    return count


def refreshes_bob(
    state: RekeyState,
    find: Callable[[str], QuantumKey | None],
    keep: Callable[[RekeyResult], None],
    *,
    auth: Authenticator | None = None,
) -> Party[int]:
    """Return the party that follows; see `refreshes_alice` and `rekey_bob`."""
    count = 0
    while True:
        word = yield Expect("rekey-next")
        if word == _END:
            return count
        if word != _MORE:
            raise ChannelError(f"the peer must say more or end, but said {word[:8]!r}")
        found = yield from rekey_bob(state, find)
        keep((yield from _sealed(found, state, auth)))
        count += 1


def _sealed(
    found: RekeyResult, state: RekeyState, auth: Authenticator | None
) -> Party[RekeyResult]:
    """Authenticate all that was said, and say so in the result."""
    if auth is None:
        return found
    from ebit.protocols.authentication import authenticate

    sealed = yield from authenticate(auth)
    if not sealed.ok:
        raise ChannelError(
            f"epoch {found.epoch} is not authenticated, and gives no key: {sealed.reason}"
        )
    if sealed.secrecy == "demonstration":
        if not state.demonstration:
            raise RefusedError(
                "the pre-shared key of the authentication is of a demonstration: say demonstration=True "
                "(--demonstration) to use it all the same"
            )
        found = replace(found, secrecy="demonstration")
    kept = tuple(
        item
        for item in found.not_given
        if not item.startswith(("authentication", "security against someone who changes"))
    )
    return replace(
        found,
        authenticated=True,
        not_given=kept,
        assumptions=(
            *found.assumptions,
            "the pre-shared key of the authentication is secret; a forged tag passes with probability "
            f"at most {sealed.tag_epsilon:.1e}",
        ),
    )
