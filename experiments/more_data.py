"""More data: validation accuracy against the size of the training set, beside an SVM's.

Chapter 3, "Other techniques for regularization" · 2 minutes
    python -m experiments.more_data

Expected: accuracy rises steadily with the logarithm of the size, 93.24 % at 5,000 images; the SVM
is below the network. As in the book lmbda is 1e-4 n and the epochs are 1,500,000 / n, but here at
most 200, and the SVM gets at most 5,000 images; experiments.replay trains as long as the book.
"""

from functools import partial

from sklearn.svm import SVC

from nndl_exp.book import Experiment, main
from nndl_exp.config import RunConfig
from nndl_exp.datasets import Labelled
from nndl_exp.run import data_of

WORDS = ("network=large_weights", "training.eta=0.5", "training.stopping.name=none")
SIZES = (100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000)
IMAGES, MOST_EPOCHS, MOST_FOR_SVM = 1_500_000, 200, 5_000
BOOK = {5_000: 93.24}


def svm(config: RunConfig, size: str) -> float:
    """The validation accuracy, in percent, of a support vector machine of so many images."""
    data = data_of(config)
    training, validation = data.training, data.validation
    assert isinstance(training, Labelled)
    assert isinstance(validation, Labelled)
    machine = SVC(gamma="auto").fit(training.x[: int(size)], training.labels[: int(size)])
    return 100 * float(machine.score(validation.x, validation.labels))


def study(experiment: Experiment) -> None:
    """Train on more and more images, and draw the accuracy against their number."""
    sizes = [n for n in SIZES if n <= len(experiment.data().training)]
    runs = experiment.train({
        f"{n:,} images": (
            *WORDS, f"dataset.training_size={n}", f"training.lmbda={1e-4 * n}",
            f"training.epochs={min(IMAGES // n, MOST_EPOCHS)}",
        )
        for n in sizes
    }, seeds=1)  # fmt: skip
    network = [
        100 * float(several[0].curve("validation_accuracy")[-1]) for several in runs.values()
    ]
    few = [n for n in sizes if n <= MOST_FOR_SVM]
    machine = experiment.parallel(partial(svm, experiment.config()), list(map(str, few)))
    figure, (axes,) = experiment.figure()
    lines = {"network": (sizes, network), "SVM": (few, machine)}
    x = "training images (logarithmic)"
    experiment.lines(axes, lines, x=x, y="validation accuracy (%)", whole=False)
    axes.set_xscale("log")
    experiment.save(figure)
    for n, accuracy in zip(sizes, network, strict=True):
        book = BOOK.get(n) if experiment.full else None
        experiment.compare(f"network, {n:,} images (%)", book, accuracy, within=1.0)
    for n, accuracy in zip(few, machine, strict=True):
        experiment.compare(f"SVM, {n:,} images (%)", None, accuracy)


if __name__ == "__main__":
    main(study)
