"""The ten estimators: golden values, the book's own steps done slowly, and NIST's files if there."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ebit.analysis.health_counting import (
    _share,
    collision,
    compression,
    ideal_compression,
    markov,
    most_common_value,
    tuples,
)
from ebit.analysis.health_estimate import estimate_entropy, relabelled, to_bits
from ebit.games import ArgumentError
from tests.analysis import healthhelp as slow

# From the implementation after it had equalled NIST's tool on all six of NIST's files that
# `test_nist_files` reads: bits, lean, then the estimates in the order of the report.
GOLDEN: dict[tuple[int, int], list[float]] = {
    (1, 0): [
        0.9634170687134677,
        0.7061099169778192,
        0.9782368243873447,
        0.5507932904355081,
        0.8948569707221762,
        0.8651011552829609,
        0.9879158050297782,
        0.9472156478246583,
        0.9702294673916334,
        0.9564812866929621,
    ],
    (1, 100): [
        0.5046396646707094,
        0.4648872546271807,
        0.5207980789900934,
        0.31025596987427373,
        0.49438343960210634,
        0.7735404440135176,
        0.5036101678704061,
        0.7730528737557295,
        0.5054170490902649,
        0.5048272314313875,
    ],
    (2, 0): [
        1.9017785534829323,
        1.8115907677018293,
        1.9367593713962497,
        1.9723515454434928,
        1.9507414294696652,
        1.9463879096125198,
        1.943186328943289,
        0.968072744735221,
        0.9024342110886664,
        0.9887469278925243,
        0.6470547138245045,
        0.9003003030303186,
        0.9584796998860032,
        0.9698489640233354,
        0.9813624944441159,
        0.9822527341533509,
        0.9731863260329212,
    ],
    (4, 120): [
        0.9735332218505166,
        0.9717448468716883,
        1.8310089580702,
        0.9736014965478178,
        1.8768465621927413,
        0.9811086063539083,
        0.980274321704837,
        0.4392498155751663,
        0.25791795069096196,
        0.3321166998364794,
        0.2257251542516974,
        0.25599762060003306,
        0.4905741842356205,
        0.35035798055632594,
        0.3570802453205915,
        0.3503923988860256,
        0.35038393944802926,
    ],
    (8, 0): [
        7.129329191091218,
        7.129329191091218,
        7.335882659433936,
        7.760208914728569,
        7.8660205053890655,
        7.386370988954591,
        7.40843417645767,
        0.9849590273656333,
        0.8778442117021364,
        0.9958750381538076,
        0.7746586122484427,
        0.9156841894730088,
        0.9668119109415051,
        0.9852656481430534,
        0.987802327414755,
        0.9915774040320527,
        0.9973118778568367,
    ],
    (8, 200): [
        0.3348675746913835,
        0.32001028239735946,
        0.6747391726660928,
        0.3356702217368176,
        0.6988843075395481,
        0.38834486317969186,
        0.3862664121207412,
        0.16128231888380004,
        0.07602368995951615,
        0.10054289422467723,
        0.06760949204712509,
        0.041491505739940086,
        0.09759316464862003,
        0.07523633367221265,
        0.07556561970415478,
        0.07524029026970082,
        0.07523931757118507,
    ],
}


NAMES_BITS = (
    "most common value",
    "collision",
    "Markov",
    "compression",
    "t-tuple",
    "LRS",
    "MultiMCW",
    "lag",
    "MultiMMC",
    "LZ78Y",
)
NAMES_SYMBOLS = ("most common value", "t-tuple", "LRS", "MultiMCW", "lag", "MultiMMC", "LZ78Y")
# The name in the result, and what NIST's tool calls it in a .res file.
NIST = dict(zip(NAMES_BITS, NAMES_BITS, strict=True)) | {
    "most common value": "Most Common Value",
    "collision": "Collision",
    "compression": "Compression",
    "t-tuple": "t-Tuple",
    "MultiMCW": "MultiMCW Prediction",
    "lag": "Lag Prediction",
    "MultiMMC": "MultiMMC Prediction",
    "LZ78Y": "LZ78Y Prediction",
}
FIELDS = {
    "mode_count": "Mode count",
    "v": "v",
    "u": "u",
    "t": "t",
    "C": "C",
    "r": "r",
    "N": "N",
    "mean": "X-bar",
    "sigma": "sigma-hat",
    "p_u": "p_u",
    "p_global_limit": "P_global'",
    "p_local": "P_local",
    "p": "p",
}


@pytest.mark.parametrize("case", GOLDEN, ids=str)
def test_golden_values(case: tuple[int, int]) -> None:
    bits, lean = case
    found = estimate_entropy(slow.rule(12_000, bits, lean=lean), bits)
    assert [e.entropy for e in found.estimates] == pytest.approx(GOLDEN[case], rel=1e-10)
    names = NAMES_BITS if bits == 1 else (*NAMES_SYMBOLS, *NAMES_BITS)
    assert tuple(e.name for e in found.estimates) == names
    on_symbols = [e.entropy or 0 for e in found.estimates if e.on == "symbols" or bits == 1]
    on_bits = [e.entropy or 0 for e in found.estimates if e.on == "bits"]
    assert found.h_original == min(on_symbols)
    assert found.h_bitstring == (None if bits == 1 else min(on_bits))
    assert found.min_entropy == min(bits, found.h_original, bits * min(on_bits))
    assert found.lowest is not None
    unit = bits if found.lowest.on == "bits" else 1
    assert found.min_entropy == unit * (found.lowest.entropy or 0)


def _number(text: str, name: str) -> float | None:
    line = re.search(re.escape(f"{name} = ") + r"(\S+)", text)
    return float(line[1]) if line else None


@pytest.mark.skipif("EBIT_NIST_DATA" not in os.environ, reason="EBIT_NIST_DATA names no folder")
def test_nist_files() -> None:
    """NIST's .bin files with the tool's own .res beside them: every number to ten digits."""
    results = sorted(Path(os.environ["EBIT_NIST_DATA"]).glob("*.res"))
    assert results
    for path in results:
        text = path.read_text()
        width = re.search(r"distinct (\d)-bit", text)
        assert width
        found = estimate_entropy(np.fromfile(path.with_suffix(".bin"), np.uint8), int(width[1]))
        for e in found.estimates:
            label = "Bitstring" if e.on == "bits" and "Bitstring" in text else "Literal"

            start = f"{label} {NIST[e.name]} Estimate: "

            assert e.entropy == pytest.approx(_number(text, start + "min entropy"), rel=1e-10), (
                path.name,
                e,
            )
            for ours, theirs in FIELDS.items():
                if ours in e.details and _number(text, start + theirs) is not None:
                    assert e.details[ours] == pytest.approx(
                        _number(text, start + theirs), rel=1e-10
                    )
        assessed = re.search(r"Assessed min entropy: (\S+)", text)
        assert assessed
        assert found.min_entropy == pytest.approx(float(assessed[1]), rel=1e-10)


@pytest.mark.parametrize("z", [1 / 64, 0.004, 0.3, 0.9])
def test_the_compression_sum_is_the_double_sum(z: float) -> None:
    assert _share(z, 1100) == pytest.approx(slow.share(z, 1100), rel=1e-12)


def test_ideal_compression_is_what_ideal_bits_get() -> None:
    rng = np.random.default_rng(11)
    got = [compression(rng.integers(0, 2, 60_000).astype(np.uint8), "").entropy for _ in range(60)]
    values = np.array(got, float)
    # The inverse is curved: the mean of values differs from the value at the mean by a little.
    assert abs(values.mean() - ideal_compression(60_000)) < 0.02
    assert 0.84 < ideal_compression(1_000_000) < 0.86
    assert ideal_compression(10**7) > ideal_compression(10**5)


def test_estimates_of_known_processes() -> None:
    # A chain that repeats its last bit with probability 0.9: 128 bits, -127 log2(.9) - 1 + ...
    rng = np.random.default_rng(5)
    flips = (rng.random(400_000) < 0.1).astype(np.uint8)
    chain = np.bitwise_xor.accumulate(flips)
    assert markov(chain, "").entropy == pytest.approx(-math.log2(0.9), rel=0.06)
    # Bits with p = .7: waiting times 2 + 2 * .7 * .3; the commonest value.
    biased = (rng.random(400_000) < 0.7).astype(np.uint8)
    for estimate in (collision(biased, ""), most_common_value(biased, "")):
        assert estimate.entropy == pytest.approx(-math.log2(0.7), rel=0.03)
    # Blocks as the compression estimate assumes them: one likelier, the others alike.
    blocks = np.where(rng.random(100_000) < 0.3, 63, rng.integers(0, 63, 100_000))
    found = compression(to_bits(blocks.astype(np.uint8), 6), "")
    assert found.entropy == pytest.approx(-math.log2(0.3) / 6, rel=0.08)
    common, longest = tuples(biased, "")
    assert common.entropy == pytest.approx(-math.log2(0.7), rel=0.05)
    # Long repeats go by the collision probability, .49 + .09.
    assert longest.entropy == pytest.approx(-math.log2(0.58), rel=0.12)


def test_bits_and_labels() -> None:
    symbols = np.array([5, 0, 7], np.uint8)
    assert to_bits(symbols, 3).tolist() == [1, 0, 1, 0, 0, 0, 1, 1, 1]
    assert to_bits(symbols, 4).tolist() == [0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 1, 1]
    again, k = relabelled(symbols)
    assert (again.tolist(), k) == ([1, 0, 2], 3)


def test_symbols_with_gaps_and_two_symbols() -> None:
    samples = slow.rule(8000, 2)
    spread = np.array([3, 50, 51, 255], np.uint8)[samples]
    plain, gaps = estimate_entropy(samples, 2), estimate_entropy(spread, 8)
    assert gaps.alphabet == 4
    assert gaps.h_original == plain.h_original
    assert gaps.h_bitstring != plain.h_bitstring  # on the bits as they were read
    # Two symbols of 8 bits are their own bit string, as in NIST's tool.
    bits = slow.rule(8000, 1)
    two = estimate_entropy(200 * bits, 8)
    assert two.h_bitstring is None
    assert two.min_entropy == estimate_entropy(bits).min_entropy


def test_where_an_estimator_has_no_answer() -> None:
    samples = np.arange(4200, dtype=np.int64) * 7919 % 256  # every value about 16 times
    found = estimate_entropy(samples, 8)
    common = next(e for e in found.estimates if e.name == "t-tuple" and e.on == "symbols")
    assert common.entropy is None
    assert "35 times" in common.note
    assert "35 times" in str(found)
    assert found.to_dict()["estimates"]


def test_the_text_says_what_it_must() -> None:
    found = estimate_entropy(slow.rule(12_000, 1))
    text = str(found)
    assert "compression estimate" in text
    assert "Passing is not unpredictability" in text
    assert "<- lowest" in text
    assert f"{found.ideal_compression:.3f}" in text
    assert "SP 800-90B asks for 1000000" in text
    assert found.to_dict()["lowest"] == {"name": "compression", "on": "bits"}


@pytest.mark.parametrize(
    ("samples", "bits", "words"),
    [
        (np.zeros(10_000), 1, "All 10000 samples are equal to 0"),
        (np.arange(6000) % 2, 1, "compression estimate needs at least 6012 bits, but there are 6"),
        (np.arange(4000) % 4, 2, "MultiMCW estimate needs at least 4096 symbols"),
        (np.arange(8000) % 5, 2, "sample 4 is 4"),
        (np.array([0, -1]), 1, "sample 1 is -1"),
        (np.array([0.5]), 1, "0.5"),
        (np.array([np.nan]), 1, "nan"),
        (np.array(["0"]), 1, "numbers"),
        (np.array([]), 1, "at least one symbol"),
        (np.zeros((2, 3)), 1, "(2, 3)"),
        (np.zeros(9000), 0, "bits"),
        (np.zeros(9000), 9, "bits"),
    ],
)
def test_bad_samples(samples: Any, bits: int, words: str) -> None:
    with pytest.raises(ArgumentError, match=re.escape(words)) as caught:
        estimate_entropy(samples, bits)
    assert "\n" not in str(caught.value)


def test_too_many_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ebit.analysis.health_estimate._MOST_BITS", 9000)
    with pytest.raises(ArgumentError, match=r"At most 9000 bits .* first 4500 samples"):
        estimate_entropy(np.arange(5000) % 4, 2)


def test_progress_is_reported() -> None:
    seen: list[tuple[int, int]] = []
    estimate_entropy(slow.rule(8000, 1), progress=lambda done, total: seen.append((done, total)))
    assert seen[0] == (0, 9)
    assert seen[-1] == (9, 9)
