"""Figures of a run: its learning curves, over several seeds too, and its first-layer weights."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nndl_exp.datasets import Reading
from nndl_exp.display.figures.gallery import gallery
from nndl_exp.display.figures.scale import Scale
from nndl_exp.display.figures.style import SETS, save
from nndl_exp.nn.arrays import Array, Indices
from nndl_exp.nn.network import Network
from nndl_exp.records import RunDirectory
from nndl_exp.run import measure_of
from nndl_exp.training.accuracy import Measure
from nndl_exp.training.epoch import Epoch

MOST_WEIGHTS = 40
Histories = Sequence[Sequence[Epoch]]


def learning_curves(
    histories: Histories, measure: Measure, title: str = "", monitor: str = "validation",
    best: int | None = None,
) -> Figure:  # fmt: skip
    """Cost and accuracy against the epoch.

    Args:
        histories: the epochs of a run, or of several with the same settings: then their mean too,
            with the band from the least to the most.
        measure: what accuracy means.
        title: what stands above.
        monitor: the set that is measured beside the training set.
        best: the best epoch of a single run.
    """
    figure = Figure(figsize=(9, 3.9))
    figure.subplots_adjust(left=0.075, right=0.985, bottom=0.22, top=0.91, wspace=0.19)
    figure.suptitle(title, fontsize=10)
    cost, accuracy = figure.subplots(1, 2)
    for name, colour, dashes in SETS:
        label = "training" if name == "training" else monitor
        for axes, kind, factor in ((cost, "cost", 1), (accuracy, "accuracy", measure.scale)):
            _curves(axes, histories, f"{name}_{kind}", factor, label, color=colour,
                    linestyle=dashes)  # fmt: skip
    cost.set(xlabel="epoch", ylabel="cost C")
    Scale(None).apply(cost, _drawn(cost))
    accuracy.set(xlabel="epoch", ylabel=measure.label)
    Scale.of_accuracy(measure).apply(accuracy, _drawn(accuracy))
    _finish(figure, best)
    return figure


def _finish(figure: Figure, best: int | None) -> None:
    """Mark the best epoch, if there is one, and say below the plots what the lines are."""
    for axes in figure.axes:
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.grid(alpha=0.3)
        if best is not None:
            axes.axvline(best, color="0.5", linewidth=1, linestyle=":", label="best epoch")
    labelled = dict(zip(*reversed(figure.axes[0].get_legend_handles_labels()), strict=True))
    figure.legend(
        labelled.values(), labelled.keys(), loc="lower center", ncols=4, fontsize=8, frameon=False
    )


def _curves(
    axes: Axes, histories: Histories, name: str, scale: float, label: str, **look: Any
) -> None:
    several = len(histories) > 1
    for history in histories:
        points = list(_moments(history, name, within=not several))
        epochs, values = zip(*points, strict=True) if points else ((), ())
        drawn = [scale * value if math.isfinite(value) else math.nan for value in values]
        axes.plot(
            epochs, drawn, linewidth=0.8 if several else 1.6, alpha=0.45 if several else 1.0,
            label="_" if several else label, marker="o" if len(drawn) == 1 else "", **look,
        )  # fmt: skip
    if several:
        mean, least, most = _band(histories, name, scale)
        epochs = tuple(range(1, len(mean) + 1))
        label += f", mean of {len(histories)} seeds"
        axes.plot(epochs, mean, linewidth=1.8, label=label, **look)
        axes.fill_between(epochs, least, most, color=look["color"], alpha=0.2, linewidth=0)


def _moments(history: Sequence[Epoch], name: str, *, within: bool) -> Iterator[tuple[float, float]]:
    """The epoch and the measurement of each moment, those within epochs included."""
    for epoch in history:
        if within:
            yield from ((moment.epoch, getattr(moment, name)) for moment in epoch.within)
        yield epoch.number, getattr(epoch, name)


def _band(histories: Histories, name: str, scale: float) -> tuple[Array, Array, Array]:
    """(mean, least, most) of a measurement over several runs, an element an epoch.

    They end with the shortest run: a mean over fewer runs would be one of others.
    """
    epochs = min(len(history) for history in histories)
    values = scale * np.array(
        [[getattr(epoch, name) for epoch in history[:epochs]] for history in histories]
    )
    return values.mean(axis=0), values.min(axis=0), values.max(axis=0)


def _drawn(axes: Axes) -> list[float]:
    values = [float(y) for line in axes.lines for y in np.asarray(line.get_ydata())]
    return [value for value in values if math.isfinite(value)] or [0.5]


def draw_learning_curves(directory: RunDirectory, name: str) -> Path:
    """Draw a finished run's learning curves into its folder, unless they are there; the file."""
    path = directory.path / "learning_curves.png"
    if not path.exists():
        result, config = directory.result(), directory.config()
        assert result is not None
        figure = learning_curves(
            [directory.epochs()], measure_of(config), f"{name}: {result.reason}",
            config.dataset.monitor, result.best,
        )  # fmt: skip
        save(figure, path, dpi=100, pil_kwargs={"compress_level": 1})
    return path


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
    return gallery(pictures, names, cmap="RdBu", vmin=-most, vmax=most)


def draw_weights(directory: RunDirectory) -> Path:
    """Draw the weights of a finished run's best network into its folder; the file.

    The inputs of the network must be pictures.
    """
    path = directory.path / "first_layer_weights.png"
    save(first_layer_weights(directory.network(), directory.reading()), path, dpi=100)
    return path
