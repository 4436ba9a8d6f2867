"""Figures of the run that a study ended with: how it learnt, and what it tells."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from nndl_exp.datasets import Reading
from nndl_exp.display.figures.learning_curves import SETS, TRAINING, VALIDATION
from nndl_exp.display.figures.scale import Scale
from nndl_exp.display.history import Climb
from nndl_exp.display.predictions import Calibration, Told
from nndl_exp.nn.arrays import Array, Indices
from nndl_exp.nn.network import Network
from nndl_exp.training.accuracy import Measure
from nndl_exp.training.epoch import Epoch

MOST_WEIGHTS, MOST_WRONG, MOST_CLASSES = 40, 24, 25
"""So many neurons and examples are shown, and so many classes have their counts written in."""
_PICTURES_A_ROW, _GALLERY_WIDTH = 8, 8.0  # inches
_LONGEST = 18  # characters of a class's name
_FEW = 10
"""Examples of a bin below which its accuracy is mostly chance."""
_INK = "#1a1a1a"  # on a coloured ground, which stays as it is where black text is made light
Histories = Sequence[Sequence[Epoch]]


def band(histories: Histories, name: str, scale: float = 1.0) -> tuple[Array, Array, Array]:
    """(mean, least, most) of a measurement over several runs, an element an epoch.

    They end with the shortest run: a mean over fewer runs would be one of others.
    """
    epochs = min(len(history) for history in histories)
    values = scale * np.array(
        [[getattr(epoch, name) for epoch in history[:epochs]] for history in histories]
    )
    return values.mean(axis=0), values.min(axis=0), values.max(axis=0)


def learning_curves(histories: Histories, measure: Measure) -> Figure:
    """Cost and accuracy against the epoch: each run, their mean, and from least to most."""
    figure = Figure(figsize=(9, 3.9))
    figure.subplots_adjust(left=0.075, right=0.985, bottom=0.22, top=0.93, wspace=0.19)
    cost, accuracy = figure.subplots(1, 2)
    scale = 100 if measure.is_fraction else 1
    for name, colour, dashes in SETS:
        _curves(cost, histories, f"{name}_cost", colour, dashes)
        _curves(accuracy, histories, f"{name}_accuracy", colour, dashes, scale)
    cost.set(xlabel="epoch", ylabel="cost C")
    Scale(by_cost=True).apply(cost, _drawn(cost))
    accuracy.set(xlabel="epoch", ylabel="accuracy (%)" if scale == 100 else measure.name)
    if scale == 100:
        Scale(by_cost=False).apply(accuracy, _drawn(accuracy))
    for axes in (cost, accuracy):
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.grid(alpha=0.3)
    labelled = dict(zip(*reversed(cost.get_legend_handles_labels()), strict=True))
    figure.legend(
        labelled.values(), labelled.keys(), loc="lower center", ncols=4, fontsize=8, frameon=False
    )
    return figure


def _curves(
    axes: Axes, histories: Histories, name: str, colour: str, dashes: str, scale: float = 1.0
) -> None:
    label = name.partition("_")[0]
    for history in histories:
        values = [scale * getattr(epoch, name) for epoch in history]
        drawn = [value if math.isfinite(value) else math.nan for value in values]
        width, alpha = (1.6, 1.0) if len(histories) == 1 else (0.8, 0.45)
        axes.plot(
            range(1, len(drawn) + 1), drawn, linestyle=dashes, color=colour, linewidth=width,
            alpha=alpha, label=label if len(histories) == 1 else "_",
        )  # fmt: skip
    if len(histories) > 1:
        mean, least, most = band(histories, name, scale)
        epochs = range(1, len(mean) + 1)
        label += f", mean of {len(histories)} seeds"
        axes.plot(epochs, mean, linestyle=dashes, color=colour, linewidth=1.8, label=label)
        axes.fill_between(epochs, least, most, color=colour, alpha=0.2, linewidth=0)


def _drawn(axes: Axes) -> list[float]:
    values = [float(y) for line in axes.lines for y in np.asarray(line.get_ydata())]
    return [value for value in values if math.isfinite(value)] or [1.0]


def time_to_accuracy(climb: Climb, measure: Measure) -> Figure:
    """The best validation accuracy of any epoch against the training time of all trials."""
    figure = Figure(figsize=(9, 3.6))
    figure.subplots_adjust(left=0.075, right=0.985, bottom=0.15, top=0.88)
    axes, scale = figure.subplots(), 100 if measure.is_fraction else 1
    seconds = [step.seconds for step in climb.steps]
    values = [scale * step.accuracy for step in climb.steps]
    axes.step([*seconds, climb.seconds], [*values, values[-1]], where="post", color=VALIDATION)
    axes.set(xscale="log", xlabel="training time of all trials so far (s)",
             ylabel="best accuracy (%)" if scale == 100 else f"best {measure.name}")  # fmt: skip
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlim(seconds[0] * 0.9, climb.seconds * 1.05)
    if scale == 100:
        Scale(by_cost=False).apply(axes, values)
    axes.grid(alpha=0.3)
    for number, at in climb.starts_seen():
        axes.axvline(at, color="0.5", linewidth=0.8, linestyle=":")
        axes.annotate(f"{number}", (at, 1.02), xycoords=axes.get_xaxis_transform(), fontsize=8,
                      horizontalalignment="center")  # fmt: skip
    return figure


def strongest(weights: Array, count: int = MOST_WEIGHTS) -> Indices:
    """The neurons whose weight vectors are the longest, at most ``count``, the longest first."""
    order: Indices = np.argsort(-np.linalg.norm(weights, axis=1), kind="stable")
    return order[:count]


def first_layer_weights(network: Network, reading: Reading) -> Figure:
    """The weights into the strongest neurons of the first layer, each as a picture of the inputs,
    which must be pictures; white is 0. A hidden neuron has its number above it, an output neuron
    its class, where it has one."""
    assert reading.shape is not None
    weights = network.weights[0]
    at = strongest(weights)
    shown = weights[at]
    most = float(np.quantile(np.abs(shown), 0.995)) or 1.0
    hidden = len(network.weights) > 1
    names = [str(i) if hidden or not reading.classes else reading.classes[i] for i in at]
    pictures = shown.reshape(len(shown), *reading.shape)
    return _gallery(pictures, names, cmap="RdBu", vmin=-most, vmax=most)


def confidently_wrong(told: Told, x: Array, shape: tuple[int, int], classes: Sequence[str],
                      at: Indices) -> Figure:  # fmt: skip
    """The examples ``at`` as pictures, with what each is, what it was taken for, and how surely."""
    names = [
        f"{classes[told.labels[i]]} as {classes[told.classes[i]]}\n{100 * told.confidence[i]:.0f} %"
        for i in at
    ]
    return _gallery(x[at].reshape(len(at), *shape), names, cmap="gray_r")


def _gallery(pictures: Array, names: Sequence[str], **colours: Any) -> Figure:
    """Pictures, of shape (n, height, width), in rows, with a name above each.

    They are drawn as one image: axes for each would take a second for forty of them.
    """
    n, height, width = pictures.shape
    columns = min(n, _PICTURES_A_ROW)
    rows = math.ceil(n / columns)
    lines = max(name.count("\n") + 1 for name in names)
    inch = _GALLERY_WIDTH / (_PICTURES_A_ROW * 1.08 * width)  # of a pixel
    above, right = round((0.06 + 0.15 * lines) / inch), round(0.08 * width)
    image = np.full((rows * (height + above), columns * (width + right)), np.nan)
    figure = Figure(figsize=(image.shape[1] * inch, image.shape[0] * inch))
    axes = figure.add_axes((0, 0, 1, 1), frameon=False, xticks=[], yticks=[])
    for i, (picture, name) in enumerate(zip(pictures, names, strict=True)):
        top, left = (i // columns) * (height + above) + above, (i % columns) * (width + right)
        image[top : top + height, left : left + width] = picture
        axes.text(left + width / 2 - 0.5, top - 0.02 * height - 0.5, name, fontsize=8.5,
                  horizontalalignment="center", verticalalignment="bottom",
                  parse_math=False)  # fmt: skip
    axes.imshow(np.ma.masked_invalid(image), interpolation="none", aspect="auto", **colours)
    return figure


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
    below.bar(left[filled], found.counts[filled], width[filled], align="edge", color="0.5",
              edgecolor="white", linewidth=0.6)  # fmt: skip
    below.set(xlabel="confidence: the probability of the predicted class", ylabel="examples",
              yscale="log")  # fmt: skip
    most = int(found.counts.max())
    below.set_ylim(0.8, 1.5 * most)
    below.yaxis.set_major_locator(FixedLocator([10**i for i in range(len(str(most)))]))
    below.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    below.yaxis.set_minor_locator(NullLocator())
    for axes in (above, below):
        axes.grid(alpha=0.3)
        axes.set_axisbelow(True)
    return figure


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
