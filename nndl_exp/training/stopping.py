"""When to stop early, as a function of the history (chapter 3, "Use early stopping")."""

from collections.abc import Callable

from nndl_exp.training.accuracy import MEASURES, Measure
from nndl_exp.training.epoch import History

Stopping = Callable[[History], str | None]
"""Given all epochs so far, the reason to stop now, or None."""


def never(history: History) -> str | None:
    """Train all epochs, so that overfitting shows."""
    return None


def no_improvement(n: int) -> Stopping:
    """Stop when the best epoch lies n epochs back: "no-improvement-in-n"."""

    return lambda history: f"no improvement in {n} epochs" if history.since_best >= n else None


def average_gain(n: int, gain: float) -> Stopping:
    """Stop when the last n epochs gained less than ``gain`` each, on average.

    Unlike no-improvement-in-n it ends a run that still creeps upwards, and does not hang on one
    lucky epoch (the exercise that asks for another rule).
    """

    def rule(history: History) -> str | None:
        if len(history) <= n:
            return None
        gained = history.score(history[-1]) - history.score(history[-1 - n])
        return f"average gain below {gain:g} in {n} epochs" if gained < gain * n else None

    return rule


def target(accuracy: float, measure: Measure = MEASURES["classes"]) -> Stopping:
    """Stop when the validation accuracy, a fraction, has been reached."""
    amount = f"{100 * accuracy:g} %" if measure.is_fraction else f"{accuracy:g}"
    return lambda history: (
        f"{measure.name} {amount} reached" if history[-1].validation_accuracy >= accuracy else None
    )


def seconds(limit: float) -> Stopping:
    """Stop when training has taken so many seconds; where it stops depends on the machine."""
    return lambda history: f"{limit:g} seconds of training" if history.seconds >= limit else None


def first_of(*rules: Stopping) -> Stopping:
    """The reason of the first rule that has one."""
    return lambda history: next((r for rule in rules if (r := rule(history))), None)


STOPPING: dict[str, Callable[[int, float], Stopping]] = {
    "none": lambda n, gain: never,
    "no_improvement": lambda n, gain: no_improvement(n),
    "average_gain": average_gain,
}
"""A rule for ``n`` epochs and a ``gain`` an epoch."""
