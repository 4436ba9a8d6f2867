"""The figures of a study as parts of its page."""

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure

from nndl_exp.display.figures.saving import save_drawing

FORMATS = ("png", "svg")
LARGEST_SVG = 200_000
"""Bytes; a figure of more marks than that stands in the page as its PNG."""

_COLOURS = {
    "#000000": "ink", "#ffffff": "paper", "#0072b2": "blue", "#e69f00": "orange",
    "#d55e00": "vermillion", "#f0e442": "yellow", "#009e73": "green", "#cc79a7": "purple",
    "#56b4e9": "sky", "#666666": "grey", "#808080": "grey", "#b0b0b0": "line",
}  # fmt: skip
"""What the figures are drawn in, by what the page's style sheet calls it, in light and in dark."""
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_ID = re.compile(r'(\bid="|url\(#|href="#)')
_WIDTH = re.compile(r'width="([\d.]+)pt"')
_SIZE = re.compile(r'(?:width|height)="[\d.]+pt"')


@dataclass(frozen=True)
class Picture:
    """A figure with what it shows in words, and the chart that takes its place where scripts run.

    ``key`` is its name in the page, ``name`` that of its files; ``chart`` is what the page's script
    draws, as plain values, None where there is only the picture.
    """

    key: str
    name: str
    title: str
    text: str
    image: Markup
    chart: dict[str, Any] | None = None


def draw(name: str, folder: Path, make: Callable[[], Figure]) -> list[Path]:
    """Draw a figure into a folder in each of ``FORMATS``; the files."""
    folder.mkdir(parents=True, exist_ok=True)
    return save_drawing(make, name, folder, FORMATS)


def image(folder: Path, name: str, key: str, alt: str) -> Markup:
    """A figure's files as HTML; ``alt`` says what it shows to who does not see it."""
    svg = folder / f"{name}.svg"
    if svg.stat().st_size <= LARGEST_SVG:
        return inline(svg.read_text("utf-8"), key, alt)
    data = base64.b64encode((folder / f"{name}.png").read_bytes()).decode()
    return Markup('<img alt="{}" src="data:image/png;base64,{}">').format(alt, data)


def inline(svg: str, key: str, alt: str) -> Markup:
    """An SVG that matplotlib wrote, to stand in HTML: it scales, and its colours are the page's.

    ``key`` sets its ids apart from those of the page's other pictures.
    """
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg ") :], flags=re.DOTALL)
    found = _WIDTH.search(svg)
    width = float(found[1]) * 96 / 72 if found else 600.0
    head, _, body = svg.partition(">")
    head = _SIZE.sub("", head.removeprefix("<svg"))
    body = _COLOUR.sub(_named, _ID.sub(lambda at: f"{at[1]}{key}-", body))
    # What matplotlib wrote is not escaped again: it has escaped its texts.
    mark = '<svg role="img" aria-label="{}" style="max-width: {}px"'
    return Markup(mark).format(alt, round(width)) + Markup(f"{head}>{body}")


def _named(found: re.Match[str]) -> str:
    name = _COLOURS.get(found[0])
    return f"var(--{name})" if name else found[0]


def pictures_below(folder: Path, names: Sequence[str]) -> list[str]:
    """Those of the names whose figure is there, drawn in each of ``FORMATS``."""
    return [n for n in names if all((folder / f"{n}.{suffix}").is_file() for suffix in FORMATS)]
