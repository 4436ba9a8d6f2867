"""Regularization of the weights (never of the biases): the penalty, and its step of an update."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nndl_exp.nn.arrays import Array


@dataclass(frozen=True)
class Regularizer:
    """A penalty R with the cost C = C₀ + λ/n R, and its part of a gradient step.

    ``penalty(weights)`` is R. ``shrink(w, amount)`` changes ``w`` in place by -amount ∂R/∂w, where
    amount is ηλ/n.
    """

    penalty: Callable[[Sequence[Array]], float]
    shrink: Callable[[Array, float], None]


def _no_penalty(weights: Sequence[Array]) -> float:
    return 0.0


def _no_shrink(w: Array, amount: float) -> None:
    return None


def _l2_penalty(weights: Sequence[Array]) -> float:
    return 0.5 * float(sum(np.vdot(w, w) for w in weights))


def _l2_shrink(w: Array, amount: float) -> None:
    w *= 1 - amount


def _l1_penalty(weights: Sequence[Array]) -> float:
    return float(sum(np.abs(w).sum() for w in weights))


def _l1_shrink(w: Array, amount: float) -> None:
    # np.sign(0) is 0, the book's convention at the kink (after equation 97).
    w -= np.sign(w) * w.dtype.type(amount)


REGULARIZERS: dict[str, Regularizer] = {
    "none": Regularizer(_no_penalty, _no_shrink),
    "l2": Regularizer(_l2_penalty, _l2_shrink),  # equations 87 and 93
    "l1": Regularizer(_l1_penalty, _l1_shrink),  # equations 95 and 97
}
