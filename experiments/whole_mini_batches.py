"""Backpropagation over a whole mini-batch as matrices, against the loop over examples.

Chapter 2, "The code for backpropagation" · 0.1 minutes
    python -m experiments.whole_mini_batches

Expected: the gradients differ by rounding, about 1e-15 of the largest derivative; the matrices are
several times as fast for a mini-batch of 10, and more so the larger it is.
"""

from functools import partial

import numpy as np

from nndl_exp.book import Experiment, main
from nndl_exp.book.loop import backprop_by_example
from nndl_exp.book.timing import shortest
from nndl_exp.fast.blas import blas_threads
from nndl_exp.nn.network import Network, Parts

SIZES = (784, 30, 10)
BATCHES = (1, 2, 5, 10, 20, 50, 100, 200)


def study(experiment: Experiment) -> None:
    """Compare gradients and times, and draw the ratio of times."""
    with blas_threads(1):
        found = [against_loop(m) for m in BATCHES]
    differences, speedups = zip(*found, strict=True)
    what = "largest difference of the gradients, as a fraction of the largest derivative"
    experiment.compare(what, 0.0, max(differences), within=1e-13)
    for m in (10, 200):
        what = f"times as fast as the loop, mini-batch of {m}"
        experiment.compare(what, None, speedups[BATCHES.index(m)])
    figure, (axes,) = experiment.draw.figure()
    lines = {"": (BATCHES, speedups)}
    experiment.draw.lines(axes, lines, x="mini-batch size m", y="time of loop / time of matrices")
    axes.set(xscale="log", ylim=(0, None), title=f"{list(SIZES)}, float64, one thread")
    experiment.draw.save(figure)


def against_loop(m: int) -> tuple[float, float]:
    """The difference from the loop's gradient for m random examples, and the ratio of times."""
    rng = np.random.default_rng(0)
    parts = Parts(cost="quadratic")
    network = Network.initialize(SIZES, parts, rng=rng, initializer="large", dtype="float64")
    x, y = rng.random((m, SIZES[0])), np.eye(SIZES[-1])[rng.integers(0, SIZES[-1], m)]
    ours, loop = (
        np.concatenate([nabla.ravel() for kind in gradient for nabla in kind])
        for gradient in (network.backprop(x, y), backprop_by_example(network, x, y))
    )
    slow = shortest(partial(backprop_by_example, network, x, y))
    fast = shortest(partial(network.backprop, x, y), 20)
    return float(np.abs(ours - loop).max() / np.abs(loop).max()), slow / fast


if __name__ == "__main__":
    main(study)
