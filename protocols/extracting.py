"""Raw bits to random bits: Toeplitz hashing of files of any size, and of arrays."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ebit.games import ArgumentError
from ebit.games.atomic import write_whole
from ebit.protocols.extraction_plan import BlockPlan, plan_blocks
from ebit.protocols.seeds import Seed, draw_seed, record_path, spend_seed

__all__ = ["BLOCK_BITS", "Extraction", "extract_bits", "extract_file"]

Progress = Callable[[int, int], None]
Bits = npt.NDArray[np.uint8]
BLOCK_BITS = 1 << 23
_SHORTEST = 1 << 10

_ASSUMED = (
    "the seed is uniform and independent of the device, of its data and of whoever knows about them",
    "the raw bits have the stated min-entropy given all side information, quantum side information included",
)
_BLOCKWISE = "each block has that min-entropy also given all earlier blocks"
_PSEUDO = "anything beyond repetition: the seed is pseudo-random"


@dataclass(frozen=True)
class Extraction:
    """What an extraction took and gave.

    Attributes:
        bits: bits given out.
        file: where they went, None for an array.
        raw_bits: raw bits they were made of.
        entropy_bits: min-entropy of those that was relied on.
        entropy_rate: the same per raw bit.
        blocks: how many blocks were hashed with the same seed.
        block_bits: raw bits of a block; the last may be shorter.
        epsilon: error of the whole output, added up over the blocks.
        epsilon_per_block: error of each.
        seed_bits: bits of the seed.
        seed_source: where the seed comes from.
        seed_kind: "system", "file" or "pseudo-random".
        seed_sha256: hash of the seed, or of its whole file.
        net_bits: bits given out less the bits of the seed; may be negative.
        unused_raw_bits: raw bits that were not needed.
        assumptions: what all this rests on.
        not_given: what it does not give.
        method: how it was done.
    """

    bits: int
    file: str | None
    raw_bits: int
    entropy_bits: float
    entropy_rate: float
    blocks: int
    block_bits: int
    epsilon: float
    epsilon_per_block: float
    seed_bits: int
    seed_source: str
    seed_kind: str
    seed_sha256: str
    net_bits: int
    unused_raw_bits: int
    assumptions: tuple[str, ...]
    not_given: tuple[str, ...]
    method: str = "Toeplitz hashing"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    def __str__(self) -> str:
        blocks = f"{self.blocks} block{'s' if self.blocks > 1 else ''}"
        return (
            f"{self.bits} bits from {self.raw_bits} raw bits with {self.entropy_bits:.1f} bits of "
            f"min-entropy, by {self.method} in {blocks}\n"
            f"error {self.epsilon:.3g} in all; seed {self.seed_bits} bits from {self.seed_source}; net "
            f"{self.net_bits} bits"
        )


def extract_bits(
    raw: npt.ArrayLike,
    *,
    entropy_bits: float,
    epsilon: float,
    bits: int | None = None,
    seed: int | str | Path | None = None,
    budget: float | None = None,
) -> tuple[Bits, Extraction]:
    """Hash 0/1 values in one block.

    Args:
        raw: 0/1, one dimension.
        entropy_bits: their min-entropy given all side information, at most their number.
        epsilon: error allowed, strictly between 0 and 1.
        bits: how many are wanted; None takes all, in whole bytes.
        seed, budget: as in `extract_file`.

    Returns:
        The bits, 0/1, uint8, and the record.

    Raises:
        ArgumentError: values other than 0 and 1, more bits than the entropy allows, a bad seed.
    """
    from ebit.analysis.toeplitz import toeplitz_hash

    values = np.asarray(raw)
    n = len(values) if values.ndim == 1 else 0
    if not n:
        raise ArgumentError(
            f"Argument `raw` must be 0 and 1 in one dimension, not empty, but had shape {values.shape}."
        )
    if not 0 < entropy_bits <= n:
        raise ArgumentError(
            f"Argument `entropy_bits` must lie above 0 and at or below the {n} raw bits, but was "
            f"{entropy_bits!r}."
        )
    _check(1.0, epsilon, bits)
    plan = plan_blocks(n, Fraction(entropy_bits) / n, epsilon, n, bits)
    drawn = draw_seed(plan.seed_bits, seed)
    key = np.unpackbits(drawn.packed, count=drawn.bits)
    hashed = toeplitz_hash(values, key, plan.last_output)
    spend_seed(drawn, epsilon, budget, {"bits": plan.bits, "raw_bits": n})
    return hashed, _record(plan, drawn, entropy_bits / n, epsilon, None, 0)


def extract_file(
    source: str | Path,
    target: str | Path,
    *,
    entropy_rate: float,
    epsilon: float,
    bits: int | None = None,
    raw_bits: int | None = None,
    block_bits: int = BLOCK_BITS,
    seed: int | str | Path | None = None,
    budget: float | None = None,
    progress: Progress | None = None,
) -> Extraction:
    """Hash a file of packed raw bits, block by block, into a file of packed random bits.

    All blocks are hashed with the same seed, which a strong extractor allows; their errors add up to
    `epsilon`. The output appears whole, under its name, or not at all.

    Args:
        source: raw bits, eight to a byte; bit k is bit 7 - k % 8 of byte k // 8.
        target: the output, packed likewise; where `bits` is no multiple of 8 the last byte is filled
            up with zeros.
        entropy_rate: min-entropy per raw bit, above 0 and at most 1, in each block given all earlier
            ones and all side information.
        epsilon: error allowed for the whole output, strictly between 0 and 1.
        bits: how many are wanted, from as few blocks as give them; None takes all, in whole bytes.
        raw_bits: how many bits of the file count; None is all.
        block_bits: raw bits per block, a multiple of 8, at least 1024.
        seed: None draws it from the operating system. A path names a file of uniform bits that is
            independent of the device; its uses are written down beside it. A number seeds a
            pseudo-random generator, for repetition.
        budget: what the errors of all uses of a seed file may add up to, fixed at its first use; None
            allows that one use.
        progress: called with (raw bits done, raw bits in all).

    Returns:
        The record, the seed's cost and source included.

    Raises:
        ArgumentError: files that cannot be used, more bits than the entropy allows, a seed that is too
            short, is the data or is spent.
    """
    from ebit.analysis.binomial import check_count

    path, out = Path(source), Path(target)
    _check(entropy_rate, epsilon, bits)
    if check_count("block_bits", block_bits, low=_SHORTEST) % 8:
        raise ArgumentError(
            f"Argument `block_bits` must be a multiple of 8 and at least {_SHORTEST}, but was {block_bits}."
        )
    held = 8 * _size(path)
    wanted = held if raw_bits is None else check_count("raw_bits", raw_bits)
    if not 0 < wanted <= held:
        raise ArgumentError(
            f"Argument `raw_bits` must be 1 to the {held} bits of {path.name}, but was {wanted}."
            if held
            else f"Argument `source` must hold raw bits, but {path.name} is empty."
        )
    _check_places(path, out, seed)
    plan = plan_blocks(wanted, entropy_rate, epsilon, block_bits, bits)
    drawn = draw_seed(plan.seed_bits, seed)
    spend_seed(drawn, epsilon, budget, {"bits": plan.bits, "raw_bits": plan.raw_bits})
    write_whole(out, lambda file: _write(file, path, plan, drawn, progress))
    return _record(plan, drawn, entropy_rate, epsilon, str(out), wanted - plan.raw_bits)


def _check(rate: float, epsilon: float, bits: int | None) -> None:
    from ebit.analysis.binomial import check_count, check_probability

    check_probability("epsilon", epsilon, open_ends=True)
    if not 0 < rate <= 1:
        raise ArgumentError(
            f"Argument `entropy_rate` must be above 0 and at most 1, but was {rate!r}."
        )
    if bits is not None:
        check_count("bits", bits, low=1)


def _size(path: Path) -> int:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ArgumentError(f"cannot read {path}: {error.strerror or error}") from None
    if not path.is_file():
        raise ArgumentError(f"cannot read {path}: it is not a file")
    return size


def _check_places(source: Path, target: Path, seed: int | str | Path | None) -> None:
    """Refuse a seed that is the data, and an output that would replace either."""

    def same(a: Path, b: Path) -> bool:
        return a.exists() and b.exists() and os.path.samefile(a, b)

    if same(source, target):
        raise ArgumentError(
            f"Argument `target` must be another file than the source, {source.name}."
        )
    if not isinstance(seed, str | os.PathLike):
        return
    key = Path(seed)
    if same(key, source):
        raise ArgumentError(
            f"Argument `seed` must be independent of the data, but {key.name} is the source itself."
        )
    if same(key, target) or same(record_path(key), target):
        raise ArgumentError(f"Argument `target` must be another file than the seed, {key.name}.")


def _record(
    plan: BlockPlan, seed: Seed, rate: float, epsilon: float, file: str | None, unused: int
) -> Extraction:
    return Extraction(
        bits=plan.bits,
        file=file,
        raw_bits=plan.raw_bits,
        entropy_bits=rate * plan.raw_bits,
        entropy_rate=rate,
        blocks=plan.blocks,
        block_bits=plan.block_bits,
        epsilon=epsilon,
        epsilon_per_block=plan.epsilon,
        seed_bits=plan.seed_bits,
        seed_source=seed.source,
        seed_kind=seed.kind,
        seed_sha256=seed.sha256,
        net_bits=plan.bits - plan.seed_bits,
        unused_raw_bits=unused,
        assumptions=(*_ASSUMED, *((_BLOCKWISE,) if plan.blocks > 1 else ())),
        not_given=(_PSEUDO,) if seed.kind == "pseudo-random" else (),
    )


def _write(
    file: BinaryIO, source: Path, plan: BlockPlan, seed: Seed, progress: Progress | None
) -> None:
    """Hash block after block; bits that do not fill a byte wait for the next block."""
    from ebit.analysis.toeplitz import ToeplitzHash

    made: dict[tuple[int, int], ToeplitzHash] = {}
    waiting, left, done = np.zeros(0, np.uint8), plan.bits, 0
    for (n, m), block in zip(plan.sizes, _blocks(source, plan), strict=True):
        if (n, m) not in made:
            made.clear()
            made[n, m] = ToeplitzHash(seed.packed, n, m)
        fresh = np.unpackbits(made[n, m](block), count=min(m, left))
        left -= len(fresh)
        waiting = np.concatenate([waiting, fresh])
        whole = len(waiting) if not left else len(waiting) // 8 * 8
        file.write(np.packbits(waiting[:whole]).tobytes())
        waiting = waiting[whole:]
        done += n
        if progress:
            progress(done, plan.raw_bits)


def _blocks(source: Path, plan: BlockPlan) -> Iterator[Bits]:
    try:
        with source.open("rb") as file:
            for n, _ in plan.sizes:
                size = (n + 7) // 8
                raw = file.read(size)
                if len(raw) < size:
                    raise ArgumentError(
                        f"{source} became shorter while it was read; nothing was written."
                    )
                yield np.frombuffer(raw, np.uint8)
    except OSError as error:
        raise ArgumentError(f"cannot read {source}: {error.strerror or error}") from None
