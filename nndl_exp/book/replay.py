"""The curves of chapter 3's figures, as the book's own programs wrote them, to the last digit.

The book's random numbers are given to the same core that everything else is trained with; only the
arguments differ. What a figure's program did not measure is left empty, as in its file. Costs on
the evaluated set have λ divided by the size of that set, which is what the book's program did.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from nndl_exp.book.streams import Orders, Values
from nndl_exp.datasets import load_dataset
from nndl_exp.nn import Network
from nndl_exp.training import Settings, evaluate, train
from nndl_exp.training.loop import Examples

Curves = list[list[float]]
"""Evaluated cost, evaluated accuracy as a count, training cost, training accuracy as a count."""

COST = "cross_entropy"
SIZES = (100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)
"""Of the training set in more_data."""
ETAS = (0.025, 0.25, 2.5)
_NOTHING = 10
"""So many images are measured where a figure shows nothing."""


@cache
def examples(which: str, n: int | None = None) -> Examples:
    """The first n examples of the full digits' training, validation or test set, in float64."""
    data = load_dataset("mnist", test=True)
    part = getattr(data, which)
    x, y = part.examples(data.n_out)
    return x[:n].astype(np.float64), y[:n].astype(np.float64)


def curves(
    network: Network,
    training: Examples,
    evaluation: Examples,
    order: Orders,
    *,
    eta: float,
    lmbda: float,
    epochs: int,
    monitor_training: bool = True,
) -> Curves:
    """Train, and measure after each epoch what the book's program could."""
    found: Curves = [[], [], [], []]
    n, n_evaluated = len(training[0]), len(evaluation[0])
    settings = Settings(eta=eta, lmbda=lmbda, epochs=epochs, mini_batch_size=10,
                        monitor_size=None if monitor_training else _NOTHING)  # fmt: skip
    for epoch in train(network, training, evaluation, settings, streams=order):
        penalty = 0.5 * lmbda * sum(float((w * w).sum()) for w in network.weights)
        found[0].append(epoch.validation_cost - penalty / n + penalty / n_evaluated)
        found[1].append(round(epoch.validation_accuracy * n_evaluated))
        found[2].append(epoch.training_cost)
        found[3].append(round(epoch.training_accuracy * n))
    return found


def overfitting(lmbda: float = 0.0, n: int = 1000, epochs: int = 400) -> Curves:
    """The four curves of the first n images, judged by the test set."""
    network = Values().switched((784, 30, 10), COST)
    training, test = examples("training", n), examples("test")
    return curves(network, training, test, Orders(), eta=0.5, lmbda=lmbda, epochs=epochs)


def multiple_eta(epochs: int = 30) -> list[Curves]:
    """The training cost for each of ``ETAS``, one after another from the same random numbers."""
    values, order, found = Values(), Orders(), []
    for eta in ETAS:
        network = values.default((784, 30, 10), COST)
        nothing = examples("validation", _NOTHING)
        cost = curves(
            network, examples("training"), nothing, order, eta=eta, lmbda=5.0, epochs=epochs
        )[2]
        found.append([[], [], cost, []])
    return found


def weight_initialization(hidden: int, epochs: int = 30) -> dict[str, Curves]:
    """The validation accuracy with default and with large initial weights."""
    values, order, found = Values(), Orders(), {}
    sizes = (784, hidden, 10)
    # One network, which is switched to large weights when it has been trained.
    for initializer, draw in (("default", values.default), ("large", values.large)):
        network = draw(sizes, COST)
        accuracy = curves(
            network, examples("training"), examples("validation"), order,
            eta=0.1, lmbda=5.0, epochs=epochs, monitor_training=False,
        )[1]  # fmt: skip
        found[f"{initializer}_weight_initialization"] = [[], accuracy, [], []]
    return found


def more_data(images: int = 1_500_000) -> list[float]:
    """The validation accuracy, in percent, after training on more and more images.

    Every size is trained until ``images`` have been seen, with lmbda in proportion to it.
    """
    values, order, found = Values(), Orders(), []
    values.default((784, 30, 10), COST)  # drawn, and not used
    nothing = examples("validation", _NOTHING)
    for n in SIZES:
        network = values.large((784, 30, 10), COST)
        order.fresh(n)
        curves(
            network, examples("training", n), nothing, order,
            eta=0.5, lmbda=1e-4 * n, epochs=images // n, monitor_training=False,
        )  # fmt: skip
        found.append(100 * evaluate(network, examples("validation"))[1])
    return found


FIGURES: dict[str, Callable[[], Any]] = {
    "overfitting": overfitting,
    "regularized": lambda: overfitting(lmbda=0.1),
    "overfitting_full": lambda: overfitting(n=50_000, epochs=30),
    "multiple_eta": multiple_eta,
    "weight_initialization_30": lambda: weight_initialization(30),
    "weight_initialization_100": lambda: weight_initialization(100),
    "more_data": more_data,
    "regularized_full": lambda: overfitting(lmbda=5.0, n=50_000, epochs=30),
}
"""What a figure's file holds, by its name."""


def replay(name: str) -> Any:
    """What the file of a figure holds."""
    return FIGURES[name]()
