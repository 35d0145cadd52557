"""What a reader of trials is told beside the table itself."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from ebit.games.choice import Chosen
from ebit.games.errors import ArgumentError
from ebit.games.game import Game
from ebit.games.trials import Source, Trials

__all__ = ["Hints", "meta_of"]


@dataclass(frozen=True)
class Hints:
    """What is known of a file beside its table: the caller's word, and the file's own."""

    game: Game | None = None
    chosen: Chosen | None = None
    source: Source | None = None
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def how(self) -> Chosen | None:
        """How settings were chosen: the caller's word first."""
        return self.chosen or self.meta.get("chosen")

    @property
    def who(self) -> Source:
        """Who drew the settings: the caller's word first."""
        return self.source or self.meta.get("source", "unknown")

    def shape(self, parties: int) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """Return settings and outcomes per party, where they are known beforehand."""
        if self.meta:
            return tuple(self.meta["settings"]), tuple(self.meta["outcomes"])
        if self.game is None:
            return None
        if self.game.n_parties != parties:
            raise ArgumentError(
                f"game {self.game.name!r} has {self.game.n_parties} parties, but the file has "
                f"{parties}"
            )
        return self.game.settings, self.game.outcomes

    def finish(self, trials: Trials) -> Trials:
        """Take over what an ebit file knows and a bare table does not."""
        if not self.meta:
            return trials
        reason = "declared" if self.chosen else self.meta["chosen_reason"]
        return replace(trials, chosen_reason=reason, ordered=self.meta["ordered"])


def meta_of(trials: Trials) -> dict[str, Any]:
    """Return what a table of rounds or counts does not say by itself."""
    return {
        "settings": list(trials.settings),
        "outcomes": list(trials.outcomes),
        "chosen": trials.chosen,
        "chosen_reason": trials.chosen_reason,
        "source": trials.source,
        "ordered": trials.ordered,
    }
