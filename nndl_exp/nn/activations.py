"""Activation functions: the value a = σ(z), and how an error passes back through it.

An activation acts on the rows of ``z``, of shape (m, n): m examples, n neurons. Its second half,
``backward(nabla_a, a)``, turns ∂C/∂a into ∂C/∂z. It is written in terms of ``a`` alone, so that
the forward pass need not keep ``z``.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from nndl_exp.nn.arrays import Array


@dataclass(frozen=True)
class Activation:
    """σ, its slope, and the product of ∂C/∂a with the Jacobian of σ.

    ``value(z)`` returns a, of the shape of z. ``backward(nabla_a, a)`` returns ∂C/∂z: for an
    element-wise σ it is ``nabla_a * σ'(z)``, the second factor of BP1 and BP2. ``slope(a)`` is
    ∂a_j/∂z_j of each neuron, ``steepest`` the largest value that it can have.
    """

    value: Callable[[Array], Array]
    backward: Callable[[Array, Array], Array]
    slope: Callable[[Array], Array]
    steepest: float = 1.0


_MANY = 1000


def sigmoid(z: Array, out: Array | None = None) -> Array:
    """σ(z) = 1 / (1 + exp(-z)) (equation 3), without overflow for any finite z; ``out`` may be z.

    SciPy's function is one pass, NumPy's four use the processor's vectors: 3.6 against 2.4 µs for
    1,000 numbers of float32, 33 against 9 for 10,000.
    """
    if z.size < _MANY:
        a: Array = expit(z, out=out)
        return a
    a = np.negative(z, out=out)
    with np.errstate(over="ignore"):  # 1 / inf is the right limit
        np.exp(a, out=a)
    a += 1
    return np.reciprocal(a, out=a)


def softmax(z: Array) -> Array:
    """exp(z_j) / Σ_k exp(z_k) over each row (equation 78).

    The largest z of the row is taken off first: that changes nothing (the outputs are invariant
    under a shift of z) and keeps exp from overflowing.
    """
    a: Array = np.exp(z - z.max(axis=-1, keepdims=True))
    a /= a.sum(axis=-1, keepdims=True)
    return a


def _sigmoid_slope(a: Array) -> Array:
    return a * (1 - a)


def _tanh(z: Array) -> Array:
    a: Array = np.tanh(z)
    return a


def _tanh_slope(a: Array) -> Array:
    return 1 - a * a


def _relu(z: Array) -> Array:
    a: Array = np.maximum(z, 0)
    return a


def _relu_slope(a: Array) -> Array:
    return (a > 0).astype(a.dtype)


def _linear(z: Array) -> Array:
    return z


def _linear_backward(nabla_a: Array, a: Array) -> Array:
    return nabla_a


def _softmax_backward(nabla_a: Array, a: Array) -> Array:
    # The Jacobian diag(a) - a aᵀ is symmetric; its product is formed without building it.
    product: Array = a * (nabla_a - (nabla_a * a).sum(axis=-1, keepdims=True))
    return product


def _element_wise(
    value: Callable[[Array], Array], slope: Callable[[Array], Array], steepest: float = 1.0
) -> Activation:
    return Activation(value, lambda nabla_a, a: nabla_a * slope(a), slope, steepest)


ACTIVATIONS: dict[str, Activation] = {
    "sigmoid": _element_wise(sigmoid, _sigmoid_slope, 0.25),
    "tanh": _element_wise(_tanh, _tanh_slope),
    "relu": _element_wise(_relu, _relu_slope),
    "linear": Activation(_linear, _linear_backward, np.ones_like),
    "softmax": Activation(softmax, _softmax_backward, _sigmoid_slope, 0.25),
}
