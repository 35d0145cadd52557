"""A pool of certified bits on disk: each is handed out once, with what is known of it."""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy.typing as npt

from ebit.games import ArgumentError
from ebit.protocols.pool_bits import (
    DEMONSTRATION,
    Taken,
    bytes_of,
    certificate_text,
    check_words,
    joined,
    whole,
)
from ebit.protocols.pool_index import Parcel, PoolIndex
from ebit.protocols.private_files import (
    OutOfBitsError,
    PoolError,
    private_file,
    private_folder,
)

__all__ = ["OutOfBitsError", "Parcel", "Pool", "PoolError", "Taken", "open_pool"]

TopUp = Callable[["Pool", int], object]

_DIGESTED = 128  # bits from which on a parcel is known again; shorter ones repeat by chance


class Pool:
    """A folder of certified bits and their certificates.

    The number of bits given out is on disk before they are: whoever is killed in between, by any
    signal at any moment, loses bits and repeats none, and any number of processes and threads may
    take at once. A copy of the folder, or one put back from a backup, would give the same bits
    again: never copy one. The folder and its files are made readable by their owner only.

    Args:
        folder: where it is; ``pool`` in ebit's own folder (``EBIT_HOME``) if left out.
        low_water: number of bits below which it is topped up.
        top_up: called as ``top_up(pool, missing)`` when fewer than ``low_water`` bits would be
            left; it is to `append` at least ``missing`` bits.

    Raises:
        ArgumentError: a mark that is no number, or a ``top_up`` that cannot be called.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as place:
        ...     pool = Pool(place + "/pool")
        ...     _ = pool.append(b"\\x8f\\x01", {"bits": 16}, randomness="pseudo (simulator)")
        ...     pool.take(4).unpacked().tolist(), pool.take(4).unpacked().tolist(), pool.available()
        ([1, 0, 0, 0], [1, 1, 1, 1], 8)
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        low_water: int = 0,
        top_up: TopUp | None = None,
    ) -> None:
        if folder is None:
            from ebit.backends.home import home

            folder = home() / "pool"
        self.folder = Path(folder)
        self.low_water = whole("low_water", low_water, least=0)
        if top_up is not None and not callable(top_up):
            raise ArgumentError(
                f"top_up must be a function of the pool and a number of bits, but was {top_up!r}"
            )
        if self.low_water and top_up is None:
            raise ArgumentError(
                f"low_water was {self.low_water}, but nothing tops the pool up: give top_up too"
            )
        self.top_up = top_up
        self._topping = threading.Lock()
        self._index = PoolIndex(self.folder)

    def __repr__(self) -> str:
        return f"Pool({str(self.folder)!r})"

    def append(
        self,
        packed: bytes | npt.ArrayLike,
        certificate: Mapping[str, Any],
        *,
        randomness: str,
        bits: int | None = None,
        secrecy: str = DEMONSTRATION,
    ) -> str:
        """Put certified bits into the pool.

        Args:
            packed: bytes, or uint8 (bytes,), the first bit the most significant of the first byte.
            certificate: what certifies them, as plain data; if it has a number ``bits``, no more
                than that may be put in.
            randomness: "pseudo (simulator)" or "device".
            bits: how many; all of the bytes if left out.
            secrecy: "demonstration", for bits that a seeded simulator or a cloud provider knows;
                any other words promise that nobody else has them.

        Returns:
            The parcel's name.

        Raises:
            ArgumentError: more bits than there are or than the certificate allows, bits that are
                in the pool or were, or secrets from a simulator.
            PoolError: the folder cannot be written.
        """
        data = bytes_of(packed)
        n = 8 * len(data) if bits is None else whole("bits", bits, least=1)
        if not n or n > 8 * len(data):
            raise ArgumentError(
                f"bits must be from 1 to {8 * len(data)}, which the {len(data)} bytes hold, but "
                f"was {n}"
            )
        data = data[: (n + 7) // 8]
        if n % 8:
            data = data[:-1] + bytes([data[-1] & (0xFF << 8 - n % 8) & 0xFF])
        check_words(randomness, secrecy)
        text = certificate_text(certificate, n)
        digest = sha256(n.to_bytes(8, "big") + data).hexdigest() if n >= _DIGESTED else None
        private_folder(self.folder)
        if self._index.knows(digest):
            raise ArgumentError(
                f"packed must be new bits, but these {n} are in {self.folder} or were taken from it"
            )
        name = uuid4().hex
        # The files are whole before the index names them: what is not named is given to nobody.
        for ending, content in ((".json", text.encode()), (".bits", data)):
            with private_file(self.folder / f"{name}{ending}") as out:
                out.write(content)
        try:
            self._index.add(
                Parcel(
                    name=name,
                    bits=n,
                    taken=0,
                    randomness=randomness,
                    secrecy=secrecy,
                    digest=digest,
                    created=datetime.now(UTC).isoformat(timespec="seconds"),
                )
            )
        except BaseException:
            self._forget(name)
            (self.folder / f"{name}.json").unlink(missing_ok=True)
            raise
        with suppress(PoolError):  # what others left behind can wait
            self.tidy()
        return name

    def available(self, *, secret: bool = False) -> int:
        """Return how many bits are left.

        Args:
            secret: count only bits that may serve as secrets.
        """
        return sum(p.left for p in self._index.parcels(spent=False) if not secret or _is_secret(p))

    def parcels(self) -> tuple[Parcel, ...]:
        """Return what was ever put in, oldest first."""
        return self._index.parcels()

    def certificate(self, name: str) -> dict[str, Any]:
        """Return the certificate of a parcel.

        Raises:
            PoolError: there is none of that name, or it cannot be read.
        """
        try:
            found = json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise PoolError(f"{self.folder} has no certificate {name!r}: {error}") from None
        return dict(found)

    def take(self, bits: int, *, secret: bool = False, demonstration: bool = False) -> Taken:
        """Take bits out of the pool, for good.

        Args:
            bits: how many.
            secret: they will serve as secrets: keys, passwords, one-time pads. Bits that a
                simulator or a cloud provider made are refused for it.
            demonstration: hand them out as secrets all the same, and say so in the result.

        Raises:
            ArgumentError: a number that is none.
            OutOfBitsError: there are fewer, or fewer that may serve. Nothing was taken.
            PoolError: the folder cannot be read or written.
        """
        n = whole("bits", bits, least=1)
        strict = secret and not demonstration
        self._fill(n, strict)
        return self._take(n, n, strict, demonstration and secret)

    def take_up_to(self, bits: int, *, multiple: int = 1, least: int = 1) -> Taken:
        """Take as many bits as there are, up to a number, and a multiple of another.

        Args:
            bits: the most.
            multiple: the number of bits taken is a multiple of it.
            least: the fewest to go away with.

        Raises:
            OutOfBitsError: there are fewer than ``least``. Nothing was taken.
        """
        n, unit = whole("bits", bits, least=1), whole("multiple", multiple, least=1)
        low = -(-max(whole("least", least, least=1), unit) // unit) * unit
        self._fill(max(n // unit * unit, low), False, low)
        return self._take(low, max(n // unit * unit, low), False, False, unit)

    def _take(self, low: int, high: int, strict: bool, demonstration: bool, unit: int = 1) -> Taken:
        """Take from ``low`` to ``high`` bits, a multiple of ``unit``."""
        pieces: list[tuple[Parcel, int, int, bytes]] = []
        with self._index.taking() as step:
            usable = [p for p in step.parcels() if p.left and (not strict or _is_secret(p))]
            there = sum(p.left for p in usable)
            if there < low:
                raise OutOfBitsError(self._too_few(low, strict))
            left = min(high, there // unit * unit)
            for parcel in usable:
                if not left:
                    break
                count = min(left, parcel.left)
                raw = self._read(parcel, parcel.taken, count)
                pieces.append((parcel, parcel.taken, count, raw))
                step.move(parcel, parcel.taken + count)
                left -= count
        # Only now, with the new positions on disk, does anything leave this function.
        for parcel, start, count, _ in pieces:
            if start + count == parcel.bits:
                self._forget(parcel.name)
        n = sum(count for _, _, count, _ in pieces)
        return Taken(
            packed=joined([(raw, start % 8, count) for _, start, count, raw in pieces], n),
            n=n,
            parts=tuple((p.name, start, count) for p, start, count, _ in pieces),
            randomness=tuple(dict.fromkeys(p.randomness for p, *_ in pieces)),
            secrecy=tuple(dict.fromkeys(p.secrecy for p, *_ in pieces)),
            demonstration=demonstration,
        )

    def _fill(self, wanted: int, strict: bool, least: int | None = None) -> None:
        """Have the pool topped up, if what is wanted would leave less than the mark."""
        if self.top_up is None or self.available(secret=strict) - wanted >= self.low_water:
            return
        with self._topping:
            there = self.available(secret=strict)
            missing = wanted + self.low_water - there
            if missing <= 0:  # another thread has done it
                return
            try:
                self.top_up(self, missing)
            except Exception as error:
                if there < (wanted if least is None else least):
                    raise
                words = " ".join(str(error).split()) or type(error).__name__
                warnings.warn(
                    f"{self.folder} was not topped up ({words}); {there} bits are left",
                    RuntimeWarning,
                    stacklevel=4,
                )

    def _too_few(self, wanted: int, strict: bool) -> str:
        there, usable = self.available(), self.available(secret=True)
        if strict and there >= wanted:
            return (
                f"{wanted} bits were asked for as secrets, but of the {there} in {self.folder} only "
                f"{usable} may serve: the others come from a simulator or through a provider; pass "
                "demonstration=True to use them for show"
            )
        advice = "put more in" if self.top_up is None else "its top_up brought too few"
        return (
            f"{wanted} bits were asked for, but {self.folder} has {usable if strict else there}: "
            f"{advice}"
        )

    def _read(self, parcel: Parcel, start: int, count: int) -> bytes:
        """The bytes that hold some bits of a parcel."""
        first, end = start // 8, (start + count + 7) // 8
        path = self.folder / f"{parcel.name}.bits"
        try:
            with path.open("rb") as file:
                file.seek(first)
                raw = file.read(end - first)
        except OSError as error:
            raise PoolError(f"{path} cannot be read: {error.strerror or error}") from None
        if len(raw) != end - first:
            raise PoolError(
                f"{path} must hold {parcel.bits} bits, but ends after {8 * (first + len(raw))}: it "
                "is damaged; move the pool away"
            )
        return raw

    def _forget(self, name: str) -> None:
        """Remove bits that nobody may have any more; where that fails, they are given to nobody."""
        with suppress(OSError):
            (self.folder / f"{name}.bits").unlink(missing_ok=True)

    def tidy(self) -> int:
        """Remove files that a killed process left behind, and return how many.

        Those are bits that were all taken, files that were never finished, and files older than a
        day that no parcel names. Nothing that can still be taken is touched.
        """
        return self._index.tidy()

    def __iter__(self) -> Iterator[Parcel]:
        return iter(self.parcels())


def open_pool(folder: str | Path | None = None) -> Pool:
    """Open a pool that must be there already.

    Args:
        folder: where it is; ebit's own if left out.

    Raises:
        ArgumentError: there is no pool.
    """
    pool = Pool(folder)
    if not pool._index.there():
        raise ArgumentError(f"folder must be a pool, but {pool.folder} has none: append bits first")
    return pool


def _is_secret(parcel: Parcel) -> bool:
    return parcel.secrecy != DEMONSTRATION and not parcel.randomness.startswith("pseudo")
