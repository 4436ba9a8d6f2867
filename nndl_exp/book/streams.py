"""The random numbers of the book's own programs, for curves that are equal to its last digit.

The figures of chapter 3 were made with fixed seeds: NumPy's legacy ``RandomState`` for weights and
biases, and Python 2's ``random.shuffle`` for the order of the images.
"""

import random
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from nndl_exp.nn import Network
from nndl_exp.nn.arrays import Array, Indices
from nndl_exp.nn.network import Parts
from nndl_exp.training import Streams

SEED = 12345678
"""Of all figures of chapter 3."""


class Values:
    """Initial weights and biases, one network after another from the same generator.

    For each network all biases are drawn first, layer by layer, then all weights, from N(0, 1); the
    default initialization divides a weight by sqrt(n_in). A network that is made with default
    weights and then switched to large ones draws both.
    """

    def __init__(self, seed: int = SEED) -> None:
        self._rng = np.random.RandomState(seed)

    def default(self, sizes: Sequence[int], cost: str) -> Network:
        """A network of sigmoid neurons in float64 with default weights."""
        return Network(*self._draw(sizes, divided=True), Parts("sigmoid", "sigmoid", cost))

    def large(self, sizes: Sequence[int], cost: str) -> Network:
        """The next network, which has large weights."""
        return Network(*self._draw(sizes, divided=False), Parts("sigmoid", "sigmoid", cost))

    def switched(self, sizes: Sequence[int], cost: str) -> Network:
        """A network with large weights that was made with default ones."""
        self._draw(sizes, divided=True)
        return self.large(sizes, cost)

    def _draw(self, sizes: Sequence[int], *, divided: bool) -> tuple[list[Array], list[Array]]:
        biases: list[Array] = [self._rng.randn(n_out, 1)[:, 0] for n_out in sizes[1:]]
        weights: list[Array] = [
            self._rng.randn(n_out, n_in) / (np.sqrt(n_in) if divided else 1.0)
            for n_in, n_out in pairwise(sizes)
        ]
        return weights, biases


class Orders(Streams):
    """The order of the images in each epoch: a list that is shuffled again before each.

    What one run has shuffled stays so for the next, unless that takes a slice of the images, which
    is a new list.
    """

    def __init__(self, seed: int = SEED) -> None:
        super().__init__(seed)
        self._random = random.Random(seed)
        self._lists: dict[int, list[int]] = {}

    def fresh(self, n: int) -> None:
        """Begin a new list of the first n images, in their original order."""
        self._lists[n] = list(range(n))

    def order(self, epoch: int, n: int) -> Indices:
        """The order of the next epoch; epochs are to be asked for one after another."""
        order = self._lists.setdefault(n, list(range(n)))
        for i in reversed(range(1, n)):  # as Python 2 did it
            j = int(self._random.random() * (i + 1))
            order[i], order[j] = order[j], order[i]
        return np.array(order)
