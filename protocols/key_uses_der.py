"""DER, as much of it as CMS messages and openssl's session files need."""

from __future__ import annotations

__all__ = ["children", "der", "only"]


def der(kind: int, *parts: bytes) -> bytes:
    """Return one element: its kind, its length and its parts."""
    body = b"".join(parts)
    size = len(body)
    if size < 0x80:
        return bytes([kind, size]) + body
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([kind, 0x80 | len(digits)]) + digits + body


def _read(data: bytes, at: int) -> tuple[int, int, int]:
    """(kind, where the body begins, where it ends) of the element at `at`."""
    kind, size, at = data[at], data[at + 1], at + 2
    if size & 0x80:
        digits = size & 0x7F
        if not 1 <= digits <= 8:  # the indefinite form is BER
            raise ValueError
        size, at = int.from_bytes(data[at : at + digits], "big"), at + digits
    if at + size > len(data):
        raise ValueError
    return kind, at, at + size


def children(body: bytes) -> list[tuple[int, bytes, bytes]]:
    """Return (kind, body, whole element) of each element.

    Raises:
        ValueError, IndexError: no DER.
    """
    found, at = [], 0
    while at < len(body):
        kind, begin, end = _read(body, at)
        found.append((kind, body[begin:end], body[at:end]))
        at = end
    return found


def only(data: bytes, kind: int) -> bytes:
    """Return the body of data that is one element of a kind.

    Raises:
        ValueError, IndexError: it is not.
    """
    found, begin, end = _read(data, 0)
    if found != kind or end != len(data):
        raise ValueError
    return data[begin:end]
