"""Words of bits for numpy's C code: a buffer, what fills it, and a lock that tells of failure.

A callback of C cannot raise. But `numpy.random.Generator` holds its bit generator's lock around all
that draws, whatever the method, and returns only after it has let go of it: so the lock is ours, and
letting go raises if a word was missing. Until then the C code gets numbers of an xorshift, for a
constant could keep a method that rejects numbers busy for ever.
"""

from __future__ import annotations

import ctypes
import os
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakSet, WeakValueDictionary

import numpy as np
import numpy.typing as npt

from ebit.protocols.pool import Pool
from ebit.protocols.private_files import OutOfBitsError, PoolError

__all__ = ["Fixed", "Pooled", "Tap", "words"]

Words = npt.NDArray[np.uint32]

# The buffer as the C code sees it: uint32 [next, end, missing, xorshift, words ...]
_HEAD = 4
_ROOM = 1 << 14
_NEXT, _END, _MISSING, _SHIFT = range(_HEAD)
_HEARD, _UNHEARD = 1, 2  # a word is missing, and letting go of the lock will tell, or cannot
_FIRST_BLOCK = 32  # words; blocks from a pool double, so that little is lost and little is slow


class Source(Protocol):
    """What fills a tap.

    Attributes:
        words: what it is, for people.
        randomness: what its bits are, as far as is known.
    """

    words: str
    randomness: tuple[str, ...]

    def more(self, most: int) -> Words:
        """The next words, at least one."""
        ...

    def forked(self) -> None:
        """This is a child now: its parent keeps the bits that were read."""
        ...


class Fixed:
    """Bits of an array or a file, from the first to the last.

    Args:
        data: the bytes, or the file that holds them.
        bits: how many are used.
        randomness: what they are, as far as is known.
    """

    def __init__(self, data: bytes | Path, bits: int, randomness: str) -> None:
        self.data, self.bits = data, bits
        self.randomness: tuple[str, ...] = (randomness,)
        self.words = f"{bits} bits" + (f" of {data}" if isinstance(data, Path) else "")
        self._at, self._orphan = 0, False

    def more(self, most: int) -> Words:
        """The next words."""
        if self._orphan:
            raise OutOfBitsError(
                f"the {self.words} belong to the process that opened them: a forked child must "
                "draw from a pool, or open bits of its own"
            )
        count = min(most, self.bits // 32 - self._at)
        if count <= 0:
            rest = f" (the last {self.bits % 32} make no number)" if self.bits % 32 else ""
            raise OutOfBitsError(
                f"more bits were asked for than there are: all {self.bits} are used{rest}; give "
                "more, or draw from a pool that tops itself up"
            )
        start = 4 * self._at
        if isinstance(self.data, bytes):
            raw = self.data[start : start + 4 * count]
        else:
            try:
                with self.data.open("rb") as file:
                    file.seek(start)
                    raw = file.read(4 * count)
            except OSError as error:
                raise PoolError(f"{self.data} cannot be read: {error.strerror or error}") from None
            if len(raw) != 4 * count:
                raise PoolError(f"{self.data} must hold {self.bits} bits, but was cut short")
        self._at += count
        return _native(raw)

    def forked(self) -> None:
        """The parent goes on with these bits."""
        self._orphan = True


class Pooled:
    """Bits of a pool, taken in blocks that double.

    Args:
        pool: where they come from; it may top itself up.
    """

    def __init__(self, pool: Pool) -> None:
        self.pool, self.words = pool, repr(pool)
        self.randomness: tuple[str, ...] = ()
        self._block = _FIRST_BLOCK

    def more(self, most: int) -> Words:
        """The next words; gone from the pool before they are here."""
        taken = self.pool.take_up_to(32 * min(self._block, most), multiple=32, least=32)
        self._block *= 2
        self.randomness = tuple(dict.fromkeys((*self.randomness, *taken.randomness)))
        return _native(taken.packed.tobytes())

    def forked(self) -> None:
        """The pool gives a child other bits."""
        self._block = _FIRST_BLOCK


class _Unheard(OutOfBitsError):
    """Raised in a thread whose C code drew without the lock."""

    def __init__(self, *args: object) -> None:
        super().__init__(
            *args or ("more bits were asked for than there are: the numbers just drawn are void",)
        )


class Tap:
    """A buffer that C code draws from, and the lock that must be held meanwhile.

    Args:
        source: what fills it.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self._array = np.zeros(_HEAD + _ROOM, dtype=np.uint32)
        self._array[_SHIFT] = 0x9E3779B9
        self.address = int(self._array.ctypes.data)
        self._gate = threading.RLock()
        self._holder: int | None = None
        self._depth = 0
        self._failure: BaseException | None = None
        self._loaded = 0
        _taps[self.address] = self
        _alive.add(self)

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Hold the lock."""
        if not self._gate.acquire(blocking, timeout):
            return False
        self._holder = threading.get_ident()
        self._depth += 1
        if self._array[_MISSING] == _UNHEARD:
            self._array[_MISSING] = 0
        return True

    def release(self) -> None:
        """Let go of the lock.

        Raises:
            OutOfBitsError: bits ran out meanwhile, and what was drawn is void.
        """
        failure = self._let_go()
        if failure is not None:
            raise failure

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, kind: object, *rest: object) -> None:
        failure = self._let_go()
        # An error that is on its way already keeps the numbers from everybody too.
        if failure is not None and kind is None:
            raise failure

    def _let_go(self) -> BaseException | None:
        failure, self._failure = self._failure, None
        if failure is not None:
            self._array[_MISSING] = 0
        self._depth -= 1
        if not self._depth:
            self._holder = None
        self._gate.release()
        return failure

    def state(self) -> dict[str, Any]:
        """What was used, and what waits."""
        waiting = 32 * int(self._array[_END] - self._array[_NEXT])
        return {
            "source": self.source.words,
            "randomness": list(self.source.randomness),
            "drawn_bits": 32 * self._loaded - waiting,
            "waiting_bits": waiting,
        }

    def refill(self) -> None:
        """Fill the empty buffer, or note why that cannot be."""
        try:
            found = self.source.more(_ROOM)
            self._array[_HEAD : _HEAD + len(found)] = found
            self._array[_NEXT] = 0
            self._array[_END] = len(found)
            self._loaded += len(found)
        except BaseException as error:  # C code is waiting: nothing may pass through it
            if self._holder == threading.get_ident():
                self._failure = error
                self._array[_MISSING] = _HEARD
            else:
                self._array[_MISSING] = _UNHEARD

    def forked(self) -> None:
        """Leave what waits to the parent."""
        self._array[_HEAD:] = 0
        self._array[_NEXT] = self._array[_END] = self._array[_MISSING] = 0
        self._loaded = 0
        self._gate, self._holder, self._depth, self._failure = threading.RLock(), None, 0, None
        self.source.forked()


_taps: WeakValueDictionary[int, Tap] = WeakValueDictionary()
_alive: WeakSet[Tap] = WeakSet()


def _in_child() -> None:
    for tap in list(_alive):
        tap.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


def _refill(address: int) -> None:
    tap = _taps.get(address)
    if tap is not None:
        tap.refill()


@dataclass(frozen=True)
class WordFunctions:
    """Addresses of C functions of a tap's address.

    Attributes:
        next_uint64: the next 64 bits.
        next_uint32: the next 32 bits.
        next_double: the first 53 of the next 64 bits, as a multiple of 2^-53 in [0, 1).
    """

    next_uint64: int
    next_uint32: int
    next_double: int
    keep: tuple[Any, ...]


@lru_cache(maxsize=1)
def words() -> WordFunctions:
    """Compile what numpy calls: no interpreter is needed but to fill the buffer."""
    from numba import carray, cfunc, njit, types

    size = _HEAD + _ROOM
    fill = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(_refill)
    python = ctypes.pythonapi
    hold = ctypes.CFUNCTYPE(ctypes.c_int)(("PyGILState_Ensure", python))
    let_go = ctypes.CFUNCTYPE(None, ctypes.c_int)(("PyGILState_Release", python))
    thread = ctypes.CFUNCTYPE(ctypes.c_ulong)(("PyThread_get_thread_ident", python))
    throw = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_ulong, ctypes.c_size_t)(
        ("PyThreadState_SetAsyncExc", python)
    )
    unheard = id(_Unheard)  # the address of a class that lives as long as this module

    @njit
    def word(state: Any) -> Any:
        array = carray(state, (size,), np.uint32)
        if array[_NEXT] == array[_END]:
            if array[_MISSING] == 0:
                fill(state)
            if array[_MISSING] == _UNHEARD:
                # Not from the callback, where it would be raised, and ignored, at once: it is
                # raised when this thread is back in its own Python code.
                held = hold()
                throw(thread(), unheard)
                let_go(held)
            if array[_NEXT] == array[_END]:
                x = np.uint64(array[_SHIFT])
                x = (x ^ (x << np.uint64(13))) & np.uint64(0xFFFFFFFF)
                x ^= x >> np.uint64(17)
                x = (x ^ (x << np.uint64(5))) & np.uint64(0xFFFFFFFF)
                array[_SHIFT] = x
                return x
        place = _HEAD + array[_NEXT]
        found = np.uint64(array[place])
        array[place] = 0  # nothing that was used stays in memory
        array[_NEXT] += 1
        return found

    @njit
    def both(state: Any) -> Any:
        high = word(state)
        return (high << np.uint64(32)) | word(state)

    pointer = types.voidptr

    @cfunc(types.uint64(pointer))
    def next_uint64(state: Any) -> Any:
        return both(state)

    @cfunc(types.uint32(pointer))
    def next_uint32(state: Any) -> Any:
        return np.uint32(word(state))

    @cfunc(types.float64(pointer))
    def next_double(state: Any) -> Any:
        return (both(state) >> np.uint64(11)) * (1.0 / 9007199254740992.0)

    return WordFunctions(
        next_uint64.address,
        next_uint32.address,
        next_double.address,
        (fill, next_uint64, next_uint32, next_double),
    )


def _native(raw: bytes) -> Words:
    return np.frombuffer(raw, dtype=">u4").astype(np.uint32)
