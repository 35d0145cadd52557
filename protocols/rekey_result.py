"""What a hybrid refresh gave: the key, what went into it, and what would have to break."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ebit.analysis.sheet import Sheet, Shown
from ebit.games import RefusedError
from ebit.protocols.key_result import Secrecy, save_key
from ebit.protocols.rekey_schedule import Mode
from ebit.protocols.secret_bits import SecretBits

__all__ = ["RekeyResult", "rekey_result"]


@dataclass(frozen=True, eq=False, repr=False)
class RekeyResult(Shown):
    """A key of one epoch with what it rests on.

    Attributes:
        epoch: its number, from 0.
        mode: how it was derived. asked: how it was to be.
        bits: its length.
        quantum_key: name of the quantum key that went in, "" without one.
        inputs: what went in, and how many bits of each.
        fallback: whether the quantum side gave nothing. reason: why.
        trigger: why the key was refreshed: time, bytes, an alarm, or on demand.
        secret_if: what suffices for secrecy.
        breaks: what breaks what.
        transcript: hash of what both sides said, in hex.
        secrecy: "demonstration" if the quantum key is one.
        assumptions, not_given: of the derivation and the exchange.
        key: nothing prints it.
        file: where it was written, if it was.
        authenticated: whether a tag under a pre-shared key covers all that was said.
    """

    epoch: int
    mode: Mode
    asked: Mode
    bits: int
    quantum_key: str
    inputs: Mapping[str, int]
    fallback: bool
    reason: str
    trigger: str
    secret_if: str
    breaks: Mapping[str, str]
    transcript: str
    secrecy: Secrecy
    assumptions: tuple[str, ...]
    not_given: tuple[str, ...]
    key: SecretBits = field(repr=False)
    file: str | None = None
    authenticated: bool = False

    def save(self, path: str | Path) -> RekeyResult:
        """Write the key, readable by its owner only, and all but the key beside it, as PATH.json.

        Raises:
            RefusedError: its length is no multiple of 8, so that a file would hold less than the key.
            EbitError: a file that cannot be written.
        """
        if self.bits % 8:
            raise RefusedError(f"a key of {self.bits} bits is no whole number of bytes: not saved")
        known = replace(self, file=str(path))
        save_key(path, self.key, known.to_dict())
        return known

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the key as plain data."""
        return {
            "epoch": self.epoch,
            "mode": self.mode,
            "asked": self.asked,
            "bits": self.bits,
            "key_id": self.key_id,
            "quantum_key": self.quantum_key or None,
            "inputs": dict(self.inputs),
            "fallback": self.fallback,
            "reason": self.reason or None,
            "trigger": self.trigger,
            "secret_if": self.secret_if,
            "breaks": dict(self.breaks),
            "transcript": self.transcript,
            "authenticated": self.authenticated,
            "secrecy": self.secrecy,
            "file": self.file,
            "assumptions": list(self.assumptions),
            "not_given": list(self.not_given),
        }

    @property
    def key_id(self) -> str:
        """Name of the new key, the same at both ends and no secret."""
        return f"epoch{self.epoch}-{self.transcript[:16]}"

    @property
    def title(self) -> str:
        """What there is, in a few words."""
        kind = " (demonstration)" if self.secrecy == "demonstration" else ""
        fell = ", without a quantum key" if self.fallback else ""
        return f"epoch {self.epoch}: a key of {self.bits} bits{kind}{fell}"

    def _sheet(self) -> Sheet:
        rows = [
            ("mode", self.mode if self.mode == self.asked else f"{self.mode}, not {self.asked}"),
            ("inputs", ", ".join(f"{name} {bits} bits" for name, bits in self.inputs.items())),
            ("refreshed for", self.trigger),
        ]
        if self.quantum_key:
            rows.insert(1, ("quantum key", self.quantum_key))
        if self.fallback:
            rows.insert(0, ("FALLBACK", self.reason))
        if self.authenticated:
            rows.append(("authenticated", "by the pre-shared key"))
        rows += list(self.breaks.items())
        rows.append(("secrecy", _SECRECY[self.secrecy]))
        if self.file:
            rows.append(("file", self.file))
        return Sheet(
            title=self.title,
            sentence=self.secret_if,
            good=not self.fallback,
            bad=self.fallback,
            rows=tuple(rows),
            table_title="",
            head=(),
            table=(),
            lists=(("assumptions", self.assumptions), ("not given", self.not_given)),
        )

    def __repr__(self) -> str:
        return f"RekeyResult({self.title})"


_SECRECY = {
    "demonstration": "demonstration: the quantum key is known to whoever ran the simulator or the "
    "processor",
    "own": "the parties' own keys",
}


def rekey_result(
    *,
    epoch: int,
    mode: Mode,
    asked: Mode,
    key: SecretBits,
    quantum_key: str,
    quantum_bits: int,
    reason: str,
    trigger: str,
    said: bytes,
    secrecy: Secrecy,
) -> RekeyResult:
    """Put together what is true of an epoch's key; a fallback is one without bits of a quantum key."""
    fallback = quantum_bits == 0
    masks = mode == "information-theoretic"
    inputs = {"quantum key": quantum_bits} if quantum_bits else {}
    inputs |= {"ML-KEM-768": 256, "X25519": 256}
    if epoch:
        inputs["chain of earlier epochs"] = 256
    return RekeyResult(
        epoch=epoch,
        mode=mode,
        asked=asked,
        bits=key.bits,
        quantum_key=quantum_key,
        inputs=inputs,
        fallback=fallback,
        reason=reason,
        trigger=trigger,
        secret_if=_secret_if(masks, fallback, epoch > 0),
        breaks=_breaks(masks, fallback),
        transcript=said.hex(),
        secrecy=secrecy,
        assumptions=_assumptions(masks, fallback),
        not_given=_not_given(masks, fallback, epoch > 0),
        key=key,
    )


def _secret_if(masks: bool, fallback: bool, later: bool) -> str:
    others = "ML-KEM-768 is unbroken, X25519 is unbroken"
    if later:
        others += ", the chain of earlier epochs is secret"
    if fallback:
        return f"secret if any one of these holds: {others}"
    if masks:
        return (
            "secret against any computer if the quantum key is secret; if it is not, still secret if "
            f"any one of these holds: {others} (someone who only listens)"
        )
    return f"secret if any one of these holds: the quantum key is secret, {others}"


def _breaks(masks: bool, fallback: bool) -> dict[str, str]:
    if fallback:
        return {
            "a quantum computer": "breaks X25519; ML-KEM-768 must hold",
            "ML-KEM-768 broken": "X25519 must hold",
            "both broken": "the key is known",
        }
    rest = "the key stays secret" if masks else "the key stays secret, as far as HMAC-SHA-256 holds"
    return {
        "a quantum computer": f"breaks X25519; {rest}",
        "X25519 and ML-KEM-768 broken": rest,
        "quantum key known": "ML-KEM-768 or X25519 must hold",
        "all three": "the key is known",
    }


def _assumptions(masks: bool, fallback: bool) -> tuple[str, ...]:
    found = ["both ends, their random numbers and their copies of ebit are as they should be"]
    if not fallback:
        found.append("the quantum key is uniform and as secret as its own certificate says")
    if masks:
        found.append("each quantum key goes into one epoch only (both ends keep count)")
        found.append(
            "HMAC-SHA-256 is pseudorandom: for the case that the quantum key is known, and for the tags"
        )
    else:
        found.append("HMAC-SHA-256 is pseudorandom, keyed by any one of the inputs (RFC 5869)")
    return tuple(found)


def _not_given(masks: bool, fallback: bool, later: bool) -> tuple[str, ...]:
    found = []
    if masks:
        found += [
            "security against someone who changes messages: they can make the two ends' keys differ "
            "by a difference they know, or end up without a key",
            "a check that both ends hold the same quantum key: a tag over it would tell about it",
        ]
    elif fallback and not later:
        found.append(
            "authentication: without a quantum key in any epoch so far, someone in the middle can "
            "make a key with each end"
        )
    elif fallback:
        found.append(
            "authentication beyond that of the earlier epochs: whoever knew their keys' secrets can "
            "stand in the middle"
        )
    if not masks:
        found.append("secrecy against unlimited computing power: HKDF mixes, it does not mask")
    found.append(
        "erasure of Python's own copies from memory, and of keys that a caller still holds"
    )
    return tuple(found)
