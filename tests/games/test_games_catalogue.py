"""The games' published values, each found again by a second route."""

from itertools import product
from math import cos, pi, sin, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ebit.games import (
    ArgumentError,
    Game,
    bases_agree,
    chained_chsh,
    chsh,
    game,
    magic_square,
    mermin_ghz,
    stabilisers,
)

Matrix = npt.NDArray[np.complex128]
I2, X, Y, Z = (
    np.array(m, dtype=np.complex128)
    for m in ([[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]])
)
PHI_PLUS = np.array([1, 0, 0, 1]) / sqrt(2)


def kron(*factors: Matrix) -> Matrix:
    out = np.eye(1, dtype=np.complex128)
    for factor in factors:
        out = np.kron(out, factor)
    return out


def spin(angle: float) -> Matrix:
    """Measurement along a direction in the X-Z plane."""
    return cos(angle) * Z + sin(angle) * X


def ghz(n: int) -> npt.NDArray[np.float64]:
    state = np.zeros(1 << n)
    state[[0, -1]] = 1 / sqrt(2)
    return state


def projector(observable: Matrix, outcome: int) -> Matrix:
    """Outcome 0 is the eigenvalue +1."""
    return (np.eye(len(observable)) + (-1) ** outcome * observable) / 2


def behaviour(
    asked: Game, state: npt.NDArray[np.complex128], observables: list[list[Matrix]]
) -> npt.NDArray[np.float64]:
    """P(answers | question) of +-1 observables, one list per party, one entry per setting."""
    out = np.zeros((asked.n_questions, *asked.outcomes))
    for q, row in enumerate(asked.questions):
        for answer in product(*(range(k) for k in asked.outcomes)):
            parts = [
                projector(observables[i][s], a)
                for i, (s, a) in enumerate(zip(row, answer, strict=True))
            ]
            out[(q, *answer)] = np.real(state.conj() @ kron(*parts) @ state)
    return out


# Floors and quantum values: CHSH, PRL 23, 880 (1969) and Cirelson (1980), S <= sqrt 2 for
# separable states from quant-ph/0604145; one-sided floors from arXiv:2111.02800; Mermin, PRL 65,
# 1838 (1990), biseparable 2 sqrt 2 of 4 from PRL 89, 260401 (2002); magic square quant-ph/0206070.
TABLE = [
    (bases_agree("XZ"), "all", "separable", 3 / 4, 1.0),
    (bases_agree("XZ"), "one", "unsteerable", 0.853553, 1.0),
    (bases_agree("XYZ"), "all", "separable", 2 / 3, 1.0),
    (bases_agree("XYZ"), "one", "unsteerable", 0.788675, 1.0),
    (chsh(), "all", "separable", 0.676777, 0.853553),
    (chsh(), "none", "local", 3 / 4, 0.853553),
    (mermin_ghz(3), "none", "local", 3 / 4, 1.0),
    (mermin_ghz(3), "none", "biseparable", 0.853553, 1.0),
    (magic_square(), "none", "local", 8 / 9, 1.0),
]


@pytest.mark.parametrize(("asked", "trust", "against", "floor", "quantum"), TABLE)
def test_published_floors(
    asked: Game, trust: str, against: str, floor: float, quantum: float
) -> None:
    found = asked.floor(trust, against=against)
    assert (found.trust, found.against) == (trust, against)
    assert found.value == pytest.approx(floor, abs=5e-7)
    assert found.source
    assert asked.quantum_value == pytest.approx(quantum, abs=5e-7)
    assert asked.quantum_source


def test_chsh_bell_values() -> None:
    assert chsh().local_bell == 2
    assert chsh().quantum_bell == pytest.approx(2 * sqrt(2), abs=1e-12)
    assert chsh().signs.tolist() == [1, 1, 1, -1]
    assert chsh().questions.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_chsh_tsirelson_strategy_reaches_the_quantum_value() -> None:
    alice = [Z, X]
    bob = [(Z + X) / sqrt(2), (Z - X) / sqrt(2)]
    found = behaviour(chsh(), PHI_PLUS, [alice, bob])
    assert chsh().value(found) == pytest.approx((2 + sqrt(2)) / 4, abs=1e-12)
    assert chsh().bell_value(found) == pytest.approx(2 * sqrt(2), abs=1e-12)
    assert chsh().correlators(found) == pytest.approx(np.array([1, 1, 1, -1]) / sqrt(2), abs=1e-12)


def test_chsh_separable_floor_by_a_grid_of_product_states() -> None:
    """Orthogonal settings on a product state: S = a.M.b with unit vectors a and b in a plane."""
    angle = np.linspace(0, 2 * pi, 721)
    a = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    s = a @ np.array([[1, 1], [1, -1]]) @ a.T
    assert s.max() == pytest.approx(sqrt(2), abs=1e-4)
    assert chsh().floor("all").value == pytest.approx(1 / 2 + s.max() / 8, abs=1e-5)


@pytest.mark.parametrize("bases", ["XZ", "XYZ"])
@pytest.mark.parametrize(
    ("state", "vector"),
    [
        ("phi+", [1, 0, 0, 1]),
        ("phi-", [1, 0, 0, -1]),
        ("psi+", [0, 1, 1, 0]),
        ("psi-", [0, 1, -1, 0]),
    ],
)
def test_bell_states_agree_always(bases: str, state: str, vector: list[int]) -> None:
    asked = bases_agree(bases, state=state)
    pauli = [{"X": X, "Y": Y, "Z": Z}[letter] for letter in bases]
    found = behaviour(asked, np.array(vector) / sqrt(2), [pauli, pauli])
    assert asked.value(found) == pytest.approx(1, abs=1e-12)
    assert asked.quantum_value == 1
    assert asked.labels == (tuple(bases),) * 2


@pytest.mark.parametrize("bases", ["XZ", "XYZ"])
@pytest.mark.parametrize("state", ["phi+", "phi-", "psi+", "psi-"])
def test_bases_agree_floors_by_eigenvalues(bases: str, state: str) -> None:
    """Steering: the untrusted side announces fixed signs, the other holds the best qubit for them.

    Separable: the best product state is a pair of unit vectors with a signed inner product.
    """
    asked = bases_agree(bases, state=state)
    k = len(bases)
    pauli = [{"X": X, "Y": Y, "Z": Z}[letter] for letter in bases]
    steered = max(
        np.linalg.eigvalsh(sum(s * p for s, p in zip(signs, pauli, strict=True)))[-1]
        for signs in product((1, -1), repeat=k)
    )
    assert asked.floor("one").value == pytest.approx(1 / 2 + steered / (2 * k), abs=1e-12)
    separable = np.linalg.svd(np.diag(asked.signs.astype(float)))[1].max()
    assert asked.floor("all").value == pytest.approx(1 / 2 + separable / (2 * k), abs=1e-12)
    assert asked.floor("none").value == asked.local_value() == 1


@pytest.mark.parametrize("n", [3, 4, 5, 6])
def test_mermin_ghz(n: int) -> None:
    """Local bounds 2^(n/2) or 2^((n-1)/2) of 2^(n-1), PRL 65, 1838 (1990)."""
    asked = mermin_ghz(n)
    assert asked.n_questions == 1 << (n - 1)
    bound = 2 ** (n // 2) if n % 2 == 0 else 2 ** ((n - 1) // 2)
    assert asked.local_bell == pytest.approx(bound, abs=1e-12)
    assert asked.local_value() == pytest.approx(1 / 2 + bound / 2**n, abs=1e-12)
    found = behaviour(asked, ghz(n), [[X, Y]] * n) if n < 5 else None
    if found is not None:
        assert asked.value(found) == pytest.approx(1, abs=1e-12)
    for row, sign in zip(asked.questions, asked.signs, strict=True):
        operator = kron(*([X, Y][s] for s in row))
        assert np.real(ghz(n) @ operator @ ghz(n)) == pytest.approx(sign, abs=1e-12)


def _mermin_operator(observables: list[list[Matrix]]) -> Matrix:
    """Real part of prod (A + iA')."""
    asked = mermin_ghz(len(observables))
    return sum(
        sign * kron(*(observables[i][s] for i, s in enumerate(row)))
        for row, sign in zip(asked.questions, asked.signs, strict=True)
    )


def _best_product(operator: Matrix, cut: int, rng: np.random.Generator) -> float:
    """Largest mean of an operator on 3 qubits over states |a> at the cut times |bc>."""
    tensor = operator.reshape((2,) * 6)
    order = [cut, *(i for i in range(3) if i != cut)]
    tensor = tensor.transpose(*order, *(3 + i for i in order)).reshape(2, 4, 2, 4)
    pair = rng.normal(size=4) + 1j * rng.normal(size=4)
    pair /= np.linalg.norm(pair)
    value = -np.inf
    for _ in range(60):
        one = np.linalg.eigh(np.einsum("iajb,a,b->ij", tensor, pair.conj(), pair))[1][:, -1]
        values, vectors = np.linalg.eigh(np.einsum("iajb,i,j->ab", tensor, one.conj(), one))
        pair = vectors[:, -1]
        if values[-1] - value < 1e-12:
            break
        value = values[-1]
    return float(value)


def test_mermin_biseparable_floor_over_product_cuts() -> None:
    """No product cut of three qubits, measured along any real directions, beats 2 sqrt 2."""
    rng = np.random.default_rng(7)
    best = 0.0
    for _ in range(60):
        angles = rng.uniform(0, 2 * pi, (3, 2))
        angles[0, 1] = angles[0, 0] if rng.random() < 0.5 else angles[0, 1]
        observables = [[spin(t) for t in row] for row in angles]
        operator = _mermin_operator(observables)
        best = max(best, *(_best_product(operator, cut, rng) for cut in range(3)))
    bound = mermin_ghz(3).bell_of(mermin_ghz(3).floor("none", against="biseparable").value)
    assert bound == pytest.approx(2 * sqrt(2), abs=1e-12)
    assert best <= bound + 1e-9
    assert best > 2.5  # the search does come near


def test_mermin_biseparable_floor_is_reached() -> None:
    """Alice always answers 0; Bob and Charlie play CHSH at Tsirelson's bound."""
    best = [spin(0), spin(pi / 2)]
    other = [spin(3 * pi / 4), spin(pi / 4)]
    values = [
        np.linalg.eigvalsh(_mermin_operator([[I2, I2], best, [s * other[0], t * other[1]]]))[-1]
        for s in (1, -1)
        for t in (1, -1)
    ]
    assert max(values) == pytest.approx(2 * sqrt(2), abs=1e-12)


@pytest.mark.parametrize("n", [3, 4, 5, 6])
def test_mermin_biseparable_floor_is_above_local_for_every_n(n: int) -> None:
    asked = mermin_ghz(n)
    assert asked.floor("none").against == "local"
    assert asked.local_value() < asked.floor("none", against="biseparable").value < 1


@pytest.mark.parametrize("m", [2, 3, 4, 5, 6, 7])
def test_chained_chsh(m: int) -> None:
    """Braunstein and Caves (1990); quantum value of Wehner, PRA 73, 022110: cos^2(pi/4m)."""
    asked = chained_chsh(m)
    assert asked.n_questions == 2 * m
    assert asked.local_value() == pytest.approx(1 - 1 / (2 * m), abs=1e-12)
    assert asked.floor("none").value == pytest.approx(asked.local_value(), abs=1e-12)
    assert asked.quantum_value == pytest.approx(cos(pi / (4 * m)) ** 2, abs=1e-12)
    alice = [spin(pi * i / m) for i in range(m)]
    bob = [spin(pi * (i + 0.5) / m) for i in range(m)]
    found = behaviour(asked, PHI_PLUS, [alice, bob])
    assert asked.value(found) == pytest.approx(asked.quantum_value, abs=1e-12)


def test_chained_two_is_chsh() -> None:
    assert chained_chsh(2).quantum_value == pytest.approx(chsh().quantum_value, abs=1e-15)
    assert chained_chsh(2).signs.prod() == chsh().signs.prod() == -1


def test_magic_square_classical_and_two_bell_pairs() -> None:
    """The Peres-Mermin square, two signs moved so that every column has odd parity."""
    asked = magic_square()
    assert asked.local_value() == pytest.approx(8 / 9, abs=1e-12)
    square = [
        [-kron(X, I2), -kron(I2, X), kron(X, X)],
        [kron(I2, Z), kron(Z, I2), kron(Z, Z)],
        [kron(X, Z), kron(Z, X), kron(Y, Y)],
    ]
    for i in range(3):
        assert np.allclose(square[i][0] @ square[i][1] @ square[i][2], np.eye(4))
        assert np.allclose(square[0][i] @ square[1][i] @ square[2][i], -np.eye(4))
    # Two Bell pairs: sum_k |k>_A |k>_B / 2; Bob measures the transposed operators.
    state = np.eye(4).reshape(16) / 2
    found = np.zeros((9, 4, 4))
    for q, (x, y) in enumerate(asked.questions):
        for a, b in product(range(4), repeat=2):
            alice = projector(square[x][0], a >> 1) @ projector(square[x][1], a & 1)
            bob = projector(square[0][y], b >> 1) @ projector(square[1][y], b & 1)
            found[q, a, b] = np.real(state @ np.kron(alice, bob.T) @ state)
    assert found.sum(axis=(1, 2)) == pytest.approx(np.ones(9), abs=1e-12)
    assert asked.value(found) == pytest.approx(1, abs=1e-12)


def test_magic_square_answers_keep_their_parities() -> None:
    """A pair wins exactly when even rows and odd columns agree on the shared cell."""
    asked = magic_square()
    for q, (x, y) in enumerate(asked.questions):
        for a, b in product(range(4), repeat=2):
            row = [a >> 1, a & 1]
            row.append(sum(row) % 2)
            column = [b >> 1, b & 1]
            column.append((1 + sum(column)) % 2)
            assert asked.table()[q, a, b] == (row[y] == column[x])


@pytest.mark.parametrize(
    "name",
    [
        "chsh",
        "mermin-ghz-4",
        "magic-square",
        "bases-agree-xz",
        "bases-agree-xyz",
        "bases-agree-xz:psi-",
        "bases-agree-xyz:phi-",
        "chained-chsh-5",
        "ghz-stabilisers-3",
    ],
)
def test_games_by_name(name: str) -> None:
    assert game(name).name == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "CHSH ",
        "mermin-ghz-2",
        "mermin-ghz-99",
        "chained-chsh-1",
        "chained-chsh--3",
        "mermin-ghz-" + "9" * 5000,
        "mermin-ghz-٣",
        None,
        3,
    ],
)
def test_wrong_names_are_refused_in_one_line(name: Any) -> None:
    with pytest.raises(ArgumentError) as caught:
        game(name)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ArgumentError, match="bases must"):
        bases_agree("XY")
    with pytest.raises(ArgumentError, match="state must"):
        bases_agree("XZ", state="ghz")
    with pytest.raises(ArgumentError, match="n must"):
        mermin_ghz(2)
    with pytest.raises(ArgumentError, match="m must"):
        chained_chsh(1)
    with pytest.raises(ArgumentError, match="n must"):
        mermin_ghz(3.0)
    with pytest.raises(ArgumentError, match="n \\(with all stabilisers\\)"):
        stabilisers("ghz", 13)


def test_unknown_floor_lists_the_known_ones_once() -> None:
    with pytest.raises(ArgumentError) as caught:
        chsh().floor("one")
    assert str(caught.value).count("(none, local)") == 1
    assert "(all, separable)" in str(caught.value)
