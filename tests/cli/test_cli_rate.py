"""ebit rate: the numbers of the issue, files, and refusals in one line."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ebit.cli import main as house
from ebit.cli import run
from ebit.cli.rate import command


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(house.COMMANDS, "rate", "Say how much key a protocol gives.")


def printed(arguments: str, capsys: pytest.CaptureFixture[str]) -> Any:
    assert run(["rate", *arguments.split(), "--json"]) == 0, capsys.readouterr()
    return json.loads(capsys.readouterr().out)


def told(arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert run(["rate", *arguments.split()]) == 0, capsys.readouterr()
    return capsys.readouterr().out


def test_endless_run(capsys: pytest.CaptureFixture[str]) -> None:
    found = printed("--protocol bb84 --qber .05", capsys)
    assert round(found["rate"], 6) == 0.427206
    assert found["key_bits"] is None


def test_finite_run(capsys: pytest.CaptureFixture[str]) -> None:
    found = printed("--protocol bb84 --qber .02 --rounds 1000000 --epsilon 1e-10", capsys)
    assert found["theorem"] == "tomamichel-2012"
    assert 380_000 < found["key_bits"] < 400_000
    assert found["net_key_bits"] == found["key_bits"] - 256
    assert found["rate"] == found["key_bits"] / 1e6
    assert found["epsilon"] == 1e-10
    assert found["plan"]["n"] + found["plan"]["k"] < 1_000_000


def test_device_independent_run(capsys: pytest.CaptureFixture[str]) -> None:
    # Nadlinger et al. 2022: 95,884 bits, 95,628 net.
    found = printed(
        "--protocol diqkd --S 2.64 --qber .018 --rounds 1500000 --test-fraction .05078125 "
        "--epsilon 1e-10",
        capsys,
    )
    assert abs(found["key_bits"] - 95_884) <= 5
    assert abs(found["net_key_bits"] - 95_628) <= 5
    assert found["plan"]["leak"] == 296_518
    assert round(found["plan"]["tolerated_win_rate"], 6) == 0.825538


@pytest.mark.parametrize(
    "protocol", ["bb84", "bbm92", "e91", "six-state", "mdi", "diqkd", "conference"]
)
def test_every_protocol(protocol: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(f"--protocol {protocol} --qber .03 --pair-rate 1e5", capsys)
    assert 0.1 < found["rate"] < 1
    assert found["key_per_second"] == pytest.approx(1e5 * found["rate"])
    assert found["assumptions"]
    assert found["not_given"]


@pytest.mark.parametrize("theorem", ["tomamichel-2012", "lim-2021"])
def test_theorems(theorem: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(f"--protocol e91 --qber .03 --rounds 1e6 --theorem {theorem}", capsys)
    assert found["theorem"] == theorem
    assert found["key_bits"] > 200_000


def test_noise(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed("--qber .12", capsys)["rate"] == 0
    found = printed("--qber .12 --noise best", capsys)
    assert found["rate"] > 0
    assert 0.1 < found["noise"] < 0.5
    fixed = printed(f"--qber .12 --noise {found['noise']}", capsys)
    assert fixed["rate"] == pytest.approx(found["rate"])


def test_link(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("decoy", "decoy-bb84", "bb84", "bbm92"):
        found = printed(
            f"--protocol {name} --km 50 --loss .25 --detector-efficiency .6 --dark-rate 10 "
            "--misalignment .005 --window 5e-10 --pulse-rate 1e8",
            capsys,
        )
        assert found["link"]["transmittance"] == pytest.approx(0.6 * 10**-1.25)
        assert 0 < found["rate"] < found["link"]["bound"]
        assert found["key_per_second"] == pytest.approx(1e8 * found["rate"])


def test_text(capsys: pytest.CaptureFixture[str]) -> None:
    text = told("--protocol e91 --qber .02 --rounds 1e6", capsys)
    for words in ("tomamichel-2012", "smoothing", "in all", "assumes", "witness", "does not give"):
        assert words in text
    text = told("--protocol bb84 --qber .02 --rounds 1000", capsys)
    assert "no key" in text
    assert "would do" in text


def test_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "rates"
    found = printed(f"--protocol bb84 --qber .02 --rounds 50000 --quiet --out {out}", capsys)
    assert sorted(path.name for path in out.iterdir()) == [
        "rates.csv",
        "rates.png",
        "rates.svg",
        "results.json",
    ]
    saved = json.loads((out / "results.json").read_text())
    assert saved["key_bits"] == found["key_bits"]
    head, *rows = csv.reader((out / "rates.csv").read_text().splitlines())
    assert head == ["signals", "tomamichel-2012", "lim-2021"]
    own = next(row for row in rows if float(row[0]) == 50_000)
    assert float(own[1]) == pytest.approx(found["rate"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--protocol bb84", "qber must be given"),
        ("--qber .6", "qber must be an error rate between 0 and 0.5, but was 0.6"),
        ("--qber -.1", "but was -0.1"),
        ("--qber nan", "between 0 and 0.5"),
        ("--protocol diqkd --qber .01 --S 2.9", "2 sqrt 2 = 2.828427, but was 2.9"),
        ("--qber .02 --rounds 0", "at least 1"),
        ("--qber .02 --rounds 1000 --epsilon 0", "epsilon"),
        ("--qber .02 --rounds 1000 --epsilon 1", "epsilon"),
        ("--qber .02 --S 2.5", "S belongs to e91, diqkd"),
        ("--qber .02 --test-fraction .1", "test_fraction belongs to diqkd"),
        ("--qber .02 --loss .3", "--loss describes a link: give --km too"),
        ("--qber .02 --noise much", "a number or"),
        ("--protocol decoy", "decoy needs a link"),
        ("--protocol mdi --km 10", "a link (km) belongs to bb84, bbm92, decoy"),
        ("--protocol e92 --qber .02", "e92"),
        ("--km -1", "km must be at least 0"),
        ("--protocol bbm92 --km 1 --qber .02", "qber follows from the link"),
    ],
)
def test_refusals(arguments: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rate", *arguments.split()]) == 2
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("ebit: ")
    assert words in lines[0]
    assert captured.out == ""


def test_a_folder_that_is_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert run(["rate", "--qber", ".02", "--out", str(tmp_path / "file")]) == 2
    assert "must be a folder" in capsys.readouterr().err


def test_help() -> None:
    text = CliRunner().invoke(command, ["--help"]).output
    assert "without running anything" in text
    assert "computed, not simulated" in " ".join(text.split())
