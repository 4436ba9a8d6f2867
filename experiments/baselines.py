"""Baselines: how dark an image is, and a support vector machine with its default settings.

Chapter 1, "Toward deep learning" · 1 minute
    python -m experiments.baselines [dataset.training_size=50000]

Expected: 22.25 % of the test set by the average darkness of each digit, and 94.35 % by the support
vector machine, both to the last image. All 50,000 training images take the machine about seven
minutes; without that setting it gets the first 10,000, and reads 92.14 %.
"""

from time import monotonic

import numpy as np
from sklearn.svm import SVC

from nndl_exp.book import Experiment, main
from nndl_exp.datasets.dataset import Examples, Labelled
from nndl_exp.nn.arrays import Array, Indices

ALL, FEW = 50_000, 10_000
OF_SVM = f"dataset.training_size={FEW}"


def study(experiment: Experiment) -> None:
    """Judge both classifiers, and draw which digits each reads right."""
    data = experiment.data(test=True)
    assert data.test is not None
    training, test = labelled(data.training), labelled(data.test)
    means = mean_darkness(training)
    by_darkness = np.abs(darkness(test.x)[:, None] - means).argmin(axis=1)
    book = 22.25 if experiment.full and len(training) == ALL else None
    experiment.compare("average darkness (%)", book, right(by_darkness, test), within=1e-9)
    words = (OF_SVM,) if len(training) > FEW else ()
    few = labelled(experiment.data(*words).training)
    start = monotonic()
    by_machine = SVC(gamma="auto").fit(few.x, few.labels).predict(test.x)
    seconds = monotonic() - start
    what = f"support vector machine, {len(few):,} training images (%)"
    book = 94.35 if experiment.full and len(few) == ALL else None
    cut = experiment.full and len(few) == FEW
    note = "94.35 with all: dataset.training_size=50000" if cut else ""
    experiment.compare(what, book, right(by_machine, test), within=1e-9, note=note)
    experiment.compare("the same, seconds", None, seconds)
    guesses = {"darkness": by_darkness, "vector machine": by_machine}
    read = {
        name: [100 * float((some == d)[test.labels == d].mean()) for d in range(10)]
        for name, some in guesses.items()
    }
    figure, (left, other) = experiment.draw.figure(1, 2)
    digits, y = "0123456789", "mean darkness, sum of pixels"
    experiment.draw.bars(left, {"": means}, labels=digits, x="digit", y=y)
    experiment.draw.bars(other, read, labels=digits, x="digit", y="test images read right (%)")
    experiment.draw.save(figure)


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
