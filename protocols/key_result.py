"""What a run for a key gave: the key or the reason why there is none, and what is proven of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ebit.analysis import RunInfo
from ebit.analysis.intervals import Interval
from ebit.analysis.sheet import Sheet, Shown, interval_dict
from ebit.games import RefusedError
from ebit.protocols.secret_bits import SecretBits

__all__ = ["UNCOVERED", "KeyResult", "Secrecy", "read_key", "save_key"]

Secrecy = Literal["demonstration", "own"]


UNCOVERED = (
    "a proof of secrecy for this run: each circuit has its own pair of bases, so that whoever ran it knew "
    "them before the signals passed"
)
"""What a run does not give whose bases were not drawn shot by shot."""


@dataclass(frozen=True, eq=False, repr=False)
class KeyResult(Shown):
    """A secret key with what is proven about it, or the reason why there is none.

    Attributes:
        protocol: "bb84", "bbm92", "e91", "six-state", "mdi" or "diqkd".
        attack: the eavesdropper that was simulated, None without one.
        rounds: signals sent.
        sifted: rounds whose bases make key or test.
        raw_bits: sifted rounds that the key is made of. test_bits: those that were tested.
        qber: error rate of the tested rounds, None before any was tested.
        qbers: error rate by basis, of the rounds that were announced.
        tolerated: error rate up to which the plan goes on.
        S: CHSH value, where the protocol measures one.
        leak_bits: bits told in reconciliation and verification.
        f: leak of reconciliation over n h(Q), Q being the rate of errors that were corrected.
        message_rounds: of reconciliation: how often one side spoke and the other replied.
        key_bits: length of the key, 0 without one.
        authentication_bits: of the pre-shared key, spent by this run.
        keys_equal: whether both parties hold the same key: known to a simulation's referee alone.
        aborted: whether there is no key. reason: why.
        epsilon: secrecy and correctness errors in all, authentication included.
        theorem: what the length rests on.
        plan: all that was fixed before the run, as plain data.
        eve: what she holds and the bound, of a simulation.
        secrecy: "demonstration" for keys of a simulator or through a cloud provider.
        randomness, separation: where the rounds come from.
        seconds: of the classical part.
        assumptions, not_given: of theorem, run and channel.
        tests_lost: diqkd: tests that were lost.
        S_error: standard error of S.
        key: Alice's, or this party's; None without one. Nothing prints it.
        key_id: its name, the same at both ends.
        run: where the rounds come from.
        file: where the key was written, if it was.
    """

    protocol: str
    attack: str | None
    rounds: int
    sifted: int
    raw_bits: int
    test_bits: int
    qber: float | None
    qbers: Mapping[str, float]
    tolerated: float | None
    S: float | None
    leak_bits: int
    f: float | None
    message_rounds: int
    key_bits: int
    authentication_bits: int
    keys_equal: bool | None
    aborted: bool
    reason: str
    epsilon: float
    theorem: str
    plan: Mapping[str, Any]
    eve: Mapping[str, Any] | None
    secrecy: Secrecy
    randomness: str
    separation: str
    seconds: float
    assumptions: tuple[str, ...]
    not_given: tuple[str, ...]
    tests_lost: int | None = None
    S_error: float | None = None
    key: SecretBits | None = field(default=None)
    key_id: str | None = None
    run: RunInfo | None = None
    file: str | None = None

    @property
    def net_key_bits(self) -> int:
        """The key's bits less those of the pre-shared key that authentication spent."""
        return self.key_bits - self.authentication_bits

    @property
    def qber_interval(self) -> Interval | None:
        """The 95 % interval of the error rate (Clopper-Pearson), None before any round was tested.

        Nothing rests on it: the theorem bounds the key rounds' errors by the tolerated rate.
        """
        from ebit.analysis.binomial import clopper_pearson

        n = self.raw_bits - self.test_bits if self.protocol == "diqkd" else self.test_bits
        if self.qber is None or n < 1:
            return None
        tail = (1 - _LEVEL) / 2
        low, high = clopper_pearson(round(self.qber * n), n, low_error=tail, high_error=tail)
        return Interval(float(low), float(high), _LEVEL, "Clopper-Pearson")

    @property
    def source(self) -> str:
        """The paper whose theorem the length rests on."""
        return _SOURCES[self.theorem]

    def cite(self) -> str:
        """Return the sources of the numbers, one a line."""
        return "\n".join((self.source, _TAGS))

    def save(self, path: str | Path) -> KeyResult:
        """Write the key, readable by its owner only, and all but the key beside it, as PATH.json.

        Raises:
            RefusedError: there is none.
            EbitError: a file that cannot be written.
        """
        if self.key is None:
            raise RefusedError(f"there is no key to save: {self.reason}")
        known = replace(self, file=str(path))
        save_key(path, self.key, known.to_dict())
        return known

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the key as plain data."""
        return {
            "protocol": self.protocol,
            "attack": self.attack,
            "rounds": self.rounds,
            "sifted": self.sifted,
            "raw_bits": self.raw_bits,
            "test_bits": self.test_bits,
            "qber": self.qber,
            "qber_interval": interval_dict(self.qber_interval),
            "qbers": dict(self.qbers),
            "tolerated": self.tolerated,
            "S": self.S,
            "S_error": self.S_error,
            "tests_lost": self.tests_lost,
            "leak_bits": self.leak_bits,
            "f": self.f,
            "message_rounds": self.message_rounds,
            "key_bits": self.key_bits,
            "authentication_bits": self.authentication_bits,
            "net_key_bits": self.net_key_bits,
            "keys_equal": self.keys_equal,
            "aborted": self.aborted,
            "reason": self.reason or None,
            "epsilon": self.epsilon,
            "theorem": self.theorem,
            "source": self.source,
            "key_id": self.key_id,
            "block": self.key_id,
            "secrecy": self.secrecy,
            "randomness": self.randomness,
            "separation": self.separation,
            "seconds": self.seconds,
            "file": self.file,
            "backend": None if self.run is None else self.run.backend,
            "job": None if self.run is None else self.run.job,
            "eve": None if self.eve is None else dict(self.eve),
            "plan": dict(self.plan),
            "assumptions": list(self.assumptions),
            "not_given": list(self.not_given),
        }

    @property
    def title(self) -> str:
        """What there is, in a few words."""
        attacked = f" under {self.attack}" if self.attack else ""
        kind = " (demonstration)" if self.secrecy == "demonstration" else ""
        if self.aborted:
            return f"{self.protocol}{attacked}: no key"
        return f"{self.protocol}{attacked}: a key of {self.key_bits:,} bits{kind}"

    @property
    def _kept(self) -> bool:
        """Whether what Eve holds, where that is known, leaves the key secret."""
        return self.eve is None or self.eve.get("kept") is not False

    @property
    def sentence(self) -> str:
        """What may be said of it, or why there is none."""
        if self.aborted:
            return self.reason
        if self.eve is not None and not self._kept:
            return f"NOT SECRET, since an assumption does not hold here: {self.eve.get('says', '')}"
        if UNCOVERED in self.not_given:
            return (
                f"equal on both sides, and of the length that {self.theorem} gives at error "
                f"{self.epsilon:.3g}; but bases that a circuit fixes are covered by no proof of secrecy"
            )
        whom = ""
        if self.secrecy == "demonstration":
            whom = " from all but whoever ran the simulator or the processor"
        return (
            f"equal on both sides, and secret{whom}, except with probability {self.epsilon:.3g}, by "
            f"{self.theorem}, under the assumptions below"
        )

    def _rate(self) -> str:
        """The error rate with its interval, in percent."""
        interval = self.qber_interval
        if self.qber is None or interval is None:
            return "none"
        low, high = 100 * interval.low, 100 * interval.high
        return f"{100 * self.qber:.2f} % [{low:.2f}, {high:.2f}]"

    def _rows(self) -> list[tuple[str, str]]:
        rows = [("rounds", f"{self.rounds:,} sent, {self.sifted:,} sifted")]
        if self.tests_lost is not None:
            rows.append(
                (
                    "tests",
                    f"{self.tests_lost:,} of {self.test_bits:,} lost, "
                    f"{self.plan.get('tolerated_losses', 0):,} tolerated",
                )
            )
        if self.qber is not None and self.protocol == "diqkd":
            rows.append(("errors", f"{self._rate()} of the key rounds"))
        elif self.qber is not None:
            limit = "" if self.tolerated is None else f", {100 * self.tolerated:.2f} % tolerated"
            rows.append(("errors", f"{self._rate()} of {self.test_bits:,} tested rounds{limit}"))
        if len(self.qbers) > 1:
            each = ", ".join(f"{name} {100 * q:.2f} %" for name, q in self.qbers.items())
            rows.append(("by basis", each))
        if self.S is not None:
            error = "" if self.S_error is None else f" +- {self.S_error:.4f} (standard error)"
            rows.append(("S", f"{self.S:.4f}{error}"))
        if self.leak_bits:
            f = "" if self.f is None else f", f = {self.f:.3f}"
            rows.append(
                (
                    "reconciliation",
                    f"{self.leak_bits:,} bits told about {self.raw_bits:,} raw bits{f}; "
                    f"{self.message_rounds:,} message rounds",
                )
            )
        phase = self.plan.get("phase_error")
        if not self.aborted and phase is not None:
            rows.append(
                (
                    "length",
                    f"{self.raw_bits:,} raw bits x (1 - h({100 * phase:.2f} %)), that being the most "
                    f"phase errors, less {self.plan['leak_cap']:,} that might have been told, "
                    f"{self.plan['verification_bits']} to verify, and epsilon's",
                )
            )
        if not self.aborted:
            rows.append(
                (
                    "net",
                    f"{self.net_key_bits:+,} bits after the {self.authentication_bits:,} that "
                    "authentication spent",
                )
            )
            equal = {None: "known to nobody here", True: "yes (the referee looked)", False: "NO"}
            rows.append(("equal on both sides", equal[self.keys_equal]))
        if self.eve is not None and self.eve.get("says"):
            rows.append(("Eve", str(self.eve["says"])))
        rows.append(("theorem", f"{self.theorem}: {self.source}"))
        rows.append(("secrecy", _SECRECY[self.secrecy]))
        if self.file:
            rows.append(("file", self.file))
        return rows

    def _sheet(self) -> Sheet:
        return Sheet(
            title=self.title,
            sentence=self.sentence,
            good=not self.aborted and self._kept,
            bad=self.aborted or not self._kept,
            rows=tuple(self._rows()),
            table_title="",
            head=(),
            table=(),
            lists=(("assumptions", self.assumptions), ("not given", self.not_given)),
        )

    def __repr__(self) -> str:
        return f"KeyResult({self.title})"


_LEVEL = 0.95
_SOURCES = {
    "tomamichel-2012": "Tomamichel, Lim, Gisin, Renner, Nature Communications 3, 634 (2012)",
    "lim-2021": "Lim, Xu, Pan, Ekert, PRL 126, 100501 (2021)",
    "nadlinger-2022": "Nadlinger et al., Nature 607, 682 (2022), eq. (73) of its supplement",
}
_TAGS = "Wegman, Carter, J. Comput. Syst. Sci. 22, 265 (1981), for authentication and verification"
_SECRECY = {
    "demonstration": "demonstration: whoever ran the simulator or the processor can know this key",
    "own": "the parties' own device",
}


def save_key(path: str | Path, key: SecretBits, about: Mapping[str, Any]) -> None:
    """Write a key's bytes to a file of their owner, and what is known of it to PATH.json, first.

    Both are written whole or not at all; a key that was there is gone before. A key whose length is no multiple of 8 is cut to whole bytes.

    Raises:
        EbitError: a file that cannot be written.
    """
    from ebit.games import ArgumentError, write_whole
    from ebit.protocols.private_files import private_file, sync_folder

    target = Path(path)
    # Whatever stood there goes first: a crash in between must not leave it under the new description.
    try:
        target.unlink(missing_ok=True)
    except OSError as error:
        raise ArgumentError(f"cannot write {target}: {error.strerror or error}") from None
    sync_folder(target.parent)
    whole = key.part(0, key.bits // 8 * 8)
    side = {**about, "file_bits": whole.bits}
    text = json.dumps(side, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_whole(target.with_name(target.name + ".json"), text)
    with private_file(target) as out:
        out.write(whole.reveal_bytes())


def read_key(path: str | Path) -> tuple[SecretBits, dict[str, Any]]:
    """Return a key that `save_key` wrote, and what is known of it.

    Without PATH.json beside it a file is taken for a key of its owner's.

    Raises:
        ArgumentError: files that cannot be read, or are not what they should be.
    """
    from ebit.games import ArgumentError

    target = Path(path)
    try:
        data = target.read_bytes()
    except OSError as error:
        raise ArgumentError(f"cannot read the key {target}: {error.strerror or error}") from None
    if not data:
        raise ArgumentError(f"the key {target} must not be empty")
    side = target.with_name(target.name + ".json")
    if not side.exists():
        return SecretBits.of_bytes(data), {"secrecy": "own"}
    try:
        about = json.loads(side.read_text("utf-8"))
        if about["secrecy"] not in ("own", "demonstration"):
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise ArgumentError(
            f"{side} must say how secret the key is, but is no such file: write the key again"
        ) from None
    return SecretBits.of_bytes(data), dict(about)
