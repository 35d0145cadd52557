"""A hostile reading of the entropy certificates: devices, coins and users that cheat.

The attacks on the gate itself are in test_entropy_gate.py.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import optimize

from ebit.analysis.accumulation import accumulate
from ebit.analysis.accumulation_plan import AccumulationPlan
from ebit.analysis.accumulation_score import Settings, biased_coins
from ebit.analysis.certifying import plan_certificate
from ebit.analysis.eat import eat_loss
from ebit.analysis.entropy_attack import guessing_attack
from ebit.analysis.geat import geat_loss
from ebit.analysis.pef import design_pef
from ebit.analysis.pef_constraint import constraint, powers, two_qubit_behaviour
from ebit.analysis.renyi_bound import renyi_entropy_one

Floats = npt.NDArray[np.float64]
EPSILON, RUNS = 0.05, 10_000
LIMIT = EPSILON + 3 * math.sqrt(EPSILON * (1 - EPSILON) / RUNS)
TSIRELSON = np.array([0, np.pi / 2, np.pi / 4, -np.pi / 4])
WON = np.array(
    [[[(a ^ b) == (x & y) for b in (0, 1)] for a in (0, 1)] for x, y in product((0, 1), repeat=2)]
)


# --- Renyi: devices found by a search that shares nothing with the proof ---------------------


def vector(angle: float, outcome: int) -> Floats:
    half = angle / 2 + outcome * np.pi / 2
    return np.array([math.cos(half), math.sin(half)])


def measured(angles: Floats) -> tuple[Floats, list[tuple[int, int]]]:
    """The sixteen product vectors, and (question, won) of each."""
    rows, kinds = [], []
    for z, a, b in product(range(4), (0, 1), (0, 1)):
        rows.append(np.kron(vector(angles[z >> 1], a), vector(angles[2 + (z & 1)], b)))
        kinds.append((z, int(WON[z, a, b])))
    return np.array(rows), kinds


def best_state(rows: Floats, weights: Floats, b: float, steps: int = 60) -> float:
    """The largest sum of weight <m|rho^(1/alpha)|m>^alpha over states, by omega -> A^(1/b)."""
    size = rows.shape[1]
    omega, best = np.eye(size) * size ** (-1 / (1 + b)), 0.0
    for step in range(steps):
        q = np.maximum(np.einsum("ki,ij,kj->k", rows, omega, rows), 0)
        value = float(weights @ q ** (1 + b))
        if value <= best + 1e-15 and step > 3:
            break
        best = max(best, value)
        values, vectors = np.linalg.eigh((rows.T * (weights * q**b)) @ rows)
        logs = np.log(np.maximum(values, 1e-300)) / b
        new = np.exp(np.maximum(logs - logs.max(), -80))
        new /= (new ** (1 + b)).sum() ** (1 / (1 + b))
        omega = (vectors * new) @ vectors.T
    return best


def weighed(plan: AccumulationPlan, law: Floats, angles: Floats) -> tuple[Floats, Floats]:
    """Rows and p(z) F(z, c) of a plan's factor, rounds that are not scored included."""
    rows, kinds = measured(angles)
    factors = np.exp2(np.asarray(plan.scores) * plan.b)
    weights = np.array([law[z] * factors[z, c] for z, c in kinds])
    idle = 1 - plan.settings.gamma
    if idle:
        rows = np.vstack([rows, rows[:4]])
        weights = np.append(weights, np.full(4, idle * 2 ** (plan.unscored * plan.b)))
    return rows, weights


def near_optimum(rng: np.random.Generator, i: int) -> Floats:
    if i % 3 == 0:
        return np.asarray(TSIRELSON + rng.normal(size=4) * 10.0 ** rng.uniform(-3, 0))
    angles = rng.uniform(-np.pi, np.pi, 4)
    return np.asarray(
        np.round(angles / np.pi) * np.pi + 0.01 * rng.normal(size=4) if i % 3 == 1 else angles
    )


@lru_cache
def short(method: Any, resolution: float = 0.02) -> AccumulationPlan:
    return accumulate(500, 0.85, method=method, epsilon=0.3, resolution=resolution)


RENYI: list[tuple[str, int, float, Settings]] = [
    ("renyi-one", 10**5, 0.825, Settings()),
    ("renyi-one", 10**6, 0.83, Settings(biased_coins(0.3), tau=0.01)),
    ("renyi", 10**5, 0.825, Settings()),
    ("renyi", 10**6, 0.83, Settings(gamma=0.2)),
    ("renyi", 10**5, 0.84, Settings(tau=0.01)),
]


@pytest.mark.slow
@pytest.mark.parametrize("case", range(len(RENYI)))
def test_no_device_exceeds_one_for_shipped_factors(case: int) -> None:
    method, n, win_rate, asked = RENYI[case]
    plan = accumulate(n, win_rate, method=method, settings=asked, resolution=0.05)  # type: ignore[arg-type]
    rng = np.random.default_rng(case)
    best = 0.0
    for ratio in asked.ratios:
        law = ratio * asked.scored

        def fall(angles: Floats, law: Floats = law) -> float:
            return -best_state(*weighed(plan, law, angles), plan.b)

        tries = [near_optimum(rng, i) for i in range(24)]
        first = min(tries, key=fall)
        options = {"maxiter": 100, "xatol": 1e-7, "fatol": 1e-14}
        best = max(best, -optimize.minimize(fall, first, method="Nelder-Mead", options=options).fun)
    assert best <= 1
    assert best > 1 - 0.2 * plan.b  # the search is a worthy opponent


@pytest.mark.parametrize("method", ["renyi-one", "renyi"])
def test_two_rounds_with_memory_and_entanglement_across_them(method: str) -> None:
    """Four qubits in any state; the second round's angles depend on all of the first."""
    plan = short(method)
    fair = np.full(4, 0.25)
    rng = np.random.default_rng(8)
    best = 0.0
    for i in range(40):
        first = near_optimum(rng, i)
        second = np.array([near_optimum(rng, int(rng.integers(3))) for _ in range(16)])
        rows, weights = weighed(plan, fair, first)
        after = [weighed(plan, fair, angles) for angles in second]
        joint = np.vstack(
            [np.kron(m, other) for m, (rest, _) in zip(rows, after, strict=True) for other in rest]
        )
        both = np.concatenate([w * rest for w, (_, rest) in zip(weights, after, strict=True)])
        best = max(best, best_state(joint, both, plan.b, 25))
    assert 1 - 0.7 * plan.b < best <= 1


def test_unsharp_measurements_and_larger_systems() -> None:
    """Pairs of qutrits, complex, with projections of any rank or noise: Q by its definition."""
    plan = short("renyi")
    factors, alpha = np.exp2(np.asarray(plan.scores) * plan.b), 1 + plan.b
    rng = np.random.default_rng(9)

    def effects(size: int) -> list[npt.NDArray[np.complex128]]:
        g = np.linalg.qr(rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size)))[0]
        part = g[:, : rng.integers(0, size + 1)]
        one = part @ part.conj().T
        if rng.random() < 0.3:
            share = rng.random()
            one = share * one + (1 - share) * rng.random() * np.eye(size)
        return [one, np.eye(size) - one]

    for _ in range(120):
        size = int(rng.integers(2, 4))
        g = rng.normal(size=(size**2, rng.choice([1, 2, size**2])))
        rho = g @ g.T + 1e-9 * np.eye(size**2)
        values, vectors = np.linalg.eigh(rho / np.trace(rho))
        half = (vectors * np.maximum(values, 0) ** (1 / (2 * alpha))) @ vectors.T
        alice, bob = [effects(size), effects(size)], [effects(size), effects(size)]
        total = 0.0
        for z, a, b in product(range(4), (0, 1), (0, 1)):
            m = half @ np.kron(alice[z >> 1][a], bob[z & 1][b]) @ half
            q = float((np.maximum(np.linalg.eigvalsh(m), 0) ** alpha).sum())
            total += 0.25 * factors[z, int(WON[z, a, b])] * q
        assert total <= 1


def test_alpha_two_is_the_pretty_good_guess() -> None:
    """At Tsirelson's bound nothing is known; below it Eve's pretty good guess is no better than allowed."""
    assert renyi_entropy_one(2 * math.sqrt(2), 2.0) == pytest.approx(1, abs=1e-6)
    for s in (2.2, 2.6):
        best = guessing_attack(s, outputs="A").p_guess
        assert best**2 <= 2 ** -float(renyi_entropy_one(s, 2.0)) <= best


# --- Probability estimation ------------------------------------------------------------------

DESIGNS: list[tuple[int, Any, Any, float]] = [
    (2000, 0.84, None, 0.0),
    (10**5, 0.83, None, 0.01),
    (10**5, [[0.86, 0.83], [0.83, 0.79]], None, 0.0),
    (10**5, 0.83, np.outer([0.8, 0.2], [0.7, 0.3]), 0.01),
]


@pytest.mark.slow
@pytest.mark.parametrize("case", range(len(DESIGNS)))
def test_no_behaviour_exceeds_one_for_shipped_designs(case: int) -> None:
    """Tilted points, degenerate and nearly degenerate measurements, all laws the coins may follow."""
    n, wins, law, tau = DESIGNS[case]
    pef = design_pef(None, n, 2**-20, win_rates=wins, settings=law, tau=tau)
    factors, rng = pef.factors(), np.random.default_rng(case)
    q = np.asarray(pef.settings)
    rows, columns = q.sum(axis=1), q.sum(axis=0)
    step = np.array([-tau, tau])
    ends = (1, 0, -1) if tau else (0,)
    laws = [np.outer(rows + i * step, columns + j * step) for i in ends for j in ends]
    points = rng.uniform(-np.pi, np.pi, (6000, 5))
    points[:, 0] = np.where(
        np.arange(6000) % 3 == 0, points[:, 0], rng.choice([0, np.pi / 2], 6000)
    )
    near = np.arange(6000) % 2 == 0
    points[near] = np.round(points[near] / (np.pi / 4)) * np.pi / 4
    points[near] += rng.normal(size=(3000, 5)) * 10.0 ** rng.uniform(-6, -1, (3000, 1))
    raised = powers([two_qubit_behaviour(v[0], v[1:3], v[3:]) for v in points], pef.beta)
    best = 0.0
    for asked in laws:
        values = np.sum(asked[:, :, None] * factors * raised, axis=(1, 2, 3))

        def fall(v: Floats, asked: Floats = asked) -> float:
            return -constraint(factors, pef.beta, asked, two_qubit_behaviour(v[0], v[1:3], v[3:]))

        for i in np.argsort(values)[-4:]:
            options = {"maxiter": 800, "xatol": 1e-8, "fatol": 1e-15}
            found = optimize.minimize(fall, points[i], method="Nelder-Mead", options=options)
            best = max(best, -float(found.fun))
    assert 1 - 1e-3 * pef.beta < best <= 1


def test_coins_of_a_round_that_follow_each_other_are_assumed_away() -> None:
    """A law that is not fair is proven for independent coins alone: it must say so."""
    q = np.outer([0.8, 0.2], [0.7, 0.3])
    pef = design_pef(None, 10**5, 2**-20, win_rates=0.83, settings=q, tau=0.01, tolerance=1e-3)
    assert any("independent of each other" in text and "0.01" in text for text in pef.assumptions)


# --- The theorems' constants, in the papers' own letters -------------------------------------


def test_constants_of_both_accumulation_theorems() -> None:
    rng = np.random.default_rng(10)
    for _ in range(50):
        b, spread, variance = (
            float(rng.uniform(1e-4, 0.3)),
            float(rng.uniform(1, 15)),
            float(rng.uniform(0, 40)),
        )
        e, p, d = 2.0 ** -rng.uniform(3, 20), 2.0 ** -rng.uniform(3, 20), 4
        v = math.log2(2 * d**2 + 1) + math.sqrt(2 + variance)
        alpha = 1 + b
        reach = math.log2(d) + spread
        k = (
            2 ** ((alpha - 1) * reach)
            * math.log(2**reach + math.e**2) ** 3
            / (6 * (2 - alpha) ** 3 * math.log(2))
        )
        rate, once = eat_loss(b, spread, variance, epsilon=e, epsilon_accept=p)
        assert rate == pytest.approx(
            (alpha - 1) * math.log(2) / 2 * v**2 + (alpha - 1) ** 2 * k, rel=1e-10
        )
        assert once == pytest.approx(math.log2(2 / (e**2 * p**2)) / (alpha - 1), rel=1e-10)
        alpha = (1 + 2 * b) / (1 + b)
        slope, reach = (alpha - 1) / (2 - alpha), 2 * math.log2(d) + spread
        k = 2 ** (slope * reach) * math.log(2**reach + math.e**2) ** 3 / (6 * math.log(2))
        k *= (2 - alpha) ** 3 / (3 - 2 * alpha) ** 3
        rate, once = geat_loss(b, spread, variance, epsilon=e, epsilon_accept=p)
        assert rate == pytest.approx(slope * math.log(2) / 2 * v**2 + slope**2 * k, rel=1e-9)
        g = -math.log2(e * e / (1 + math.sqrt(1 - e * e)))  # 1 - sqrt(1 - e^2)
        assert once == pytest.approx((g + alpha * math.log2(1 / p)) / (alpha - 1), rel=1e-6)


# --- From end to end: Eve's surprise at what came out, against what was certified -------------


def strategy(name: str, S: float) -> tuple[Floats, Floats]:
    """p(e, z, ab) of fair settings, and Eve's surprise at each."""
    if name == "mixed":  # Tsirelson's, or fixed answers
        local = np.zeros((4, 2, 2))
        local[:, 0, 0] = 1
        honest = guessing_attack(2 * math.sqrt(2) - 1e-9).behaviours[0]
        share = (S - 2) / (2 * math.sqrt(2) - 2)
        weights, p = np.array([share, 1 - share]), np.stack([honest, local])
    else:
        attack = guessing_attack(S, outputs=name)  # type: ignore[arg-type]
        weights, p = attack.weights, attack.behaviours
    with np.errstate(divide="ignore"):
        surprise = np.where(p > 0, -np.log2(p), 0.0)
    return weights[:, None, None, None] * p / 4, surprise


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "n"),
    [("pef", 1000), ("pef", 3000), ("renyi", 4000), ("geat", 30_000), ("eat", 30_000)],
)
def test_eve_is_surprised_by_what_was_certified(method: str, n: int) -> None:
    """10^4 runs of her best strategies at each S: too little surprise passes at most epsilon of the time."""
    plan = plan_certificate(method, n, wins=0.84, epsilon=EPSILON)
    rng = np.random.default_rng(n)
    design: Any = plan.design
    passes = np.array([_passes(design, w, n) for w in range(n + 1)])
    passed_somewhere = False
    for name, S in product(("AB", "A", "mixed"), (2.4, 2.6, 2.69, 2.73)):
        law, surprise = strategy(name, S)
        counts = rng.multinomial(n, law.ravel() / law.sum(), size=RUNS)
        wins = counts @ np.broadcast_to(WON, law.shape).ravel()

        accepted = passes[wins]
        short_of = accepted & (counts @ surprise.ravel() < plan.threshold_bits)
        assert float(short_of.mean()) <= LIMIT, (name, S)
        passed_somewhere |= bool(accepted.mean() > 0.05)
    assert passed_somewhere


def _passes(design: Any, wins: int, n: int) -> bool:
    if hasattr(design, "plan"):
        return bool(design.plan.entropy(wins, n).passed)
    return bool(design.entropy_of_wins(wins, n).accepted)
