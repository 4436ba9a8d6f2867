"""Figures of a study that show objectives against hyper-parameters."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from nndl_exp.report.analysis import Analysis, Parameter, Point
from nndl_exp.report.labels import label, objective, symbol
from nndl_exp.report.marks import WINNER, Place, legend, log_ticks, mark, set_range
from nndl_exp.report.scale import Floats, Scale

_COLUMNS = 4
_WIDE = 0.3
_GOLDEN = 0.6180339887  # its multiples, less their whole parts, fill an interval evenly
_BANDWIDTH = 0.07  # of the landscape, as a part of each range
_FAR = 0.05  # the weight of all trials together below which nothing is said


def slices(analysis: Analysis) -> Figure:
    """The objective against each hyper-parameter, a small plot each."""
    n = len(analysis.parameters)
    columns = min(n, _COLUMNS)
    rows = math.ceil(n / columns)
    width, height = max(4.0, 2.5 * columns + 0.5), 2.5 * rows + 0.75
    figure = Figure(figsize=(width, height))
    figure.subplots_adjust(
        left=0.7 / width, right=1 - 0.15 / width, bottom=0.85 / height, top=1 - 0.4 / height,
        wspace=0.1, hspace=0.4,
    )  # fmt: skip
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    values = [p.value for p in analysis.of("complete", "pruned") if p.value is not None]
    for axes, parameter in zip(grid.flat, analysis.parameters, strict=False):
        set_range(axes, "x", parameter)
        mark(axes, analysis, _beside(parameter), lambda p: p.value)
        axes.grid(alpha=0.3)
    for axes in grid.flat[n:]:
        axes.remove()
    Scale(analysis.by_cost).apply(grid[0, 0], values)
    for row in grid:
        row[0].set_ylabel(objective(analysis.by_cost))
    legend(figure, grid[0, 0])
    figure.suptitle(f"{analysis.name}: each hyper-parameter", fontsize=10)
    return figure


def _beside(parameter: Parameter) -> Place:
    """Where a trial stands; those of few values stand beside each other, as wide as they need."""

    def place(point: Point) -> float | None:
        value = point.params.get(parameter.name)
        if value is None or not parameter.is_coarse:
            return value
        return value + _WIDE * ((point.number * _GOLDEN) % 1 - 0.5)

    return place


def landscape_axes(analysis: Analysis) -> tuple[Parameter, Parameter] | None:
    """The two ranges of the landscape: η and λ where both are searched, else the first two.

    None where fewer than two numbers vary in every trial.
    """
    always = [
        p for p in analysis.parameters
        if not p.choices and p.low < p.high
        and all(p.name in point.params for point in analysis.points)
    ]  # fmt: skip
    book = [p for p in always if p.name in ("training.eta", "training.lmbda")]
    first = [*book, *(p for p in always if p not in book)][:2]
    return (first[0], first[1]) if len(first) == 2 else None


def landscape(analysis: Analysis) -> Figure:
    """The objective over two hyper-parameters, smoothed over neighbouring trials; all of them."""
    axes_of = landscape_axes(analysis)
    assert axes_of is not None
    x, y = axes_of
    scale = Scale(analysis.by_cost)
    figure = Figure(figsize=(6.4, 4.6))
    figure.subplots_adjust(left=0.12, right=0.98, bottom=0.2, top=0.92)
    axes = figure.subplots()
    across, up, heights = _surface(analysis, x, y)
    values = scale.value(heights[np.isfinite(heights)])
    levels = scale.height(scale.ticks(float(values.min()), float(values.max()), room=0.035))
    ends = np.array([np.nanmin(heights) - 1e-9, np.nanmax(heights) + 1e-9])
    levels = np.unique([*ends, *levels])
    colours = "cividis_r" if analysis.by_cost else "cividis"  # the lighter the better
    shown = axes.contourf(across, up, heights, levels, cmap=colours)
    axes.contour(
        across, up, heights, levels,
        colors="white", linewidths=0.5, linestyles="solid", alpha=0.6,
    )  # fmt: skip
    bar = figure.colorbar(shown, ax=axes, pad=0.02)
    bar.set_ticks(list(levels[1:-1]), labels=[f"{v:.3g}" for v in scale.value(levels[1:-1])])
    bar.set_label(f"{objective(analysis.by_cost)}, smoothed")
    set_range(axes, "x", x)
    set_range(axes, "y", y)
    mark(axes, analysis, lambda p: p.params[x.name], lambda p: p.params[y.name])
    legend(figure, axes)
    figure.suptitle(f"{analysis.name}: {symbol(x.name)} and {symbol(y.name)}", fontsize=10)
    return figure


def _surface(analysis: Analysis, x: Parameter, y: Parameter) -> tuple[Floats, Floats, Floats]:
    """Means of the heights of trials around each point of a grid, weighted by nearness.

    NaN where no trial is near (Nadaraya and Watson, 1964): nothing is made up there.
    """
    points = analysis.of("complete", "pruned")
    at = np.array(
        [(x.position(p.params[x.name]), y.position(p.params[y.name])) for p in points]
    )  # (n, 2)
    heights = Scale(analysis.by_cost).height([p.value for p in points if p.value is not None])
    unit = np.linspace(0, 1, 81)
    grid = np.stack(np.meshgrid(unit, unit), axis=-1)  # (81, 81, 2)
    squares = ((grid[:, :, None] - at) ** 2).sum(axis=-1)
    weights = np.exp(-squares / (2 * _BANDWIDTH**2))
    total = weights.sum(axis=-1)
    means = np.full(total.shape, np.nan)
    np.divide((weights * heights).sum(axis=-1), total, out=means, where=total > _FAR)
    return _values(x, unit), _values(y, unit), means


def _values(parameter: Parameter, positions: Floats) -> Floats:
    if parameter.log:
        return np.geomspace(parameter.low, parameter.high, len(positions))
    return np.linspace(parameter.low, parameter.high, len(positions))


def parallel_coordinates(analysis: Analysis) -> Figure:
    """A line for each trial through its hyper-parameters and its objective, the best on top."""
    scale = Scale(analysis.by_cost)
    n = len(analysis.parameters)
    figure = Figure(figsize=(max(5.0, 1.4 * (n + 1)), 4))
    figure.subplots_adjust(left=0.07, right=0.93, bottom=0.17, top=0.9)
    axes = figure.subplots()
    points = analysis.of("complete")
    bottom, top = scale.limits([p.value for p in points if p.value is not None])
    low, high = scale.height([bottom, top])
    heights = {p.number: (float(scale.height(p.value or 0.0)) - low) / (high - low) for p in points}
    sign = -1 if analysis.by_cost else 1
    points.sort(key=lambda p: (p.number == analysis.winner, sign * (p.value or 0.0)))
    lines = [
        [(i, _fraction(parameter, p.params)) for i, parameter in enumerate(analysis.parameters)]
        + [(n, heights[p.number])]
        for p in points
    ]
    colours = "cividis_r" if analysis.by_cost else "cividis"
    collection = LineCollection(lines, cmap=colours, norm=Normalize(0, 1), linewidths=1, alpha=0.8)
    collection.set_array(np.array([heights[p.number] for p in points]))
    axes.add_collection(collection)
    axes.plot(*zip(*lines[-1], strict=True), color="black", linewidth=3.5)
    axes.plot(*zip(*lines[-1], strict=True), color=WINNER, linewidth=2, label="winner")
    for i, parameter in enumerate(analysis.parameters):
        absent = any(parameter.name not in p.params for p in points)
        _upright(axes, i, _ticks_of(parameter) + [(_ABSENT, "none")] * absent)
    ticks = scale.ticks(bottom, top)
    shares = (scale.height(ticks) - low) / (high - low)
    _upright(axes, n, [(float(s), f"{t:g}") for s, t in zip(shares, ticks, strict=True)])
    names = [*(label(p.name) for p in analysis.parameters), objective(analysis.by_cost)]
    axes.set_xticks(range(n + 1), [name.replace(" ", "\n", 1) for name in names], fontsize=8)
    axes.tick_params(length=0)
    axes.set(xlim=(-0.1, n + 0.3), ylim=(_ABSENT - 0.04, 1.04))
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    figure.suptitle(f"{analysis.name}: all completed trials, the winner in front", fontsize=10)
    return figure


_ABSENT = -0.12


def _fraction(parameter: Parameter, params: dict[str, float]) -> float:
    if parameter.name not in params:
        return _ABSENT
    return parameter.position(params[parameter.name])


def _ticks_of(parameter: Parameter) -> list[tuple[float, str]]:
    if parameter.choices:
        return [(parameter.position(i), text) for i, text in enumerate(parameter.choices)]
    ends = [parameter.low, parameter.high]
    values = log_ticks(parameter.low, parameter.high) if parameter.log else ends
    return [(parameter.position(v), f"{v:g}") for v in dict.fromkeys(values)]


def _upright(axes: Axes, at: int, ticks: list[tuple[float, str]]) -> None:
    axes.plot([at, at], [0, 1], color="black", linewidth=0.8)
    for height, text in ticks:
        axes.plot([at - 0.02, at + 0.02], [height, height], color="black", linewidth=0.8)
        axes.annotate(
            text, (at + 0.04, height), fontsize=8, verticalalignment="center",
            bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.5},
        )  # fmt: skip
