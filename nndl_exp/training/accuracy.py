"""What accuracy means: the fraction of examples that are right, or R² where targets are numbers."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nndl_exp.errors import one_of
from nndl_exp.nn.arrays import Array


@dataclass(frozen=True)
class Measure:
    """Accuracy as a ratio of two sums over the examples: what was got of what there was to get.

    ``got(a, y)`` and ``possible(y)`` are those of a batch of outputs a and targets y, both
    (m, n_out). ``name`` is what a reader calls the accuracy, ``metric`` what it is called as part
    of the name of a metric. ``is_fraction``: whether it is a proportion of examples, which is
    shown in percent and has a binomial (Wilson) interval.
    """

    name: str
    metric: str
    is_fraction: bool
    got: Callable[[Array, Array], float]
    possible: Callable[[Array], float]

    @property
    def scale(self) -> int:
        """The factor by which an accuracy is shown: 100, percent, or 1, R²."""
        return 100 if self.is_fraction else 1

    @property
    def label(self) -> str:
        """What an axis or a column is called, with the unit: accuracy (%), or R²."""
        return f"{self.name} (%)" if self.is_fraction else self.name

    def renamed(self, metric: str) -> str:
        """The name of a metric as it is shown: ``validation_accuracy`` is ``validation_r2``."""
        return metric.replace("accuracy", self.metric)

    def number(self, accuracy: float, digits: int = 1) -> str:
        """An accuracy as a bare number: 94.6 (percent), or 0.946 (R²)."""
        if self.is_fraction:
            return f"{100 * accuracy:.{digits}f}"
        return f"{accuracy:.{digits + 2}f}"

    def text(self, accuracy: float) -> str:
        """An accuracy in words: 94.6 %, near the top 98.35 %, or R² 0.946."""
        if not self.is_fraction:
            return f"{self.name} {self.number(accuracy)}"
        return f"{self.number(accuracy, 1 if accuracy < 0.975 else 2)} %"

    def difference(self, *values: float, form: str = "+.3g") -> str:
        """Differences of accuracies in words: +0.3 to +1.9 points; of R² without a unit."""
        unit = " points" if self.is_fraction else ""
        return " to ".join(f"{self.scale * value:{form}}" for value in values) + unit

    def interval(self, low: float, high: float) -> str:
        """The ends of an interval in words: 94.4 to 96.1 %."""
        return f"{self.number(low)} to {self.number(high)}{' %' * self.is_fraction}"

    def baseline(self, accuracy: float | None) -> str:
        """The accuracy of a constant prediction in words; empty for R², where it is 0."""
        if accuracy is None or not self.is_fraction:
            return ""
        return f"always naming the commonest class: {self.text(accuracy)}"

    def accuracy(self, got: float, possible: float) -> float:
        """The accuracy on a set, from the sums over its examples.

        1 is perfect. For classes 0 is nothing right. For numbers it is R², the coefficient of
        determination: 0 is what always telling the mean of the training targets would give, the
        chance level of numbers, and there is no lower bound (of -3, say, the errors have four times
        the square). Where all targets are the mean, R² is 1 without any error and 0 with some.
        """
        if possible == 0:
            return float(got == 0)
        return got / possible


def _right(a: Array, y: Array) -> float:
    return float((a.argmax(axis=1) == y.argmax(axis=1)).sum())


def _examples(y: Array) -> float:
    return float(len(y))


def _explained(a: Array, y: Array) -> float:
    """Σ ‖y‖² - Σ ‖y - a‖², for targets whose mean over the training rows is 0."""
    return _squares(y) - _squares(y - a)


def _squares(y: Array) -> float:
    return float(np.square(y, dtype=np.float64).sum())


MEASURES = {
    "classes": Measure("accuracy", "accuracy", True, _right, _examples),
    "numbers": Measure("R²", "r2", False, _explained, _squares),
}
"""By what a network tells: one of some classes, or numbers (standardised with the training rows'
mean and deviation, so that their mean is 0)."""


def measure_for(task: str) -> Measure:
    """The measure of a task: "numbers", or "classes" (also by the name "auto").

    Raises:
        UserError: there is no such task.
    """
    return one_of({**MEASURES, "auto": MEASURES["classes"]}, task, "a task")
