"""Interactive figures of a search by ``optuna.visualization``, in the report's look.

They are made of a study in memory that holds the recorded trials: history, importances, Pareto
front, and the learning curves of all trials.
"""

import warnings
from collections.abc import Sequence
from html import escape

import numpy as np
import optuna
import plotly.graph_objects as go
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial
from optuna.visualization import (
    plot_intermediate_values,
    plot_optimization_history,
    plot_param_importances,
    plot_pareto_front,
)

from nndl_exp.display.figures.interactive import (
    LAST,
    MARKS,
    STEP,
    Chart,
    height_axis,
    heights_of,
    numbers,
    style,
    text_of,
    texts_of,
    whole_axis,
)
from nndl_exp.display.figures.scale import Scale, log_ticks
from nndl_exp.display.findings import Objective, StageFindings
from nndl_exp.display.words import SECOND, label
from nndl_exp.study.importance import evaluator
from nndl_exp.study.search import Trial

MOST_CURVES = 100
"""Trials whose learning curves are drawn: the best."""


def history(stages: Sequence[StageFindings], recommended: str | None) -> Chart:
    """All completed trials of a study in their order, and the best so far.

    ``recommended`` is the name of the run that the study ended with.
    """
    objective, texts, names = stages[0].objective, list[str](), list[str]()
    study = optuna.create_study(direction=_direction(objective))
    for stage in stages:
        for trial, point in zip(stage.trials, stage.points, strict=True):
            names.append(f"{stage.search.name}/{trial.number}")
            texts.append(f"{escape(names[-1])}<br>{text_of(stage, point)}")
            study.add_trial(_plain(objective, trial))
    figure = plot_optimization_history(study, target_name=objective.label)
    shown = [value for stage in stages for value in stage.values("complete")]
    figure.data = figure.data[:2]  # the third would hold infeasible trials
    dots, line = figure.data
    at = np.array(dots.x)
    dots.update(meta=STEP, name="complete", marker=MARKS["complete"], hoverinfo="text",
                text=[texts[number] for number in at])  # fmt: skip
    line.update(name="best so far", mode="lines", hoverinfo="skip",
                line={"shape": "hv", "color": "var(--orange)", "width": 2})  # fmt: skip
    _on_scale(figure, Scale.of(objective), shown)
    if recommended in names and (number := names.index(recommended)) in at:
        figure.add_scatter(
            x=[number], y=[dots.y[list(at).index(number)]], mode="markers", name="recommended",
            marker=MARKS["best"], hoverinfo="skip",
        )  # fmt: skip
    style(figure, "trial", objective.label)
    figure.update_xaxes(whole_axis(len(names)))
    return Chart({"": figure})


def importances(stage: StageFindings) -> Chart:
    """The share of each hyper-parameter in whether a trial is among the best."""
    shares, sign = stage.importances.shares, stage.objective.sign
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that few trials have a parameter
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        figure = plot_param_importances(
            _study(stage), evaluator(len(stage.of("complete"))), list(shares),
            # The evaluator takes a target for something to be small.
            target=lambda trial: -sign * trial.values[0], target_name="share",
        )  # fmt: skip
    (bars,) = figure.data
    names = [label(name) for name in bars.y]
    percent = [100 * share for share in bars.x]
    bars.update(
        x=numbers(percent), y=names, marker={"color": "var(--blue)"}, meta=STEP,
        text=[f"{escape(name)}: {share:.0f} %" for name, share in zip(names, percent, strict=True)],
        texttemplate="%{x:.0f} %", hovertemplate=None, hoverinfo="text",
    )  # fmt: skip
    style(figure, "importance (%)", "")
    figure.update_layout(height=120 + 34 * len(names), showlegend=False)
    figure.update_xaxes(range=[0, 1.15 * max(percent)])
    return Chart({"": figure})


def pareto_front(stage: StageFindings) -> Chart:
    """Both objectives of each completed trial; the front is what no trial beats in both."""
    figure = plot_pareto_front(
        _study(stage), targets=lambda trial: (trial.values[1], trial.values[0]),
        target_names=[SECOND[stage.second], stage.objective.label],
    )  # fmt: skip
    texts, scale = texts_of(stage), Scale.of(stage.objective)
    by_place = {(p.size, p.value): p.number for p in stage.of("complete")}
    shown = stage.values("complete")
    looks = (("complete", "var(--blue)"), ("Pareto front", "var(--orange)"))
    for trace, (name, colour) in zip(figure.data, looks, strict=True):
        places = zip(trace.x, trace.y, strict=True)
        trace.marker = {**MARKS["complete"], "color": colour}
        trace.update(
            name=name, meta=STEP, showlegend=True, hovertemplate=None, hoverinfo="text",
            text=[texts[by_place[place]] for place in places],
        )  # fmt: skip
    _on_scale(figure, scale, shown)
    style(figure, SECOND[stage.second], stage.objective.label)
    sizes = [p.size or 1 for p in stage.of("complete")]
    ticks = log_ticks(min(sizes), max(sizes))
    figure.update_xaxes(type="log", tickvals=ticks, ticktext=[f"{tick:,g}" for tick in ticks])
    best = [p for p in stage.of("complete") if p.number == stage.best]
    figure.add_scatter(
        x=[p.size for p in best], y=heights_of(stage, best), mode="markers", name="recommended",
        marker=MARKS["best"], hoverinfo="skip",
    )  # fmt: skip
    return Chart({"": figure})


def learning_curves(stage: StageFindings) -> Chart:
    """The objective of the best trials, the pruned ones among them, against the epoch."""
    sign = stage.objective.sign
    ranked = sorted(stage.of("complete", "pruned"), key=lambda p: -sign * (p.value or 0.0))
    kept = [p.number for p in ranked[:MOST_CURVES]]
    study = optuna.create_study(direction=_direction(stage.objective))
    study.add_trials([_curve(stage, stage.trials[number]) for number in sorted(kept)])
    figure = plot_intermediate_values(study)
    texts, order = texts_of(stage), {number: place for place, number in enumerate(kept)}
    values = list[float]()
    for trace, number in zip(figure.data, sorted(kept), strict=True):
        best = number == stage.best
        values += [y for y in trace.y if np.isfinite(y)]
        trace.update(
            mode="lines", name=f"trial {number}", meta=LAST, hoverinfo="text",
            text=[texts[number]] * len(trace.x), opacity=1 if best else _faint(order[number]),
            line={"width": 3 if best else 1.5,
                  "color": "var(--orange)" if best else "var(--blue)",
                  "dash": "solid" if stage.trials[number].ok else "dot"},
        )  # fmt: skip
    _on_scale(figure, Scale.of(stage.objective), values or [0.5])
    style(figure, "epoch", stage.objective.label)
    figure.update_layout(showlegend=False)
    figure.update_xaxes(whole_axis(max(stage.trials[n].result.epochs for n in kept)))
    return Chart({"": figure})


def _faint(place: int) -> float:
    return round(max(0.2, 0.8 - 0.03 * place), 2)


def _on_scale(figure: go.Figure, scale: Scale, values: Sequence[float]) -> None:
    """Draw the vertical axis of a figure of objectives on a scale."""
    for trace in figure.data:
        if trace.y is not None:
            trace.y = numbers(scale.height(np.where(np.isfinite(trace.y), trace.y, np.nan)))
    figure.update_yaxes(height_axis(scale, values))


def _direction(objective: Objective) -> StudyDirection:
    return StudyDirection.MINIMIZE if objective.by_cost else StudyDirection.MAXIMIZE


def _study(stage: StageFindings) -> optuna.Study:
    """The completed trials as a study in memory."""
    study = optuna.create_study(directions=stage.search.directions)
    space = stage.search.space
    for point in stage.of("complete"):
        params = space.params_of(stage.search.varied(stage.trials[point.number].config))
        values = [value for value in (point.value, point.size) if value is not None]
        own = {name: space.distributions[name] for name in params}
        study.add_trial(create_trial(params=params, distributions=own, values=values))
    return study


def _plain(objective: Objective, trial: Trial) -> FrozenTrial:
    value = objective.value(trial.result)
    if trial.result.state != "complete" or value is None:
        return create_trial(state=TrialState.FAIL)
    return create_trial(value=value)


def _curve(stage: StageFindings, trial: Trial) -> FrozenTrial:
    objective, epochs = stage.objective, stage.search.run_directory(trial.number).epochs()
    values = {
        epoch.number: epoch.validation_cost
        if objective.by_cost
        else objective.shown(epoch.validation_accuracy)
        for epoch in epochs
    }
    return create_trial(state=TrialState.PRUNED, intermediate_values=values)
