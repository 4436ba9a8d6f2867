"""A second form of the update step: the same arithmetic without an allocation, for plain SGD.

``update_mini_batch`` (sgd.py) is the form to read. This one computes the same update to rounding,
for the networks of the book: plain gradient descent with L2 or no regularization, no dropout, and
an output layer whose error is δ = a - y. It gains by

- buffers that are made once, activations and errors lying transposed in them: at m = 10 the product
  w aᵀ into columns takes 34 µs where a wᵀ into rows takes 45 ([784, 100], one thread, float32);
- scaling δ of the output by η/m once, after which every product is a step;
- adding δ aᵀ to w inside BLAS (gemm with beta = 1) for small m, see ``_subtract_product``.

Measured against it, one thread, float32: 60 against 72 µs a step for [784, 30, 10] and m = 10,
110 against 127 for [784, 100, 10]; 4 % at m = 100. ``benchmarks/training.py`` measures it again.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg.blas import dgemm, sgemm
from scipy.special import expit

from nndl_exp.nn.arrays import Array
from nndl_exp.nn.network import Network
from nndl_exp.nn.regularizers import REGULARIZERS
from nndl_exp.training.sgd import ACCUMULATE_UP_TO, Rule

_GEMM = {"f": sgemm, "d": dgemm}


def _sigmoid(z: Array) -> None:
    expit(z, out=z)


def _tanh(z: Array) -> None:
    np.tanh(z, out=z)


def _relu(z: Array) -> None:
    np.maximum(z, 0, out=z)


def _linear(z: Array) -> None:
    return None


def _softmax(z: Array) -> None:
    z -= z.max(axis=0)
    np.exp(z, out=z)
    z /= z.sum(axis=0)


def _sigmoid_slope(a: Array, out: Array) -> None:
    np.subtract(1, a, out=out)
    np.multiply(out, a, out=out)


def _tanh_slope(a: Array, out: Array) -> None:
    np.multiply(a, a, out=out)
    np.subtract(1, out, out=out)


def _relu_slope(a: Array, out: Array) -> None:
    np.greater(a, 0, out=out, casting="unsafe")


_VALUES: dict[str, Callable[[Array], None]] = {
    "sigmoid": _sigmoid,
    "tanh": _tanh,
    "relu": _relu,
    "linear": _linear,
    "softmax": _softmax,
}
_SLOPES: dict[str, Callable[[Array, Array], None]] = {
    "sigmoid": _sigmoid_slope,
    "tanh": _tanh_slope,
    "relu": _relu_slope,
}
_ERROR_IS_DIFFERENCE = {
    ("sigmoid", "cross_entropy"),
    ("softmax", "log_likelihood"),
    ("linear", "quadratic"),
}


def can_fuse(network: Network, rule: Rule, dropout: bool) -> bool:
    """Whether ``FusedStep`` computes the updates of this network under this rule."""
    parts = network.parts
    return (
        rule.momentum == 0
        and rule.max_norm is None
        and not dropout
        and rule.regularizer in (REGULARIZERS["none"], REGULARIZERS["l2"])
        and (parts.output, parts.cost) in _ERROR_IS_DIFFERENCE
        and parts.activation in _SLOPES
        and all(w.flags.c_contiguous for w in network.weights)
    )


class FusedStep:
    """Updates ``network`` in place by mini-batches of exactly ``m`` examples.

    ``decay`` is ηλ/n, or 0 for no regularization.
    """

    def __init__(self, network: Network, m: int, eta: float, decay: float) -> None:
        self._weights, self._biases = network.weights, network.biases
        self._columns = [b[:, np.newaxis] for b in network.biases]
        dtype = network.dtype
        self._a = [np.empty((len(b), m), dtype) for b in network.biases]
        self._delta = [np.empty((len(b), m), dtype) for b in network.biases]
        self._slope = [np.empty((len(b), m), dtype) for b in network.biases]
        self._sum = [np.empty(len(b), dtype) for b in network.biases]
        parts = network.parts
        hidden = [_VALUES[parts.activation]] * (len(network.biases) - 1)
        self._value = [*hidden, _VALUES[parts.output]]
        self._slope_of = _SLOPES[parts.activation]
        self._rate = dtype.type(eta / m)
        self._keep = None if decay == 0 else dtype.type(1 - decay)
        small = m <= ACCUMULATE_UP_TO
        self._gemm: Any = _GEMM[dtype.char] if small else None
        self._nabla = [] if small else [np.empty_like(w) for w in network.weights]

    def __call__(self, x: Array, y: Array) -> None:
        """One update; ``x`` has shape (m, n_in), ``y`` (m, n_out), both contiguous rows."""
        weights, activations, deltas = self._weights, self._a, self._delta
        a = x.T
        for w, column, out, value in zip(
            weights, self._columns, activations, self._value, strict=True
        ):
            np.matmul(w, a, out=out)
            out += column
            value(out)
            a = out
        delta = np.subtract(a, y.T, out=deltas[-1])  # BP1
        delta *= self._rate
        for layer in range(len(weights) - 1, 0, -1):  # BP2
            delta = np.matmul(weights[layer].T, delta, out=deltas[layer - 1])
            self._slope_of(activations[layer - 1], self._slope[layer - 1])
            delta *= self._slope[layer - 1]
        inputs = x
        for layer, w in enumerate(weights):  # BP3, BP4
            self._descend(layer, w, inputs)
            inputs = activations[layer].T

    def _descend(self, layer: int, w: Array, inputs: Array) -> None:
        delta = self._delta[layer]
        if self._keep is not None:
            w *= self._keep
        if self._gemm is not None:
            # wᵀ ← wᵀ - aᵀ δᵀ on Fortran-ordered views; a row-ordered input goes in as it lies
            b = delta.T
            if layer == 0:
                self._gemm(-1.0, inputs.T, b, 1.0, w.T, overwrite_c=1)
            else:
                self._gemm(-1.0, inputs, b, 1.0, w.T, trans_a=1, overwrite_c=1)
        else:
            w -= np.matmul(delta, inputs, out=self._nabla[layer])
        np.add.reduce(delta, axis=1, out=self._sum[layer])
        bias = self._biases[layer]
        bias -= self._sum[layer]
