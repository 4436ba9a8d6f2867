"""The parts of interactive figures: the look, axes, and marks of trials.

Colours are names of the report's style sheet (``var(--blue)``), which its script looks up, so that
they follow light and dark. Texts are escaped: plotly reads some HTML in them. A trace whose
``meta`` is "step" is one whose points the arrow keys go through, "last" one of which only the last.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

from nndl_exp.config import short_name
from nndl_exp.display.figures.scale import Scale, parameter_ticks
from nndl_exp.display.findings import Parameter, Point, StageFindings

STEP, LAST = "step", "last"
"""The points of a trace that the arrow keys go through: all of them, or only the last."""
MARKS: dict[str, dict[str, Any]] = {
    "complete": {"symbol": "circle", "color": "var(--blue)", "size": 8,
                 "line": {"width": 1, "color": "var(--paper)"}},
    "pruned": {"symbol": "x-thin", "size": 7, "line": {"width": 1.5, "color": "var(--grey)"}},
    "diverged or failed": {"symbol": "triangle-down", "color": "var(--vermillion)", "size": 8},
    "best": {"symbol": "star", "color": "var(--yellow)", "size": 16,
             "line": {"width": 1.5, "color": "var(--ink)"}},
}  # fmt: skip
ON_COLOURS = {
    **MARKS,
    "complete": {**MARKS["complete"], "color": "#0072b2", "line": {"width": 1, "color": "white"}},
    "pruned": {"symbol": "x", "size": 7, "color": "white", "line": {"width": 1, "color": "black"}},
    "best": {**MARKS["best"], "line": {"width": 1.5, "color": "black"}},
}
"""The marks on a ground that is the same in light and in dark."""

Position = Callable[[Point], float | None]
"""Where a trial is drawn along an axis; None where it has no value."""
FONT = "system-ui, Segoe UI, Roboto, Helvetica Neue, Noto Sans, Arial, sans-serif"


@dataclass(frozen=True)
class Chart:
    """One or more views of the same thing, by what the reader chooses them by."""

    views: dict[str, go.Figure]
    choose: str = ""
    """The name of the choice, where there are several views."""


def style(figure: go.Figure, x: str, y: str) -> None:
    """The look that all charts have, and the names of the axes."""
    figure.update_layout(
        template="none", title=None, autosize=True, height=400, dragmode=False,
        hovermode="closest", paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 60, "r": 16, "t": 36, "b": 64},
        font={"color": "var(--ink)", "size": 13, "family": FONT},
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": "var(--grey)", "activecolor": "var(--ink)"},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
        hoverlabel={"bgcolor": "var(--raised)", "bordercolor": "var(--ink)",
                    "font": {"color": "var(--ink)"}, "align": "left"},
    )  # fmt: skip
    for axis, title in ((figure.update_xaxes, x), (figure.update_yaxes, y)):
        axis(title={"text": escape(title), "standoff": 8}, gridcolor="var(--line)",
             zeroline=False, automargin=True)  # fmt: skip


def empty(stage: StageFindings, x: str) -> go.Figure:
    """An empty figure whose vertical axis is the objective."""
    figure = go.Figure()
    style(figure, x, stage.objective.label)
    figure.update_yaxes(height_axis(Scale.of(stage.objective), stage.values("complete", "pruned")))
    return figure


def height_axis(scale: Scale, values: Sequence[float]) -> dict[str, Any]:
    """An axis of heights that is labelled with the values."""
    bottom, top = scale.limits(values)
    ticks = scale.ticks(bottom, top)
    return {"tickvals": numbers(scale.height(ticks)), "ticktext": [f"{t:g}" for t in ticks],
            "range": numbers(scale.height([bottom, top]))}  # fmt: skip


def parameter_axis(parameter: Parameter) -> dict[str, Any]:
    """The axis of a hyper-parameter, on which values stand at their positions."""
    ticks = parameter_ticks(parameter)
    room = 0.5 / max(1, len(ticks) - 1) if parameter.choices or parameter.is_coarse else 0.04
    return {"tickvals": numbers([place for place, _ in ticks]),
            "ticktext": [escape(text) for _, text in ticks],
            "range": [-room, 1 + room]}  # fmt: skip


def whole_axis(largest: int) -> dict[str, Any]:
    """An axis that counts up to a number: a plot of few must not be labelled with halves."""
    return {"dtick": 1} if largest <= 10 else {"tickformat": "d"}


def place_on(parameter: Parameter) -> Position:
    """The place of a trial on the axis of a hyper-parameter."""

    def place(point: Point) -> float | None:
        value = point.params.get(parameter.name)
        return None if value is None else round(parameter.position(value), 5)

    return place


def mark(
    figure: go.Figure, stage: StageFindings, x: Position, texts: dict[int, str],
    y: Position | None = None, marks: dict[str, dict[str, Any]] = MARKS,
) -> None:  # fmt: skip
    """Mark every trial; one without an objective at the lower edge, where that is the height."""
    complete = stage.of("complete")
    groups = {
        "pruned": stage.of("pruned"),
        "complete": [p for p in complete if p.number != stage.best],
        "diverged or failed": stage.valueless(),
        "best": [p for p in complete if p.number == stage.best],
    }
    scale = Scale.of(stage.objective)
    floor = float(scale.height(scale.limits(stage.values("complete", "pruned")))[0])
    for name, points in groups.items():
        at = [(x(p), y(p) if y else _height(stage, p, floor), p.number) for p in points]
        kept = [one for one in at if one[0] is not None and one[1] is not None]
        if kept:
            xs, ys, who = zip(*kept, strict=True)
            figure.add_scatter(
                x=list(xs), y=list(ys), mode="markers", name=name, marker=marks[name], meta=STEP,
                text=[texts.get(number, "") for number in who], hoverinfo="text", cliponaxis=False,
            )  # fmt: skip


def _height(stage: StageFindings, point: Point, floor: float) -> float:
    return floor if point.value is None else heights_of(stage, [point])[0]


def heights_of(stage: StageFindings, points: Sequence[Point]) -> list[float]:
    """The heights of trials that have an objective."""
    heights = Scale.of(stage.objective).height([p.value or 0.0 for p in points])
    return [round(float(height), 5) for height in heights]


def texts_of(stage: StageFindings) -> dict[int, str]:
    """A description of each trial: its number, its objective, its hyper-parameters."""
    said = {}
    for point in stage.points:
        lines = [f"trial {point.number}: {text_of(stage, point)}"]
        lines += [
            f"{escape(short_name(parameter.name))} {escape(parameter.text(value))}"
            for parameter in stage.parameters
            if (value := point.params.get(parameter.name)) is not None
        ]
        said[point.number] = "<br>".join(lines)
    return said


def text_of(stage: StageFindings, point: Point) -> str:
    """A trial's objective and state."""
    if point.value is None:
        return point.state
    return f"{stage.objective.text(point.value)}, {point.state}"


def numbers(values: Any) -> list[float | None]:
    """Plain numbers, as few digits as a picture needs; None where there is none."""
    return [float(f"{v:.5g}") if np.isfinite(v) else None for v in np.asarray(values, float)]
