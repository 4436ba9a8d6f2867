"""BP1 to BP4 against numerical derivatives, for every activation, output and cost.

Chapter 2, "The four fundamental equations behind backpropagation" · 0.1 minutes
    python -m experiments.backpropagation

Expected: the largest relative error is below 1e-6 for each of the 35 combinations that are allowed.
Against the step h the error of central differences falls as h² until rounding, which grows as 1/h,
takes over near h = 1e-5.
"""

import numpy as np

from nndl_exp.book import Experiment, main
from nndl_exp.nn.activations import ACTIVATIONS
from nndl_exp.nn.costs import OUTPUTS_OF
from nndl_exp.nn.differences import central_differences
from nndl_exp.nn.network import Network, Parts

SIZES = (4, 5, 4, 3)
EQUATIONS = {
    "BP1, BP3: biases of the output layer": (0, slice(-1, None)),
    "BP2, BP3: biases of the hidden layers": (0, slice(0, -1)),
    "BP4: weights": (1, slice(None)),
}
STEPS = np.logspace(-1, -9, 17)


def study(experiment: Experiment) -> None:
    """Compare each combination, and draw the error of one against the step."""
    for cost, outputs in OUTPUTS_OF.items():
        for output in outputs:
            for activation in ACTIVATIONS:
                errors = relative_errors(Parts(activation, output, cost), 1e-5)
                what = f"largest relative error, {activation}, {output} output, {cost}"
                experiment.compare(what, 0.0, max(errors), within=1e-6)
    found = [relative_errors(Parts(), float(h)) for h in STEPS]
    lines = {name: (STEPS, [errors[i] for errors in found]) for i, name in enumerate(EQUATIONS)}
    figure, (axes,) = experiment.draw.figure()
    experiment.draw.lines(axes, lines, x="step h", y="largest relative error", whole=False)
    axes.set(xscale="log", yscale="log", title="sigmoid neurons, cross-entropy")
    experiment.draw.save(figure)


def relative_errors(parts: Parts, h: float) -> list[float]:
    """By equation: the largest difference, as a fraction of the largest derivative."""
    rng = np.random.default_rng(2)
    network = Network.initialize(SIZES, parts, rng=rng, dtype="float64")
    x, y = rng.random((5, SIZES[0])), np.eye(SIZES[-1])[rng.integers(0, SIZES[-1], 5)]

    def cost() -> float:
        z, a = network.feedforward(x)
        return float(network.cost.value(z, a, y).sum())

    gradients, parameters = network.backprop(x, y), (network.biases, network.weights)
    errors = []
    for kind, layers in EQUATIONS.values():
        ours = np.concatenate([nabla.ravel() for nabla in gradients[kind][layers]])
        differences = [central_differences(cost, p, h).ravel() for p in parameters[kind][layers]]
        error = np.abs(ours - np.concatenate(differences)).max()
        errors.append(float(error) / float(np.abs(ours).max()))
    return errors


if __name__ == "__main__":
    main(study)
