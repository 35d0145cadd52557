"""ebit health."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from ebit.cli.common import check_folder, common, emit, progress_bar, save_json
from ebit.games.errors import ArgumentError, RefusedError

_PIECE = 1 << 22  # bytes read at once
_MOST = 10_000_000
_SPACE = np.frombuffer(b" \t\r\n", np.uint8)

Bytes = npt.NDArray[np.uint8]


@click.command(name="health")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--bits",
    type=click.IntRange(1, 8),
    help="Bits per symbol; without it, as many as the largest symbol needs (packed and text: 1).",
)
@click.option(
    "--packed",
    is_flag=True,
    help="Bytes hold 8/N symbols of --bits N (1, 2, 4 or 8), the first one highest.",
)
@click.option("--text", is_flag=True, help="Characters 0 and 1; white space is passed over.")
@click.option(
    "--claim",
    type=float,
    help="Min-entropy per symbol that the health tests hold against; all its bits without it.",
)
@click.option(
    "--alpha-bits",
    type=click.FloatRange(10, 100),
    help="False alarms of the health tests at 2^-N per symbol; without it, 20 for the whole file "
    "and at most 40 per symbol.",
)
@click.option(
    "--samples",
    type=click.IntRange(1, _MOST),
    default=1_000_000,
    show_default=True,
    help="Symbols for the estimates, from the beginning; the health tests take all.",
)
@click.option("--iid", is_flag=True, help="Also test whether symbols are independent and alike.")
@click.option(
    "--permutations",
    type=click.IntRange(min=100),
    default=10_000,
    show_default=True,
    help="Most shuffles of the IID tests.",
)
@common()
def command(
    file: Path,
    *,
    bits: int | None,
    packed: bool,
    text: bool,
    claim: float | None,
    alpha_bits: float | None,
    samples: int,
    iid: bool,
    permutations: int,
    seed: int | None,
    out: Path | None,
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> int:
    """Test the health of random symbols in FILE and estimate their min-entropy (SP 800-90B).

    A byte is a symbol, unless --packed or --text says otherwise, or the certificate that ebit random
    wrote beside the file.

    \b
    ebit health symbols.bin --bits 4
    ebit health random.bin --packed --claim 0.9
    ebit health bits.txt --text --iid --json

    Leaves with exit code 3 when a health test fails. Passing is not unpredictability.
    """
    del debug
    check_folder(out)
    size = _check_file(file)
    packed, text, told = _told(file, bits, packed=packed, text=text)
    width = _width(file, bits, packed=packed, text=text)
    from ebit.analysis.health_online import HealthTests
    from ebit.analysis.health_report import health_report, stretch_alpha, watch

    per_byte = 8 // width if packed else 1
    alpha = stretch_alpha(size * per_byte) if alpha_bits is None else 2.0**-alpha_bits
    tests = HealthTests(float(width) if claim is None else claim, width, alpha=alpha)
    counter = _Counter(samples)
    with progress_bar(f"health tests of {file.name}", quiet=quiet) as report:
        pieces = counter.passing(_pieces(file, width, packed=packed, text=text), report, size)
        record = watch(tests, pieces)
        for _ in pieces:  # a failed test ends the testing, not the counting
            pass
    if counter.total == 0:
        raise ArgumentError(f"{file} holds no symbols")
    with progress_bar(f"estimates of {file.name}", quiet=quiet) as report:
        try:
            found = health_report(
                counter.beginning,
                width,
                first=samples,
                iid=iid,
                permutations=permutations,
                seed=0 if seed is None else seed,
                health=record,
                total=counter.total,
                progress=report,
            )
        except RefusedError:
            raise
        except ArgumentError as error:  # too short to be estimated, not to be tested
            tested = "passed" if record.passed else f"failed: {record.failure}"
            raise ArgumentError(
                f"{error} The health tests of these {counter.total} {tested}."
            ) from None
    guess = "" if bits or packed or text else " (as many as the largest symbol needs)"
    how = ("text" if text else "packed" if packed else "a byte each") + told
    result: dict[str, Any] = {"file": str(file), "format": how, **found.to_dict()}
    if out is not None:
        from ebit.plots.health import save_health_figure

        save_json(out / "results.json", result)
        save_health_figure(found, out)
    emit(
        result,
        lambda: (
            f"{file}: {counter.total} symbols of {width} bit{'s' * (width > 1)}{guess}, {how}\n"
            f"{found}"
        ),
        as_json=as_json,
    )
    return 0 if found.passed else 3


class _Counter:
    """Counts symbols that pass by, and keeps the first of them."""

    def __init__(self, keep: int) -> None:
        self.total = 0
        self._keep = keep
        self._kept: list[Bytes] = []

    def passing(
        self, pieces: Iterator[tuple[Bytes, int]], report: Any, size: int
    ) -> Iterator[Bytes]:
        for piece, read in pieces:
            if self.total < self._keep:
                self._kept.append(piece[: self._keep - self.total].copy())
            self.total += piece.size
            report(read, size)
            yield piece

    @property
    def beginning(self) -> Bytes:
        return np.concatenate(self._kept)


def _check_file(file: Path) -> int:
    """The size of a file that can be read and is not empty."""
    if not file.is_file():
        what = "is a folder" if file.is_dir() else "is no file" if file.exists() else "is not there"
        raise ArgumentError(f"FILE must be a file of random symbols, but {file} {what}")
    if not os.access(file, os.R_OK):
        raise ArgumentError(f"FILE cannot be read: {file}")
    size = file.stat().st_size
    if size == 0:
        raise ArgumentError(f"FILE must hold random symbols, but {file} is empty")
    return size


def _told(file: Path, bits: int | None, *, packed: bool, text: bool) -> tuple[bool, bool, str]:
    """Packed, text, and why: as said, or as the certificate beside the file says."""
    side = file.with_name(f"{file.name}.json")
    if packed or text or bits is not None:
        return packed, text, ""
    try:
        kind = json.loads(side.read_text("utf-8")).get("format")
    except (OSError, ValueError, AttributeError):
        kind = None
    if kind in ("raw", "numbers"):
        return kind == "raw", kind == "numbers", f" ({side.name} says so)"
    if kind in ("hex", "base64"):
        raise ArgumentError(
            f"FILE must hold raw bits or numbers, but {side.name} says that it is {kind}: write the "
            "bits with --format raw"
        )
    with file.open("rb") as stream:
        start = np.frombuffer(stream.read(_PIECE), np.uint8)
    if np.isin(start, [*_SPACE, ord("0"), ord("1")]).all() and (start >= ord("0")).any():
        raise ArgumentError(
            f"{file} holds the characters 0 and 1 alone: give --text if they are bits, or --bits 8"
        )
    return False, False, ""


def _width(file: Path, bits: int | None, *, packed: bool, text: bool) -> int:
    """Bits per symbol: as said, or as many as the largest byte needs."""
    if packed and text:
        raise ArgumentError("give --packed or --text, not both")
    if text and bits not in (None, 1):
        raise ArgumentError(f"--text has 1 bit per symbol, but --bits was {bits}")
    if packed and bits not in (None, 1, 2, 4, 8):
        raise ArgumentError(f"--packed needs --bits 1, 2, 4 or 8, but it was {bits}")
    if bits is not None or packed or text:
        return bits or 1
    largest = max(int(piece.max()) for piece in _read(file))
    return max(largest.bit_length(), 1)


def _read(file: Path) -> Iterator[Bytes]:
    with file.open("rb") as stream:
        while data := stream.read(_PIECE):
            yield np.frombuffer(data, np.uint8)


def _pieces(file: Path, width: int, *, packed: bool, text: bool) -> Iterator[tuple[Bytes, int]]:
    """The symbols piece by piece, each with the bytes read so far."""
    read = 0
    for data in _read(file):
        start, read = read, read + data.size
        if text:
            bits = data[~np.isin(data, _SPACE)]
            wrong = (bits != ord("0")) & (bits != ord("1"))
            if wrong.any():
                at = start + int(np.argmax(~np.isin(data, [*_SPACE, ord("0"), ord("1")])))
                raise ArgumentError(
                    f"--text takes characters 0 and 1, but byte {at} of {file} is "
                    f"{chr(int(bits[wrong][0]))!r}"
                )
            yield bits - np.uint8(ord("0")), read
        elif packed and width < 8:
            bits = np.unpackbits(data)
            weights = 1 << np.arange(width, dtype=np.uint8)[::-1]
            yield bits if width == 1 else bits.reshape(-1, width) @ weights, read
        else:
            if data.max() >= 1 << width:
                at = start + int(np.argmax(data >= 1 << width))
                raise ArgumentError(
                    f"symbols of {width} bit{'s' * (width > 1)} are below {1 << width}, but byte "
                    f"{at} of {file} is {data[at - start]}: give the right --bits, or --packed"
                )
            yield data, read
