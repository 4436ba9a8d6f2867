"""Classifying digits: the book's first networks, with 30, 100 and no hidden neurons.

Chapter 1, "Implementing our network to classify digits" · 3 minutes
    python -m experiments.classifying_digits

Expected: 91.29 % of the test set after the first epoch and 95.42 % at best with 30 hidden neurons,
96.59 % with 100, less without a hidden layer. Runs vary in steps of ten points, as the book says of
100: most of these are stuck near 87 or 78 %, since one or two outputs stay at 0. The first
mini-batches have driven them to z far below 0 for every image; there σ'(z) is nearly 0, and with
the quadratic cost so is the gradient. About one run in six is not stuck, with 100 hidden neurons.
"""

import numpy as np

from nndl_exp.book import Experiment, main
from nndl_exp.book.missed import missed
from nndl_exp.book.recorded import Recorded
from nndl_exp.datasets.dataset import Examples

WORDS = (
    "network=quadratic", "dataset.monitor=test", "training.eta=3", "training.epochs=30",
    "training.stopping.name=none",
)  # fmt: skip
NETWORKS = {"30 hidden": ("[30]", 2), "100 hidden": ("[100]", 3), "no hidden layer": ("[]", 1)}
"""The hidden layers, and how many times as many runs as the settings say: runs vary."""
BOOK = {"30 hidden": 95.42, "100 hidden": 96.59, "no hidden layer": None}
FIRST = 91.29
WHY = "their outputs for some digits have σ'(z) ≈ 0 for all images since the first mini-batches"

CHANCE, DIGIT = 0.5, 5.0
"""Points: what chance makes of 10,000 images, and half of what a digit costs that is missed."""


def study(experiment: Experiment) -> None:
    """Train the three networks; draw the accuracy by epoch, and how the runs are distributed."""
    runs: dict[str, list[Recorded]] = {}
    for name, (hidden, times) in NETWORKS.items():
        words = (*WORDS, f"network.hidden={hidden}")
        runs |= experiment.train({name: words}, times=times)
    figure, (left, right) = experiment.draw.figure(1, 2)
    curves = {
        name: 100 * np.median([run.curve("validation_accuracy") for run in several], axis=0)
        for name, several in runs.items()
    }
    experiment.draw.lines(left, curves, x="epoch", y="test accuracy (%), median run")
    ranked = {
        name: (np.linspace(0, 100, len(several)), sorted(run.best() for run in several))
        for name, several in runs.items()
    }
    x = "runs, from the worst to the best (%)"
    experiment.draw.lines(right, ranked, x=x, y="test accuracy, best epoch (%)")
    for line in right.lines:
        line.set_marker("o")
    experiment.draw.save(figure)
    test = experiment.data(*WORDS).validation
    for name, several in runs.items():
        compare(experiment, name, several, test)


def compare(experiment: Experiment, name: str, runs: list[Recorded], test: Examples) -> None:
    """The numbers of one network: of all runs, and of those that are not stuck."""
    book = BOOK[name] if experiment.full else None
    stuck = {run.config.seed: digits for run in runs if (digits := missed(run, test))}
    learned = [run for run in runs if run.config.seed not in stuck]
    note = f"{len(stuck)} of {len(runs)} runs are stuck: {WHY}" if stuck else ""
    what = f"test accuracy, best epoch, {name}"
    experiment.compare(f"{what} (%)", book, [run.best() for run in runs], note=note)
    if stuck and learned:
        best = [run.best() for run in learned]
        experiment.compare(f"{what}, not stuck (%)", book, best, within=CHANCE)
    if name == "30 hidden" and learned:
        first = [100 * float(run.curve("validation_accuracy")[0]) for run in learned]
        read = [f for f in first if f > max(first) - DIGIT]
        note = f"{len(first) - len(read)} stuck until later, left out"
        book, what = FIRST if experiment.full else None, "after the first epoch (%)"
        experiment.compare(what, book, read, within=CHANCE, note=note)


if __name__ == "__main__":
    main(study)
