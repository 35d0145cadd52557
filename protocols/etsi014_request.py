"""Requests of ETSI GS QKD 014: what a caller may say, and the messages for what is wrong with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote
from uuid import UUID

from ebit.games import ArgumentError, EbitError
from ebit.protocols.key_store_types import MOST_KEY_BITS

__all__ = [
    "Limits",
    "Refusal",
    "Request",
    "key_ids_of",
    "key_request_of",
    "route",
]

_ROOT = ("api", "v1", "keys")
_METHODS = {"status": ("GET",), "enc_keys": ("GET", "POST"), "dec_keys": ("GET", "POST")}
_KEY_REQUEST = {
    "number",
    "size",
    "additional_slave_SAE_IDs",
    "extension_mandatory",
    "extension_optional",
}


class Refusal(EbitError):
    """An answer that is no key.

    Attributes:
        status: 400, 401 or 503.
        message: the standard's, where it has one.
        details: more, as name and value pairs.
    """

    def __init__(
        self, status: int, message: str, details: list[dict[str, Any]] | None = None
    ) -> None:
        super().__init__(f"{status} {message}")
        self.status, self.message, self.details = status, message, details

    def to_dict(self) -> dict[str, Any]:
        """Return the standard's Error data (clause 6.5)."""
        return {"message": self.message, **({"details": self.details} if self.details else {})}


@dataclass(frozen=True)
class Request:
    """What came over the wire.

    Attributes:
        method: GET or POST.
        path: as it came, percent-encoded. query: what came after the question mark.
        body: the bytes.
        names: the caller's names, from its certificate.
    """

    method: str
    path: str
    query: str = ""
    body: bytes = b""
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Limits:
    """What a server hands out; bits and numbers of keys.

    Attributes:
        key_size: of a key if the caller does not say.
        min_key_size, max_key_size: of any key.
        max_key_per_request: how many at a time.

    Raises:
        ArgumentError: sizes that are no multiples of 8, or not in this order.
    """

    key_size: int = 256
    min_key_size: int = 64
    max_key_size: int = 4096
    max_key_per_request: int = 128

    def __post_init__(self) -> None:
        sizes = (self.min_key_size, self.key_size, self.max_key_size)
        if any(size % 8 for size in sizes) or not 8 <= sizes[0] <= sizes[1] <= sizes[2]:
            raise ArgumentError(
                "key sizes must be multiples of 8 with 8 <= min_key_size <= key_size <= max_key_size, "
                f"but were {sizes[0]}, {sizes[1]} and {sizes[2]}"
            )
        if self.max_key_size > MOST_KEY_BITS:
            raise ArgumentError(
                f"max_key_size must be at most {MOST_KEY_BITS}, but was {self.max_key_size}"
            )
        if not 1 <= self.max_key_per_request <= 4096:
            raise ArgumentError(
                f"max_key_per_request must be from 1 to 4096, but was {self.max_key_per_request}"
            )


def route(request: Request) -> tuple[str, str]:
    """Return (the SAE that the path names, the method's name: status, enc_keys or dec_keys).

    Raises:
        Refusal: there is no such path, or not with this HTTP method.

    Example:
        >>> route(Request("GET", "/api/v1/keys/sae%20b/enc_keys"))
        ('sae b', 'enc_keys')
    """
    parts = request.path.split("/")
    if len(parts) != 6 or parts[0] or tuple(parts[1:4]) != _ROOT or parts[5] not in _METHODS:
        raise _bad("path shall be /api/v1/keys/{SAE_ID}/status, enc_keys or dec_keys")
    sae, verb = unquote(parts[4]), parts[5]
    if not sae or len(sae) > 255:
        raise _bad("SAE_ID shall be a name of 1 to 255 characters")
    if request.method not in _METHODS[verb]:
        raise _bad(f"{verb} shall be called with {' or '.join(_METHODS[verb])}")
    if verb == "status" and request.query:
        raise _bad("status shall be called without parameters")
    return sae, verb


def key_request_of(
    request: Request, limits: Limits, most_more: int = 0
) -> tuple[int, int, tuple[str, ...]]:
    """Return (number, size in bits, further slaves) of a "Get key".

    Args:
        request: what came.
        limits: of sizes and numbers.
        most_more: how many further slaves a key may have (max_SAE_ID_count).

    Raises:
        Refusal: wrong types, numbers outside the limits, or what this server does not support.

    Source:
        ETSI GS QKD 014 V1.1.1, clauses 5.2 and 6.2.

    Example:
        >>> key_request_of(Request("GET", "", "number=3&size=512"), Limits())
        (3, 512, ())
    """
    if request.method == "GET":
        asked: dict[str, Any] = _query(request.query, ("number", "size"))
        for name, text in asked.items():
            if not (text.isascii() and text.isdigit() and len(text) <= 18):
                raise _bad(f"{name} shall be an integer")
            asked[name] = int(text)
    else:
        asked = _json(request)
    for name in asked:
        if name not in _KEY_REQUEST:
            raise _bad(f"{name[:64]} is no parameter of a key request")
    number, size = asked.get("number", 1), asked.get("size", limits.key_size)
    for name, value in (("number", number), ("size", size)):
        if not isinstance(value, int) or isinstance(value, bool):
            raise _bad(f"{name} shall be an integer")
    if not 1 <= number <= limits.max_key_per_request:
        raise _bad(f"number shall be from 1 to max_key_per_request ({limits.max_key_per_request})")
    if size % 8:
        raise Refusal(400, "size shall be a multiple of 8")
    if not limits.min_key_size <= size <= limits.max_key_size:
        raise _bad(
            f"size shall be from min_key_size ({limits.min_key_size}) to max_key_size "
            f"({limits.max_key_size})"
        )
    _extensions(asked)
    more = asked.get("additional_slave_SAE_IDs", [])
    if len(more) > most_more:
        raise _bad(f"additional_slave_SAE_IDs shall be at most max_SAE_ID_count ({most_more})")
    return number, size, tuple(more)


def key_ids_of(request: Request, limits: Limits) -> tuple[UUID, ...]:
    """Return the key ids of a "Get key with key IDs".

    Raises:
        Refusal: wrong types, no ids, too many, or one twice.

    Source:
        ETSI GS QKD 014 V1.1.1, clauses 5.3 and 6.4.

    Example:
        >>> text = "550e8400-e29b-41d4-a716-446655440000"
        >>> key_ids_of(Request("GET", "", "key_ID=" + text), Limits())
        (UUID('550e8400-e29b-41d4-a716-446655440000'),)
    """
    if request.method == "GET":
        asked = _query(request.query, ("key_ID",))
        if "key_ID" not in asked:
            raise _bad("key_ID shall be given")
        texts: list[Any] = [asked["key_ID"]]
    else:
        body = _json(request)
        for name in body:
            if name not in ("key_IDs", "key_IDs_extension"):
                raise _bad(f"{name[:64]} is no parameter of a request with key IDs")
        items = body.get("key_IDs")
        if not isinstance(items, list) or not items:
            raise _bad("key_IDs shall be an array of at least one object with a key_ID")
        for item in items:
            if not isinstance(item, dict) or not {"key_ID"} <= {*item} <= {
                "key_ID",
                "key_ID_extension",
            }:
                raise _bad("key_IDs shall be an array of objects with a key_ID")
        texts = [item["key_ID"] for item in items]
    if len(texts) > limits.max_key_per_request:
        raise _bad(f"key_IDs shall be at most max_key_per_request ({limits.max_key_per_request})")
    ids = tuple(_uuid(text) for text in texts)
    if len(set(ids)) != len(ids):
        raise _bad("key_IDs shall be different")
    return ids


def _extensions(asked: dict[str, Any]) -> None:
    more = asked.get("additional_slave_SAE_IDs", [])
    if not isinstance(more, list) or not all(isinstance(name, str) for name in more):
        raise _bad("additional_slave_SAE_IDs shall be an array of strings")
    for name in ("extension_mandatory", "extension_optional"):
        value = asked.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise _bad(f"{name} shall be an array of objects")
    mandatory = [name for item in asked.get("extension_mandatory", []) for name in item]
    if mandatory:
        raise Refusal(
            400,
            "not all extension_mandatory parameters are supported",
            [{"extension_mandatory_unsupported": f"{name} is not supported"} for name in mandatory],
        )


def _query(query: str, known: tuple[str, ...]) -> dict[str, Any]:
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, strict_parsing=bool(query), errors="strict"
        )
    except ValueError:
        raise _bad("the query shall be name=value pairs joined by &") from None
    for name, _ in pairs:
        if name not in known:
            raise _bad(f"{name[:64]} is no parameter here; GET has {' and '.join(known)}")
    if len(pairs) != len(dict(pairs)):
        raise _bad("each parameter shall be given once; POST takes several key IDs")
    return dict(pairs)


def _json(request: Request) -> dict[str, Any]:
    if request.query:
        raise _bad("POST shall have its parameters in the body")
    try:
        found = json.loads(request.body)
    except (ValueError, RecursionError):
        raise _bad("the body shall be JSON (RFC 8259)") from None
    if not isinstance(found, dict):
        raise _bad("the body shall be a JSON object")
    return found


def _uuid(text: Any) -> UUID:
    try:
        found = UUID(text)
        if str(found) != text.lower():
            raise ValueError
    except (ValueError, AttributeError, TypeError):
        raise _bad("key_ID shall be a UUID (RFC 4122)") from None
    return found


def _bad(message: str) -> Refusal:
    return Refusal(400, message)
