"""The style of all figures, and writing one: whole or not at all."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nndl_exp.records import atomic

# Told apart in grey and by the colour-blind (Okabe and Ito).
TRAINING, VALIDATION, CHOSEN = "#E69F00", "#0072B2", "#D55E00"
SETS = (("training", TRAINING, "--"), ("validation", VALIDATION, "-"))
"""The training set, and the one that is monitored."""
LINES = (
    ("#0072B2", "-"), ("#E69F00", "--"), ("#009E73", "-."), ("#D55E00", ":"),
    ("#CC79A7", "-"), ("#56B4E9", "--"), ("#000000", "-."),
)  # fmt: skip
"""Colours and dashes of several lines in one plot."""
DOTS_PER_INCH = 120
TITLE = "title"
"""The id of a figure's title in its SVG."""


def plot(title: str) -> tuple[Figure, Axes]:
    """A figure with one plot; fixed margins, since a computed layout draws everything twice."""
    figure = Figure(figsize=(6.4, 4.0))
    figure.subplots_adjust(left=0.11, right=0.98, bottom=0.13, top=0.91)
    figure.suptitle(title, fontsize=10)
    axes = figure.subplots()
    axes.grid(alpha=0.3)
    return figure, axes


def line_styles(count: int) -> list[dict[str, Any]]:
    """The looks of so many lines."""
    looks = (LINES[i % len(LINES)] for i in range(count))
    return [{"color": colour, "linestyle": dashes} for colour, dashes in looks]


def save(figure: Figure, path: Path, **options: Any) -> None:
    """Write a figure in the format of its file's suffix; ``options`` are those of ``savefig``."""
    file = io.BytesIO()
    figure.savefig(file, format=path.suffix.removeprefix("."), **options)
    atomic.write(path, file.getvalue())


@dataclass(frozen=True)
class Drawing:
    """A figure by its ``name``, which is also that of its files."""

    name: str
    figure: Figure

    def __post_init__(self) -> None:
        for text in self.figure.texts:
            if text.get_text() == self.figure.get_suptitle():
                text.set_gid(TITLE)

    def content(self, suffix: str) -> bytes:
        """The content of its file in a format.

        Text stays text in an SVG, and equal figures give equal files: no date, no random ids.
        """
        file = io.BytesIO()
        dated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(suffix)
        with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": self.name}):
            self.figure.savefig(file, format=suffix, dpi=DOTS_PER_INCH, metadata=dated)
        return file.getvalue()

    def save(self, folder: Path, formats: Sequence[str]) -> list[Path]:
        """Write it into a folder in each of the formats; the files."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{self.name}.{suffix}" for suffix in formats]
        for path, suffix in zip(paths, formats, strict=True):
            atomic.write(path, self.content(suffix))
        return paths
