"""The scale on which objectives are drawn: that of log error, where good trials are told apart.

Accuracies of a study crowd below 100 %. On a scale of log(100 - accuracy) the steps from 80 to 90
and from 90 to 95 % are equally long, as both halve the errors. Costs are on a log scale.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import ArrayLike, NDArray

_ROUND = (0, 20, 40, 60, 70, 80, 85, 90, 92, 93, 94, 95, 96, 97, 98, 98.5, 99, 99.5, 99.9, 100)
_LEAST = 0.05  # percent of errors, and the cost, that 0 is drawn as

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scale:
    """Between objectives (percent of accuracy, or cost) and the heights that they are drawn at."""

    by_cost: bool

    def height(self, value: ArrayLike) -> Floats:
        """How high a value is drawn."""
        v = np.asarray(value, dtype=float)
        logs: Floats = np.log10(np.maximum(v if self.by_cost else 100 - v, _LEAST))
        return logs if self.by_cost else -logs

    def value(self, height: ArrayLike) -> Floats:
        """The value at a height."""
        v = np.asarray(height, dtype=float)
        return 10.0**v if self.by_cost else 100 - 10.0**-v

    def ticks(self, low: float, high: float) -> list[float]:
        """Round values between two values, at least three, at most nine."""
        known = 10.0 ** np.arange(-2, 4)
        of_cost = sorted(float(f * k) for f in (1, 1.5, 2, 3, 5, 7) for k in known)
        ticks = [t for t in (of_cost if self.by_cost else _ROUND) if low <= t <= high]
        if len(ticks) < 3:
            found = MaxNLocator(5).tick_values(low, high)
            ticks = [float(t) for t in found if low <= t <= high]
        return self._thinned(ticks)

    def _thinned(self, ticks: list[float]) -> list[float]:
        """Without those that would be printed over each other."""
        if len(ticks) < 3:
            return ticks
        heights = self.height(ticks)
        room = 0.07 * abs(float(heights[-1] - heights[0]))
        kept = [len(ticks) - 1]
        for i in range(len(ticks) - 2, -1, -1):
            if abs(float(heights[kept[-1]] - heights[i])) >= room:
                kept.append(i)
        return [ticks[i] for i in sorted(kept)]

    def limits(self, values: Sequence[float]) -> tuple[float, float]:
        """The values at the bottom and the top of a plot that shows all of these."""
        heights = self.height(values)
        low, high = float(heights.min()), float(heights.max())
        margin = 0.06 * (high - low) or 0.05
        bottom, top = self.value([low - margin, high + margin])
        return float(bottom), float(top)

    def apply(self, axes: Axes, values: Sequence[float]) -> None:
        """Draw the vertical axis of a plot that shows these values on this scale."""
        bottom, top = self.limits(values)
        axes.set_yscale("function", functions=(self.height, self.value))
        axes.set_ylim(bottom, top)
        axes.yaxis.set_major_locator(FixedLocator(self.ticks(bottom, top)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
