"""The contract's checks of runs: shares, handles, ids, seeds, progress, what an outcome says."""

from __future__ import annotations

import json
from functools import partial
from inspect import signature
from typing import Any

from ebit.backends import contract_probes as probes
from ebit.backends.contract_base import (
    ContractBase,
    attempt,
    check,
    fresh_id,
    refused,
    same,
    shaped,
    skip,
)
from ebit.backends.model import Handle
from ebit.games import ArgumentError

__all__ = ["RunChecks"]


class RunChecks(ContractBase):
    """A run is started once, found again, and fetched whole."""

    def test_shots_are_shared_by_weight(self) -> None:
        """Circuits of unequal weight get their own shares of the shots."""
        backend = self.backend()
        probe = probes.shared([1.0, 5.0, 2.0])
        shots = self.shots(backend, probe) + 1
        handle = self.start(backend, probe, shots=shots)
        check(
            tuple(handle.shots) == probe.allocate(shots),
            f"handle.shots must be {probe.allocate(shots)}, but were {handle.shots}",
        )
        outcome = backend.fetch(handle)
        shaped(probe, handle, outcome)
        self.agree(backend, probe, outcome)

    def test_one_shot(self) -> None:
        """A run of a single shot gives that shot."""
        backend = self.backend()
        outcome = self.run(backend, probes.small(), shots=1)
        if self.exact(backend):
            self.agree(backend, probes.small(), outcome)

    def test_more_shots_than_one_call_takes(self) -> None:
        """Shots beyond the provider's limit are taken in several calls, or refused in one line."""
        if self.most_shots is None:
            skip("most_shots is not given: any number goes")
        backend = self.backend()
        outcome = attempt(
            f"{self.most_shots + 1} shots",
            lambda: self.run(backend, probes.small(), shots=(self.most_shots or 0) + 1),
        )
        if outcome is not None:
            self.agree(backend, probes.small(), outcome)

    def test_wrong_shots_are_refused(self) -> None:
        """No shots, negative, broken or too few shots are refused before anything is sent."""
        backend = self.backend()
        compiled = self.compiled(backend, probes.twins())
        wrong: list[Any] = [0, -1, 2.5, "many", None, 1]
        for shots in wrong:
            id = fresh_id()
            refused(
                f"{shots!r} shots for two circuits",
                partial(backend.submit, compiled, shots=shots, id=id),
                kind=ArgumentError,
            )
            check(backend.find(id) is None, f"nothing may be sent for {shots!r} shots")

    def test_the_handle_is_plain_data(self) -> None:
        """A handle goes through JSON and fetches the same run afterwards."""
        backend = self.backend()
        probe, id = probes.small(), fresh_id()
        handle = self.start(backend, probe, id=id)
        told = (handle.backend, handle.id, handle.experiment_id, tuple(handle.shots))
        expected = (backend.name, id, probe.id, probe.allocate(self.shots(backend, probe)))
        check(told == expected, f"the handle must hold {expected}, but holds {told}")
        again = Handle.from_dict(json.loads(json.dumps(handle.to_dict())))
        check(again == handle, f"the handle must survive JSON, but became {again}")
        outcome = backend.fetch(again)
        shaped(probe, handle, outcome)
        self.agree(backend, probe, outcome)

    def test_the_same_id_is_one_run(self) -> None:
        """Submitting again under the same id gives the same run; fetching twice the same shots."""
        backend = self.backend()
        probe, id = probes.twins(), fresh_id()
        compiled = self.compiled(backend, probe)
        first = backend.submit(compiled, shots=512, id=id)
        second = backend.submit(compiled, shots=512, id=id)
        check(second == first, f"the same id must be one run, but gave {first} and {second}")
        count = self.sent(backend, id)
        check(count in (None, 1), f"the provider must have one job of that id, but has {count}")
        one = backend.fetch(first)
        third = attempt(
            "another run under an id in use", lambda: backend.submit(compiled, shots=1024, id=id)
        )
        check(third in (None, first), "an id whose run is done must not start another one")
        check(same(one, backend.fetch(second)), "fetching a run twice must give the same shots")
        count = self.sent(backend, id)
        check(count in (None, 1), f"the provider must have one job of that id, but has {count}")

    def test_different_ids_are_different_runs(self) -> None:
        """Two ids are two runs, each with its own experiment."""
        backend = self.backend()
        pair = [probes.small(), probes.bound()]
        handles = [self.start(backend, probe) for probe in pair]
        for probe, handle in reversed(list(zip(pair, handles, strict=True))):
            outcome = backend.fetch(handle)
            shaped(probe, handle, outcome)
            self.agree(backend, probe, outcome)

    def test_runs_are_found_by_their_id(self) -> None:
        """A run is found by its id; an id that nobody used gives None."""
        backend = self.backend()
        check(backend.find(fresh_id()) is None, "find must return None for an unknown id")
        id = fresh_id()
        handle = self.start(backend, probes.small(), id=id)
        found = backend.find(id)
        check(found == handle, f"find must return {handle}, but returned {found}")

    def test_another_process_finds_a_remote_run(self) -> None:
        """A remote run is found and fetched by an object that did not send it."""
        backend = self.backend()
        id = fresh_id()
        handle = self.start(backend, probes.small(), id=id)
        other = self.reopen(backend)
        if not backend.describe().remote:
            if other is not backend:
                text = "a run of another process"
                outcome = attempt(text, lambda: other.fetch(handle))
                if outcome is not None:
                    self.agree(other, probes.small(), outcome)
            return
        found = other.find(id)
        check(found == handle, f"another process must find {handle}, but found {found}")
        for known in (found, handle):
            outcome = other.fetch(known or handle)
            shaped(probes.small(), handle, outcome)
            self.agree(other, probes.small(), outcome)

    def test_another_process_does_not_send_again(self) -> None:
        """A remote run that another process started is completed under its id, not repeated."""
        backend = self.backend()
        if not backend.describe().remote:
            skip("the backend is local")
        id = fresh_id()
        handle = self.start(backend, probes.small(), id=id)
        other = self.reopen(backend)
        second = self.start(other, probes.small(), id=id)
        check(second == handle, f"the run must be {handle}, but became {second}")
        count = self.sent(backend, id)
        check(count in (None, 1), f"the provider must have one job of that id, but has {count}")

    def test_ids_are_noted_as_they_come(self) -> None:
        """submit notes the handle as soon as an id is known, the last time as it returns it."""
        backend = self.backend()
        noted: list[Handle] = []
        probe, id = probes.small(), fresh_id()
        handle = backend.submit(
            self.compiled(backend, probe),
            shots=self.shots(backend, probe),
            id=id,
            note=noted.append,
        )
        check(noted, "submit must call note")
        for seen in noted:
            check(
                (seen.id, seen.backend, seen.experiment_id, seen.shots)
                == (handle.id, handle.backend, handle.experiment_id, handle.shots),
                f"every handle noted must be of the run {handle.id}, but one was {seen}",
            )
        check(noted[-1] == handle, f"the last handle noted must be {handle}, but was {noted[-1]}")

    def test_the_status_follows_the_run(self) -> None:
        """The status is a known one before, and done after the shots were fetched."""
        backend = self.backend()
        handle = self.start(backend, probes.small())
        before = backend.status(handle)
        check(
            before.phase in ("queued", "running", "done"),
            f"a run that was just sent must be queued, running or done, but was {before.phase!r}",
        )
        backend.fetch(handle)
        after = backend.status(handle)
        check(after.phase == "done", f"a fetched run must be done, but was {after.phase!r}")
        for state in (before, after):
            check(len(state.detail.splitlines()) <= 1, f"detail must be one line: {state.detail!r}")

    def test_seeds_repeat_or_are_refused(self) -> None:
        """Equal seeds give equal shots, others do not; or a seed is refused in one line."""
        backend = self.backend()
        compiled = self.compiled(backend, probes.twins())

        def seeded(seed: Any) -> Any:
            return backend.fetch(backend.submit(compiled, shots=512, id=fresh_id(), seed=seed))

        first = attempt("a seed", partial(seeded, 7))
        if first is None:
            return
        check(first.seed == 7, f"the outcome must name the seed 7, but names {first.seed}")
        check(same(first, seeded(7)), "equal seeds must give equal shots")
        check(not same(first, seeded(8)), "different seeds must give different shots")
        wrong: list[Any] = [-1, 1.5, "x"]
        for seed in wrong:
            refused(f"the seed {seed!r}", partial(seeded, seed), kind=ArgumentError)
        other = self.reopen(backend)
        again = other.fetch(other.submit(compiled, shots=512, id=fresh_id(), seed=7))
        check(same(first, again), "equal seeds must give equal shots in another process")

    def test_progress_grows_to_its_total(self) -> None:
        """Progress is told, never falls, and ends at its total; it may lack the method say."""
        backend = self.backend()
        seen: list[tuple[int, int]] = []
        self.run(backend, probes.twins(), progress=lambda done, total: seen.append((done, total)))
        check(seen, "fetch must call progress")
        done = [first for first, _ in seen]
        check(done == sorted(done), f"progress must not fall, but was {done}")
        check(len({total for _, total in seen}) == 1, f"its total must not change: {seen}")
        check(seen[-1][0] == seen[-1][1] > 0, f"progress must end at its total, not {seen[-1]}")

    def test_progress_may_listen(self) -> None:
        """A progress function with a method say is told in single lines, if anything."""
        backend = self.backend()
        told: list[str] = []

        class Listening:
            def __call__(self, done: int, total: int) -> None:
                check(0 <= done <= total, f"progress must lie in 0 .. {total}, but was {done}")

            def say(self, text: str) -> None:
                told.append(text)

        listening, probe = Listening(), probes.small()
        # submit need not take it; what does is told of retries while sending.
        takes = "progress" in signature(backend.submit).parameters
        more: dict[str, Any] = {"progress": listening} if takes else {}
        compiled = self.compiled(backend, probe)
        shots = self.shots(backend, probe)
        handle = backend.submit(compiled, shots=shots, id=fresh_id(), **more)
        self.agree(backend, probe, backend.fetch(handle, progress=listening))
        for text in told:
            check(len(text.splitlines()) == 1, f"progress must say single lines, but said {text!r}")

    def test_interrupting_the_wait_leaves_the_run_alone(self) -> None:
        """Ctrl-C while waiting stops the wait; the run can be fetched afterwards."""
        backend = self.backend()
        handle = self.start(backend, probes.small())

        def interrupt(done: int, total: int) -> None:
            raise KeyboardInterrupt

        try:
            backend.fetch(handle, progress=interrupt)
        except KeyboardInterrupt:
            pass
        else:
            raise AssertionError("an interrupt during the wait must not be swallowed")
        outcome = backend.fetch(handle)
        shaped(probes.small(), handle, outcome)
        self.agree(backend, probes.small(), outcome)

    def test_the_outcome_says_what_ran(self) -> None:
        """An outcome names its method, its assumptions, and what it does not show."""
        backend = self.backend()
        outcome = self.run(backend, probes.small())
        check(outcome.method.strip(), "the outcome must name its method")
        for text in (outcome.method, *outcome.assumptions, *outcome.not_given):
            check(len(text.splitlines()) == 1, f"method and assumptions must be lines: {text!r}")
        if backend.describe().kind == "simulator":
            check(outcome.not_given, "a simulator must say that it shows nothing of a device")
        try:
            json.dumps(dict(outcome.metadata), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise AssertionError(f"metadata must be what JSON holds: {error}") from None
