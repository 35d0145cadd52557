"""Files and arrays of raw bits to random bits: blocks, seeds and their budgets, refusals."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ebit.analysis.hash_lemma import output_length
from ebit.analysis.toeplitz import toeplitz_hash
from ebit.games import ArgumentError
from ebit.protocols.extracting import extract_bits, extract_file
from ebit.protocols.extraction_plan import plan_blocks
from ebit.protocols.seeds import draw_seed, record_path, spent

EPSILON = 2.0**-30


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    path = tmp_path / "raw.bin"
    path.write_bytes(np.random.default_rng(1).bytes(2500))
    return path


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "seed.bin"
    path.write_bytes(np.random.default_rng(2).bytes(5000))
    return path


def bits_of(path: Path, count: int | None = None) -> np.ndarray:
    return np.unpackbits(np.frombuffer(path.read_bytes(), np.uint8), count=count)


@pytest.mark.parametrize("block", [20_000, 8192, 4096, 1024])
@pytest.mark.parametrize("raw_bits", [None, 19_999, 8193])
def test_blocks_are_hashed_one_by_one(
    raw: Path, key: Path, tmp_path: Path, block: int, raw_bits: int | None
) -> None:
    target = tmp_path / "out.bin"
    result = extract_file(
        raw,
        target,
        entropy_rate=0.7,
        epsilon=EPSILON,
        block_bits=block,
        raw_bits=raw_bits,
        seed=key,
    )
    x, s = bits_of(raw, raw_bits), bits_of(key)
    want = []
    for start in range(0, result.raw_bits, block):
        part = x[start : min(start + block, result.raw_bits)]
        m = output_length(0.7 * len(part), result.epsilon_per_block)
        want.append(toeplitz_hash(part, s, m))
    joined = np.concatenate(want)
    assert 0 <= len(joined) - result.bits < 8
    assert (bits_of(target) == joined[: result.bits]).all()
    assert result.blocks == len(want)
    assert result.epsilon_per_block * result.blocks == pytest.approx(EPSILON, rel=1e-12)
    longest = result.bits if len(want) == 1 else len(want[0])
    assert result.seed_bits == min(block, result.raw_bits) + longest - 1
    assert result.net_bits == result.bits - result.seed_bits


def test_short_last_block_is_left_out_where_it_gives_nothing(raw: Path, tmp_path: Path) -> None:
    out = tmp_path / "o"
    result = extract_file(
        raw, out, entropy_rate=0.5, epsilon=1e-9, block_bits=4096, raw_bits=2 * 4096 + 40
    )
    assert (result.blocks, result.raw_bits, result.unused_raw_bits) == (2, 8192, 40)


def test_no_more_blocks_than_needed(raw: Path, tmp_path: Path) -> None:
    out = tmp_path / "o"
    result = extract_file(
        raw, out, entropy_rate=0.5, epsilon=EPSILON, block_bits=4096, bits=2001, seed=3
    )
    assert result.blocks == 2
    assert result.raw_bits == 8192
    assert result.bits == 2001
    assert len(out.read_bytes()) == 251
    assert not bits_of(out)[2001:].any()


@pytest.mark.parametrize("blocks", [1, 2, 3, 10])
def test_plan_gives_what_it_says(blocks: int) -> None:
    plan = plan_blocks(blocks * 2000 - 300, 0.5, EPSILON, 2000, None)
    assert sum(m for _, m in plan.sizes) - plan.bits in range(8)
    assert sum(n for n, _ in plan.sizes) == plan.raw_bits
    assert plan.epsilon * plan.blocks <= EPSILON * (1 + 1e-12)
    smaller = plan_blocks(blocks * 2000 - 300, 0.5, EPSILON, 2000, plan.bits)
    assert smaller.blocks == plan.blocks


def test_array_in_one_block(key: Path) -> None:
    x = np.random.default_rng(4).integers(0, 2, 3001)
    bits, record = extract_bits(x, entropy_bits=1500.0, epsilon=2**-20, seed=key)
    m = output_length(1500, 2**-20) // 8 * 8
    assert (bits == toeplitz_hash(x, bits_of(key), m)).all()
    assert record.file is None
    assert (record.bits, record.blocks, record.seed_bits) == (m, 1, 3001 + m - 1)
    few, _ = extract_bits(x, entropy_bits=1500.0, epsilon=2**-20, bits=7, seed=5)
    assert len(few) == 7


def test_sources_of_seeds(raw: Path, key: Path, tmp_path: Path) -> None:
    def run(seed: Any, name: str) -> Any:
        target = tmp_path / name
        made = extract_file(raw, target, entropy_rate=0.5, epsilon=EPSILON, seed=seed)
        return made, target.read_bytes()

    a, b = run(7, "a"), run(7, "b")
    assert a[1] == b[1]
    assert a[0].seed_kind == "pseudo-random"
    assert "pseudo-random" in a[0].seed_source
    assert "pseudo-random" in a[0].not_given[0]
    c, d = run(None, "c"), run(None, "d")
    assert c[1] != d[1]
    assert c[0].seed_kind == "system"
    assert not c[0].not_given
    e, _ = run(key, "e")
    assert e.seed_kind == "file"
    assert e.seed_sha256 == hashlib.sha256(key.read_bytes()).hexdigest()
    assert "seed.bin" in e.seed_source
    plain = json.loads(json.dumps(e.to_dict()))
    assert plain["seed_bits"] == e.seed_bits
    assert f"seed {e.seed_bits} bits from the file seed.bin" in str(e)


def test_seed_file_is_spent_after_one_use(raw: Path, key: Path, tmp_path: Path) -> None:
    first = tmp_path / "1"
    extract_file(raw, first, entropy_rate=0.5, epsilon=EPSILON, seed=key)
    with pytest.raises(ArgumentError, match=r"spent 9.31e-10 of 9.31e-10.*fresh seed"):
        extract_file(raw, tmp_path / "2", entropy_rate=0.5, epsilon=EPSILON, seed=key)
    assert not (tmp_path / "2").exists()
    with pytest.raises(ArgumentError, match="fixed"):
        extract_file(raw, first, entropy_rate=0.5, epsilon=EPSILON, seed=key, budget=0.1)


def test_budget_lets_a_seed_serve_more_than_once(raw: Path, key: Path, tmp_path: Path) -> None:
    def run(**more: Any) -> None:
        extract_file(raw, tmp_path / "o", entropy_rate=0.5, epsilon=1e-6, seed=key, **more)

    run(budget=3e-6)
    run()
    run(budget=3e-6)
    used, budget = spent(draw_seed(8, key))
    assert used == pytest.approx(3e-6)
    assert budget == 3e-6
    with pytest.raises(ArgumentError, match="spent 3e-06 of 3e-06"):
        run()
    record = json.loads(record_path(key).read_text())
    assert [
        u["raw_bits"] for u in record[hashlib.sha256(key.read_bytes()).hexdigest()]["uses"]
    ] == [20_000] * 3
    key.write_bytes(np.random.default_rng(9).bytes(5000))  # another seed under the same name
    run()


def test_refused_before_anything_is_spent(raw: Path, key: Path, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="`bits`"):
        extract_file(raw, tmp_path / "o", entropy_rate=0.5, epsilon=EPSILON, seed=key, bits=10**5)
    assert not record_path(key).exists()


def test_locked_and_damaged_records(raw: Path, key: Path, tmp_path: Path) -> None:
    lock = record_path(key).with_name("seed.bin.spent.json.lock")
    lock.touch()
    with pytest.raises(ArgumentError, match="another process"):
        extract_file(raw, tmp_path / "o", entropy_rate=0.5, epsilon=EPSILON, seed=key)
    lock.unlink()
    for text in ("{", "[]", '{"a": {}}', '{"a": {"budget": 1, "uses": [{}]}}'):
        record_path(key).write_text(text)
        with pytest.raises(ArgumentError, match="not a record"):
            extract_file(raw, tmp_path / "o", entropy_rate=0.5, epsilon=EPSILON, seed=key)
    assert not lock.exists()


def test_progress_and_interruption(raw: Path, tmp_path: Path) -> None:
    target = tmp_path / "o"
    seen = []
    extract_file(
        raw, target, entropy_rate=0.5, epsilon=EPSILON, block_bits=8000,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert seen == [(8000, 20_000), (16_000, 20_000), (20_000, 20_000)]
    before = target.read_bytes()

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract_file(raw, target, entropy_rate=0.5, epsilon=EPSILON, progress=stop)
    assert target.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["o", "raw.bin"]


def test_source_that_shrinks(raw: Path, tmp_path: Path) -> None:
    raw.write_bytes(bytes(200_000))

    def cut(done: int, total: int) -> None:
        raw.write_bytes(b"x")

    with pytest.raises(ArgumentError, match="became shorter"):
        extract_file(
            raw, tmp_path / "o", entropy_rate=0.5, epsilon=EPSILON, block_bits=80_000, progress=cut
        )
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epsilon": 0.0}, "`epsilon`.*0.0"),
        ({"epsilon": 1}, "`epsilon`.*1"),
        ({"entropy_rate": 1.01}, "`entropy_rate`.*1.01"),
        ({"entropy_rate": 0}, "`entropy_rate`.*0"),
        ({"bits": 0}, "`bits`.*0"),
        ({"bits": 10_000}, "at most 9942, but was 10000: 20000 raw bits with 10000.0"),
        ({"raw_bits": 20_001}, "20000 bits of raw.bin.*20001"),
        ({"raw_bits": 0}, "20000 bits of raw.bin.*0"),
        ({"raw_bits": 0.5}, "`raw_bits`.*whole number.*0.5"),
        ({"block_bits": 1028}, "`block_bits`.*multiple of 8.*1028"),
        ({"block_bits": 512}, "`block_bits`.*at least 1024.*512"),
        ({"entropy_rate": 0.001}, "20000 raw bits with 20.0 bits of min-entropy give no bit"),
        ({"seed": -1}, "`seed`.*-1"),
        ({"seed": 1.5}, "`seed`.*1.5"),
        ({"seed": "raw.bin"}, "independent.*raw.bin is the source"),
        ({"seed": "none.bin"}, "cannot read the seed"),
        ({"seed": "short.bin"}, r"29935 bits \(3742 bytes\).*short.bin has 2 bytes"),
        ({"seed": "seed.bin", "budget": 2}, "`budget`.*2"),
        ({"source": "none.bin"}, "cannot read .*none.bin"),
        ({"source": "."}, "not a file"),
        ({"source": "empty.bin"}, "empty.bin is empty"),
        ({"target": "raw.bin"}, "another file than the source"),
        ({"seed": "seed.bin", "target": "seed.bin"}, "another file than the seed"),
    ],
)
def test_bad_arguments(
    raw: Path, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Any, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("short.bin").write_bytes(b"ab")
    Path("empty.bin").touch()
    arguments = {"source": raw, "target": "o", "entropy_rate": 0.5, "epsilon": EPSILON, **change}
    before = raw.read_bytes(), key.read_bytes()
    with pytest.raises(ArgumentError, match=words) as caught:
        extract_file(arguments.pop("source"), arguments.pop("target"), **arguments)
    assert "\n" not in str(caught.value)
    assert not Path("o").exists()
    assert before == (raw.read_bytes(), key.read_bytes())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"raw": []}, "`raw`.*not empty"),
        ({"raw": [0, 1, 2] * 100}, "`bits`.*0 to 2"),
        ({"entropy_bits": 301}, "300 raw bits.*301"),
        ({"bits": 290}, "`bits` must be at most 262, but was 290"),
        ({"epsilon": 2}, "`epsilon`.*2"),
    ],
)
def test_bad_arrays(change: Any, words: str) -> None:
    arguments = {"raw": [0, 1] * 150, "entropy_bits": 300, "epsilon": 2**-20, **change}
    with pytest.raises(ArgumentError, match=words):
        extract_bits(arguments.pop("raw"), **arguments)


# The kernel's own peak: what getrusage tells is inherited from the process that started this one.
LARGE = """
import re
from ebit.protocols.extracting import extract_file
made = extract_file("raw", "out", entropy_rate=.5, epsilon=2**-64, seed=1)
peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())
print(made.bits, 1024 * int(peak[1]))
"""


@pytest.mark.slow
def test_memory_for_a_thousand_million_bits(tmp_path: Path) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("the peak of memory is read from /proc")
    with (tmp_path / "raw").open("wb") as file:
        for _ in range(125):
            file.write(b"\x5a" * 1_000_000)
    done = subprocess.run(
        [sys.executable, "-P", "-c", LARGE],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    bits, memory = map(int, done.stdout.split())
    assert bits > 499_000_000
    assert (tmp_path / "out").stat().st_size == bits // 8
    assert memory < 10**9
