"""Two ends of a hybrid refresh, with quantum keys made of a seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ebit.protocols.conversation import converse
from ebit.protocols.rekey import QuantumKey, RekeyState, rekey_alice, rekey_bob
from ebit.protocols.rekey_schedule import MODES
from ebit.protocols.secret_bits import SecretBits

BOTH = pytest.mark.parametrize("mode", MODES)


def quantum(seed: int = 1, bits: int = 256, name: str = "k1", **more: Any) -> QuantumKey:
    data = np.random.default_rng(seed).integers(0, 2, bits, dtype=np.uint8)
    return QuantumKey(name, SecretBits(np.packbits(data), bits), **more)


def states(mode: Any = "computational", **more: Any) -> tuple[RekeyState, RekeyState]:
    return RekeyState(mode, **more), RekeyState(mode, **more)


def meet(
    alice: RekeyState,
    bob: RekeyState,
    mine: QuantumKey | None,
    theirs: QuantumKey | None,
    wire: Any = None,
) -> Any:
    def find(key_id: str) -> QuantumKey | None:
        return theirs if theirs is not None and theirs.id == key_id else None

    return converse(rekey_alice(alice, mine), rekey_bob(bob, find), wire=wire)
