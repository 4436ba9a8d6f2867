"""Weight initialization: weights of deviation 1/sqrt(n_in) learn faster than those of 1.

Chapter 3, "Weight initialization" · 1 minute
    python -m experiments.weight_initialization

Expected: after the first epoch under 87 % of the validation set with large initial weights against
almost 93 % with the default ones (30 hidden neurons), near 96 % in the end; the weighted input z of
a neuron, 500 of whose 1,000 inputs are 1, has the deviation sqrt(501) against sqrt(3/2).
"""

import numpy as np

from nndl_exp.book import Experiment, main
from nndl_exp.nn import Network
from nndl_exp.nn.arrays import Array
from nndl_exp.nn.network import Parts

INITIALIZERS = ("large", "default")
NEURONS, INPUTS = 10_000, 1_000
EXACT = {"large": (np.sqrt(501), 0.5), "default": (np.sqrt(1.5), 0.03)}
"""The deviation of z, and three deviations of what so many neurons estimate."""


def weighted_inputs(initializer: str, seed: int) -> Array:
    """z of neurons whose first 500 inputs are 1 and whose others are 0."""
    sizes, parts = (INPUTS, NEURONS), Parts("sigmoid", "sigmoid", "cross_entropy")
    rng = np.random.default_rng(seed)
    network = Network.initialize(sizes, parts, rng=rng, initializer=initializer)
    x = np.zeros(INPUTS, np.float32)
    x[: INPUTS // 2] = 1
    z: Array = network.weights[0] @ x + network.biases[0]
    return z


def study(experiment: Experiment) -> None:
    """Train both sizes with both initializers; draw the accuracy, and the spread of z."""
    lmbda = 1e-4 * len(experiment.data().training)  # the book's 5.0 for its 50,000 images
    words = ("training.eta=0.1", f"training.lmbda={lmbda}", "training.stopping.name=none")
    figure, (*plots, left, right) = experiment.draw.figure(2, 2)
    for axes, hidden, seeds in zip(plots, (30, 100), (None, 1), strict=True):
        here = (*words, f"network.hidden=[{hidden}]")
        names = {f"{one}, {hidden}": (*here, f"network.initializer={one}") for one in INITIALIZERS}
        runs = dict(zip(INITIALIZERS, experiment.train(names, seeds=seeds).values(), strict=True))
        curves = {
            name: [100 * run.curve("validation_accuracy") for run in several]
            for name, several in runs.items()
        }
        lines = {name: several[0] for name, several in curves.items()}
        experiment.draw.lines(axes, lines, x="epoch", y=f"validation accuracy (%), {hidden} hidden")
        numbers = (87.0, 93.0, 96.0) if experiment.full and hidden == 30 else (None,) * 3
        for name, book in zip(INITIALIZERS, numbers, strict=False):
            what = f"{name}, {hidden} hidden: accuracy after the first epoch (%)"
            experiment.compare(what, book, [curve[0] for curve in curves[name]], within=1.0)
        what = f"default, {hidden} hidden: accuracy in the end (%)"
        experiment.compare(what, numbers[2], [c[-1] for c in curves["default"]], within=1.0)
    spreads = zip((left, right), EXACT.items(), ("first", "second"), strict=True)
    for axes, (name, (exact, within)), colour in spreads:
        z = weighted_inputs(name, experiment.seeds[0])
        label = "weighted input z"
        experiment.draw.histogram(axes, {name: z}, x=label, limits=(-80, 80), colours=(colour,))
        experiment.compare(f"{name}: deviation of z", float(exact), float(z.std()), within=within)
    experiment.draw.save(figure)


if __name__ == "__main__":
    main(study)
