"""What each validation example adds to a recorded run's accuracy; whether a run has learned
anything of its training set."""

from collections.abc import Sequence

import numpy as np

from nndl_exp.config import RunConfig
from nndl_exp.datasets import Dataset
from nndl_exp.errors import UserError
from nndl_exp.fast.blas import blas_threads
from nndl_exp.nn.arrays import Array
from nndl_exp.nn.costs import constant_cost
from nndl_exp.records import RunDirectory
from nndl_exp.run import measure_of, recorded_data
from nndl_exp.training import evaluate
from nndl_exp.training.accuracy import Measure


def scores(directory: RunDirectory, dataset: Dataset) -> Array:
    """What each validation example adds to the accuracy of a run's best network, (n,).

    Their mean is the accuracy: 1 where an example is read right, else 0; of numbers, parts of R².
    """
    x, y = dataset.validation.examples(dataset.n_out)
    return example_scores(measure_of(directory.config()), directory.network().predict(x), y)


def constant_scores(config: RunConfig, dataset: Dataset) -> Array:
    """``scores`` of always predicting the mean target, which names the commonest class, (n,)."""
    (_, y), (_, y_validation) = dataset.examples()
    constant = np.broadcast_to(y.mean(axis=0), y_validation.shape)
    return example_scores(measure_of(config), constant, y_validation)


def example_scores(measure: Measure, a: Array, y: Array) -> Array:
    """What each example adds to an accuracy, (n,), of outputs a and targets y, both (n, n_out)."""
    possible = measure.possible(y) / len(y)
    rows = (slice(i, i + 1) for i in range(len(y)))
    return np.array([measure.got(a[row], y[row]) / possible for row in rows])


def training_costs(directory: RunDirectory, dataset: Dataset) -> tuple[float, float]:
    """The cost of a recorded run on all rows of its training set, and the least of a constant.

    Both are without regularization. Of the networks at the best epoch and at the end the one with
    the smaller cost counts: on few validation examples the best epoch is often the first.
    """
    network = directory.config().network
    examples = dataset.training.examples(dataset.n_out)
    networks = (directory.network(), directory.last_network())
    with blas_threads(1):  # as in training: other numbers give other last bits
        cost = min(evaluate(one, examples)[0] for one in networks)
    return cost, constant_cost(network.cost, network.output, examples[1])


def standard_error(directory: RunDirectory, dataset: Dataset) -> float:
    """That of what a recorded run is judged by, its validation accuracy or cost; of R² by Olkin and
    Finn (1995)."""
    n, result, config = len(dataset.validation), directory.result(), directory.config()
    if config.training.judged_by == "validation_cost":
        x, y = dataset.validation.examples(dataset.n_out)
        network = directory.network()
        costs = network.cost.value(*network.feedforward(x.astype(network.dtype)), y)
        return float(costs.std() / np.sqrt(n))
    accuracy = result.validation_accuracy if result else None
    p = min(1.0, max(0.0, accuracy or 0.0))
    if not measure_of(config).is_fraction:
        return float(max(2 * np.sqrt(p) * (1 - p), 0.5) / np.sqrt(n))
    return float(np.sqrt(max(p * (1 - p), 1e-12) / n))


def paired_scores(ours: Sequence[RunDirectory], theirs: Sequence[RunDirectory]) -> list[Array]:
    """The ``scores`` of two configurations, (seeds, examples) each, with as many runs of both.

    Raises:
        UserError: they were not judged by the same validation set.
    """
    here, there = (recorded_data(runs[0]) for runs in (ours, theirs))
    if not _same_examples(here, there):
        raise UserError(
            "runs that are compared must have the same validation set: got "
            f"{_named(ours[0], here)} and {_named(theirs[0], there)}"
        )
    seeds = min(len(ours), len(theirs))
    both = ((ours, here), (theirs, there))
    return [np.array([scores(run, dataset) for run in runs[:seeds]]) for runs, dataset in both]


def _same_examples(here: Dataset, there: Dataset) -> bool:
    pairs = zip(
        here.validation.examples(here.n_out), there.validation.examples(there.n_out), strict=True
    )
    return all(np.array_equal(a, b) for a, b in pairs)


def _named(directory: RunDirectory, dataset: Dataset) -> str:
    return f"{len(dataset.validation):,} examples of {directory.config().dataset.title}"
