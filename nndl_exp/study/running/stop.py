"""Stopping a study between two epochs: by Ctrl-C, SIGTERM or the clock."""

import signal
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from nndl_exp.interrupts import Deferred


class Stop:
    """A flag in the search's folder that workers on any machine look at after each epoch.

    As a context it sets the flag on the first Ctrl-C or SIGTERM, and calls ``on_signal``, both in a
    thread. On a second one the process ends at once, as if it had been killed: that loses nothing
    either.
    """

    def __init__(self, folder: Path, budget: float | None, on_signal: Callable[[], None]) -> None:
        for stale in folder.glob(".stop-*"):
            stale.unlink(missing_ok=True)
        self.flag = folder / f".stop-{uuid.uuid4().hex}"
        self.deadline = float("inf")
        self._budget, self._end = budget, float("inf")
        self._on_signal = on_signal
        self._signals = Deferred(self._signalled)

    def __enter__(self) -> "Stop":
        self._signals.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._signals.__exit__(*exception)
        for flag in self.flag.parent.glob(f"{self.flag.name}*"):
            flag.unlink(missing_ok=True)

    @property
    def signal(self) -> int | None:
        """The signal that came."""
        return self._signals.signal

    @property
    def requested(self) -> bool:
        """Whether no further trial may start."""
        # The clock may be set back: then workers learn from the flag that the time is up.
        up = time.monotonic() >= self._end or time.time() >= self.deadline
        return self.signal is not None or up

    def start_clock(self) -> None:
        """Count the budget from now, when the first worker is up, unless it runs already."""
        if self._budget is not None and self.deadline == float("inf"):
            self.deadline = time.time() + self._budget
            self._end = time.monotonic() + self._budget

    def flag_of(self, number: int) -> Path:
        """The flag that stops one trial."""
        return self.flag.with_name(f"{self.flag.name}-{number}")

    def request(self, number: int | None = None) -> None:
        """Ask all running trials, or one of them, to stop after their epoch."""
        (self.flag if number is None else self.flag_of(number)).touch()

    def withdraw(self, number: int) -> None:
        """Let a trial run that was asked to stop."""
        self.flag_of(number).unlink(missing_ok=True)

    def raise_again(self) -> None:
        """Deliver the signal, if one came, to whom it would have gone without this context.

        Raises:
            KeyboardInterrupt: it was an interrupt.
        """
        if self.signal is not None:
            signal.raise_signal(self.signal)
        if self.signal == signal.SIGINT:  # and its handler has returned
            raise KeyboardInterrupt

    def _signalled(self) -> None:
        self.flag.touch()
        self._on_signal()
