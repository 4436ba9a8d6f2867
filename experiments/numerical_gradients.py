"""A numerical gradient takes a forward pass for every weight and bias, and one more.

Chapter 2, "In what sense is backpropagation a fast algorithm?" · 0.1 minutes
    python -m experiments.numerical_gradients

Expected: forward passes of a numerical gradient (equation 46) are as many as there are weights and
biases, and one. In units of backpropagation its time grows in proportion: a slope of about 1 on
log-log axes.
"""

from functools import partial

import numpy as np

from nndl_exp.book import Experiment, main
from nndl_exp.book.timing import shortest
from nndl_exp.fast.blas import blas_threads
from nndl_exp.nn.arrays import Array
from nndl_exp.nn.differences import forward_differences
from nndl_exp.nn.network import Network, Parts, count_parameters

HIDDEN = (1, 3, 10, 30, 100)


def study(experiment: Experiment) -> None:
    """Count forward passes, measure times, and draw their ratio."""
    counts = [count_parameters((64, hidden, 10)) for hidden in HIDDEN]
    with blas_threads(1):
        measured = [both(hidden) for hidden in HIDDEN]
    passes, errors, ratios = zip(*measured, strict=True)
    for count, here in zip(counts, passes, strict=True):
        experiment.compare(f"forward passes, {count:,} weights and biases", count + 1, here)
    what = "largest difference of the two gradients"
    experiment.compare(what, 0.0, max(errors), within=1e-5)
    what = f"time in backpropagations, {counts[-1]:,} weights and biases"
    experiment.compare(what, None, ratios[-1])
    slope = float(np.polyfit(np.log(counts), np.log(ratios), 1)[0])
    experiment.compare("slope of the time on log-log axes", None, slope)
    figure, (axes,) = experiment.draw.figure()
    lines = {"measured": (counts, ratios), "weights and biases": (counts, counts)}
    experiment.draw.lines(axes, lines, x="weights and biases", y="time (backpropagation = 1)")
    axes.set(xscale="log", yscale="log", title="time of a gradient, [64, n, 10], mini-batch of 10")
    experiment.draw.save(figure)


def both(hidden: int) -> tuple[int, float, float]:
    """The forward passes of a numerical gradient, its error, and its time by backpropagation's."""
    rng = np.random.default_rng(0)
    network = Network.initialize((64, hidden, 10), Parts(), rng=rng, dtype="float64")
    x, y = rng.random((10, 64)), np.eye(10)
    passes, numerical = numerical_gradient(network, x, y)
    ours = np.concatenate([nabla.ravel() for kind in network.backprop(x, y) for nabla in kind])
    slow = shortest(partial(numerical_gradient, network, x, y), 2)
    fast = shortest(partial(network.backprop, x, y), 20)
    return passes, float(np.abs(ours - numerical).max()), slow / fast


def numerical_gradient(network: Network, x: Array, y: Array) -> tuple[int, Array]:
    """How many forward passes it takes, and the gradient by biases and then by weights."""
    passes = 0

    def cost() -> float:
        nonlocal passes
        passes += 1
        return float(network.cost.value(*network.feedforward(x), y).sum())

    here = cost()
    gradient = [
        forward_differences(cost, array, here).ravel()
        for array in (*network.biases, *network.weights)
    ]
    return passes, np.concatenate(gradient)


if __name__ == "__main__":
    main(study)
