"""What gradient descent on λ and η does (chapter 3, a problem of its last section)."""

from collections.abc import Sequence

import numpy as np

from nndl_exp.nn import Network
from nndl_exp.nn.arrays import Array, Indices
from nndl_exp.nn.network import Parts
from nndl_exp.nn.regularizers import Regularization
from nndl_exp.training import Settings, evaluate, train
from nndl_exp.training.loop import Examples
from nndl_exp.training.streams import Streams

ETA, HIDDEN, M = 0.5, 30, 10
MINI_BATCHES = 20
"""So many are tried where the horizon is a single one: their costs differ more than those of η."""


class _Later(Streams):
    """The streams of a seed as they are some epochs later."""

    def __init__(self, seed: int, epochs: int) -> None:
        super().__init__(seed)
        self._epochs = epochs

    def order(self, epoch: int, n: int) -> Indices:
        return super().order(epoch + self._epochs, n)


def slope_of_lmbda(network: Network, n: int) -> float:
    """∂C/∂λ at fixed weights, of C = C₀ + λ/n R(w) (equation 87): R(w)/n."""
    return Regularization("l2", 1.0, n).term(network.weights)


def descend_on_lmbda(
    sets: tuple[Examples, Examples], lmbda: float, rate: float, epochs: int, seed: str
) -> dict[str, Array]:
    """Train, and after each epoch also take λ down its gradient, not below 0.

    Args:
        sets: the training and the validation set.
        lmbda: λ of the first epoch.
        rate: the learning rate of λ; 0 keeps it.
        epochs: how many.
        seed: of the initial weights (large ones, which overfit) and of the order.

    Returns:
        For each epoch its λ, the slope ∂C/∂λ after it, the training cost without λ, and the
        validation accuracy in percent.
    """
    network, rows = _network(sets[0], seed), []
    for number in range(1, epochs + 1):
        _learn(network, sets[0], ETA, 1, seed, first=number, lmbda=lmbda)
        slope = slope_of_lmbda(network, len(sets[0][0]))
        cost, accuracy = evaluate(network, sets[0])[0], evaluate(network, sets[1])[1]
        rows.append((lmbda, slope, cost, 100 * accuracy))
        lmbda = max(0.0, lmbda - rate * slope)
    return dict(zip(("lmbda", "slope", "cost", "accuracy"), np.array(rows).T, strict=True))


def cost_ahead(training: Examples, images: int, etas: Sequence[float], seed: str) -> list[float]:
    """The training cost after so many images more, for each η, from the weights after an epoch.

    Every η sees the same images in the same order. For less than an epoch it is the mean over
    ``MINI_BATCHES`` orders.
    """
    n, network = len(training[0]), _network(training, seed)
    _learn(network, training, ETA, 1, seed)
    orders = MINI_BATCHES if images < n else 1
    return [
        float(np.mean([_ahead(network, training, images, eta, seed, 2 + k)
                       for k in range(orders)]))
        for eta in etas
    ]  # fmt: skip


def _ahead(
    start: Network, training: Examples, images: int, eta: float, seed: str, first: int
) -> float:
    network, (x, y), n = start.copy(), training, len(training[0])
    if images < n:
        some = Streams(int(seed)).order(first, n)[:images]
        _learn(network, (x[some], y[some]), eta, 1, seed)
    else:
        _learn(network, training, eta, images // n, seed, first=first)
    return evaluate(network, training)[0]


def _network(training: Examples, seed: str) -> Network:
    sizes = (training[0].shape[1], HIDDEN, training[1].shape[1])
    rng = Streams(int(seed)).initial_values()
    return Network.initialize(sizes, Parts(), rng=rng, initializer="large")


def _learn(
    network: Network,
    training: Examples,
    eta: float,
    epochs: int,
    seed: str,
    *,
    first: int = 1,
    lmbda: float = 0.0,
) -> None:
    few = (training[0][:M], training[1][:M])  # nothing is measured on the way
    settings = Settings(eta=eta, lmbda=lmbda, epochs=epochs, mini_batch_size=M, monitor_size=M)
    for _ in train(network, training, few, settings, streams=_Later(int(seed), first - 1)):
        pass
