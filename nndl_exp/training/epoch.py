"""What one epoch of training leaves to be looked at."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

JudgedBy = Literal["validation_accuracy", "validation_cost"]
"""What the best epoch is chosen by: the largest accuracy or the smallest cost."""


@dataclass(frozen=True)
class Epoch:
    """One pass through the training data, measured after its last update.

    Costs include the regularization term; accuracies are fractions between 0 and 1; ``seconds`` is
    the time that training took, without the measuring.
    """

    number: int
    training_cost: float
    training_accuracy: float
    validation_cost: float
    validation_accuracy: float
    eta: float
    seconds: float

    @property
    def diverged(self) -> bool:
        """Whether a cost is infinite or not a number: no later epoch can mend that."""
        return not (math.isfinite(self.training_cost) and math.isfinite(self.validation_cost))

    def results(self) -> dict[str, float]:
        """All that must come out the same when the run is repeated: everything but the time."""
        return {name: value for name, value in asdict(self).items() if name != "seconds"}


def score(epoch: Epoch, judged_by: JudgedBy) -> float:
    """How good an epoch is, larger being better; -inf for one that is not a number."""
    value = (
        epoch.validation_accuracy
        if judged_by == "validation_accuracy"
        else (-epoch.validation_cost)
    )
    return -math.inf if math.isnan(value) else value


def best_epoch(history: Sequence[Epoch], judged_by: JudgedBy) -> Epoch:
    """The epoch with the best score, the first of those that are equal."""
    return max(history, key=lambda epoch: score(epoch, judged_by))
