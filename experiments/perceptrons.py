"""Perceptrons and sigmoid neurons: how large weights turn the one into the other.

Chapter 1, "Sigmoid neurons" · 0.1 minutes
    python -m experiments.perceptrons

Expected: σ(cz) comes near the step function as c grows, but stays at 0.5 where z = 0. A network of
perceptrons whose weights and biases are all multiplied by c > 0 gives the same outputs. A network
of sigmoid neurons treated so comes near that of perceptrons, except for an input with z = 0.
"""

import numpy as np

from nndl_exp.book import Experiment, main
from nndl_exp.nn.activations import sigmoid
from nndl_exp.nn.arrays import Array
from nndl_exp.nn.network import Network, Parts

SIZES, INPUTS = (6, 15, 10, 10), 1000
CURVES, FACTORS = (1, 2, 10, 50), (0.01, 0.5, 3.0, 1000.0)
GROWING = np.logspace(0, 9, 37)


def study(experiment: Experiment) -> None:
    """Scale random networks by c, and compare their outputs with those of perceptrons."""
    z = np.linspace(-3, 3, 601)
    figure, (left, right) = experiment.draw.figure(1, 2)
    curves = {f"c = {c}": (z, sigmoid(c * z)) for c in CURVES}
    curves["step function"] = (z, np.where(z > 0, 1.0, 0.0))
    experiment.draw.lines(left, curves, x="weighted input z", y="output σ(cz)", whole=False)
    rng = np.random.default_rng(experiment.seeds[0])
    network = Network.initialize(SIZES, Parts(), rng=rng, initializer="large", dtype="float64")
    x = rng.standard_normal((INPUTS, SIZES[0]))
    wanted = perceptrons(network, x)
    experiment.compare("perceptrons: outputs that are 1 (%)", None, 100 * float(wanted.mean()))
    changed = sum(int((perceptrons(scaled(network, c), x) != wanted).sum()) for c in FACTORS)
    experiment.compare("perceptrons: outputs that c > 0 changes", 0, changed)
    outputs = [scaled(network, c).predict(x) for c in GROWING]
    far = [float(np.abs(a - wanted).max()) for a in outputs]
    mean = [float(np.abs(a - wanted).mean()) for a in outputs]
    experiment.compare("sigmoid neurons: mean distance from perceptrons, c = 1", None, mean[0])
    experiment.compare("the same, largest, c = 1e9", 0, far[-1], within=0.001)
    neuron, on = Network([np.array([[1.0, -1.0]])], [np.zeros(1)], Parts()), np.ones((1, 2))
    at_zero = [float(scaled(neuron, c).predict(on)[0, 0]) for c in GROWING]
    experiment.compare("sigmoid neuron with z = 0: output, c = 1e9", 0.5, at_zero[-1])
    lines = {
        "a network, largest": (GROWING, far),
        "a network, mean": (GROWING, mean),
        "a neuron with z = 0": (GROWING, at_zero),
    }
    experiment.draw.lines(right, lines, x="factor c", y="distance from perceptrons", whole=False)
    right.set_xscale("log")
    experiment.draw.save(figure)


def scaled(network: Network, c: float) -> Network:
    """The network with all weights and biases multiplied by c."""
    weights, biases = [c * w for w in network.weights], [c * b for b in network.biases]
    return Network(weights, biases, network.parts)


def perceptrons(network: Network, x: Array) -> Array:
    """The outputs of a network of perceptrons with these weights and biases (equation 2)."""
    a = x
    for w, b in zip(network.weights, network.biases, strict=True):
        a = np.where(a @ w.T + b > 0, 1.0, 0.0)
    return a


if __name__ == "__main__":
    main(study)
