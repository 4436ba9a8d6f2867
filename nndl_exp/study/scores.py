"""What each validation example adds to a recorded run's accuracy, and how two runs differ in it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nndl_exp.datasets import Dataset
from nndl_exp.errors import UserError
from nndl_exp.nn.arrays import Array
from nndl_exp.records import RunDirectory
from nndl_exp.run import measure_of, recorded_data
from nndl_exp.training.statistics import paired_interval


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


@dataclass(frozen=True)
class Difference:
    """What some runs gain over others in the mean, and its 95 % interval, on ``examples`` of the
    validation set with ``seeds`` runs of each."""

    gain: float
    low: float
    high: float
    seeds: int
    examples: int

    @property
    def verdict(self) -> str:
        """In words."""
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "not distinguishable"


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
    low, high = paired_interval(differences, confidence=0.95, seed=0)
    return Difference(float(differences.mean()), low, high, seeds, differences.shape[1])


def _same_examples(here: Dataset, there: Dataset) -> bool:
    pairs = zip(
        here.validation.examples(here.n_out), there.validation.examples(there.n_out), strict=True
    )
    return all(np.array_equal(a, b) for a, b in pairs)


def _named(directory: RunDirectory, dataset: Dataset) -> str:
    return f"{len(dataset.validation):,} examples of {directory.config().dataset.title}"
