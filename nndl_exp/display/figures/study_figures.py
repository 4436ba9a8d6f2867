"""The figures of a study, and drawing them into its folder.

To add one is to add a function from an analysis to a figure, and an entry in ``FIGURES``.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter

from nndl_exp.display.figures.learning_curves import VALIDATION
from nndl_exp.display.figures.marks import legend, log_ticks, mark
from nndl_exp.display.figures.parameter_figures import (
    landscape,
    landscape_axes,
    parallel_coordinates,
    slices,
)
from nndl_exp.display.figures.saving import save_drawing
from nndl_exp.display.figures.scale import Scale
from nndl_exp.display.findings import Analysis, Point
from nndl_exp.display.labels import SECOND, label, objective

_FEWEST_IN_LANDSCAPE = 3


def best_so_far(analysis: Analysis) -> Figure:
    """The objective of each trial, and the best until then, by trial and by training time."""
    figure = Figure(figsize=(9, 3.8))
    figure.subplots_adjust(left=0.075, right=0.985, bottom=0.21, top=0.91, wspace=0.06)
    by_number, by_time = figure.subplots(1, 2, sharey=True)
    elapsed, total = {}, 0.0
    for point in analysis.points:
        total += point.seconds
        elapsed[point.number] = total
    places: list[tuple[Axes, Callable[[Point], float], str]] = [
        (by_number, lambda p: float(p.number), "trial"),
        (by_time, lambda p: elapsed[p.number], "training time of all trials so far (s)"),
    ]
    for axes, x, text in places:
        best = _best_until(analysis)
        if best:
            xs = [*(x(p) for p, _ in best), x(analysis.points[-1])]
            ys = [*(value for _, value in best), best[-1][1]]
            axes.step(xs, ys, where="post", color=VALIDATION, linewidth=1.5, label="best so far")
        mark(axes, analysis, x, lambda p: p.value)
        axes.set_xlabel(text)
        axes.grid(alpha=0.3)
    Scale(analysis.by_cost).apply(by_number, analysis.values("complete", "pruned"))
    by_number.set_ylabel(objective(analysis.by_cost, analysis.accuracy))
    by_number.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    legend(figure, by_number)
    figure.suptitle(f"{analysis.name}: the best trial so far", fontsize=10)
    return figure


def _best_until(analysis: Analysis) -> list[tuple[Point, float]]:
    sign = -1 if analysis.by_cost else 1
    best: list[tuple[Point, float]] = []
    for point in analysis.of("complete"):
        assert point.value is not None
        if not best or sign * point.value > sign * best[-1][1]:
            best.append((point, point.value))
    return best


def importance_bars(analysis: Analysis) -> Figure:
    """The share of each hyper-parameter as a bar, the largest on top."""
    names = list(analysis.importances)
    figure = Figure(figsize=(7, 1.3 + 0.34 * len(names)))
    height = figure.get_figheight()
    figure.subplots_adjust(left=0.32, right=0.96, bottom=0.62 / height, top=1 - 0.42 / height)
    axes = figure.subplots()
    shares = [100 * analysis.importances[name] for name in names]
    bars = axes.barh([label(name) for name in names], shares, color=VALIDATION, height=0.65)
    axes.bar_label(bars, fmt="%.0f %%", padding=3, fontsize=9)
    axes.set(xlabel=f"importance (%) {analysis.importance_note}", xlim=(0, 1.12 * max(shares)))
    axes.xaxis.label.set_fontsize(8)
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    figure.suptitle(f"{analysis.name}: which hyper-parameters decide", fontsize=10)
    return figure


def pareto_front(analysis: Analysis) -> Figure:
    """Both objectives of each completed trial, and the front that no trial beats in both."""
    figure = Figure(figsize=(6.4, 4))
    figure.subplots_adjust(left=0.11, right=0.97, bottom=0.2, top=0.92)
    axes = figure.subplots()
    by_number = {p.number: p for p in analysis.of("complete")}
    front = [by_number[number] for number in analysis.front]
    axes.step(
        [p.size or 0 for p in front], [p.value or 0.0 for p in front],
        where="post", color=VALIDATION, linewidth=1.5, label="Pareto front",
    )  # fmt: skip
    mark(axes, analysis, lambda p: p.size, lambda p: p.value)
    Scale(analysis.by_cost).apply(axes, analysis.values("complete"))
    axes.set(xscale="log", xlabel=SECOND[analysis.second_objective])
    sizes = [p.size or 0 for p in by_number.values()]
    axes.xaxis.set_major_locator(FixedLocator(log_ticks(min(sizes), max(sizes))))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda size, _: f"{size:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel(objective(analysis.by_cost, analysis.accuracy))
    axes.grid(alpha=0.3)
    legend(figure, axes)
    figure.suptitle(f"{analysis.name}: how small a network may be", fontsize=10)
    return figure


FIGURES: dict[str, Callable[[Analysis], Figure]] = {
    "best_so_far": best_so_far,
    "slices": slices,
    "landscape": landscape,
    "parallel_coordinates": parallel_coordinates,
    "importances": importance_bars,
    "pareto_front": pareto_front,
}


def missing(analysis: Analysis) -> dict[str, str]:
    """The figures that the trials are not enough for, and why."""
    complete, valued = analysis.of("complete"), analysis.of("complete", "pruned")
    reasons: dict[str, str] = {}
    if not valued:
        reasons |= dict.fromkeys(("best_so_far", "slices"), "no trial has a value")
    if landscape_axes(analysis) is None:
        reasons["landscape"] = "needs two ranges of numbers that every trial has"
    elif len(valued) < _FEWEST_IN_LANDSCAPE:
        reasons["landscape"] = f"needs {_FEWEST_IN_LANDSCAPE} trials with a value"
    if not complete:
        reasons["parallel_coordinates"] = "no trial has completed"
    if not analysis.importances:
        reasons["importances"] = analysis.importance_note
    if not analysis.front:
        two = analysis.second_objective != "none"
        reasons["pareto_front"] = "no trial has completed" if two else "has one objective"
    return reasons


def draw_figure(name: str, analysis: Analysis, folder: Path, formats: Sequence[str]) -> list[Path]:
    """Draw one of ``FIGURES`` into a folder, in each of the formats; the files."""
    return save_drawing(lambda: FIGURES[name](analysis), name, folder, formats)
