"""Options of a run on IBM's processors: what is asked for, and what takes effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ebit.games import ArgumentError

__all__ = ["Options"]

Sequence = Literal["XX", "XpXm", "XY4"]
_SEQUENCES = ("XX", "XpXm", "XY4")
_MOST_RANDOMIZATIONS = 32  # as the client chooses by itself
_LEAST_SHOTS = 64  # of one randomization


@dataclass(frozen=True)
class Options:
    """What may be asked of the sampler. By default nothing is added to what was compiled.

    Args:
        dynamical_decoupling: pulses on waiting qubits, "XX", "XpXm" or "XY4"; None for none.
        twirl_gates: random Pauli gates around entangling gates, undone in the same circuit.
        twirl_measure: random flips before measurements, undone in the data.
        rep_delay: seconds between two shots; None for the device's default.
        session: whether the jobs run in a session, which reserves the processor and is paid for
            by the clock.
    """

    dynamical_decoupling: Sequence | None = None
    twirl_gates: bool = False
    twirl_measure: bool = False
    rep_delay: float | None = None
    session: bool = False

    def __post_init__(self) -> None:
        if self.dynamical_decoupling not in (None, *_SEQUENCES):
            raise ArgumentError(
                f"argument dynamical_decoupling must be None or one of {', '.join(_SEQUENCES)}, "
                f"but was {self.dynamical_decoupling!r}"
            )

    @property
    def twirled(self) -> bool:
        """Whether circuits are randomised."""
        return self.twirl_gates or self.twirl_measure

    def check(self, device: Any) -> None:
        """Refuse a repetition delay that the device does not take."""
        if self.rep_delay is None:
            return
        configuration = device.configuration()
        low, high = getattr(configuration, "rep_delay_range", None) or (0.0, 0.0)
        if not getattr(configuration, "dynamic_reprate_enabled", False):
            raise ArgumentError(f"argument rep_delay cannot be set on {device.name}: leave it out")
        if not low <= self.rep_delay <= high:
            raise ArgumentError(
                f"argument rep_delay must lie in {low:g} .. {high:g} s on {device.name}, "
                f"but was {self.rep_delay:g}"
            )

    def rounded(self, shots: int) -> int:
        """Shots of a circuit that can be taken: twirling wants equal randomisations."""
        return shots if not self.twirled else _prod(randomizations(shots))

    def for_client(self, shots: int, tags: list[str]) -> dict[str, Any]:
        """The client's options for one job."""
        out: dict[str, Any] = {"environment": {"job_tags": tags}}
        if self.dynamical_decoupling is not None:
            out["dynamical_decoupling"] = {
                "enable": True,
                "sequence_type": self.dynamical_decoupling,
            }
        out["twirling"] = {
            "enable_gates": self.twirl_gates,
            "enable_measure": self.twirl_measure,
        }
        if self.twirled:
            count, each = randomizations(shots)
            out["twirling"] |= {"num_randomizations": count, "shots_per_randomization": each}
        if self.rep_delay is not None:
            out["execution"] = {"rep_delay": self.rep_delay}
        return out

    @classmethod
    def of(cls, options: Mapping[str, Any], *, session: bool = False) -> Options:
        """The options that `effective` described: a run that goes on keeps those it began with."""
        twirling = options.get("twirling") or {}
        decoupling = options.get("dynamical_decoupling") or {}
        return cls(
            dynamical_decoupling=decoupling.get("sequence_type"),
            twirl_gates=bool(twirling.get("enable_gates")),
            twirl_measure=bool(twirling.get("enable_measure")),
            rep_delay=options["rep_delay"] if options.get("rep_delay_by") == "request" else None,
            session=session,
        )

    def assumptions(self) -> tuple[str, ...]:
        """What the shots rest on because of the options."""
        out = []
        if self.dynamical_decoupling is not None:
            out.append(
                f"dynamical decoupling ({self.dynamical_decoupling}) was added by the client after "
                "the circuits were checked"
            )
        if self.twirled:
            what = " and ".join(
                word
                for word, on in (("gates", self.twirl_gates), ("readout", self.twirl_measure))
                if on
            )
            out.append(
                f"{what} twirled by the provider: circuits differ from shot to shot by random "
                "Pauli gates that are undone"
            )
        return tuple(out)


def randomizations(shots: int) -> tuple[int, int]:
    """Number of randomisations and shots of each, together not more than `shots`.

    >>> randomizations(1000), randomizations(10)
    ((15, 66), (1, 10))
    """
    count = max(1, min(_MOST_RANDOMIZATIONS, shots // _LEAST_SHOTS))
    return count, shots // count


def effective(sent: Mapping[str, Any], device: Any) -> dict[str, Any]:
    """The options in effect, from those that a job carries and the device's defaults.

    Args:
        sent: the client's options as they were finalised and sent.
        device: the processor.
    """
    execution, twirling = sent["execution"], sent["twirling"]
    decoupling = sent["dynamical_decoupling"]
    delay = execution.get("rep_delay")
    default = getattr(device.configuration(), "default_rep_delay", None)
    out: dict[str, Any] = {
        "rep_delay": delay if delay is not None else default,
        "rep_delay_by": "request" if delay is not None else "device",
        "init_qubits": execution.get("init_qubits"),
        "meas_type": execution.get("meas_type"),
        "dynamical_decoupling": None,
        "twirling": None,
    }
    if decoupling.get("enable"):
        names = ("sequence_type", "scheduling_method", "extra_slack_distribution")
        out["dynamical_decoupling"] = {k: decoupling[k] for k in names if k in decoupling}
    if twirling.get("enable_gates") or twirling.get("enable_measure"):
        out["twirling"] = dict(twirling)
    return out


def _prod(pair: tuple[int, int]) -> int:
    return pair[0] * pair[1]
