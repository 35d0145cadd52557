"""States and fringes end to end, in Python and on the command line."""

from __future__ import annotations

import json
from math import pi
from pathlib import Path

import pytest

from ebit.analysis.state_targets import ghz_target
from ebit.cli import run
from ebit.games import ArgumentError, Trials
from ebit.protocols import fringe, state
from ebit.protocols.states import read_graph, state_target


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("ghz:4", "genuinely 4-party entangled"),
        ("ghz:2", "entangled"),
        ("w:3", "genuinely 3-party entangled"),
        ("bell:psi+", "entangled"),
        ("graph:0-1,1-2,2-0", "genuinely 3-party entangled"),
    ],
)
def test_ideal_states(name: str, verdict: str) -> None:
    found = state(name, shots=6000, seed=3)
    assert found.verdict == verdict
    assert found.interval.low <= found.fidelity
    assert found.fidelity == pytest.approx(1, abs=0.05)
    assert found.run is not None
    assert (found.run.backend, found.run.seed, found.separation) == ("aer", 3, "simulated")


def test_every_bell_state_is_the_one_asked_for() -> None:
    for name in ("phi+", "phi-", "psi+", "psi-"):
        assert state(f"bell:{name}", shots=300, seed=1).fidelity == 1


def test_the_identity_is_not_run() -> None:
    found = state("ghz:3", shots=700, seed=1)
    assert found.circuits == (7, 7)
    assert found.n == 700
    assert all(set(r.question) - set("+-I") for r in found.rates)


def test_a_noisy_chain_follows_the_couplings() -> None:
    found = state("ghz:3", backend="aer:fez", shots=14_000, seed=1)
    assert found.run is not None
    assert found.run.qubits is not None
    assert found.run.guard == "exact"
    assert 0.8 < found.fidelity < 1
    assert found.status == "genuine"


def test_given_qubits_that_branch() -> None:
    """16 hangs on 3 in Fez: a star, not a chain."""
    found = state("ghz:4", backend="aer:fez", qubits=(2, 3, 4, 16), shots=3000, seed=1)
    assert found.run is not None
    assert found.run.qubits == (2, 3, 4, 16)
    with pytest.raises(ArgumentError, match="coupled"):
        state("ghz:3", backend="aer:fez", qubits=(1, 2, 9), shots=700)


def test_a_seed_repeats_the_draw_and_the_run() -> None:
    first, second = (state("ghz:5", shots=2000, sample=12, seed=4) for _ in range(2))
    assert first.rates == second.rates
    assert first.circuits == (12, 31)
    assert "random sample" in first.method
    other = state("ghz:5", shots=2000, sample=12, seed=5)
    assert [r.question for r in other.rates] != [r.question for r in first.rates]


def test_wide_states_are_sampled() -> None:
    found = state(ghz_target(9), shots=6400, seed=1)
    assert found.circuits == (64, 511)
    assert found.status == "genuine"


def test_rounds_on_disk_score_alike(tmp_path: Path) -> None:
    from ebit.analysis.states import score_state

    found = state("w:3", shots=700, seed=2)
    assert found.trials is not None
    again = score_state(Trials.load(found.trials.save(tmp_path / "t.npz")), "w:3")
    assert (again.fidelity, again.interval) == (found.fidelity, found.interval)


@pytest.mark.parametrize(
    "text", ["0 1\n1 2\n", "# a path\n0 1 # first\n\n1,2\n", "1-0\n2-1", "[[0, 1], [1, 2]]"]
)
def test_files_of_edges(tmp_path: Path, text: str) -> None:
    file = tmp_path / "path.txt"
    file.write_text(text)
    aim = state_target(f"graph:{file}")
    assert (aim.name, aim.edges) == ("graph:path.txt", ((0, 1), (1, 2)))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"# nothing\n", "is empty"),
        (b"0 1\n1 2 3\n", "line 2, must be two vertices"),
        (b"0 x\n", "line 1, must be two vertices"),
        (b"0 -1\n0 1.5", "line 2"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"[[0, 1], [1", "no valid JSON"),
        (b'{"edges": 3}', "JSON list of pairs"),
        (b"[[0, true]]", "JSON list of pairs"),
        (b"[]", "at least one edge"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "bad.txt"
    file.write_bytes(content)
    with pytest.raises(ArgumentError, match=words) as caught:
        read_graph(file)
    assert "\n" not in str(caught.value)


def test_no_file_and_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="there is no file"):
        state_target(f"graph:{tmp_path / 'missing'}")
    with pytest.raises(ArgumentError, match="cannot be read"):
        state_target(f"graph:{tmp_path}")


def test_arguments_that_are_refused() -> None:
    for sample in (0, 8, 2.5, True):
        with pytest.raises(ArgumentError, match="sample must be a whole number"):
            state("ghz:3", sample=sample)  # type: ignore[arg-type]
    for name in ("w:3", "bell:phi+"):
        with pytest.raises(ArgumentError, match="sample goes with"):
            state(name, sample=2)
    with pytest.raises(ArgumentError, match="at least 7 for the 7 circuits"):
        state("ghz:3", shots=6)


def test_fringe_on_a_device() -> None:
    found = fringe("aer:fez", points=9, shots=4500, seed=1, pair=(3, 4))
    assert found.run is not None
    assert found.run.qubits == (3, 4)
    assert 0.85 < found.visibility < 1
    assert found.phase_shift == pytest.approx(0, abs=0.1)


def test_fringe_follows_alice_and_the_state() -> None:
    turned = fringe(points=9, shots=9000, alice=pi / 3, seed=1)
    assert turned.phase == pytest.approx(pi / 3, abs=0.1)
    inverted = fringe(points=9, shots=9000, state="psi-", seed=1)
    assert abs(inverted.phase) == pytest.approx(pi, abs=0.1)
    own = fringe(angles=[0.0, 1.0, 2.0], shots=300, seed=1)
    assert own.angles == (0.0, 1.0, 2.0)


# The command line ------------------------------------------------------------------------------


def test_state_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["state", "ghz:3", "--shots", "700", "--seed", "1", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    wanted = "verdict fidelity fidelity_interval thresholds pass_rates n backend qubits"
    wanted += " experiment_id shots seed method assumptions not_given level"
    assert set(wanted.split()) <= set(result)
    assert result["verdict"] == "genuinely 3-party entangled"


def test_state_prints_text_and_writes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPLBACKEND", "Agg")
    out = tmp_path / "out"
    assert run(["state", "bell:phi+", "--shots", "300", "--seed", "1", "--out", str(out)]) == 0
    assert capsys.readouterr().out.startswith("bell:phi+: entangled in simulation")
    assert json.loads((out / "results.json").read_text())["fidelity"] == 1
    assert (out / "trials.npz").is_file()


def test_fringe_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fringe", "--points", "5", "--shots", "500", "--seed", "1"]) == 0
    assert capsys.readouterr().out.startswith("fringe: visibility")
    assert run(["fringe", "--points", "5", "--alice", "90", "--json", "--shots", "500"]) == 0
    assert json.loads(capsys.readouterr().out)["alice_deg"] == pytest.approx(90)


@pytest.mark.parametrize(
    "arguments",
    [
        ["state"],
        ["state", "ghz:0"],
        ["state", "graph:no-such-file"],
        ["state", "ghz:3", "--shots", "0"],
        ["state", "ghz:3", "--sample", "0"],
        ["state", "ghz:3", "--sample", "8"],
        ["state", "ghz:3", "--backend", "nowhere"],
        ["state", "ghz:3", "--backend", "aer:fez", "--qubits", "1,2"],
        ["fringe", "--points", "2"],
        ["fringe", "--alice", "nan"],
        ["fringe", "--pair", "0,7", "--backend", "aer:fez"],
        ["fringe", "--shots", "3"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("ebit: ")
    assert printed.err.count("\n") == 1
