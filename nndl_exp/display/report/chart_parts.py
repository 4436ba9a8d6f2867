"""What the page's charts are made of: axes, marks, and what is said of a trial."""

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

from nndl_exp.config import short_name
from nndl_exp.display.figures.marks import log_ticks
from nndl_exp.display.figures.scale import Scale
from nndl_exp.display.findings import Analysis, Parameter, Point
from nndl_exp.display.labels import objective
from nndl_exp.display.words import plain

STEP, LAST = "step", "last"
"""The points of a trace that the arrow keys go through: all of them, or only the last."""
_MARKS: dict[str, dict[str, Any]] = {
    "complete": {"symbol": "circle", "color": "var(--blue)", "size": 8,
                 "line": {"width": 1, "color": "var(--paper)"}},
    "pruned": {"symbol": "x-thin", "size": 7, "line": {"width": 1.5, "color": "var(--grey)"}},
    "diverged or failed": {"symbol": "triangle-down", "color": "var(--vermillion)", "size": 8},
    "winner": {"symbol": "star", "color": "var(--yellow)", "size": 16,
               "line": {"width": 1.5, "color": "var(--ink)"}},
}  # fmt: skip
ON_COLOURS = {
    **_MARKS,
    "complete": {**_MARKS["complete"], "color": "#0072b2", "line": {"width": 1, "color": "white"}},
    "pruned": {"symbol": "x", "size": 7, "color": "white", "line": {"width": 1, "color": "black"}},
    "winner": {**_MARKS["winner"], "line": {"width": 1.5, "color": "black"}},
}
"""The marks on a ground that is the same in light and in dark."""

Place = Callable[[Point], float | None]
FONT = "system-ui, Segoe UI, Roboto, Helvetica Neue, Noto Sans, Arial, sans-serif"


def empty(analysis: Analysis, x: str) -> go.Figure:
    """An empty figure whose vertical axis is the objective."""
    figure = go.Figure()
    style(figure, x, objective_of(analysis))
    values = analysis.values("complete", "pruned")
    figure.update_yaxes(height_axis(Scale(analysis.by_cost), values))
    return figure


def style(figure: go.Figure, x: str, y: str) -> None:
    """The look that all charts have, and the names of the axes."""
    figure.update_layout(
        template="none", autosize=True, height=400, dragmode=False, hovermode="closest",
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
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


def objective_of(analysis: Analysis) -> str:
    """What is optimised, with its unit."""
    return objective(analysis.by_cost, analysis.accuracy)


def height_axis(scale: Scale, values: Sequence[float]) -> dict[str, Any]:
    """An axis of heights that is labelled with the values."""
    bottom, top = scale.limits(values)
    ticks = scale.ticks(bottom, top)
    return {"tickvals": numbers(scale.height(ticks)), "ticktext": [f"{t:g}" for t in ticks],
            "range": numbers(scale.height([bottom, top]))}  # fmt: skip


def parameter_axis(parameter: Parameter) -> dict[str, Any]:
    """The axis of a hyper-parameter: its range, scale and ticks."""
    if parameter.choices:
        return {"tickvals": list(range(len(parameter.choices))),
                "ticktext": [escape(choice) for choice in parameter.choices],
                "range": [-0.5, parameter.high + 0.5]}  # fmt: skip
    low, high = parameter.low, parameter.high
    if low == high:
        return {"range": [low - 0.5, high + 0.5], "tickvals": [low], "ticktext": [f"{low:g}"]}
    if parameter.is_coarse:
        return {"range": [low - 0.5, high + 0.5], "dtick": 1 if parameter.whole else None}
    if not parameter.log:
        room = 0.04 * (high - low)
        return {"range": [low - room, high + room]}
    ticks, (a, b) = log_ticks(low, high), np.log10([low, high])
    room = 0.04 * (b - a)
    return {"type": "log", "range": [float(a - room), float(b + room)], "tickvals": ticks,
            "ticktext": [f"{tick:g}" for tick in ticks]}  # fmt: skip


def whole_axis(largest: int) -> dict[str, Any]:
    """An axis that counts up to a number: a plot of few must not be labelled with halves."""
    return {"dtick": 1} if largest <= 10 else {"tickformat": "d"}


def value_at(parameter: Parameter) -> Place:
    """Where a trial stands on the axis of a hyper-parameter."""
    return lambda point: point.params.get(parameter.name)


def mark(
    figure: go.Figure, analysis: Analysis, x: Place, texts: dict[int, str],
    y: Place | None = None, marks: dict[str, dict[str, Any]] = _MARKS,
) -> None:  # fmt: skip
    """Mark every trial; one without an objective at the lower edge, where that is the height."""
    complete = analysis.of("complete")
    groups = {
        "pruned": analysis.of("pruned"),
        "complete": [p for p in complete if p.number != analysis.winner],
        "diverged or failed": analysis.valueless(),
        "winner": [p for p in complete if p.number == analysis.winner],
    }
    values = analysis.values("complete", "pruned")
    floor = Scale(analysis.by_cost).height(Scale(analysis.by_cost).limits(values))[0]
    for name, points in groups.items():
        at = [(x(p), y(p) if y else _height(analysis, p, float(floor)), p.number) for p in points]
        kept = [one for one in at if one[0] is not None and one[1] is not None]
        if kept:
            xs, ys, numbers = zip(*kept, strict=True)
            figure.add_scatter(
                x=list(xs), y=list(ys), mode="markers", name=name, marker=marks[name], meta=STEP,
                text=[texts.get(number, "") for number in numbers], hoverinfo="text",
                cliponaxis=False,
            )  # fmt: skip


def _height(analysis: Analysis, point: Point, floor: float) -> float:
    return floor if point.value is None else heights_of(analysis, [point])[0]


def heights_of(analysis: Analysis, points: Sequence[Point]) -> list[float]:
    """How high trials that have an objective are drawn."""
    heights = Scale(analysis.by_cost).height([p.value or 0.0 for p in points])
    return [round(float(height), 5) for height in heights]


def best_until(analysis: Analysis) -> list[Point]:
    """The completed trials each of which was the best until then."""
    sign, best = -1 if analysis.by_cost else 1, list[Point]()
    for point in analysis.of("complete"):
        if not best or sign * (point.value or 0.0) > sign * (best[-1].value or 0.0):
            best.append(point)
    return best


def texts_of(analysis: Analysis) -> dict[int, str]:
    """What is said of each trial: its number, its objective, its hyper-parameters."""
    said = {}
    for point in analysis.points:
        lines = [f"trial {point.number}: {said_of(analysis, point)}"]
        for parameter in analysis.parameters:
            if (value := point.params.get(parameter.name)) is not None:
                shown = parameter.choices[round(value)] if parameter.choices else plain(value)
                lines.append(f"{escape(short_name(parameter.name))} {escape(shown)}")
        said[point.number] = "<br>".join(lines)
    return said


def said_of(analysis: Analysis, point: Point) -> str:
    """A trial's objective and state."""
    if point.value is None:
        return point.state
    unit = "" if analysis.by_cost else " %"
    kind = "cost " if analysis.by_cost else ""
    return f"{kind}{point.value:.4g}{unit}, {point.state}"


def numbers(values: Any) -> list[float | None]:
    """Plain numbers, as few digits as a picture needs; None where there is none."""
    return [float(f"{v:.5g}") if np.isfinite(v) else None for v in np.asarray(values, float)]
