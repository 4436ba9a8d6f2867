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

# The roundest first.
_ROUND = (90, 99, 95, 98, 80, 50, 20, 0, 99.9, 70, 97, 85, 60, 40, 92, 94, 96, 93, 91, 99.5, 98.5)
_ROUND_COSTS = tuple(float(f"{d}e{power}") for d in (1, 5, 2, 3, 7, 1.5) for power in range(-6, 4))
_LEAST_ERRORS, _LEAST_COST = 0.05, 1e-6  # what 0 is drawn as; errors in percent

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scale:
    """Between objectives (percent of accuracy, or cost) and the heights that they are drawn at."""

    by_cost: bool

    def height(self, value: ArrayLike) -> Floats:
        """How high a value is drawn."""
        v = np.asarray(value, dtype=float)
        if self.by_cost:
            return np.asarray(np.log10(np.maximum(v, _LEAST_COST)))
        return np.asarray(-np.log10(np.maximum(100 - v, _LEAST_ERRORS)))

    def value(self, height: ArrayLike) -> Floats:
        """The value at a height."""
        v = np.asarray(height, dtype=float)
        return 10.0**v if self.by_cost else 100 - 10.0**-v

    def ticks(self, low: float, high: float, room: float = 0.07) -> list[float]:
        """Values between two values, the roundest that have room beside each other; two or more.

        ``room`` is what one needs, as a part of the whole axis.
        """
        known = _ROUND_COSTS if self.by_cost else _ROUND
        kept: list[float] = []
        room *= float(self.height(high) - self.height(low))
        for tick in (t for t in known if low <= t <= high):
            if all(abs(float(self.height(tick) - self.height(k))) >= room for k in kept):
                kept.append(tick)
        if len(kept) < 3:
            found = MaxNLocator(5).tick_values(low, high)
            kept = [float(tick) for tick in found if low <= tick <= high]
        return sorted(kept)

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
