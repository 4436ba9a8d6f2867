"""How fast a study goes, and so how long the rest of it will take."""

import time
from collections.abc import Callable

_TRUSTED = 10.0
"""Seconds of measuring that count as much as what was known before."""


class Pace:
    """Amounts of work against seconds, as they pass; ``foretold`` is the work of a second.

    Where a clock ends the study after ``budget`` seconds nothing takes longer than what is left of
    them.
    """

    def __init__(
        self,
        foretold: float | None = None,
        budget: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._foretold, self._budget, self._clock = foretold, budget, clock
        self._start = self._begun = clock()
        self._start_wall = time.time()
        self._before = self._now = 0.0
        self._seconds = 0.0

    def begin(self) -> None:
        """Another part begins: it may go at another speed."""
        self._begun = self._clock()

    def end(self) -> None:
        """The part has ended: until the next one begins no work is done."""
        self._seconds += self.elapsed
        self._before, self._now = self._before + self._now, 0.0

    def add(self, amount: float, ended: float) -> None:
        """So much has been done, by what ended then, in seconds since 1970; what an earlier start
        of the study did says nothing of this one's speed."""
        if ended >= self._start_wall:
            self._now += amount

    @property
    def elapsed(self) -> float:
        """Seconds since this part began."""
        return self._clock() - self._begun

    def seconds(self, amount: float) -> float | None:
        """How long so much takes, at the speed of this part; None where nothing is known yet.

        The less of it there was to measure, the more the parts before tell, and the less of those,
        the more what was foretold.
        """
        speed = _speed(self._before, self._seconds, self._foretold)
        speed = _speed(self._now, self.elapsed, speed)
        if not speed:
            return None
        left = amount / speed
        if self._budget is not None:
            left = min(left, max(0.0, self._start + self._budget - self._clock()))
        return left


def _speed(amount: float, seconds: float, known: float | None) -> float | None:
    if known is None:
        return amount / seconds if amount and seconds else None
    return (amount + known * _TRUSTED) / (seconds + _TRUSTED)
