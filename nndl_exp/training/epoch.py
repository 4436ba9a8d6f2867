"""What one epoch of training leaves to be looked at."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, overload

JudgedBy = Literal["validation_accuracy", "validation_cost"]
"""What the best epoch is chosen by: the largest accuracy or the smallest cost."""


@dataclass(frozen=True)
class Moment:
    """The network measured inside an epoch.

    ``epoch`` is how many epochs have passed, with a fraction, ``images`` how many training images
    have been seen since the first epoch began.
    """

    epoch: float
    images: int
    training_cost: float
    training_accuracy: float
    validation_cost: float
    validation_accuracy: float


@dataclass(frozen=True)
class LayerMetrics:
    """What shows whether a layer learns, measured on some training images.

    The norms are the lengths of ∂C/∂w, without the regularization term, and of w, all elements
    taken as one vector. ``saturated`` is the fraction of the layer's activations that lie where
    the activation function has less than 5 % of its largest slope: a neuron that sits there hardly
    learns (chapter 3, "The cross-entropy cost function"); for ReLU, where it is off. Outputs whose
    cost cancels the slope are never saturated.
    """

    gradient_norm: float
    weight_norm: float
    saturated: float


@dataclass(frozen=True)
class Epoch:
    """One pass through the training data, measured after its last update.

    Costs include the regularization term; accuracies are fractions between 0 and 1; ``seconds`` is
    the time that training took, without the measuring. ``within`` are the measurements inside the
    epoch, ``layers`` those of each layer at its end, the first hidden layer first; both are empty
    unless they were asked for.
    """

    number: int
    training_cost: float
    training_accuracy: float
    validation_cost: float
    validation_accuracy: float
    eta: float
    seconds: float
    within: tuple[Moment, ...] = ()
    layers: tuple[LayerMetrics, ...] = ()

    @property
    def diverged(self) -> bool:
        """Whether a cost is infinite or not a number: no later epoch can mend that."""
        return not (math.isfinite(self.training_cost) and math.isfinite(self.validation_cost))

    def results(self) -> dict[str, Any]:
        """All that must come out the same when the run is repeated: everything but the time."""
        return {name: value for name, value in asdict(self).items() if name != "seconds"}

    def to_mapping(self) -> dict[str, Any]:
        """The epoch as JSON takes it, without what was not asked for."""
        optional = ("within", "layers")
        return {k: v for k, v in asdict(self).items() if v or k not in optional}

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "Epoch":
        """The inverse of ``to_mapping``.

        Raises:
            TypeError: names are missing or unknown, or a value is no number.
        """
        within = tuple(Moment(**moment) for moment in mapping.get("within", ()))
        layers = tuple(LayerMetrics(**layer) for layer in mapping.get("layers", ()))
        epoch = cls(**{**mapping, "within": within, "layers": layers})
        parts: tuple[Epoch | Moment | LayerMetrics, ...] = (epoch, *within, *layers)
        for part in parts:
            _check_numbers(part)
        return epoch


def _check_numbers(part: Epoch | Moment | LayerMetrics) -> None:
    for name, value in vars(part).items():
        wanted = (int,) if name in ("number", "images") else (int, float)
        if type(value) not in wanted and name not in ("within", "layers"):
            raise TypeError(f"{name} must be a number: got {value!r}")


def score(epoch: Epoch, judged_by: JudgedBy) -> float:
    """How good an epoch is, larger being better; -inf for one that is not a number."""
    value = (
        epoch.validation_accuracy
        if judged_by == "validation_accuracy"
        else (-epoch.validation_cost)
    )
    return -math.inf if math.isnan(value) else value


class History(Sequence[Epoch]):
    """The epochs so far, with what is asked for after each of them.

    ``best`` is the one with the best score of those whose costs are finite, the first of equals;
    None where there is none. ``seconds`` is the time that training took. Both are carried along: to
    look for them in thousands of epochs after each would take longer than to train.
    """

    def __init__(self, judged_by: JudgedBy, epochs: Iterable[Epoch] = ()) -> None:
        self.judged_by = judged_by
        self.best: Epoch | None = None
        self.seconds = 0.0
        self._epochs = list[Epoch]()
        for epoch in epochs:
            self.append(epoch)

    def append(self, epoch: Epoch) -> None:
        """Add the next epoch."""
        self._epochs.append(epoch)
        self.seconds += epoch.seconds
        if not epoch.diverged and (self.best is None or self.score(epoch) > self.score(self.best)):
            self.best = epoch

    def score(self, epoch: Epoch) -> float:
        """How good an epoch is, by what this training is judged by."""
        return score(epoch, self.judged_by)

    @property
    def since_best(self) -> int:
        """How many epochs have passed since the best one."""
        return len(self) - self.best.number if self.best else len(self)

    @overload
    def __getitem__(self, index: int) -> Epoch: ...
    @overload
    def __getitem__(self, index: slice) -> list[Epoch]: ...
    def __getitem__(self, index: int | slice) -> Epoch | list[Epoch]:
        return self._epochs[index]

    def __len__(self) -> int:
        return len(self._epochs)
