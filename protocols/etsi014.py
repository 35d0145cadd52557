"""ETSI GS QKD 014 V1.1.1: keys from a store, for applications that a certificate names.

What the standard says, and what is left to an implementation, is decided here; sockets and TLS are in
`ebit.protocols.etsi014_server`. What an implementation decides:

- A caller's SAE_ID is the common name of its certificate, or, if no SAE has that name, a DNS name or
  URI among the certificate's alternative names.
- A key is delivered at most once to each side. It leaves the store, on disk, before the answer is
  written: whoever breaks the connection off in between has lost it.
- Further slaves of a key (additional_slave_SAE_IDs) must be at the same KME as the first; each collects
  it once. How many there may be (max_SAE_ID_count) depends on how many SAEs that KME serves: an id does
  not name the slaves, it only vouches for them, and the groups that the KME must try are at most 256.
- Too few keys are a 503; a path or a method that the standard does not have is a 400.
- Keys that are for demonstration only are handed out if the store was opened for it, and every answer
  says so in the fields that the standard leaves for extensions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

from ebit.games import ArgumentError, EbitError
from ebit.protocols.etsi014_request import (
    Limits,
    Refusal,
    Request,
    key_ids_of,
    key_request_of,
    route,
)
from ebit.protocols.key_store import (
    MOST_BITS,
    Collect,
    Deliver,
    DeliveredKey,
    KeyStore,
    NoKeysLeftError,
    NotNamedError,
    UnknownKeyError,
)
from ebit.protocols.key_store_types import DEMONSTRATION

__all__ = ["Answer", "Asked", "End", "KeyService", "Limits", "Refusal", "Request"]


_MOST_GROUPS = 256


@dataclass(frozen=True)
class Answer:
    """What goes back over the wire.

    Attributes:
        status: 200, 400, 401 or 503.
        body: a JSON object.
        keys: how many keys are in it.
    """

    status: int
    body: dict[str, Any]
    keys: int = 0

    def __repr__(self) -> str:  # the body may hold keys
        return f"Answer({self.status}, {self.keys} keys)"

    def to_bytes(self) -> bytes:
        """Return the body as JSON."""
        return json.dumps(self.body).encode()


@dataclass(frozen=True)
class End:
    """One end of the link: its store, the SAEs it serves, and those that the other end serves."""

    store: KeyStore
    saes: tuple[str, ...]
    peer_saes: tuple[str, ...]


@dataclass(frozen=True)
class Asked:
    """A request that is understood and allowed, and not fulfilled yet."""

    end: End
    wish: Deliver | Collect | None
    master: str
    slave: str


class KeyService:
    """Answers requests for one end of a link, or for both.

    Args:
        store: the keys.
        saes: SAE_IDs of the applications at this end. peer_saes: at the other end.
        peer_store: the other end's store, to play it too.
        limits: sizes and numbers of keys.
        fault: told in one line when a store cannot be used.

    Raises:
        ArgumentError: no SAE, one at both ends, or stores that are not the two ends of a link.

    Example:
        >>> import tempfile, uuid
        >>> from ebit.protocols.secret_bits import SecretBits
        >>> store = KeyStore.create(tempfile.mkdtemp() + "/a.db", kme="kme-a", peer="kme-b")
        >>> _ = store.add(SecretBits.of_bytes(bytes(80)), origin={}, secrecy="own")
        >>> service = KeyService(store, saes=["alice"], peer_saes=["bob"])
        >>> answer = service(Request("GET", "/api/v1/keys/bob/enc_keys", names=("alice",)))
        >>> answer.status, list(answer.body), sorted(answer.body["keys"][0])
        (200, ['keys'], ['key', 'key_ID'])
        >>> service(Request("GET", "/api/v1/keys/bob/enc_keys", "size=65", names=("alice",))).body
        {'message': 'size shall be a multiple of 8'}
        >>> service(Request("GET", "/api/v1/keys/bob/status", names=("eve",))).status
        401
        >>> store.close()
    """

    def __init__(
        self,
        store: KeyStore,
        *,
        saes: Sequence[str],
        peer_saes: Sequence[str],
        peer_store: KeyStore | None = None,
        limits: Limits | None = None,
        fault: Callable[[str], None] | None = None,
    ) -> None:
        mine, others = tuple(dict.fromkeys(saes)), tuple(dict.fromkeys(peer_saes))
        for name, given in (("saes", mine), ("peer_saes", others)):
            if not given or not all(isinstance(sae, str) and 0 < len(sae) <= 255 for sae in given):
                raise ArgumentError(
                    f"{name} must be one or more names of 1 to 255 characters, but were {given!r}"
                )
        both = sorted({*mine} & {*others})
        if both:
            raise ArgumentError(f"an SAE is at one end of the link, but {both[0]!r} was at both")
        self.ends = [End(store, mine, others)]
        if peer_store is not None:
            if (peer_store.kme, peer_store.peer) != (store.peer, store.kme):
                raise ArgumentError(
                    f"peer_store must be the other end of {store.kme} - {store.peer}, but was "
                    f"{peer_store.kme} - {peer_store.peer}"
                )
            if peer_store.share != store.share:
                raise ArgumentError(
                    f"both stores must have the same share, but had {store.share} and "
                    f"{peer_store.share}"
                )
            self.ends.append(End(peer_store, others, mine))
        self.limits = Limits() if limits is None else limits
        self.delivered = 0
        self._fault = fault

    @property
    def demonstration(self) -> bool:
        """Whether keys that are not secret may be handed out."""
        return any(end.store.demonstration for end in self.ends)

    def __call__(self, request: Request) -> Answer:
        """Answer one request."""
        try:
            asked = self.understand(request)
        except Refusal as refusal:
            return Answer(refusal.status, refusal.to_dict())
        (answer,) = self.fulfil([asked])
        return answer

    def understand(self, request: Request) -> Asked:
        """Read a request, and see whether the caller may make it; touches no store.

        Raises:
            Refusal: 400 or 401.
        """
        end, caller = self._caller(request)
        named, verb = route(request)
        if verb == "dec_keys":
            ids = key_ids_of(request, self.limits)
            most = _most_more(len(end.saes))
            wish = Collect(named, caller, ids, "ETSI 014", end.peer_saes, end.saes, most)
            return Asked(end, wish, named, caller)
        order = None
        if verb == "enc_keys":
            most = _most_more(len(end.peer_saes))
            number, size, more = key_request_of(request, self.limits, most)
            order = Deliver(caller, named, size, number, "ETSI 014", more)
        slaves = (named, *(order.more if order else ()))
        if not {*slaves} <= {*end.peer_saes}:
            raise Refusal(400, "slave_SAE_ID shall be an SAE of the target KME")
        if len({*slaves}) != len(slaves):
            raise Refusal(400, "additional_slave_SAE_IDs shall be others than slave_SAE_ID")
        return Asked(end, order, caller, named)

    def fulfil(self, asked: Sequence[Asked]) -> list[Answer]:
        """Answer several requests with one write to the disk for each store.

        No key is in an answer before its store has it on disk that the key has left.
        """
        found: dict[int, Answer] = {}
        for end in self.ends:
            mine = [(k, one) for k, one in enumerate(asked) if one.end is end]
            wishes = [(k, one.wish) for k, one in mine if one.wish is not None]
            try:
                given = end.store.together([wish for _, wish in wishes]) if wishes else []
                for (k, _), keys in zip(wishes, given, strict=True):
                    found[k] = self._answer(keys)
                for k, one in mine:
                    if one.wish is None:
                        found[k] = Answer(200, self._status(one))
            except EbitError as error:
                answer = self._broken(error)
                found.update({k: answer for k, _ in mine if k not in found})
        answers = [found[k] for k in range(len(asked))]
        self.delivered += sum(answer.keys for answer in answers)
        return answers

    def _caller(self, request: Request) -> tuple[End, str]:
        for name in request.names:
            for end in self.ends:
                if name in end.saes:
                    return end, name
        raise Refusal(401, "Unauthorized")

    def _answer(self, given: tuple[DeliveredKey, ...] | EbitError) -> Answer:
        if not isinstance(given, EbitError):
            return Answer(200, _container(given), len(given))
        if isinstance(given, UnknownKeyError):
            refusal = Refusal(
                400,
                "one or more keys specified are not found on KME",
                [{"key_ID": str(id)} for id in given.ids],
            )
        elif isinstance(given, NotNamedError):
            refusal = Refusal(401, "Unauthorized")
        elif isinstance(given, NoKeysLeftError):
            refusal = Refusal(503, "not enough keys are stored", [{"reason": str(given)}])
        else:
            return self._broken(given)
        return Answer(refusal.status, refusal.to_dict())

    def tell(self, line: str) -> None:
        """Tell of a fault of the server."""
        if self._fault is not None:
            self._fault(line)

    def _broken(self, error: EbitError) -> Answer:
        self.tell(str(error))
        return Answer(503, {"message": "the key store of the KME cannot be used"})

    def _status(self, asked: Asked) -> dict[str, Any]:
        """The standard's Status data (clause 6.1)."""
        store, limits = asked.end.store, self.limits
        status: dict[str, Any] = {
            "source_KME_ID": store.kme,
            "target_KME_ID": store.peer,
            "master_SAE_ID": asked.master,
            "slave_SAE_ID": asked.slave,
            "key_size": limits.key_size,
            "stored_key_count": store.stored(limits.key_size),
            "max_key_count": MOST_BITS // limits.key_size,
            "max_key_per_request": limits.max_key_per_request,
            "max_key_size": limits.max_key_size,
            "min_key_size": limits.min_key_size,
            "max_SAE_ID_count": _most_more(len(asked.end.peer_saes)),
        }
        if store.demonstration:
            status["status_extension"] = {"secrecy": DEMONSTRATION}
        return status


def _most_more(saes: int) -> int:
    """How many further slaves a key may have at a KME of so many SAEs: at most 256 groups to try."""
    most = groups = 0
    while most < saes:
        groups += comb(saes - 1, most)
        if groups > _MOST_GROUPS:
            break
        most += 1
    return max(0, most - 1)


def _container(keys: Sequence[DeliveredKey]) -> dict[str, Any]:
    """The standard's Key container (clause 6.3)."""
    from base64 import b64encode

    items: list[Mapping[str, Any]] = []
    for key in keys:
        item: dict[str, Any] = {
            "key_ID": str(key.id),
            "key": b64encode(key.key.reveal_bytes()).decode("ascii"),
        }
        if key.secrecy == DEMONSTRATION:
            item["key_extension"] = {"secrecy": DEMONSTRATION}
        items.append(item)
    container: dict[str, Any] = {"keys": items}
    if any(key.secrecy == DEMONSTRATION for key in keys):
        container["key_container_extension"] = {"secrecy": DEMONSTRATION}
    return container
