"""The charts that a reader can point at: plotly's figures of what matplotlib draws for the files.

Colours are names of the page's style sheet (``var(--blue)``), which its script looks up, so that
they follow light and dark. Texts are escaped: plotly reads some HTML in them. A trace whose
``meta`` is "step" is one whose points the arrow keys go through, "last" one of which only the last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from textwrap import wrap

import numpy as np
import plotly.graph_objects as go

from nndl_exp.display.figures.learning_curves import SETS
from nndl_exp.display.figures.marks import log_ticks
from nndl_exp.display.figures.parameter_figures import (
    ABSENT,
    fraction,
    landscape_axes,
    surface,
    ticks_of,
)
from nndl_exp.display.figures.scale import Scale
from nndl_exp.display.figures.winner import Histories, band
from nndl_exp.display.findings import Analysis, Parameter
from nndl_exp.display.history import Climb
from nndl_exp.display.labels import SECOND, label
from nndl_exp.display.report.chart_parts import (
    LAST,
    ON_COLOURS,
    STEP,
    Place,
    best_until,
    empty,
    height_axis,
    heights_of,
    mark,
    numbers,
    objective_of,
    parameter_axis,
    said_of,
    style,
    texts_of,
    value_at,
    whole_axis,
)
from nndl_exp.training.accuracy import Measure

_ROOM = 0.06  # between two labels of an upright axis, of its length
_COLOURS = {"training": "var(--orange)", "validation": "var(--blue)"}


@dataclass(frozen=True)
class Chart:
    """One or more views of the same thing, by what the reader chooses them by."""

    views: dict[str, go.Figure]
    choose: str = ""
    """What the choice is called, where there are several views."""


def history(analysis: Analysis, names: Sequence[str]) -> Chart:
    """Each trial and the best until then, by the trials' order and by training time."""
    elapsed = np.cumsum([point.seconds for point in analysis.points])
    views: dict[str, tuple[str, Place]] = {
        "trial": ("trial", lambda p: p.number),
        "training time": ("training time of all trials so far (s)",
                          lambda p: round(float(elapsed[p.number]), 2)),
    }  # fmt: skip
    texts = {
        p.number: f"{escape(names[p.number])}<br>{said_of(analysis, p)}" for p in analysis.points
    }
    figures = {}
    for name, (title, x) in views.items():
        figure = empty(analysis, title)
        best = best_until(analysis)
        if best:
            last = analysis.points[-1]
            figure.add_scatter(
                x=[*map(x, best), x(last)],
                y=[*heights_of(analysis, best), heights_of(analysis, best[-1:])[0]],
                mode="lines", line={"shape": "hv", "color": "var(--blue)", "width": 2},
                name="best so far", hoverinfo="skip",
            )  # fmt: skip
        mark(figure, analysis, x, texts)
        figures[name] = figure
    figures["trial"].update_xaxes(whole_axis(len(names)))
    return Chart(figures, "against")


def slices(analysis: Analysis) -> Chart:
    """The objective against each hyper-parameter, which the reader chooses."""
    texts = texts_of(analysis)
    figures = {}
    for parameter in analysis.parameters:
        figure = empty(analysis, label(parameter.name))
        figure.update_xaxes(parameter_axis(parameter))
        mark(figure, analysis, value_at(parameter), texts)
        figures[label(parameter.name)] = figure
    return Chart(figures, "hyper-parameter")


def landscape(analysis: Analysis) -> Chart:
    """The objective over two hyper-parameters, a mean over neighbouring trials, and all trials."""
    axes = landscape_axes(analysis)
    assert axes is not None
    x, y = axes
    across, up, heights = (values[..., ::2] for values in surface(analysis, x, y))
    scale, heights = Scale(analysis.by_cost), heights[::2]
    low, high = float(np.nanmin(heights)), float(np.nanmax(heights))
    ticks = scale.ticks(float(scale.value(low)), float(scale.value(high)), room=0.05)
    figure = go.Figure(
        go.Contour(
            x=numbers(across), y=numbers(up),
            z=[[None if np.isnan(h) else round(float(h), 4) for h in row] for row in heights],
            colorscale="Cividis", reversescale=analysis.by_cost, ncontours=14, hoverinfo="skip",
            line={"width": 0.5, "color": "white"},
            colorbar={"tickvals": numbers(scale.height(ticks)), "thickness": 12,
                      "ticktext": [f"{t:g}" for t in ticks], "outlinewidth": 0,
                      "title": {"text": escape(objective_of(analysis)), "side": "right"}},
        )
    )  # fmt: skip
    style(figure, label(x.name), label(y.name))
    figure.update_xaxes(parameter_axis(x))
    figure.update_yaxes(parameter_axis(y))
    mark(figure, analysis, value_at(x), texts_of(analysis), y=value_at(y), marks=ON_COLOURS)
    return Chart({"": figure})


def parallel_coordinates(analysis: Analysis) -> Chart:
    """A line for each completed trial through its hyper-parameters and its objective."""
    sign = -1 if analysis.by_cost else 1
    points = analysis.of("complete")  # the better over the others, the winner in front of all
    points.sort(key=lambda p: (p.number == analysis.winner, sign * (p.value or 0.0)))
    heights = np.array(heights_of(analysis, points))
    low, high = float(heights.min()), float(heights.max())
    shares = (heights - low) / ((high - low) or 1.0)
    texts, names = texts_of(analysis), [*(label(p.name) for p in analysis.parameters)]
    figure = go.Figure()
    for point, share in zip(points, shares, strict=True):
        won = point.number == analysis.winner
        good = 1 - share if analysis.by_cost else share
        figure.add_scatter(
            x=list(range(len(names) + 1)),
            y=numbers([*(fraction(p, point) for p in analysis.parameters), share]),
            mode="lines+markers" if won else "lines", meta=LAST, showlegend=won,
            name="winner" if won else f"trial {point.number}",
            opacity=1 if won else round(0.12 + 0.7 * float(good) ** 2, 3),
            line={"width": 3.5 if won else 1.5,
                  "color": "var(--orange)" if won else "var(--blue)"},
            text=[texts[point.number]] * (len(names) + 1), hoverinfo="text",
        )  # fmt: skip
    style(figure, "", "")
    scale, places = Scale(analysis.by_cost), [_upright(analysis, p) for p in analysis.parameters]
    worst, best = (float(value) for value in scale.value([low, high]))
    ticks = scale.ticks(worst, best, room=0.12) if worst < best else [best]
    at = (scale.height(ticks) - low) / ((high - low) or 1.0)
    kept = list[tuple[float, str]]()
    for y, t in zip(at, ticks, strict=True):
        if not kept or y - kept[-1][0] > _ROOM:
            kept.append((float(y), f"{t:g}"))
    places.append(kept)
    figure.layout.annotations = [
        {"x": i, "y": height, "text": escape(text), "showarrow": False, "xanchor": "left",
         "xshift": 3, "bgcolor": "var(--paper)", "opacity": 0.85, "borderpad": 1,
         "font": {"size": 12}}
        for i, marks in enumerate(places)
        for height, text in marks
    ]  # fmt: skip
    titles = [
        "<br>".join(wrap(escape(name), 13, break_long_words=False))
        for name in [*names, objective_of(analysis)]
    ]
    figure.update_xaxes(
        tickvals=list(range(len(titles))), ticktext=titles, range=[-0.4, len(names) + 0.4],
        gridcolor="var(--grey)", side="bottom", ticks="",
    )  # fmt: skip
    figure.update_yaxes(visible=False, range=[ABSENT - 0.05, 1.05])
    return Chart({"": figure})


def _log_axis(figure: go.Figure, values: Sequence[float]) -> None:
    """Make the horizontal axis a log one that is labelled with round values."""
    ticks = log_ticks(min(values), max(values))
    figure.update_xaxes(type="log", tickvals=ticks, ticktext=[f"{tick:,g}" for tick in ticks])


def _upright(analysis: Analysis, parameter: Parameter) -> list[tuple[float, str]]:
    """Where an upright axis is labelled, and with what."""
    absent = any(parameter.name not in p.params for p in analysis.of("complete"))
    ticks = ticks_of(parameter)
    return [*ticks, (ABSENT, "none")] if absent else ticks


def pareto_front(analysis: Analysis) -> Chart:
    """Both objectives of each completed trial, and the front that no trial beats in both."""
    size = SECOND[analysis.second_objective]
    figure = empty(analysis, size)
    by_number = {p.number: p for p in analysis.of("complete")}
    front = [by_number[number] for number in analysis.front]
    figure.add_scatter(
        x=[p.size for p in front], y=heights_of(analysis, front), mode="lines", name="Pareto front",
        line={"shape": "hv", "color": "var(--blue)", "width": 2}, hoverinfo="skip",
    )  # fmt: skip
    texts = {n: f"{text}<br>{by_number[n].size:,} {size}" for n, text in texts_of(analysis).items()
             if n in by_number}  # fmt: skip
    mark(figure, analysis, lambda p: p.size if p.number in by_number else None, texts)
    _log_axis(figure, [p.size or 1 for p in by_number.values()])
    return Chart({"": figure})


def time_to_accuracy(rise: Climb, measure: Measure) -> Chart:
    """The best validation accuracy of any epoch against the training time of all trials."""
    scale = 100 if measure.is_fraction else 1
    values = [scale * step.accuracy for step in rise.steps]
    unit = " %" if scale == 100 else ""
    texts = [
        f"{value:.4g}{unit} after {step.seconds:.3g} s<br>{escape(step.name)}"
        for value, step in zip(values, rise.steps, strict=True)
    ]
    figure = go.Figure()
    name = f"best {measure.name}" + (" (%)" if scale == 100 else "")
    style(figure, "training time of all trials so far (s)", name)
    ys = numbers(Scale(False).height(values)) if scale == 100 else values
    if scale == 100:
        figure.update_yaxes(height_axis(Scale(False), values))
    figure.add_scatter(
        x=[round(step.seconds, 4) for step in rise.steps], y=ys, text=texts, hoverinfo="text",
        mode="lines+markers", line={"shape": "hv", "color": "var(--blue)"}, meta=STEP,
        marker={"size": 6}, showlegend=False,
    )  # fmt: skip
    _log_axis(figure, [step.seconds for step in rise.steps] + [rise.seconds])
    for number, at in rise.starts_seen():
        figure.add_vline(x=at, line={"width": 1, "dash": "dot", "color": "var(--grey)"})
        figure.add_annotation(x=float(np.log10(at)), y=1, yref="paper", yanchor="bottom",
                              text=str(number), showarrow=False)  # fmt: skip
    return Chart({"": figure})


def learning_curves(histories: Histories, measure: Measure) -> Chart:
    """The winner's accuracy and cost against the epoch, over its seeds."""
    views = {}
    for kind in ("accuracy", "cost"):
        percent = kind == "accuracy" and measure.is_fraction
        scale = Scale(by_cost=kind == "cost") if percent or kind == "cost" else None
        figure, drawn = go.Figure(), list[float]()
        style(figure, "epoch", _title(kind, measure))
        figure.update_xaxes(whole_axis(min(map(len, histories))))
        for which, _, dashes in SETS:
            mean, least, most = band(histories, f"{which}_{kind}", 100.0 if percent else 1.0)
            drawn += [float(v) for v in (*least, *most) if np.isfinite(v)]
            texts = [
                f"epoch {i}<br>{which} {m:.4g} ({a:.4g} to {b:.4g})"
                for i, (m, a, b) in enumerate(zip(mean, least, most, strict=True), 1)
            ]
            heights = [numbers(scale.height(v) if scale else v) for v in (least, mean, most)]
            _add_band(figure, which, heights, "dash" if dashes == "--" else "solid", texts)
        if scale:
            figure.update_yaxes(height_axis(scale, drawn or [1.0]))
        views[measure.name if kind == "accuracy" else kind] = figure
    return Chart(views, "show")


def _title(kind: str, measure: Measure) -> str:
    if kind == "cost":
        return "cost C"
    return f"accuracy{' (%)' if measure.is_fraction else ''}".replace("accuracy", measure.name)


def _add_band(
    figure: go.Figure, name: str, heights: list[list[float | None]], dash: str, texts: list[str]
) -> None:
    low, middle, high = heights
    epochs = list(range(1, len(middle) + 1))
    figure.add_scatter(
        x=[*epochs, *epochs[::-1]], y=[*high, *low[::-1]], fill="toself", opacity=0.25,
        fillcolor=_COLOURS[name], line={"width": 0}, hoverinfo="skip", showlegend=False,
    )  # fmt: skip
    figure.add_scatter(
        x=epochs, y=middle, name=name, text=texts, hoverinfo="text", mode="lines", meta=STEP,
        line={"color": _COLOURS[name], "dash": dash, "width": 2},
    )  # fmt: skip
