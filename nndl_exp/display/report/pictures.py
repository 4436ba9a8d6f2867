"""Figures as parts of the report."""

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from nndl_exp.display.figures.interactive import Chart
from nndl_exp.display.figures.style import Drawing

LARGEST_SVG = 200_000
"""Bytes; a figure of more marks than that stands in the report as a PNG."""

_COLOURS = {
    "#000000": "ink", "#ffffff": "paper", "#0072b2": "blue", "#e69f00": "orange",
    "#d55e00": "vermillion", "#f0e442": "yellow", "#009e73": "green", "#cc79a7": "purple",
    "#56b4e9": "sky", "#666666": "grey", "#808080": "grey", "#b0b0b0": "line",
}  # fmt: skip
"""The colours of figures, by what the report's style sheet calls them, in light and in dark."""
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_ID = re.compile(r'(\bid="|url\(#|href="#)')
_WIDTH = re.compile(r'width="([\d.]+)pt"')
_SIZE = re.compile(r'(?:width|height)="[\d.]+pt"')


@dataclass(frozen=True)
class Place:
    """A folder that figures are written to, and in which formats."""

    folder: Path
    formats: Sequence[str] = ("png",)


@dataclass(frozen=True)
class Picture:
    """A figure with a description: an image, or a chart that the report's script draws.

    ``key`` is its name in the report; ``chart`` holds plain values.
    """

    key: str
    title: str
    text: str
    image: Markup | None = None
    chart: dict[str, Any] | None = None


def image(drawing: Drawing, place: Place, key: str, title: str, text: str) -> Picture:
    """A figure as an image, which is also written to its place."""
    drawing.save(place.folder, place.formats)
    alt = f"{title}. {text}"
    svg = drawing.content("svg")
    if len(svg) <= LARGEST_SVG:
        return Picture(key, title, text, inline(svg.decode(), key, alt))
    data = base64.b64encode(drawing.content("png")).decode()
    shown = Markup('<img alt="{}" src="data:image/png;base64,{}">').format(alt, data)
    return Picture(key, title, text, shown)


def interactive(chart: Chart, key: str, title: str, text: str) -> Picture:
    """A figure as a chart: plain values, NaN as null."""
    views = {name: json.loads(figure.to_json()) for name, figure in chart.views.items()}
    plain = {"choose": chart.choose, "views": [{"name": n, **view} for n, view in views.items()]}
    return Picture(key, title, text, chart=plain)


def inline(svg: str, key: str, alt: str) -> Markup:
    """An SVG that matplotlib wrote, to stand in HTML: it scales, and its colours are the report's.

    ``key`` sets its ids apart from those of other figures.
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
