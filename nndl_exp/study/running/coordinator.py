"""Running a search: propose, claim, train, read the result, until the count or the clock ends it.

Any number of processes may do so at once. A proposal is a function of finished trials, so it does
not matter whose is recorded; a trial is trained by whoever claimed it, and its folder tells the
others how it ended.
"""

import logging
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor

from nndl_exp.config import RunConfig
from nndl_exp.database import DatabaseGoneError
from nndl_exp.errors import UserError
from nndl_exp.fast.blas import blas_threads
from nndl_exp.study import executors
from nndl_exp.study.running.claims import Claims
from nndl_exp.study.running.stop import Ended, Report, Stop
from nndl_exp.study.running.trials import Slot, Status, Trials
from nndl_exp.study.running.workers import OF_THE_MACHINE, Workers
from nndl_exp.study.search import Search, Trial
from nndl_exp.study.trial import Original, Outcome, Task, mark_of

_log = logging.getLogger(__name__)
_SECONDS_BETWEEN_LOOKS = 0.2


class Coordinator:
    """Runs a search to its end, or to where it is stopped, alone or with other processes.

    ``earlier`` are runs that completed before, which are not trained again. ``budget`` is what it
    may take, in seconds. Iterating yields every finished trial in the order of the numbers, those
    of earlier starts first, so that what is shown does not depend on which worker was faster.
    ``slots`` are the trials that there are so far; it grows. ``say`` gets a line for what else is
    to be known; ``report`` is how it goes.
    """

    def __init__(
        self,
        search: Search,
        pool: executors.Pool | None = None,
        earlier: Mapping[RunConfig, Original] | None = None,
        budget: float | None = None,
    ) -> None:
        config = search.config
        self.search = search
        self.report = Report(executors.workers_of(config))
        self.say: Callable[[str], None] = lambda line: None
        self._stop = Stop(search.directory, budget, self.report, self._stopping)
        self._own_pool = pool is None
        self._pool = pool or executors.pool_of(config)
        self._proposer = search.proposer()
        self._trials = Trials(search, earlier or {})
        self.slots: Sequence[Slot] = self._trials.slots
        retries = config.study.max_retries
        self._workers = Workers(self._pool, retries, self._stop, lambda line: self.say(line))
        self._looked = 0.0

    def __iter__(self) -> Iterator[Trial]:
        self.search.create()
        self._claims = Claims(
            self.search,
            lambda: self._trials.having(Status.RUNNING),
            self._lose,
            lambda line: self.say(line),
        )
        try:
            with self._stop, blas_threads(1), self._claims:
                yield from self._run()
        finally:
            if self._own_pool:
                self._pool.close()

    def raise_what_stopped(self) -> None:
        """Raise what ended the iteration early, for a caller that does not read ``report``.

        Raises:
            KeyboardInterrupt: it was an interrupt.
            UserError: workers died again and again, or the database or the disk failed.
        """
        if self.report.signal is not None:
            signal.raise_signal(self.report.signal)
        if self.report.signal == signal.SIGINT:  # and its handler has returned
            raise KeyboardInterrupt
        if self.report.ended is Ended.STUCK:
            raise UserError(f"{self.search.name} has stopped: {self.report.why}")

    def _stopping(self) -> None:
        self._claims.wait_no_more()
        self.say("stopping after the epochs that run ...")

    def _run(self) -> Iterator[Trial]:
        try:
            self._trials.adopt()
            yield from self._trials.fresh()
            while self._advance():
                yield from self._trials.fresh()
        except DatabaseGoneError as e:
            self._stop.end(Ended.STUCK, str(e))
            self._workers.drain()

    def _advance(self) -> bool:
        """One round: propose, submit, wait for a trial to end. False when nothing is left to do."""
        self._look()
        self._propose()
        self._submit()
        self._wait()
        trials, stop = self._trials, self._stop
        self._claims.keep(trials.having(Status.RUNNING))
        stop.look()
        if trials.hopeless:
            stop.end(Ended.HOPELESS, trials.hopeless)
        if trials.are_complete:
            stop.end(Ended.COMPLETE)
        return bool(self._workers or trials.has_fresh or self.report.ended is None)

    def _look(self) -> None:
        """Take up what other processes have proposed, finished or left."""
        trials = self._trials
        quiet = self._claims.alone and not trials.having(Status.ELSEWHERE)
        if quiet or time.monotonic() - self._looked < _SECONDS_BETWEEN_LOOKS:
            return
        self._looked = time.monotonic()
        trials.adopt()
        for number in trials.having(Status.PROPOSED, Status.ELSEWHERE):
            trials.read_result(number)
        elsewhere = trials.having(Status.ELSEWHERE)
        for number in filter(self._workers.__contains__, elsewhere):
            self._stop.flag_of(number).touch()  # its claim was lost, perhaps its flag, too
        for number in self._claims.free(elsewhere):
            trials.slots[number].status = Status.PROPOSED

    def _propose(self) -> None:
        trials, search = self._trials, self.search
        while trials.may_grow and not self.report.ended:
            if trials.adopt():
                continue
            if len(self._proposer) < len(trials.slots):
                self._proposer.restore([slot.proposal for slot in trials.slots], trials.settled)
            proposal = self._proposer.ask(trials.settled)
            try:
                if search.record(proposal):
                    _log.debug("trial %d is proposed: %s", proposal.number, proposal.params)
                    trials.add(proposal)
                else:  # another process proposes otherwise: what is recorded decides
                    self._proposer = search.proposer()
            except OSError as e:
                self._stop.end(Ended.STUCK, str(e))

    def _submit(self) -> None:
        trials, lag = self._trials, self.search.lag
        # Alone it may claim all that the lag allows, so that no worker waits for this process.
        workers = self.report.workers
        room = workers + (lag if self._claims.alone else 1) if workers > 1 else 1
        for number in self._workers.take_back(room):  # others could begin them
            _log.debug("trial %d is given back", number)
            trials.slots[number].status = Status.PROPOSED
        # Where an early record was lost, trials that may look at it wait until it is there again.
        visible = min(len(trials.settled) + lag, trials.total)
        for number in trials.having(Status.PROPOSED):
            if self.report.ended or len(self._workers) >= room or number >= visible:
                return
            if number not in self._workers and not self._start(number):
                return

    def _start(self, number: int) -> bool:
        """Claim a trial and hand it to the workers; returns False if they have died."""
        slot = self._trials.slots[number]
        if not self._claims.take(number):
            _log.debug("trial %d is claimed by another process", number)
            slot.status = Status.ELSEWHERE
            return True
        slot.status = Status.RUNNING
        if self._trials.read_result(number):  # another process finished it a moment ago
            return True
        if self._workers.start(number, self._task):
            _log.debug("trial %d is claimed, and handed to the workers", number)
            return True
        slot.status = Status.PROPOSED
        return False

    def _task(self, number: int) -> Task:
        self._stop.start_clock()  # the workers are up
        self._stop.flag_of(number).unlink(missing_ok=True)
        pruning, trials = self.search.pruning, self._trials
        return Task(
            number=number,
            config=trials.slots[number].config,
            data=self.search.dataset.sha256,
            directory=self.search.run_directory(number).path.resolve(),
            pruning=pruning,
            settled=tuple(trials.settled[: self.search.visible(number)]) if pruning else (),
            same_as=trials.original(number),
            stop_flag=self._stop.flag.resolve(),
            lost_flag=self._stop.flag_of(number).resolve(),
            deadline=self._stop.deadline,
        )

    def _lose(self, number: int) -> None:
        """Stop training a trial that another process has claimed since: this one was silent."""
        self._trials.slots[number].status = Status.ELSEWHERE
        self._stop.flag_of(number).touch()

    def _wait(self) -> None:
        """Until a trial of this process ends; for a moment where others may give it work."""
        if self._trials.has_fresh:
            return
        if self._workers:
            for number, outcome in self._workers.ended(_SECONDS_BETWEEN_LOOKS):
                self._collect(number, outcome)
        elif self._trials.having(Status.ELSEWHERE) and not self.report.ended:
            time.sleep(_SECONDS_BETWEEN_LOOKS)

    def _collect(self, number: int, outcome: Outcome | BaseException) -> None:
        slot = self._trials.slots[number]
        if isinstance(outcome, OF_THE_MACHINE):
            self._retry(number, outcome)
            return
        if isinstance(outcome, BaseException):
            raise outcome
        if not outcome.elsewhere:
            self.report.spans.append((outcome.started, outcome.ended))
        if outcome.result is not None:
            self._trials.finish(number, outcome.result)
        elif slot.status is Status.RUNNING:
            slot.status = Status.ELSEWHERE if outcome.elsewhere else Status.PROPOSED

    def _retry(self, number: int, error: BaseException) -> None:
        """Run a trial again, unchanged, that the machine broke; give up after ``max_retries``."""
        # A worker that dies takes trials with it that wait for it: they are not to blame.
        mark = mark_of(self.search.run_directory(number).path)
        begun = mark.exists() or not isinstance(error, BrokenExecutor)
        if self._trials.read_result(number):
            return  # only the news of it was lost
        slot, said = self._trials.slots[number], f"{type(error).__name__}: {error}"
        slot.attempts, slot.status = slot.attempts + begun, Status.PROPOSED
        _log.debug("trial %d: broken by the machine, time %d (%s)", number, slot.attempts, said)
        if slot.attempts > self.search.config.study.max_retries:
            why = f"trial {number} was broken by the machine {slot.attempts} times ({said})"
            self._stop.end(Ended.STUCK, why)
        elif begun and not self.report.ended:
            self.say(f"trial {number} was broken by the machine ({said}); it is run again")
