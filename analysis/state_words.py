"""What a state score says in words, and what it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from ebit.analysis.sheet import p_text

if TYPE_CHECKING:
    from ebit.analysis.intervals import Interval
    from ebit.analysis.state_result import Threshold
    from ebit.analysis.state_targets import Target

__all__ = ["limits", "rests_on", "verdict_of"]

Status = Literal["genuine", "entangled", "not shown", "fault"]


def verdict_of(
    aim: Target,
    value: float,
    interval: Interval,
    thresholds: Sequence[Threshold],
    fault: str,
    strong: float,
    separation: str,
    sampled: bool,
) -> tuple[Status, str, str]:
    """Return the status, the verdict and the sentence that explains it."""
    if fault:
        return "fault", "not shown", f"fault of the data: {fault}. No verdict is given"
    where = " in simulation" if separation == "simulated" else ""
    side = f"each limit errs by at most {(1 - interval.level) / 2:g}"
    shown = [t for t in thresholds if t.shown]
    if not shown:
        least = min((t.value for t in thresholds), default=1.0)
        why = (
            f"the lower limit {interval.low:.4f} of the fidelity {value:.4f} is not above "
            f"{least:.4f}, which states without entanglement reach"
        )
        if not thresholds:
            why = f"{aim.name} is not entangled"
        elif sampled and value > least:
            why += "; a larger sample of stabilisers narrows the interval"
        return "not shown", "not shown", f"entanglement not shown{where}: {why} ({side})"
    best = shown[-1]
    words = f"genuinely {aim.n}-party entangled" if best.claim == "genuine" else "entangled"
    status: Status = "genuine" if best.claim == "genuine" else "entangled"
    p = p_text(best.p_value, best.log10_p)
    sure = "" if best.p_value < strong else f", not below {strong:g}"
    return (
        status,
        words,
        f"{words}{where}: the fidelity is at least {interval.low:.4f}, above {best.value:.4f} "
        f"({side}; {p}{sure})",
    )


def rests_on(aim: Target, sampled: bool, asked: int) -> tuple[str, ...]:
    """Return what the fidelity and its interval assume."""
    found = [
        "trusted measuring devices: each qubit is measured in the basis asked, apart from errors "
        "that count as errors of the state",
        "independent rounds",
        "the same state, on average, in every circuit",
    ]
    if sampled:
        found.append(
            f"the {asked} stabilisers were drawn uniformly at random from the "
            f"{2**aim.n - 1}, before the run"
        )
    return tuple(found)


def limits(aim: Target, status: Status, separation: str, sampled: bool) -> tuple[str, ...]:
    """Return what the score does not give."""
    found = []
    if separation == "simulated":
        found.append("anything about nature: the rounds are simulated and pseudo-random")
    found.append("entanglement without trust in the measuring devices: that takes a Bell test")
    if status in ("not shown", "entangled") and aim.n > 2:
        found.append(
            "that the state lacks more entanglement than is shown: a low fidelity with "
            f"{aim.name} leaves other states possible"
        )
    if status == "not shown" and aim.n == 2:
        found.append("that the state is separable: a low fidelity proves nothing")
    if status == "entangled" and aim.n > 2:
        found.append("which of the qubits are entangled")
    if not aim.connected:
        found.append("genuine entanglement of all qubits: the graph falls into parts")
    if sampled:
        found.append("the pass rates of the stabilisers that were not drawn")
    if aim.n == 2:
        found.append("the concurrence itself: only a lower bound")
    return tuple(found)
