"""Leading a study: propose, hand to workers, settle, and again, until the count or the clock."""

import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import dataclass, field, replace

from filelock import Timeout

from nndl_exp import config as cfg
from nndl_exp.config import RunConfig
from nndl_exp.errors import UserError
from nndl_exp.nn.blas import blas_threads
from nndl_exp.study import executors
from nndl_exp.study.stop import Stop
from nndl_exp.study.storage import Storage
from nndl_exp.study.study import Study, Trial
from nndl_exp.study.trial import Original, Outcome, Task, run_trial
from nndl_exp.study.view import Proposal, Settled


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
    """Leads a study to its end, or to where it is stopped.

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
        kind = study.config.executor.name
        self.workers = executors.count(study.config.workers, kind)
        self._pool = pool or executors.Pool(kind, self.workers)
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
        self._ended: dict[int, Trial] = {}
        self._running: dict[Future[Outcome], int] = {}
        self._attempts: dict[int, int] = {}
        self._broken_starts = 0

    def __iter__(self) -> Iterator[Trial]:
        study = self.study
        study.create()
        try:
            with study.lock():
                budget = study.config.study.budget
                seconds = cfg.seconds(budget) if budget else None
                stop = Stop(study.directory, seconds, lambda: self.on_stop())
                with stop as self._stop, blas_threads(1):
                    yield from self._lead()
        except Timeout:
            raise UserError(
                f"the study {study.name} is being run by another process; wait for it to end, or "
                "stop it with Ctrl-C"
            ) from None

    def _lead(self) -> Iterator[Trial]:
        storage = Storage(self._storage_url, self.study.name, self.study.directions)
        self._storage = storage
        try:
            self._restore()
            yield from self._settled_now()
            while self._advance():
                yield from self._settled_now()
        finally:
            for number in self._running.values():
                storage.release(number)
            if self._own_pool:
                self._pool.close()
            storage.close()
            self._account()

    def _restore(self) -> None:
        """Take up what earlier starts left: Optuna's trials and the run directories."""
        self._storage.release_all()
        self._proposals = self._storage.proposals()
        for proposal in self._proposals:
            self._take_up(proposal.number)
        self.report.resumed = len(self._ended)
        self._fresh = self._advance_prefix()

    def _take_up(self, number: int) -> None:
        """Settle a trial from its record if it has one, else put it on the list of those to run."""
        directory = self.study.run_directory(number)
        result = directory.result()
        if result is None:
            self._waiting.append(number)
        else:
            self._settle(Trial(number, directory.config(), result))

    def _settle(self, trial: Trial) -> None:
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
        self._propose()
        self._submit()
        if self._running:
            done, _ = wait(self._running, timeout=1.0, return_when=FIRST_COMPLETED)
            for future in done:
                self._collect(future)
        self._fresh += self._advance_prefix()
        if self.report.stopped is None and self._stop.requested:
            by_signal = self._stop.signal is not None
            self.report.stopped = "stopped" if by_signal else "the time is up"
        if self.report.stopped and not self._stop.flag.exists():
            self._stop.request()
        finished = len(self._settled) >= self.study.total(len(self._settled))
        return bool(self._running or self._fresh) or not (self.report.stopped or finished)

    def _propose(self) -> None:
        lag = self.study.plan.lag
        while (
            not self.report.stopped
            and len(self._proposals) < self.study.total(len(self._settled))
            and len(self._settled) > len(self._proposals) - lag
        ):
            if not len(self._view):
                self._view.restore(self._proposals, self._settled)
            proposal = self._view.ask(self._settled)
            self._storage.add(proposal, self._view.space.distributions)
            self._proposals.append(proposal)
            self._take_up(proposal.number)
            self._fresh += self._advance_prefix()

    def _submit(self) -> None:
        # All that the lag allows, so that no worker waits while this process is busy.
        several = self.workers > 1 and not self.study.one_at_a_time
        room = self.workers + self.study.plan.lag if several else 1
        # Where an early record was lost, trials that may look at it wait until it is there again.
        visible = len(self._settled) + self.study.plan.lag
        while self._waiting and len(self._running) < room and not self.report.stopped:
            if self._waiting[0] >= visible:
                return
            number = self._waiting.pop(0)
            if self._storage.claim(number):
                self._start(number)

    def _start(self, number: int) -> None:
        try:
            executor = self._pool.open()
            self._stop.start_clock()  # before the task is made
            self._running[executor.submit(run_trial, self._task(number))] = number
        except BrokenExecutor as e:  # a worker died a moment ago, or while it was starting
            self._storage.release(number)
            self._waiting.insert(0, number)
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
            directory=self.study.run_directory(number).path,
            plan=replace(self.study.plan, known=()),  # a worker prunes, and does not propose
            settled=tuple(self._settled[:visible]),
            same_as=self._original(config, visible),
            stop_flag=self._stop.flag,
            deadline=self._stop.deadline,
        )

    def _original(self, config: RunConfig, visible: int) -> Original | None:
        """The first run that completed with a config: of those before, or of the first trials."""
        # Later trials may have settled by now, or not: that depends on who was faster.
        if (number := self._first.get(config, visible)) < visible:
            return Original(self.study.run_directory(number).path, f"trial {number}")
        return self._earlier.get(config)

    def _collect(self, future: "Future[Outcome]") -> None:
        number = self._running.pop(future)
        error = future.exception()
        if error is None:
            outcome, self._broken_starts = future.result(), 0
            self.report.spans.append((outcome.started, outcome.ended))
            if outcome.result is not None:
                directory = self.study.run_directory(number)
                self._settle(Trial(number, directory.config(), outcome.result))
                return
            self._storage.release(number)
            self._waiting.insert(0, number)
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
        self._storage.release(number)
        if self.study.run_directory(number).result() is not None:
            self._take_up(number)  # it had ended; only the news of it was lost
            return
        self._waiting.insert(0, number)
        self._waiting.sort()
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
