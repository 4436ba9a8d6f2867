"""Running a study: propose, hand to workers, settle, and again, until the count or the clock.

Any number of processes may do so at once. Proposals are functions of settled trials, so it does
not matter whose they are; a trial is trained by whoever claimed it, and its folder tells the others
how it ended.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import dataclass, field, replace
from pathlib import Path

from filelock import Timeout

from nndl_exp import config as cfg
from nndl_exp.config import RunConfig
from nndl_exp.errors import UserError
from nndl_exp.nn.blas import blas_threads
from nndl_exp.study import executors
from nndl_exp.study.claims import Claims
from nndl_exp.study.stop import Stop
from nndl_exp.study.storage import Storage
from nndl_exp.study.study import Study, Trial
from nndl_exp.study.trial import Original, Outcome, Task, run_trial
from nndl_exp.study.view import Proposal, Settled

_SECONDS_BETWEEN_LOOKS = 0.2


@dataclass
class Report:
    """How one start of a study went; complete once its iterator has ended.

    ``busy`` and ``idle`` are seconds that the workers trained and waited, from the first trial's
    start to the last one's end. ``stopped`` says why the study is not complete, if it is not.
    """

    stopped: str | None = None
    resumed: int = 0
    busy: float = 0.0
    idle: float = 0.0
    spans: list[tuple[float, float]] = field(default_factory=list)


class Coordinator:
    """Runs a study to its end, or to where it is stopped, alone or with other processes.

    ``earlier`` are runs that completed before, which are not trained again. Iterating yields every
    settled trial in the order of the numbers, those of earlier starts first, so that what is shown
    does not depend on which worker was faster.
    """

    def __init__(
        self,
        study: Study,
        storage_url: str,
        pool: executors.Pool | None = None,
        earlier: Mapping[RunConfig, Original] | None = None,
    ) -> None:
        self.study = study
        self.report = Report()
        self.workers = executors.workers_of(study.config)
        self._pool = pool or executors.pool_of(study.config)
        self._own_pool = pool is None
        self.on_stop: Callable[[], None] = lambda: None
        self._storage_url = storage_url
        self._view = study.proposer()
        self._proposals: list[Proposal] = []
        self._settled: list[Settled] = []
        self._first: dict[RunConfig, int] = {}
        # Where seconds decide, those of another stage, with other work beside it, don't tell.
        self._earlier = {} if study.one_at_a_time else dict(earlier or {})
        self._waiting: list[int] = []
        self._elsewhere: set[int] = set()
        self._looked, self._leading = 0.0, False
        self._ended: dict[int, Trial] = {}
        self._running: dict[Future[Outcome], int] = {}
        self._attempts: dict[int, int] = {}
        self._broken_starts = 0

    def __iter__(self) -> Iterator[Trial]:
        study = self.study
        study.create()
        leadership = study.leadership
        self._leading = led_before = leadership.held
        budget = study.config.study.budget
        seconds = cfg.seconds(budget) if budget else None
        stop = Stop(study.directory, seconds, lambda: self.on_stop())
        heartbeat = study.config.storage.heartbeat
        self._storage = Storage(
            self._storage_url,
            study.name,
            study.directions,
            study.directory,
            Path(study.config.output),
            heartbeat,
        )
        try:
            with (
                stop as self._stop,
                blas_threads(1),
                Claims(
                    self._storage, study.directory / ".members", heartbeat, self._is_free
                ) as self._claims,
            ):
                yield from self._lead()
        finally:
            if self._own_pool:
                self._pool.close()
            if self._leading and not led_before:
                leadership.release()
            self._storage.close()
            self._account()

    def _lead(self) -> Iterator[Trial]:
        self._restore()
        yield from self._settled_now()
        while self._advance():
            yield from self._settled_now()

    def _is_free(self, number: int) -> bool:
        try:
            with self.study.run_directory(number).lock(0):
                return True
        except Timeout:
            return False

    def _restore(self) -> None:
        """Take up what earlier starts left: Optuna's trials and the run directories."""
        self._read()
        self._claims.free_abandoned()
        self.report.resumed = len(self._ended)
        self._fresh = self._advance_prefix()

    def _take_up(self, number: int) -> None:
        """Settle a trial from its record if it has one, else put it on the list of those to run."""
        directory = self.study.run_directory(number)
        result = directory.result()
        if result is None:
            self._wait_for(number)
        else:
            self._settle(Trial(number, directory.config(), result))

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
            if nobody and self._is_free(number):
                self._elsewhere.remove(number)
                self._take_up(number)

    def _settle(self, trial: Trial) -> None:
        self._claims.ended(trial.number)
        if trial.number in self._ended:
            return
        settled = self.study.settled(trial)
        outcome = {"state": trial.result.state, "reason": trial.result.reason}
        self._storage.settle(trial.number, settled, outcome)
        self._ended[trial.number] = trial

    def _advance_prefix(self) -> list[Trial]:
        new = []
        while (number := len(self._settled)) in self._ended:
            trial = self._ended[number]
            self._settled.append(self.study.settled(trial))
            if trial.result.state == "complete":
                self._first.setdefault(trial.config, number)
            new.append(trial)
        return new

    def _settled_now(self) -> list[Trial]:
        fresh, self._fresh = self._fresh, []
        return fresh

    def _advance(self) -> bool:
        """One round: propose, submit, wait for a trial to end. False when nothing is left to do."""
        self._look()
        self._propose()
        self._submit()
        self._wait()
        self._fresh += self._advance_prefix()
        if self.report.stopped is None and self._stop.requested:
            by_signal = self._stop.signal is not None
            self.report.stopped = "stopped" if by_signal else "the time is up"
        if self.report.stopped and not self._stop.flag.exists():
            self._stop.request()
        finished = len(self._settled) >= self.study.total(len(self._settled))
        return bool(self._running or self._fresh) or not (self.report.stopped or finished)

    def _wait(self) -> None:
        """Until a trial of this process ends; for a moment where others may give it work."""
        self._fresh += self._advance_prefix()
        if self._fresh:
            return
        spare = len(self._running) < self.workers and not self.report.stopped
        if self._running:
            timeout = _SECONDS_BETWEEN_LOOKS if spare or self._elsewhere else 1.0
            done, _ = wait(self._running, timeout=timeout, return_when=FIRST_COMPLETED)
            for future in done:
                self._collect(future)
        elif self._elsewhere and not self.report.stopped:
            time.sleep(_SECONDS_BETWEEN_LOOKS)

    def _may_propose(self) -> bool:
        return (
            not self.report.stopped
            and len(self._proposals) < self.study.total(len(self._settled))
            and len(self._settled) > len(self._proposals) - self.study.plan.lag
        )

    def _propose(self) -> None:
        if not self._may_propose():
            return
        with self._storage.exclusive() as held:
            if not held:
                return
            self._read()
            self._fresh += self._advance_prefix()
            while self._may_propose():
                if len(self._view) < len(self._proposals):
                    self._view.restore(self._proposals, self._settled)
                proposal = self._view.ask(self._settled)
                if not self._storage.add(proposal, self._view.space.distributions):
                    self._view = self.study.proposer()  # it has asked for a trial that is not there
                    return
                self._proposals.append(proposal)
                self._take_up(proposal.number)
                self._fresh += self._advance_prefix()

    def _leads(self) -> bool:
        self._leading = self._leading or self.study.leadership.take()
        return self._leading

    def _room(self) -> int:
        """How many trials this process may have claimed."""
        if self.study.one_at_a_time or self.workers == 1:
            return 1
        if self._claims.alone:  # all that the lag allows, so that no worker waits for this process
            return self.workers + self.study.plan.lag
        return self.workers + 1

    def _share(self, room: int) -> None:
        """Give back what no worker has begun, where other processes could."""
        for future, number in list(self._running.items()):
            if len(self._running) > room and future.cancel():
                del self._running[future]
                self._give_back(number)

    def _give_back(self, number: int) -> None:
        self._claims.release(number)
        self._wait_for(number)

    def _submit(self) -> None:
        if self.study.one_at_a_time and not self._leads():
            self._elsewhere.update(self._waiting)
            self._waiting.clear()
            return
        room = self._room()
        self._share(room)
        # Where an early record was lost, trials that may look at it wait until it is there again.
        visible = len(self._settled) + self.study.plan.lag
        while self._waiting and len(self._running) < room and not self.report.stopped:
            if self._waiting[0] >= visible:
                return
            number = self._waiting.pop(0)
            if not self._claims.take(number):
                self._elsewhere.add(number)
            elif self.study.run_directory(number).result() is None:
                self._start(number)
            else:
                self._take_up(number)  # another process ended it a moment ago

    def _start(self, number: int) -> None:
        try:
            executor = self._pool.open()
            self._stop.start_clock()  # before the task is made
            self._running[executor.submit(run_trial, self._task(number))] = number
        except BrokenExecutor as e:  # a worker died a moment ago, or while it was starting
            self._give_back(number)
            self._pool.drop()
            self._broken_starts += 1
            if self._broken_starts > self.study.config.study.max_retries:
                self.report.stopped = f"workers die as they start ({type(e).__name__}: {e})"

    def _task(self, number: int) -> Task:
        proposal = self._proposals[number]
        visible = max(0, number - self.study.plan.lag + 1)
        config = self.study.space.apply(self.study.config.run, proposal.params)
        return Task(
            number=number,
            config=config,
            data=self.study.dataset.sha256,
            directory=self.study.run_directory(number).path.resolve(),
            plan=replace(self.study.plan, known=()),  # a worker prunes, and does not propose
            settled=tuple(self._settled[:visible]),
            same_as=self._original(config, visible),
            stop_flag=self._stop.flag.resolve(),
            deadline=self._stop.deadline,
        )

    def _original(self, config: RunConfig, visible: int) -> Original | None:
        """The first run that completed with a config: of those before, or of the first trials."""
        # Later trials may have settled by now, or not: that depends on who was faster.
        if (number := self._first.get(config, visible)) < visible:
            return Original(self.study.run_directory(number).path.resolve(), f"trial {number}")
        return self._earlier.get(config)

    def _collect(self, future: "Future[Outcome]") -> None:
        number = self._running.pop(future)
        error = future.exception()
        if error is None:
            outcome, self._broken_starts = future.result(), 0
            if not outcome.elsewhere:
                self.report.spans.append((outcome.started, outcome.ended))
            if outcome.result is not None:
                directory = self.study.run_directory(number)
                self._settle(Trial(number, directory.config(), outcome.result))
            elif outcome.elsewhere:
                self._claims.release(number)
                self._elsewhere.add(number)
            else:
                self._give_back(number)
        elif isinstance(error, UserError):
            raise error
        elif isinstance(error, BrokenExecutor | MemoryError | OSError):
            self._retry(number, error)
        else:
            raise error

    def _retry(self, number: int, error: BaseException) -> None:
        """Run a trial again, unchanged, that the machine broke; give up after ``max_retries``."""
        if isinstance(error, BrokenExecutor):
            self._pool.drop()
        self._claims.release(number)
        if self.study.run_directory(number).result() is not None:
            self._take_up(number)  # it had ended; only the news of it was lost
            return
        self._wait_for(number)
        if self.study.run_directory(number).config_path.exists():  # it had been started
            self._attempts[number] = self._attempts.get(number, 0) + 1
        if self._attempts.get(number, 0) > self.study.config.study.max_retries:
            self.report.stopped = (
                f"trial {number} was broken by the machine {self._attempts[number]} times "
                f"({type(error).__name__}: {error})"
            )

    def _account(self) -> None:
        if spans := self.report.spans:
            elapsed = max(end for _, end in spans) - min(start for start, _ in spans)
            self.report.busy = math.fsum(end - start for start, end in spans)
            self.report.idle = max(0.0, elapsed * self.workers - self.report.busy)
