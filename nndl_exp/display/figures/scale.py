"""The scales of figures: that of log error for objectives, and the ticks of hyper-parameters.

Accuracies of a study crowd below 100 %. On a scale of log(100 - accuracy) the steps from 80 to 90
and from 90 to 95 % are equally long, as both halve the errors. Costs are on a log scale.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import ArrayLike, NDArray

from nndl_exp.display.findings import Objective, Parameter
from nndl_exp.training.accuracy import Measure

# The roundest first, in percent.
_ROUND = (90, 99, 95, 98, 80, 50, 20, 0, 99.9, 70, 97, 85, 60, 40, 92, 94, 96, 93, 91, 99.5, 98.5)
_ROUND_COSTS = tuple(float(f"{d}e{power}") for d in (1, 5, 2, 3, 7, 1.5) for power in range(-6, 4))
_LEAST_ERRORS, _LEAST_COST = 0.0005, 1e-6
"""The values that 0 is drawn as: errors as a part of what a perfect accuracy is."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scale:
    """Between objectives and the heights that they are drawn at.

    ``perfect`` is what a perfect accuracy is called, 100 (percent) or 1 (R²); None of a cost.
    """

    perfect: float | None

    @classmethod
    def of(cls, objective: Objective) -> "Scale":
        """The scale of what trials are judged by."""
        return cls(None) if objective.by_cost else cls.of_accuracy(objective.measure)

    @classmethod
    def of_accuracy(cls, measure: Measure) -> "Scale":
        """The scale of accuracies in percent, or of R²."""
        return cls(float(measure.scale))

    def height(self, value: ArrayLike) -> Floats:
        """The height that a value is drawn at."""
        v = np.asarray(value, dtype=float)
        if self.perfect is None:
            return np.asarray(np.log10(np.maximum(v, _LEAST_COST)))
        return np.asarray(-np.log10(np.maximum(1 - v / self.perfect, _LEAST_ERRORS)))

    def value(self, height: ArrayLike) -> Floats:
        """The value at a height."""
        v = np.asarray(height, dtype=float)
        return 10.0**v if self.perfect is None else self.perfect * (1 - 10.0**-v)

    def ticks(self, low: float, high: float, room: float = 0.07) -> list[float]:
        """Values between two values, the roundest that have room beside each other; two or more.

        ``room`` is what one needs, as a part of the whole axis.
        """
        kept: list[float] = []
        room *= float(self.height(high) - self.height(low))
        for tick in (t for t in self._round() if low <= t <= high):
            if all(abs(float(self.height(tick) - self.height(k))) >= room for k in kept):
                kept.append(tick)
        if len(kept) < 3:
            found = MaxNLocator(5).tick_values(low, high)
            kept = [float(tick) for tick in found if low <= tick <= high]
        return sorted(kept)

    def _round(self) -> Sequence[float]:
        if self.perfect is None:
            return _ROUND_COSTS
        return [round(tick * self.perfect / 100, 6) for tick in _ROUND]

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
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_locator(NullLocator())


def log_ticks(low: float, high: float) -> list[float]:
    """Round values of a log range: powers of ten where there are three, else also 2 and 5."""
    for steps in ((1,), (1, 2, 5), (1, 2, 3, 4, 5, 6, 7, 8, 9)):
        ticks = [
            float(f"{step}e{power}")
            for power in range(-12, 13)
            for step in steps
            if low * 0.999 <= float(f"{step}e{power}") <= high * 1.001
        ]
        if len(ticks) >= 3:
            return ticks[:: 1 + len(ticks) // 7]
    return [low, high]


def parameter_ticks(parameter: Parameter) -> list[tuple[float, str]]:
    """The places on a hyper-parameter's scale that are labelled, and with what."""
    if parameter.choices:
        values = [float(i) for i in range(len(parameter.choices))]
    elif parameter.low == parameter.high:
        values = [parameter.low]
    elif parameter.is_coarse:
        values = [float(i) for i in range(round(parameter.low), round(parameter.high) + 1)]
    elif parameter.log:
        zero = [] if parameter.floor is None else [0.0]
        values = [*zero, *log_ticks(parameter.floor or parameter.low, parameter.high)]
    else:
        found = MaxNLocator(5, integer=parameter.whole).tick_values(parameter.low, parameter.high)
        values = [float(v) for v in found if parameter.low <= v <= parameter.high]
    texts = [parameter.choices[round(v)] if parameter.choices else f"{v:g}" for v in values]
    return [(parameter.position(v), text) for v, text in zip(values, texts, strict=True)]
