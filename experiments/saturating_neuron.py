"""A neuron that starts out badly wrong: it learns slowly, unless the cost is the cross-entropy.

Chapter 3, "The cross-entropy cost function" · 0.1 minutes
    python -m experiments.saturating_neuron

Expected: from w = b = 2 the output stays above 0.95 for 100 epochs with the quadratic cost and
falls at once with the cross-entropy. At η = 0.005 the cross-entropy leads to 0.418 and 0.780; the
book's animation ends at 0.04 and 0.05, because it takes dC/da = 1/(1 - a) in place of dC/dz = a.
"""

import numpy as np

from nndl_exp.book import Experiment, main
from nndl_exp.book.neuron import learn
from nndl_exp.nn.activations import sigmoid
from nndl_exp.nn.arrays import Array

EPOCHS = 300
BOOK = {
    ("quadratic", (0.6, 0.9)): {0: 0.8176, 300: 0.0940},
    ("quadratic", (2.0, 2.0)): {0: 0.9820, 150: 0.933, 200: 0.789, 300: 0.2028},
    ("cross_entropy", (0.6, 0.9)): {300: 0.0116},
    ("cross_entropy", (2.0, 2.0)): {300: 0.0120},
}
SLOW = {(0.6, 0.9): (0.418, 0.04), (2.0, 2.0): (0.780, 0.05)}


def study(experiment: Experiment) -> None:
    """Follow weight, bias, cost and output, draw each case by itself, and the animation's."""
    paths, epochs = {}, np.arange(EPOCHS + 1)
    for (cost, start), numbers in BOOK.items():
        title = f"{cost.replace('_', '-')} from {start}"
        path = paths[title] = learn(cost, start, 0.15, EPOCHS)
        for epoch, number in numbers.items():
            what = f"output after {epoch} epochs, {title}"
            within = 5e-4 if epoch in (150, 200) else 5e-5
            experiment.compare(what, number, path["output"][epoch], within=within)
    figure, plots = experiment.draw.figure(2, 2, "A neuron learns to turn 1 into 0, η = 0.15")
    for axes, name in zip(plots, ("weight", "bias", "cost", "output"), strict=True):
        lines = {title: (epochs, path[name]) for title, path in paths.items()}
        experiment.draw.lines(axes, lines, x="epoch", y=name)
        if name != "cost":
            axes.get_legend().remove()
    experiment.draw.save(figure)

    figure, plots = experiment.draw.figure(2, 2, "The output by cost and start, η = 0.15")
    for axes, (title, path) in zip(plots, paths.items(), strict=True):
        experiment.draw.lines(axes, {title: (epochs, path["output"])}, x="epoch", y="output a")
        axes.set(ylim=(0, 1), title=title)
    experiment.draw.save(figure, "saturating_neuron_facets")

    figure, plots = experiment.draw.figure(1, 2, "Cross-entropy, η = 0.005: two gradients")
    for axes, (start, (number, shown)) in zip(plots, SLOW.items(), strict=True):
        right = np.array(learn("cross_entropy", start, 0.005, EPOCHS)["output"])
        wrong = animation(sum(start), 0.005)
        what = f"output after {EPOCHS} epochs, η = 0.005, from {start}"
        experiment.compare(what, number, float(right[-1]), within=5e-4)
        experiment.compare(f"{what}, the animation", shown, float(wrong[-1]), within=5e-3)
        outputs = {"dC/dz = a": (epochs, right), "animation: 1/(1 - a)": (epochs, wrong)}
        experiment.draw.lines(axes, outputs, x="epoch", y="output a")
        axes.set(ylim=(0, 1), title=f"from {start}")
    experiment.draw.save(figure, "saturating_neuron_animation")


def animation(z: float, eta: float) -> Array:
    """The outputs where weight and bias each go down by η/(1 - a) instead of ηa."""
    inputs = [np.array(z)]
    for _ in range(EPOCHS):
        inputs.append(inputs[-1] - 2 * eta / (1 - sigmoid(inputs[-1])))
    return sigmoid(np.array(inputs))


if __name__ == "__main__":
    main(study)
