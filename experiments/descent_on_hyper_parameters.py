"""Gradient descent on λ and η: why neither can be learned as a weight is.

Chapter 3, "How to choose a neural network's hyper-parameters?" (the problem) · 0.5 minutes
    python -m experiments.descent_on_hyper_parameters

Expected: ∂C/∂λ = R(w)/n is never negative, so descent takes λ to 0: the training cost ends lower
than with λ kept, and the validation accuracy too. η is not in C at all, and through the step it
leads to the gradient is short-sighted: the η best for the cost after one mini-batch is a small part
of the one best after 10 epochs, and above that the cost rises as a cliff.
"""

from functools import partial

import numpy as np

from nndl_exp.book import Experiment, main
from nndl_exp.book.hyper_parameters import cost_ahead, descend_on_lmbda
from nndl_exp.nn.arrays import Array

IMAGES, EPOCHS, LMBDA = 1000, 60, 1.0
RATES = {"λ kept": 0.0, "λ descended": 0.01}
HORIZONS = {"1 mini-batch": 10, "1 epoch": IMAGES, "10 epochs": 10 * IMAGES}
ETAS = np.logspace(-1.5, 1.5, 19)
NEAR = 2.0
"""How far above the best η the cliff is looked for, as a factor."""


def study(experiment: Experiment) -> None:
    """Descend on λ; then look from the same weights at the costs that each η leads to."""
    data = experiment.data(f"dataset.training_size={IMAGES}")
    sets = (data.training.examples(10), data.validation.examples(10))
    seeds = [str(seed) for seed in experiment.seeds]
    paths = {
        name: experiment.parallel(partial(descend_on_lmbda, sets, LMBDA, rate, EPOCHS), seeds)
        for name, rate in RATES.items()
    }
    ahead = {
        name: np.array(experiment.parallel(partial(cost_ahead, sets[0], images, ETAS), seeds))
        for name, images in HORIZONS.items()
    }
    figure, (first, second, third, fourth) = experiment.draw.figure(2, 2)
    for axes, key, label in ((first, "lmbda", "λ"), (second, "accuracy", "validation accuracy (%)"),
                             (third, "cost", "training cost C₀, logarithmic")):  # fmt: skip
        experiment.draw.lines(axes, {name: path[0][key] for name, path in paths.items()},
                         x="epoch", y=label)  # fmt: skip
    third.set_yscale("log")
    curves = {f"after {name}": (ETAS, costs.mean(axis=0)) for name, costs in ahead.items()}
    experiment.draw.lines(fourth, curves, x="η", y="training cost, mean, logarithmic", whole=False)
    fourth.set(xscale="log", yscale="log")
    experiment.draw.save(figure)
    compare_lmbda(experiment, paths)
    compare_eta(experiment, ahead)


def compare_lmbda(experiment: Experiment, paths: dict[str, list[dict[str, Array]]]) -> None:
    """What descent on λ comes to."""
    least = min(float(path["slope"].min()) for several in paths.values() for path in several)
    experiment.compare("least ∂C/∂λ of all epochs", None, least)
    ends = [path["lmbda"][-1] for path in paths["λ descended"]]
    experiment.compare("λ in the end, by descent", 0.0, ends)
    for key, what in (("cost", "training cost without λ"), ("accuracy", "validation accuracy (%)")):
        for name, several in paths.items():
            experiment.compare(f"{what}, {name}", None, [path[key][-1] for path in several])


def compare_eta(experiment: Experiment, ahead: dict[str, Array]) -> None:
    """The η that each horizon calls the best, and how the cost rises right above it."""
    for name, costs in ahead.items():
        experiment.compare(f"best η, {name} ahead", None, ETAS[costs.argmin(axis=1)])
    longest = list(ahead.values())[-1]
    best = longest.argmin(axis=1)
    cliff = [np.interp(NEAR * ETAS[i], ETAS, costs) / costs[i]
             for costs, i in zip(longest, best, strict=True)]  # fmt: skip
    experiment.compare(f"cost at {NEAR:g} times the best η, as a multiple", None, cliff)


if __name__ == "__main__":
    main(study)
