"""How one start of a search went."""

import math
from dataclasses import dataclass, field
from enum import Enum


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
    """How one start of a search went; complete once its iterator has ended.

    ``why`` is what is displayed unless the search is complete, ``signal`` the one that stopped it,
    ``resumed`` how many trials were finished at the start. ``spans`` are when a worker began and
    ended with a trial, in seconds since 1970; ``busy`` and ``idle`` are the seconds that workers
    trained and waited, from the first trial's start to the last one's end.
    """

    ended: Ended | None = None
    why: str | None = None
    signal: int | None = None
    resumed: int = 0
    busy: float = 0.0
    idle: float = 0.0
    spans: list[tuple[float, float]] = field(default_factory=list)

    def end(self, how: Ended, why: str | None = None) -> None:
        """Keep what ended the search; the first reason counts."""
        if self.ended is None:
            self.ended, self.why = how, why

    def account(self, workers: int) -> None:
        """Sum up how long the workers trained and waited."""
        if not self.spans:
            return
        # A clock that was set back makes nonsense of a span, but no negative one.
        self.busy = math.fsum(max(0.0, end - start) for start, end in self.spans)
        elapsed = max(end for _, end in self.spans) - min(start for start, _ in self.spans)
        self.idle = max(0.0, elapsed * workers - self.busy)
