"""The book's listing of backpropagation: one example at a time, as column vectors."""

import numpy as np

from nndl_exp.nn.arrays import Array
from nndl_exp.nn.network import Network


def backprop_by_example(network: Network, x: Array, y: Array) -> tuple[list[Array], list[Array]]:
    """(Σ ∂C_x/∂b, Σ ∂C_x/∂w), as ``Network.backprop`` gives them, for sigmoid and quadratic cost.

    Nothing but weights and biases is taken from the network, so that the two can be compared.
    """
    nabla_b = [np.zeros_like(b) for b in network.biases]
    nabla_w = [np.zeros_like(w) for w in network.weights]
    for example, target in zip(x, y, strict=True):
        activations = [example[:, None]]
        for b, w in zip(network.biases, network.weights, strict=True):
            activations.append(1 / (1 + np.exp(-(w @ activations[-1] + b[:, None]))))
        a = activations.pop()
        delta = (a - target[:, None]) * a * (1 - a)
        for layer in range(len(nabla_w) - 1, -1, -1):
            a = activations.pop()
            nabla_b[layer] += delta[:, 0]
            nabla_w[layer] += delta @ a.T
            delta = network.weights[layer].T @ delta * a * (1 - a)
    return nabla_b, nabla_w
