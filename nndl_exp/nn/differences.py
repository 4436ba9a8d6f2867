"""Numerical derivatives, to check the formulas by (chapter 2, "In what sense is backpropagation a
fast algorithm?")."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from nndl_exp.nn.arrays import Array


def central_differences(function: Callable[[], ArrayLike], at: Array, h: float = 1e-5) -> Array:
    """(f(x + h) - f(x - h)) / 2h for each number x of an array that ``function`` depends on.

    The result has the shape of ``at`` followed by the shape of the function's value. ``at`` is
    changed in place and put back.
    """
    return np.array([
        (_moved(function, at, i, h) - _moved(function, at, i, -h)) / (2 * h)
        for i in np.ndindex(at.shape)
    ]).reshape(*at.shape, *np.shape(function()))  # fmt: skip


def forward_differences(
    function: Callable[[], ArrayLike], at: Array, here: float | Array, h: float = 1e-7
) -> Array:
    """The same by (f(x + h) - f(x)) / h (equation 46), where ``here`` is f(x)."""
    steps = [_moved(function, at, i, h) - here for i in np.ndindex(at.shape)]
    return np.array(steps).reshape(*at.shape, *np.shape(here)) / h


def _moved(function: Callable[[], ArrayLike], at: Array, i: tuple[int, ...], h: float) -> Array:
    before = at[i]
    at[i] = before + h
    try:
        return np.array(function())
    finally:
        at[i] = before
