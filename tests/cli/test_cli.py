"""The command line in use: JSON on standard output, files, exit codes, help."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import click
import numpy as np
import pytest

from ebit.cli import run
from ebit.cli.main import COMMANDS
from ebit.games import Trials

KEYS = (
    "S S_interval win_rate n p_value e_value no_signalling verdict backend qubits settings order "
    "experiment_id shots seed method assumptions not_given withheld"
)


def printed_json(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> dict:  # type: ignore[type-arg]
    assert run([*arguments, "--json"]) == code
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert "Usage: ebit" in text
    command = import_module(f"ebit.cli.{name}").command
    options = [p for p in command.params if isinstance(p, click.Option)]
    for parameter in options:
        assert parameter.help, f"{name}: {parameter.name} has no help"


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in COMMANDS)
    assert run(["--version"]) == 0
    assert "0." in capsys.readouterr().out


def test_bell_json_has_what_is_promised(capsys: pytest.CaptureFixture[str]) -> None:
    found = printed_json(["bell", "--shots", "20000", "--seed", "4"], capsys)
    assert set(KEYS.split()) <= set(found)
    assert found["S"] == pytest.approx(2 * 2**0.5, abs=0.06)
    assert found["seed"] == 4
    assert found["settings"] == "per-shot"
    assert found["settings_source"] == "device"
    assert found["separation"] == "simulated"
    assert "pseudo" in found["randomness"]
    again = printed_json(["bell", "--shots", "20000", "--seed", "4"], capsys)
    assert again["S"] == found["S"]
    assert again["experiment_id"] == found["experiment_id"]


def test_withheld_is_null_with_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    found = printed_json(
        ["bell", "--shots", "20000", "--seed", "4", "--settings", "per-circuit"], capsys
    )
    assert found["p_value"] is None
    assert found["e_value"] is None
    assert {"p_value", "e_value"} <= set(found["withheld"])


def test_the_pair_is_the_one_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["bell", "--backend", "aer:fez", "--shots", "4000", "--seed", "1", "--pair", "3,4"]
    found = printed_json([*asked, "--settings", "per-circuit"], capsys)
    assert found["qubits"] == [3, 4]
    coins = printed_json(asked, capsys)
    assert coins["qubits"][1:3] == [3, 4]
    assert found["guard"] == coins["guard"] == "exact"


def test_out_keeps_rounds_numbers_and_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new" / "run"
    found = printed_json(["bell", "--shots", "5000", "--seed", "2", "--out", str(folder)], capsys)
    assert json.loads((folder / "results.json").read_text()) == found
    kept = Trials.load(folder / "trials.npz")
    assert kept.n == 5000
    assert (folder / "correlators.png").read_bytes().startswith(b"\x89PNG")
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]
    scored = printed_json(["score", str(folder / "trials.npz"), "--minus", "11"], capsys)
    assert scored["S"] == found["S"]
    assert scored["p_value"] == pytest.approx(found["p_value"])


def test_score_of_wins(capsys: pytest.CaptureFixture[str]) -> None:
    found = printed_json(["score", "--wins", "196", "--trials", "245", "--tau", "1.08e-5"], capsys)
    assert found["p_value"] == pytest.approx(0.0391, abs=5e-5)
    assert found["S"] is None
    assert "S" in found["withheld"]


def test_signalling_leaves_with_three_and_still_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "leaky.json"
    path.write_text(
        json.dumps(
            [
                [4200, 800, 800, 4200],
                [4100, 900, 900, 4100],
                [4700, 1100, 700, 3500],
                [900, 3600, 4600, 900],
            ]
        )
    )
    found = printed_json(["score", str(path)], capsys, code=3)
    assert found["no_signalling"]["holds"] is False
    assert found["no_signalling"]["p_value"] < 1e-6
    assert "No verdict" in found["verdict"]


def test_backends_lists_what_is_usable(capsys: pytest.CaptureFixture[str]) -> None:
    found = {b["name"]: b for b in printed_json(["backends"], capsys)["backends"]}
    assert found["aer"]["usable"]
    assert found["aer:fez"]["qubits"] == 156
    assert not found["ibm:PROCESSOR"]["usable"]
    assert run(["backends"]) == 0
    assert "not usable here" in capsys.readouterr().out


def test_plan(capsys: pytest.CaptureFixture[str]) -> None:
    found = printed_json(["plan", "--win-rate", str((2 + 2**0.5) / 4)], capsys)
    assert np.ceil(found["rounds_at_best"]) == 431
    assert found["bits_per_round"] == pytest.approx(0.046274, abs=1e-6)


def test_notebooks_are_copied_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["notebooks", str(tmp_path / "lab")]) == 0
    assert (tmp_path / "lab" / "01_bell_test.ipynb").exists()
    capsys.readouterr()
    assert run(["notebooks", str(tmp_path / "lab")]) == 2
    assert "--force" in capsys.readouterr().err
    assert run(["notebooks", str(tmp_path / "lab"), "--force"]) == 0


def test_text_goes_to_standard_output_and_progress_does_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["bell", "--shots", "2000", "--seed", "1"]) == 0
    shown = capsys.readouterr()
    assert "S " in shown.out
    assert shown.err == ""
