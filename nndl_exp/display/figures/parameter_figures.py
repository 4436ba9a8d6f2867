"""Figures of a study that show objectives against hyper-parameters."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from nndl_exp.display.figures.marks import (
    WINNER,
    Place,
    is_slanted,
    legend,
    log_ticks,
    mark,
    set_range,
)
from nndl_exp.display.figures.scale import Floats, Scale
from nndl_exp.display.findings import Analysis, Parameter, Point
from nndl_exp.display.labels import label, objective, symbol

_COLUMNS = 4
_WIDE = 0.3
_GOLDEN = 0.6180339887  # its multiples, less their whole parts, fill an interval evenly
_BANDWIDTH = 0.07  # of the landscape, as a part of each range
ABSENT = -0.12  # where a line passes a hyper-parameter that its trial does not have
_FAR = 0.05  # the weight of all trials together below which nothing is said


def slices(analysis: Analysis) -> Figure:
    """The objective against each hyper-parameter, a small plot each."""
    n = len(analysis.parameters)
    columns = min(n, _COLUMNS)
    rows, more = math.ceil(n / columns), _room_for_choices(analysis)
    width, height = max(4.0, 2.5 * columns + 0.5), (2.5 + more) * rows + 0.75
    figure = Figure(figsize=(width, height))
    figure.subplots_adjust(
        left=0.7 / width, right=1 - 0.15 / width, bottom=(0.85 + more) / height,
        top=1 - 0.4 / height, wspace=0.1, hspace=0.4 + more / 1.8,
    )  # fmt: skip
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for axes, parameter in zip(grid.flat, analysis.parameters, strict=False):
        set_range(axes, "x", parameter)
        mark(axes, analysis, _beside(parameter), lambda p: p.value)
        axes.grid(alpha=0.3)
    for axes in grid.flat[n:]:
        axes.remove()
    Scale(analysis.by_cost).apply(grid[0, 0], analysis.values("complete", "pruned"))
    for row in grid:
        row[0].set_ylabel(objective(analysis.by_cost, analysis.accuracy))
    legend(figure, grid[0, 0])
    figure.suptitle(f"{analysis.name}: each hyper-parameter", fontsize=10)
    return figure


def _room_for_choices(analysis: Analysis) -> float:
    """Inches below a plot for choices that are written at an angle."""
    longest = (max(map(len, p.choices)) for p in analysis.parameters if is_slanted(p))
    return 0.05 * max(longest, default=0)


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
    """The objective over two hyper-parameters, a mean over neighbouring trials, and all trials."""
    ranges = landscape_axes(analysis)
    assert ranges is not None
    x, y = ranges
    figure = Figure(figsize=(6.4, 4.6))
    figure.subplots_adjust(left=0.12, right=0.98, bottom=0.2, top=0.92)
    axes = figure.subplots()
    _contour(figure, axes, analysis, x, y)
    set_range(axes, "x", x)
    set_range(axes, "y", y)
    xy = (lambda p: p.params[x.name]), (lambda p: p.params[y.name])
    mark(axes, analysis, *xy, y_is_value=False)
    legend(figure, axes)
    figure.suptitle(f"{analysis.name}: {symbol(x.name)} and {symbol(y.name)}", fontsize=10)
    return figure


def _contour(figure: Figure, axes: Axes, analysis: Analysis, x: Parameter, y: Parameter) -> None:
    scale = Scale(analysis.by_cost)
    across, up, heights = surface(analysis, x, y)
    low, high = float(np.nanmin(heights)), float(np.nanmax(heights))
    ticks = scale.ticks(float(scale.value(low)), float(scale.value(high)), room=0.035)
    inner = [h for h in scale.height(ticks) if low + 1e-9 < h < high - 1e-9]
    levels = [low - 1e-9, *inner, high + 1e-9]
    shown = axes.contourf(across, up, heights, levels, cmap=_colours(analysis))
    axes.contour(
        across, up, heights, levels,
        colors="white", linewidths=0.5, linestyles="solid", alpha=0.6,
    )  # fmt: skip
    bar = figure.colorbar(shown, ax=axes, pad=0.02)
    bar.set_ticks(inner, labels=[f"{value:.3g}" for value in scale.value(inner)])
    bar.set_label(f"{objective(analysis.by_cost, analysis.accuracy)}, smoothed")


def _colours(analysis: Analysis) -> str:
    return "cividis_r" if analysis.by_cost else "cividis"  # the lighter the better, also in grey


def surface(analysis: Analysis, x: Parameter, y: Parameter) -> tuple[Floats, Floats, Floats]:
    """Means of the trials' heights around each point of a grid, weighted by nearness.

    NaN where no trial is near (the estimator of Nadaraya and Watson, 1964): nothing is made up.

    Returns:
        Values of x and y, of shape (81,), and the means on the scale of heights, (81, 81).
    """
    points = analysis.of("complete", "pruned")
    heights = Scale(analysis.by_cost).height(analysis.values("complete", "pruned"))
    unit = np.linspace(0, 1, 81)
    # The Gaussian of a distance is that across times that up: no array of grid times trials twice.
    across, up = (
        np.exp(-((unit[:, None] - [r.position(p.params[r.name]) for p in points]) ** 2)
               / (2 * _BANDWIDTH**2))
        for r in (x, y)
    )  # fmt: skip
    total = up @ across.T
    means = np.full(total.shape, np.nan)
    np.divide((up * heights) @ across.T, total, out=means, where=total > _FAR)
    return _values(x, unit), _values(y, unit), means


def _values(parameter: Parameter, positions: Floats) -> Floats:
    if parameter.log:
        return np.geomspace(parameter.low, parameter.high, len(positions))
    return np.linspace(parameter.low, parameter.high, len(positions))


def parallel_coordinates(analysis: Analysis) -> Figure:
    """A line for each completed trial through its hyper-parameters and its objective."""
    n = len(analysis.parameters)
    figure = Figure(figsize=(max(5.0, 1.4 * (n + 1)), 4))
    figure.subplots_adjust(left=0.07, right=0.93, bottom=0.17, top=0.9)
    axes = figure.subplots()
    _draw_lines(axes, analysis)
    for i, parameter in enumerate(analysis.parameters):
        absent = any(parameter.name not in p.params for p in analysis.of("complete"))
        _upright(axes, i, ticks_of(parameter) + [(ABSENT, "none")] * absent)
    scale, (bottom, top) = Scale(analysis.by_cost), _ends(analysis)
    ticks = scale.ticks(bottom, top)
    places = _share(analysis, ticks)
    _upright(axes, n, [(float(at), f"{t:g}") for at, t in zip(places, ticks, strict=True)])
    names = [
        *(label(p.name) for p in analysis.parameters),
        objective(analysis.by_cost, analysis.accuracy),
    ]
    axes.set_xticks(range(n + 1), [name.replace(" ", "\n", 1) for name in names], fontsize=8)
    axes.tick_params(length=0)
    axes.set(xlim=(-0.1, n + 0.3), ylim=(ABSENT - 0.04, 1.04))
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    figure.suptitle(f"{analysis.name}: all completed trials, the winner in front", fontsize=10)
    return figure


def _draw_lines(axes: Axes, analysis: Analysis) -> None:
    """The better trials over the others, and the winner in front of all."""
    points = analysis.of("complete")
    sign = -1 if analysis.by_cost else 1
    points.sort(key=lambda p: (p.number == analysis.winner, sign * (p.value or 0.0)))
    heights = _share(analysis, [p.value or 0.0 for p in points])
    lines = [
        [*enumerate(fraction(parameter, point) for parameter in analysis.parameters),
         (len(analysis.parameters), float(height))]
        for point, height in zip(points, heights, strict=True)
    ]  # fmt: skip
    collection = LineCollection(lines, cmap=_colours(analysis), norm=Normalize(0, 1), alpha=0.8)
    collection.set(array=heights, linewidth=1)
    axes.add_collection(collection)
    axes.plot(*zip(*lines[-1], strict=True), color="black", linewidth=3.5)
    axes.plot(*zip(*lines[-1], strict=True), color=WINNER, linewidth=2, label="winner")


def _ends(analysis: Analysis) -> tuple[float, float]:
    return Scale(analysis.by_cost).limits(analysis.values("complete"))


def _share(analysis: Analysis, values: Sequence[float]) -> Floats:
    """Where values stand on the axis of the objective, between 0 and 1."""
    scale = Scale(analysis.by_cost)
    low, high = scale.height(_ends(analysis))
    return np.asarray((scale.height(values) - low) / (high - low))


def fraction(parameter: Parameter, point: Point) -> float:
    """Where a trial crosses the upright axis of a hyper-parameter, or ``ABSENT``."""
    if parameter.name not in point.params:
        return ABSENT
    return parameter.position(point.params[parameter.name])


def ticks_of(parameter: Parameter) -> list[tuple[float, str]]:
    """Where the upright axis of a hyper-parameter is labelled, and with what."""
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
