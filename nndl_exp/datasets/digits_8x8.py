"""The 1,797 digits of 8 x 8 pixels that scikit-learn ships: the smallest source there is."""

import numpy as np

from nndl_exp.datasets.cache import Source
from nndl_exp.datasets.split import split

SIZES = (1078, 360, 359)
WHITE = 16  # pixels count the dark dots of 4 x 4 blocks (Alpaydin and Kaynak 1998)
_SEED = 0  # of the split; not a run's seed, so that all runs see the same sets


def read() -> Source:
    """The digits shuffled into a stratified training, validation and test set of ``SIZES``."""
    from sklearn.datasets import load_digits  # takes a second: only when the cache is empty

    digits = load_digits()
    pixels, labels = digits.data.astype(np.uint8), digits.target.astype(np.uint8)
    order = np.concatenate(split(len(labels), (0.6, 0.2, 0.2), _SEED, labels))
    return Source(pixels[order], labels[order])
