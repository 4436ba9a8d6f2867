"""Initial weights and biases, in float64; a network rounds them to its own dtype."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nndl_exp.nn.arrays import Array

Draw = Callable[[np.random.Generator, int, int], Array]


@dataclass(frozen=True)
class Initializer:
    """``weights(rng, n_out, n_in)`` has shape (n_out, n_in), ``biases(rng, n_out)`` (n_out,)."""

    weights: Draw
    biases: Callable[[np.random.Generator, int], Array]


def _normal(deviation: Callable[[int, int], float]) -> Draw:
    def draw(rng: np.random.Generator, n_out: int, n_in: int) -> Array:
        w: Array = rng.standard_normal((n_out, n_in)) * deviation(n_out, n_in)
        return w

    return draw


def _normal_biases(rng: np.random.Generator, n_out: int) -> Array:
    b: Array = rng.standard_normal(n_out)
    return b


def _zero_biases(rng: np.random.Generator, n_out: int) -> Array:
    return np.zeros(n_out)


INITIALIZERS: dict[str, Initializer] = {
    # The book's (chapter 3, "Weight initialization"): z stays near 1, neurons do not saturate.
    "default": Initializer(_normal(lambda n_out, n_in: n_in**-0.5), _normal_biases),
    # Chapter 1's: hidden neurons start saturated.
    "large": Initializer(_normal(lambda n_out, n_in: 1.0), _normal_biases),
    # Glorot and Bengio 2010, equation 12's variance: for tanh and sigmoid.
    "glorot": Initializer(_normal(lambda n_out, n_in: (2 / (n_in + n_out)) ** 0.5), _zero_biases),
    # He et al. 2015, equation 10: for ReLU, which halves the variance.
    "he": Initializer(_normal(lambda n_out, n_in: (2 / n_in) ** 0.5), _zero_biases),
}
