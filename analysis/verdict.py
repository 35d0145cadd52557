"""The verdict's words: they follow the evidence, the no-signalling test and what is assumed."""

from __future__ import annotations

from collections.abc import Sequence

from ebit.analysis.nosignalling import NoSignalling
from ebit.analysis.null import Null
from ebit.analysis.results import Evidence, Status

__all__ = ["judge", "limits_of", "strongest"]

# A null raised by more than this by the coins' unknown bias hides an honest violation.
_LOOSE = 0.01

_RANK = (
    "p-value, devices with memory",
    "e-value, devices with memory",
    "e-value, betting per block",
    "p-value, independent rounds",
)


def strongest(evidence: Sequence[Evidence]) -> Evidence | None:
    """Return the valid evidence that assumes least, p-values before e-values."""
    valid = {e.name: e for e in evidence if e.valid}
    return next((valid[name] for name in _RANK if name in valid), None)


def judge(
    *,
    evidence: Sequence[Evidence],
    signalling: NoSignalling | None,
    fault: str,
    null: Null,
    levels: tuple[float, float],
    separation: str,
    chosen: str,
    source: str,
) -> tuple[Status, str]:
    """Return the status and the sentence.

    A fault of the data comes first, then signalling: both refuse a verdict on entanglement. A
    violation needs evidence at the first level; its words say at which.

    Args:
        evidence: every statistic.
        signalling: the no-signalling test, where there is one.
        fault: what lies above the quantum bound by more than its error, or "".
        null: what was tested against.
        levels: the note and the fault.
        separation: of the parties.
        chosen: how settings were chosen.
        source: who drew them.
    """
    note, strong = levels
    what = _what(null)
    if fault:
        return "fault", (
            f"fault of the data: {fault} by more than its error at {strong:g}; look for post-selection, mitigation or mislabelled bits. No "
            "verdict on entanglement is given"
        )
    if signalling is not None and not signalling.holds:
        return "signalling", (
            f"signalling found (corrected p = {_p(signalling.p_value)}): an outcome depends on the "
            f"other party's setting{_or_drift(chosen)}, so that correlations prove nothing here. No "
            "verdict on entanglement is given"
        )
    best = strongest(evidence)
    if best is None:
        return "no violation", f"not shown: {null.refused or 'the data support no statistic'}"
    log10_p = best.log10 if best.kind == "p" else -(best.log10 or 0.0)
    if log10_p is None:
        return "no violation", "not shown"
    shown = _shown(best)
    caution = ""
    if signalling is not None and signalling.p_value < note:
        caution = f"; the no-signalling test is on watch (corrected p = {_p(signalling.p_value)} < {note:g})"
    ground = f"assuming {best.assumption}"
    if source == "device" and "memory" in best.name:
        ground += "; settings from the device's own coins"
    if separation in ("one chip", "unknown") and null.floor.against == "local":
        ground += "; and no communication between the parties"
    if null.floor.trust != "none":
        ground += "; and trusted measuring devices"
    where = " in simulation" if separation == "simulated" else ""
    if 10**log10_p < strong or log10_p < -300:
        return "violation", f"{what} violated{where} ({shown}), {ground}{caution}"
    if 10**log10_p < note:
        return "violation", f"evidence against {what}{where} ({shown}), {ground}{caution}"
    hint = ""
    if source == "device" and null.bound - null.base > _LOOSE:
        hint = (
            f"; the coins may be predictable to 1/2 + {null.tau:.2g} for all that so few rounds tell: "
            "take more, or declare tau beforehand"
        )
    return "no violation", (
        f"no violation of {what} shown at {note:g} ({shown}), {ground}{caution}{hint}"
    )


def _or_drift(chosen: str) -> str:
    # With settings fresh in every round drift meets all of them alike.
    return "" if chosen == "per-shot" else ", or drifted as the settings changed"


def _what(null: Null) -> str:
    return {
        "local": "local realism",
        "separable": "the bound of separable states",
        "unsteerable": "the bound of unsteerable states",
        "biseparable": "the bound of biseparable states",
    }[null.floor.against]


def _p(value: float) -> str:
    return f"{value:.2g}"


def _shown(evidence: Evidence) -> str:
    letter = "p" if evidence.kind == "p" else "e"
    value, log10 = evidence.value, evidence.log10
    if value is None or log10 is None:
        return f"{letter} withheld"
    if abs(log10) > 300:
        return f"{letter} = 10^{log10:.0f}"
    return f"{letter} = {value:.3g}"


def limits_of(
    separation: str, settings_source: str, *, ordered: bool, trust: str
) -> tuple[str, ...]:
    """Return what no score of such rounds gives."""
    limits = []
    if separation == "simulated":
        limits.append("anything about nature: the rounds are simulated and pseudo-random")
    if separation in ("one chip", "unknown"):
        limits.append(
            "the locality loophole closed: "
            + (
                "both parties sit on one chip, cross-talk can only be bounded"
                if separation == "one chip"
                else "nothing is known of the parties' separation (declare it)"
            )
        )
    if settings_source == "device":
        limits.append("settings that are independent of the device: its own coins drew them")
    limits.append("secrecy, or device-independent security")
    if not ordered:
        limits.append("a path of the evidence: the order of the rounds is not known")
    if trust != "none":
        limits.append("a statement without trust in measuring devices")
    return tuple(limits)
