"""What the source told Bob before the run, taken apart with care: the link it came by is open."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ebit.games import EbitError
from ebit.protocols.conversation import ChannelError
from ebit.protocols.key_outcome import plan_of
from ebit.protocols.key_parties import SiftingLaw
from ebit.protocols.key_referee import law_for

__all__ = ["Told", "told_by"]

_MOST = 1 << 60
_TEXTS = ("protocol", "attack", "noise", "ground")


@dataclass(frozen=True)
class Told:
    """What Bob was told, as far as he may rely on its form.

    Attributes:
        purpose: protocol, rounds, and the plan as plain data.
        plan: the plan; that Alice has the same one is what the tags confirm.
        law: which settings serve for what, from the protocol's name.
        circumstances: where the rounds come from.
    """

    purpose: dict[str, Any]
    plan: Any
    law: SiftingLaw
    circumstances: dict[str, Any]


def told_by(body: bytes) -> Told:
    """Return what a message of the source says.

    Raises:
        ChannelError: it is none, or says what cannot be.
    """
    try:
        about = json.loads(body)
        purpose = about["purpose"]
        plan = plan_of(purpose)
        for item in fields(plan):
            _check(item.name, getattr(plan, item.name), str(item.type))
        _fits(plan, purpose)
        law = law_for(plan.protocol, tuple(about["settings"]))
        told = about["circumstances"]
        where = {name: _text(told[name]) for name in ("randomness", "separation", "secrecy")}
        lists = {name: tuple(map(_text, told[name])) for name in ("assumptions", "not_given")}
        kept = {name: None if purpose[name] is None else _text(purpose[name]) for name in _TEXTS}
    except (EbitError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        if isinstance(error, ChannelError):
            raise
        raise _unread() from None
    except (AttributeError, RecursionError):
        raise _unread() from None
    known = {**kept, "kind": "key", "rounds": plan.rounds, "plan": purpose["plan"]}
    return Told({**known, "seed": None, "host": None}, plan, law, {**where, **lists})


def _unread() -> ChannelError:
    return ChannelError("the source's plan cannot be read: use the same release of ebit")


def _check(name: str, value: Any, kind: str) -> None:
    """Refuse what no plan has there: numbers that are none, and texts that are not for reading."""
    kind, _, or_none = kind.partition(" | ")
    if or_none and value is None:
        return
    if kind.startswith("tuple"):
        items, kind = value, kind.removeprefix("tuple[").removesuffix(", ...]")
    elif kind.startswith("Mapping"):
        items, kind = value.values(), kind.removeprefix("Mapping[str, ").removesuffix("]")
    else:
        items = (value,)
    for item in items:
        if kind == "str":
            _text(item)
        elif type(item) not in ((int,) if kind == "int" else (int, float)) or not 0 <= item < _MOST:
            raise ChannelError(f"the source's plan must have numbers for {name}, but told others")


def _fits(plan: Any, purpose: Mapping[str, Any]) -> None:
    """Refuse a plan whose numbers contradict each other."""
    wrong = []
    raw, tested = getattr(plan, "n", plan.rounds), getattr(plan, "k", 0)
    if plan.protocol != purpose["protocol"] or plan.rounds != purpose["rounds"]:
        wrong.append("another protocol or number of rounds than the run")
    elif not plan.rounds or raw + tested > plan.rounds or plan.length > raw:
        wrong.append("more rounds or bits than there are")
    elif not 0 <= plan.qber < 0.5 and plan.length:
        wrong.append("an error rate at which there is no key")
    if wrong:
        raise ChannelError(f"the source's plan must not have {wrong[0]}")


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise ChannelError("what the source tells must be text, but was something else")
    return value
