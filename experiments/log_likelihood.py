"""Softmax with the log-likelihood cost, beside sigmoid outputs with the cross-entropy.

Chapter 3, "Softmax" · 0.5 minutes
    python -m experiments.log_likelihood

Expected: no difference to speak of. In both δ of the output layer is a - y, so that neither slows
down where it is badly wrong: after one epoch both are above 92 %, and the best epochs lie within
half a point of each other. Softmax outputs sum to 1, sigmoid outputs only nearly.
"""

import numpy as np

from nndl_exp.book import Experiment, main

WORDS = ("network.hidden=[30]", "training.eta=0.25", "training.stopping.name=none")
OUTPUTS = {
    "softmax, log-likelihood": ("network=softmax",),
    "sigmoid, cross-entropy": ("network=sigmoid",),
}


def study(experiment: Experiment) -> None:
    """Train with both output layers; draw the accuracy, and the sums of the outputs."""
    lmbda = f"training.lmbda={1e-4 * len(experiment.data().training)}"
    runs = experiment.train({
        name: (*words, *WORDS, lmbda) for name, words in OUTPUTS.items()
    })  # fmt: skip
    x = experiment.data(*WORDS).validation.x
    sums = {
        name: [run.network.predict(x).sum(axis=1) for run in several]
        for name, several in runs.items()
    }
    figure, (left, right) = experiment.draw.figure(1, 2)
    lines = {name: 100 * run.curve("validation_accuracy") for name, (run, *_) in runs.items()}
    experiment.draw.lines(left, lines, x="epoch", y="validation accuracy (%)")
    drawn = {name: several[0] for name, several in sums.items()}
    experiment.draw.histogram(right, drawn, x="sum of the ten outputs", limits=(0.0, 2.0))
    right.set_yscale("log")
    right.legend(fontsize=9, loc="upper left")
    experiment.draw.save(figure)
    for name, several in runs.items():
        first = [100 * float(run.curve("validation_accuracy")[0]) for run in several]
        experiment.compare(f"{name}: accuracy after the first epoch (%)", None, first)
        best = [run.best() for run in several]
        experiment.compare(f"{name}: validation accuracy, best epoch (%)", None, best)
        off = [float(np.abs(one - 1).max()) for one in sums[name]]
        experiment.compare(f"{name}: largest distance of a sum of outputs from 1", None, off)
    gains = [a.best() - b.best() for a, b in zip(*runs.values(), strict=True)]
    experiment.compare("softmax's best minus sigmoid's (points)", None, gains)


if __name__ == "__main__":
    main(study)
