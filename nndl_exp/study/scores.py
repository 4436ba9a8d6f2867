"""What each validation example adds to a recorded run's accuracy, and how two runs differ in it;
whether a run has learned anything of its training set."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nndl_exp.datasets import Dataset
from nndl_exp.errors import UserError
from nndl_exp.nn.arrays import Array
from nndl_exp.nn.blas import blas_threads
from nndl_exp.nn.costs import constant_cost
from nndl_exp.records import RunDirectory
from nndl_exp.run import measure_of, recorded_data
from nndl_exp.training import evaluate
from nndl_exp.training.statistics import no_interval, paired_interval


def scores(directory: RunDirectory, dataset: Dataset) -> Array:
    """What each validation example adds to the accuracy of a run's best network, (n,).

    Their mean is the accuracy: 1 where an example is read right, else 0; of numbers, parts of R².
    """
    network, measure = directory.network(), measure_of(directory.config())
    x, y = dataset.validation.examples(dataset.n_out)
    a = network.predict(x)
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


@dataclass(frozen=True)
class Difference:
    """What some runs gain over others in the mean, and its 95 % interval, on ``examples`` of the
    validation set with ``seeds`` runs of each.

    ``low`` and ``high`` are None where no interval is valid; ``why_none`` says why.
    """

    gain: float
    low: float | None
    high: float | None
    seeds: int
    examples: int
    why_none: str | None = None

    @property
    def verdict(self) -> str:
        """In words."""
        if self.low is not None and self.low > 0:
            return "better"
        return "worse" if self.high is not None and self.high < 0 else "not distinguishable"


def difference(ours: Sequence[RunDirectory], theirs: Sequence[RunDirectory]) -> Difference:
    """Compare runs on each example of the validation set, as many of ours as of theirs.

    The interval covers examples and, where there are several runs of each, seeds.

    Raises:
        UserError: they were not judged by the same validation set.
    """
    seeds = min(len(ours), len(theirs))
    here, there = (recorded_data(runs[0]) for runs in (ours, theirs))
    if not _same_examples(here, there):
        raise UserError(
            "runs that are compared must have the same validation set: got "
            f"{_named(ours[0], here)} and {_named(theirs[0], there)}"
        )
    differences = np.array(
        [
            scores(a, here) - scores(b, there)
            for a, b in zip(ours[:seeds], theirs[:seeds], strict=True)
        ]
    )
    gain, n = float(differences.mean()), differences.shape[1]
    if why_none := no_interval(differences):
        return Difference(gain, None, None, seeds, n, why_none)
    low, high = paired_interval(differences, confidence=0.95, seed=0)
    return Difference(gain, low, high, seeds, n)


def _same_examples(here: Dataset, there: Dataset) -> bool:
    pairs = zip(
        here.validation.examples(here.n_out), there.validation.examples(there.n_out), strict=True
    )
    return all(np.array_equal(a, b) for a, b in pairs)


def _named(directory: RunDirectory, dataset: Dataset) -> str:
    return f"{len(dataset.validation):,} examples of {directory.config().dataset.title}"
