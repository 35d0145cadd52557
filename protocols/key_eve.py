"""What a simulated eavesdropper holds of a run's raw key, and whether the key is short enough for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ebit.protocols.key_forecast import full_table
from ebit.protocols.run import Run

if TYPE_CHECKING:
    from ebit.backends import Distribution
    from ebit.circuits import Experiment
    from ebit.protocols.key_parties import KeyEnding

__all__ = ["eve_of", "exact_behaviour"]


def eve_of(
    run: Run, purpose: Mapping[str, Any], end: KeyEnding | None, leak: int, key_bits: int
) -> dict[str, Any] | None:
    """Return what Eve holds and the bound on it, None where nobody listened or nothing was simulated.

    She is given every round's record, everything that was said, and which of Bob's bits were wrong.

    Args:
        run: of a key round with Eve in it.
        purpose: what was fixed before the run.
        end: how Alice ended, with the raw bits if it came so far.
        leak: bits told about them. key_bits: length of the key, 0 without one.
    """
    attack = purpose["attack"]
    if attack is None or run.separation != "simulated":
        return None
    from ebit.analysis.key_signatures import attack_signature

    found: dict[str, Any] = {"attack": attack, "predicted": attack_signature(attack).to_dict()}
    if attack == "man-in-the-middle":
        found["says"] = (
            "she holds every bit of what each side took for the raw key, and no tag fits"
        )
        return found
    if attack.startswith(("memory", "predicted-settings")):
        found["kept"] = not key_bits
        found["says"] = "her devices hold no qubit: she knows every key bit" + (
            "; settings could be foreseen, against the assumption, and no test shows it: THE KEY IS HERS"
            if key_bits
            else ", and there is no key"
        )
        return found
    experiment = cast("Experiment", run.experiment)
    details = experiment.details
    independent = purpose["protocol"] == "diqkd"
    behaviour = exact_behaviour(run)
    if behaviour is None:
        return None
    from ebit.analysis.eve_knowledge import joint_tables, knowledge, record_entropies

    tables = joint_tables(behaviour) if independent else _tables(experiment, behaviour)
    key = tuple(details["key"][0])
    row = [tuple(q[:2]) for q in experiment.game.questions.tolist()].index(key)

    guess, _, information = record_entropies(tables[row])
    found["information_per_key_bit"] = information
    found["guess_per_key_bit"] = guess
    if end is None or end.rounds is None or not len(end.rounds):
        found["says"] = f"would have held {information:.4f} bit of each raw bit"
        return found
    settings, outcomes = run.trials.rounds()
    outcomes = outcomes[end.rounds]
    if independent:  # a syndrome one way tells nothing of Bob's; every question makes raw bits
        kinds = experiment.game.question_index(settings[end.rounds].astype(np.int64))
        records, used = outcomes[:, -1] if outcomes.shape[1] > 2 else 0 * outcomes[:, 0], tables
    else:
        records, used = _records(experiment, outcomes), tables[row]
        kinds = np.zeros(len(outcomes), np.int64)
    told = knowledge(
        outcomes[:, 0],
        records,
        used,
        leak=leak,
        key_bits=key_bits,
        which=kinds,
        epsilon=purpose["plan"]["epsilon"],
    )
    found.update(told.to_dict())
    left = max(0.0, told.smooth_min_entropy - leak)
    found["says"] = (
        f"guesses {100 * told.right:.2f} % of {told.n:,} raw bits by the measurement she made; given its "
        f"record and the {leak:,} bits told, {left:,.0f} bits of smooth min-entropy are left, "
        + (f"and the key has {key_bits:,}" if key_bits else "and there is no key")
    )
    return found


def exact_behaviour(run: Run) -> Any:
    """Return P(outcomes | settings) of a simulated run's circuits, exactly; None where nobody knows."""
    parts = run.expected()
    if parts is None and type(run.compiled.circuits[0]).__module__.startswith("qiskit"):
        from ebit.backends import expected_of

        parts = expected_of(run.compiled.circuits, None)
    if parts is None:  # an ideal simulator of other circuits
        from ebit.backends import expected_of

        parts = expected_of(cast("Experiment", run.experiment).circuits, None)
    experiment = cast("Experiment", run.experiment)
    given: list[Any] = [
        full_table(cast("list[Distribution]", found), int(width))
        for found, width in zip(parts, experiment.widths, strict=True)
    ]
    return experiment.behaviour(given)


def _tables(experiment: Experiment, behaviour: Any) -> Any:
    """P(Alice's bit, Eve's record): her outcome, the middle's, and which of Bob's bits were wrong."""
    from ebit.analysis.eve_knowledge import joint_tables

    details = experiment.details
    flip = details["flip"]
    if flip is None:
        return joint_tables(behaviour, errors=True)
    names = details["alice_bases"]
    matched = {tuple(pair) for pair in (*details["key"], *details["test"])}
    flips = [
        flip[names[q[0]]] if tuple(q[:2]) in matched else None
        for q in experiment.game.questions.tolist()
    ]
    return joint_tables(behaviour, middle=True, errors=True, flips=flips)


def _records(experiment: Experiment, outcomes: Any) -> Any:
    """Eve's record of each round, numbered as the tables have it."""
    details = experiment.details
    a, b = outcomes[:, 0].astype(np.int64), outcomes[:, 1].astype(np.int64)
    rest = outcomes[:, 2:].astype(np.int64)
    flip = details["flip"]
    hers = np.zeros(len(a), dtype=np.int64)
    if flip is not None:
        m = rest[:, 0]
        bit = flip[details["alice_bases"][details["key"][0][0]]]
        b = b ^ ((m >> bit) & 1)
        if rest.shape[1] > 1:
            hers = rest[:, 1]
        hers = 4 * hers + m
    elif rest.shape[1]:
        hers = rest[:, 0]
    return 2 * hers + (a ^ b)
