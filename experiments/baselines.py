"""Baselines: how dark an image is, and a support vector machine with its default settings.

Chapter 1, "Toward deep learning" · 1 minute
    python -m experiments.baselines [dataset.training_size=50000]

Expected: 22.25 % of the test set by the average darkness of each digit, and 94.35 % by the support
vector machine, both to the last image. The machine gets the first 10,000 training images, because
all 50,000 take it about ten minutes; the second command gives it all.
"""

from time import monotonic

import numpy as np
from sklearn.svm import SVC

from nndl_exp.book import Experiment, main
from nndl_exp.datasets.dataset import Examples, Labelled
from nndl_exp.nn.arrays import Array, Indices

ALL, OF_SVM = 50_000, "dataset.training_size=10000"


def study(experiment: Experiment) -> None:
    """Judge both classifiers, and draw the darkness of each digit."""
    data = experiment.data(test=True)
    assert data.test is not None
    training, test = labelled(data.training), labelled(data.test)
    means = mean_darkness(training)
    guesses = np.abs(darkness(test.x)[:, None] - means).argmin(axis=1)
    book = 22.25 if len(training) == ALL else None
    experiment.compare("average darkness (%)", book, right(guesses, test), within=1e-9)
    figure, (left, middle) = experiment.figure(1, 2)
    digits = np.arange(10)
    experiment.lines(left, {"": (digits, means)}, x="digit", y="mean darkness, sum of pixels")
    read = [100 * float((guesses == d)[test.labels == d].mean()) for d in digits]
    experiment.lines(middle, {"": (digits, read)}, x="digit", y="read right by darkness (%)")
    experiment.save(figure)
    few = labelled(experiment.data(*[OF_SVM] * (len(training) > 10_000)).training)
    start = monotonic()
    machine = SVC(gamma="auto").fit(few.x, few.labels)
    guesses = machine.predict(test.x)
    seconds = monotonic() - start
    what = f"support vector machine, {len(few):,} training images (%)"
    book = 94.35 if len(few) == ALL else None
    experiment.compare(what, book, right(guesses, test), within=1e-9)
    experiment.compare("the same, seconds", None, seconds)


def labelled(part: Examples) -> Labelled:
    """The part of a dataset, which is one of labels."""
    assert isinstance(part, Labelled)
    return part


def darkness(x: Array) -> Array:
    """How much ink there is in each image: the sum of its pixels."""
    total: Array = x.sum(axis=1, dtype=np.float64)
    return total


def mean_darkness(training: Labelled) -> Array:
    """The mean darkness of the images of each digit."""
    of_all = darkness(training.x)
    return np.array([of_all[training.labels == d].mean() for d in range(10)])


def right(guesses: Indices, test: Labelled) -> float:
    """The images that are read right, in percent."""
    return 100 * float((guesses == test.labels).mean())


if __name__ == "__main__":
    main(study)
