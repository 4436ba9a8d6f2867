"""Backpropagation where one neuron is of another kind, and where all are linear.

Chapter 2, "The backpropagation algorithm" · 0.1 minutes
    python -m experiments.modified_neurons

Expected: with f'(z) in place of σ'(z) for the one neuron (here tanh) BP2 is right; with σ' for all
it is wrong for that neuron and for every layer before it. For linear neurons the errors are
products of weights: δ^l = (w^(l+1))ᵀ … (w^L)ᵀ (a - y).
"""

from dataclasses import replace

import numpy as np

from nndl_exp.book import Experiment, main
from nndl_exp.nn.activations import ACTIVATIONS, Activation
from nndl_exp.nn.arrays import Array
from nndl_exp.nn.differences import central_differences
from nndl_exp.nn.network import Network, Parts

SIZES, MODIFIED = (4, 5, 5, 3), 1


def study(experiment: Experiment) -> None:
    """Compare errors with numerical ones, and draw where the wrong slope leads to."""
    rng = np.random.default_rng(0)
    x, y = rng.random((1, SIZES[0])), np.eye(SIZES[-1])[:1]
    network = Network.initialize(SIZES, Parts(), rng=rng, dtype="float64")
    network.activations[1] = modified()
    numerical = numerical_errors(network, x, y)
    right = network.errors(x, y)[1]
    network.activations[1] = replace(modified(), slope=ACTIVATIONS["sigmoid"].slope)
    wrong = network.errors(x, y)[1]
    for layer, name in enumerate(("first hidden", "second hidden", "output")):
        difference = float(np.abs(right[layer] - numerical[layer]).max())
        experiment.compare(f"largest difference of δ, {name} layer", 0.0, difference, within=1e-9)
    off = np.abs(np.vstack(wrong[:2]) - np.vstack(numerical[:2]))
    what = "neurons with a wrong δ where σ' is taken, hidden layer"
    for layer, number in enumerate((SIZES[1], 1)):
        experiment.compare(f"{what} {layer + 1}", number, int((off[layer] > 1e-6).sum()))

    parts = Parts("linear", "linear", "quadratic")
    linear = Network.initialize(SIZES, parts, rng=rng, dtype="float64")
    product = linear.feedforward(x)[1] - y
    for w in linear.weights[:0:-1]:
        product = product @ w
    difference = float(np.abs(product - numerical_errors(linear, x, y)[0]).max())
    experiment.compare("largest difference of δ, linear neurons", 0.0, difference, within=1e-9)

    title = f"Error of δ where σ' is taken for neuron {MODIFIED + 1} of the second hidden layer"
    figure, (axes,) = experiment.draw.figure(title=title)
    experiment.draw.matrix(axes, off, x="neuron", y="hidden layer")
    experiment.draw.save(figure)


def modified() -> Activation:
    """Sigmoid neurons, one of them tanh."""
    one = np.arange(SIZES[2]) == MODIFIED
    tanh, usual = ACTIVATIONS["tanh"], ACTIVATIONS["sigmoid"]

    def slope(a: Array) -> Array:
        return np.where(one, tanh.slope(a), usual.slope(a))

    def value(z: Array) -> Array:
        return np.where(one, tanh.value(z), usual.value(z))

    return Activation(value, slope)


def numerical_errors(network: Network, x: Array, y: Array) -> list[Array]:
    """∂C/∂z of each layer, which is ∂C/∂b for a single example (BP3)."""

    def cost() -> float:
        return float(network.cost.value(*network.feedforward(x), y)[0])

    return [central_differences(cost, b)[None] for b in network.biases]


if __name__ == "__main__":
    main(study)
