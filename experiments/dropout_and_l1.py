"""Dropout and L1: other regularizers, where 1,000 images are learned by heart.

Chapter 3, "Other techniques for regularization" · 0.5 minutes
    python -m experiments.dropout_and_l1

Expected: L1 brings most weights to (almost) zero and keeps the large ones, L2 shrinks those more.
From small initial weights neither changes the accuracy by much (experiments.overfitting has large
ones, where L2 gains 5 points); dropout gains about a point, and lowers the validation cost.
"""

import numpy as np

from nndl_exp.book import Experiment, main

WORDS = (
    "dataset.training_size=1000", "network.hidden=[100]", "training.eta=0.25",
    "training.epochs=100", "training.stopping.name=none", "training.monitor_size=all",
)  # fmt: skip
REGULARIZERS = {
    "none": (),
    "L2": ("training.lmbda=1",),
    "L1": ("training.regularizer=l1", "training.lmbda=0.03"),
    "dropout": ("training.dropout=0.5",),
}
SMALL = 0.001
"""Below this a weight counts as zero; the initial deviation of the first layer's is 0.036."""


def study(experiment: Experiment) -> None:
    """Train with each regularizer; draw the accuracy and how the weights are distributed."""
    names = {name: (*WORDS, *words) for name, words in REGULARIZERS.items()}
    runs = experiment.train(names, seeds=3)
    figure, (left, right) = experiment.draw.figure(1, 2)
    lines = {name: 100 * run.curve("validation_accuracy") for name, (run, *_) in runs.items()}
    experiment.draw.lines(left, lines, x="epoch", y="validation accuracy (%)")
    weights = {name: [run.network.weights[0] for run in several] for name, several in runs.items()}
    drawn = {name: weights[name][0] for name in ("none", "L2", "L1")}
    experiment.draw.histogram(right, drawn, x="weight of the hidden layer", limits=(-0.15, 0.15))
    right.set_yscale("log")
    experiment.draw.save(figure)
    for name, several in runs.items():
        best = [run.best() for run in several]
        experiment.compare(f"{name}: validation accuracy, best epoch (%)", None, best)
    for name in ("none", "dropout"):
        cost = [float(run.curve("validation_cost").min()) for run in runs[name]]
        experiment.compare(f"{name}: lowest validation cost", None, cost)
    for name, layers in weights.items():
        zero = [100 * float((np.abs(w) < SMALL).mean()) for w in layers]
        experiment.compare(f"{name}: weights below {SMALL} (%)", None, zero)
    for name, layers in weights.items():
        largest = [float(np.abs(w).max()) for w in layers]
        experiment.compare(f"{name}: largest weight", None, largest)


if __name__ == "__main__":
    main(study)
