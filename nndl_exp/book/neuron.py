"""The single neuron of chapter 3, which has to turn the input 1 into 0."""

import numpy as np

from nndl_exp.nn.network import Network, Parts
from nndl_exp.training.sgd import update_mini_batch


def learn(cost: str, start: tuple[float, float], eta: float, epochs: int) -> dict[str, list[float]]:
    """Its weight, bias, cost and output from (weight, bias): at the start and after each epoch."""
    (w, b), x, y = start, np.ones((1, 1)), np.zeros((1, 1))
    network = Network([np.array([[w]])], [np.array([b])], Parts(cost=cost))
    path: dict[str, list[float]] = {"weight": [], "bias": [], "cost": [], "output": []}
    for epoch in range(epochs + 1):
        if epoch:
            update_mini_batch(network, x, y, eta=eta)
        z, a = network.feedforward(x)
        state = (network.weights[0], network.biases[0], network.cost.value(z, a, y), a)
        for values, value in zip(path.values(), state, strict=True):
            values.append(value.item())
    return path
