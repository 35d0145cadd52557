"""Belief propagation on a syndrome: the error pattern that a syndrome and prior error rates point to.

What is decoded is the pattern of errors e with H e = s, where s is the sum of the two syndromes. It
depends on nothing but s and the priors, so whatever the decoder says, it says about the errors only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from ebit.analysis.ldpc_code import Bits, Code, syndrome_of
from ebit.analysis.ldpc_float import log_ratio, tanh_half
from ebit.games import ArgumentError

__all__ = ["Decoded", "Decoder"]

Floats = npt.NDArray[np.float32]
_CHUNK = 256  # checks at once; their messages stay in the near caches of the processor
_CERTAIN = 1e4  # log odds that the messages of 40 checks, 17 at most each, cannot turn
_ZERO, _ONE = np.float32(0), np.float32(1)


@dataclass(frozen=True, eq=False)
class Decoded:
    """What came of decoding.

    Attributes:
        errors: uint8, the pattern found; its syndrome is the one given if and only if `found`.
        found: whether it is.
        iterations: sweeps over all checks.
        beliefs: float32, log odds against an error at each bit, as far as they came.
    """

    errors: Bits
    found: bool
    iterations: int
    beliefs: Floats


class Decoder:
    """Sum-product decoding of one code, block row by block row, with messages that can be kept.

    Row by row, each check takes the newest beliefs of its bits (the layered schedule, which needs
    about half the sweeps of the flooding one). Deterministic on one machine; on another the last digit
    of a belief may differ, and with it, rarely, whether a pattern is found, never whether it is right
    for the syndrome.

    Args:
        code: the code; a decoder holds 4 bytes for every edge.

    Example:
        >>> from ebit.analysis.ldpc_code import make_code
        >>> code = make_code(40, 20, 25)
        >>> errors = (np.random.default_rng(1).random(1000) < 0.05).astype(np.uint8)
        >>> got = Decoder(code).decode(syndrome_of(code, errors), np.full(1000, 0.05))
        >>> got.found, bool(np.array_equal(got.errors, errors))
        (True, True)

    Source:
        Gallager, Low-Density Parity-Check Codes (1963), eq. 4.13, with the sign of a check turned by its
        syndrome bit; Hocevar, IEEE Workshop on Signal Processing Systems (2004), for the schedule.
    """

    def __init__(self, code: Code) -> None:
        self.code = code
        widest = int(np.diff(code.first).max())
        self._messages = np.zeros(code.column.size * code.lift, np.float32)
        self._work = np.zeros((3, widest, _CHUNK), np.float32)

    def decode(
        self,
        syndrome: Bits,
        priors: npt.NDArray[np.floating],
        *,
        most: int = 200,
        resume: Decoded | None = None,
    ) -> Decoded:
        """Look for the pattern of errors.

        Args:
            syndrome: uint8 (code.checks,), that of the errors.
            priors: (code.bits,), chance of an error at each bit, 0 to 1; 0 and 1 are certain.
            most: sweeps at most.
            resume: what the last call with this syndrome gave: the messages so far are kept and the
                beliefs of bits that have become certain since are put right.

        Returns:
            The pattern; `found` is True only if its syndrome was compared bit by bit, and the certain bits.

        Raises:
            ArgumentError: shapes or values out of range.
        """
        code = self.code
        if syndrome.shape != (code.checks,) or priors.shape != (code.bits,):
            raise ArgumentError(
                f"Arguments `syndrome` and `priors` must have shapes ({code.checks},) and "
                f"({code.bits},), but had {syndrome.shape} and {priors.shape}."
            )
        if not (np.all(priors >= 0) and np.all(priors <= 1)):
            raise ArgumentError("Argument `priors` must lie between 0 and 1; some do not.")
        with np.errstate(divide="ignore"):
            odds = np.log1p(-priors.astype(np.float64)) - np.log(priors.astype(np.float64))
        certain = (priors == 0) | (priors == 1)
        fresh = np.clip(odds, -_CERTAIN, _CERTAIN).astype(np.float32)
        if resume is None:
            self._messages[:] = 0
            beliefs = fresh
        else:
            beliefs = np.where(certain, fresh, resume.beliefs)
        beliefs = np.ascontiguousarray(beliefs)
        signs = (1 - 2 * syndrome.astype(np.int8)).astype(np.float32)
        swept = _sweep(
            code.first, code.column, code.shift, code.lift, signs, beliefs,
            self._messages, self._work, most,
        )  # fmt: skip
        errors = (beliefs < 0).astype(np.uint8)
        found = bool(np.array_equal(syndrome_of(code, errors), syndrome))
        found = found and bool(np.all(errors[certain] == priors[certain]))
        return Decoded(errors, found, int(swept), beliefs)


# The loops below stand alone so that the compiler makes vector code of each.


@njit(cache=True, error_model="numpy")
def _flip(held, beliefs, size):  # type: ignore[no-untyped-def]
    for i in range(size):
        held[i] = -held[i] if beliefs[i] < _ZERO else held[i]


@njit(cache=True, error_model="numpy")
def _take(out, beliefs, own, size):  # type: ignore[no-untyped-def]
    for i in range(size):
        out[i] = beliefs[i] - own[i]


@njit(cache=True, error_model="numpy")
def _copy(out, given, size):  # type: ignore[no-untyped-def]
    for i in range(size):
        out[i] = given[i]


@njit(cache=True, error_model="numpy")
def _into(told, slope, ahead, product, size):  # type: ignore[no-untyped-def]
    """Keep the product so far, and multiply it by tanh of what the next bit tells."""
    for i in range(size):
        ahead[i] = product[i]
        t = tanh_half(told[i])
        slope[i] = t
        product[i] *= t


@njit(cache=True, error_model="numpy")
def _out_of(told, slope, ahead, product, own, size):  # type: ignore[no-untyped-def]
    """Answer a bit by the product over all the others, and add the answer to what it told."""
    for i in range(size):
        answer = log_ratio(ahead[i] * product[i])
        product[i] *= slope[i]
        own[i] = answer
        told[i] += answer


@njit(cache=True, error_model="numpy")
def _satisfied(first, column, shift, lift, signs, beliefs):  # type: ignore[no-untyped-def]
    """Whether the signs of the beliefs give the syndrome; leaves at the first chunk that does not."""
    held = np.empty(_CHUNK, np.float32)
    for r in range(first.size - 1):
        for low in range(0, lift, _CHUNK):
            size = min(_CHUNK, lift - low)
            _copy(held, signs[r * lift + low :], size)
            for e in range(first[r], first[r + 1]):
                block = beliefs[column[e] * lift : (column[e] + 1) * lift]
                at = (low + shift[e]) % lift
                split = min(size, lift - at)
                _flip(held, block[at:], split)
                _flip(held[split:], block, size - split)
            for i in range(size):
                if held[i] < _ZERO:
                    return False
    return True


@njit(cache=True, error_model="numpy")
def _sweep(  # type: ignore[no-untyped-def]
    first, column, shift, lift, signs, beliefs, messages, work, most
):
    """Sweep over all checks until the syndrome fits or `most` sweeps are done; how many were."""
    told, slope, ahead = work[0], work[1], work[2]
    product = np.empty(_CHUNK, np.float32)
    for sweep in range(most):
        if _satisfied(first, column, shift, lift, signs, beliefs):
            return sweep
        for r in range(first.size - 1):
            degree = first[r + 1] - first[r]
            for low in range(0, lift, _CHUNK):
                size = min(_CHUNK, lift - low)
                _copy(product, signs[r * lift + low :], size)
                for k in range(degree):
                    e = first[r] + k
                    block = beliefs[column[e] * lift : (column[e] + 1) * lift]
                    own = messages[e * lift + low :]
                    at = (low + shift[e]) % lift
                    split = min(size, lift - at)
                    _take(told[k], block[at:], own, split)
                    _take(told[k, split:], block, own[split:], size - split)
                    _into(told[k], slope[k], ahead[k], product, size)
                product[:] = _ONE
                for k in range(degree - 1, -1, -1):
                    e = first[r] + k
                    block = beliefs[column[e] * lift : (column[e] + 1) * lift]
                    at = (low + shift[e]) % lift
                    split = min(size, lift - at)
                    _out_of(told[k], slope[k], ahead[k], product, messages[e * lift + low :], size)
                    _copy(block[at:], told[k], split)
                    _copy(block, told[k, split:], size - split)
    return most
