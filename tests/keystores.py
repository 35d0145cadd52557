"""Key stores of both ends of a link, for tests."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import numpy as np

from ebit.protocols.key_store import KeyStore
from ebit.protocols.secret_bits import SecretBits

BLOCK = UUID("12345678-1234-4678-9234-567812345678")


def some_bytes(n: int, seed: int = 1) -> bytes:
    return np.random.default_rng(seed).bytes(n)


def make(
    folder: Path, *, share: float = 0.5, demonstration: bool = False
) -> tuple[KeyStore, KeyStore]:
    """The two ends of a link, empty."""
    names = ("kme-a", "kme-b")
    a, b = (
        KeyStore.create(
            folder / f"{one[-1]}.db", kme=one, peer=two, share=share, demonstration=demonstration
        )
        for one, two in (names, names[::-1])
    )
    return a, b


def fill(stores: tuple[KeyStore, ...], data: bytes, block: UUID = BLOCK) -> None:
    for store in stores:
        store.add(
            SecretBits.of_bytes(data), origin={"protocol": "test"}, secrecy="own", block=block
        )
