"""GF(2^128) with polynomials as Python integers: a second route."""

import numpy as np

MODULUS = 1 << 128 | 0b10000111  # z^128 + z^7 + z^2 + z + 1


def polynomial(block: bytes) -> int:
    """Bit k is the coefficient of z^k."""
    bits = np.unpackbits(np.frombuffer(block, np.uint8))
    return sum(int(bit) << k for k, bit in enumerate(bits))


def block_of(value: int) -> bytes:
    return np.packbits([value >> k & 1 for k in range(128)]).tobytes()


def schoolbook(a: int, b: int) -> int:
    """The product modulo the field's polynomial, bit by bit."""
    product = 0
    for k in range(b.bit_length()):
        if b >> k & 1:
            product ^= a << k
    for k in range(product.bit_length() - 1, 127, -1):
        if product >> k & 1:
            product ^= MODULUS << (k - 128)
    return product


def by_hand(key: bytes, message: bytes) -> bytes:
    """The polynomial hash by Horner's rule."""
    filled = message + bytes(-len(message) % 16) + (8 * len(message)).to_bytes(16, "big")
    value = 0
    for k in range(0, len(filled), 16):
        value = schoolbook(value ^ polynomial(filled[k : k + 16]), polynomial(key))
    return block_of(value)
