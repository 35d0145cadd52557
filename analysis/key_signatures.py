"""What each attack on a key round, and each noise, should look like: error rates, S, Eve's share.

Everything follows from what the channel does to the vector of a qubit on the sphere, a matrix T:
the error rate of a basis n is (1 - n T n) / 2, and the CHSH value with Alice's Z, X and Bob's
(Z +- X) / sqrt 2 is sqrt 2 (T_zz + T_xx).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ebit.games import ArgumentError

__all__ = ["Signature", "attack_signature", "binary_entropy", "noise_signature"]

_ROOT = math.sqrt(2)
BASES = ("Z", "X", "Y")


def binary_entropy(p: float) -> float:
    """Return the entropy of a coin, h(p) = -p log2 p - (1-p) log2 (1-p), in bits.

    >>> binary_entropy(0.5)
    1.0
    """
    return -sum(q * math.log2(q) for q in (p, 1 - p) if q > 0)


@dataclass(frozen=True)
class Signature:
    """What a channel shows and what it tells Eve.

    Attributes:
        cause: the attack or noise, as text.
        qber: error rate per basis Z, X, Y.
        S: CHSH value of a maximally entangled pair after it, with Alice's Z and X and Bob's
            (Z +- X) / sqrt 2.
        guess: per basis, how often Eve's best guess of Alice's bit is right, once bases are known;
            None for noise.
        information: per basis, 1 - H(A|E) in bits.
        note: what is to be known about it.
    """

    cause: str
    qber: Mapping[str, float]
    S: float
    guess: Mapping[str, float] | None
    information: Mapping[str, float] | None
    note: str = ""

    def advantage(self, basis: str = "Z") -> float:
        """Return 1 - h(QBER) - I_E: key per bit against exactly this attack, round by round.

        >>> round(attack_signature("cloner:0.5").advantage(), 12)
        0.0
        """
        eve = 0.0 if self.information is None else self.information[basis]
        return 1 - binary_entropy(self.qber[basis]) - eve

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "cause": self.cause,
            "qber": dict(self.qber),
            "S": self.S,
            "guess": None if self.guess is None else dict(self.guess),
            "information": None if self.information is None else dict(self.information),
            "note": self.note,
        }

    def __str__(self) -> str:
        rates = ", ".join(f"{basis} {100 * rate:.2f} %" for basis, rate in self.qber.items())
        text = f"{self.cause}: errors {rates}; S = {self.S:.4f}"
        if self.information is not None and self.guess is not None:
            shares = ", ".join(
                f"{b} {self.information[b]:.4f} bit (guess {self.guess[b]:.4f})" for b in self.qber
            )
            text += f"; Eve {shares}"
        return text + (f"; {self.note}" if self.note else "")


def attack_signature(attack: object) -> Signature:
    r"""Return the signature of an attack in closed form.

    With strength s (and f = s where it is a fraction of the rounds, t = s pi/2, c = cos t):

    ==================  =====================  ===================  ==============================
    attack              errors Z, X            S / sqrt 2           Eve's best guess in Z, X
    ==================  =====================  ===================  ==============================
    intercept-resend    f/4, f/4               2 - f                1/2 + f/4
    intercept-z         0, f/2                 2 - f                1/2 + f/2, 1/2
    intercept-x         f/2, 0                 2 - f                1/2, 1/2 + f/2
    breidbart           f/4, f/4               2 - f                1/2 + f / sqrt 8
    cloner              (1 - c)/2, (1 - c)/2   2 c                  (1 + sin t)/2
    probe               (1 - c)/4, (1 - c)/4   1 + c                1/2 + sin t / sqrt 8
    depolarising        s/2, s/2               2 - 2 s              1/2 + sqrt((1-3s/4)s/4) + s/4
    spoofed separable   1/4, 1/4               1                    3/4
    spoofed zeros       0, 1/2                 1                    1, 1/2
    ==================  =====================  ===================  ==============================

    For the two attacks on device-independent devices, which are local models: no errors in the
    key, S = 2 for ``memory`` with settings drawn per shot (it comes near 4 where settings stay the
    same in blocks), S = 2 + 2 s for ``predicted-settings``; Eve knows every bit.

    Args:
        attack: ``kind:strength`` in full, or an object that prints so, such as
            `ebit.circuits.Attack`.

    Raises:
        ArgumentError: an unknown kind, or no strength where one is needed.

    Example:
        >>> tap = attack_signature("intercept-resend:1")
        >>> tap.qber["Z"], tap.guess["Z"], tap.information["Z"], round(tap.S, 6)
        (0.25, 0.75, 0.5, 1.414214)
        >>> round(attack_signature("breidbart:1").information["Z"], 6)
        0.399124

    Source:
        Bennett et al., J. Cryptology 5, 3 (1992), intercept-resend and Breidbart; Fuchs, Gisin,
        Griffiths, Niu, Peres, PRA 56, 1163 (1997), eq. (20) for the information at a given error of
        the best attack on single rounds, which the cloner reaches; Bruss et al., PRA 62, 012302
        (2000), the cloner; Shapiro, Wong, PRA 73, 012315 (2006), the probe; Bruss, PRL 81, 3018
        (1998), six states; Acin et al., PRL 98, 230501 (2007), devices.
    """
    text = str(attack)
    kind, _, given = text.partition(":")
    if kind == "spoofed-source":
        return _spoofed(text, given)
    if kind == "memory":
        return _known(text, 2.0, "settings drawn per shot; more where they stay in blocks")
    if kind == "man-in-the-middle":
        return _classical(text)
    makers: dict[str, Callable[[float], Signature]] = {
        "intercept-resend": _resend,
        "intercept-z": _intercept_z,
        "intercept-x": _intercept_x,
        "breidbart": _breidbart,
        "cloner": _cloner,
        "probe": _probe,
        "depolarising": _depolarising,
        "predicted-settings": _predicted,
    }
    try:
        strength = float(given)
    except ValueError:
        strength = math.nan
    if kind not in makers or not 0 <= strength <= 1:
        raise ArgumentError(
            f"Argument `attack` must be KIND:STRENGTH with a strength between 0 and 1 and a kind of "
            f"{', '.join(makers)}, or spoofed-source:separable, spoofed-source:zeros, memory, "
            f"man-in-the-middle, but was {text[:60]!r}."
        )
    made = makers[kind](strength)
    return Signature(text, made.qber, made.S, made.guess, made.information, made.note)


def noise_signature(noise: object) -> Signature:
    """Return the signature of a noise, which nobody has a record of.

    Errors in (Z, X, Y): depolarising p: (p/2, p/2, p/2); dephasing e: (0, e, e); amplitude damping
    gamma: (gamma/2, g, g) with g = (1 - sqrt(1 - gamma))/2, bits equally frequent; misalignment by an
    angle v about Y: (w, w, 0) with w = sin(v/2)^2.

    Args:
        noise: ``kind:strength``, or an object that prints so.

    Raises:
        ArgumentError: an unknown kind or a strength that is none.

    Example:
        >>> noise_signature("dephasing:0.125").qber
        {'Z': 0.0, 'X': 0.125, 'Y': 0.125}
    """
    text = str(noise)
    kind, _, given = text.partition(":")
    most = {
        "depolarising": 1.0,
        "dephasing": 0.5,
        "amplitude-damping": 1.0,
        "misalignment": math.pi,
    }
    try:
        value = float(given)
    except ValueError:
        value = math.nan
    if kind not in most or not 0 <= value <= most[kind]:
        raise ArgumentError(
            f"Argument `noise` must be KIND:STRENGTH with a kind of {', '.join(most)} in its range, "
            f"but was {text[:60]!r}."
        )
    if kind == "depolarising":
        z = x = y = 1 - value
    elif kind == "dephasing":
        z, x, y = 1.0, 1 - 2 * value, 1 - 2 * value
    elif kind == "amplitude-damping":
        z, x, y = 1 - value, math.sqrt(1 - value), math.sqrt(1 - value)
    else:
        z, x, y = math.cos(value), math.cos(value), 1.0
    return Signature(text, _errors(z, x, y), _ROOT * (z + x), None, None)


def _errors(z: float, x: float, y: float) -> dict[str, float]:
    return {basis: (1 - t) / 2 for basis, t in zip(BASES, (z, x, y), strict=True)}


def _by_basis(z: float, x: float, y: float) -> dict[str, float]:
    return dict(zip(BASES, (z, x, y), strict=True))


def _made(
    t: tuple[float, float, float],
    guess: tuple[float, float, float],
    information: tuple[float, float, float],
    note: str = "",
) -> Signature:
    return Signature(
        "", _errors(*t), _ROOT * (t[0] + t[1]), _by_basis(*guess), _by_basis(*information), note
    )


def _resend(f: float) -> Signature:
    half = 1 - f / 2
    right = 0.5 + f / 4
    return _made((half, half, 1 - f), (right, right, 0.5), (f / 2, f / 2, 0.0))


def _intercept_z(f: float) -> Signature:
    return _made((1.0, 1 - f, 1 - f), (0.5 + f / 2, 0.5, 0.5), (f, 0.0, 0.0))


def _intercept_x(f: float) -> Signature:
    return _made((1 - f, 1.0, 1 - f), (0.5, 0.5 + f / 2, 0.5), (0.0, f, 0.0))


def _breidbart(f: float) -> Signature:
    half = 1 - f / 2
    right = 0.5 + f / math.sqrt(8)
    bits = f * (1 - binary_entropy(0.5 + 1 / math.sqrt(8)))
    return _made((half, half, 1 - f), (right, right, 0.5), (bits, bits, 0.0))


def _cloner(s: float) -> Signature:
    t = s * math.pi / 2
    c, q = math.cos(t), math.sin(t) ** 2
    right = (1 + math.sin(t)) / 2
    bits = 1 - binary_entropy(right)
    # On the axis of the cloner her copy is a channel that turns 1 into 0 with probability 1 - q.
    axis = binary_entropy(q / 2) - binary_entropy(q) / 2
    return _made((c, c, c * c), (right, right, (1 + q) / 2), (bits, bits, axis))


def _probe(s: float) -> Signature:
    t = s * math.pi / 2
    c = math.cos(t)
    right = 0.5 + math.sin(t) / math.sqrt(8)
    bits = 1 - binary_entropy(right)
    return _made(((1 + c) / 2, (1 + c) / 2, c), (right, right, 0.5), (bits, bits, 0.0))


def _depolarising(p: float) -> Signature:
    cross = math.sqrt((1 - 3 * p / 4) * p / 4)
    right = 0.5 + cross + p / 4
    # Where Bob's bit is wrong she knows Alice's; elsewhere she tells two states apart.
    bits = p / 2 + (1 - p / 2) * (1 - binary_entropy(0.5 + cross / (1 - p / 2)))
    return _made((1 - p,) * 3, (right,) * 3, (bits,) * 3)


def _spoofed(text: str, variant: str) -> Signature:
    if variant == "separable":
        made = _made((0.5, 0.5, 0.0), (0.75, 0.75, 0.5), (0.5, 0.5, 0.0))
        note = "a separable state: no key whatever the error rate"
    elif variant == "zeros":
        made = _made((1.0, 0.0, 0.0), (1.0, 0.5, 0.5), (1.0, 0.0, 0.0))
        note = "Z bits are always 0"
    else:
        raise ArgumentError(
            "Argument `attack` must be spoofed-source:separable or spoofed-source:zeros, but was "
            f"{text[:60]!r}."
        )
    return Signature(text, made.qber, made.S, made.guess, made.information, note)


def _known(text: str, s: float, note: str) -> Signature:
    rates = {"Z": 0.0}
    return Signature(text, rates, s, {"Z": 1.0}, {"Z": 1.0}, note)


def _predicted(s: float) -> Signature:
    return _known("", 2 + 2 * s, "knows settings beforehand")


def _classical(text: str) -> Signature:
    clean = _made((1.0, 1.0, 1.0), (0.5, 0.5, 0.5), (0.0, 0.0, 0.0))
    note = "leaves quantum data alone: authentication catches it"
    return Signature(text, clean.qber, clean.S, clean.guess, clean.information, note)
