"""Stochastic gradient descent: the update by a mini-batch, and the mini-batches of an epoch."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nndl_exp.nn.arrays import Array, Indices, as_inputs
from nndl_exp.nn.network import Network
from nndl_exp.nn.regularizers import UNREGULARIZED, Regularization

ROWS_AT_ONCE = 1000
"""About how many examples are gathered from the shuffled order at a time.

One gather a mini-batch is slow, one of the whole set needs a second copy of it in memory.
"""


@dataclass(frozen=True)
class Optimizer:
    """The way from a step η∇C to new parameters.

    Plain gradient descent where ``momentum``, μ of equations 107 and 108, is 0. With ``nesterov``
    the gradient counts as taken where the velocity leads to (Sutskever et al. 2013, in the form of
    Bengio et al. 2012). ``max_norm`` bounds the length of each neuron's weight vector after an
    update (Srivastava et al. 2014).
    """

    momentum: float = 0.0
    nesterov: bool = False
    max_norm: float | None = None

    def velocity(self, network: Network) -> list[Array]:
        """Zero velocities, those of the weights before those of the biases; none without μ."""
        if self.momentum == 0:
            return []
        return [np.zeros_like(array) for array in (*network.weights, *network.biases)]

    def descend(self, parameter: Array, step: Array, v: Array | None) -> None:
        """parameter ← parameter - step, in place; with a velocity v ← μv - step, and it is added
        to the parameter."""
        if v is None:
            parameter -= step
            return
        v *= self.momentum
        if self.nesterov:
            parameter -= v
        v -= step
        parameter += v
        if self.nesterov:
            parameter += self.momentum * v


PLAIN = Optimizer()


def update_mini_batch(
    network: Network,
    x: Array,
    y: Array,
    masks: Sequence[Array] | None = None,
    *,
    eta: float,
    regularization: Regularization = UNREGULARIZED,
    optimizer: Optimizer = PLAIN,
    velocity: Sequence[Array] = (),
) -> None:
    """One step of gradient descent, in place, by equations 93 and 94 (for L2).

    b ← b - η/m Σ ∂C_x/∂b and w ← w - η/m Σ ∂C_x/∂w - ηλ/n w. ``x`` has shape (m, n_in), ``y``
    (m, n_out), ``masks`` are those of ``draw_masks``, ``velocity`` is that of the optimizer.
    """
    nabla_b, nabla_w = network.backprop(x, y, masks)
    for w, nabla in zip(network.weights, nabla_w, strict=True):
        nabla *= eta / len(x)
        if regularization.strength:
            nabla += regularization.step(w, eta)
    for nabla in nabla_b:
        nabla *= eta / len(x)
    parameters, steps = (*network.weights, *network.biases), (*nabla_w, *nabla_b)
    for i, (parameter, step) in enumerate(zip(parameters, steps, strict=True)):
        optimizer.descend(parameter, step, velocity[i] if velocity else None)
    if optimizer.max_norm is not None:
        for w in network.weights:
            _bound(w, optimizer.max_norm)


def _bound(w: Array, longest: float) -> None:
    norms = np.sqrt(np.einsum("ij,ij->i", w, w))
    too_long = norms > longest
    if too_long.any():
        w[too_long] *= (longest / norms[too_long])[:, np.newaxis].astype(w.dtype)


def mini_batches(
    x: Array,
    y: Array,
    order: Indices,
    size: int,
    dtype: str,
    vary: Callable[[Array], Array] | None = None,
) -> Iterator[tuple[Array, Array]]:
    """The examples in the given order, ``size`` at a time; the last mini-batch may be smaller.

    ``vary`` is applied to the rows of x that are gathered at a time.
    """
    block = size * max(1, ROWS_AT_ONCE // size)
    for start in range(0, len(order), block):
        rows = order[start : start + block]
        xs, ys = as_inputs(x[rows], dtype), y[rows].astype(dtype, copy=False)
        if vary is not None:
            xs = vary(xs)
        for i in range(0, len(rows), size):
            yield xs[i : i + size], ys[i : i + size]
