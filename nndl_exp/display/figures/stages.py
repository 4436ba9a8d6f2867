"""Figures of a study's course: one for each stage, and the time to an accuracy."""

from collections.abc import Callable, Sequence
from itertools import accumulate, islice
from math import isclose
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter

from nndl_exp.config import RunConfig, value_text
from nndl_exp.display.figures.scale import Scale, log_ticks, parameter_ticks
from nndl_exp.display.figures.style import (
    CHOSEN,
    LINES,
    TRAINING,
    VALIDATION,
    Drawing,
    line_styles,
    plot,
)
from nndl_exp.display.findings import Climb, StageFindings, names_of, without_seed
from nndl_exp.display.words import label, symbol
from nndl_exp.run import sizes_of
from nndl_exp.study.search import Trial
from nndl_exp.training.accuracy import Measure
from nndl_exp.training.update_time import epoch_seconds

_MOST_GROUPS, _LINE = 14, 34
"""So many configurations are shown, named in lines of so many characters."""


def training_costs(stage: StageFindings) -> Figure:
    """The training cost from before the first epoch on, for each η with the first of the seeds.

    The threshold is the thick line; the chosen η has a line of its own where it was trained.
    """
    figure, axes = plot(f"{stage.search.name}: where the training cost stops falling")
    numbers = stage.decision.numbers if stage.decision else {}
    first = sorted(_of_first_seed(stage.trials), key=lambda trial: trial.config.training.eta)
    for trial, style in zip(first, _ordered_styles(len(first)), strict=True):
        eta = trial.config.training.eta
        role = _role(eta, numbers)
        axes.plot(
            _costs(stage, trial), **style, linewidth=3 if role else 1.4,
            label=f"η = {value_text(eta)}{role}",
        )  # fmt: skip
    if "eta" in numbers and not any(_role(t.config.training.eta, numbers) == " (chosen)"
                                    for t in first):  # fmt: skip
        chosen = f"chosen: η = {value_text(numbers['eta'])}\n(half the threshold)"
        axes.plot([], [], linestyle="", marker="*", color=CHOSEN, label=chosen)
    axes.set(xlabel="epoch", ylabel="training cost C", yscale="log")
    axes.yaxis.set_major_locator(FixedLocator(Scale(None).ticks(*axes.get_ylim())))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    figure.subplots_adjust(right=0.72)
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False)
    return figure


def _role(eta: float, numbers: dict[str, Any]) -> str:
    for key, role in (("eta", "chosen"), ("threshold", "threshold")):
        if key in numbers and isclose(eta, numbers[key], rel_tol=1e-6):
            return f" ({role})"
    return ""


def _costs(stage: StageFindings, trial: Trial) -> list[float]:
    epochs = stage.search.run_directory(trial.number).epochs()
    costs = [moment.training_cost for moment in epochs[0].within[:1]] if epochs else []
    costs += [epoch.training_cost for epoch in epochs]
    return [cost if np.isfinite(cost) else np.nan for cost in costs]


def against_epoch(stage: StageFindings) -> Figure:
    """The best validation accuracy so far of each trial against the epoch, and where it stops."""
    figure, axes = plot(f"{stage.search.name}: accuracy against the epoch")
    drawn = list[float]()
    for trial, style in zip(stage.trials, line_styles(len(stage.trials)), strict=True):
        best = _best_so_far(stage, trial)
        drawn += best
        axes.plot(range(1, len(best) + 1), best, **style, label=_named(stage, trial))
    stops = stage.decision.numbers.get("stops_at") if stage.decision else None
    if stops is not None:
        axes.axvline(stops, color=CHOSEN, linestyle=":", label=f"stops after {stops} epochs")
    axes.set(xlabel="epoch", ylabel=_best_label(stage))
    axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
    return _finish(figure, axes, Scale.of_accuracy(stage.objective.measure), drawn)


def against_time(stage: StageFindings) -> Figure:
    """The best validation accuracy so far against the estimated training time, for each mini-batch
    size with the first of the seeds."""
    figure, axes = plot(f"{stage.search.name}: accuracy against estimated time")
    first, search, drawn = _of_first_seed(stage.trials), stage.search, list[float]()
    for trial, style in zip(first, line_styles(len(first)), strict=True):
        best = _best_so_far(stage, trial)
        drawn += best
        sizes, m = sizes_of(trial.config, search.dataset), trial.config.training.mini_batch_size
        epoch = epoch_seconds(sizes, m, len(search.dataset.training))
        chosen = stage.decision and stage.decision.config.training.mini_batch_size == m
        axes.plot(
            epoch * np.arange(1, len(best) + 1), best, **style, linewidth=3 if chosen else 1.4,
            label=_named(stage, trial, 1) + " (chosen)" * bool(chosen),
        )  # fmt: skip
    axes.set(xlabel="estimated training time (s)", xscale="log", ylabel=_best_label(stage))
    _plain_log_axis(axes)
    return _finish(figure, axes, Scale.of_accuracy(stage.objective.measure), drawn)


def _plain_log_axis(axes: Axes) -> None:
    axes.xaxis.set_major_locator(FixedLocator(log_ticks(*axes.get_xlim())))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def against_eta(stage: StageFindings) -> Figure:
    """The validation accuracy of each trial against η."""
    return _against_setting(stage, "training.eta")


def against_lmbda(stage: StageFindings) -> Figure:
    """The validation accuracy of each trial against λ, on a log scale with 0."""
    return _against_setting(stage, "training.lmbda")


def _against_setting(stage: StageFindings, name: str) -> Figure:
    """Trials against a setting; a dashed line marks what the stage decided on."""
    parameter = next(p for p in stage.parameters if p.name == name)
    figure, axes = plot(f"{stage.search.name}: {stage.objective.name} against {symbol(name)}")
    drawn = [p for p in stage.of("complete", "pruned") if name in p.params]
    at = [parameter.position(p.params[name]) for p in drawn]
    axes.plot(at, [p.value or 0.0 for p in drawn], linestyle="", marker="o", color=VALIDATION,
              label="a trial")  # fmt: skip
    if stage.decision:
        chosen = getattr(stage.decision.config.training, name.rpartition(".")[2])
        if parameter.low <= chosen <= parameter.high:
            axes.axvline(parameter.position(chosen), color=CHOSEN, linestyle="--",
                         label=f"chosen: {symbol(name)} = {value_text(chosen)}")  # fmt: skip
    ticks = parameter_ticks(parameter)
    axes.set_xticks([place for place, _ in ticks], [text for _, text in ticks])
    axes.set(xlabel=label(name), xlim=(-0.04, 1.04), ylabel=stage.objective.label)
    return _finish(figure, axes, Scale.of(stage.objective), [p.value or 0.0 for p in drawn])


def configurations(stage: StageFindings) -> Figure:
    """The validation accuracy of each configuration with each of its seeds, and their mean; the
    one that was chosen is set in bold."""
    groups = _groups(stage)
    names = ["\n".join(wrap(name, _LINE)) for name in groups]
    lines = sum(name.count("\n") + 1 for name in names)
    figure = Figure(figsize=(6.4, 1.3 + 0.2 * len(names) + 0.17 * lines), layout="constrained")
    figure.suptitle(f"{stage.search.name}: each configuration with its seeds", fontsize=10)
    axes = figure.subplots()
    for at, (values, _) in enumerate(groups.values()):
        axes.plot(values, [at] * len(values), linestyle="", marker="o", color=VALIDATION,
                  alpha=0.7, label="a seed" if at == 0 else "_")  # fmt: skip
        axes.plot([np.mean(values)] * 2, [at - 0.3, at + 0.3], color=TRAINING, linewidth=2.5,
                  label="mean" if at == 0 else "_")  # fmt: skip
    axes.set_yticks(range(len(names)), names, fontsize=8.5)
    for text, (_, chosen) in zip(axes.get_yticklabels(), groups.values(), strict=True):
        text.set_fontweight("bold" if chosen else "normal")
    axes.set(xlabel=f"validation {stage.objective.measure.label}", ylim=(len(names) - 0.4, -0.6))
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside lower right", ncols=2, fontsize=8, frameon=False)
    return figure


def _groups(stage: StageFindings) -> dict[str, tuple[list[float], bool]]:
    """The accuracies of each configuration, by the settings in which it differs, and whether it was
    chosen; the first ones, where there are many."""
    found = dict[RunConfig, list[float]]()
    for trial in stage.trials:
        if (accuracy := trial.result.validation_accuracy) is not None:
            config = without_seed(trial.config)
            found.setdefault(config, []).append(stage.objective.shown(accuracy))
    shown = zip(names_of(list(found), stage), found.items(), strict=True)
    return {
        name: (values, stage.is_chosen(config))
        for name, (config, values) in islice(shown, _MOST_GROUPS)
    }


def time_to_accuracy(climb: Climb, measure: Measure) -> Figure:
    """The best validation accuracy of any epoch against the training time of all trials."""
    figure = Figure(figsize=(9, 3.6))
    figure.subplots_adjust(left=0.075, right=0.985, bottom=0.15, top=0.88)
    axes = figure.subplots()
    seconds = [step.seconds for step in climb.steps]
    values = [measure.scale * step.accuracy for step in climb.steps]
    axes.step([*seconds, climb.seconds], [*values, values[-1]], where="post", color=VALIDATION)
    axes.set(xscale="log", xlabel="training time of all trials so far (s)",
             ylabel=f"best {measure.label}")  # fmt: skip
    axes.set_xlim(seconds[0] * 0.9, climb.seconds * 1.05)
    _plain_log_axis(axes)
    Scale.of_accuracy(measure).apply(axes, values)
    axes.grid(alpha=0.3)
    for number, at in climb.starts_seen():
        axes.axvline(at, color="0.5", linewidth=0.8, linestyle=":")
        axes.annotate(f"{number}", (at, 1.02), xycoords=axes.get_xaxis_transform(), fontsize=8,
                      horizontalalignment="center")  # fmt: skip
    return figure


PICTURES: dict[str, Callable[[StageFindings], Figure]] = {
    "any_learning": against_eta,
    "learning_rate": training_costs,
    "epochs": against_epoch,
    "regularization": against_lmbda,
    "mini_batch_size": against_time,
    "techniques": configurations,
    "architecture": configurations,
    "schedule": against_epoch,
    "winner": configurations,
}
"""The figures of stages, by the stage's key; a file of the same name as the function."""


def draw_stage(stage: StageFindings) -> Drawing | None:
    """A stage's figure; None where it has none, or no trial that tells."""
    picture = PICTURES.get(stage.search.key)
    if picture is None or not stage.of("complete", "pruned"):
        return None
    return Drawing(picture.__name__, picture(stage))


def _of_first_seed(trials: Sequence[Trial]) -> list[Trial]:
    seed = min((trial.config.seed for trial in trials), default=0)
    return [trial for trial in trials if trial.config.seed == seed]


def _finish(figure: Figure, axes: Axes, scale: Scale, values: Sequence[float]) -> Figure:
    if values:
        scale.apply(axes, values)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right", fontsize=8)
    return figure


def _ordered_styles(count: int) -> list[dict[str, Any]]:
    """For lines in an order: from dark to light, the dashes telling neighbours apart.

    The ends of the colours are left out: the one can't be seen on black, the other not on white.
    """
    colours = colormaps["viridis"](np.linspace(0.3, 0.8, count))
    dashes = [LINES[i % 4][1] for i in range(count)]
    return [{"color": c, "linestyle": d} for c, d in zip(colours, dashes, strict=True)]


def _best_so_far(stage: StageFindings, trial: Trial) -> list[float]:
    epochs = stage.search.run_directory(trial.number).epochs()
    shown = (stage.objective.shown(epoch.validation_accuracy) for epoch in epochs)
    return list(accumulate(shown, max))


def _best_label(stage: StageFindings) -> str:
    return f"best validation {stage.objective.measure.label} so far"


def _named(stage: StageFindings, trial: Trial, count: int | None = None) -> str:
    varied = stage.search.varied(trial.config)
    names = stage.search.space.settings[:count]
    return ", ".join(f"{symbol(name)} = {value_text(varied[name])}" for name in names)
