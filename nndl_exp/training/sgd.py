"""Stochastic gradient descent: the update step and an epoch of them."""

from collections.abc import Iterator

import numpy as np
from scipy.linalg.blas import dgemm, sgemm

from nndl_exp.nn.arrays import Array, Indices
from nndl_exp.nn.network import Network
from nndl_exp.nn.regularizers import Regularizer

ROWS_AT_ONCE = 1000
"""About how many examples are gathered from the shuffled order at a time.

One gather a mini-batch is slow, one of the whole set needs a second copy of it in memory.
"""

_ACCUMULATE_UP_TO = 50
_GEMM = {"f": sgemm, "d": dgemm}


def update_mini_batch(
    network: Network, x: Array, y: Array, *, eta: float, decay: float, regularizer: Regularizer
) -> None:
    """One step of gradient descent, in place, by equations 93 and 94 (for L2).

    b ← b - η/m Σ ∂C_x/∂b and w ← (1 - ηλ/n) w - η/m Σ ∂C_x/∂w. ``decay`` is ηλ/n, with n the size
    of the whole training set; ``x`` has shape (m, n_in), ``y`` (m, n_out).
    """
    activations, deltas = network.errors(x, y)
    rate = eta / len(x)
    for w, b, a, delta in zip(network.weights, network.biases, activations, deltas, strict=True):
        regularizer.shrink(w, decay)
        _subtract_product(w, rate, delta, a)
        delta *= rate
        b -= np.add.reduce(delta, axis=0)


def _subtract_product(w: Array, rate: float, delta: Array, a: Array) -> None:
    """w ← w - rate δᵀ a, in place: the outer products of BP4, summed over the mini-batch.

    For small mini-batches BLAS adds its product to w in one pass (gemm with beta = 1 on the
    transposed views); the product alone would first be written to memory and read again. Measured
    on [784, 100, 10], one thread, float32: 9 against 122 µs at m = 1, 29 against 40 at m = 10, but
    215 against 192 at m = 100, where NumPy's product is the faster one.
    """
    if len(a) <= _ACCUMULATE_UP_TO and a.flags.c_contiguous and delta.flags.c_contiguous:
        _GEMM[w.dtype.char](-rate, a.T, delta.T, 1.0, w.T, trans_b=1, overwrite_c=1)
        return
    nabla_w = delta.T @ a
    nabla_w *= w.dtype.type(rate)
    w -= nabla_w


def mini_batches(
    x: Array, y: Array, order: Indices, size: int, dtype: str
) -> Iterator[tuple[Array, Array]]:
    """The examples in the given order, ``size`` at a time; the last mini-batch may be smaller."""
    block = size * max(1, ROWS_AT_ONCE // size)
    for start in range(0, len(order), block):
        rows = order[start : start + block]
        xs, ys = x[rows].astype(dtype, copy=False), y[rows].astype(dtype, copy=False)
        for i in range(0, len(rows), size):
            yield xs[i : i + size], ys[i : i + size]
