"""Raw bits: the order stated, chunks and files alike, seeds, records, memory, what is refused."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ebit.backends import AerBackend
from ebit.circuits import (
    bell_halves_source,
    chsh,
    ghz_source,
    hadamard_source,
    raw_clbits,
    rounds_tested,
    spot_checked_chsh,
)
from ebit.games import ArgumentError, BudgetError, Shots
from ebit.protocols import raw_bits as module
from ebit.protocols.raw_bits import pack_bits, raw_bits, shots_to_bits


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_packing_is_the_plain_loop(data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 40))
    rows = data.draw(st.integers(1, 30))
    seed = data.draw(st.integers(0, 2**32))
    chosen = data.draw(st.lists(st.integers(0, width - 1), min_size=1, unique=True))
    bits = np.random.default_rng(seed).integers(0, 2, (rows, width))
    for clbits in (tuple(chosen), tuple(range(width))):
        expected = [int(bits[i, j]) for i in range(rows) for j in clbits]
        found = shots_to_bits(Shots.from_bits([bits]), clbits)
        np.testing.assert_array_equal(found, pack_bits(expected))
        text = "".join(map(str, expected)).ljust(8 * len(found), "0")
        assert int(text, 2) == int.from_bytes(found.tobytes(), "big")


@pytest.mark.parametrize(
    "source",
    [hadamard_source(16), hadamard_source(5), bell_halves_source(2), spot_checked_chsh(0.2)],
    ids=lambda s: s.name,
)
def test_bits_are_those_of_the_shots(source: Any) -> None:
    raw = raw_bits("aer", source, 1001, seed=3, records=True)
    assert raw.records is not None
    columns = list(raw_clbits(source))
    expected = raw.records.bits(0)[:, columns].ravel()[:1001]
    np.testing.assert_array_equal(raw.unpacked(), expected)
    assert raw.packed is not None
    assert raw.packed.shape == (126,)
    assert raw.packed[-1] & 0x7F == 0
    assert raw.shots == -(-1001 // len(columns)) == raw.records.n


@pytest.mark.parametrize(
    "source", [hadamard_source(16), hadamard_source(7), chsh(settings="per-shot")]
)
def test_chunks_join_and_files_hold_the_same(
    source: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHUNK_SHOTS", 104)
    seen: list[tuple[int, int]] = []
    raw = raw_bits("aer", source, 5003, seed=9, progress=lambda *a: seen.append(a), records=True)
    path = tmp_path / "deep" / "bits.bin"
    streamed = raw_bits("aer", source, 5003, seed=9, file=path)
    assert raw.packed is not None
    assert streamed.packed is None
    assert path.read_bytes() == raw.packed.tobytes()
    assert raw.records is not None
    expected = raw.records.bits(0)[:, list(raw_clbits(source))].ravel()[:5003]
    np.testing.assert_array_equal(raw.unpacked(), expected)
    assert seen[-1] == (raw.shots, raw.shots)
    assert [a for a, _ in seen] == sorted(a for a, _ in seen)
    assert len({a for a, _ in seen}) >= raw.shots // 104
    assert [p.name for p in path.parent.iterdir()] == ["bits.bin"]
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(ArgumentError, match="not in memory"):
        streamed.unpacked()


def test_chunks_are_independent_and_fair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK_SHOTS", 1 << 12)
    raw = raw_bits("aer", hadamard_source(16), 1 << 20, seed=0)
    words = raw.unpacked().reshape(-1, 8)
    counts = np.bincount(np.packbits(words), minlength=256)
    assert stats.chisquare(counts).pvalue > 1e-4
    halves = raw.unpacked().reshape(16, -1)
    for k in range(15):
        same = (halves[k] == halves[k + 1]).mean()
        assert abs(same - 0.5) < 5 / np.sqrt(4 * halves.shape[1])


def test_seed_repeats() -> None:
    one, same, other = (raw_bits("aer", bits=4000, seed=s).packed for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    unseeded = raw_bits("aer", bits=4000)
    assert unseeded.seed is not None
    again = raw_bits("aer", bits=4000, seed=unseeded.seed)
    np.testing.assert_array_equal(unseeded.packed, again.packed)


def test_rounds_come_along(tmp_path: Path) -> None:
    source = spot_checked_chsh(0.3)
    raw = raw_bits("aer", source, 400_000, seed=5)
    trials = raw.trials
    assert trials.ordered
    assert trials.chosen == "per-shot"
    assert trials.source == "device"
    assert raw.records is not None
    rate = rounds_tested(source, raw.records).mean()
    assert abs(rate - 0.3) < 5 * np.sqrt(0.21 / raw.shots)
    counts = trials.counts.sum(axis=(2, 3)).ravel()
    assert stats.chisquare(counts, source.game.distribution * raw.shots).pvalue > 1e-4
    counted = raw_bits("aer", source, 400_000, seed=5, file=tmp_path / "x").trials
    np.testing.assert_array_equal(counted.counts, trials.counts)
    assert (counted.chosen, counted.ordered) == ("per-shot", False)
    with pytest.raises(ArgumentError, match="no rounds to score"):
        raw_bits("aer", bits=100, seed=1).trials  # noqa: B018


def test_other_halves_and_places() -> None:
    raw = raw_bits("aer", ghz_source(3), 64, seed=1)
    assert raw.records is not None
    bits = raw.records.bits(0)
    assert (bits == bits[:, :1]).all()
    wide = raw_bits("aer:fez", hadamard_source(range(40)), 4000, seed=1)
    assert wide.per_shot == 40
    assert wide.qubits == tuple(range(40))
    assert raw_bits("cirq", hadamard_source(3), 30, seed=1).bits == 30


def test_any_qubits_will_do_are_those_read_best() -> None:
    from ebit.backends import load_calibration

    fez = load_calibration("fez")
    raw = raw_bits("aer:fez", hadamard_source(16), 160, seed=1)
    errors = sorted(r.error for r in fez.readout if r is not None)
    assert sorted(fez.readout[q].error for q in raw.qubits) == errors[:16]  # type: ignore[union-attr]


def test_objects_are_backends_too() -> None:
    from qiskit_aer import AerSimulator

    raw = raw_bits(AerSimulator(), hadamard_source(6), 60_000, seed=4)
    assert raw.randomness == "pseudo (simulator)"
    counts = np.bincount(raw.unpacked().reshape(-1, 6) @ (1 << np.arange(6)), minlength=64)
    assert stats.chisquare(counts).pvalue > 1e-4


def test_a_remote_run_goes_through_the_ledger(tmp_path: Path) -> None:
    from ebit.backends import list_jobs
    from tests.fakeprovider import LabBackend

    lab, source = LabBackend(tmp_path / "lab"), hadamard_source(5)
    raw = raw_bits(lab, source, 200, confirm=True, records=True)
    assert raw.records is not None
    np.testing.assert_array_equal(raw.unpacked(), raw.records.bits(0).ravel()[:200])
    assert len(list_jobs()) == 1
    with pytest.raises(BudgetError, match="agreed"):
        raw_bits(lab, source, 200, confirm=False)


def test_memory_of_any_width_is_read() -> None:
    from ebit.backends.simulate import bits_of_memory

    rng = np.random.default_rng(1)
    for width in (1, 7, 8, 31, 63, 64, 65, 130):
        bits = rng.integers(0, 2, (20, width), dtype=np.uint8)
        memory = [hex(sum(int(b) << j for j, b in enumerate(row))) for row in bits]
        np.testing.assert_array_equal(bits_of_memory(memory, width), bits)


def test_result_says_what_it_is() -> None:
    raw = raw_bits("aer", hadamard_source(8), 800, seed=2)
    data = raw.to_dict()
    assert data["raw_bits"] == 800
    assert data["randomness"] == "pseudo (simulator)"
    assert data["separation"] == "simulated"
    assert "random numbers: pseudo-random, seed 2" in data["assumptions"]
    assert any("raw" in text for text in data["not_given"])
    assert "800 pseudo-random bits from hadamard:8 on aer" in str(raw)


def test_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK_SHOTS", 80)
    fetch, calls = AerBackend.fetch, []

    def failing(self: Any, handle: Any, **rest: Any) -> Any:
        calls.append(handle)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return fetch(self, handle, **rest)

    monkeypatch.setattr(AerBackend, "fetch", failing)
    with pytest.raises(KeyboardInterrupt):
        raw_bits("aer", bits=10_000, seed=1, file=tmp_path / "bits")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (lambda: raw_bits("aer", bits=0), "bits must be a whole number of at least 1, but was 0"),
        (lambda: raw_bits("aer", bits=1.5), "but was 1.5"),  # type: ignore[arg-type]
        (lambda: raw_bits("aer", bits=True), "but was True"),
        (lambda: raw_bits("aer", chsh(), 10), "must be of one circuit"),
        (lambda: raw_bits("aer", "hadamard", 10), "source must be an experiment"),  # type: ignore[arg-type]
        (lambda: raw_bits("aer", bits=10, seed=-1), "seed must be an integer >= 0"),
        (lambda: raw_bits("aer", bits=10, qubits=(1, 2)), "qubits must be 16 different"),
        (
            lambda: raw_bits("aer:fez", spot_checked_chsh(0.1, coins="shared"), 10),
            "take spot_checked_chsh.*coins='independent'",
        ),
        (lambda: pack_bits([0, 2]), "list of 0 and 1"),
        (lambda: pack_bits([[0, 1]]), "list of 0 and 1"),
        (lambda: raw_bits("aer", bits=10, file=__file__ + "/x"), "cannot write"),
    ],
)
def test_bad_raw_input_is_one_line(work: Callable[[], object], words: str) -> None:
    with pytest.raises(ArgumentError, match=words) as caught:
        work()
    assert "\n" not in str(caught.value)


def test_budget_is_kept() -> None:
    with pytest.raises(BudgetError, match="more than the"):
        raw_bits("aer:fez", hadamard_source(range(40)), 10**12, seed=1, max_seconds=1e-6)


_BIG = """
import re, sys
from ebit.protocols.raw_bits import raw_bits
raw = raw_bits("aer", bits=10**9, seed=1, file=sys.argv[1])
# The kernel's own peak: what getrusage tells is inherited from the process that started this one.
print(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1], raw.bits)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is counted in kB there")
def test_a_billion_bits_in_less_than_a_gigabyte(tmp_path: Path) -> None:
    path = tmp_path / "bits"
    out = subprocess.run(
        [sys.executable, "-c", _BIG, str(path)], capture_output=True, text=True, check=True
    )
    kilobytes, bits = map(int, out.stdout.split())
    print(f"\n10^9 raw bits: {kilobytes / 1024:.0f} MB at most")
    assert bits == 10**9
    assert path.stat().st_size == 125_000_000
    assert kilobytes < 1_000_000
