"""Limits of detection: published figures, closed forms against density matrices, data processing."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebit.analysis.key_signatures import attack_signature, noise_signature
from ebit.analysis.watch_limits import (
    ATTACKS,
    attacked_pair,
    bell_relative_entropy,
    binary_divergence,
    detection_limits,
    least_rounds,
    relative_entropy,
)
from ebit.games import ArgumentError

I2 = np.eye(2)
Z, X, Y = np.diag([1, -1]), np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]])
PHI = np.outer([1, 0, 0, 1], [1, 0, 0, 1]) / 2
most = {"dephasing": 0.5}


def projectors(axis: np.ndarray) -> list[np.ndarray]:
    return [(I2 + axis) / 2, (I2 - axis) / 2]


def on_bob(kraus: list[np.ndarray]) -> np.ndarray:
    return sum(np.kron(I2, k) @ PHI @ np.kron(I2, k).conj().T for k in kraus)


def measured(axis: np.ndarray) -> np.ndarray:
    return on_bob(projectors(axis))


def channel(attack: str, s: float) -> np.ndarray:
    """The attacked pair from what the attack does to Bob's qubit, operator by operator."""
    n, t = (Z + X) / math.sqrt(2), s * math.pi / 2
    full = {
        "intercept-resend": (measured(Z) + measured(X)) / 2,
        "intercept-z": measured(Z),
        "intercept-x": measured(X),
        "intercept-xyz": (measured(Z) + measured(X) + measured(Y)) / 3,
        "breidbart": measured(n),
        "depolarising": np.eye(4) / 4,
        "swap-out": np.diag([1.0, 0, 0, 0]),
    }
    if attack in full:
        return (1 - s) * PHI + s * full[attack]
    if attack == "dephasing":
        return on_bob([math.sqrt(1 - s) * I2, math.sqrt(s) * Z])
    if attack == "probe":  # a fraction (1 + cos t) / 2 nothing, else n
        return on_bob([math.cos(t / 2) * I2, math.sin(t / 2) * n])
    damp = s if attack == "amplitude-damping" else math.sin(t) ** 2
    kraus = [np.diag([1, math.sqrt(1 - damp)]), np.array([[0, math.sqrt(damp)], [0, 0]])]
    if attack == "cloner":  # damping along Y: Z turned there
        turn = np.array([[1, 1], [1j, -1j]]) / math.sqrt(2)
        kraus = [turn @ k @ turn.conj().T for k in kraus]
    return on_bob(kraus)


def depolarised(rho: np.ndarray, v: float) -> np.ndarray:
    left = np.einsum("abcb->ac", rho.reshape(2, 2, 2, 2))
    return v * rho + (1 - v) * np.kron(left, I2 / 2)


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("s", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("q0", [0.01, 0.1])
def test_the_quantum_limit_is_that_of_the_channel(attack: str, s: float, q0: float) -> None:
    s *= most.get(attack, 1.0)
    v = 1 - 2 * q0
    rho, sigma = depolarised(channel(attack, s), v), depolarised(PHI, v)
    wanted = relative_entropy(rho, sigma)
    found = detection_limits(attack, strength=s, q0=q0, c=1e6)
    assert found.nats == pytest.approx(wanted, rel=1e-9, abs=1e-12)
    agree = {
        name: np.trace(rho @ np.kron(p, p.conj())).real
        for name, p in zip("ZXY", (Z, X, Y), strict=True)
    }
    errors = {name: (1 - value) / 2 for name, value in agree.items()}
    assert found.games[0].q == pytest.approx((errors["Z"] + errors["X"]) / 2)
    assert found.games[2].q == pytest.approx(sum(errors.values()) / 3)
    for game in found.games:  # no measurement sees more than the states differ
        assert game.nats <= found.nats + 1e-12
        assert game.q >= game.q0 - 1e-12
        assert math.isnan(game.efficiency) or 0 <= game.efficiency <= 1 + 1e-9
    split = {game.game: game.nats for game in found.games}
    for name in ("xz", "xyz", "chsh"):
        assert split[f"{name} pooled"] <= split[name] + 1e-12


def test_published_figures() -> None:
    limits = detection_limits("intercept-resend", q0=0.02, c=1e6)
    games = {game.game: game for game in limits.games}
    assert round(limits.rounds, 1) == 10.8
    assert round(games["xz"].rounds, 1) == round(games["xz pooled"].rounds, 1) == 30.1
    assert round(games["xyz"].rounds, 1) == 18.9
    assert round(games["xyz pooled"].rounds, 1) == 19.7
    assert round(games["xz"].efficiency, 2) == 0.36
    assert round(games["xyz"].efficiency, 2) == 0.57
    for q0, f, wanted in ((0.01, 1, 22.5), (0.02, 1, 30.1), (0.02, 0.25, 261.8), (0.02, 0.1, 1257)):
        found = detection_limits("intercept-resend", strength=f, q0=q0, c=1e6).games[0].rounds
        assert found == pytest.approx(wanted, rel=2e-3)


def test_bits_per_round_of_games() -> None:
    """D per round in bits of a perfect quantum strategy against the floor (quant-ph/0307125)."""
    chsh = binary_divergence((2 + math.sqrt(2)) / 4, 0.75) / math.log(2)
    assert round(chsh, 6) == 0.046274
    assert round(binary_divergence(1.0, 0.75) / math.log(2), 6) == 0.415037
    assert round(binary_divergence(1.0, 8 / 9) / math.log(2), 6) == 0.169925


@pytest.mark.parametrize(
    ("attack", "s"),
    [(a, s) for a in ATTACKS for s in (0.25, 1.0) if a not in {"intercept-xyz", "swap-out"}]
    + [("swap-out", 1.0)],
)
def test_signatures_agree(attack: str, s: float) -> None:
    s *= most.get(attack, 1.0)
    name = "spoofed-source:zeros" if attack == "swap-out" else f"{attack}:{s}"
    noise = attack in {"dephasing", "amplitude-damping"}
    signature = noise_signature(name) if noise else attack_signature(name)
    correlations, _, _ = attacked_pair(attack, s)
    for i, basis in enumerate("ZXY"):
        assert (1 - correlations[i, i]) / 2 == pytest.approx(signature.qber[basis], abs=1e-12)
    s_value = math.sqrt(2) * (correlations[0, 0] + correlations[1, 1])
    assert s_value == pytest.approx(signature.S, abs=1e-12)


@given(st.floats(0, 1), st.floats(1e-6, 1 - 1e-6))
@settings(deadline=None)
def test_binary_divergence_is_that_of_diagonal_states(q: float, q0: float) -> None:
    d = binary_divergence(q, q0)
    assert d >= 2 * (q - q0) ** 2 - 1e-15  # Pinsker
    assert d == pytest.approx(
        relative_entropy(np.diag([q, 1 - q]), np.diag([q0, 1 - q0])), abs=1e-9
    )


def test_edges() -> None:
    assert binary_divergence(0.1, 0.0) == math.inf
    assert binary_divergence(0.0, 0.0) == 0
    assert least_rounds(0.0, 1e6) == math.inf
    assert relative_entropy(np.diag([0.5, 0.5]), np.diag([1.0, 0.0])) == math.inf
    assert bell_relative_entropy([0, 0, 0], [1, 1, 1]) == math.inf
    nothing = detection_limits("intercept-z", strength=0.0, q0=0.02, c=1e6)
    assert nothing.nats == 0
    assert nothing.rounds == math.inf
    assert all(math.isnan(game.efficiency) for game in nothing.games)
    plain = json.loads(json.dumps(detection_limits("cloner", q0=0.02, c=1e6).to_dict()))
    assert plain["games"][0]["game"] == "xz"
    assert "pairs by the best" in str(nothing)


@pytest.mark.parametrize(
    ("attack", "arguments"),
    [
        ("tap", {"q0": 0.02, "c": 1000000.0}),
        ("cloner", {"q0": 0.0, "c": 1000000.0}),
        ("cloner", {"q0": 0.5, "c": 1000000.0}),
        ("cloner", {"q0": math.nan, "c": 1000000.0}),
        ("cloner", {"q0": 0.02, "c": 1.0}),
        ("cloner", {"q0": 0.02, "c": math.nan}),
        ("cloner", {"q0": 0.02, "c": 1000000.0, "strength": 1.1}),
        ("dephasing", {"q0": 0.02, "c": 1000000.0, "strength": 0.6}),
    ],
)
def test_bad_input(attack: str, arguments: dict[str, float]) -> None:
    with pytest.raises(ArgumentError):
        detection_limits(attack, **arguments)
    with pytest.raises(ArgumentError):
        bell_relative_entropy([1, 1, -1], [0, 0, 0])
    with pytest.raises(ArgumentError):
        least_rounds(math.nan, 10)
