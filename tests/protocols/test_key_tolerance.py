"""The tolerated number of errors is a line: on it a run goes on, one error beyond it stops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ebit.analysis.key_plan import KeyPlan, plan_key
from ebit.protocols.authentication import Authenticator
from ebit.protocols.conversation import converse
from ebit.protocols.key_parties import KeyEnding, SiftingLaw, alice, bob
from ebit.protocols.key_referee import random_bytes
from ebit.protocols.sifting import RawSide

LAW = SiftingLaw((2, 2), (0, 0), {"X": (1, 1)})


@pytest.fixture(scope="module")
def plan() -> KeyPlan:
    return plan_key("bb84", 20_000, qber=0.02)


def ended(plan: KeyPlan, *, key: int, test: int, wrong: int, short: int = 0) -> list[KeyEnding]:
    """Both ends of a run with so many rounds of each kind, and so many wrong bits among the tests."""
    rng = np.random.default_rng(4)
    settings = np.repeat(np.array([0, 1], np.uint8), [key - short, test])
    bits = rng.integers(0, 2, len(settings), np.uint8)
    other = bits.copy()
    other[len(bits) - wrong :] ^= 1
    auth = Authenticator.in_memory()
    ends: Any = converse(
        alice(RawSide(settings, bits), plan, LAW, auth=auth[0], random=random_bytes(1, 0)),
        bob(RawSide(settings, other), plan, LAW, auth=auth[1], random=random_bytes(1, 1)),
    )
    return [end.result() for end in ends]


def test_as_many_errors_as_are_tolerated_make_a_key(plan: KeyPlan) -> None:
    one, two = ended(plan, key=plan.n, test=plan.k, wrong=plan.tolerated_errors)
    assert one.key is not None
    assert one.key == two.key
    assert one.key.bits == plan.length


def test_one_error_more_makes_none(plan: KeyPlan) -> None:
    for end in ended(plan, key=plan.n, test=plan.k, wrong=plan.tolerated_errors + 1):
        assert end.key is None
        assert "above the tolerated" in end.reason


def test_one_round_too_few_makes_none(plan: KeyPlan) -> None:
    for end in ended(plan, key=plan.n, test=plan.k, wrong=0, short=1):
        assert end.key is None
        assert "too few rounds" in end.reason
