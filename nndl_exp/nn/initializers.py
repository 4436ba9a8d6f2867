"""Initial weights: ``(rng, n_out, n_in) -> w``, float64 of shape (n_out, n_in).

Biases start as N(0, 1) in both of the book's schemes (chapter 3, "Weight initialization").
"""

from collections.abc import Callable

import numpy as np

from nndl_exp.nn.arrays import Array

Initializer = Callable[[np.random.Generator, int, int], Array]


def default(rng: np.random.Generator, n_out: int, n_in: int) -> Array:
    """N(0, 1/n_in): a standard deviation of 1/√n_in keeps z near 1 and neurons unsaturated."""
    w: Array = rng.standard_normal((n_out, n_in)) / np.sqrt(n_in)
    return w


def large(rng: np.random.Generator, n_out: int, n_in: int) -> Array:
    """N(0, 1), as in chapter 1: hidden neurons start saturated."""
    return rng.standard_normal((n_out, n_in))


INITIALIZERS: dict[str, Initializer] = {"default": default, "large": large}
