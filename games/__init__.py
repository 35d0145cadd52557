"""What is asked, what wins, and what it would take without entanglement."""

from ebit.games.atomic import write_whole
from ebit.games.catalogue import (
    bases_agree,
    chained_chsh,
    chsh,
    game,
    magic_square,
    mermin_ghz,
    stabilisers,
)
from ebit.games.choice import Chosen
from ebit.games.errors import (
    ArgumentError,
    BudgetError,
    EbitError,
    GuardError,
    JobError,
    MissingExtraError,
    NetworkError,
    RefusedError,
)
from ebit.games.files import as_trials, read_trials, write_trials
from ebit.games.foreign import (
    BitOrder,
    trials_from_cirq,
    trials_from_dict,
    trials_from_json,
    trials_from_qiskit,
    trials_from_table,
)
from ebit.games.game import Against, Floor, Game, ParityRule, TableRule, Trust
from ebit.games.shots import Shots
from ebit.games.trials import Source, Trials

__all__ = [
    "Against",
    "ArgumentError",
    "BitOrder",
    "BudgetError",
    "Chosen",
    "EbitError",
    "Floor",
    "Game",
    "GuardError",
    "JobError",
    "MissingExtraError",
    "NetworkError",
    "ParityRule",
    "RefusedError",
    "Shots",
    "Source",
    "TableRule",
    "Trials",
    "Trust",
    "as_trials",
    "bases_agree",
    "chained_chsh",
    "chsh",
    "game",
    "magic_square",
    "mermin_ghz",
    "read_trials",
    "stabilisers",
    "trials_from_cirq",
    "trials_from_dict",
    "trials_from_json",
    "trials_from_qiskit",
    "trials_from_table",
    "write_trials",
    "write_whole",
]
