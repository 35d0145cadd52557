"""States, end to end: prepare one, measure what shows its fidelity, say whether it is entangled."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ebit.analysis.state_result import StateScore
from ebit.analysis.state_targets import Target, graph_target, looks_like_edges
from ebit.analysis.state_targets import target as target_by_name
from ebit.analysis.states import score_state
from ebit.games import ArgumentError
from ebit.protocols.resuming import play
from ebit.protocols.run import Progress, Run, context_of
from ebit.protocols.terms import Confirm

if TYPE_CHECKING:
    from ebit.circuits import Experiment

__all__ = ["read_graph", "score_state_run", "state", "state_program", "state_target"]

# All stabilisers are asked up to this number of qubits, a random sample beyond it.
_ALL_UP_TO, _SAMPLE = 7, 64
_LARGEST_FILE = 1 << 20


def state(
    name: str | Target,
    backend: str | object = "aer",
    *,
    shots: int = 50_000,
    qubits: Sequence[int] | None = None,
    sample: int | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
    confirm: Confirm = None,
    max_seconds: float | None = None,
) -> StateScore:
    """Prepare a state on a backend, measure its fidelity, and say whether it is entangled.

    GHZ and graph states are measured in all their 2^n - 1 stabilisers up to 7 qubits, and in a
    random sample of 64 beyond that; a GHZ state is made along a chain of coupled qubits. Bell
    states are measured in XX, YY and ZZ, W states in 1 + n(n-1) settings.

    Args:
        name: "ghz:5", "w:3", "bell:phi+", "graph:0-1,1-2" or "graph:FILE", a file with an edge
            such as ``0 1`` a line or a JSON list of pairs.
        backend: a name ("aer", "aer:fez", "cirq"), or an object such as ``AerSimulator()``.
        shots: rounds in all, shared equally among the circuits.
        qubits: physical qubits in the order of the state's; chosen by calibration if left out.
            A GHZ state on given qubits follows their couplings.
        sample: number of stabilisers to draw at random, for GHZ and graph states.
        seed: makes a simulator's run, and the draw of the sample, repeatable.
        progress: called with (done, total).
        confirm: whether to send a paid run; asked of you if left out.
        max_seconds: refuse a run that would take longer.

    Returns:
        The score, with the rounds in ``score.trials``.

    Raises:
        EbitError: something that cannot be run, in one line.

    Example:
        >>> import ebit
        >>> found = ebit.state("ghz:3", shots=7_000, seed=1)
        >>> found.verdict, found.fidelity
        ('genuinely 3-party entangled', 1.0)

    Source:
        See `ebit.analysis.states.score_state`.
    """
    found: StateScore = play(
        "state",
        backend,
        shots=shots,
        qubits=qubits,
        seed=seed,
        progress=progress,
        confirm=confirm,
        max_seconds=max_seconds,
        name=name,
        sample=sample,
    )
    return found


def state_program(
    name: str | Target,
    backend: str | object,
    *,
    qubits: Sequence[int] | None = None,
    sample: int | None = None,
    seed: int | None = None,
) -> tuple[Experiment, dict[str, Any]]:
    """Return what `state` runs, and what a score of it needs to know later."""
    aim = state_target(name) if isinstance(name, str) else name
    experiment = _experiment(aim, backend, qubits, sample, seed)
    return experiment, {"kind": "state", "target": asdict(aim)}


def score_state_run(run: Run, purpose: Mapping[str, Any]) -> StateScore:
    """Score a finished measurement of a state."""
    known = dict(purpose["target"])
    known["edges"] = tuple((int(a), int(b)) for a, b in known["edges"])
    aim = Target(**known)
    return score_state(run.trials, aim, sampled=aim.kind in ("ghz", "graph"), **context_of(run))


def state_target(name: str) -> Target:
    """Return a state by name; what follows ``graph:`` is edges or a file of them.

    Raises:
        ArgumentError: an unknown state, or a file that cannot be read.
    """
    kind, _, rest = name.strip().partition(":")
    if kind.lower() == "graph" and rest.strip() and not looks_like_edges(rest):
        return graph_target(read_graph(rest.strip()), name=f"graph:{Path(rest.strip()).name}")
    return target_by_name(name)


def read_graph(path: str | Path) -> list[tuple[int, int]]:
    """Read the edges of a graph: a line such as ``0 1`` each (# for remarks), or a JSON list.

    Args:
        path: a text file.

    Raises:
        ArgumentError: a file that cannot be read, or the first line that is no edge.
    """
    file = Path(path)
    try:
        if file.is_file() and file.stat().st_size > _LARGEST_FILE:
            raise ArgumentError(f"graph file {file} must be smaller than a megabyte")
        text = file.read_text("utf-8-sig")
    except FileNotFoundError:
        raise ArgumentError(
            f"graph must be edges such as 0-1,1-2 or a file of edges, and there is no file {file}"
        ) from None
    except UnicodeDecodeError:
        raise ArgumentError(f"graph file {file} must be text, but is not UTF-8") from None
    except OSError as error:
        raise ArgumentError(
            f"graph file {file} cannot be read: {error.strerror or error}"
        ) from None
    if text.lstrip().startswith(("[", "{")):
        return _from_json(text, file)
    edges = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].replace(",", " ").replace("-", " ").split()
        if not words:
            continue
        if len(words) != 2 or not all(w.isascii() and w.isdigit() and len(w) < 7 for w in words):
            raise ArgumentError(
                f"graph file {file}, line {number}, must be two vertices such as 0 1, "
                f"but was {line.strip()[:60]!r}"
            )
        edges.append((int(words[0]), int(words[1])))
    if not edges:
        raise ArgumentError(f"graph file {file} must have an edge such as 0 1 a line, but is empty")
    return edges


def _from_json(text: str, file: Path) -> list[tuple[int, int]]:
    try:
        pairs: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArgumentError(f"graph file {file} is no valid JSON: {error}") from None
    edges = []
    for pair in pairs if isinstance(pairs, list) else [pairs]:
        whole = isinstance(pair, list) and len(pair) == 2 and all(type(v) is int for v in pair)
        if not whole:
            raise ArgumentError(
                f"graph file {file} must be a JSON list of pairs such as [[0, 1], [1, 2]], "
                f"but has {str(pair)[:60]}"
            )
        edges.append((pair[0], pair[1]))
    if not edges:
        raise ArgumentError(f"graph file {file} must have at least one edge, but has none")
    return edges


def _experiment(
    aim: Target,
    backend: str | object,
    qubits: Sequence[int] | None,
    sample: int | None,
    seed: int | None,
) -> Experiment:
    from ebit.circuits import bases_agree, stabilisers, w_fidelity

    if aim.kind in ("w", "bell"):
        if sample is not None:
            raise ArgumentError(
                f"sample goes with ghz and graph states; {aim.name} is measured in every setting"
            )
        return w_fidelity(aim.n) if aim.kind == "w" else bases_agree("XYZ", state=aim.bell)
    # The identity always passes: it is known, and not measured.
    number = 2**aim.n - 1
    if sample is None:
        sample = number if aim.n <= _ALL_UP_TO else _SAMPLE
    if isinstance(sample, bool) or int(sample) != sample or not 1 <= sample <= number:
        raise ArgumentError(
            f"sample must be a whole number of stabilisers, 1 to {number} for {aim.name}, "
            f"but was {sample!r}"
        )
    if sample == number:
        which = list(range(1, number + 1))
    else:
        drawn = np.random.default_rng(seed).choice(number, size=int(sample), replace=False)
        which = sorted(int(k) + 1 for k in drawn)
    if aim.kind == "graph":
        return stabilisers(aim.edges, aim.n, which=which)
    return stabilisers("ghz", aim.n, which=which, layout=_layout(aim.n, backend, qubits))


def _layout(
    n: int, backend: str | object, qubits: Sequence[int] | None
) -> str | list[tuple[int, int]]:
    """The chain; over given qubits that are no chain, whatever couplings there are among them."""
    if qubits is None or len(qubits) != n:
        return "chain"
    from ebit.backends import open_backend

    couplings = open_backend(backend).describe().couplings
    if couplings is None:
        return "chain"
    place = {int(q): i for i, q in enumerate(qubits)}
    links = sorted(
        {
            (min(place[a], place[b]), max(place[a], place[b]))
            for a, b in couplings
            if a in place and b in place
        }
    )
    if all((i, i + 1) in links for i in range(n - 1)) or not _joined(n, links):
        return "chain"  # what is not joined is refused by the backend, which names the pair
    return links


def _joined(n: int, links: Sequence[tuple[int, int]]) -> bool:
    reached = {0}
    for _ in range(n):
        reached |= {b for a, b in links if a in reached} | {a for a, b in links if b in reached}
    return len(reached) == n
