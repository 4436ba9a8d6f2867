"""What gradient descent on λ and η does (chapter 3, a problem of its last section)."""

from collections.abc import Sequence

import numpy as np

from nndl_exp.nn import Network
from nndl_exp.nn.arrays import Array
from nndl_exp.nn.network import Parts
from nndl_exp.nn.regularizers import REGULARIZERS
from nndl_exp.training import evaluate, train
from nndl_exp.training.loop import Examples
from nndl_exp.training.streams import Streams

ETA, HIDDEN, M = 0.5, 30, 10
MINI_BATCHES = 20
"""So many are tried where the horizon is a single one: their costs differ more than those of η."""


def slope_of_lmbda(network: Network, n: int) -> float:
    """∂C/∂λ at fixed weights, of C = C₀ + λ/n R(w) (equation 87): R(w)/n."""
    return REGULARIZERS["l2"].penalty(network.weights) / n


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
    network, streams = _network(sets[0], seed), Streams(int(seed))
    rows = []
    for number in range(1, epochs + 1):
        _learn(network, sets[0], ETA, 1, streams, first=number, lmbda=lmbda)
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
    n, streams = len(training[0]), Streams(int(seed))
    network = _network(training, seed)
    _learn(network, training, ETA, 1, streams)
    orders = MINI_BATCHES if images < n else 1
    return [
        float(np.mean([_ahead(network, training, images, eta, streams, 2 + k)
                       for k in range(orders)]))
        for eta in etas
    ]  # fmt: skip


def _ahead(
    start: Network, training: Examples, images: int, eta: float, streams: Streams, first: int
) -> float:
    network, (x, y), n = start.copy(), training, len(training[0])
    if images < n:
        some = streams.order(first, n)[:images]
        _learn(network, (x[some], y[some]), eta, 1, streams)
    else:
        _learn(network, training, eta, images // n, streams, first=first)
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
    streams: Streams,
    *,
    first: int = 1,
    lmbda: float = 0.0,
) -> None:
    few = (training[0][:M], training[1][:M])  # nothing is measured on the way
    for _ in train(
        network, training, few, eta=eta, lmbda=lmbda, epochs=epochs, mini_batch_size=M,
        monitor_size=M, order=lambda epoch, n: streams.order(first + epoch - 1, n),
    ):  # fmt: skip
        pass
