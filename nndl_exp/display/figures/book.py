"""Figures and tables of the scripts of ``experiments/``: one look for all of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from nndl_exp.display.figures.style import save

DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
"""Lines are told apart by these as well, for readers who see no colours."""


def make_figure(
    rows: int, columns: int, width: float, height: float, title: str
) -> tuple[Figure, list[Axes]]:
    """A figure of so many plots, each with a light grid; the plots row by row."""
    figure = Figure(figsize=(width, height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for one in axes:
        one.grid(alpha=0.3)
    figure.suptitle(title, fontsize=11)
    return figure, axes


def draw_lines(
    axes: Axes,
    lines: Mapping[str, tuple[ArrayLike, ArrayLike]],
    colours: Sequence[str],
    *,
    x: str,
    y: str,
    whole: bool = True,
) -> None:
    """Draw curves (x values, y values) by their names, and say what the axes are.

    ``whole`` is whether x counts something, as epochs do.
    """
    for i, (name, (xs, ys)) in enumerate(lines.items()):
        dashes: Any = DASHES[i % len(DASHES)]
        colour = colours[i % len(colours)]
        axes.plot(
            np.asarray(xs),
            np.asarray(ys),
            linestyle=dashes,
            color=colour,
            label=name,
            linewidth=1.6,
        )
    axes.set(xlabel=x, ylabel=y)
    if whole:
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    if len(lines) > 1:
        axes.legend(fontsize=9)


def draw_matrix(axes: Axes, values: ArrayLike, *, x: str, y: str) -> None:
    """Draw a matrix as coloured squares with their numbers: white is 0, rows go down."""
    matrix = np.asarray(values)
    most = float(np.abs(matrix).max()) or 1.0
    axes.imshow(matrix, cmap="RdBu_r", vmin=-2 * most, vmax=2 * most, aspect="auto")
    for (row, column), value in np.ndenumerate(matrix):
        axes.text(column, row, f"{value:.2g}", ha="center", va="center", fontsize=8)
    axes.grid(False)
    axes.set(xlabel=x, ylabel=y, xticks=range(matrix.shape[1]), yticks=range(matrix.shape[0]))
    axes.set_xticklabels([str(i + 1) for i in range(matrix.shape[1])])
    axes.set_yticklabels([str(i + 1) for i in range(matrix.shape[0])])


def draw_bars(
    axes: Axes,
    bars: Mapping[str, ArrayLike],
    colours: Sequence[str],
    *,
    labels: Sequence[str],
    x: str,
    y: str,
) -> None:
    """Draw bars side by side for each label, by their names, and say what the axes are."""
    places, width = np.arange(len(labels)), 0.8 / len(bars)
    for i, (name, heights) in enumerate(bars.items()):
        middle = places + (i - (len(bars) - 1) / 2) * width
        colour = colours[i % len(colours)]
        axes.bar(middle, np.asarray(heights), width, color=colour, label=name)
    axes.set_xticks(places, labels)
    axes.set(xlabel=x, ylabel=y)
    axes.set_axisbelow(True)
    if len(bars) > 1:  # above the plot, where no bar is
        axes.legend(
            fontsize=9, ncols=len(bars), frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1)
        )


def draw_histogram(
    axes: Axes,
    values: Mapping[str, ArrayLike],
    colours: Sequence[str],
    *,
    x: str,
    y: str,
    limits: tuple[float, float] | None = None,
    bins: int = 120,
) -> None:
    """Draw the density of some values by their names, as outlines over the same bins.

    ``limits`` are the ends of the bins, None for those of all values.
    """
    edges = np.histogram_bin_edges(
        np.concatenate([np.ravel(some) for some in values.values()]), bins, limits
    )
    for i, (name, some) in enumerate(values.items()):
        dashes: Any = DASHES[i % len(DASHES)]
        density, _ = np.histogram(np.ravel(some), edges, density=True)
        axes.stairs(
            density,
            edges,
            label=name,
            color=colours[i % len(colours)],
            linestyle=dashes,
            linewidth=1.6,
        )
    axes.set(xlabel=x, ylabel=y)
    axes.legend(fontsize=9)


def save_figure(figure: Figure, folder: Path, name: str, formats: Sequence[str]) -> list[Path]:
    """Write a figure in each of some formats; the files."""
    folder.mkdir(parents=True, exist_ok=True)
    for axes in figure.axes:
        axes.title.set_fontsize(10)  # less than the title of the figure
    paths = [folder / f"{name}.{suffix}" for suffix in formats]
    for path in paths:
        save(figure, path, dpi=120, metadata={"Date": None} if path.suffix == ".svg" else None)
    return paths
