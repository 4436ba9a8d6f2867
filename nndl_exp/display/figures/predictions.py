"""Figures of a network's predictions: confusion matrix, calibration, mistakes, residuals."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from nndl_exp.display.figures.gallery import gallery
from nndl_exp.display.figures.style import TRAINING, VALIDATION
from nndl_exp.display.predictions import Calibration, Predictions
from nndl_exp.nn.arrays import Array, Indices

MOST_WRONG, MOST_CLASSES = 24, 25
"""So many examples are shown, and so many classes have their counts written in."""
_LONGEST = 18  # characters of a class's name
_FEW = 10
"""Examples of a bin below which its accuracy is mostly chance."""
_INK = "#1a1a1a"  # on a coloured ground, which stays as it is where black text is made light


def confidently_wrong(
    found: Predictions, x: Array, shape: tuple[int, int], classes: Sequence[str], at: Indices
) -> Figure:
    """The examples ``at`` as pictures: true class, predicted class, and its probability."""
    names = [
        f"{classes[found.labels[i]]} as {classes[found.classes[i]]}\n"
        f"{100 * found.confidence[i]:.0f} %"
        for i in at
    ]
    return gallery(x[at].reshape(len(at), *shape), names, cmap="gray_r")


def confusion_matrix(counts: Indices, classes: Sequence[str]) -> Figure:
    """How many of each class (row) were taken for each class (column); mistakes are coloured."""
    n = len(classes)
    names = [name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…" for name in classes]
    long = max(map(len, names))
    side = min(9.0, max(4.2, 0.5 * n + 1.6)) + 0.06 * max(0, long - 3)
    figure = Figure(figsize=(side, side * 0.92), layout="constrained")
    axes = figure.subplots()
    mistakes = counts.astype(float)
    np.fill_diagonal(mistakes, 0)
    colour, norm = colormaps["YlOrRd"], Normalize(0, max(1.0, 1.6 * float(mistakes.max())))
    shown = np.ma.masked_equal(mistakes, 0)
    few = n <= MOST_CLASSES
    axes.pcolormesh(shown, cmap=colour, norm=norm, edgecolors="white" if few else "none",
                    linewidth=1, rasterized=not few)  # fmt: skip
    for (row, column), count in np.ndenumerate(counts if few else np.empty((0, 0))):
        if count:
            right = row == column
            axes.text(column + 0.5, row + 0.5, f"{count}", ha="center", va="center", fontsize=9,
                      color="black" if right else _INK,
                      weight="bold" if right else "normal")  # fmt: skip
    axes.set(xlabel="predicted class", ylabel="true class", xlim=(0, n), ylim=(n, 0))
    if few:
        axes.set_xticks(np.arange(n) + 0.5, names, rotation=60 if long > 3 else 0, parse_math=False)
        axes.set_yticks(np.arange(n) + 0.5, names, parse_math=False)
    axes.tick_params(length=0)
    axes.spines[:].set_color("0.5")
    return figure


def reliability(found: Calibration) -> Figure:
    """Accuracy against confidence, bin by bin, and how many examples are in each."""
    figure = Figure(figsize=(5.4, 5.2))
    figure.subplots_adjust(left=0.13, right=0.97, bottom=0.11, top=0.87, hspace=0.12)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    width, filled = np.diff(found.edges), found.counts > 0
    left = found.edges[:-1]
    above.plot([0, 1], [0, 1], linestyle="--", color="0.5", linewidth=1, label="perfect")
    few = filled & (found.counts < _FEW)
    for which, alpha, name in (
        (filled & ~few, 0.8, ""),
        (few, 0.25, f" of fewer than {_FEW}"),
    ):
        if which.any():
            above.bar(left[which], found.accuracy[which], width[which], align="edge", alpha=alpha,
                      color=VALIDATION, edgecolor="white", linewidth=0.6,
                      label=f"accuracy{name}")  # fmt: skip
    above.plot(found.confidence[filled], found.accuracy[filled], linestyle="", marker="o",
               color=TRAINING, markersize=4, markeredgecolor=_INK, markeredgewidth=0.5,
               clip_on=False, label="mean confidence")  # fmt: skip
    above.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.02))
    above.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=8, frameon=False,
                 handlelength=1.4)  # fmt: skip
    _draw_counts(below, found)
    for axes in (above, below):
        axes.grid(alpha=0.3)
        axes.set_axisbelow(True)
    return figure


def _draw_counts(below: Axes, found: Calibration) -> None:
    """Draw how many examples are in each bin."""
    width, filled = np.diff(found.edges), found.counts > 0
    left = found.edges[:-1]
    below.bar(left[filled], found.counts[filled], width[filled], align="edge", color="0.5",
              edgecolor="white", linewidth=0.6)  # fmt: skip
    below.set(xlabel="confidence: the probability of the predicted class", ylabel="examples",
              yscale="log")  # fmt: skip
    most = int(found.counts.max())
    below.set_ylim(0.8, 1.5 * most)
    below.yaxis.set_major_locator(FixedLocator([10**i for i in range(len(str(most)))]))
    below.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    below.yaxis.set_minor_locator(NullLocator())


def residuals(actual: Array, predicted: Array, what: str) -> Figure:
    """Predicted against actual values, and what was missed against predicted; both (n,)."""
    figure = Figure(figsize=(9, 4))
    figure.subplots_adjust(left=0.09, right=0.96, bottom=0.14, top=0.96, wspace=0.28)
    left, right = figure.subplots(1, 2)
    dots = {"linestyle": "", "marker": "o", "markersize": 4, "color": VALIDATION, "alpha": 0.6}
    ends = [min(actual.min(), predicted.min()), max(actual.max(), predicted.max())]
    left.plot(ends, ends, linestyle="--", color="0.5", linewidth=1)
    left.plot(actual, predicted, **dots)
    left.set(xlabel=f"actual {what}", ylabel=f"predicted {what}")
    right.axhline(0, linestyle="--", color="0.5", linewidth=1)
    right.plot(predicted, actual - predicted, **dots)
    right.set(xlabel=f"predicted {what}", ylabel="actual - predicted")
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.grid(alpha=0.3)
    return figure
