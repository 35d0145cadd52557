"""What a run for a key gave, as data and as text; key files; nothing shows the key."""

from __future__ import annotations

import json
import math
import os
import pickle
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ebit.games import ArgumentError, EbitError, RefusedError
from ebit.protocols.key_outcome import _efficiency, _plainest
from ebit.protocols.key_result import KeyResult, read_key, save_key
from ebit.protocols.secret_bits import SecretBits
from tests.protocols.keyhelp import FIELDS, line


@pytest.fixture(scope="module")
def made() -> KeyResult:
    return line("bb84", "aer:fez", rounds=10_000).judge(1)


@pytest.fixture(scope="module")
def aborted() -> KeyResult:
    return line("bb84", "aer:fez", rounds=10_000, attack="intercept-resend").judge(1)


def test_data_have_every_field_and_are_plain(made: KeyResult, aborted: KeyResult) -> None:
    for found in (made, aborted):
        plain = found.to_dict()
        assert set(plain) >= FIELDS
        text = json.dumps(plain, allow_nan=False)
        assert json.loads(text) == plain
    assert made.to_dict()["reason"] is None
    assert made.to_dict()["eve"] is None
    assert aborted.to_dict()["keys_equal"] is None
    assert aborted.to_dict()["eve"]["attack"] == "intercept-resend:1"


def test_the_numbers_fit_together(made: KeyResult) -> None:
    assert made.key_bits == made.plan["length"]
    assert made.raw_bits == made.plan["n"]
    assert made.test_bits == made.plan["k"]
    assert made.net_key_bits == made.key_bits - made.authentication_bits
    assert made.sifted <= made.rounds
    assert made.leak_bits - 64 <= made.plan["leak_cap"]
    assert made.f is not None
    assert 0.9 < made.f < 2
    assert made.message_rounds > 10
    assert made.epsilon == pytest.approx(made.plan["epsilon"] + made.plan["eps_cor"])


def test_nothing_shows_the_key(made: KeyResult) -> None:
    assert made.key is not None
    secret = made.key.reveal_bytes()[:12]
    shown = [
        str(made),
        repr(made),
        made._repr_html_(),
        json.dumps(made.to_dict()),
        repr(vars(made)),
    ]
    for text in shown:
        assert secret.hex() not in text
        assert repr(secret)[2:-1] not in text
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(made)


def test_the_text_leads_with_what_there_is(made: KeyResult, aborted: KeyResult) -> None:
    lines = str(made).splitlines()
    assert f"a key of {made.key_bits:,} bits (demonstration)" in lines[0]
    assert any("equal on both sides" in one for one in lines)
    assert "except with probability" in made.sentence
    assert made.theorem in made.sentence
    assert any(f"{made.net_key_bits:+,} bits after the 256" in one for one in lines)
    lines = str(aborted).splitlines()
    assert "no key" in lines[0]
    assert aborted.reason.split(":")[0] in str(aborted).replace("\n", " ")
    assert "no key" in repr(aborted)


def test_a_key_is_written_for_its_owner_and_read_again(made: KeyResult, tmp_path: Path) -> None:
    path = tmp_path / "alice.key"
    saved = made.save(path)
    assert saved.file == str(path)
    assert made.key is not None
    whole = made.key_bits // 8
    assert path.read_bytes() == made.key.reveal_bytes()[:whole]
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    about = json.loads(path.with_name("alice.key.json").read_text())
    assert about["secrecy"] == "demonstration"
    assert about["file_bits"] == 8 * whole
    key, known = read_key(path)
    assert key == made.key.part(0, 8 * whole)
    assert known["secrecy"] == "demonstration"


def test_without_a_key_nothing_is_written(aborted: KeyResult, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="there is no key to save: the error rate"):
        aborted.save(tmp_path / "key")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_no_folder_is_one_line(made: KeyResult, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(EbitError) as caught:
        made.save(tmp_path / "file" / "key")
    assert "\n" not in str(caught.value)


def test_a_file_without_a_word_beside_it_is_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "own.key"
    path.write_bytes(b"0123456789abcdef")
    key, about = read_key(path)
    assert key.bits == 128
    assert about == {"secrecy": "own"}


@pytest.mark.parametrize(
    "side", ["{", "[]", '{"secrecy": "very"}', "{}", "null", '{"secrecy": []}']
)
def test_a_word_beside_it_that_says_nothing_is_refused(tmp_path: Path, side: str) -> None:
    path = tmp_path / "some.key"
    path.write_bytes(b"0123456789abcdef")
    path.with_name("some.key.json").write_text(side)
    with pytest.raises(ArgumentError, match="must say how secret the key is"):
        read_key(path)


def test_a_key_that_is_not_there_or_empty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="cannot read the key"):
        read_key(tmp_path / "nothing")
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(ArgumentError, match="must not be empty"):
        read_key(tmp_path / "empty")


def test_a_key_of_odd_length_is_cut_to_whole_bytes(tmp_path: Path) -> None:
    key = SecretBits(np.packbits(np.ones(21, np.uint8)), 21)
    save_key(tmp_path / "odd", key, {"secrecy": "own"})
    found, about = read_key(tmp_path / "odd")
    assert found.bits == 16
    assert about["file_bits"] == 16


def test_a_key_that_eve_holds_is_not_called_secret(made: KeyResult) -> None:
    known = replace(made, eve={"kept": False, "says": "the key is hers"})
    assert known.sentence.startswith("NOT SECRET")
    assert "the key is hers" in str(known)
    assert replace(made, eve={"kept": True, "says": "little"}).sentence == made.sentence


def test_efficiency_is_of_the_errors_that_were_corrected() -> None:
    n, corrected = 10_000, 500
    h = -(0.05 * math.log2(0.05) + 0.95 * math.log2(0.95))
    assert _efficiency(3000, n, corrected, None) == pytest.approx(3000 / (n * h))
    assert _efficiency(3000, n, 0, None) is None
    assert _efficiency(0, n, corrected, None) is None
    assert _efficiency(100, n, corrected, 50.0) == 2.0


def test_the_reason_is_that_of_who_met_it() -> None:
    assert _plainest(["the other side could not", "1 block was lost"]) == "1 block was lost"
    assert _plainest(["", ""]) == ""
    assert _plainest(["the other side could not", ""]) == "the other side could not"


def test_the_error_rate_has_its_exact_interval(made: KeyResult) -> None:
    """Clopper-Pearson: the tails of the binomial law at its ends are 2.5 % each."""
    from scipy import stats

    found = replace(made, qber=0.02, test_bits=1000)
    interval = found.qber_interval
    assert interval is not None
    assert stats.binom.sf(19, 1000, interval.low) == pytest.approx(0.025, rel=1e-6)
    assert stats.binom.cdf(20, 1000, interval.high) == pytest.approx(0.025, rel=1e-6)
    assert found.to_dict()["qber_interval"]["level"] == 0.95
    assert f"2.00 % [{100 * interval.low:.2f}, {100 * interval.high:.2f}] of 1,000" in str(found)
    assert replace(made, qber=None).qber_interval is None


def test_it_says_whose_theorem_it_rests_on(made: KeyResult) -> None:
    assert "Nature Communications 3, 634 (2012)" in made.source
    assert made.source in str(made)
    assert made.to_dict()["source"] == made.source == made.cite().splitlines()[0]
