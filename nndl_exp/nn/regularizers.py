"""Regularization of the weights (never of the biases): the penalty, and its step of an update."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nndl_exp.nn.arrays import Array


@dataclass(frozen=True)
class Regularizer:
    """A penalty R with the cost C = C₀ + λ/n R, and its part of a gradient step.

    ``penalty(weights)`` is R. ``descend(target, w, amount)`` changes ``target`` in place by
    -amount ∂R/∂w, with amount = ηλ/n; the target is ``w`` itself, or its velocity.
    """

    penalty: Callable[[Sequence[Array]], float]
    descend: Callable[[Array, Array, float], None]


def _no_penalty(weights: Sequence[Array]) -> float:
    return 0.0


def _stay(target: Array, w: Array, amount: float) -> None:
    return None


def _l2_penalty(weights: Sequence[Array]) -> float:
    return 0.5 * float(sum(np.vdot(w, w) for w in weights))


def _l2_descend(target: Array, w: Array, amount: float) -> None:
    if target is w:
        w *= 1 - amount  # weight decay, in one pass
    else:
        target -= w.dtype.type(amount) * w


def _l1_penalty(weights: Sequence[Array]) -> float:
    return float(sum(np.abs(w).sum() for w in weights))


def _l1_descend(target: Array, w: Array, amount: float) -> None:
    # np.sign(0) is 0, the book's convention at the kink (after equation 97).
    target -= np.sign(w) * w.dtype.type(amount)


REGULARIZERS: dict[str, Regularizer] = {
    "none": Regularizer(_no_penalty, _stay),
    "l2": Regularizer(_l2_penalty, _l2_descend),  # equations 87 and 93
    "l1": Regularizer(_l1_penalty, _l1_descend),  # equations 95 and 97
}
