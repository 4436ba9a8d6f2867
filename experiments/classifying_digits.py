"""Classifying digits: the book's first networks, with 30, 100 and no hidden neurons.

Chapter 1, "Implementing our network to classify digits" · 3 minutes
    python -m experiments.classifying_digits

Expected: 91.29 % of the test set after the first epoch and 95.42 % at best with 30 hidden neurons,
96.59 % with 100, less without a hidden layer. Some runs are stuck near 86, 77 or 67 %: the outputs
for one or more digits stay at 0. They are counted, and left out of the means. Of the seeds 0 to 4
one is stuck with 30 hidden neurons, all with 100 (87.33 % at best), four without a hidden layer.
"""

import numpy as np

from nndl_exp.book import Experiment, main
from nndl_exp.book.experiment import Recorded
from nndl_exp.datasets.dataset import Examples, Labelled

WORDS = (
    "network=quadratic", "dataset.monitor=test", "training.eta=3", "training.epochs=30",
    "training.stopping.name=none",
)  # fmt: skip
HIDDEN = {"30 hidden": "[30]", "100 hidden": "[100]", "no hidden layer": "[]"}
BOOK = {"30 hidden": 95.42, "100 hidden": 96.59, "no hidden layer": None}

CHANCE = 0.5
"""What chance makes of 10,000 test images, about, in percentage points."""
DIGIT = 5.0
"""Half of what a digit that is not read costs: so far below the others, one is missed."""


def study(experiment: Experiment) -> None:
    """Train the three networks, and draw the accuracy on the test set."""
    runs = experiment.train({
        name: (*WORDS, f"network.hidden={hidden}") for name, hidden in HIDDEN.items()
    })  # fmt: skip
    figure, (every, middle) = experiment.figure(1, 2)
    seeds = {
        f"seed {run.config.seed}": 100 * run.curve("validation_accuracy")
        for run in runs["30 hidden"]
    }
    experiment.lines(every, seeds, x="epoch", y="test accuracy (%), 30 hidden")
    curves = {
        name: 100 * np.median([run.curve("validation_accuracy") for run in several], axis=0)
        for name, several in runs.items()
    }
    experiment.lines(middle, curves, x="epoch", y="test accuracy (%), median")
    experiment.save(figure)
    full, test = experiment.full, experiment.data(*WORDS).validation
    for name, several in runs.items():
        learned = [run for run in several if not missed(run, test)]
        stuck = [f"{run.best():.1f}" for run in several if run not in learned]
        note = f"{len(stuck)} stuck, {', '.join(stuck)}, left out" if stuck else ""
        if not learned:
            learned, note = [max(several, key=Recorded.best)], "all stuck: the best of them"
        best = [run.best() for run in learned]
        what = f"test accuracy, best epoch, {name} (%)"
        experiment.compare(what, BOOK[name] if full else None, best, within=CHANCE, note=note)
        experiment.compare("runs that are stuck", None, len(stuck))
        if name == "30 hidden":
            first = [100 * float(run.curve("validation_accuracy")[0]) for run in learned]
            read = [f for f in first if f > max(first) - DIGIT]
            late = len(first) - len(read)
            note = f"{late} stuck until later, left out" if late else ""
            book, what = 91.29 if full else None, "after the first epoch (%)"
            experiment.compare(what, book, read, within=CHANCE, note=note)


def missed(run: Recorded, test: Examples) -> list[int]:
    """The digits of which the run's network reads fewer than one in ten."""
    assert isinstance(test, Labelled)
    read = run.directory.network().predict(test.x).argmax(axis=1)
    return [d for d in range(10) if (read == d)[test.labels == d].mean() < 0.1]


if __name__ == "__main__":
    main(study)
