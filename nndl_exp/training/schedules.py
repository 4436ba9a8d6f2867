"""The learning rate of the next epoch, as a function of the history.

A schedule takes the epochs so far and the first learning rate; it returns the next epoch's, or
None when it has come to its end, and training with it.
"""

from collections.abc import Callable

from nndl_exp.training.epoch import History

Schedule = Callable[[History, float], float | None]
_ROUNDING = 1e-9
"""What repeated divisions may be off by, relative to the result."""


def constant(history: History, eta: float) -> float | None:
    """The same η in every epoch."""
    return eta


def plateau(n: int, factor: float, end: float) -> Schedule:
    """Divide η by ``factor`` when the best epoch lies n epochs back; end where it would become less
    than η/``end``.

    Chapter 3, "Learning rate schedule", and its exercise: halve on no-improvement-in-10, end at
    1/128. After a division the next one is n epochs away at least.
    """

    def schedule(history: History, eta: float) -> float | None:
        if not history:
            return eta
        now = history[-1].eta
        is_new = len(history) < n or any(epoch.eta != now for epoch in history[-n:])
        if is_new or history.since_best < n:
            return now
        return now / factor if now / factor >= eta / end * (1 - _ROUNDING) else None

    return schedule


def step(every: int, factor: float) -> Schedule:
    """Divide η by ``factor`` after each ``every`` epochs."""
    return lambda history, eta: eta * factor ** -(len(history) // every)


SCHEDULES: dict[str, Callable[[int, float, float], Schedule]] = {
    "constant": lambda n, factor, end: constant,
    "plateau": plateau,
    "step": lambda n, factor, end: step(n, factor),
    "exponential": lambda n, factor, end: step(1, factor),
}
"""A schedule for ``n`` epochs, a ``factor``, and the ratio ``end`` at which it ends."""
