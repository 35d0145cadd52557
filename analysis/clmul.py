"""Carry-less multiplication: butterflies over GF(2^64) with the processor's own instruction.

A 64-bit word is a polynomial over GF(2): bit i is the coefficient of z^i. The field is
GF(2)[z] / (z^64 + z^4 + z^3 + z + 1). PCLMULQDQ multiplies one pair of words, VPCLMULQDQ two or four
pairs at once; which of them numba may use is asked at import. What is emitted here is LLVM code,
since neither numba nor C-like Python has a name for these instructions. `ebit.analysis.gf64` has the
same operations in plain integer arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import config, types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic

__all__ = ["FOLD", "HARDWARE", "LANES", "butterfly", "inner_butterfly", "pointwise"]

FOLD = 0x1B  # z^64 = z^4 + z^3 + z + 1 in the field
_ir = cgutils.ir
_WORD = _ir.IntType(64)
_NAMES = {2: "llvm.x86.pclmulqdq", 4: "llvm.x86.pclmulqdq.256", 8: "llvm.x86.pclmulqdq.512"}
Emit = Callable[..., tuple[Any, Any]]


def _lanes() -> int:
    """How many words numba's target holds in a register it can multiply: 8, 4, 2, or 0."""
    triple, _, features = cpu_target.target_context.codegen().magic_tuple()
    have = set(features.split(","))
    if config.DISABLE_JIT or not triple.startswith(("x86_64", "amd64")):
        return 0
    if {"+vpclmulqdq", "+avx512f"} <= have:
        return 8
    if {"+vpclmulqdq", "+avx2"} <= have:
        return 4
    return 2 if {"+pclmul", "+sse2"} <= have else 0


LANES = _lanes()
HARDWARE = LANES > 0
# Where there is no instruction the functions below exist but are never compiled.
_WIDTH = LANES or 2
_VECTOR = _ir.VectorType(_WORD, _WIDTH)


def _shuffle(builder: Any, a: Any, b: Any, order: list[int]) -> Any:
    """Emit a vector of words of a (numbered from 0) and of b (numbered from _WIDTH)."""
    mask = _ir.Constant(_ir.VectorType(_ir.IntType(32), _WIDTH), order)
    return builder.shuffle_vector(a, b, mask)


def _carryless(builder: Any, a: Any, b: Any, which: int) -> Any:
    """Emit 128-bit products: bits 0 and 4 of `which` choose the word of a and b in each pair."""
    kind = _ir.FunctionType(_VECTOR, [_VECTOR, _VECTOR, _ir.IntType(8)])
    function = cgutils.get_or_insert_function(builder.module, kind, _NAMES[_WIDTH])
    return builder.call(function, [a, b, _ir.Constant(_ir.IntType(8), which)])


def _product(builder: Any, a: Any, c: Any) -> Any:
    """Emit the products in GF(2^64) of the words of `a` with those of `c`."""
    fold = _ir.Constant(_VECTOR, [FOLD] * _WIDTH)
    halves = []
    for which in (0x00, 0x11):  # the even words, then the odd ones
        whole = _carryless(builder, a, c, which)
        once = _carryless(builder, whole, fold, 0x01)  # upper half times z^64
        twice = _carryless(builder, once, fold, 0x01)  # the few bits above, again
        halves.append(builder.xor(builder.xor(whole, once), twice))
    even, odd = halves
    return _shuffle(builder, even, odd, [x for i in range(0, _WIDTH, 2) for x in (i, _WIDTH + i)])


def _address(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    """Emit the address of the words of an array from `index` on."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _VECTOR.as_pointer())


def _spread(builder: Any, word: Any) -> Any:
    """Emit a vector that repeats one word."""
    empty = _ir.Constant(_VECTOR, _ir.Undefined)
    first = builder.insert_element(empty, word, _ir.Constant(_ir.IntType(32), 0))
    return _shuffle(builder, first, first, [0] * _WIDTH)


def _forward(builder: Any, p: Any, q: Any, c: Any) -> tuple[Any, Any]:
    """(p, q) becomes (p + c q, p + c q + q)."""
    first = builder.xor(p, _product(builder, q, c))
    return first, builder.xor(first, q)


def _transposed(builder: Any, p: Any, q: Any, c: Any) -> tuple[Any, Any]:
    """(p, q) becomes (p + q, c (p + q) + q): the transpose of the forward one."""
    first = builder.xor(p, q)
    return first, builder.xor(q, _product(builder, first, c))


def _inverse_transposed(builder: Any, p: Any, q: Any, c: Any) -> tuple[Any, Any]:
    """(p, q) becomes (c p + q + p, c p + q): undoes the transposed one."""
    second = builder.xor(q, _product(builder, p, c))
    return builder.xor(second, p), second


_EMIT: dict[str, Emit] = {
    "forward": _forward,
    "transposed": _transposed,
    "inverse_transposed": _inverse_transposed,
}


def butterfly(mode: str) -> Any:
    """Make an intrinsic ``f(array, i, j, c)`` that acts on LANES words at i and at j, c for all.

    Args:
        mode: "forward" maps (p, q) to (p + c q, p + c q + q), "transposed" to
            (p + q, c (p + q) + q), and "inverse_transposed" undoes the latter.

    Example:
        >>> butterfly("forward").__name__
        'words'
    """

    @intrinsic
    def words(typing: Any, array: Any, i: Any, j: Any, c: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            low, high = (
                _address(context, builder, signature.args[0], values[0], values[k]) for k in (1, 2)
            )
            p, q = builder.load(low, align=8), builder.load(high, align=8)
            p, q = _EMIT[mode](builder, p, q, _spread(builder, values[3]))
            builder.store(p, low, align=8)
            builder.store(q, high, align=8)
            return context.get_dummy_value()

        return types.void(array, types.intp, types.intp, types.uint64), emit

    return words


def inner_butterfly(mode: str, half: int) -> Any:
    """Make an intrinsic ``f(array, i, table, w)`` for butterflies inside one register.

    The words at i, i + 1, ... form LANES / (2 half) butterflies of `half` words each; the
    factor of butterfly b is table[w + 2 b]. With half >= LANES it does nothing.

    Example:
        >>> inner_butterfly("forward", 1).__name__
        'words'
    """
    places = range(_WIDTH)
    low = [i & ~half for i in places]
    high = [i | half for i in places]
    factor = [i // half & ~1 for i in places]
    choose = [i + _WIDTH if i & half else i for i in places]

    @intrinsic
    def words(typing: Any, array: Any, i: Any, table: Any, w: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            if half < _WIDTH:
                place = _address(context, builder, signature.args[0], values[0], values[1])
                source = _address(context, builder, signature.args[2], values[2], values[3])
                both = builder.load(place, align=8)
                c = builder.load(source, align=8)
                p, q = _EMIT[mode](
                    builder,
                    _shuffle(builder, both, both, low),
                    _shuffle(builder, both, both, high),
                    _shuffle(builder, c, c, factor),
                )
                builder.store(_shuffle(builder, p, q, choose), place, align=8)
            return context.get_dummy_value()

        return types.void(array, types.intp, table, types.intp), emit

    return words


@intrinsic
def pointwise(typing: Any, out: Any, a: Any, b: Any, i: Any) -> Any:
    """Add a[i:] b[i:] to out[i:], LANES words."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        places = [
            _address(context, builder, signature.args[k], values[k], values[3]) for k in range(3)
        ]
        total, x, y = (builder.load(place, align=8) for place in places)
        builder.store(builder.xor(total, _product(builder, x, y)), places[0], align=8)
        return context.get_dummy_value()

    return types.void(out, a, b, types.intp), emit
