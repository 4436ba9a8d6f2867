"""The searches of a study as charts: history, time to an accuracy, hyper-parameters."""

from collections.abc import Callable, Sequence

from nndl_exp.display.figures import search, space
from nndl_exp.display.figures.interactive import Chart
from nndl_exp.display.figures.stages import time_to_accuracy
from nndl_exp.display.figures.style import Drawing
from nndl_exp.display.findings import StageFindings, climb
from nndl_exp.display.report.pictures import Picture, Place, image, interactive
from nndl_exp.display.words import SECOND, symbol
from nndl_exp.study import winner as winners

_SCALE = (
    " The scale is that of the errors that are left: from 80 to 90 % is as far as from 90 to 95 %."
)


def of_study(
    stages: Sequence[StageFindings], recommended: str | None, place: Place
) -> list[Picture]:
    """The course of a whole study: the best trial so far, and the time to an accuracy.

    ``recommended`` is the name of the run that it ended with.
    """
    begun, shown = [stage for stage in stages if stage.trials], list[Picture]()
    if any(stage.of("complete") for stage in begun):
        percent = begun[0].objective.measure.is_fraction and not begun[0].objective.by_cost
        text = "Every completed trial in the order of the study, and the best until then."
        shown.append(interactive(
            search.history(begun, recommended), "history", "History", text + _SCALE * percent
        ))  # fmt: skip
    rise = climb(begun)
    if rise.steps:
        measure = begun[0].objective.measure
        reached = ", ".join(
            f"{measure.text(step.accuracy)} after {step.seconds:.3g} s"
            for step in rise.milestones()
        )
        text = (
            "The best validation accuracy of any epoch against the training time of all trials, as "
            f"if one had run after the other. Reached: {reached}."
        )
        if len(stages) > 1:
            text += " Each stage's number is where it begins."
        drawing = Drawing("time_to_accuracy", time_to_accuracy(rise, measure))
        shown.append(image(drawing, place, "time_to_accuracy", "Time to accuracy", text))
    return shown


def of_search(stage: StageFindings) -> list[Picture]:
    """The charts of a search that its trials are enough for."""
    axes = space.landscape_axes(stage)
    words = {
        "x": symbol(axes[0].name) if axes else "", "y": symbol(axes[1].name) if axes else "",
        "second": SECOND.get(stage.second, ""), "rule": winners.RULES[winners.rule(stage.search)],
        "note": stage.importances.note,
    }  # fmt: skip
    return [
        interactive(make(stage), name, title.format(**words), text.format(**words))
        for name, (title, text, make) in _CHARTS.items()
        if name not in missing(stage)
    ]


def missing(stage: StageFindings) -> dict[str, str]:
    """The charts that the trials of a search are not enough for, and why."""
    complete, valued = stage.of("complete"), stage.of("complete", "pruned")
    reasons: dict[str, str] = {}
    if not valued:
        reasons |= dict.fromkeys(("slices", "learning_curves"), "no trial has a value")
    if space.landscape_axes(stage) is None:
        reasons["landscape"] = "needs two ranges of numbers that every trial has"
    elif len(valued) < space.FEWEST_IN_LANDSCAPE:
        reasons["landscape"] = f"needs {space.FEWEST_IN_LANDSCAPE} trials with a value"
    if not complete:
        reasons["parallel_coordinates"] = "no trial has completed"
    if not stage.importances.shares:
        reasons["importances"] = stage.importances.note
    if not stage.front:
        two = stage.second != "none"
        reasons["pareto_front"] = "no trial has completed" if two else "has one objective"
    return reasons


def lacking(stage: StageFindings) -> list[str]:
    """The charts that are not there, and why, as sentences."""
    reasons = missing(stage)
    if stage.second == "none":
        del reasons["pareto_front"]
    return [f"No {name.replace('_', ' ')}: {reason}." for name, reason in reasons.items()]


_CHARTS: dict[str, tuple[str, str, Callable[[StageFindings], Chart]]] = {
    "importances": (
        "Which hyper-parameters matter",
        "The share of each {note}: where the best trials lie compared with where all do "
        "(Watanabe et al. 2023).",
        search.importances,
    ),
    "slices": (
        "Each hyper-parameter",
        "Every trial against one hyper-parameter at a time. Where the good ones crowd is where "
        "the search stayed. The star is the best trial of this search.",
        space.slices,
    ),
    "landscape": (
        "{x} and {y} together",
        "The objective as a mean over neighbouring trials; blank where no trial is near.",
        space.landscape,
    ),
    "parallel_coordinates": (
        "All completed trials",
        "A line for each trial through its hyper-parameters to its objective; the best trial of "
        f"the search is thick. Of many trials the best {space.MOST_LINES} are shown.",
        space.parallel_coordinates,
    ),
    "learning_curves": (
        "Learning curves of the trials",
        "The objective of each trial against the epoch, dotted where it was pruned; the best trial "
        f"of the search is thick. Of many trials the best {search.MOST_CURVES} are shown.",
        search.learning_curves,
    ),
    "pareto_front": (
        "Small and accurate networks",
        "Completed trials by accuracy and {second}; none beats those of the Pareto front in both. "
        "Recommended: {rule}.",
        search.pareto_front,
    ),
}  # fmt: skip
