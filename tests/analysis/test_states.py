"""Scores of states: exact on exact counts, intervals that cover, verdicts that err rarely.

Second route: density matrices by numpy, fidelity and pass rates as traces.
"""

from __future__ import annotations

import json
from functools import reduce
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest

from ebit.analysis.state_fidelity import asked_of
from ebit.analysis.state_targets import (
    Target,
    bell_target,
    ghz_target,
    graph_target,
    target,
    w_target,
)
from ebit.analysis.states import score_state
from ebit.circuits import (
    bell_vector,
    ghz_vector,
    graph_vector,
    w_fidelity,
    w_fidelity_weights,
    w_vector,
)
from ebit.games import ArgumentError, Trials, stabilisers

Matrix = npt.NDArray[np.complex128]
Floats = npt.NDArray[np.float64]

PAULI = np.array(
    [[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]], [[1, 0], [0, 1]]], dtype=complex
)
RING = ((0, 1), (1, 2), (2, 3), (0, 3))
LINE = ((0, 1), (1, 2), (2, 3))
TARGETS = [ghz_target(3), ghz_target(4), graph_target(LINE), graph_target(RING), w_target(3)]
TARGETS += [bell_target(name) for name in ("phi+", "phi-", "psi+", "psi-")]


def vector_of(aim: Target) -> Matrix:
    if aim.kind == "graph":
        return graph_vector(aim.edges, n=aim.n)
    if aim.kind == "bell":
        return bell_vector(aim.bell)
    return ghz_vector(aim.n) if aim.kind == "ghz" else w_vector(aim.n)


def projector(vector: npt.ArrayLike) -> Matrix:
    column = np.asarray(vector, dtype=complex)
    return np.outer(column, column.conj())


def word(letters: npt.ArrayLike) -> Matrix:
    """A Pauli string as a matrix; qubit 0 is the least significant bit."""
    return reduce(lambda done, k: np.kron(PAULI[k], done), np.asarray(letters), np.eye(1))


def answers(rho: Matrix, letters: npt.ArrayLike) -> Floats:
    """P(answer) of measuring each qubit in the basis of its letter, (2,) * n by party."""
    n = len(np.asarray(letters))
    table = np.empty((2,) * n)
    for outcome in product((0, 1), repeat=n):
        halves = [
            (np.eye(2) + (-1) ** bit * PAULI[2 if k == 3 else k]) / 2
            for bit, k in zip(outcome, np.asarray(letters), strict=True)
        ]
        table[outcome] = np.trace(rho @ reduce(lambda a, b: np.kron(b, a), halves, np.eye(1))).real
    return np.clip(table, 0, None)


def questions(aim: Target) -> tuple[npt.NDArray[np.uint8], tuple[int, ...]]:
    if aim.kind == "w":
        game = w_fidelity(aim.n).game
        return game.questions, game.settings
    if aim.kind == "bell":
        return np.array([(0, 0), (1, 1), (2, 2)], dtype=np.uint8), (3, 3)
    edges = "ghz" if aim.kind == "ghz" else aim.edges
    game = stabilisers(edges, aim.n, which=range(1, 2**aim.n))  # type: ignore[arg-type]
    return game.questions, game.settings


class Lab:
    """Draws counts of a state's tests, from tables that are computed once."""

    def __init__(self, aim: Target, rho: Matrix) -> None:
        self.aim, self.rho = aim, rho
        self.asked, self.settings = questions(aim)
        self.tables = [answers(rho, row) for row in self.asked]
        vector = vector_of(aim)
        self.fidelity = float((vector.conj() @ rho @ vector).real)

    def trials(self, shots: int, rng: np.random.Generator | None = None) -> Trials:
        counts = np.zeros((*self.settings, *(2,) * self.aim.n), dtype=np.int64)
        for row, table in zip(self.asked, self.tables, strict=True):
            share = table.ravel() / table.sum()
            drawn = np.rint(shots * share) if rng is None else rng.multinomial(shots, share)
            counts[tuple(row)] = drawn.reshape(table.shape)
        return Trials.from_counts(counts)


def noisy(aim: Target) -> list[Matrix]:
    """The state itself, depolarised, dephased, and turned a little out of place."""
    pure, size = projector(vector_of(aim)), 2**aim.n
    white = 0.83 * pure + 0.17 * np.eye(size) / size
    dephased = 0.6 * pure + 0.4 * np.diag(np.diag(pure))
    turn = np.array([[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]]) @ np.diag(
        [1, 1j**0.3]
    )
    local = np.kron(np.eye(size // 2), turn)
    return [pure, white, dephased, local @ pure @ local.conj().T]


@pytest.mark.parametrize("aim", TARGETS, ids=lambda aim: aim.name)
def test_fidelity_on_exact_counts(aim: Target) -> None:
    for rho in noisy(aim):
        lab = Lab(aim, rho)
        found = score_state(lab.trials(10**9), aim)
        assert found.fidelity == pytest.approx(lab.fidelity, abs=1e-7)
        assert min(lab.fidelity, 1.0) in found.interval
        assert found.interval.high - found.interval.low < 1e-3


def test_pass_rates_are_traces() -> None:
    lab = Lab(ghz_target(3), noisy(ghz_target(3))[3])
    rates = score_state(lab.trials(10**9), "ghz:3").rates
    assert len(rates) == 7
    for rate in rates:
        sign = 1 if rate.question[0] == "+" else -1
        mean = np.trace(lab.rho @ word(["XYZI".index(k) for k in rate.question[1:]])).real
        assert rate.rate == pytest.approx((1 + sign * mean) / 2, abs=1e-7)


@pytest.mark.parametrize(
    "aim", [t for t in TARGETS if t.kind != "w"] + [graph_target([(0, 2)])], ids=lambda a: a.name
)
def test_signs_are_expectations(aim: Target) -> None:
    vector = vector_of(aim)
    letters = np.array(list(product(range(4), repeat=aim.n)))
    means = np.array([(vector.conj() @ word(row) @ vector).real for row in letters])
    # A Bell state's strings with different letters have expectation 0, as those of a graph do.
    assert np.rint(means).astype(int).tolist() == aim.signs(letters).tolist()


def test_w_values_are_the_weights_of_the_circuits() -> None:
    n, rng = 3, np.random.default_rng(5)
    game = w_fidelity(n).game
    counts = np.zeros((3,) * n + (2,) * n, dtype=np.int64)
    for row in game.questions:
        counts[tuple(row)] = rng.integers(1, 50, (2,) * n)
    per_question = counts[tuple(game.questions.T)]
    shares = (
        per_question
        / per_question.reshape(len(game.questions), -1).sum(axis=1)[:, None, None, None]
    )
    wanted = float((w_fidelity_weights(n) * shares).sum())
    found = score_state(Trials.from_counts(counts), "w:3")
    assert found.fidelity == pytest.approx(wanted, abs=1e-12)
    won = game.table()
    rates = (shares * won).reshape(len(won), -1).sum(axis=1)
    assert [r.rate for r in found.rates] == pytest.approx(rates.tolist())


# Intervals and verdicts ------------------------------------------------------------------------


def misses(lab: Lab, shots: int, level: float, runs: int, seed: int) -> tuple[int, int]:
    rng = np.random.default_rng(seed)
    low = high = 0
    for _ in range(runs):
        interval = score_state(lab.trials(shots, rng), lab.aim, level=level).interval
        low += interval.low > lab.fidelity + 1e-12
        high += interval.high < lab.fidelity - 1e-12
    return low, high


def most(runs: int, rate: float) -> float:
    return runs * rate + 3 * (runs * rate * (1 - rate)) ** 0.5


@pytest.mark.slow
@pytest.mark.parametrize("shots", [20, 400])
@pytest.mark.parametrize(
    "aim", [ghz_target(3), graph_target(LINE), w_target(3), bell_target()], ids=lambda aim: aim.name
)
def test_intervals_cover(aim: Target, shots: int) -> None:
    for seed, rho in enumerate(noisy(aim)):
        low, high = misses(Lab(aim, rho), shots, 0.9, 150, seed)
        assert max(low, high) <= most(150, 0.05)


def boundary_states() -> list[tuple[Target, Matrix, str]]:
    """States at a threshold, and the claim that they must not get."""
    zero = np.zeros(8)
    zero[0] = 1
    half = np.kron([1, 0], w_vector(2))  # qubits 0 and 1 share a W state, qubit 2 is |0>
    mixed = (projector(np.kron([1, 1], ghz_vector(2)) / 2**0.5) + projector(zero)) / 2
    # The best state that is a product across the cut of the last qubit.
    left, _, right = np.linalg.svd(graph_vector(LINE).reshape(2, 8))
    line = np.kron(left[:, 0], right[0])
    local = np.array([(2 / 3) ** 0.5, (1 / 3) ** 0.5])
    best_product = reduce(np.kron, [local] * 3).astype(complex)
    return [
        (ghz_target(3), projector(zero), "entangled"),
        (ghz_target(3), mixed, "genuine"),
        (w_target(3), projector(half), "genuine"),
        (w_target(3), projector(best_product), "entangled"),
        (graph_target(LINE), projector(line), "genuine"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("case", range(5))
def test_false_verdicts_are_rare(case: int) -> None:
    aim, rho, claim = boundary_states()[case]
    lab = Lab(aim, rho)
    bound = next(b.value for b in aim.bounds() if b.claim == claim)
    assert lab.fidelity == pytest.approx(bound, abs=1e-9)
    rng, wrong = np.random.default_rng(case), 0
    for _ in range(300):
        found = score_state(lab.trials(60, rng), aim, level=0.9)
        wrong += next(t.shown for t in found.thresholds if t.claim == claim)
    assert wrong <= most(300, 0.05)


def test_product_states_are_never_called_entangled() -> None:
    rng = np.random.default_rng(3)
    for aim in (ghz_target(3), graph_target(LINE), w_target(3), bell_target("psi-")):
        for _ in range(4):
            local = rng.normal(size=(aim.n, 2)) + 1j * rng.normal(size=(aim.n, 2))
            local /= np.linalg.norm(local, axis=1, keepdims=True)
            lab = Lab(aim, projector(reduce(np.kron, local)))
            for _ in range(5):
                assert score_state(lab.trials(100, rng), aim).status == "not shown"


def test_p_value_and_interval_agree() -> None:
    """One-sided at the same level they are the same test."""
    for aim in (ghz_target(3), w_target(3)):
        rng = np.random.default_rng(2)
        pure = projector(vector_of(aim))
        for mix in (0.55, 0.62, 0.7):
            lab = Lab(aim, mix * pure + (1 - mix) * np.eye(2**aim.n) / 2**aim.n)
            found = score_state(lab.trials(80, rng), aim, level=0.98)
            for t in found.thresholds:
                assert t.shown == (t.p_value < 0.01)


# What it says and refuses ----------------------------------------------------------------------


def test_words_of_a_genuine_state() -> None:
    aim = ghz_target(3)
    found = score_state(Lab(aim, noisy(aim)[1]).trials(2000), aim, separation="simulated")
    assert found.verdict == "genuinely 3-party entangled"
    assert found.statement.startswith("genuinely 3-party entangled in simulation")
    assert found.concurrence_low is None
    assert found.circuits == (7, 7)
    assert any("trusted" in text for text in found.assumptions)
    assert any("Bell test" in text for text in found.not_given)
    assert "all 3 qubits" in str(found)
    assert "fidelity" in found._repr_html_()
    result = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert result["fidelity_interval"]["low"] == found.interval.low
    assert len(result["pass_rates"]) == 7
    assert found.to_frame().loc["fidelity", "value"] == found.fidelity
    assert "Toth" in found.cite()


def test_a_graph_in_parts_has_no_genuine_threshold() -> None:
    parts = graph_target([(0, 1), (2, 3)])
    assert [(b.claim, b.value) for b in parts.bounds()] == [("entangled", 0.25)]
    found = score_state(Lab(parts, projector(vector_of(parts))).trials(500), parts)
    assert (found.status, found.verdict) == ("entangled", "entangled")
    assert any("falls into parts" in text for text in found.not_given)


def test_bell_concurrence_is_a_lower_bound() -> None:
    """Against Wootters' formula, which for these states gives max(0, 2 F - 1) and more."""
    yy = np.kron(PAULI[1], PAULI[1])
    for rho in noisy(bell_target()):
        lab = Lab(bell_target(), rho)
        roots = np.sqrt(np.abs(np.linalg.eigvals(rho @ yy @ rho.conj() @ yy).real))
        concurrence = 2 * roots.max() - roots.sum()
        found = score_state(lab.trials(10**7), "bell:phi+")
        assert found.concurrence_low is not None
        assert found.concurrence_low <= concurrence + 1e-9
        assert found.concurrence_low >= 2 * lab.fidelity - 1 - 0.01


def test_identity_is_known_and_not_counted() -> None:
    lab = Lab(ghz_target(3), noisy(ghz_target(3))[1])
    without = lab.trials(1000)
    counts = without.counts.copy()
    counts[3, 3, 3] = 125  # answers to no question
    found, reference = (
        score_state(Trials.from_counts(counts), "ghz:3"),
        score_state(without, "ghz:3"),
    )
    assert (found.fidelity, found.interval) == (reference.fidelity, reference.interval)


@pytest.mark.parametrize("rate", [0.0, 0.88])
def test_rates_that_no_state_gives_are_a_fault(rate: float) -> None:
    """All pass but XXX: then F is 1 - (1 - rate)/4, and XXX passes less often than that."""
    lab = Lab(ghz_target(3), projector(ghz_vector(3)))
    counts = lab.trials(40_000).counts.copy()
    passing = counts[0, 0, 0]
    counts[0, 0, 0] = np.rint(rate * passing + (1 - rate) * passing[::-1])
    found = score_state(Trials.from_counts(counts), "ghz:3")
    assert (found.status, found.verdict) == ("fault", "not shown")
    assert "+XXX" in found.statement
    assert not any(t.shown for t in found.thresholds)


def test_honest_noise_is_no_fault() -> None:
    rng = np.random.default_rng(8)
    for aim in (ghz_target(3), graph_target(RING), bell_target()):
        for rho in noisy(aim):
            assert score_state(Lab(aim, rho).trials(300, rng), aim).status != "fault"


def test_a_sample_is_only_one_when_said() -> None:
    lab = Lab(ghz_target(4), projector(ghz_vector(4)))
    lab.asked, lab.tables = lab.asked[:9], lab.tables[:9]
    trials = lab.trials(500)
    with pytest.raises(ArgumentError, match="all 15 stabilisers of ghz:4, but ask 9"):
        score_state(trials, "ghz:4")
    found = score_state(trials, "ghz:4", sampled=True)
    assert found.circuits == (9, 15)
    assert found.interval.low < found.fidelity == 1
    assert any("drawn uniformly" in text for text in found.assumptions)


def test_ordered_rounds_equal_counts() -> None:
    aim = ghz_target(3)
    counts = Lab(aim, noisy(aim)[1]).trials(40)
    cells = np.repeat(np.arange(counts.counts.size), counts.counts.ravel())
    ordered = Trials.from_cells(
        cells.astype(np.uint16), settings=counts.settings, outcomes=counts.outcomes
    )
    assert score_state(ordered, aim).to_dict() == score_state(counts, aim).to_dict()
    assert int(asked_of(ordered, aim).times.sum()) == counts.n


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ghz", "state must be ghz:N"),
        ("ghz:1", "2 to 20 qubits"),
        ("ghz:x", "state must be ghz:N"),
        ("w:13", "2 to 12 qubits"),
        ("bell:foo", "phi\\+, phi-"),
        ("graph:", "state must be"),
        ("graph:1-1", "different vertices"),
        ("graph:0-40", "2 to 20 qubits"),
        ("cat:3", "state must be"),
    ],
)
def test_names_that_are_refused(name: str, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        target(name)


@pytest.mark.parametrize("edges", [[], [(0,)], ["01"], [(0, 1.5)], [(-1, 2)], [(True, 2)]])
def test_edges_that_are_refused(edges: list[tuple[int, ...]]) -> None:
    with pytest.raises(ArgumentError, match="graph must have"):
        graph_target(edges)


def test_rounds_that_do_not_fit() -> None:
    ghz = Lab(ghz_target(3), projector(ghz_vector(3))).trials(10)
    with pytest.raises(ArgumentError, match="4 qubits, but the rounds have 3"):
        score_state(ghz, "ghz:4")
    with pytest.raises(ArgumentError, match="must ask stabilisers of graph"):
        score_state(ghz, "graph:0-1,1-2")
    with pytest.raises(ArgumentError, match="measure Z on all"):
        score_state(ghz, "w:3")
    w = Lab(w_target(3), projector(w_vector(3)))
    w.asked, w.tables = w.asked[:-1], w.tables[:-1]
    with pytest.raises(ArgumentError, match="never ask ZYY"):
        score_state(w.trials(10), "w:3")
    wide = Trials.from_counts(np.ones((5, 5, 2, 2), dtype=int))
    with pytest.raises(ArgumentError, match="two outcomes"):
        score_state(wide, "bell:phi+")
    identity = np.zeros((4, 4, 2, 2), dtype=int)
    identity[3, 3] = 5
    with pytest.raises(ArgumentError, match="identity alone"):
        score_state(Trials.from_counts(identity), "ghz:2")
    with pytest.raises(ArgumentError, match="level"):
        score_state(ghz, "ghz:3", level=1.0)
    with pytest.raises(ArgumentError, match="no stabilisers"):
        w_target(3).signs(np.array([[2, 2, 2]]))
