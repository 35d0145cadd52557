"""Whole-process times of what people type, beside what any Qiskit script must pay, in one run.

    python benchmarks/walltime.py

Each command is run in turn with its yardstick; the ratio is of medians. The last column is the
aim for the command itself, in seconds, on two cores.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from ebit.games import Trials

RUNS = 5
PYTHON = [sys.executable, "-c"]
EBIT = [sys.executable, "-m", "ebit"]
ROUNDS = 10_000_000


def once(command: list[str], folder: Path) -> float:
    """Seconds of wall time of one run."""
    begun = time.perf_counter()
    subprocess.run(
        command, check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return time.perf_counter() - begun


def rounds_file(folder: Path) -> Path:
    """Ten million ordered rounds of a noisy quantum device."""
    rng = np.random.default_rng(1)
    settings = rng.integers(0, 2, (ROUNDS, 2), dtype=np.uint8)
    a = rng.integers(0, 2, ROUNDS, dtype=np.uint8)
    b = a ^ settings.all(axis=1) ^ (rng.random(ROUNDS) > 0.84)
    trials = Trials.from_rounds(settings, np.stack([a, b.astype(np.uint8)], axis=1))
    return trials.save(folder / "rounds.npz")


def scoring_seconds(path: Path) -> float:
    """Seconds to score them, e-process included, once they are loaded."""
    import ebit

    trials = ebit.read_trials(path)
    begun = time.perf_counter()
    score = ebit.score(trials)
    seconds = time.perf_counter() - begun
    if score.path is None:
        raise SystemExit("the e-process did not run")
    return seconds


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = rounds_file(folder)
        rows = [
            ("ebit --help", [*EBIT, "--help"], "import numpy", 0.3),
            (
                "ebit bell, aer, 1e5 shots",
                [*EBIT, "bell", "--seed", "1"],
                "import qiskit, qiskit_aer",
                2.5,
            ),
            (
                "ebit score, 1e7 rounds in a file",
                [*EBIT, "score", str(data)],
                "import numpy, scipy.stats",
                3.0,
            ),
            ("ebit demo", [*EBIT, "demo", "--quiet"], "import qiskit, qiskit_aer", 20.0),
        ]
        print(f"{'command':<34} {'s':>7} {'yardstick':<30} {'s':>7} {'ratio':>7} {'aim, s':>7}")
        for label, command, yardstick, aim in rows:
            pairs = [
                (once(command, folder), once([*PYTHON, yardstick], folder)) for _ in range(RUNS)
            ]
            own, other = (statistics.median(p[i] for p in pairs) for i in (0, 1))
            print(
                f"{label:<34} {own:7.2f} {yardstick:<30} {other:7.2f} {own / other:7.2f} {aim:7.1f}"
            )
        print(
            f"{'scoring 1e7 rounds, loaded':<34} {scoring_seconds(data):7.2f} {'':<30} {'':>7} {'':>7} {2.0:7.1f}"
        )


if __name__ == "__main__":
    main()
