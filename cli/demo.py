"""ebit demo."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ebit.cli.common import check_folder, common, emit, progress_bar, save_json
from ebit.games.errors import RefusedError

_T = TypeVar("_T")
_INTRO = (
    "The tour: the best qubits are chosen from the calibration, a Bell test is run with settings "
    "drawn inside every shot, and the entropy of its outcomes is certified and extracted. Then the test is run "
    "with one circuit per setting, and on a state without entanglement; a state of four qubits and a fringe follow. Then the whole chip is mapped, and a run is "
    "left to itself and picked up from the ledger. At the end Alice and Bob make a key, Eve listens to "
    "another, and a letter is sealed with the first."
)


_LETTER = "Meet me where the two beams part. Bring what we measured.\n"
_KEY_NOTE = (
    "Both parties ran in one process here and the rounds came from a seed: this key demonstrates the "
    "protocol and is no secret."
)


@click.command(name="demo")
@click.option("--backend", default="aer:fez", show_default=True, help="Where to run the tour.")
@common()
def command(
    *,
    backend: str,
    seed: int | None,
    out: Path | None,
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> None:
    """Run the whole tour on the built-in simulator, with the noise of a real processor.

    Writes report.html, pictures, the rounds and results.json into out/demo (or --out).
    """
    del debug
    folder = out or Path("out/demo")
    check_folder(folder)
    begun = time.perf_counter()
    steps = _Steps(quiet=quiet or as_json)
    seed = 2026 if seed is None else seed

    from ebit.plots import (
        Section,
        bell_section,
        chip_section,
        fringe_section,
        key_section,
        random_section,
        save_chip_figures,
        save_score_figures,
        state_section,
    )
    from ebit.protocols import begin, bell, chip_map, fringe, key, random_bits, resume, state

    drawn = steps.run(
        "Bell test, settings drawn inside every shot; random bits certified and extracted from it",
        lambda report: random_bits(
            backend, source="chsh", shots=100_000, seed=seed, progress=report
        ),
    )
    coins = drawn.score
    if coins is None:
        raise RefusedError("the tour's Bell test has no score")
    plain = steps.run(
        "Bell test, one circuit per setting",
        lambda report: bell(
            backend, shots=100_000, settings="per-circuit", seed=seed + 1, progress=report
        ),
    )
    product = steps.run(
        "the same without entanglement",
        lambda report: bell(
            backend, shots=100_000, state="product", seed=seed + 2, progress=report
        ),
    )
    ghz = steps.run(
        "a GHZ state of four qubits",
        lambda report: state("ghz:4", backend, shots=30_000, seed=seed + 3, progress=report),
    )
    sweep = steps.run(
        "the fringe", lambda report: fringe(backend, shots=25_000, seed=seed + 4, progress=report)
    )
    chip = steps.run(
        "the whole chip, every coupled pair",
        lambda report: chip_map(backend, shots=2048, seed=seed + 5, progress=report),
    )
    picked = steps.run(
        "a run left to itself, and picked up from the ledger",
        lambda report: resume(begin("bell", backend, shots=20_000, seed=seed + 6).id),
    )
    quiet_line = steps.run(
        "a secret key by BB84",
        lambda report: key(backend, rounds=100_000, seed=seed + 7, progress=report),
    )
    tapped = steps.run(
        "the same, and Eve measures every signal",
        lambda report: key(
            backend, rounds=100_000, attack="intercept-resend", seed=seed + 7, progress=report
        ),
    )
    results = {
        "backend": backend,
        "seed": seed,
        "bell": coins.to_dict(),
        "random": {k: v for k, v in drawn.to_dict().items() if k != "bell"},
        "bell_per_circuit": plain.to_dict(),
        "without_entanglement": product.to_dict(),
        "state": ghz.to_dict(),
        "fringe": sweep.to_dict(),
        "map": chip.to_dict(),
        "resumed": picked.to_dict(),
        "key": quiet_line.to_dict(),
        "key_with_eve": tapped.to_dict(),
    }

    def write(_: Callable[[int, int], None]) -> None:
        from ebit.plots import write_report

        if coins.trials is not None:
            coins.trials.save(folder / "trials.npz")
        if not drawn.refused:
            results["random"]["file"] = drawn.save(folder / "bits.bin").file
        if not quiet_line.aborted:
            results["key"]["file"] = quiet_line.save(folder / "key.bin").file
            results["sealed"] = _seal(quiet_line, folder)
        save_json(folder / "results.json", results)
        save_score_figures(coins, folder)
        save_chip_figures(chip, folder)
        write_report(
            folder / "report.html",
            [
                Section("The tour", f"<p>{_INTRO}</p>"),
                bell_section(coins, title="Bell test, settings drawn inside every shot"),
                random_section(drawn, _curves(drawn), title="Random bits from that very Bell test"),
                bell_section(plain, title="Bell test, one circuit per setting"),
                bell_section(product, title="The same test without entanglement"),
                state_section(ghz),
                fringe_section(sweep),
                chip_section(chip),
                key_section([quiet_line, tapped], note=_KEY_NOTE),
            ],
            title=f"ebit demo on {backend}",
        )

    steps.run("the report", write)
    results["seconds"] = round(time.perf_counter() - begun, 1)
    results["report"] = str(folder / "report.html")
    emit(
        results,
        lambda: _text(
            drawn, coins, plain, product, ghz, sweep, chip, picked, quiet_line, tapped, results
        ),
        as_json=as_json,
    )


def _curves(drawn: Any) -> Any:
    """What other numbers of rounds would be worth at the S that was planned for."""
    from ebit.analysis.entropy_plan import entropy_curves

    expected = drawn.certificate.expected_S
    if expected is None or not 2 < expected <= 8**0.5:
        return None
    rounds = tuple(round(10 ** (k / 2)) for k in range(6, 16))
    return entropy_curves(expected, rounds, epsilon=drawn.certificate.epsilon)


def _seal(made: Any, folder: Path) -> str:
    """Seal a letter with the key's first 256 bits, open it again, and return the sealed file's name."""
    from ebit.games import write_whole
    from ebit.protocols.key_uses_files import decrypt_file, encrypt_file

    used = made.key.part(0, 256)
    letter, sealed = folder / "letter.txt", folder / "letter.txt.sealed"
    write_whole(letter, _LETTER)
    encrypt_file(letter, sealed, used, key_id="demo")
    opened = folder / "letter.opened.txt"
    decrypt_file(sealed, opened, used)
    if opened.read_text("utf-8") != _LETTER:
        raise RefusedError("the sealed letter does not open to what was sealed")
    return str(sealed)


class _Steps:
    """Run the steps of the tour, saying on standard error what is done and how long it took."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def run(self, label: str, work: Callable[[Callable[[int, int], None]], _T]) -> _T:
        """Do one step with a progress bar."""
        begun = time.perf_counter()
        with progress_bar(label, quiet=self._quiet) as report:
            found = work(report)
        if not self._quiet:
            click.echo(f"  done: {label} ({time.perf_counter() - begun:.1f} s)", err=True)
        return found


def _bits(drawn: Any) -> str:
    if drawn.refused:
        return f"none: {drawn.refused}"
    return (
        f"{drawn.bits:,} extracted ({drawn.certificate.entropy_rate:.3f} bits of entropy per round "
        f"against {drawn.certificate.adversary})"
    )


def _key(made: Any) -> str:
    if made.aborted:
        return f"none: {made.reason}"
    return (
        f"{made.key_bits:,} bits, {100 * made.qber:.2f} % errors, equal on both sides: "
        f"{'yes' if made.keys_equal else 'NO'} (a demonstration, no secret)"
    )


def _text(
    drawn: Any,
    coins: Any,
    plain: Any,
    product: Any,
    ghz: Any,
    sweep: Any,
    chip: Any,
    picked: Any,
    quiet_line: Any,
    tapped: Any,
    results: Any,
) -> str:
    def line(name: str, score: Any) -> str:
        span = score.S_interval
        return f"  {name:<34} S = {score.S:.4f} [{span.low:.4f}, {span.high:.4f}]  {score.status}"

    return "\n".join(
        [
            f"Bell test on {results['backend']}, qubits "
            f"{', '.join(map(str, coins.run.qubits))}: {coins.verdict}",
            "",
            line("settings drawn inside every shot", coins),
            f"  {'random bits from it':<34} {_bits(drawn)}",
            line("one circuit per setting", plain),
            line("without entanglement", product),
            f"  {'GHZ state of four qubits':<34} F = {ghz.fidelity:.4f} "
            f"[{ghz.interval.low:.4f}, {ghz.interval.high:.4f}]  {ghz.status}",
            f"  {'fringe':<34} visibility {sweep.visibility:.4f}",
            f"  {'every pair of the chip':<34} {chip.summary}",
            line(f"job {picked.run.job[:8]}, picked up later", picked),
            f"  {'a key by BB84':<34} {_key(quiet_line)}",
            f"  {'the same with Eve':<34} {_key(tapped)}",
            f"  {'a letter sealed with the key':<34} {results.get('sealed', 'none: there is no key')}",
            "",
            f"open {results['report']}  ({results['seconds']} s, seed {results['seed']}; the same "
            "seed gives the same rounds)",
        ]
    )
