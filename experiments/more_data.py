"""More data: validation accuracy against the size of the training set, beside an SVM's.

Chapter 3, "Other techniques for regularization" · 3 minutes
    python -m experiments.more_data

Expected: accuracy rises steadily with the logarithm of the size, 93.24 % at 5,000 images; the SVM
is below the network, and equal to the book's to the last image. As in the book lmbda is 1e-4 n and
the epochs are 1,500,000 / n, but here at most 200 (experiments.replay trains as long as the book),
and the SVM gets at most 20,000 images: svm_images=all takes about three minutes more.
"""

from statistics import fmean

from nndl_exp.book import Experiment, main
from nndl_exp.book.svm import accuracies

WORDS = ("network=large_weights", "training.eta=0.5", "training.stopping.name=none")
SIZES = (100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000)
IMAGES, MOST_EPOCHS = 1_500_000, 200
LARGE = 5_000
"""From here on the epochs are about as many as the book's, and there are several seeds."""
BOOK = (69.09, 76.37, 85.29, 88.85, 91.27, 93.24, 94.89, 95.85, 95.97)
BOOK_SVM = (25.07, 48.93, 75.13, 83.87, 88.49, 91.46, 92.45, 93.47, 94.48)
"""Of the published files more_data and more_data_svm."""


def study(experiment: Experiment) -> None:
    """Train on more and more images, and draw the accuracy against their number."""
    everything = experiment.settings["svm_images"] == "all"
    most = SIZES[-1] if everything else experiment.whole("svm_images", 100, "all")
    sizes = [n for n in SIZES if n <= len(experiment.data().training)]
    network = [accuracies_of_network(experiment, n) for n in sizes]
    few = [n for n in sizes if n <= most]
    machine = accuracies(experiment, few)
    figure, (axes,) = experiment.draw.figure()
    lines = {"network": (sizes, [fmean(one) for one in network]), "SVM": (few, machine)}
    x = "training images (logarithmic)"
    experiment.draw.lines(axes, lines, x=x, y="validation accuracy (%)", whole=False)
    axes.set_xscale("log")
    experiment.draw.save(figure)
    for n, several, book in zip(sizes, network, BOOK, strict=False):
        shown = book if experiment.full and n >= LARGE else None
        experiment.compare(f"network, {n:,} images (%)", shown, several)
    for n, accuracy, book in zip(few, machine, BOOK_SVM, strict=False):
        cut = experiment.full and few[-1] == n < SIZES[-1]
        note = f"the book's {BOOK_SVM[-1]} is of all {SIZES[-1]:,}: svm_images=all" if cut else ""
        shown = book if experiment.full else None
        what = f"SVM, {n:,} images (%)"
        experiment.compare(what, shown, accuracy, within=1e-9, note=note)


def accuracies_of_network(experiment: Experiment, n: int) -> list[float]:
    """Of networks trained on n images, in percent, after the last epoch."""
    words = (
        *WORDS, f"dataset.training_size={n}", f"training.lmbda={1e-4 * n}",
        f"training.epochs={min(IMAGES // n, MOST_EPOCHS)}",
    )  # fmt: skip
    name = f"{n:,} images"
    runs = experiment.train({name: words}, seeds=None if n >= LARGE else 1)[name]
    return [100 * float(run.curve("validation_accuracy")[-1]) for run in runs]


if __name__ == "__main__":
    main(study)
