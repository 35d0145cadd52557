"""The field GF(2^128): products, powers and tables, with the processor's instruction and without it.

The field is GF(2)[z] / (z^128 + z^7 + z^2 + z + 1). An element is a block of 16 bytes; bit k in packed
order (bit 7 - k % 8 of byte k // 8) is the coefficient of z^k, which is the order of GHASH. In
arithmetic a block is two 64-bit words, `high` from its first eight bytes and `low` from the last
eight, the first byte uppermost: bit 127 - k of the 128-bit number is the coefficient of z^k.

The carry-less product of two such numbers a and b, as 256 bits, then has the coefficient of z^(k + l)
at bit 254 - k - l: read in the same order it is z a b. All factors are therefore kept divided by z.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from ebit.analysis.clmul import HARDWARE, LANES
from ebit.analysis.gf64 import carryless_product
from ebit.games import ArgumentError

__all__ = [
    "BLOCK",
    "GROUP",
    "byte_table",
    "evaluate_hardware",
    "evaluate_portable",
    "gf128_multiply",
    "group_powers",
    "words_of",
]

Words = npt.NDArray[np.uint64]
BLOCK = 16
"""Bytes of an element."""
GROUP = 64
"""Blocks whose products are added before they are reduced."""

_U = np.uint64
_ir = cgutils.ir
_WORD = _ir.IntType(64)
_BYTE = _ir.IntType(8)
_NAMES = {2: "llvm.x86.pclmulqdq", 4: "llvm.x86.pclmulqdq.256", 8: "llvm.x86.pclmulqdq.512"}
_WIDTH = LANES or 2  # where there is no instruction, what follows is never compiled
_VECTOR = _ir.VectorType(_WORD, _WIDTH)


@njit(cache=True)
def _reduced(w3: np.uint64, w2: np.uint64, w1: np.uint64, w0: np.uint64) -> tuple[Any, Any]:
    """The element of 256 bits, w3 uppermost: z^128 = z^7 + z^2 + z + 1, twice."""
    # What a word pushes out below z^191 is folded in before: it has 7 bits.
    one, two, seven = _U(1), _U(2), _U(7)
    over = (w0 << _U(63)) ^ (w0 << _U(62)) ^ (w0 << _U(57))
    w1 ^= over
    high = w3 ^ w1 ^ (w1 >> one) ^ (w1 >> two) ^ (w1 >> seven)
    low = w2 ^ w0 ^ (w0 >> one) ^ (w0 >> two) ^ (w0 >> seven)
    low ^= (w1 << _U(63)) ^ (w1 << _U(62)) ^ (w1 << _U(57))
    return high, low


@njit(cache=True)
def _times_z(high: np.uint64, low: np.uint64) -> tuple[Any, Any]:
    """The element times z: one place down, and z^128 folded in."""
    out = low & _U(1)
    low = (low >> _U(1)) | (high << _U(63))
    high = high >> _U(1)
    if out:
        high ^= _U(0xE100000000000000)
    return high, low


@njit(cache=True)
def _over_z(high: np.uint64, low: np.uint64) -> tuple[Any, Any]:
    """The element divided by z; 1 / z = z^127 + z^6 + z + 1."""
    out = high >> _U(63)
    if out:
        high ^= _U(0xE100000000000000)
    high = (high << _U(1)) | (low >> _U(63))
    low = (low << _U(1)) | out
    return high, low


@njit(cache=True)
def gf128_multiply(
    a_high: np.uint64, a_low: np.uint64, b_high: np.uint64, b_low: np.uint64
) -> tuple[Any, Any]:
    """Return a b, in plain integer arithmetic.

    Args:
        a_high, a_low, b_high, b_low: the words of a and of b; see the module for their bits.

    Returns:
        The words of the product, high and low.

    Example:
        >>> word = np.uint64
        >>> high, low = gf128_multiply(word(0), word(1), word(1 << 62), word(0))  # z^127 z
        >>> hex(high), hex(low)  # z^7 + z^2 + z + 1
        ('0xe100000000000000', '0x0')

    Source:
        NIST SP 800-38D, section 6.3, which has the same order of bits.
    """
    b_high, b_low = _over_z(b_high, b_low)
    w0, w1 = carryless_product(a_low, b_low)
    w2, w3 = carryless_product(a_high, b_high)
    p0, p1 = carryless_product(a_high, b_low)
    q0, q1 = carryless_product(a_low, b_high)
    product: tuple[Any, Any] = _reduced(w3, w2 ^ p1 ^ q1, w1 ^ p0 ^ q0, w0)
    return product


def words_of(block: bytes) -> tuple[np.uint64, np.uint64]:
    """Return the words of a block.

    Args:
        block: 16 bytes.

    Raises:
        ArgumentError: another number of bytes.

    Example:
        >>> [hex(word) for word in words_of(bytes(range(16)))]
        ['0x1020304050607', '0x8090a0b0c0d0e0f']
    """
    if len(block) != BLOCK:
        raise ArgumentError(f"block must be {BLOCK} bytes, but was {len(block)}")
    return _U(int.from_bytes(block[:8], "big")), _U(int.from_bytes(block[8:], "big"))


@njit(cache=True)
def group_powers(high: np.uint64, low: np.uint64) -> Words:
    """Return h^64, h^63, ..., h^1, each divided by z: the factors of a group of blocks.

    Args:
        high, low: the words of h.

    Returns:
        uint64 of shape (128,): for each power its low word, then its high word.

    Example:
        >>> powers = group_powers(*words_of(bytes([0x80]) + bytes(15)))  # h = 1
        >>> hex(powers[0]), hex(powers[1])  # 1 / z = z^127 + z^6 + z + 1
        ('0x1', '0xc200000000000000')
    """
    powers = np.empty(2 * GROUP, np.uint64)
    a, b = _over_z(high, low)
    for i in range(GROUP - 1, -1, -1):
        powers[2 * i], powers[2 * i + 1] = b, a
        a, b = gf128_multiply(a, b, high, low)
    return powers


@njit(cache=True)
def byte_table(high: np.uint64, low: np.uint64) -> Words:
    """Return what each value of each byte of a block gives when it is multiplied by h.

    Args:
        high, low: the words of h.

    Returns:
        uint64 of shape (16, 256, 2): [byte's place, its value] -> high and low word of the product.

    Example:
        >>> table = byte_table(*words_of(bytes(15) + b"\\x07"))
        >>> hex(table[0, 0x80, 1])  # the first byte's uppermost bit is 1, and 1 h = h
        '0x7'
    """
    table = np.zeros((BLOCK, 256, 2), np.uint64)
    for place in range(BLOCK):
        for bit in range(7, -1, -1):
            size = 1 << bit
            table[place, size, 0], table[place, size, 1] = high, low
            high, low = _times_z(high, low)
        for bit in range(1, 8):
            size = 1 << bit
            for value in range(1, size):
                for k in range(2):
                    table[place, size + value, k] = table[place, size, k] ^ table[place, value, k]
    return table


@njit(cache=True)
def evaluate_portable(
    table: Words, data: npt.NDArray[np.uint8], high: np.uint64, low: np.uint64
) -> tuple[Any, Any]:
    """Return (... ((s + m_1) h + m_2) h + ... + m_n) h by looking up every byte's share of a product.

    Args:
        table: of h, from `byte_table`.
        data: uint8 of 16 n bytes, the blocks m_1, m_2, ...
        high, low: the words of s, what was found for blocks before these.

    Returns:
        The words of the value.

    Example:
        >>> table = byte_table(*words_of(bytes([0x40]) + bytes(15)))  # h = z
        >>> data = np.frombuffer(bytes([0x80]) + bytes(31), np.uint8)  # 1, 0
        >>> hex(evaluate_portable(table, data, np.uint64(0), np.uint64(0))[0])  # z^2
        '0x2000000000000000'
    """
    for start in range(0, len(data), BLOCK):
        a, b = _U(0), _U(0)
        for place in range(8):
            shift = _U(56 - 8 * place)
            first = ((high >> shift) & _U(0xFF)) ^ _U(data[start + place])
            second = ((low >> shift) & _U(0xFF)) ^ _U(data[start + 8 + place])
            a ^= table[place, first, 0] ^ table[8 + place, second, 0]
            b ^= table[place, first, 1] ^ table[8 + place, second, 1]
        high, low = a, b
    return high, low


def _carryless(builder: Any, a: Any, b: Any, which: int) -> Any:
    """Emit 128-bit products; bits 0 and 4 of `which` choose the word of a and of b in each pair."""
    kind = _ir.FunctionType(_VECTOR, [_VECTOR, _VECTOR, _BYTE])
    function = cgutils.get_or_insert_function(builder.module, kind, _NAMES[_WIDTH])
    return builder.call(function, [a, b, _ir.Constant(_BYTE, which)])


@intrinsic
def _add_products(typing: Any, sums: Any, powers: Any, data: Any, i: Any, at: Any) -> Any:
    """Add the products of LANES / 2 blocks at data[at:] and the powers from word i on.

    `sums` has three registers: products of low words, of high words, and the two mixed ones.
    """

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        def place(k: int, index: Any) -> Any:
            array = context.make_array(signature.args[k])(context, builder, values[k]).data
            return builder.bitcast(builder.gep(array, [index]), _VECTOR.as_pointer())

        # The first byte of a block is the uppermost: turn each word, then exchange the two.
        kind = _ir.FunctionType(_VECTOR, [_VECTOR])
        turn = cgutils.get_or_insert_function(builder.module, kind, f"llvm.bswap.v{_WIDTH}i64")
        order = _ir.Constant(
            _ir.VectorType(_ir.IntType(32), _WIDTH), [k ^ 1 for k in range(_WIDTH)]
        )
        words = builder.call(turn, [builder.load(place(2, values[4]), align=1)])
        words = builder.shuffle_vector(words, words, order)
        factor = builder.load(place(1, values[3]), align=8)
        mixed = builder.xor(
            _carryless(builder, words, factor, 0x01), _carryless(builder, words, factor, 0x10)
        )
        found = (
            _carryless(builder, words, factor, 0x00),
            _carryless(builder, words, factor, 0x11),
            mixed,
        )
        for k, product in enumerate(found):
            there = place(0, context.get_constant(types.intp, k * _WIDTH))
            builder.store(builder.xor(builder.load(there, align=8), product), there, align=8)
        return context.get_dummy_value()

    return types.void(sums, powers, data, types.intp, types.intp), emit


@intrinsic
def _pair(typing: Any, a: Any, b: Any) -> Any:
    """The low and the high word of a carry-less product of two words."""
    both = _ir.VectorType(_WORD, 2)
    number = _ir.IntType(32)

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        empty, first = _ir.Constant(both, _ir.Undefined), _ir.Constant(number, 0)
        words = [builder.insert_element(empty, value, first) for value in values]
        kind = _ir.FunctionType(both, [both, both, _BYTE])
        function = cgutils.get_or_insert_function(builder.module, kind, _NAMES[2])
        product = builder.call(function, [*words, _ir.Constant(_BYTE, 0)])
        found = [builder.extract_element(product, _ir.Constant(number, k)) for k in range(2)]
        return context.make_tuple(builder, signature.return_type, found)

    return types.UniTuple(types.uint64, 2)(types.uint64, types.uint64), emit


@njit(cache=True)
def _evaluate(
    powers: Words, data: npt.NDArray[np.uint8], high: np.uint64, low: np.uint64
) -> tuple[Any, Any]:
    sums = np.empty(3 * _WIDTH, np.uint64)
    for start in range(0, len(data), BLOCK * GROUP):
        sums[:] = _U(0)
        # What came before goes in with the first block: its product with h^64.
        a0, a1 = powers[0], powers[1]
        w0, w1 = _pair(low, a0)
        w2, w3 = _pair(high, a1)
        p0, p1 = _pair(high, a0)
        q0, q1 = _pair(low, a1)
        for i in range(0, 2 * GROUP, _WIDTH):
            _add_products(sums, powers, data, i, start + 8 * i)
        m0, m1 = p0 ^ q0, p1 ^ q1
        for k in range(0, _WIDTH, 2):
            w0 ^= sums[k]
            w1 ^= sums[k + 1]
            w2 ^= sums[_WIDTH + k]
            w3 ^= sums[_WIDTH + k + 1]
            m0 ^= sums[2 * _WIDTH + k]
            m1 ^= sums[2 * _WIDTH + k + 1]
        high, low = _reduced(w3, w2 ^ m1, w1 ^ m0, w0)
    return high, low


def evaluate_hardware(
    powers: Words, data: npt.NDArray[np.uint8], high: np.uint64, low: np.uint64
) -> tuple[Any, Any]:
    """Return what `evaluate_portable` does, 64 blocks at a time, with carry-less multiplication.

    Args:
        powers: of h, from `group_powers`.
        data: uint8, contiguous, a multiple of 1,024 bytes.
        high, low: the words of what was found before.

    Raises:
        ArgumentError: another number of bytes, or a processor without the instruction.

    Example:
        >>> powers = group_powers(*words_of(bytes([0x40]) + bytes(15)))  # h = z
        >>> data = np.frombuffer(bytes(1008) + bytes([0x80]) + bytes(15), np.uint8)
        >>> zero = np.uint64(0)
        >>> not HARDWARE or hex(evaluate_hardware(powers, data, zero, zero)[0])  # z
        '0x4000000000000000'

    Source:
        S. Gueron, M. E. Kounavis, Information Processing Letters 110, 549 (2010), for the idea of
        adding several products before one reduction.
    """
    if len(data) % (BLOCK * GROUP):
        raise ArgumentError(f"data must be whole groups of 1,024 bytes, but was {len(data)} bytes")
    if not HARDWARE:
        raise ArgumentError(
            "hardware must be False on this processor: it has no carry-less product"
        )
    found: tuple[Any, Any] = _evaluate(powers, data, high, low)
    return found
