"""Make `analysis/entropy_table.py`: lines that bound what Eve knows of both outputs.

Lines are placed one after another, each as steep as it may be while the corner it makes with the
last one stays within `LOSS` bits of the solver's curve, until the line at hand is that close at
S = 2 sqrt 2. A solver proposes the squares; they are rounded to whole numbers, and the constant is
then raised until the proof holds exactly.

The lines below the von Neumann entropy are placed in the same way, from the proven constants of
`ebit.analysis.entropy_neumann`. Takes a few minutes:

    python tools/entropy_table.py
"""

import math
import warnings
from pathlib import Path

import cvxpy as cp
import numpy as np
from scipy import optimize

from ebit.analysis.entropy_lines import BLOCKS, UNIT, CertifiedLine
from ebit.analysis.entropy_neumann import neumann_both_constant
from ebit.analysis.npa import BASIS, CHSH, MONOMIALS, best_functional, bet_projectors, monomial

LOSS = 6e-4
NEUMANN_LOSS = 1.5e-3
NEUMANN_GAP = 1e-5
TSIRELSON = 2 * math.sqrt(2)
BETS = bet_projectors("AB", (0, 0))
GIVEN = np.vstack([np.eye(9)[0], CHSH])
TARGET = Path(__file__).resolve().parents[1] / "analysis" / "entropy_table.py"


def curve(s: float) -> float:
    """Guessing probability by the solver."""
    if s > TSIRELSON - 1e-9:
        return math.cos(math.pi / 8) ** 2 / 2
    moments = GIVEN[0] + CHSH * s / 4
    return best_functional(moments, BETS, given=GIVEN).value(moments)


def gram(block: int) -> np.ndarray:
    """(17, k*k): what the entries of a block's matrix add to each monomial."""
    terms = np.array(BLOCKS[block], dtype=float)
    index = [[MONOMIALS.index(monomial(u, v)) for v in BASIS] for u in BASIS]
    out = np.zeros((len(MONOMIALS), len(terms) ** 2))
    for i in range(9):
        for j in range(9):
            out[index[i][j]] += np.outer(terms[:, i], terms[:, j]).reshape(-1)
    return out


def factor(matrix: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """Whole coefficients of polynomials whose squares add up to the matrix, to rounding."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    kept = [
        math.sqrt(value) * vector
        for value, vector in zip(values, vectors.T, strict=True)
        if value > 1e-8 * max(1.0, values[-1])
    ]
    if not kept:
        return ()
    # A triangular factor has zeros to spare, so that fewer numbers need be kept.
    upper = np.linalg.qr(np.array(kept), mode="r")
    return tuple(tuple(int(c) for c in row) for row in np.rint(upper * UNIT))


def line(b: int) -> CertifiedLine:
    """Return the line of slope b / UNIT with the smallest constant that can be proven."""
    slope = b / UNIT
    scale = 1 + abs(slope)
    factors = []
    constant = 0.0
    for bet, blocks in ((0, (0, 1)), (1, (2, 3))):
        a = cp.Variable()
        matrices = [cp.Variable((len(BLOCKS[k]),) * 2, PSD=True) for k in blocks]
        sums = sum(gram(k) @ cp.vec(m, order="C") for k, m in zip(blocks, matrices, strict=True))
        wanted = np.zeros(len(MONOMIALS))
        wanted[:9] = slope * CHSH - BETS[bet]
        unit = np.eye(len(MONOMIALS))[0]
        if bet:
            # Here the constant is given and there is room: stay away from the boundary.
            room = cp.Variable()
            rules = [scale * sums == wanted + constant * unit]
            rules += [m >> room * np.eye(m.shape[0]) for m in matrices]
            problem = cp.Problem(cp.Maximize(room), rules)
        else:
            problem = cp.Problem(cp.Minimize(a), [scale * sums == wanted + scale * a * unit])
        problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
        if not bet:
            constant = scale * float(a.value)
        factors += [factor(scale * m.value) for m in matrices]
    rough = CertifiedLine(math.ceil(constant * UNIT), b, *factors)
    missing = max(0, math.ceil(-rough.margin() * UNIT))
    done = CertifiedLine(rough.a + missing, b, *factors)
    print(
        f"b = {slope:.6f}: a = {done.a / UNIT:.8f}, rounding cost {missing / UNIT:.1e}", flush=True
    )
    return done


def loss(s: float, value: float) -> float:
    """How many bits the value is short of the solver's."""
    return math.log2(value / curve(s))


def corner(first: CertifiedLine, second: CertifiedLine) -> float:
    """Where two lines meet."""
    return (second.a - first.a) / (first.b - second.b)


def generate() -> list[CertifiedLine]:
    """Place the lines."""
    lines = [line(-UNIT // 4)]
    while True:
        last = lines[-1]
        if loss(TSIRELSON, (last.a + last.b * TSIRELSON) / UNIT) < LOSS:
            return lines
        low, high = 1.0001, 3.0
        for _ in range(9):
            ratio = math.sqrt(low * high)
            trial = line(int(last.b * ratio))
            s = corner(last, trial)
            good = s < TSIRELSON and loss(s, (last.a + last.b * s) / UNIT) < LOSS
            low, high = (ratio, high) if good else (low, ratio)
        lines.append(line(int(last.b * low)))
        print(len(lines), corner(last, lines[-1]), flush=True)


def constant(t: float) -> float:
    """Proven constant at slope t, rounded down to what is stored."""
    return math.floor(neumann_both_constant(t, gap=NEUMANN_GAP) * 1e7) / 1e7


def neumann_curve(s: float, low: float, high: float) -> float:
    """Von Neumann entropy at s, which lies between tangents of these slopes."""
    found = optimize.minimize_scalar(
        lambda t: -(neumann_both_constant(t, gap=1e-6) + t * s),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-3 * low},
    )
    return -float(found.fun)


def generate_neumann() -> list[tuple[float, float]]:
    """Place the lines below the von Neumann entropy."""
    lines = [(constant(0.75), 0.75)]
    end = 2 * (1 - math.sqrt(0.5)) / 4, 2 * (1 + math.sqrt(0.5)) / 4
    most = -sum(p * math.log2(p / 2) for p in end)
    while True:
        c, t = lines[-1]
        if most - (c + t * TSIRELSON) < NEUMANN_LOSS:
            return lines
        low, high = 1.01, 4.0
        for _ in range(7):
            ratio = math.sqrt(low * high)
            trial = constant(t * ratio)
            s = (c - trial) / (t * ratio - t)
            good = s < TSIRELSON and neumann_curve(s, t, t * ratio) - (c + t * s) < NEUMANN_LOSS
            low, high = (ratio, high) if good else (low, ratio)
        t = round(t * low, 6)
        lines.append((constant(t), t))
        print(lines[-1], flush=True)


def _rows(polynomials: tuple[tuple[int, ...], ...]) -> str:
    """One polynomial a line."""
    return "(" + "\n         ".join(f"{polynomial}," for polynomial in polynomials) + ")"


def write(lines: list[CertifiedLine], neumann: list[tuple[float, float]]) -> None:
    """Write the module."""
    body = "\n".join(
        f"    CertifiedLine({line.a}, {line.b},\n        {_rows(line.even)},\n        {line.odd},\n"
        f"        {line.even_01},\n        {line.odd_01}),"
        for line in lines
    )
    TARGET.write_text(
        '"""Lines that bound what Eve knows of both outputs: made by tools/entropy_table.py."""\n\n'
        "from ebit.analysis.entropy_lines import CertifiedLine\n\n"
        '__all__ = ["LINES", "NEUMANN_LINES"]\n\n'
        "# fmt: off\n# Above the guessing probability, with proofs.\nLINES: tuple[CertifiedLine, ...] = (\n"
        + body
        + "\n)\n"
        "# (constant, slope): H(AB|E) >= constant + slope S; `neumann_both_constant` proves each.\n"
        "NEUMANN_LINES: tuple[tuple[float, float], ...] = (\n"
        + "".join(f"    {line},\n" for line in neumann)
        + ")\n# fmt: on\n"
    )


if __name__ == "__main__":
    # The solver stops short of tolerances this fine; the proof pays for what is missing.
    warnings.filterwarnings("ignore", message="Solution may be inaccurate")
    write(generate(), generate_neumann())
