"""The trials that the workers of one process train, and what becomes of those that break."""

import logging
import math
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import dataclass, field

from nndl_exp.study.executors import LostTrialError, Pool
from nndl_exp.study.trial import Outcome, Task, mark_of, run_trial

_log = logging.getLogger(__name__)
OF_THE_MACHINE = (BrokenExecutor, LostTrialError, MemoryError, OSError)
"""Errors for which a trial is run again, unchanged: its configuration is not to blame."""


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


class Running:
    """Trials that were handed to a pool's workers and have not ended.

    ``spans`` are when a worker began and ended with a trial, in seconds since 1970. ``stuck`` says
    why the machine can't go on, once workers died, or one trial was broken, more than
    ``max_retries`` times. ``say`` gets a line for workers that died without a trial.
    """

    def __init__(self, pool: Pool, max_retries: int, say: Callable[[str], None]) -> None:
        self._pool, self._max_retries, self._say = pool, max_retries, say
        self._futures: dict[Future[Outcome], Task] = {}
        self._attempts: dict[int, int] = {}
        self._broken_starts = 0
        self.spans: list[tuple[float, float]] = []
        self.stuck: str | None = None

    def __len__(self) -> int:
        return len(self._futures)

    def start(self, number: int, task: Callable[[int], Task]) -> bool:
        """Hand a trial over, made by ``task`` when all workers are up; False where they died."""
        try:
            executor, made = self._pool.open(), task(number)
            mark_of(made.directory).unlink(missing_ok=True)  # of a process that was killed
            self._futures[executor.submit(run_trial, made)] = made
            _log.debug("trial %d is handed to the workers", number)
        except BrokenExecutor as e:  # a worker died a moment ago, or while it was starting
            if not self._futures:  # else ``ended`` learns of it from them
                self._pool.drop()
                self._count_broken_start(e)
            return False
        return True

    def _count_broken_start(self, error: BaseException) -> None:
        """Workers died, and no trial is to blame since none had begun."""
        self._broken_starts += 1
        said = f"{type(error).__name__}: {error}"
        if self._broken_starts > self._max_retries:
            self.stuck = f"workers die as they start ({said})"
        else:
            self._say(f"workers died as they started ({said}); others are started")

    def take_back(self, room: int) -> Iterator[int]:
        """Trials that no worker has begun, until no more than ``room`` are left."""
        for future, task in list(self._futures.items()):
            if len(self._futures) > room and future.cancel():
                del self._futures[future]
                yield task.number

    def ended(self, seconds: float | None = None) -> Iterator[tuple[int, Outcome | BaseException]]:
        """Trials that have ended, after waiting so long for one, with what their workers say."""
        done, _ = wait(self._futures, timeout=seconds, return_when=FIRST_COMPLETED)
        deaths = [e for f in done if isinstance(e := f.exception(), BrokenExecutor)]
        if deaths:
            self._pool.drop()
            done, _ = wait(self._futures)  # the others of the pool end with it
            if not any(mark_of(self._futures[future].directory).exists() for future in done):
                self._count_broken_start(deaths[0])
        for future in done:
            number, error = self._futures.pop(future).number, future.exception()
            if error is not None:
                yield number, error
                continue
            outcome, self._broken_starts = future.result(), 0
            _log.debug("trial %d: %s", number, _said(outcome))
            if not outcome.elsewhere:
                self.spans.append((outcome.started, outcome.ended))
            yield number, outcome

    def drain(self) -> None:
        """Wait for all of them; what they say is in their records."""
        list(self.take_back(0))
        wait(self._futures)
        self._futures.clear()

    def breaks(self, number: int, error: BaseException, *, begun: bool) -> str:
        """Count a trial that the machine broke, if it had begun; a line that says so."""
        times = self._attempts[number] = self._attempts.get(number, 0) + begun
        said = f"{type(error).__name__}: {error}"
        _log.debug("trial %d: broken by the machine, time %d (%s)", number, times, said)
        if times > self._max_retries:
            self.stuck = f"trial {number} was broken by the machine {times} times ({said})"
            return self.stuck
        return f"trial {number} was broken by the machine ({said}); it is run again"

    def account(self, report: Report, workers: int) -> None:
        """Put down for how many seconds the workers trained and waited."""
        report.spans = self.spans
        if not self.spans:
            return
        # A clock that was set back makes nonsense of a span, but no negative one.
        report.busy = math.fsum(max(0.0, end - start) for start, end in self.spans)
        elapsed = max(end for _, end in self.spans) - min(start for start, _ in self.spans)
        report.idle = max(0.0, elapsed * workers - report.busy)


def _said(outcome: Outcome) -> str:
    if outcome.elsewhere:
        return "another process trains it"
    how = outcome.result.state if outcome.result else "suspended"
    return f"{how} after {outcome.ended - outcome.started:.2f} s on its worker"
