"""Running a study: propose, hand to workers, settle, and again, until the count or the clock.

Any number of processes may do so at once. Proposals are functions of settled trials, so it does
not matter whose they are; a trial is trained by whoever claimed it, and its folder tells the others
how it ended.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor

from nndl_exp import config as cfg
from nndl_exp.config import RunConfig
from nndl_exp.errors import UserError
from nndl_exp.nn.blas import blas_threads
from nndl_exp.study import executors
from nndl_exp.study.proposing.proposer import Proposal
from nndl_exp.study.running.claims import Claims
from nndl_exp.study.running.ledger import Ledger
from nndl_exp.study.running.patience import DatabaseGoneError, Patience
from nndl_exp.study.running.stop import Stop
from nndl_exp.study.running.storage import Storage, url_of
from nndl_exp.study.running.workers import OF_THE_MACHINE, Report, Running
from nndl_exp.study.search import Search, Trial
from nndl_exp.study.trial import Original, Outcome, Task, mark_of

_log = logging.getLogger(__name__)
_SECONDS_BETWEEN_LOOKS = 0.2


class Coordinator:
    """Runs a study to its end, or to where it is stopped, alone or with other processes.

    ``earlier`` are runs that completed before, which are not trained again. ``budget`` is what it
    may take, in seconds. Iterating yields every
    settled trial in the order of the numbers, those of earlier starts first, so that what is shown
    does not depend on which worker was faster. ``say`` gets a line for what else is to be known;
    ``stopping`` is whether a signal has asked it to end.
    """

    def __init__(
        self,
        study: Search,
        pool: executors.Pool | None = None,
        earlier: Mapping[RunConfig, Original] | None = None,
        budget: float | None = None,
    ) -> None:
        self.study = study
        self.report = Report()
        self.workers = executors.workers_of(study.config)
        self._pool = pool or executors.pool_of(study.config)
        self._own_pool = pool is None
        self.say: Callable[[str], None] = lambda line: None
        self.stopping = False
        self._storage_url = storage_url = url_of(study.config)
        self._budget = budget
        self._view = study.proposer()
        self._proposals: list[Proposal] = []
        self._configs: dict[int, RunConfig] = {}  # of the trials that run: read back it is slower
        self._unsure = False
        self._ledger = Ledger(study, earlier or {})
        self._waiting: list[int] = []
        self._elsewhere: set[int] = set()
        self._looked = 0.0
        self._running = Running(
            self._pool, study.config.study.max_retries, lambda line: self.say(line)
        )
        self._patience = Patience(
            storage_url, study.config.storage.patience, lambda line: self.say(line)
        )

    def __iter__(self) -> Iterator[Trial]:
        study = self.study
        study.create()
        stop = Stop(study.directory, self._budget, self._stopping)
        self._storage = Storage(self._storage_url, study, self._patience)
        members = study.directory / ".members"
        try:
            with (
                stop as self._stop,
                blas_threads(1),
                Claims(
                    self._storage,
                    members,
                    study.config.storage.heartbeat,
                    lambda number: study.run_directory(number).is_free(),
                ) as self._claims,
            ):
                yield from self._lead()
        finally:
            if self._own_pool:
                self._pool.close()
            self._storage.close()
            self._running.account(self.report, self.workers)

    def raise_what_stopped(self) -> None:
        """Raise what ended the iteration early, for a caller that does not read ``report``.

        Raises:
            KeyboardInterrupt: it was an interrupt.
            UserError: workers died again and again, or the database has gone.
        """
        self._stop.raise_again()
        if self._running.stuck:
            raise UserError(f"{self.study.name} has stopped: {self._running.stuck}")

    @property
    def proposed(self) -> Sequence[Proposal]:
        """The trials that there are so far, as far as this process knows; it only grows."""
        return self._proposals

    @property
    def time_is_up(self) -> bool:
        """Whether the budget was spent."""
        return self.report.stopped == cfg.TIME_IS_UP

    @property
    def signal(self) -> int | None:
        """The signal that stopped the search."""
        return self._stop.signal

    def _stopping(self) -> None:
        self.stopping = True
        self._patience.end()
        self.say("stopping after the epochs that run ...")

    def _lead(self) -> Iterator[Trial]:
        try:
            self._restore()
            yield from self._ledger.fresh()
            while self._advance():
                yield from self._ledger.fresh()
        except DatabaseGoneError as e:
            self.report.stopped = self._running.stuck = str(e)
            self._stop.request()
            self._running.drain()

    def _restore(self) -> None:
        """Take up what earlier starts left: Optuna's trials and the run directories."""
        self._read()
        self._claims.free_abandoned()
        self.report.resumed = len(self._ledger)

    def _take_up(self, number: int) -> None:
        """Settle a trial from its record if it has one, else put it on the list of those to run."""
        directory = self.study.run_directory(number)
        result = directory.result()
        if result is None:
            self._wait_for(number)
        else:
            directory.tidy()
            config = directory.config()
            if config != self._config(number):
                raise UserError(
                    f"{directory.path} must hold the trial that {self.study.name} proposes: got "
                    "one of another configuration; delete the folder, or give another study.name"
                )
            self._settle(Trial(number, config, result))

    def _config(self, number: int) -> RunConfig:
        params = self._proposals[number].params
        return self.study.space.apply(self.study.config.run, params)

    def _wait_for(self, number: int) -> None:
        self._waiting.append(number)
        self._waiting.sort()

    def _read(self) -> None:
        """See what the storage holds, and take up the trials that are new to this process."""
        self._storage.read()
        for proposal in self._storage.proposals(len(self._proposals)):
            self._proposals.append(proposal)
            self._take_up(proposal.number)

    def _look(self) -> None:
        """Take up what other processes did."""
        for number in sorted(self._elsewhere):
            if self.study.run_directory(number).result() is not None:
                self._elsewhere.remove(number)
                self._take_up(number)
        quiet = self._claims.alone and not self._elsewhere
        if quiet or time.monotonic() - self._looked < _SECONDS_BETWEEN_LOOKS:
            return
        self._looked = time.monotonic()
        self._read()
        if self._elsewhere:
            self._claims.free_abandoned()
        for number in sorted(self._elsewhere):
            nobody = self._storage.is_waiting(number) or self._storage.has_ended(number)
            if nobody and self.study.run_directory(number).is_free():
                self._elsewhere.remove(number)
                self._take_up(number)

    def _settle(self, trial: Trial) -> None:
        self._claims.ended(trial.number)
        if trial.number in self._ledger:
            return
        settled = self.study.settled(trial)
        outcome = {"state": trial.result.state, "reason": trial.result.reason}
        self._storage.settle(trial.number, settled, outcome)
        self._ledger.add(trial, settled)

    def _advance(self) -> bool:
        """One round: propose, submit, wait for a trial to end. False when nothing is left to do."""
        self._look()
        self._propose()
        self._submit()
        self._wait()
        if self.report.stopped is None and self._stop.requested:
            by_signal = self._stop.signal is not None
            self.report.stopped = "interrupted" if by_signal else cfg.TIME_IS_UP
        if self.report.stopped and not self._stop.flag.exists():
            self._stop.request()
        self.report.stopped = self.report.stopped or self._ledger.hopeless
        left = not (self.report.stopped or self._ledger.is_complete)
        return bool(self._running or self._ledger.has_fresh or left)

    def _wait(self) -> None:
        """Until a trial of this process ends; for a moment where others may give it work."""
        if self._ledger.has_fresh:
            return
        spare = len(self._running) < self.workers and not self.report.stopped
        if self._running:
            timeout = _SECONDS_BETWEEN_LOOKS if spare or self._elsewhere else 1.0
            for number, ended in self._running.ended(timeout):
                self._collect(number, ended)
        elif self._elsewhere and not self.report.stopped:
            time.sleep(_SECONDS_BETWEEN_LOOKS)

    def _may_propose(self) -> bool:
        return (
            not self.report.stopped
            and len(self._proposals) < self._ledger.total
            and len(self._ledger.settled) > len(self._proposals) - self.study.plan.lag
        )

    def _propose(self) -> None:
        if not self._may_propose():
            return
        with self._storage.exclusive() as held:
            if not held:
                return
            # Alone it knows all that the storage holds: reading open trials takes 2 ms for each.
            if self._unsure or not self._claims.alone:
                self._read()
                self._unsure = False
            while self._may_propose():
                if len(self._view) < len(self._proposals):
                    self._view.restore(self._proposals, self._ledger.settled)
                proposal = self._view.ask(self._ledger.settled)
                if not self._storage.add(proposal, self._view.space.distributions):
                    self._view = self.study.proposer()  # it has asked for a trial that is not there
                    self._unsure = True
                    return
                self._proposals.append(proposal)
                _log.debug("trial %d is proposed: %s", proposal.number, proposal.params)
                self._take_up(proposal.number)

    def _room(self) -> int:
        """How many trials this process may have claimed."""
        if self.workers == 1:
            return 1
        if self._claims.alone:  # all that the lag allows, so that no worker waits for this process
            return self.workers + self.study.plan.lag
        return self.workers + 1

    def _share(self, room: int) -> None:
        """Give back what no worker has begun, where other processes could."""
        for number in self._running.take_back(room):
            self._give_back(number)

    def _give_back(self, number: int) -> None:
        self._claims.release(number)
        self._wait_for(number)

    def _submit(self) -> None:
        room = self._room()
        self._share(room)
        # Where an early record was lost, trials that may look at it wait until it is there again.
        visible = len(self._ledger.settled) + self.study.plan.lag
        while self._waiting and len(self._running) < room and not self.report.stopped:
            if self._waiting[0] >= visible:
                return
            number = self._waiting.pop(0)
            if not self._claims.take(number):
                self._elsewhere.add(number)
            elif self.study.run_directory(number).result() is not None:
                self._take_up(number)  # another process ended it a moment ago
            elif not self._running.start(number, self._task):
                self._give_back(number)
                self.report.stopped = self._running.stuck
                return

    def _task(self, number: int) -> Task:
        self._stop.start_clock()  # the workers are up
        visible = max(0, number - self.study.plan.lag + 1)
        self._configs[number] = config = self._config(number)
        prunes = self.study.plan.pruner["name"] != "none"  # else nobody looks at the results
        return Task(
            number=number,
            config=config,
            data=self.study.dataset.sha256,
            directory=self.study.run_directory(number).path.resolve(),
            plan=self.study.plan.for_pruning(),
            settled=tuple(self._ledger.settled[:visible]) if prunes else (),
            same_as=self._ledger.original(config, visible),
            stop_flag=self._stop.flag.resolve(),
            deadline=self._stop.deadline,
        )

    def _collect(self, number: int, ended: Outcome | BaseException) -> None:
        if isinstance(ended, OF_THE_MACHINE):
            self._retry(number, ended)
        elif isinstance(ended, BaseException):
            raise ended
        elif ended.result is not None:
            self._settle(Trial(number, self._configs.pop(number), ended.result))
        elif ended.elsewhere:
            self._claims.release(number)
            self._elsewhere.add(number)
        else:
            self._give_back(number)

    def _retry(self, number: int, error: BaseException) -> None:
        """Run a trial again, unchanged, that the machine broke; give up after ``max_retries``."""
        directory = self.study.run_directory(number)
        ended = directory.result() is not None
        # A worker that dies takes trials with it that wait for it: they are not to blame.
        begun = mark_of(directory.path).exists() or not isinstance(error, BrokenExecutor)
        said = self._running.breaks(number, error, begun=begun and not ended)
        if ended:
            self._claims.release(number)
            self._take_up(number)  # only the news of it was lost
            return
        self._give_back(number)
        self.report.stopped = self.report.stopped or self._running.stuck
        if begun and not self.report.stopped:
            self.say(said)
