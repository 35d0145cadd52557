"""The contract's checks of what goes wrong: unknown, foreign, cancelled, failed, empty."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ebit.backends import contract_probes as probes
from ebit.backends.contract_base import ContractBase, Fate, attempt, check, fresh_id, refused, skip
from ebit.backends.model import Backend, Handle
from ebit.games import JobError

__all__ = ["FaultChecks"]


class FaultChecks(ContractBase):
    """What goes wrong is one line, soon, and never wrong data."""

    def test_an_unknown_id_is_refused(self) -> None:
        """A handle of an id that nobody knows is refused by every verb; cancelling may be silent."""
        backend = self.backend()
        known = self.start(backend, probes.small())
        ghost = replace(
            known, id=fresh_id(), provider_ids=tuple(fresh_id() for _ in known.provider_ids)
        )
        refused("fetching an unknown id", lambda: self._fetch(backend, ghost))
        refused("the status of an unknown id", lambda: backend.status(ghost))
        attempt("cancelling an unknown id", partial(backend.cancel, ghost))
        self.agree(backend, probes.small(), backend.fetch(known))

    def test_a_foreign_handle_is_refused(self) -> None:
        """A handle of another backend is refused, even where the ids happen to be the same."""
        backend = self.backend()
        known = self.start(backend, probes.small())
        foreign = replace(known, backend="another:backend")
        refused("fetching another backend's handle", lambda: self._fetch(backend, foreign))
        attempt("cancelling another backend's handle", partial(backend.cancel, foreign))
        self.agree(backend, probes.small(), backend.fetch(known))

    def test_a_handle_of_another_experiment_is_refused(self) -> None:
        """A handle that names another experiment than the run's gives no data."""
        backend = self.backend()
        handle = replace(self.start(backend, probes.small()), experiment_id=probes.bound().id)
        refused("fetching under the id of another experiment", lambda: self._fetch(backend, handle))

    def test_a_handle_of_other_shots_is_refused(self) -> None:
        """A handle that names other shots than the run's gives no data."""
        backend = self.backend()
        known = self.start(backend, probes.small())
        for shots in ((known.shots[0] + 1,), (*known.shots, 5)):
            handle = replace(known, shots=shots)
            refused(
                f"fetching {shots} shots of a run of {known.shots}",
                partial(self._fetch, backend, handle),
            )

    def test_a_cancelled_run_gives_no_data(self) -> None:
        """A cancelled run ends in one line, soon; cancelling twice is harmless."""
        backend = self.backend()
        held = self.arrange(backend, "held") is not None
        id = fresh_id()
        handle = self.start(backend, probes.small(), id=id)
        if backend.describe().remote and not held and backend.status(handle).phase == "done":
            skip("the run was done before it could be cancelled: arrange('held') would help")
        backend.cancel(handle)
        backend.cancel(handle)
        refused("fetching a cancelled run", lambda: self._fetch(backend, handle))
        state = attempt("the status of a cancelled run", partial(backend.status, handle))
        check(
            state is None or state.phase == "cancelled",
            f"a cancelled run must be cancelled or unknown, but was {state}",
        )
        found = backend.find(id)
        check(found in (None, handle), f"find must return {handle} or None, but returned {found}")
        self.agree(backend, probes.small(), self.run(backend, probes.small()))

    def test_a_failed_run_says_why(self) -> None:
        """A failed run raises JobError with the provider's words, and stays failed."""
        backend = self.backend()
        words = self._arranged(backend, "failed")
        handle = self.start(backend, probes.small())
        for _ in range(2):
            refused(
                "fetching a failed run",
                lambda: self._fetch(backend, handle),
                kind=JobError,
                words=words,
            )
        if backend.describe().remote:
            state = backend.status(handle)
            check(state.phase == "failed", f"a failed run must be failed, but was {state.phase!r}")

    def test_an_empty_result_is_an_error(self) -> None:
        """A run that gives no shots at all raises an error, never an empty result."""
        backend = self.backend()
        words = self._arranged(backend, "empty")
        handle = self.start(backend, probes.twins())
        refused("fetching an empty result", lambda: self._fetch(backend, handle), words=words)

    def test_a_result_cut_short_is_an_error(self) -> None:
        """A run that gives fewer shots than asked for raises an error, never fewer shots."""
        backend = self.backend()
        words = self._arranged(backend, "short")
        handle = self.start(backend, probes.twins())
        refused("fetching a result cut short", lambda: self._fetch(backend, handle), words=words)

    def _arranged(self, backend: Backend, fate: Fate) -> str:
        words = self.arrange(backend, fate)
        if words is None:
            skip(f"arrange({fate!r}) is not written for this adapter")
        return words

    def _fetch(self, backend: Backend, handle: Handle) -> object:
        return self.soon(lambda: backend.fetch(handle), f"fetching run {handle.id}")
