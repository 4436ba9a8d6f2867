"""The figures of a script of ``experiments/``, in the colours and sizes of its settings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nndl_exp.book.header import Header
from nndl_exp.display.figures.book import (
    draw_bars,
    draw_histogram,
    draw_lines,
    draw_matrix,
    make_figure,
    save_figure,
)
from nndl_exp.nn.arrays import Array

_COLOURS = ("first", "second", "third", "fourth", "fifth")


class Plots:
    """Draws figures and saves them in ``folder``.

    ``style`` has the width and height of a plot in inches, the formats of files, and colours by
    their names. ``saved`` are the files so far.
    """

    def __init__(self, header: Header, folder: Path, style: Mapping[str, Any]) -> None:
        self._title, self._name = header.title, header.name
        self._folder, self._style = folder, style
        self.saved: list[Path] = []

    def figure(self, rows: int = 1, columns: int = 1, title: str = "") -> tuple[Any, list[Any]]:
        """A figure of so many plots, and the plots row by row."""
        width, height = self._style["width"], self._style["height"]
        return make_figure(rows, columns, width, height, title or self._title)

    def lines(
        self,
        axes: Any,
        lines: Mapping[str, ArrayLike | tuple[ArrayLike, ArrayLike]],
        *,
        x: str,
        y: str,
        colours: Sequence[str] = _COLOURS,
        whole: bool = True,
    ) -> None:
        """Draw curves by their names: (x values, y values), or a value for each epoch.

        ``colours`` are names of the settings; ``whole`` is whether x counts something.
        """
        points = {
            name: line if isinstance(line, tuple) else (np.arange(1, np.size(line) + 1), line)
            for name, line in lines.items()
        }
        draw_lines(axes, points, self._colours(colours), x=x, y=y, whole=whole)

    def matrix(self, axes: Any, values: ArrayLike, *, x: str, y: str) -> None:
        """Draw a matrix as coloured squares with their numbers."""
        draw_matrix(axes, values, x=x, y=y)

    def bars(
        self,
        axes: Any,
        bars: Mapping[str, ArrayLike],
        *,
        labels: Sequence[str],
        x: str,
        y: str,
        colours: Sequence[str] = _COLOURS,
    ) -> None:
        """Draw bars by their names: a height for each label."""
        draw_bars(axes, bars, self._colours(colours), labels=labels, x=x, y=y)

    def histogram(
        self,
        axes: Any,
        values: Mapping[str, Array],
        *,
        x: str,
        y: str = "density",
        limits: tuple[float, float] | None = None,
        colours: Sequence[str] = _COLOURS,
    ) -> None:
        """Draw how values are distributed, by their names; the bins lie between ``limits``."""
        draw_histogram(axes, values, self._colours(colours), x=x, y=y, limits=limits)

    def save(self, figure: Any, name: str = "") -> None:
        """Write a figure in the formats of the settings."""
        formats = self._style["formats"]
        self.saved += save_figure(figure, self._folder, name or self._name, formats)

    def _colours(self, names: Sequence[str]) -> list[str]:
        return [self._style["colours"].get(name, name) for name in names]
