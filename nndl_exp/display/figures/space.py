"""Interactive figures of a search space: slices, a landscape, parallel coordinates.

``optuna.visualization`` has such figures, too; theirs don't fit a phone, and have no log axis with
0 for λ.
"""

from html import escape
from textwrap import wrap

import numpy as np
import plotly.graph_objects as go

from nndl_exp.display.figures.interactive import (
    LAST,
    ON_COLOURS,
    Chart,
    empty,
    heights_of,
    mark,
    numbers,
    parameter_axis,
    place_on,
    style,
    texts_of,
)
from nndl_exp.display.figures.scale import Floats, Scale, parameter_ticks
from nndl_exp.display.findings import Parameter, Point, StageFindings
from nndl_exp.display.words import label

FEWEST_IN_LANDSCAPE = 10
_BANDWIDTH = 0.07  # of the landscape, as a part of each range
_FAR = 0.05  # the weight of all trials together below which nothing is said
_GRID = 41
_ABSENT = -0.12  # where a line passes a hyper-parameter that its trial does not have
_ROOM = 0.06  # between two labels of an upright axis, of its length
MOST_LINES = 200
"""Trials that parallel coordinates have lines for: the best."""


def slices(stage: StageFindings) -> Chart:
    """The objective against each hyper-parameter, which the reader chooses."""
    texts = texts_of(stage)
    figures = {}
    having = {name for point in stage.of("complete", "pruned") for name in point.params}
    for parameter in (p for p in stage.parameters if p.name in having):
        figure = empty(stage, label(parameter.name))
        figure.update_xaxes(parameter_axis(parameter))
        mark(figure, stage, place_on(parameter), texts)
        figures[label(parameter.name)] = figure
    return Chart(figures, "hyper-parameter")


def landscape_axes(stage: StageFindings) -> tuple[Parameter, Parameter] | None:
    """The two ranges of the landscape: η and λ where both are searched, else the first two.

    None where fewer than two numbers vary in every trial.
    """
    always = [
        p for p in stage.parameters
        if not p.choices and p.low < p.high
        and all(p.name in point.params for point in stage.points)
    ]  # fmt: skip
    book = [p for p in always if p.name in ("training.eta", "training.lmbda")]
    first = [*book, *(p for p in always if p not in book)][:2]
    return (first[0], first[1]) if len(first) == 2 else None


def landscape(stage: StageFindings) -> Chart:
    """The objective over two hyper-parameters, a mean over neighbouring trials, and all trials."""
    axes = landscape_axes(stage)
    assert axes is not None
    x, y = axes
    heights, scale = surface(stage, x, y), Scale.of(stage.objective)
    low, high = float(np.nanmin(heights)), float(np.nanmax(heights))
    ticks = scale.ticks(float(scale.value(low)), float(scale.value(high)), room=0.05)
    unit = numbers(np.linspace(0, 1, _GRID))
    figure = go.Figure(
        go.Contour(
            x=unit, y=unit,
            z=[[None if np.isnan(h) else round(float(h), 4) for h in row] for row in heights],
            colorscale="Cividis", reversescale=stage.objective.by_cost, ncontours=14,
            hoverinfo="skip", line={"width": 0.5, "color": "white"},
            colorbar={"tickvals": numbers(scale.height(ticks)), "thickness": 12,
                      "ticktext": [f"{t:g}" for t in ticks], "outlinewidth": 0,
                      "title": {"text": escape(stage.objective.label), "side": "right"}},
        )
    )  # fmt: skip
    style(figure, label(x.name), label(y.name))
    figure.update_xaxes(parameter_axis(x))
    figure.update_yaxes(parameter_axis(y))
    mark(figure, stage, place_on(x), texts_of(stage), y=place_on(y), marks=ON_COLOURS)
    return Chart({"": figure})


def surface(stage: StageFindings, x: Parameter, y: Parameter) -> Floats:
    """Means of the trials' heights around each point of a grid, weighted by nearness, (41, 41).

    NaN where no trial is near (the estimator of Nadaraya and Watson, 1964): nothing is made up.
    """
    points = stage.of("complete", "pruned")
    heights = Scale.of(stage.objective).height(stage.values("complete", "pruned"))
    unit = np.linspace(0, 1, _GRID)
    # The Gaussian of a distance is that across times that up: no array of grid times trials twice.
    across, up = (
        np.exp(-((unit[:, None] - [r.position(p.params[r.name]) for p in points]) ** 2)
               / (2 * _BANDWIDTH**2))
        for r in (x, y)
    )  # fmt: skip
    total = up @ across.T
    means = np.full(total.shape, np.nan)
    np.divide((up * heights) @ across.T, total, out=means, where=total > _FAR)
    return means


def parallel_coordinates(stage: StageFindings) -> Chart:
    """A line for each completed trial through its hyper-parameters to its objective."""
    points = _lines(stage)
    heights = np.array(heights_of(stage, points))
    low, high = float(heights.min()), float(heights.max())
    shares = (heights - low) / ((high - low) or 1.0)
    texts, figure = texts_of(stage), go.Figure()
    for point, share in zip(points, shares, strict=True):
        best, good = point.number == stage.best, 1 - share if stage.objective.by_cost else share
        figure.add_scatter(
            x=list(range(len(stage.parameters) + 1)),
            y=numbers([*(_fraction(p, point) for p in stage.parameters), share]),
            mode="lines+markers" if best else "lines", meta=LAST, showlegend=best,
            name="best" if best else f"trial {point.number}",
            opacity=1 if best else round(0.12 + 0.7 * float(good) ** 2, 3),
            line={"width": 3.5 if best else 1.5,
                  "color": "var(--orange)" if best else "var(--blue)"},
            text=[texts[point.number]] * (len(stage.parameters) + 1), hoverinfo="text",
        )  # fmt: skip
    _upright_axes(figure, stage, low, high)
    return Chart({"": figure})


def _lines(stage: StageFindings) -> list[Point]:
    """The completed trials, at most 200 of the best, the better over the others, the best last."""
    points, sign = stage.of("complete"), stage.objective.sign
    points.sort(key=lambda p: (p.number == stage.best, sign * (p.value or 0.0)))
    return points[-MOST_LINES:]


def _upright_axes(figure: go.Figure, stage: StageFindings, low: float, high: float) -> None:
    """Label an upright axis for each hyper-parameter and one for the objective."""
    style(figure, "", "")
    places = [_upright(stage, p) for p in stage.parameters]
    places.append(_objective_ticks(Scale.of(stage.objective), low, high))
    figure.layout.annotations = [
        {"x": i, "y": height, "text": escape(text), "showarrow": False, "xanchor": "left",
         "xshift": 3, "bgcolor": "var(--paper)", "opacity": 0.85, "borderpad": 1,
         "font": {"size": 12}}
        for i, marks in enumerate(places)
        for height, text in marks
    ]  # fmt: skip
    names = [*(label(p.name) for p in stage.parameters), stage.objective.label]
    titles = ["<br>".join(wrap(escape(name), 13, break_long_words=False)) for name in names]
    figure.update_xaxes(
        tickvals=list(range(len(titles))), ticktext=titles, range=[-0.4, len(titles) - 0.6],
        gridcolor="var(--grey)", side="bottom", ticks="",
    )  # fmt: skip
    figure.update_yaxes(visible=False, range=[_ABSENT - 0.05, 1.05])


def _upright(stage: StageFindings, parameter: Parameter) -> list[tuple[float, str]]:
    """The labels of an upright axis: at most a few, and "none" where some trials have no value."""
    ticks = parameter_ticks(parameter)
    if not (parameter.choices or parameter.log or parameter.is_coarse):
        ticks = [(parameter.position(v), f"{v:g}") for v in (parameter.low, parameter.high)]
    absent = any(parameter.name not in p.params for p in stage.of("complete"))
    return _apart([*ticks, *([(_ABSENT, "none")] if absent else [])])


def _objective_ticks(scale: Scale, low: float, high: float) -> list[tuple[float, str]]:
    worst, best = (float(value) for value in scale.value([low, high]))
    ticks = scale.ticks(worst, best, room=0.12) if worst < best else [best]
    at = (scale.height(ticks) - low) / ((high - low) or 1.0)
    return _apart([(float(y), f"{t:g}") for y, t in zip(at, ticks, strict=True)])


def _apart(ticks: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """The ticks that have room beside those before them."""
    kept = list[tuple[float, str]]()
    for place, text in sorted(ticks):
        if not kept or place - kept[-1][0] > _ROOM:
            kept.append((place, text))
    return kept


def _fraction(parameter: Parameter, point: Point) -> float:
    if parameter.name not in point.params:
        return _ABSENT
    return parameter.position(point.params[parameter.name])
