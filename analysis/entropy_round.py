"""Entropy of one round's outcomes at a given S: closed forms, slopes, and a proven table.

All functions take CHSH's S in the convention of `ebit.games.chsh`, as a number or as an array, and
use ``|S|``: relabelling outcomes turns the sign round. They bound the entropy of a round that is
described exactly by S. What follows from n measured rounds is another question: put a lower
confidence limit of S here for a planning figure, never the estimate as a certificate.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ebit.games import ArgumentError

__all__ = [
    "TOLERANCE",
    "TSIRELSON",
    "checked_size",
    "guessing_both",
    "guessing_no_signalling",
    "guessing_one",
    "min_entropy_both",
    "min_entropy_one",
    "min_entropy_one_slope",
    "no_signalling_min_entropy",
    "von_neumann_entropy_one",
    "von_neumann_entropy_one_slope",
    "von_neumann_entropy_one_wins",
]

Array = npt.NDArray[np.float64]
_Like = TypeVar("_Like", float, Array)

TSIRELSON = 2 * math.sqrt(2)
TOLERANCE = 1e-9


def checked_size(s: float | Array, tolerance: float, most: float = TSIRELSON) -> Array:
    """Return ``|S|`` as an array, cut to the largest possible where it is hardly above.

    Args:
        s: CHSH values.
        tolerance: by how much they may be above, in [0, 1).
        most: the largest possible.

    Raises:
        ArgumentError: a value is larger than that, or not a number.

    Example:
        >>> float(checked_size(-2.6, 0.0))
        2.6
    """
    if not 0 <= tolerance < 1:
        raise ArgumentError(f"Argument `tolerance` must be in [0, 1), but was {tolerance!r}.")
    size = np.abs(np.asarray(s, dtype=np.float64))
    if not np.all(size <= most + tolerance):
        worst = float(size.reshape(-1)[np.argmax(np.where(np.isnan(size), np.inf, size))])
        law = "quantum mechanics" if most < 4 else "probability"
        raise ArgumentError(
            f"Argument `S` must be at most {most:.6f} in size, the most that {law} allows, but was "
            f"{worst:.6f}: a fault of the data, or chance; use a lower confidence limit of S, or "
            f"raise `tolerance` (now {tolerance:g}) by its standard error."
        )
    return np.minimum(size, most)


def _alike(s: _Like, result: Array) -> _Like:
    """A float for a number, an array for an array."""
    return result if isinstance(s, np.ndarray) else float(result)


def _root(size: Array) -> Array:
    """Sqrt(2 - S^2/4), without cancellation at 2 sqrt 2; 1 at and below S = 2."""
    inside = np.maximum(size, 2.0)
    return np.asarray(np.sqrt(np.maximum(TSIRELSON - inside, 0) * (TSIRELSON + inside)) / 2)


def guessing_one(S: _Like, *, tolerance: float = TOLERANCE) -> _Like:
    r"""Return the largest chance to guess one output, with quantum side information.

    .. math:: p = \tfrac12 + \tfrac12 \sqrt{2 - S^2/4}

    and 1 at ``|S| <= 2``. It is reached by partly entangled qubits, so nothing better can be said
    from S alone.

    Args:
        S: CHSH value.
        tolerance: values of up to 2 sqrt 2 + tolerance are taken as 2 sqrt 2.

    Raises:
        ArgumentError: S is larger than that, or not a number.

    Example:
        >>> round(guessing_one(2.6), 6)
        0.778388

    Source:
        Pironio et al., Nature 464, 1021 (2010); Masanes, Pironio, Acin, Nat. Commun. 2, 238
        (2011).
    """
    return _alike(S, 0.5 + 0.5 * _root(checked_size(S, tolerance)))


def min_entropy_one(S: _Like, *, tolerance: float = TOLERANCE) -> _Like:
    r"""Return the min-entropy of one output in bits, against quantum side information.

    .. math:: H_{min}(A|E) = 1 - \log_2(1 + \sqrt{2 - S^2/4})

    and 0 at ``|S| <= 2``. The same for each party and each setting.

    Args:
        S: CHSH value.
        tolerance: values of up to 2 sqrt 2 + tolerance are taken as 2 sqrt 2.

    Raises:
        ArgumentError: S is larger than that, or not a number.

    Example:
        >>> round(min_entropy_one(2.6), 6), min_entropy_one(1.9)
        (0.361438, 0.0)

    Source:
        Pironio et al., Nature 464, 1021 (2010).
    """
    return _alike(S, 1 - np.log1p(_root(checked_size(S, tolerance))) / math.log(2))


def min_entropy_one_slope(S: _Like, *, tolerance: float = TOLERANCE) -> _Like:
    r"""Return the derivative of `min_entropy_one` in bits per unit of S.

    With q = sqrt(2 - S^2/4) it is S / (4 q (1 + q) ln 2); 0 at ``|S| < 2``, the derivative from
    above at 2, infinite at 2 sqrt 2.

    Args:
        S: CHSH value.
        tolerance: values of up to 2 sqrt 2 + tolerance are taken as 2 sqrt 2.

    Raises:
        ArgumentError: S is larger than that, or not a number.

    Example:
        >>> round(min_entropy_one_slope(2.6), 6)
        1.081884

    Source:
        The derivative of Pironio et al., Nature 464, 1021 (2010).
    """
    size = checked_size(S, tolerance)
    root = _root(size)
    with np.errstate(divide="ignore"):
        slope = size / (4 * root * (1 + root) * math.log(2))
    return _alike(S, np.where(size < 2, 0.0, slope) * np.sign(np.asarray(S)))


def von_neumann_entropy_one(S: _Like, *, tolerance: float = TOLERANCE) -> _Like:
    r"""Return the von Neumann entropy of one output in bits, against quantum side information.

    .. math:: H(A|E) = 1 - h\left(\tfrac12 + \tfrac12 \sqrt{S^2/4 - 1}\right)

    and 0 at ``|S| <= 2``, with h the binary entropy. This is the rate per round that entropy
    accumulation approaches.

    Args:
        S: CHSH value.
        tolerance: values of up to 2 sqrt 2 + tolerance are taken as 2 sqrt 2.

    Raises:
        ArgumentError: S is larger than that, or not a number.

    Example:
        >>> round(von_neumann_entropy_one(2.6), 6)
        0.58158

    Source:
        Acin et al., PRL 98, 230501 (2007), the bound on the Holevo quantity; as a rate for
        randomness, Arnon-Friedman et al., Nat. Commun. 9, 459 (2018).
    """
    return _alike(S, _von_neumann(checked_size(S, tolerance)))


def _bias(size: Array) -> Array:
    """Sqrt(S^2/4 - 1), without cancellation at 2; 0 below."""
    inside = np.maximum(size, 2.0)
    return np.asarray(np.minimum(np.sqrt((inside - 2) * (inside + 2)) / 2, 1.0))


def _von_neumann(size: Array) -> Array:
    r = _bias(size)
    # 1 - h((1 + r)/2) = ((1+r) log2(1+r) + (1-r) log2(1-r)) / 2; the last term is 0 at r = 1.
    with np.errstate(divide="ignore", invalid="ignore"):
        far = np.where(r < 1, (1 - r) * np.log1p(-r), 0.0)
    return np.asarray(((1 + r) * np.log1p(r) + far) / (2 * math.log(2)))


def von_neumann_entropy_one_wins(win_rate: _Like, *, tolerance: float = TOLERANCE) -> _Like:
    r"""Return `von_neumann_entropy_one` at a CHSH win rate w for uniform settings, S = 8w - 4.

    .. math:: H(A|E) = 1 - h\left(\tfrac12 + \tfrac12 \sqrt{16 w (w-1) + 3}\right)

    Args:
        win_rate: w; at most 1/4 (wins and losses the other way round) or at least 3/4 for a result
            above 0.
        tolerance: S of up to 2 sqrt 2 + tolerance is taken as 2 sqrt 2.

    Raises:
        ArgumentError: w lies outside what quantum mechanics allows, or is not a number.

    Example:
        >>> round(von_neumann_entropy_one_wins(0.825), 6)  # S = 2.6
        0.58158

    Source:
        Arnon-Friedman et al., Nat. Commun. 9, 459 (2018).
    """
    s = 8 * np.asarray(win_rate, dtype=np.float64) - 4
    return _alike(win_rate, _von_neumann(checked_size(s, tolerance)))


def von_neumann_entropy_one_slope(S: _Like, *, tolerance: float = TOLERANCE) -> _Like:
    r"""Return the derivative of `von_neumann_entropy_one` in bits per unit of S.

    With r = sqrt(S^2/4 - 1) it is S artanh(r) / (4 r ln 2): 0 at ``|S| < 2``, the derivative from
    above at 2, infinite at 2 sqrt 2. Against the win rate it is 8 times that. The curve is convex
    in S, so each tangent lies below it.

    Args:
        S: CHSH value.
        tolerance: values of up to 2 sqrt 2 + tolerance are taken as 2 sqrt 2.

    Raises:
        ArgumentError: S is larger than that, or not a number.

    Example:
        >>> round(von_neumann_entropy_one_slope(2.6), 6)
        1.343719

    Source:
        The derivative of Acin et al., PRL 98, 230501 (2007).
    """
    size = checked_size(S, tolerance)
    r = _bias(size)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(r > 1e-8, np.arctanh(r) / r, 1.0)
    slope = size * ratio / (4 * math.log(2))
    return _alike(S, np.where(size < 2, 0.0, slope) * np.sign(np.asarray(S)))


def guessing_no_signalling(
    S: _Like, *, most: float = TSIRELSON, tolerance: float = TOLERANCE
) -> _Like:
    r"""Return the largest chance to guess, for an adversary bound by no-signalling alone.

    .. math:: p = \tfrac32 - \tfrac{S}{4}

    and 1 at ``|S| <= 2``, for one output and for both alike. Behaviours of value S are mixtures of
    deterministic ones (2 at most, guessed with certainty) and boxes of value 4 that leave one fair
    bit, which both outputs share.

    Args:
        S: CHSH value.
        most: the largest S that is not called a fault: 2 sqrt 2 for devices, which obey quantum
            mechanics; 4 for boxes that need not.
        tolerance: values of up to most + tolerance are taken as most.

    Raises:
        ArgumentError: S is larger than that, or not a number.

    Example:
        >>> round(guessing_no_signalling(2.6), 6), guessing_no_signalling(4.0, most=4)
        (0.85, 0.5)

    Source:
        Pironio et al., Nature 464, 1021 (2010), for one output; both outputs by the vertices in Barrett et al., PRA 71, 022101 (2005).
    """
    size = checked_size(S, tolerance, most)
    return _alike(S, np.minimum(1.0, 1.5 - size / 4))


def no_signalling_min_entropy(
    S: _Like, *, most: float = TSIRELSON, tolerance: float = TOLERANCE
) -> _Like:
    r"""Return the min-entropy in bits against an adversary bound by no-signalling alone.

    .. math:: H_{min} = -\log_2(3/2 - S/4)

    and 0 at ``|S| <= 2``, for one output and for both alike.

    Args:
        S: CHSH value.
        most: the largest S that is not called a fault, see `guessing_no_signalling`.
        tolerance: values of up to most + tolerance are taken as most.

    Raises:
        ArgumentError: S is larger than that, or not a number.

    Example:
        >>> round(no_signalling_min_entropy(2.6), 6)
        0.234465

    Source:
        As `guessing_no_signalling`.
    """
    size = checked_size(S, tolerance, most)
    return _alike(S, 0.0 - np.log2(np.minimum(1.0, 1.5 - size / 4)))


@cache
def _lines() -> tuple[Array, Array]:
    """Constants and slopes of the table, in floats that are not below the proven ones."""
    from ebit.analysis.entropy_lines import UNIT
    from ebit.analysis.entropy_table import LINES

    # 2e-15 of either covers the rounding of both divisions, the product and the sum.
    a = np.array([line.a / UNIT for line in LINES])
    b = np.array([line.b / UNIT for line in LINES])
    return a + 2e-15 * (np.abs(a) + 3 * np.abs(b)), b


def guessing_both(S: _Like, *, tolerance: float = TOLERANCE) -> _Like:
    r"""Return a proven bound on the chance to guess both outputs, with quantum side information.

    The smallest of a table of lines a_i + b_i S, each of which lies above the guessing probability
    at every S, so that nothing is interpolated. The proof of each line stands in the table (see
    `ebit.analysis.entropy_lines`) and needs no solver to be checked. The lines follow level
    1+AB of the NPA hierarchy within 0.001 bits.

    Args:
        S: CHSH value.
        tolerance: values of up to 2 sqrt 2 + tolerance are taken as 2 sqrt 2.

    Raises:
        ArgumentError: S is larger than that, or not a number.

    Example:
        >>> round(guessing_both(2.6), 2)
        0.73

    Source:
        As `min_entropy_both`.
    """
    size = checked_size(S, tolerance)
    a, b = _lines()
    return _alike(S, np.minimum(1.0, (a + b * size[..., None]).min(axis=-1)))


def min_entropy_both(S: _Like, *, tolerance: float = TOLERANCE) -> _Like:
    r"""Return a proven min-entropy of both outputs in bits, against quantum side information.

    .. math:: H_{min}(AB|E) \ge -\log_2 \min_i (a_i + b_i S)

    at any one pair of settings that is known to the adversary; 0 at ``|S| <= 2``. At most 0.001 bits
    below what a solver finds at level 1+AB of the NPA hierarchy, `ebit.analysis.guessing`.

    Args:
        S: CHSH value.
        tolerance: values of up to 2 sqrt 2 + tolerance are taken as 2 sqrt 2.

    Raises:
        ArgumentError: S is larger than that, or not a number.

    Example:
        >>> round(min_entropy_both(2.6), 2), round(min_entropy_both(2.828427), 2)
        (0.45, 1.23)

    Source:
        Pironio et al., Nature 464, 1021 (2010), the semidefinite program;
        Navascues, Pironio, Acin, New J. Phys. 10, 073013 (2008).
    """
    return _alike(S, 0.0 - np.log2(np.asarray(guessing_both(S, tolerance=tolerance))))
