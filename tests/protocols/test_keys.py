"""Keys end to end: planned, run, agreed on, judged; honest runs by the hundred; what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

import ebit
from ebit.analysis.key_plan import KeyPlan, plan_key
from ebit.backends.model import Description
from ebit.games import ArgumentError, EbitError
from ebit.protocols.key_outcome import circumstances
from ebit.protocols.key_referee import as_the_host_asked, law_for, law_of, sides_of
from ebit.protocols.key_result import UNCOVERED
from ebit.protocols.keys import key, key_program
from tests.protocols.keyhelp import line

ROUNDS = {"bb84": 8000, "bbm92": 12_000, "e91": 16_000, "six-state": 30_000, "mdi": 12_000}


@pytest.mark.parametrize("protocol", ROUNDS)
def test_a_key_comes_and_is_the_same_on_both_sides(protocol: str) -> None:
    found = line(protocol, rounds=ROUNDS[protocol]).judge(3)
    assert found.keys_equal is True
    assert not found.aborted
    assert found.key is not None
    assert found.key_bits == found.plan["length"] == found.key.bits > 500
    assert found.net_key_bits == found.key_bits - 256
    assert found.net_key_bits == found.plan["net_length"]
    assert found.leak_bits <= found.plan["leak_cap"] + found.plan["verification_bits"]
    assert found.epsilon == pytest.approx(1e-10 + 2.0**-64)
    assert found.theorem == "tomamichel-2012"
    assert found.secrecy == "demonstration"
    assert found.eve is None
    assert (found.S is not None) == (protocol == "e91")


def test_the_parties_know_nothing_of_each_other() -> None:
    """A side holds its own settings and bits, and a middle's word; no more than that."""
    made = line("mdi", rounds=12_000)
    run = made.run(1)
    one, two = sides_of(made.program, run.trials)
    assert set(vars(one)) == {"settings", "bits", "announced"}
    settings, outcomes = run.trials.rounds()
    assert (one.bits == outcomes[:, 0]).all()
    assert (one.settings == settings[:, 0]).all()
    key_rounds = (one.settings == 0) & (two.settings == 0)
    assert (one.bits[key_rounds] == two.bits[key_rounds]).all()
    assert not (one.bits == outcomes[:, 1]).all()


@pytest.mark.parametrize("protocol", [*ROUNDS, "diqkd"])
def test_which_settings_serve_for_what_is_known_from_the_name(protocol: str) -> None:
    from ebit.circuits import key_round

    for choices in ("per-shot", "per-circuit"):
        made = key_round(protocol, choices=choices)  # type: ignore[arg-type]
        told, details = law_of(made), made.details
        assert told.key == tuple(details["key"][0])
        names = details["alice_bases"]
        assert dict(told.tests) == {names[x]: (x, y) for x, y in details["test"]}
        assert told.chsh == tuple((x, y) for x, y, _ in details["chsh"])
        assert [sign for _, _, sign in details["chsh"]] in ([], [1, 1, 1, -1])


def test_settings_that_a_protocol_has_not_are_refused() -> None:
    with pytest.raises(ArgumentError, match="settings must be 2 of Bob for bb84, but were 9"):
        law_for("bb84", (2, 9))
    with pytest.raises(ArgumentError, match="protocol must be one of"):
        law_for("b92", (2, 2))


@pytest.mark.slow
def test_a_thousand_honest_runs_end_with_equal_keys() -> None:
    """Aborted at most as often as planned: 1e-3 each; 7 and more of 1,000 have a chance of 8e-5."""
    runs, aborted, most = 0, [], 0.0
    for protocol, rounds in ROUNDS.items():
        for backend, first in (("aer", 0), ("aer:fez", 100)):
            made = line(protocol, backend, rounds=rounds)
            most = max(most, made.purpose["plan"]["abort_probability"])
            for seed in range(first, first + 100):
                found = made.judge(seed)
                runs += 1
                if found.aborted:
                    aborted.append((protocol, backend, seed, found.reason))
                    continue
                assert found.keys_equal is True
                assert found.key_bits == made.purpose["plan"]["length"]
    assert runs == 1000
    assert most == 1e-3
    assert binom.sf(len(aborted) - 1, runs, most) > 1e-4, aborted


@pytest.mark.slow
def test_honest_device_independent_runs_end_with_equal_keys() -> None:
    made = line("diqkd", "aer", rounds=600_000)
    for seed in range(5):
        found = made.judge(seed)
        assert found.keys_equal is True, found.reason
        assert found.key_bits == made.purpose["plan"]["length"] > 10_000
        assert pytest.approx(8**0.5, abs=0.05) == found.S


def test_the_plan_does_not_look_at_what_is_observed() -> None:
    """Two runs of one line, quieter or louder than planned: the same length, or no key."""
    made = line("bb84", rounds=12_000, qber=0.02)
    quiet = made.judge(1)
    assert quiet.qber == 0
    assert quiet.key_bits == made.purpose["plan"]["length"]
    loud = line("bb84", rounds=12_000, qber=0.02, noise="dephasing:0.012")
    found = loud.judge(1)
    assert found.qber is not None
    assert 0 < found.qber < 0.03
    assert loud.purpose["plan"] == made.purpose["plan"]
    assert found.key_bits == quiet.key_bits


def test_a_plan_with_an_error_rate_of_ones_own_counts_on_the_coins_of_the_device() -> None:
    """On a chip some rounds are void since coins are misread: fewer key rounds are planned with."""
    rounds = 2_000_000
    own = line("six-state", "aer:fez", rounds=rounds, qber=0.02).purpose["plan"]
    plain = plan_key("six-state", rounds, qber=0.02, authentication_bits=256)
    assert own["rounds"] == rounds
    assert 0.97 * plain.n < own["n"] < plain.n
    found = line("six-state", "aer:fez", rounds=100_000, qber=0.02).judge(1)
    assert found.keys_equal is True, found.reason


def test_too_few_rounds_say_how_many_would_do() -> None:
    found = key("aer", rounds=2000, qber=0.02, seed=1)
    assert found.aborted
    assert found.key is None
    assert found.key_bits == found.net_key_bits == 0
    needed = found.plan["rounds_needed"]
    assert f"{needed:,} would do" in found.reason
    assert plan_key("bb84", needed, qber=0.02, authentication_bits=256).net_length > 0
    # What the line does is shown all the same, of all rounds, since none is kept.
    assert found.qber == 0
    assert found.raw_bits == 0


def test_ten_rounds_are_no_accident() -> None:
    for protocol in ROUNDS:
        found = key("aer", protocol=protocol, rounds=10, seed=1)
        assert found.aborted
        assert "would do" in found.reason


def test_the_same_seed_makes_the_same_key() -> None:
    one, two = (key("aer", rounds=8000, seed=5) for _ in range(2))
    other = key("aer", rounds=8000, seed=6)
    assert one.key == two.key
    assert one.key != other.key


def test_without_a_seed_every_key_is_another() -> None:
    one, two = (key("aer", rounds=8000) for _ in range(2))
    assert one.keys_equal is True
    assert two.keys_equal is True
    assert one.key != two.key


def test_a_run_that_is_begun_and_resumed_gives_the_same_key() -> None:
    job = ebit.begin("key", "aer:fez", shots=12_000, seed=4)
    found = ebit.resume(job.id)
    straight = key("aer:fez", rounds=12_000, seed=4)
    assert found.key == straight.key
    assert found.keys_equal is True
    assert found.plan == straight.plan
    assert found.key_bits > 1000


def test_what_is_planned_is_written_down_before_the_run() -> None:
    from ebit.backends import open_job

    job = ebit.begin("key", "aer", shots=8000, seed=4, protocol="bb84")
    plan = open_job(job.id).purpose["plan"]
    assert KeyPlan.from_dict(plan).length > 0
    assert ebit.resume(job.id).plan == plan


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "protocol": ({"protocol": "b92"}, "protocol must be one of bb84, bbm92, e91, six-state, mdi"),
    "no rounds": ({"rounds": 0}, "rounds must be a whole number of at least 1, but was 0"),
    "half a round": ({"rounds": 1.5}, "rounds must be a whole number of at least 1, but was 1.5"),
    "true rounds": ({"rounds": True}, "rounds must be a whole number"),
    "qber high": ({"qber": 0.6}, "qber must be an error rate between 0 and 0.5, but was 0.6"),
    "qber low": ({"qber": -0.1}, "qber must be an error rate"),
    "qber nan": ({"qber": float("nan")}, "qber must be an error rate"),
    "qber text": ({"qber": "a lot"}, "qber must be an error rate"),
    "epsilon 0": ({"epsilon": 0.0}, "`epsilon` must be a number strictly between 0 and 1"),
    "epsilon 1": ({"epsilon": 1.0}, "`epsilon` must be a number strictly between 0 and 1"),
    "epsilon nan": ({"epsilon": float("nan")}, "`epsilon` must be"),
    "attack": ({"attack": "magic"}, "attack must be KIND or KIND:STRENGTH"),
    "strength": ({"attack": "cloner:7"}, "strength between 0 and 1"),
    "no pairs": (
        {"attack": "spoofed-source"},
        "attack spoofed-source must replace a source of pairs",
    ),
    "no devices": ({"attack": "memory"}, "it takes protocol diqkd, but the protocol was bb84"),
    "theorem": ({"theorem": "mine"}, "theorem must be one of tomamichel-2012, lim-2021"),
    "noise": ({"noise": "wind:0.1"}, "noise must be KIND:STRENGTH"),
    "choices": ({"choices": "by-hand"}, "choices must be 'per-shot' or 'per-circuit'"),
    "di choices": (
        {"protocol": "diqkd", "choices": "per-shot"},
        "choices must be 'per-circuit' for diqkd",
    ),
    "di theorem": (
        {"protocol": "diqkd", "theorem": "lim-2021"},
        "theorem must be nadlinger-2022 for diqkd, but was 'lim-2021'",
    ),
    "di S": (
        {"protocol": "diqkd", "expected_S": 4.1},
        "expected_S must lie between 0 and 2.8284 (2 sqrt 2), but was 4.1",
    ),
    "S of bb84": (
        {"expected_S": 2.5},
        "expected_S is of protocols with a Bell test, e91 and diqkd, but the protocol was bb84",
    ),
    "di few": ({"protocol": "diqkd", "rounds": 10}, "take more rounds"),
    "seed": ({"seed": -1}, "seed must be a whole number of at least 0, but was -1"),
    "qubits": ({"backend": "aer:fez", "qubits": (1, 1)}, "qubit"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_is_refused_in_one_line(name: str) -> None:
    options, words = BAD[name]
    full: dict[str, Any] = {"backend": "aer", "rounds": 1000, "seed": 1, **options}
    with pytest.raises(EbitError) as caught:
        key(full.pop("backend"), **full)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_an_option_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ArgumentError, match="unexpected colour"):
        ebit.begin("key", "aer", shots=1000, colour="red")
    with pytest.raises(ArgumentError, match="pair does not apply to a key"):
        ebit.begin("key", "aer", shots=1000, pair=(0, 1))


def test_an_error_rate_at_which_there_is_no_key_is_no_error() -> None:
    for qber in (0.2, 0.5):
        found = key("aer", rounds=3000, qber=qber, seed=1)
        assert found.aborted
        assert "no number of rounds" in found.reason


def test_the_other_theorem_is_taken_when_asked_for() -> None:
    found = line("bb84", rounds=8000, theorem="lim-2021").judge(1)
    assert found.theorem == "lim-2021"
    assert found.keys_equal is True
    assert sum(found.plan["epsilons"].values()) <= 1e-10 * (1 + 1e-9)


def test_a_bases_choice_by_circuits_makes_a_key_and_says_what_it_is_worth() -> None:
    found = key("aer", rounds=8000, choices="per-circuit", seed=1)
    assert found.keys_equal is True
    assert UNCOVERED in found.not_given
    assert "no proof of secrecy" in found.sentence
    assert UNCOVERED not in key("aer", rounds=8000, seed=1).not_given


@pytest.mark.parametrize(
    ("seed", "choices", "remote", "secrecy"),
    [
        (None, "per-shot", False, "own"),
        (1, "per-shot", False, "demonstration"),  # a seed foretells what the parties choose
        (None, "per-circuit", False, "demonstration"),  # the host knew all bases
        (None, "per-shot", True, "demonstration"),
    ],
)
def test_a_key_is_its_owners_own_only_where_nobody_else_can_know_it(
    monkeypatch: pytest.MonkeyPatch, seed: int | None, choices: Any, remote: bool, secrecy: str
) -> None:
    made = line("bb84", rounds=8000, choices=choices)
    run = replace(made.run(1), separation="one chip")

    class Own:
        def describe(self) -> Description:
            told = made.where.describe()
            return replace(told, kind="processor", remote=remote)

    monkeypatch.setattr("ebit.backends.open_backend", lambda name: Own())
    assert circumstances(run, seed)["secrecy"] == secrecy
    assert circumstances(made.run(1), seed)["secrecy"] == "demonstration"


def test_who_sits_in_the_middle_needs_rounds_for_two_links() -> None:
    made = key_program("aer", shots=1000, attack="man-in-the-middle", seed=1)
    assert made[2] == 2000
    assert made[1]["rounds"] == 1000


def test_random_choices_do_not_depend_on_the_other_party() -> None:
    from ebit.protocols.key_referee import random_bytes

    one, two = (random_bytes(9, who)(32) for who in (0, 1))
    assert one != two
    assert one == random_bytes(9, 0)(32)
    assert random_bytes(None, 0)(32) != random_bytes(None, 0)(32)
    assert np.frombuffer(one, np.uint8).std() > 20


def test_device_independent_rounds_come_in_the_order_that_the_host_has_drawn() -> None:
    """Tests lie anywhere, as if each round were drawn by itself, and the order is known from the purpose."""
    made = line("diqkd", rounds=20_000)
    run = made.run(1)
    ordered = as_the_host_asked(run, made.purpose).trials.rounds()
    again = as_the_host_asked(run, made.purpose).trials.rounds()
    assert all((one == two).all() for one, two in zip(ordered, again, strict=True))
    before, settings = run.trials.rounds()[0], ordered[0]
    assert sorted(map(tuple, before.tolist())) == sorted(map(tuple, settings.tolist()))
    tests = settings[:, 1] != 2
    half = len(tests) // 2
    share = made.purpose["plan"]["test_fraction"]
    assert tests.mean() == pytest.approx(share, abs=5 * (share * (1 - share) / 20_000) ** 0.5)
    assert abs(tests[:half].mean() - tests[half:].mean()) < 5 * (share / half) ** 0.5
    # A round after a test is a test as often as any other.
    assert tests[1:][tests[:-1]].mean() == pytest.approx(share, abs=5 * (1 / tests.sum()) ** 0.5)


def test_a_host_draws_other_rounds_for_another_seed() -> None:
    one, two = (line("diqkd", rounds=20_000, seed=seed) for seed in (1, 2))
    assert one.purpose["host"] != two.purpose["host"]
    assert one.program.weights != two.program.weights
