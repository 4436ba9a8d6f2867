"""The trials that the workers of one process train."""

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait

from nndl_exp.errors import LostTrialError
from nndl_exp.study.executors import Pool
from nndl_exp.study.running.stop import Ended, Stop
from nndl_exp.study.trial import Outcome, Task, mark_of, run_trial

OF_THE_MACHINE = (BrokenExecutor, LostTrialError, MemoryError, OSError)
"""Errors for which a trial is run again, unchanged: its configuration is not to blame."""


class Workers:
    """Trials that were handed to a pool's workers and have not ended.

    Where workers died as they started more than ``max_retries`` times, ``stop`` ends the search;
    ``say`` gets a line each time before.
    """

    def __init__(
        self, pool: Pool, max_retries: int, stop: Stop, say: Callable[[str], None]
    ) -> None:
        self._pool, self._max_retries, self._stop, self._say = pool, max_retries, stop, say
        self._tasks: dict[Future[Outcome], Task] = {}
        self._broken_starts = 0

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, number: int) -> bool:
        return any(task.number == number for task in self._tasks.values())

    def start(self, number: int, task: Callable[[int], Task]) -> bool:
        """Submit a trial, made by ``task`` when all workers are up; False if they have died."""
        try:
            executor, made = self._pool.open(), task(number)
            mark_of(made.directory).unlink(missing_ok=True)  # of a process that was killed
            self._tasks[executor.submit(run_trial, made)] = made
        except BrokenExecutor as e:  # a worker died a moment ago, or while it was starting
            if not self._tasks:  # else ``ended`` learns of it from them
                self._pool.drop()
                self._count_broken_start(e)
            return False
        return True

    def _count_broken_start(self, error: BaseException) -> None:
        """Workers died, and no trial is to blame since none had begun."""
        self._broken_starts += 1
        said = f"{type(error).__name__}: {error}"
        if self._broken_starts > self._max_retries:
            self._stop.end(Ended.STUCK, f"workers die as they start ({said})")
        else:
            self._say(f"workers died as they started ({said}); others are started")

    def take_back(self, room: int) -> Iterator[int]:
        """Trials that no worker has begun, until no more than ``room`` are left."""
        for future, task in list(self._tasks.items()):
            if len(self._tasks) > room and future.cancel():
                del self._tasks[future]
                yield task.number

    def ended(self, seconds: float) -> Iterator[tuple[int, Outcome | BaseException]]:
        """Trials that have ended, after waiting so long for one, with what their workers say."""
        done, _ = wait(self._tasks, timeout=seconds, return_when=FIRST_COMPLETED)
        deaths = [e for f in done if isinstance(e := f.exception(), BrokenExecutor)]
        if deaths:
            self._pool.drop()
            done, _ = wait(self._tasks)  # the others of the pool end with it
            if not any(mark_of(self._tasks[future].directory).exists() for future in done):
                self._count_broken_start(deaths[0])
        for future in done:
            number, error = self._tasks.pop(future).number, future.exception()
            if error is not None:
                yield number, error
                continue
            self._broken_starts = 0
            yield number, future.result()

    def drain(self) -> None:
        """Wait for all of them; what they say is in their records."""
        list(self.take_back(0))
        wait(self._tasks)
        self._tasks.clear()
