"""The array types of the core, and the one rule for inputs."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array: TypeAlias = NDArray[np.floating[Any]]
"""float32 or float64; the core keeps the precision that it is given."""

Indices: TypeAlias = NDArray[np.integer[Any]]
"""Labels or positions of examples."""


def as_inputs(x: NDArray[Any], dtype: DTypeLike) -> Array:
    """Inputs x in the precision of a network, without a copy where they have it already.

    uint8 is pictures in 256 shades of grey, which become 0 to 255/256, the book's scale.
    """
    if x.dtype == np.uint8:
        scaled: Array = np.divide(x, 256, dtype=dtype)
        return scaled
    converted: Array = x.astype(dtype, copy=False)
    return converted
