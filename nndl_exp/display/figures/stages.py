"""The pictures of stages that decide by the course of training, rather than by where it ended."""

from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter

from nndl_exp.display.figures.marks import log_ticks
from nndl_exp.display.figures.saving import save_drawing
from nndl_exp.display.figures.scale import Scale
from nndl_exp.display.labels import objective, symbol
from nndl_exp.display.words import plain
from nndl_exp.run import measure_of, sizes_of
from nndl_exp.study.search import Search, Trial
from nndl_exp.training.update_time import epoch_seconds

# Told apart in grey by the dashes, and by the colour-blind (Okabe and Ito).
_LINES = (
    ("#0072B2", "-"), ("#E69F00", "--"), ("#009E73", "-."), ("#D55E00", ":"),
    ("#CC79A7", "-"), ("#56B4E9", "--"), ("#000000", "-."),
)  # fmt: skip


def against_time(search: Search, trials: Sequence[Trial]) -> Figure:
    """The best validation accuracy so far against the estimated training time, for each mini-batch
    size with the first of the seeds."""
    figure, axes = _figure(f"{search.name}: accuracy against estimated time")
    first = _of_first_seed(trials)
    for trial, style in zip(first, _styles(len(first)), strict=True):
        best = _best_so_far(search, trial)
        sizes, m = sizes_of(trial.config, search.dataset), trial.config.training.mini_batch_size
        epoch = epoch_seconds(sizes, m, len(search.dataset.training))
        seconds = epoch * np.arange(1, len(best) + 1)
        axes.plot(seconds, best, **style, label=_named(search, trial, 1))
    axes.set(xlabel="estimated training time (s)", xscale="log")
    axes.set(ylabel=f"best {_accuracy(search)} so far")
    axes.xaxis.set_major_locator(FixedLocator(log_ticks(*axes.get_xlim())))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    return _finish(figure, axes, search)


def against_epoch(search: Search, trials: Sequence[Trial]) -> Figure:
    """The best validation accuracy so far of each trial against the epoch."""
    figure, axes = _figure(f"{search.name}: accuracy against the epoch")
    for trial, style in zip(trials, _styles(len(trials)), strict=True):
        best = _best_so_far(search, trial)
        axes.plot(range(1, len(best) + 1), best, **style, label=_named(search, trial))
    axes.set(xlabel="epoch", ylabel=f"best {_accuracy(search)} so far")
    axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
    return _finish(figure, axes, search)


def training_costs(search: Search, trials: Sequence[Trial]) -> Figure:
    """The training cost from before the first epoch on, for each η with the first of the seeds."""
    figure, axes = _figure(f"{search.name}: where the training cost falls")
    first = sorted(_of_first_seed(trials), key=lambda trial: trial.config.training.eta)
    for trial, style in zip(first, _ordered_styles(len(first)), strict=True):
        epochs = search.run_directory(trial.number).epochs()
        costs = [moment.training_cost for moment in epochs[0].within[:1]] if epochs else []
        costs += [epoch.training_cost for epoch in epochs]
        axes.plot(
            [cost if np.isfinite(cost) else np.nan for cost in costs],
            **style,
            label=f"η = {plain(trial.config.training.eta)}",
        )
    axes.set(xlabel="epoch", ylabel="training cost C", yscale="log")
    axes.yaxis.set_major_locator(FixedLocator(Scale(by_cost=True).ticks(*axes.get_ylim())))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, ncols=2)
    return figure


def candidates(search: Search, trials: Sequence[Trial]) -> Figure:
    """The validation accuracy of each candidate with each of its seeds, and their mean."""
    groups: dict[str, list[float]] = {}
    names = [name for name in search.space.settings if name != "seed"]
    scale = 100 if measure_of(search.config.run).is_fraction else 1
    for trial in trials:
        varied = search.varied(trial.config)
        name = "\n".join(f"{symbol(n)} {plain(varied[n])}" for n in names) or "the winner"
        if (accuracy := trial.result.validation_accuracy) is not None:
            groups.setdefault(name, []).append(scale * accuracy)
    figure, axes = _figure(f"{search.name}: the candidates with new seeds")
    figure.subplots_adjust(bottom=0.08 + 0.04 * max(1, len(names)))
    for at, values in enumerate(groups.values()):
        beside = np.linspace(-0.12, 0.12, len(values)) if len(values) > 1 else [0.0]
        axes.plot(at + np.asarray(beside), values, linestyle="", marker="o", color=_LINES[0][0],
                  label="a seed" if at == 0 else "_")  # fmt: skip
        axes.plot([at - 0.25, at + 0.25], [np.mean(values)] * 2, color=_LINES[1][0], linewidth=2,
                  label="mean" if at == 0 else "_")  # fmt: skip
    axes.set(ylabel=_accuracy(search), xlim=(-0.5, max(1, len(groups)) - 0.5))
    axes.set_xticks(range(len(groups)), list(groups), fontsize=9)
    if groups:
        axes.legend(fontsize=8)
    axes.grid(axis="y", alpha=0.3)
    return figure


Picture = Callable[[Search, Sequence[Trial]], Figure]
PICTURES: dict[str, Picture] = {
    "learning_rate": training_costs,
    "epochs": against_epoch,
    "mini_batch_size": against_time,
    "schedule": against_epoch,
    "winner": candidates,
}
"""The pictures of stages, by the stage's key; a file of the same name as the function."""


def draw_picture(search: Search, trials: Sequence[Trial], formats: Sequence[str]) -> list[Path]:
    """Draw a stage's picture, if it has one of its own, into its figures/; the files."""
    picture = PICTURES.get(search.key)
    if picture is None:
        return []
    folder = search.directory / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    return save_drawing(lambda: picture(search, trials), picture.__name__, folder, formats)


def _of_first_seed(trials: Sequence[Trial]) -> list[Trial]:
    seed = min((trial.config.seed for trial in trials), default=0)
    return [trial for trial in trials if trial.config.seed == seed]


def _figure(title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.4, 4.0))
    figure.subplots_adjust(left=0.11, right=0.98, bottom=0.13, top=0.91)
    figure.suptitle(title, fontsize=10)
    return figure, figure.subplots()


def _finish(figure: Figure, axes: Axes, search: Search) -> Figure:
    drawn = [float(y) for line in axes.lines for y in np.asarray(line.get_ydata())]
    if drawn and measure_of(search.config.run).is_fraction:
        Scale(by_cost=False).apply(axes, drawn)
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right", fontsize=8)
    return figure


def _styles(count: int) -> list[dict[str, Any]]:
    return [
        {"color": colour, "linestyle": dashes}
        for colour, dashes in (_LINES[i % len(_LINES)] for i in range(count))
    ]


def _ordered_styles(count: int) -> list[dict[str, Any]]:
    """For lines in an order: from dark to light, the dashes telling neighbours apart."""
    colours = colormaps["viridis"]([i / max(1, count) for i in range(count)])
    dashes = [_LINES[i % 4][1] for i in range(count)]
    return [{"color": c, "linestyle": d} for c, d in zip(colours, dashes, strict=True)]


def _best_so_far(search: Search, trial: Trial) -> list[float]:
    epochs = search.run_directory(trial.number).epochs()
    scale = 100 if measure_of(search.config.run).is_fraction else 1
    return list(accumulate((scale * epoch.validation_accuracy for epoch in epochs), max))


def _accuracy(search: Search) -> str:
    measure = measure_of(search.config.run)
    return objective(False, measure.name) if measure.is_fraction else f"validation {measure.name}"


def _named(search: Search, trial: Trial, count: int | None = None) -> str:
    names = search.space.settings[:count]
    varied = search.varied(trial.config)
    return ", ".join(f"{symbol(name)} = {plain(varied[name])}" for name in names)
