"""Seeds of extractors: where they come from, and what of a seed file has been spent."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ebit.games import ArgumentError
from ebit.games.atomic import write_whole

__all__ = ["Seed", "draw_seed", "record_path", "spend_seed", "spent"]

_CHUNK = 1 << 20


@dataclass(frozen=True, eq=False)
class Seed:
    """A seed and its origin.

    Attributes:
        packed: the bits, uint8, bit k being bit 7 - k % 8 of byte k // 8.
        bits: how many there are.
        source: where they come from, for people.
        kind: "system", "file" or "pseudo-random".
        sha256: of the packed bits, or of the whole file.
        path: the file, if it is one.
    """

    packed: npt.NDArray[np.uint8]
    bits: int
    source: str
    kind: str
    sha256: str
    path: Path | None = None


def draw_seed(bits: int, seed: int | str | Path | None = None) -> Seed:
    """Take a seed from the operating system, a file, or a numbered pseudo-random generator.

    Args:
        bits: how many.
        seed: None takes os.urandom; a path the first bits of that file, which must be uniform and
            independent of the device and of its data; a number those of numpy's PCG64, which are
            pseudo-random and serve for repetition alone.

    Raises:
        ArgumentError: a file that cannot be read or is too short.
    """
    size = (bits + 7) // 8
    if isinstance(seed, bool) or not (seed is None or isinstance(seed, int | str | os.PathLike)):
        raise ArgumentError(
            f"Argument `seed` must be None, a whole number or a path, but was {seed!r}."
        )
    if seed is None:
        raw, source, kind = os.urandom(size), "the operating system (os.urandom)", "system"
    elif isinstance(seed, int):
        if seed < 0:
            raise ArgumentError(f"Argument `seed` must be 0 or more, but was {seed}.")
        raw = np.random.Generator(np.random.PCG64(seed)).bytes(size)
        source, kind = f"numpy PCG64 seeded with {seed} (pseudo-random)", "pseudo-random"
    else:
        return _from_file(Path(seed), bits, size)
    return Seed(np.frombuffer(raw, np.uint8), bits, source, kind, hashlib.sha256(raw).hexdigest())


def _from_file(path: Path, bits: int, size: int) -> Seed:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            raw = file.read(size)
            digest.update(raw)
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise ArgumentError(f"cannot read the seed {path}: {error.strerror or error}") from None
    if len(raw) < size:
        raise ArgumentError(
            f"Argument `seed` must have {bits} bits ({size} bytes), but {path} has {len(raw)} bytes: "
            "take a longer seed or a smaller `block_bits`."
        )
    packed = np.frombuffer(raw, np.uint8)
    return Seed(packed, bits, f"the file {path.name}", "file", digest.hexdigest(), path)


def record_path(path: str | Path) -> Path:
    """Return where the record of a seed file lies: beside it, with `.spent.json` added."""
    seed = Path(path)
    return seed.with_name(f"{seed.name}.spent.json")


def spent(seed: Seed) -> tuple[float, float | None]:
    """Return what a seed file's errors add up to so far, and its budget (None before the first use)."""
    if seed.path is None:
        return 0.0, None
    entry = _read(record_path(seed.path)).get(seed.sha256)
    if entry is None:
        return 0.0, None
    return math.fsum(use["epsilon"] for use in entry["uses"]), float(entry["budget"])


def spend_seed(seed: Seed, epsilon: float, budget: float | None, use: dict[str, Any]) -> None:
    """Write down that a seed file is used at an error, or refuse.

    One seed may serve several blocks and several files of sources it is independent of, and then the
    errors add up. Their sum is limited by a budget that the first use fixes; without one the budget is
    the first use itself. Seeds that are not files are drawn anew each time and are not recorded.

    Args:
        seed: from `draw_seed`.
        epsilon: error of this use.
        budget: limit of the sum, strictly between 0 and 1; None takes what the record says.
        use: what the seed is used for, plain data, kept with the record.

    Raises:
        ArgumentError: the budget would be exceeded, or differs from the one that is recorded.
    """
    if budget is not None and not 0 < budget < 1:
        raise ArgumentError(
            f"Argument `budget` must be strictly between 0 and 1, but was {budget!r}."
        )
    if seed.path is None:
        return
    path = record_path(seed.path)
    with _alone(path):
        record = _read(path)
        already, fixed = spent(seed)
        if fixed is not None and budget is not None and budget != fixed:
            raise ArgumentError(
                f"Argument `budget` must be the {fixed:.6g} that the first use of this seed fixed, but was "
                f"{budget:.6g}: take a fresh seed."
            )
        limit = fixed if fixed is not None else budget if budget is not None else epsilon
        if already + epsilon > limit * (1 + 1e-12):
            raise ArgumentError(
                f"Argument `seed` must have {epsilon:.3g} of its error budget left, but {seed.path.name} "
                f"has spent {already:.3g} of {limit:.3g}: take a fresh seed, or fix a larger `budget` at "
                "a seed's first use."
            )
        entry = record.setdefault(seed.sha256, {"budget": limit, "uses": []})
        entry["uses"].append({"epsilon": epsilon, **use})
        write_whole(path, json.dumps(record, indent=1) + "\n")


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ArgumentError(f"cannot read {path}: {error.strerror or error}") from None
    try:
        record = json.loads(text)
        for entry in record.values():
            float(entry["budget"])
            [float(use["epsilon"]) for use in entry["uses"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ArgumentError(
            f"{path} is not a record of a seed's uses: without it the seed's budget is not known; "
            "take a fresh seed."
        ) from None
    return dict(record)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other processes from the record while it is read and written."""
    lock = path.with_name(f"{path.name}.lock")
    try:
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        raise ArgumentError(
            f"another process is using the seed; if none is, remove {lock}"
        ) from None
    except OSError as error:
        raise ArgumentError(f"cannot write {lock}: {error.strerror or error}") from None
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
