"""Certified bits as a bit generator of numpy: `numpy.random.Generator(EbitBits(pool))`."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

import numpy as np
import numpy.typing as npt
from numpy.random.bit_generator import SeedlessSeedSequence

from ebit.games import ArgumentError
from ebit.protocols.bit_tap import Fixed, Pooled, Tap, words
from ebit.protocols.pool import Pool, Taken
from ebit.protocols.pool_bits import bytes_of, whole

if TYPE_CHECKING:
    from ebit.protocols.random_result import RandomBits

__all__ = ["EbitBits"]


class _Interface(ctypes.Structure):
    """numpy's ``bitgen_t``: the state, then what draws from it."""

    _fields_ = (
        ("state", ctypes.c_void_p),
        ("next_uint64", ctypes.c_void_p),
        ("next_uint32", ctypes.c_void_p),
        ("next_double", ctypes.c_void_p),
        ("next_raw", ctypes.c_void_p),
    )


class EbitBits(np.random.BitGenerator):
    """Bits from a pool, a file or an array, in the place of PCG64.

    The bits are used in their order, each once, the first as the most significant: ``random_raw``
    and ``Generator.random`` take 64 for a number (``random`` keeps the first 53), float32 and
    integers below 2^32 take 32, and `Generator` draws again where its method rejects a number.

    When the bits run out, the call that wanted more raises `OutOfBitsError` and returns nothing;
    the bits that it had are spent. An array given as ``out=``, or shuffled in place, then holds
    numbers that mean nothing.

    Any number of threads may draw through `Generator`, which holds the lock. Compiled code that
    draws past it (numba, scipy's UNU.RAN) must have the generator to itself; when the bits run out
    it gets pseudo-random numbers, and the error is raised as soon as its thread is back in Python.
    A forked child never repeats its parent's bits: it takes others from a pool, and is refused
    those of a file or an array. There is no seed, no jump and no copy.

    Args:
        source: a pool, which gives each bit once for good and in blocks, of which an unused rest
            is lost; or ``Taken`` bits, what `random_bits` returned, bytes, uint8 (bytes,), or the path of a file of packed
            bits, which start from their beginning for everybody who opens them.
        bits: how many bits of the array or file to use; all of them if left out.

    Raises:
        ArgumentError: a source that is none of these, or holds fewer than 32 bits.

    Example:
        >>> bits = EbitBits(bytes(range(16)))
        >>> hex(bits.random_raw()), bits.state["drawn_bits"]
        ('0x1020304050607', 64)
        >>> rng = np.random.Generator(bits)
        >>> rng.random() == (0x08090A0B0C0D0E0F >> 11) / 2**53
        True
    """

    def __init__(
        self,
        source: Pool | Taken | RandomBits | str | Path | bytes | npt.ArrayLike,
        *,
        bits: int | None = None,
    ) -> None:
        super().__init__(cast("Any", SeedlessSeedSequence()))
        self._tap = Tap(_source(*_unwrapped(source, bits)))
        draw = words()
        pointer = ctypes.pythonapi.PyCapsule_GetPointer
        pointer.restype, pointer.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
        interface = _Interface.from_address(pointer(self.capsule, b"BitGenerator"))
        interface.state = self._tap.address
        interface.next_uint64 = interface.next_raw = draw.next_uint64
        interface.next_uint32 = draw.next_uint32
        interface.next_double = draw.next_double

    def __repr__(self) -> str:
        return f"EbitBits({self._tap.source.words})"

    @property
    def lock(self) -> Any:  # type: ignore[override]
        """What every method of a `Generator` holds while it draws; it raises when bits ran out."""
        return self._tap

    def random_raw(self, size: Any = None, output: bool = True) -> Any:
        """Return 64 bits as an integer, or an array of them: uint64 of shape ``size``.

        Args:
            size: a shape, one number if left out.
            output: whether to return them; they are used in any case.

        Raises:
            OutOfBitsError: there are fewer.
        """
        with self._tap:
            found = super().random_raw(size, cast("Any", output))
        return found

    @property
    def state(self) -> dict[str, Any]:
        """What was used and what waits: plain data, from which no generator can be made."""
        with self._tap:
            return {"bit_generator": "EbitBits", **self._tap.state()}

    @state.setter
    def state(self, value: object) -> None:
        _refuse("state must be left alone: bits are used once, and cannot be wound back")

    @property
    def seed_seq(self) -> Any:
        """There is none."""
        _refuse("EbitBits has no seed: its bits come from a pool or a file")

    def spawn(self, n_children: int) -> Any:
        """Refuse: make another generator on the same pool instead."""
        _refuse(
            f"EbitBits cannot be spawned into {n_children}: make each from the pool, which gives "
            "them different bits"
        )

    def jumped(self, jumps: int = 1) -> Any:
        """Refuse: certified bits have no period to jump along."""
        _refuse(f"EbitBits cannot jump {jumps} times: its bits are no sequence of a formula")

    def __reduce__(self) -> Any:
        _refuse("EbitBits cannot be pickled or copied: two of them would use the same bits")

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__reduce__()

    def __getstate__(self) -> Any:
        return self.__reduce__()

    def __copy__(self) -> Any:
        return self.__reduce__()

    def __deepcopy__(self, memo: Any) -> Any:
        return self.__reduce__()


def _unwrapped(source: Any, bits: int | None) -> tuple[Any, int | None]:
    """The bits that `random_bits` returned, or any other source as it is."""
    if type(source).__name__ != "RandomBits":  # its module takes a second to load: not for this
        return source, bits
    if source.refused:
        _refuse(f"there are no bits to draw from: the run was refused ({source.refused})")
    return source.packed, source.bits if bits is None else bits


def _refuse(text: str) -> NoReturn:
    raise ArgumentError(text)


def _source(source: Any, bits: int | None) -> Fixed | Pooled:
    if isinstance(source, Pool):
        if bits is not None:
            raise ArgumentError(
                f"bits must be left out for a pool, but was {bits}: take them first, "
                "EbitBits(pool.take(bits))"
            )
        return Pooled(source)
    data: Path | bytes
    if isinstance(source, Taken):
        data, there = source.packed.tobytes(), source.n
        kind = ", ".join(source.randomness)
    elif isinstance(source, (str, Path)):
        data, kind = Path(source), "not known"
        try:
            if not data.is_file():
                raise FileNotFoundError(2, "there is no such file")
            there = 8 * data.stat().st_size
        except OSError as error:
            raise ArgumentError(
                f"source must be a file of bits, but {data} cannot be read: {error.strerror}"
            ) from None
    elif isinstance(source, (bytes, bytearray, memoryview, np.ndarray)):
        data, kind = bytes_of(source), "not known"
        there = 8 * len(data)
    else:
        raise ArgumentError(
            f"source must be a pool, taken bits, a file, bytes or uint8 (bytes,), but was "
            f"{type(source).__name__}"
        )
    n = there if bits is None else whole("bits", bits, least=1)
    if n > there:
        raise ArgumentError(f"bits must be at most {there}, which the source holds, but was {n}")
    if n < 32:
        raise ArgumentError(f"source must hold at least 32 bits, but holds {n}")
    return Fixed(data, n, kind)
