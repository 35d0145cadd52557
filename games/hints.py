"""What a reader of trials is told beside the table itself."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from ebit.games.cells import check_cells, check_shape
from ebit.games.choice import Chosen
from ebit.games.errors import ArgumentError
from ebit.games.game import Game
from ebit.games.trials import Source, Trials

__all__ = ["Hints", "meta_from", "meta_of"]


@dataclass(frozen=True)
class Hints:
    """What is known of a file beside its table: the caller's word, and the file's own."""

    game: Game | None = None
    chosen: Chosen | None = None
    source: Source | None = None
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def who(self) -> Source:
        """Who drew the settings: the caller's word first."""
        return self.source or self.meta.get("source", "unknown")

    def shape(self, parties: int) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """Return settings and outcomes per party, where they are known beforehand."""
        if self.game is not None and self.game.n_parties != parties:
            raise ArgumentError(
                f"game {self.game.name!r} has {self.game.n_parties} parties, but the file has "
                f"{parties}"
            )
        if self.meta:
            if len(self.meta["settings"]) != parties:
                raise ArgumentError(
                    f"the file says that it holds {len(self.meta['settings'])} parties, but its "
                    f"columns are those of {parties}"
                )
            return tuple(self.meta["settings"]), tuple(self.meta["outcomes"])
        return None if self.game is None else (self.game.settings, self.game.outcomes)

    def rounds(
        self,
        cells: npt.NDArray[np.unsignedinteger],
        settings: tuple[int, ...],
        outcomes: tuple[int, ...],
        blocks: npt.NDArray[np.int64] | None,
    ) -> Trials:
        """Return ordered rounds; ebit's own files say themselves how settings were chosen."""
        if self.meta and self.chosen is None:
            check_cells(cells, settings, outcomes, blocks)
            return Trials(
                settings=settings,
                outcomes=outcomes,
                cells=cells,
                chosen=self.meta["chosen"],
                chosen_reason=self.meta["chosen_reason"],
                source=self.who,
                ordered=self.meta["ordered"],
                blocks=blocks,
            )
        found = Trials.from_cells(
            cells,
            settings=settings,
            outcomes=outcomes,
            blocks=blocks,
            chosen=self.chosen,
            source=self.who,
        )
        return replace(found, ordered=self.meta.get("ordered", True))

    def counts(self, table: npt.NDArray[np.integer]) -> Trials:
        """Return counts; ebit's own files say themselves how settings were chosen."""
        found = Trials.from_counts(table, chosen=self.chosen, source=self.who)
        if not self.meta or self.chosen is not None:
            return found
        return replace(
            found,
            chosen=self.meta["chosen"],
            chosen_reason=self.meta["chosen_reason"],
            ordered=self.meta["ordered"],
        )


def meta_of(trials: Trials) -> dict[str, Any]:
    """Return what a table of rounds or counts does not say by itself."""
    return {
        "settings": [int(k) for k in trials.settings],
        "outcomes": [int(k) for k in trials.outcomes],
        "chosen": trials.chosen,
        "chosen_reason": trials.chosen_reason,
        "source": trials.source,
        "ordered": bool(trials.ordered),
    }


def meta_from(text: str | bytes) -> dict[str, Any]:
    """Read back what `meta_of` gave.

    Raises:
        ArgumentError: text that `meta_of` would not give.
    """
    try:
        meta = json.loads(text)
        sizes = [meta["settings"], meta["outcomes"]]
        whole = all(isinstance(s, list) and all(type(k) is int for k in s) for s in sizes)
        known = (
            meta["chosen"] in get_args(Chosen)
            and isinstance(meta["chosen_reason"], str)
            and meta["source"] in get_args(Source)
            and isinstance(meta["ordered"], bool)
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        whole = known = False
    if not (whole and known):
        raise ArgumentError("what ebit wrote beside the table is damaged")
    check_shape(*sizes)
    return dict(meta)
