"""How one start of a search ends: by Ctrl-C, SIGTERM, the clock, or what its trials came to."""

import math
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from nndl_exp.interrupts import Deferred


class Ended(Enum):
    """What ended a start of a search."""

    COMPLETE = "complete"
    TIME_IS_UP = "the time is up"
    STOPPED = "interrupted"
    """By a signal."""
    HOPELESS = "hopeless"
    """The first trials all failed."""
    STUCK = "stuck"
    """The machine can not go on: its workers, its disk or the database."""


@dataclass
class Report:
    """How one start of a search goes, with so many workers.

    ``why`` is what is displayed unless the search is complete, ``signal`` the one that stopped it.
    ``spans`` are when a worker began and ended with a trial, in seconds since 1970.
    """

    workers: int
    ended: Ended | None = None
    why: str | None = None
    signal: int | None = None
    spans: list[tuple[float, float]] = field(default_factory=list)

    @property
    def busy(self) -> float:
        """The seconds that workers trained."""
        # A clock that was set back makes nonsense of a span, but no negative one.
        return math.fsum(max(0.0, end - start) for start, end in self.spans)

    @property
    def idle(self) -> float:
        """The seconds that workers waited, from the first trial's start to the last one's end."""
        if not self.spans:
            return 0.0
        elapsed = max(end for _, end in self.spans) - min(start for start, _ in self.spans)
        return max(0.0, elapsed * self.workers - self.busy)


class Stop:
    """A flag in the search's folder that workers on any machine look at after each epoch.

    As a context it sets the flag on the first Ctrl-C or SIGTERM, and calls ``on_signal``, both in a
    thread. On a second one the process ends at once, as if it had been killed: that loses nothing
    either. What ended the search is kept in ``report``.
    """

    def __init__(
        self, folder: Path, budget: float | None, report: Report, on_signal: Callable[[], None]
    ) -> None:
        self.flag = folder / f".stop-{uuid.uuid4().hex}"
        self.deadline = float("inf")
        self._budget, self._end = budget, float("inf")
        self._report, self._on_signal = report, on_signal
        self._signals = Deferred(self._signalled)

    def __enter__(self) -> "Stop":
        self._remove(".stop-*")  # those of processes that were killed
        self._signals.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._signals.__exit__(*exception)
        self._remove(f"{self.flag.name}*")

    def end(self, how: Ended, why: str | None = None) -> None:
        """Let no further trial start, and stop those that run; the first reason is kept."""
        if self._report.ended is None:
            self._report.ended, self._report.why = how, why
        if how is not Ended.COMPLETE:
            self.flag.touch()

    def look(self) -> None:
        """End the search if a signal came or the time is up."""
        # The clock may be set back: then workers learn from the flag that the time is up.
        if self._signals.signal is not None:
            self.end(Ended.STOPPED, Ended.STOPPED.value)
        elif time.monotonic() >= self._end or time.time() >= self.deadline:
            self.end(Ended.TIME_IS_UP, Ended.TIME_IS_UP.value)
        elif self._report.ended not in (None, Ended.COMPLETE):
            self.flag.touch()  # a process that came may have taken it for an old one

    def start_clock(self) -> None:
        """Count the budget from now, when the first worker is up, unless it runs already."""
        if self._budget is not None and self.deadline == float("inf"):
            self.deadline = time.time() + self._budget
            self._end = time.monotonic() + self._budget

    def flag_of(self, number: int) -> Path:
        """The flag that stops one trial after its epoch, while it is there."""
        return self.flag.with_name(f"{self.flag.name}-{number}")

    def _remove(self, pattern: str) -> None:
        for flag in self.flag.parent.glob(pattern):
            flag.unlink(missing_ok=True)

    def _signalled(self) -> None:
        self._report.signal = self._signals.signal
        self.flag.touch()
        self._on_signal()
