"""Predicted signatures against published figures and optimality relations."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ebit.analysis.key_signatures import attack_signature, binary_entropy, noise_signature
from ebit.games import ArgumentError


@pytest.mark.parametrize("kind", ["intercept-resend", "intercept-z", "intercept-x", "breidbart"])
def test_full_interception_leaves_root_two(kind):
    # Fuchs et al. 1997, table: mean error 1/4 over the two bases, S = sqrt 2, at any angle.
    told = attack_signature(f"{kind}:1")
    assert (told.qber["Z"] + told.qber["X"]) / 2 == pytest.approx(0.25)
    assert pytest.approx(math.sqrt(2)) == told.S
    assert np.mean([told.guess["Z"], told.guess["X"]]) == pytest.approx(
        0.853553 if kind == "breidbart" else 0.75, abs=1e-6
    )


def test_breidbart_information():
    # Bennett et al. 1992: about 0.4 bit.
    assert attack_signature("breidbart:1").information["X"] == pytest.approx(0.399124, abs=1e-6)


def test_cloner_crosses_where_it_should():
    # Bruss et al. 2000, Fuchs et al. 1997: I_AB = I_E at D = (1 - 1/sqrt 2)/2 = .146447.
    told = attack_signature("cloner:0.5")
    assert told.qber["Z"] == pytest.approx(0.146447, abs=1e-6)
    assert told.information["Z"] == pytest.approx(0.399124, abs=1e-6)
    assert told.advantage() == pytest.approx(0, abs=1e-12)
    assert (
        attack_signature("cloner:0.49").advantage()
        > 0
        > attack_signature("cloner:0.51").advantage()
    )
    assert pytest.approx(2) == told.S


@pytest.mark.parametrize("strength", [0, 0.1, 0.35, 0.5, 0.8, 1])
def test_cloner_is_the_best_attack_on_single_rounds(strength):
    # Fuchs et al. 1997, eq. (20): I_E <= phi(2 sqrt(D (1-D))) / 2, guess 1/2 + sqrt(D (1-D)).
    told = attack_signature(f"cloner:{strength}")
    d = told.qber["Z"]
    if strength <= 1:
        assert told.guess["Z"] == pytest.approx(0.5 + math.sqrt(d * (1 - d)), abs=1e-9)
    for other in ("probe", "intercept-resend", "breidbart", "depolarising"):
        for s in (0.05, 0.2, 0.5, 1.0):
            weaker = attack_signature(f"{other}:{s}")
            e = weaker.qber["Z"]
            assert weaker.guess["Z"] <= 0.5 + math.sqrt(e * (1 - e)) + 1e-12


@pytest.mark.parametrize("error", [0.02, 0.1, 0.2, 0.25])
def test_probe_has_its_published_renyi_information(error):
    # Shapiro and Wong 2006: I_R = log2(1 + 4 P (1 - 2 P) / (1 - P)^2) on bits that Bob got right.
    overlap = 1 - 4 * error
    told = attack_signature(f"probe:{2 / math.pi * math.acos(overlap)!r}")
    assert told.qber["Z"] == pytest.approx(error)
    # P(guess right and Bob right): cos^4 + sin^4 and the like, from the joint table by hand.
    c = math.cos(math.pi / 8) ** 2
    s = 1 - c
    hit = (1 + math.sqrt(1 - overlap**2)) / 2
    # Without disturbance of the m-axis Bob's amplitude interferes: P(b = a) = c^2 + s^2 + 2 c s v.
    both = c * c * hit + s * s * (1 - hit) + 2 * c * s * overlap / 2
    right = both / (1 - error)
    renyi = 1 + math.log2(right**2 + (1 - right) ** 2)
    assert renyi == pytest.approx(
        math.log2(1 + 4 * error * (1 - 2 * error) / (1 - error) ** 2), abs=1e-9
    )


def test_depolarising_reaches_the_six_state_optimum():
    # Bruss 1998: symmetric in three bases; at D = 1/6 Eve has the copy of the universal cloner.
    told = attack_signature(f"depolarising:{1 / 3!r}")
    assert told.qber == pytest.approx({"Z": 1 / 6, "X": 1 / 6, "Y": 1 / 6})
    assert told.guess["Z"] == pytest.approx(5 / 6)


def test_signs_of_error_patterns():
    # (ZZ, XX, YY) as listed for taps, swap-out and noises.
    assert list(attack_signature("intercept-z:1").qber.values()) == [0, 0.5, 0.5]
    assert list(attack_signature("intercept-x:1").qber.values()) == [0.5, 0, 0.5]
    assert list(attack_signature("intercept-resend:1").qber.values()) == [0.25, 0.25, 0.5]
    assert list(attack_signature("spoofed-source:zeros").qber.values()) == [0, 0.5, 0.5]
    f = 0.3
    assert attack_signature(f"intercept-z:{f}").qber == pytest.approx(
        noise_signature(f"dephasing:{f / 2}").qber
    )
    g = (1 - math.sqrt(1 - 0.2)) / 2
    assert list(noise_signature("amplitude-damping:0.2").qber.values()) == pytest.approx(
        [0.1, g, g]
    )


def test_devices_that_know_settings():
    assert attack_signature("memory").S == 2
    assert attack_signature("predicted-settings:0.25").S == 2.5
    assert attack_signature("predicted-settings:1").information["Z"] == 1


def test_printing_and_plain_data():
    told = attack_signature("cloner:0.5")
    assert "14.64 %" in str(told)
    assert "0.3991 bit" in str(told)
    assert told.to_dict()["qber"]["X"] == told.qber["X"]
    assert noise_signature("dephasing:0.02").to_dict()["guess"] is None
    assert binary_entropy(0) == 0
    assert binary_entropy(0.11) == pytest.approx(0.499916, abs=1e-6)


@pytest.mark.parametrize(
    "text", ["cloner", "cloner:2", "nothing:1", "spoofed-source:one", "cloner:x", ""]
)
def test_refused_attacks(text):
    with pytest.raises(ArgumentError, match="Argument `attack` must be"):
        attack_signature(text)


@pytest.mark.parametrize("text", ["dephasing", "dephasing:0.7", "rain:0.1"])
def test_refused_noises(text):
    with pytest.raises(ArgumentError, match="Argument `noise` must be"):
        noise_signature(text)
