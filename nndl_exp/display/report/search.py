"""What the search of a study found: history, time to accuracy, which hyper-parameters decide."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nndl_exp.display.figures import winner as winner_figures
from nndl_exp.display.figures.parameter_figures import landscape_axes
from nndl_exp.display.figures.study_figures import best_so_far, missing
from nndl_exp.display.findings import Analysis
from nndl_exp.display.history import climb, whole
from nndl_exp.display.labels import SECOND, symbol
from nndl_exp.display.report import charts
from nndl_exp.display.report.pictures import Picture, draw, image, pictures_below
from nndl_exp.display.report.story import Part
from nndl_exp.run import measure_of
from nndl_exp.study import winner as winners

_SCALE = (
    " The scale is that of the errors that are left: from 80 to 90 % is as far as from 90 to 95 %."
)
MOST_POINTS = 500
"""Trials of a chart; of more there is only the picture, or the page would be too large."""


def plain_chart(chart: charts.Chart) -> dict[str, Any]:
    """A chart as the page's script takes it: plain values, NaN as null."""
    views = {name: json.loads(figure.to_json()) for name, figure in chart.views.items()}
    return {"choose": chart.choose, "views": [{"name": n, **view} for n, view in views.items()]}


def of_study(name: str, folder: Path, parts: Sequence[Part], winner: str | None) -> list[Picture]:
    """How the whole study went on: its best trial so far, and its time to an accuracy.

    The figures are drawn into ``folder``; ``winner`` is the name of the run that it ended with.
    """
    trials = [(part.search, part.trials) for part in parts if part.trials]
    if not trials:
        return []
    analysis, names = whole(name, trials, winner)
    shown = []
    if analysis.of("complete", "pruned"):
        draw("history", folder, lambda: best_so_far(analysis))
        scale = "" if analysis.by_cost else _SCALE
        shown.append(_picture(
            "history", folder, "History",
            f"Every trial in the order of the study, and the best until then.{scale}",
            analysis, lambda: charts.history(analysis, names),
        ))  # fmt: skip
    rise, measure = climb(trials), measure_of(parts[0].search.config.run)
    if rise.steps:
        draw("time_to_accuracy", folder, lambda: winner_figures.time_to_accuracy(rise, measure))
        reached = ", ".join(
            f"{100 * step.accuracy:.3g} % after {step.seconds:.3g} s" if measure.is_fraction
            else f"R² {step.accuracy:.3g} after {step.seconds:.3g} s"
            for step in rise.milestones()
        )  # fmt: skip
        stages = " Each stage's number is where it begins." if len(parts) > 1 else ""
        shown.append(_picture(
            "time_to_accuracy", folder, "Time to accuracy",
            "The best validation accuracy of any epoch against the training time of all trials, as "
            f"if one had run after the other. Reached: {reached}.{stages}",
            analysis, lambda: charts.time_to_accuracy(rise, measure),
        ))  # fmt: skip
    return shown


def of_search(part: Part) -> list[Picture]:
    """What a search says of the hyper-parameters; its figures are drawn already."""
    analysis, folder = part.analysis, part.search.directory / "figures"
    there = set(pictures_below(folder, list(_OF_SEARCH))) - set(missing(analysis))
    shown = []
    for name, (title, text, chart) in _OF_SEARCH.items():
        if name in there:
            make = None if chart is None else (lambda chart=chart: chart(analysis))
            shown.append(_picture(
                name, folder, title.format(**_words(part)), text.format(**_words(part)),
                analysis, make,
            ))  # fmt: skip
    return shown


def lacking(part: Part) -> list[str]:
    """What a search does not show, and why."""
    reasons = missing(part.analysis)
    if part.analysis.second_objective == "none":
        reasons.pop("pareto_front", None)
    return [f"No {name.replace('_', ' ')}: {reason}." for name, reason in reasons.items()]


_OF_SEARCH: dict[str, tuple[str, str, Callable[[Analysis], charts.Chart] | None]] = {
    "importances": (
        "Which hyper-parameters decide",
        "The share of each in whether a trial is among the best: where the best trials lie "
        "compared with where all do (PED-ANOVA, Watanabe et al. 2023).",
        None,
    ),
    "slices": (
        "Each hyper-parameter",
        "Every trial against one hyper-parameter at a time. Where the good ones crowd is where "
        "the search stayed. The star is the best trial of this search.",
        charts.slices,
    ),
    "landscape": (
        "{x} and {y} together",
        "The objective as a mean over neighbouring trials; blank where no trial is near.",
        charts.landscape,
    ),
    "parallel_coordinates": (
        "All completed trials",
        "A line for each trial through its hyper-parameters to its objective; the search's "
        "best is thick.",
        charts.parallel_coordinates,
    ),
    "pareto_front": (
        "How small a network may be",
        "Completed trials by accuracy and {second}; none beats those of the Pareto front in both. "
        "Recommended: {rule}.",
        charts.pareto_front,
    ),
}  # fmt: skip


def _words(part: Part) -> dict[str, str]:
    axes, second = landscape_axes(part.analysis), part.analysis.second_objective
    x, y = (symbol(axis.name) for axis in axes) if axes else ("", "")
    return {"x": x, "y": y, "second": SECOND.get(second, ""),
            "rule": winners.RULES[winners.rule(part.search)]}  # fmt: skip


def _picture(name: str, folder: Path, title: str, text: str, analysis: Analysis,
             make: Callable[[], charts.Chart] | None) -> Picture:  # fmt: skip
    few = len(analysis.points) <= MOST_POINTS
    chart = plain_chart(make()) if make and few else None
    return Picture(name, name, title, text, image(folder, name, name, f"{title}. {text}"), chart)
