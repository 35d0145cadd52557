"""Orders of settings that look fresh from one round to the next, and are not."""

from __future__ import annotations

import numpy as np
import pytest

from ebit.games import Trials


@pytest.mark.parametrize("name", ["0011 repeated", "two rounds before", "five rounds before"])
def test_dependence_further_back_is_a_pattern(name: str) -> None:
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 2, (2, 4000))
    if name == "0011 repeated":
        x = np.tile([0, 0, 1, 1], 1000)
    else:
        back = 2 if name.startswith("two") else 5
        x[back:] = y[:-back]
    trials = Trials.from_rounds(np.stack([x, y], 1), np.zeros((4000, 2), dtype=int))
    assert trials.chosen == "pattern"
    assert "before it" in trials.chosen_reason
