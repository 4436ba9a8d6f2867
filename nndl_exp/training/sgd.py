"""Stochastic gradient descent: the update step and an epoch of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nndl_exp.nn.arrays import Array, Indices
from nndl_exp.nn.network import Network
from nndl_exp.nn.products import subtract_product
from nndl_exp.nn.regularizers import REGULARIZERS, Regularizer

ROWS_AT_ONCE = 1000
"""About how many examples are gathered from the shuffled order at a time.

One gather a mini-batch is slow, one of the whole set needs a second copy of it in memory.
"""


@dataclass(frozen=True)
class Rule:
    """What an update does with the gradient.

    ``momentum`` is μ of equations 107 and 108; with ``nesterov`` the gradient counts as taken where
    the velocity leads to (Sutskever et al. 2013, in the form of Bengio et al. 2012). ``max_norm``
    bounds the length of each neuron's weight vector after an update (Srivastava et al. 2014).
    """

    regularizer: Regularizer = REGULARIZERS["none"]
    momentum: float = 0.0
    nesterov: bool = False
    max_norm: float | None = None

    def velocity(self, network: Network) -> list[Array]:
        """Zero velocities, those of the weights before those of the biases; none without μ."""
        if self.momentum == 0:
            return []
        return [np.zeros_like(array) for array in (*network.weights, *network.biases)]


def update_mini_batch(
    network: Network,
    x: Array,
    y: Array,
    *,
    eta: float,
    decay: float,
    rule: Rule,
    velocity: Sequence[Array] = (),
    masks: Sequence[Array] | None = None,
) -> None:
    """One step of gradient descent, in place, by equations 93 and 94 (for L2).

    b ← b - η/m Σ ∂C_x/∂b and w ← (1 - ηλ/n) w - η/m Σ ∂C_x/∂w. ``decay`` is ηλ/n, with n the size
    of the whole training set; ``x`` has shape (m, n_in), ``y`` (m, n_out). With momentum the same
    amounts are added to the velocity, v ← μv - η∇C, and it to the parameters.
    """
    inputs, deltas = network.errors(x, y, masks)
    rate, layers = eta / len(x), len(deltas)
    for layer, (w, b) in enumerate(zip(network.weights, network.biases, strict=True)):
        delta = deltas[layer]
        if not velocity:
            _descend(rule, w, w, b, decay, rate, delta, inputs[layer])
        else:
            v_w, v_b = velocity[layer], velocity[layers + layer]
            before = [_slow_down(rule, v) for v in (v_w, v_b)]
            _descend(rule, w, v_w, v_b, decay, rate, delta, inputs[layer])
            _move(rule, w, v_w, before[0])
            _move(rule, b, v_b, before[1])
        if rule.max_norm is not None:
            _bound(w, rule.max_norm)


def _descend(
    rule: Rule,
    w: Array,
    target_w: Array,
    target_b: Array,
    decay: float,
    rate: float,
    delta: Array,
    a: Array,
) -> None:
    rule.regularizer.descend(target_w, w, decay)
    subtract_product(target_w, rate, delta, a)
    delta *= rate
    target_b -= np.add.reduce(delta, axis=0)


def _slow_down(rule: Rule, v: Array) -> Array | None:
    v *= v.dtype.type(rule.momentum)
    return v.copy() if rule.nesterov else None


def _move(rule: Rule, parameter: Array, v: Array, before: Array | None) -> None:
    parameter += v
    if before is not None:
        parameter += parameter.dtype.type(rule.momentum) * v
        parameter -= before


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

    An x of uint8 is pictures in 256 shades of grey, which become 0 to 255/256, the book's scale.
    ``vary`` is applied to the rows of x that are gathered at a time.
    """
    block = size * max(1, ROWS_AT_ONCE // size)
    for start in range(0, len(order), block):
        rows = order[start : start + block]
        ys = y[rows].astype(dtype, copy=False)
        xs = x[rows]
        xs = (
            np.divide(xs, 256, dtype=dtype)
            if xs.dtype == np.uint8
            else xs.astype(dtype, copy=False)
        )
        if vary is not None:
            xs = vary(xs)
        for i in range(0, len(rows), size):
            yield xs[i : i + size], ys[i : i + size]
