"""Dropout of hidden neurons (chapter 3, "Other techniques for regularization")."""

from collections.abc import Sequence

import numpy as np

from nndl_exp.nn.arrays import Array


def draw_masks(
    rng: np.random.Generator, rates: Sequence[float], hidden: Sequence[int], m: int, dtype: str
) -> list[Array]:
    """For each hidden layer an array of shape (m, n) that its activations are multiplied by.

    A neuron is dropped with its layer's rate; those that stay are scaled by 1/(1 - rate), so that
    the weights need no halving when the network is used (Srivastava et al. 2014, section 10).
    """
    return [
        (rng.random((m, n), dtype=np.float32) >= rate).astype(dtype)
        / np.dtype(dtype).type(1 - rate)
        for rate, n in zip(rates, hidden, strict=True)
    ]
