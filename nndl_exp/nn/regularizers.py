"""Regularization of the weights, never of the biases: C = C₀ + λ/n R(w)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nndl_exp.errors import one_of
from nndl_exp.nn.arrays import Array


@dataclass(frozen=True)
class Regularizer:
    """R for one layer's weights w, and its gradient ∂R/∂w, an array of the shape of w."""

    penalty: Callable[[Array], float]
    gradient: Callable[[Array], Array]


def _half_of_squares(w: Array) -> float:
    return 0.5 * float(np.vdot(w, w))


def _sum_of_sizes(w: Array) -> float:
    return float(np.abs(w).sum())


REGULARIZERS: dict[str, Regularizer] = {
    "none": Regularizer(lambda w: 0.0, np.zeros_like),
    "l2": Regularizer(_half_of_squares, lambda w: w),  # equations 87 and 93
    # np.sign(0) is 0, the book's convention at the kink (after equation 97).
    "l1": Regularizer(_sum_of_sizes, np.sign),  # equations 95 and 97
}


@dataclass(frozen=True)
class Regularization:
    """A regularizer by its name, its λ, and the size n of the training set that λ is divided by.

    Raises:
        UserError: there is no such regularizer.
    """

    name: str = "none"
    lmbda: float = 0.0
    n: int = 1

    def __post_init__(self) -> None:
        one_of(REGULARIZERS, self.name, "a regularizer")

    @property
    def strength(self) -> float:
        """λ/n; 0 where nothing is regularized."""
        return 0.0 if self.name == "none" else self.lmbda / self.n

    def term(self, weights: Sequence[Array]) -> float:
        """λ/n R(w), the regularization term of the cost."""
        penalty = REGULARIZERS[self.name].penalty
        return self.strength * sum(penalty(w) for w in weights) if self.strength else 0.0

    def step(self, w: Array, eta: float) -> Array:
        """ηλ/n ∂R/∂w, of the shape of w."""
        return w.dtype.type(eta * self.strength) * REGULARIZERS[self.name].gradient(w)


UNREGULARIZED = Regularization()
