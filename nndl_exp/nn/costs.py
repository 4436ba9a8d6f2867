"""Cost functions: the cost C_x of each example, and the error δ = ∂C_x/∂z of the output layer.

``z``, ``a`` and the targets ``y`` have shape (m, n_out); a cost has shape (m,), one number for
each example. Which output activations a cost goes with is said in ``OUTPUTS_OF`` and nowhere else.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nndl_exp.errors import UserError, one_of
from nndl_exp.nn.activations import ACTIVATIONS
from nndl_exp.nn.arrays import Array


@dataclass(frozen=True)
class Cost:
    """``value(z, a, y)`` is C_x, of shape (m,); ``delta(a, y)`` is δ, of shape (m, n_out) (BP1).

    ``matched``: whether the output's σ' cancels, so that δ = a - y and no output learns slowly for
    being saturated.
    """

    value: Callable[[Array, Array, Array], Array]
    delta: Callable[[Array, Array], Array]
    matched: bool = False


def quadratic(z: Array, a: Array, y: Array) -> Array:
    """C_x = ½ ‖a - y‖² (equation 6)."""
    difference = a - y
    c: Array = 0.5 * np.einsum("ij,ij->i", difference, difference)
    return c


def cross_entropy(z: Array, a: Array, y: Array) -> Array:
    """C_x = -Σ_j [y ln a + (1 - y) ln(1 - a)] for sigmoid outputs (equation 63).

    Computed from z as Σ_j [ln(1 + e^z) - y z], which is the same thing and stays finite where a
    has been rounded to 0 or 1.
    """
    c: Array = (np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))) - y * z).sum(axis=-1)
    return c


def log_likelihood(z: Array, a: Array, y: Array) -> Array:
    """C_x = -Σ_j y_j ln a_j for softmax outputs (equation 80), computed from z."""
    shifted = z - z.max(axis=-1, keepdims=True)
    ln_a = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    c: Array = -(y * ln_a).sum(axis=-1)
    return c


_VALUES: dict[str, Callable[[Array, Array, Array], Array]] = {
    "quadratic": quadratic,
    "cross_entropy": cross_entropy,
    "log_likelihood": log_likelihood,
}

_NABLA_A: dict[str, Callable[[Array, Array], Array]] = {
    "quadratic": lambda a, y: a - y,
}
"""∂C_x/∂a of the costs that go with any output."""

_MATCHED = {"quadratic": "linear", "cross_entropy": "sigmoid", "log_likelihood": "softmax"}
"""The output of each cost with which σ' cancels, so that δ = a - y (equations 68 and 84)."""

OUTPUTS_OF: dict[str, tuple[str, ...]] = {
    "quadratic": ("sigmoid", "tanh", "relu", "linear", "softmax"),
    "cross_entropy": ("sigmoid",),
    "log_likelihood": ("softmax",),
}
"""The output activations that each cost is defined for."""


def pair(cost: str, output: str) -> Cost:
    """The cost for an output layer of the given activation.

    Raises:
        UserError: there is no such cost or activation, or the two do not go together; the message
            lists the pairs that do.
    """
    one_of(ACTIVATIONS, output, "an output activation")
    if output not in one_of(OUTPUTS_OF, cost, "a cost"):
        pairs = ", ".join(f"{c} with {' or '.join(outputs)}" for c, outputs in OUTPUTS_OF.items())
        raise UserError(f"the cost {cost} does not go with {output} outputs; allowed are {pairs}")
    if _MATCHED.get(cost) == output:
        return Cost(_VALUES[cost], lambda a, y: a - y, matched=True)
    nabla_a, backward = _NABLA_A[cost], ACTIVATIONS[output].backward
    return Cost(_VALUES[cost], lambda a, y: backward(nabla_a(a, y), a))


def constant_cost(cost: str, output: str, y: Array) -> float:
    """The least mean cost that a constant prediction has on the targets y, of shape (m, n_out).

    For each of our costs the best constant is the mean target: for classes their frequencies.
    """
    mean = y.mean(axis=0, dtype=np.float64)
    # For the costs that are computed from z; a class that does not occur has a = 0.
    a = np.clip(mean, 1e-15, 1 - 1e-15) if cost != "quadratic" else mean
    z = {"cross_entropy": lambda: np.log(a) - np.log1p(-a), "log_likelihood": lambda: np.log(a)}
    constant = z[cost]() if cost in z else a
    return float(pair(cost, output).value(constant[None], a[None], y).mean())
