"""Showing a search to Optuna's dashboard while it runs, and again at any time."""

import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from nndl_exp.config import output_words
from nndl_exp.errors import UserError
from nndl_exp.study.search import PROPOSAL, Search, Trial
from nndl_exp.tracking.optuna_view import OptunaTrial, OptunaView

_SECONDS_BETWEEN_BATCHES = 2.0


class SearchInOptuna:
    """A search in Optuna's database, written by a thread of its own and in batches.

    When the database fails, ``outage`` says so; the search goes on, and the next batch brings what
    is missing.
    """

    def __init__(self, search: Search) -> None:
        self._search = search
        self._trials: list[Trial] = []
        self._view: OptunaView | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="optuna")
        self._batch: Future[None] | None = None
        self._begun = 0.0
        self.outage: str | None = None

    def log(self, trial: Trial) -> None:
        """Show the next finished trial, soon."""
        self._trials.append(trial)
        is_idle = self._batch is None or self._batch.done()
        if is_idle and time.monotonic() - self._begun > _SECONDS_BETWEEN_BATCHES:
            self._begun = time.monotonic()
            self._batch = self._thread.submit(self._write)

    def close(self) -> str | None:
        """Show all that is missing; returns a line if the database does not take it."""
        if self._trials:
            self._thread.submit(self._write).result()
        self._thread.shutdown()
        if self._view is not None:
            self._view.close()
        return self.outage

    def _write(self) -> None:
        search, self.outage = self._search, None
        try:
            if self._view is None:
                self._view = OptunaView(
                    search.config, search.name, str(search.id), search.directions,
                    search.objective_names, search.space.distributions,
                )  # fmt: skip
            self._view.write(len(self._trials), self._trial)
        except UserError as e:
            again = f"python -m nndl_exp.sync{output_words(search.config.output)}"
            self.outage = f"Optuna's database is behind ({e}); nothing is lost: {again} writes it"

    def _trial(self, number: int) -> OptunaTrial:
        trial, proposal = self._trials[number], self._search.proposal(number)
        if proposal is None:
            path = self._search.run_directory(number).path / PROPOSAL
            raise UserError(f"{path} is missing; repeat the command of the study")
        settled, result = self._search.settled(trial), trial.result
        return OptunaTrial(
            complete=settled.complete,
            params=proposal.params,
            values=settled.values,
            scores=settled.scores,
            outcome={"state": result.state, "reason": result.reason},
            started=result.started,
            ended=result.ended,
        )


def show_in_optuna(search: Search, trials: Iterable[Trial]) -> str | None:
    """Show all trials of a search; returns a line if the database does not take them."""
    view = SearchInOptuna(search)
    for trial in trials:
        view.log(trial)
    return view.close()
