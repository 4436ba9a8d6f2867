"""The book's support vector machine, trained a pair of digits at a time.

scikit-learn's SVC is 45 machines, one for each pair of classes, and its answer the class that most
of them vote for. Here each is trained by itself: the workers share them, and a kernel matrix made
by BLAS takes a third of the time. The answers are the same.
"""

from functools import partial
from itertools import combinations

import numpy as np
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import SVC

from nndl_exp.book.experiment import Experiment
from nndl_exp.config import RunConfig
from nndl_exp.datasets import Labelled
from nndl_exp.nn.arrays import Array, Indices
from nndl_exp.run import data_of


def accuracies(experiment: Experiment, sizes: list[int]) -> list[float]:
    """The validation accuracy, in percent, of a machine for each number of training images."""
    labels = labelled(experiment.config())[1].labels
    pairs = list(combinations(range(int(labels.max()) + 1), 2))
    names = [f"{n} {i} {j}" for n in sizes for i, j in pairs]
    won = experiment.parallel(partial(winners, experiment.config()), names)
    found = []
    for start in range(0, len(won), len(pairs)):
        votes = np.array(won[start : start + len(pairs)]).T
        most = np.array([np.bincount(of_image).argmax() for of_image in votes])
        found.append(100 * float((most == labels).mean()))
    return found


def labelled(config: RunConfig) -> tuple[Labelled, Labelled]:
    """The training and the validation set of a run."""
    data = data_of(config)
    assert isinstance(data.training, Labelled)
    assert isinstance(data.validation, Labelled)
    return data.training, data.validation


def winners(config: RunConfig, name: str) -> Indices:
    """Which of two digits each validation image is, by the machine of the pair.

    Args:
        config: the run whose data are used.
        name: the number of training images and the two digits, such as "1000 4 9".
    """
    n, i, j = map(int, name.split())
    training, validation = labelled(config)
    rows = np.flatnonzero(np.isin(training.labels[:n], (i, j)))
    x, labels = training.x[rows], training.labels[rows]
    machine = SVC(kernel="precomputed", cache_size=1000).fit(kernel(x, x), labels)
    f = kernel(validation.x, x[machine.support_]) @ machine.dual_coef_[0] + machine.intercept_[0]
    return np.where(f > 0, j, i)


def kernel(x: Array, other: Array) -> Array:
    """exp(-γ |x - x'|²) for all rows of both, with γ = 1/n_in as the book's scikit-learn had it."""
    matrix: Array = rbf_kernel(x.astype(np.float64), other.astype(np.float64), 1 / x.shape[1])
    return matrix
