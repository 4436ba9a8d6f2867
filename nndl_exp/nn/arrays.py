"""The array types of the core."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.floating[Any]]
"""float32 or float64; the core keeps the precision that it is given."""

Indices: TypeAlias = NDArray[np.integer[Any]]
"""Labels or positions of examples."""
