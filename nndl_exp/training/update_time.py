"""An estimate of the time that training takes, the same on every machine.

Measured seconds differ from one training to the next, and so does a decision that rests on them. A
study decides by estimated seconds instead. An update takes

    UPDATE + WEIGHT W + m (PRODUCT W + NEURON N)   seconds

for a network with W weights and N neurons and a mini-batch of m examples: the calls themselves, the
step of the weights, the matrix products, and the activations.
"""

import math
from collections.abc import Sequence

from nndl_exp.nn.network import count_multiply_adds

CONSTANTS = (1.1e-5, 1.6e-10, 5e-11, 6.4e-9)
"""UPDATE, WEIGHT, PRODUCT and NEURON in seconds, fitted by ``python -m benchmarks.training --fit``
on one thread. They belong to the identity of a study: others may lead to other decisions."""


def update_seconds(sizes: Sequence[int], m: int) -> float:
    """The estimated time of an update of a network with these layers, in seconds."""
    terms = time_terms(sizes, m)
    return sum(constant * term for constant, term in zip(CONSTANTS, terms, strict=True))


def time_terms(sizes: Sequence[int], m: int) -> tuple[int, int, int, int]:
    """What the constants are multiplied by: 1, W, m W and m N."""
    weights, neurons = count_multiply_adds(sizes), sum(sizes[1:])
    return 1, weights, m * weights, m * neurons


def epoch_seconds(sizes: Sequence[int], m: int, n: int) -> float:
    """The estimated time of an epoch of ``n`` examples, in seconds."""
    return math.ceil(n / m) * update_seconds(sizes, m)
