"""The learning rate of the next epoch, as a function of the history.

A schedule takes the epochs so far and the first learning rate; it returns the next epoch's, or
None when it has come to its end, and training with it.
"""

from collections.abc import Callable, Sequence

from nndl_exp.training.epoch import Epoch, JudgedBy, best_epoch

Schedule = Callable[[Sequence[Epoch], float], float | None]


def constant(history: Sequence[Epoch], eta: float) -> float | None:
    """The same η in every epoch."""
    return eta


def plateau(n: int, factor: float, end: float, judged_by: JudgedBy) -> Schedule:
    """Divide η by ``factor`` when the best epoch lies n epochs back, until it is η/``end``.

    Chapter 3, "Learning rate schedule", and its exercise: halve on no-improvement-in-10, end at
    1/128. After a division the next one is n epochs away at least.
    """

    def schedule(history: Sequence[Epoch], eta: float) -> float | None:
        if not history:
            return eta
        now = history[-1].eta
        since_change = next(
            (i for i, epoch in enumerate(reversed(history)) if epoch.eta != now), len(history)
        )
        since_best = history[-1].number - best_epoch(history, judged_by).number
        if min(since_change, since_best) < n:
            return now
        # A half-way factor allows for the rounding of repeated divisions.
        return now / factor if now / factor > eta / (end * factor**0.5) else None

    return schedule


def step(every: int, factor: float) -> Schedule:
    """Divide η by ``factor`` after each ``every`` epochs."""
    return lambda history, eta: eta / factor ** (len(history) // every)


def exponential(factor: float) -> Schedule:
    """Divide η by ``factor`` after each epoch."""
    return step(1, factor)


SCHEDULES: dict[str, Callable[[int, float, float, JudgedBy], Schedule]] = {
    "constant": lambda n, factor, end, judged_by: constant,
    "plateau": plateau,
    "step": lambda n, factor, end, judged_by: step(n, factor),
    "exponential": lambda n, factor, end, judged_by: exponential(factor),
}
"""A schedule for ``n`` epochs, a ``factor``, and the ratio ``end`` at which it ends."""
