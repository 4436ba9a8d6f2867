"""A second form of the update step: the same arithmetic without an allocation, for plain SGD.

``update_mini_batch`` (sgd.py) is the form to read. This one computes the same update to rounding,
for the networks of the book: plain gradient descent with L2 or no regularization, no dropout, and
an output layer whose error is δ = a - y. It gains by

- buffers, and views of them in the tiles of ``nn.products``, that are made once;
- weight decay, scaling by η/m and accumulation in one call of BLAS (gemm with alpha and beta), and
  the step of the biases in another (gemv), for small m.

Measured against it, one thread, float32: 23 against 44 µs a step for [784, 30, 10] and m = 10,
50 against 76 for [784, 100, 10]; 364 against 410 for m = 100, 3.6 against 3.8 ms for m = 1,000.
``benchmarks/training.py`` measures it again.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from scipy.linalg.blas import dgemv, sgemv

from nndl_exp.nn.activations import sigmoid
from nndl_exp.nn.arrays import Array
from nndl_exp.nn.network import Network
from nndl_exp.nn.products import blocks, gemm_for, multiplier
from nndl_exp.nn.regularizers import REGULARIZERS
from nndl_exp.training.sgd import Rule

_GEMV = {"f": sgemv, "d": dgemv}


def _sigmoid(z: Array) -> None:
    sigmoid(z, out=z)


def _tanh(z: Array) -> None:
    np.tanh(z, out=z)


def _relu(z: Array) -> None:
    np.maximum(z, 0, out=z)


def _linear(z: Array) -> None:
    return None


def _softmax(z: Array) -> None:
    z -= z.max(axis=1, keepdims=True)
    np.exp(z, out=z)
    z /= z.sum(axis=1, keepdims=True)


def _sigmoid_slope(a: Array, out: Array) -> None:
    np.multiply(a, a, out=out)
    np.subtract(a, out, out=out)


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
        parts = network.parts
        hidden = [_VALUES[parts.activation]] * (len(network.biases) - 1)
        self._layers = [
            _Layer(w, b, value, m, eta / m, 1 - decay)
            for w, b, value in zip(
                network.weights, network.biases, [*hidden, _VALUES[parts.output]], strict=True
            )
        ]
        self._backwards = [(layer, before) for before, layer in pairwise(self._layers)][::-1]
        self._slope_of = _SLOPES[parts.activation]

    def __call__(self, x: Array, y: Array) -> None:
        """One update; ``x`` has shape (m, n_in), ``y`` (m, n_out), both contiguous rows."""
        a = x
        for layer in self._layers:
            a = layer.forward(a)
        np.subtract(a, y, out=self._layers[-1].delta)  # BP1
        for layer, before in self._backwards:  # BP2
            delta = np.dot(layer.delta, layer.w, out=before.delta)
            self._slope_of(before.a, before.slope)
            delta *= before.slope
        a = x
        for layer in self._layers:  # BP3, BP4
            layer.descend(a)
            a = layer.a


class _Layer:
    """The weights of a layer, and the buffers that a mini-batch passes through."""

    def __init__(
        self, w: Array, b: Array, value: Callable[[Array], None], m: int, rate: float, keep: float
    ) -> None:
        self.w, self._b, self._value = w, b, value
        self.a, self.delta, self.slope = (np.empty((m, len(b)), w.dtype) for _ in range(3))
        self._multiply = multiplier(w, self.a)
        self._rate, self._keep = rate, keep
        self._gemm = gemm_for(w, self.delta, np.empty((m, w.shape[1]), w.dtype))
        self._blocks = [
            (self.delta[:, rows].T, w[rows].T) for rows in blocks(len(w), m * w.shape[1])
        ]
        self._gemv, self._ones = _GEMV[w.dtype.char], np.ones(m, w.dtype)
        self._product = None if self._gemm is not None else np.empty_like(w)

    def forward(self, inputs: Array) -> Array:
        self._multiply(inputs)
        a = self.a
        a += self._b
        self._value(a)
        return a

    def descend(self, inputs: Array) -> None:
        delta, rate = self.delta, self._rate
        if self._product is None:
            self._gemv(-rate, delta.T, self._ones, 1, self._b, 0, 1, 0, 1, 0, 1)
            inputs = inputs.T
            for delta_t, w_t in self._blocks:
                self._gemm(-rate, inputs, delta_t, self._keep, w_t, 0, 1, 1)
            return
        delta *= delta.dtype.type(rate)
        b = self._b
        b -= np.add.reduce(delta, axis=0)
        product, w = np.matmul(delta.T, inputs, out=self._product), self.w
        if self._keep != 1:
            w *= w.dtype.type(self._keep)
        w -= product
