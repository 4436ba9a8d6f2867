"""Momentum: mu from below 0 to above 1, and what goes wrong outside of 0 .. 1.

Chapter 3, "Variations on stochastic gradient descent" · 0.5 minutes
    python -m experiments.momentum

Expected: with the same small learning rate a mu nearer to 1 brings the training cost down faster.
Above 1 the velocity grows with each update even where the gradient is zero, and the cost explodes;
below 0 each update takes back a part of the one before, and learning is slower than with 0.
"""

import numpy as np

from nndl_exp.book import Experiment, main

WORDS = (
    "dataset.training_size=1000", "network.hidden=[30]", "training.eta=0.02", "training.epochs=30",
    "training.stopping.name=none", "training.monitor_size=all",
)  # fmt: skip
MUS = (-0.9, 0.0, 0.5, 0.9, 1.02)
TOP = 1000.0
"""Of the figure: what lies above has exploded."""


def study(experiment: Experiment) -> None:
    """Train with each mu, and draw the training cost."""
    runs = experiment.train({f"μ = {mu}": (*WORDS, f"training.momentum={mu}") for mu in MUS})
    figure, (axes,) = experiment.draw.figure()
    lines = {name: run.curve("training_cost") for name, (run, *_) in runs.items()}
    experiment.draw.lines(axes, lines, x="epoch", y="training cost C (logarithmic)")
    axes.set_yscale("log")
    axes.set_ylim(0.5 * min(line.min() for line in lines.values()), TOP)
    experiment.draw.save(figure)
    for name, several in runs.items():
        cost = [float(run.curve("training_cost")[-1]) for run in several]
        experiment.compare(f"{name}: training cost in the end", None, cost)
    for name, several in runs.items():
        accuracy = [run.best() for run in several]
        experiment.compare(f"{name}: validation accuracy, best epoch (%)", None, accuracy)
    rises = [float((np.diff(run.curve("training_cost")) > 0).sum()) for run in runs["μ = 1.02"]]
    experiment.compare("μ = 1.02: epochs in which the cost rises", None, rises)


if __name__ == "__main__":
    main(study)
