"""Writing a figure: whole or not at all, since a picture that is there is not drawn again."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from nndl_exp.records import atomic


def save(figure: Figure, path: Path, **options: Any) -> None:
    """Write a figure in the format of its file's suffix; ``options`` are those of ``savefig``."""
    file = io.BytesIO()
    figure.savefig(file, format=path.suffix.removeprefix("."), **options)
    atomic.write(path, file.getvalue())


DOTS_PER_INCH = 120
TITLE = "title"
"""The id of a figure's title in its SVG."""


def save_drawing(
    draw: Callable[[], Figure], name: str, folder: Path, formats: Sequence[str]
) -> list[Path]:
    """Draw a figure once and write it into a folder in each of the formats; the files.

    Text stays text in an SVG, and equal figures give equal files: no date, no random ids.
    """
    paths = []
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure = draw()
        for text in figure.texts:
            if text.get_text() == figure.get_suptitle():
                text.set_gid(TITLE)
        for suffix in formats:
            path = folder / f"{name}.{suffix}"
            dated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(suffix)
            save(figure, path, dpi=DOTS_PER_INCH, metadata=dated)
            paths.append(path)
    return paths
