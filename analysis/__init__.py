"""What rounds are worth: pure functions of arrays, and the scores they make."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ebit.analysis.accumulation import accumulate
    from ebit.analysis.certifying import CertificatePlan, certify, plan_certificate
    from ebit.analysis.entropy_neumann import von_neumann_entropy_both
    from ebit.analysis.entropy_plan import entropy_curves, plan_entropy
    from ebit.analysis.entropy_result import EntropyCertificate
    from ebit.analysis.entropy_round import (
        min_entropy_both,
        min_entropy_one,
        no_signalling_min_entropy,
        von_neumann_entropy_one,
    )
    from ebit.analysis.entropy_trusted import TrustedEntropy, trusted_source_entropy
    from ebit.analysis.evidence import EvidencePath
    from ebit.analysis.fringe import score_fringe
    from ebit.analysis.fringe_result import FringeScore
    from ebit.analysis.guessing import guessing_probability, no_signalling_guessing
    from ebit.analysis.hash_lemma import output_length
    from ebit.analysis.health_estimate import estimate_entropy
    from ebit.analysis.health_online import HealthFailure, HealthTests
    from ebit.analysis.health_report import health_report
    from ebit.analysis.intervals import Interval
    from ebit.analysis.key_plan import KeyPlan, plan_key
    from ebit.analysis.key_rate_result import RateResult
    from ebit.analysis.key_rates import key_rate
    from ebit.analysis.nosignalling import NoSignalling, no_signalling
    from ebit.analysis.pef import design_pef
    from ebit.analysis.planning import Plan, plan_rounds
    from ebit.analysis.results import Convention, Correlator, Evidence, RunInfo, Score
    from ebit.analysis.scoring import score, score_wins
    from ebit.analysis.state_result import StateScore
    from ebit.analysis.states import score_state
    from ebit.analysis.toeplitz import ToeplitzHash, toeplitz_hash
    from ebit.analysis.trevisan import trevisan_extract
    from ebit.analysis.trevisan_plan import plan_trevisan
    from ebit.analysis.watch_calibration import Calibration, calibrate
    from ebit.analysis.watch_detector import ChangeDetector
    from ebit.analysis.watch_session import SessionTest

_HOME = {
    "accumulation": ("accumulate",),
    "certifying": (
        "CertificatePlan",
        "certify",
        "plan_certificate",
    ),
    "entropy_neumann": ("von_neumann_entropy_both",),
    "entropy_plan": (
        "entropy_curves",
        "plan_entropy",
    ),
    "entropy_result": ("EntropyCertificate",),
    "entropy_round": (
        "min_entropy_both",
        "min_entropy_one",
        "no_signalling_min_entropy",
        "von_neumann_entropy_one",
    ),
    "entropy_trusted": (
        "TrustedEntropy",
        "trusted_source_entropy",
    ),
    "evidence": ("EvidencePath",),
    "fringe": ("score_fringe",),
    "fringe_result": ("FringeScore",),
    "guessing": (
        "guessing_probability",
        "no_signalling_guessing",
    ),
    "hash_lemma": ("output_length",),
    "health_estimate": ("estimate_entropy",),
    "health_online": (
        "HealthFailure",
        "HealthTests",
    ),
    "health_report": ("health_report",),
    "intervals": ("Interval",),
    "key_plan": (
        "KeyPlan",
        "plan_key",
    ),
    "key_rate_result": ("RateResult",),
    "key_rates": ("key_rate",),
    "nosignalling": (
        "NoSignalling",
        "no_signalling",
    ),
    "pef": ("design_pef",),
    "planning": (
        "Plan",
        "plan_rounds",
    ),
    "results": (
        "Convention",
        "Correlator",
        "Evidence",
        "RunInfo",
        "Score",
    ),
    "scoring": (
        "score",
        "score_wins",
    ),
    "state_result": ("StateScore",),
    "states": ("score_state",),
    "toeplitz": (
        "ToeplitzHash",
        "toeplitz_hash",
    ),
    "trevisan": ("trevisan_extract",),
    "trevisan_plan": ("plan_trevisan",),
    "watch_calibration": (
        "Calibration",
        "calibrate",
    ),
    "watch_detector": ("ChangeDetector",),
    "watch_session": ("SessionTest",),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Calibration",
    "CertificatePlan",
    "ChangeDetector",
    "Convention",
    "Correlator",
    "EntropyCertificate",
    "Evidence",
    "EvidencePath",
    "FringeScore",
    "HealthFailure",
    "HealthTests",
    "Interval",
    "KeyPlan",
    "NoSignalling",
    "Plan",
    "RateResult",
    "RunInfo",
    "Score",
    "SessionTest",
    "StateScore",
    "ToeplitzHash",
    "TrustedEntropy",
    "accumulate",
    "calibrate",
    "certify",
    "design_pef",
    "entropy_curves",
    "estimate_entropy",
    "guessing_probability",
    "health_report",
    "key_rate",
    "min_entropy_both",
    "min_entropy_one",
    "no_signalling",
    "no_signalling_guessing",
    "no_signalling_min_entropy",
    "output_length",
    "plan_certificate",
    "plan_entropy",
    "plan_key",
    "plan_rounds",
    "plan_trevisan",
    "score",
    "score_fringe",
    "score_state",
    "score_wins",
    "toeplitz_hash",
    "trevisan_extract",
    "trusted_source_entropy",
    "von_neumann_entropy_both",
    "von_neumann_entropy_one",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
