"""Raw bits from a source: through the packed shots, in chunks, into memory or straight to a file."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from ebit.games import ArgumentError, Shots
from ebit.protocols.private_files import private_file
from ebit.protocols.raw_result import RawBits
from ebit.protocols.run import Progress, check_shots, run_experiment
from ebit.protocols.terms import Confirm, agree, check_terms

if TYPE_CHECKING:
    from ebit.backends import Backend, Compiled, Outcome
    from ebit.circuits.program import Program

__all__ = ["RawBits", "pack_bits", "raw_bits", "shots_to_bits"]

_CHUNK_SHOTS = 1 << 20
_CHUNK_BYTES = 1 << 22  # of packed shots: what is unpacked of a chunk stays in tens of megabytes
_FLIPPED = np.packbits(
    np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little"), axis=1
).ravel()

Bytes = npt.NDArray[np.uint8]


def raw_bits(
    backend: str | object = "aer",
    source: Program | None = None,
    bits: int = 1_000_000,
    *,
    seed: int | None = None,
    qubits: Sequence[int] | None = None,
    file: str | Path | None = None,
    records: bool | None = None,
    progress: Progress | None = None,
    confirm: Confirm = None,
    max_seconds: float | None = None,
) -> RawBits:
    """Take raw bits from a source on a backend.

    A simulator works in chunks of at most 2^20 shots, each with a seed drawn from ``seed``, so
    that with ``file`` any number of bits passes through bounded memory. A run on a processor is
    one job, and goes through the ledger.

    Args:
        backend: a name such as "aer" or "aer:fez", or an object such as ``AerSimulator()``.
        source: what makes the bits, of one circuit; ``hadamard_source(16)`` if left out.
        bits: how many raw bits.
        seed: makes a simulator's bits repeatable; drawn by the operating system if left out.
        qubits: physical qubits in the order of the source's; chosen by calibration if left out.
        file: write the bits there, whole or not at all, readable by their owner only.
        records: keep all bits of all shots, settings included, in memory; if left out, they are
            kept of a source that records more than its raw bits, unless the bits go to a file.
        progress: called with (shots done, shots in all).
        confirm: whether to send a paid run; asked of you if left out.
        max_seconds: refuse a run that would take longer.

    Returns:
        The bits. They are raw: nothing is certified, and nothing was extracted.

    Raises:
        ArgumentError: a source, number or qubits that do not fit.
        BudgetError: too expensive, or not agreed to.

    Example:
        >>> from ebit.circuits import hadamard_source
        >>> raw = raw_bits("aer", hadamard_source(16), 100, seed=1)
        >>> raw.packed.shape, raw.shots, raw.randomness
        ((13,), 7, 'pseudo (simulator)')
    """
    from ebit.backends import open_backend
    from ebit.backends.local import check_seed, fresh_seed
    from ebit.circuits import hadamard_source, raw_clbits

    begun = time.monotonic()
    program = hadamard_source(16) if source is None else source
    wanted = _check_bits(bits)
    seed = check_seed(seed)
    clbits = raw_clbits(program)
    if not clbits:
        raise ArgumentError(f"source must yield raw bits, but {program.name!r} reads none")
    shots = check_shots(-(-wanted // len(clbits)))
    where = open_backend(backend)
    if qubits is None:
        qubits = loose_qubits(program, where)
    extra = program.widths[0] > len(clbits)
    keep = (extra and file is None) if records is None else bool(records)
    if where.describe().remote:
        run = run_experiment(
            program,
            where,
            shots=shots,
            qubits=qubits,
            seed=seed,
            progress=progress,
            confirm=confirm,
            max_seconds=max_seconds,
            purpose={"kind": "raw bits"},
        )
        compiled, outcomes = run.compiled, iter([run.outcome])
        randomness, separation = run.randomness, run.separation
    else:
        compiled = _compiled(where, program, qubits)
        check_terms(confirm, max_seconds)
        agree(where, program, shots, confirm=confirm, max_seconds=max_seconds)
        simulated = where.describe().kind == "simulator"
        if simulated and seed is None:
            seed = fresh_seed()
        outcomes = _chunks(where, compiled, shots, seed, progress)
        randomness = "pseudo (simulator)" if simulated else "device"
        separation = "simulated" if simulated else "one chip"
    gathered = _Gathered(program, clbits, keep=keep, count=extra and not keep)
    if file is None:
        packed = np.empty((wanted + 7) // 8, dtype=np.uint8)
        at = 0
        for piece in gathered.pieces(outcomes, wanted):
            packed[at : at + len(piece)] = piece
            at += len(piece)
        path = None
    else:
        packed, path = None, Path(file)
        with private_file(path) as out:
            for piece in gathered.pieces(outcomes, wanted):
                out.write(piece.tobytes())
    last = gathered.last
    return RawBits(
        packed=packed,
        file=path,
        bits=wanted,
        per_shot=len(clbits),
        shots=gathered.shots,
        source=program.name,
        source_id=program.id,
        backend=where.name,
        seed=seed if randomness != "device" else None,
        method=last.method,
        guard=compiled.guard.status,
        qubits=tuple(compiled.qubits),
        randomness=randomness,
        separation=separation,
        assumptions=_without_chunk_seed(last, seed),
        not_given=(*last.not_given, "certified entropy: these bits are raw"),
        seconds=time.monotonic() - begun,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        records=gathered.records(),
        tables=gathered.tables,
        experiment=program,
    )


def shots_to_bits(shots: Shots, clbits: Sequence[int]) -> Bytes:
    """Return the named bits of every shot of the only circuit, packed: shot 0 first.

    Args:
        shots: of one circuit.
        clbits: classical bits in the order wanted.

    Returns:
        uint8 (ceil(shots * len(clbits) / 8),), the first bit the most significant of its byte.

    Example:
        >>> shots_to_bits(Shots.from_bits([[[0, 1, 1], [0, 0, 1]]]), (1, 2)).tolist()
        [208]
    """
    packed, width = shots.packed[0], shots.widths[0]
    if width % 8 == 0 and tuple(clbits) == tuple(range(width)):
        return np.asarray(_FLIPPED[packed.reshape(-1)], dtype=np.uint8)
    bits = shots.bits(0)
    steps = set(np.diff(clbits).tolist()) or {1}
    if len(steps) == 1 and min(steps) > 0:  # a view costs less than picking columns
        chosen = bits[:, clbits[0] : clbits[-1] + 1 : steps.pop()]
    else:
        chosen = bits[:, list(clbits)]
    return np.packbits(chosen.reshape(-1))


def pack_bits(bits: npt.ArrayLike) -> Bytes:
    """Pack bits as everything here does: the first is the most significant of the first byte.

    >>> pack_bits([1, 0, 0, 0, 0, 0, 0, 1, 1]).tolist()
    [129, 128]
    """
    given = np.asarray(bits)
    if given.ndim != 1 or (given.size and not ((given == 0) | (given == 1)).all()):
        raise ArgumentError(
            f"bits must be a list of 0 and 1, but had shape {given.shape} and values outside"
            if given.ndim == 1
            else f"bits must be a list of 0 and 1, but had {given.ndim} dimensions"
        )
    return np.packbits(given.astype(np.uint8))


class _Gathered:
    """What is taken along while the outcomes pass."""

    def __init__(self, program: Program, clbits: Sequence[int], *, keep: bool, count: bool) -> None:
        self.program, self.clbits, self.keep = program, clbits, keep
        self.count = count and hasattr(program, "game")
        self.kept: list[Bytes] = []
        self.tables: npt.NDArray[np.int64] | None = None
        self.shots = 0
        self.last: Any = None

    def pieces(self, outcomes: Iterator[Outcome], wanted: int) -> Iterator[Bytes]:
        left = wanted
        for outcome in outcomes:
            shots = outcome.shots
            self.last = outcome
            self.shots += shots.n
            if self.keep:
                self.kept.append(shots.packed[0])
            if self.count:
                found = self.program.decode(shots).counts
                self.tables = found if self.tables is None else self.tables + found
            piece = shots_to_bits(shots, self.clbits)
            given = min(left, shots.n * len(self.clbits))
            piece = piece[: (given + 7) // 8]
            if given % 8:
                piece[-1] &= 0xFF << (8 - given % 8) & 0xFF
            left -= given
            yield piece
        if left:
            raise ArgumentError(
                f"the backend must return {wanted} raw bits, but fell short by {left}"
            )

    def records(self) -> Shots | None:
        if not self.keep:
            return None
        whole = self.kept[0] if len(self.kept) == 1 else np.concatenate(self.kept)
        return Shots((whole,), (self.program.widths[0],))


def _chunks(
    where: Backend, compiled: Compiled, shots: int, seed: int | None, progress: Progress | None
) -> Iterator[Outcome]:
    row = (compiled.experiment.widths[0] + 7) // 8
    # Whole bytes of bits from every chunk but the last, whatever a shot's width.
    size = max(8, min(_CHUNK_SHOTS, _CHUNK_BYTES // row) // 8 * 8)
    for k, start in enumerate(range(0, shots, size)):
        count = min(size, shots - start)
        handle = where.submit(compiled, shots=count, id=uuid4().hex, seed=_chunk_seed(seed, k))

        def inside(done: int, total: int, start: int = start, count: int = count) -> None:
            if progress is not None and done < total:
                progress(start + count * done // total, shots)

        try:
            outcome = where.fetch(handle, progress=inside)
        finally:
            with suppress(Exception):  # it only forgets the run
                where.cancel(handle)
        yield outcome
        if progress is not None:
            progress(start + count, shots)


def _chunk_seed(seed: int | None, k: int) -> int | None:
    if seed is None:
        return None
    words = np.random.SeedSequence(seed, spawn_key=(k,)).generate_state(1, np.uint64)
    return int(words[0]) >> 11  # 53 bits, which every simulator takes


def _compiled(where: Backend, program: Program, qubits: Sequence[int] | None) -> Compiled:
    try:
        return where.compile(program, qubits=qubits)
    except ArgumentError as error:
        details = getattr(program, "details", {})
        if details.get("coins") == "shared" and "no place" in str(error):
            raise ArgumentError(
                f"coins='shared' needs a ring of five coupled qubits, which {where.name} does not "
                "have: take spot_checked_chsh(gamma, coins='independent'), which fits every chip"
            ) from None
        raise


def loose_qubits(program: Program, where: Backend) -> tuple[int, ...] | None:
    """The qubits read best, for a source that couples none: any place will do."""
    data = getattr(where, "calibration", None)
    if data is None or program.fixed is not None or program.couplings:
        return None
    known = [(r.error, q) for q, r in enumerate(data.readout) if r is not None]
    if len(known) < program.num_qubits:
        return None
    return tuple(q for _, q in sorted(known)[: program.num_qubits])


def _without_chunk_seed(outcome: Outcome, seed: int | None) -> tuple[str, ...]:
    """An outcome's assumptions, with the seed of the whole in place of that of its last chunk."""
    return tuple(
        f"random numbers: pseudo-random, seed {seed}"
        if text.startswith("random numbers: pseudo-random")
        else text
        for text in outcome.assumptions
    )


def _check_bits(bits: object) -> int:
    whole = isinstance(bits, (int, np.integer)) or (isinstance(bits, float) and bits.is_integer())
    if isinstance(bits, bool) or not whole or bits < 1:  # type: ignore[operator]
        raise ArgumentError(f"bits must be a whole number of at least 1, but was {bits!r}")
    return int(bits)  # type: ignore[call-overload,no-any-return]
