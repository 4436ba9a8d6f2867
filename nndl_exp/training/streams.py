"""Randomness as a value: one seed, an independent stream for each purpose and epoch."""

import numpy as np

from nndl_exp.nn.arrays import Indices

_INITIAL_VALUES, _SHUFFLING, _DROPOUT, _EXPANSION = 1, 2, 3, 4


class Streams:
    """The random streams of one run.

    Every stream is the one that ``numpy.random.SeedSequence(seed)`` would spawn under its number.
    Those that are used in each epoch are numbered by the epoch too, so that epoch 17 can be
    repeated, or training resumed there, without any state to be stored.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def initial_values(self) -> np.random.Generator:
        """The stream that weights and biases are drawn from."""
        return self._stream(_INITIAL_VALUES)

    def order(self, epoch: int, n: int) -> Indices:
        """The order, a permutation of 0 .. n - 1, in which an epoch visits n examples."""
        return self._stream(_SHUFFLING, epoch).permutation(n)

    def dropout(self, epoch: int) -> np.random.Generator:
        """The stream that an epoch's dropout masks are drawn from."""
        return self._stream(_DROPOUT, epoch)

    def expansion(self, epoch: int) -> np.random.Generator:
        """The stream of an epoch's expansion of the data; epoch 0 is before the first."""
        return self._stream(_EXPANSION, epoch)

    def _stream(self, *key: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=key))
