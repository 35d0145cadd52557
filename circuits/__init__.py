"""What to prepare and what to measure: circuits of states and tests, and how their bits decode.

Everything is loaded on first use, so that importing the package costs nothing. The builders of
experiments have the names of the games they play in `ebit.games`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ebit.circuits.agreement import bases_agree
    from ebit.circuits.bell_test import chsh
    from ebit.circuits.canonical import GATES
    from ebit.circuits.chained import chained_chsh
    from ebit.circuits.cirq_map import split, to_cirq
    from ebit.circuits.colouring import colour_apart, colour_edges, pack
    from ebit.circuits.experiment import Experiment, Readout
    from ebit.circuits.ghz_states import (
        ghz,
        ghz_chain,
        ghz_coupled,
        ghz_tree,
        ghz_vector,
        graph_state,
        graph_vector,
    )
    from ebit.circuits.key_attacks import ATTACKS, Attack, parse_attack, with_attack
    from ebit.circuits.key_noise import Noise, parse_noise, with_noise
    from ebit.circuits.key_parallel import disjoint_places, many_rounds
    from ebit.circuits.key_protocols import KEY_PROTOCOLS, KeyProtocol, key_protocol
    from ebit.circuits.key_rounds import key_round
    from ebit.circuits.known import with_readout
    from ebit.circuits.layout import PREPARED
    from ebit.circuits.magic import magic_square
    from ebit.circuits.mermin import mermin_ghz
    from ebit.circuits.pairs import PairState, pair_state
    from ebit.circuits.parallel import ALIKE_ANGLES, Group, ParallelTest
    from ebit.circuits.randomness import (
        bell_halves_source,
        ghz_source,
        hadamard_source,
        raw_clbits,
    )
    from ebit.circuits.spot_checks import rounds_tested, spot_checked_chsh
    from ebit.circuits.stabiliser import stabilisers
    from ebit.circuits.states import (
        BELL_STATES,
        bell,
        bell_vector,
        partial_pair,
        partial_pair_vector,
        w_state,
        w_vector,
    )
    from ebit.circuits.sweep import fringe
    from ebit.circuits.wstate import w_fidelity, w_fidelity_weights

__all__ = [
    "ALIKE_ANGLES",
    "ATTACKS",
    "BELL_STATES",
    "GATES",
    "KEY_PROTOCOLS",
    "PREPARED",
    "Attack",
    "Experiment",
    "Group",
    "KeyProtocol",
    "Noise",
    "PairState",
    "ParallelTest",
    "Readout",
    "bases_agree",
    "bell",
    "bell_halves_source",
    "bell_vector",
    "chained_chsh",
    "chsh",
    "colour_apart",
    "colour_edges",
    "disjoint_places",
    "fringe",
    "ghz",
    "ghz_chain",
    "ghz_coupled",
    "ghz_source",
    "ghz_tree",
    "ghz_vector",
    "graph_state",
    "graph_vector",
    "hadamard_source",
    "key_protocol",
    "key_round",
    "magic_square",
    "many_rounds",
    "mermin_ghz",
    "pack",
    "pair_state",
    "parse_attack",
    "parse_noise",
    "partial_pair",
    "partial_pair_vector",
    "raw_clbits",
    "rounds_tested",
    "split",
    "spot_checked_chsh",
    "stabilisers",
    "to_cirq",
    "w_fidelity",
    "w_fidelity_weights",
    "w_state",
    "w_vector",
    "with_attack",
    "with_noise",
    "with_readout",
]

# No module may have the name of a public function: importing it would hide the function.
_HOME = {
    "agreement": ("bases_agree",),
    "bell_test": ("chsh",),
    "canonical": ("GATES",),
    "chained": ("chained_chsh",),
    "cirq_map": ("split", "to_cirq"),
    "colouring": ("colour_apart", "colour_edges", "pack"),
    "experiment": ("Experiment", "Readout"),
    "ghz_states": (
        "ghz",
        "ghz_chain",
        "ghz_coupled",
        "ghz_tree",
        "ghz_vector",
        "graph_state",
        "graph_vector",
    ),
    "key_attacks": ("ATTACKS", "Attack", "parse_attack", "with_attack"),
    "key_noise": ("Noise", "parse_noise", "with_noise"),
    "key_parallel": ("disjoint_places", "many_rounds"),
    "key_protocols": ("KEY_PROTOCOLS", "KeyProtocol", "key_protocol"),
    "key_rounds": ("key_round",),
    "known": ("with_readout",),
    "layout": ("PREPARED",),
    "magic": ("magic_square",),
    "mermin": ("mermin_ghz",),
    "parallel": ("ALIKE_ANGLES", "Group", "ParallelTest"),
    "pairs": ("PairState", "pair_state"),
    "randomness": (
        "bell_halves_source",
        "ghz_source",
        "hadamard_source",
        "raw_clbits",
    ),
    "spot_checks": ("spot_checked_chsh", "rounds_tested"),
    "stabiliser": ("stabilisers",),
    "states": (
        "BELL_STATES",
        "bell",
        "bell_vector",
        "partial_pair",
        "partial_pair_vector",
        "w_state",
        "w_vector",
    ),
    "sweep": ("fringe",),
    "wstate": ("w_fidelity", "w_fidelity_weights"),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
