"""A learning curve in one line of text."""

import math
from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int) -> str:
    """A curve as blocks between its own smallest and largest value, at most ``width`` of them.

    Where there are more values, each block stands for the last of several. What is not finite is
    a gap.

    >>> sparkline([0.1, 0.5, 0.9, 0.8, math.nan], width=10)
    '▁▅█▇ '
    """
    n = len(values)
    cells = min(n, max(0, width))
    shown = [values[(i + 1) * n // cells - 1] for i in range(cells)]
    finite = [value for value in shown if math.isfinite(value)]
    if not finite:
        return " " * cells
    low, high = min(finite), max(finite)
    scale = (len(_BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(
        _BLOCKS[round((value - low) * scale)] if math.isfinite(value) else " " for value in shown
    )
