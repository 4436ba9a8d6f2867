"""Whether each layer learns: the length of its gradient and weights, and its saturated neurons."""

import numpy as np

from nndl_exp.nn.arrays import Array
from nndl_exp.nn.network import Network
from nndl_exp.training.epoch import LayerMetrics

FLAT = 0.05
"""A neuron is saturated where its slope is below this fraction of the largest there is."""


def layer_metrics(network: Network, x: Array, y: Array) -> tuple[LayerMetrics, ...]:
    """The metrics of each layer on the examples x (m, n_in) and y (m, n_out)."""
    with np.errstate(over="ignore", invalid="ignore"):
        inputs, deltas = network.errors(x, y)
        activations = [*inputs[1:], network.predict(x)]
        metrics = []
        for w, a_in, delta, a, activation in zip(
            network.weights, inputs, deltas, activations, network.activations, strict=True
        ):
            flat = activation.slope(a) < FLAT * activation.steepest
            if network.cost.matched and delta is deltas[-1]:
                flat[:] = False  # σ' cancels: the output learns at full speed wherever it is
            gradient_norm = _length(delta.T @ a_in) / len(x)
            metrics.append(LayerMetrics(gradient_norm, _length(w), float(flat.mean())))
    return tuple(metrics)


def _length(array: Array) -> float:
    return float(np.linalg.norm(array.astype(np.float64)))
