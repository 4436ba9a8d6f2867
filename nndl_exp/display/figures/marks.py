"""How trials are marked in every figure of a study: by colour, and by form for those in grey."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter

from nndl_exp.display.figures.learning_curves import VALIDATION
from nndl_exp.display.findings import Analysis, Parameter, Point
from nndl_exp.display.labels import label

FAILED, WINNER = "#D55E00", "#F0E442"  # of the same palette as figures.py
GREY = "0.4"
# A white edge keeps marks apart, from each other and from what is below them.
_HALO = [withStroke(linewidth=2.2, foreground="white", alpha=0.8)]
_LOST = "diverged or failed"
STYLES: dict[str, dict[str, Any]] = {
    "complete": {"marker": "o", "color": VALIDATION, "markersize": 5, "markeredgecolor": "white",
                 "markeredgewidth": 0.6},
    "pruned": {"marker": "x", "color": GREY, "markersize": 4.5, "markeredgewidth": 1,
               "path_effects": _HALO},
    _LOST: {"marker": "v", "color": FAILED, "markersize": 5},
    "winner": {"marker": "*", "color": WINNER, "markersize": 13, "markeredgecolor": "black",
               "markeredgewidth": 0.8, "zorder": 5},
}  # fmt: skip
"""The marks by what the legend says."""

Place = Callable[[Point], float | None]


def mark(axes: Axes, analysis: Analysis, x: Place, y: Place, *, y_is_value: bool = True) -> None:
    """Mark every trial that has both coordinates.

    Where the vertical axis is the objective, trials without one stand at its lower edge.
    """
    drawn = {
        "pruned": analysis.of("pruned"),
        "complete": analysis.of("complete"),
        "winner": [p for p in analysis.of("complete") if p.number == analysis.winner],
    }
    for name, points in drawn.items():
        _plot(axes, [(x(p), y(p)) for p in points], name)
    lost = analysis.valueless()
    if y_is_value:
        edge = {"transform": axes.get_xaxis_transform(), "clip_on": False}
        _plot(axes, [(x(p), 0.0) for p in lost], _LOST, **edge)
    else:
        _plot(axes, [(x(p), y(p)) for p in lost], _LOST)


def _plot(
    axes: Axes, at: Sequence[tuple[float | None, float | None]], name: str, **more: Any
) -> None:
    both = [(x, y) for x, y in at if x is not None and y is not None]
    if both:
        axes.plot(*zip(*both, strict=True), linestyle="", label=name, **STYLES[name], **more)


def legend(figure: Figure, axes: Axes) -> None:
    """Say below the plots, where it covers nothing, what the marks mean: lines, then trials."""
    found = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    last = [name for name in ("complete", "pruned", _LOST, "winner") if name in found]
    names = [name for name in found if name not in last] + last
    handles = [found[name] for name in names]
    figure.legend(handles, names, loc="lower center", ncols=5, fontsize=8, frameon=False)


_FEW_CHOICES = 4


def set_range(axes: Axes, which: Literal["x", "y"], parameter: Parameter) -> None:
    """Make an axis of a plot that of a hyper-parameter: its range, scale, ticks and name."""
    axis: Axis = axes.xaxis if which == "x" else axes.yaxis
    margin = 0.04
    if parameter.choices:
        axis.set_major_locator(FixedLocator(range(len(parameter.choices))))
        axis.set_major_formatter(FuncFormatter(lambda i, _: parameter.choices[round(i)]))
        limits = (-0.5, parameter.high + 0.5)
        if which == "x" and is_slanted(parameter):
            axis.set_tick_params(rotation=40)
            for text in axis.get_ticklabels():
                text.set(horizontalalignment="right", rotation_mode="anchor")
    elif parameter.low == parameter.high:
        limits = (parameter.low - 0.5, parameter.high + 0.5)
        axis.set_major_locator(FixedLocator([parameter.low]))
    elif parameter.is_coarse:
        limits = (parameter.low - 0.5, parameter.high + 0.5)
        axis.set_major_locator(MaxNLocator(5, integer=parameter.whole))
    elif parameter.log:
        axes.set(**{f"{which}scale": "log"})
        ratio = (parameter.high / parameter.low) ** margin
        limits = (parameter.low / ratio, parameter.high * ratio)
        axis.set_minor_formatter(NullFormatter())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_major_locator(FixedLocator(log_ticks(parameter.low, parameter.high)))
    else:
        wide = margin * (parameter.high - parameter.low)
        limits = (parameter.low - wide, parameter.high + wide)
        axis.set_major_locator(MaxNLocator(5, integer=parameter.whole))
    axes.set(**{f"{which}lim": limits})
    axis.set_label_text(label(parameter.name))


def is_slanted(parameter: Parameter) -> bool:
    """Whether the choices are too many to be written side by side."""
    return len(parameter.choices) > _FEW_CHOICES


def log_ticks(low: float, high: float) -> list[float]:
    """Round values of a log range: powers of ten where there are three, else also 2 and 5."""
    for steps in ((1,), (1, 2, 5), (1, 2, 3, 4, 5, 6, 7, 8, 9)):
        ticks = [
            float(f"{step}e{power}")
            for power in range(-12, 13)
            for step in steps
            if low * 0.999 <= float(f"{step}e{power}") <= high * 1.001
        ]
        if len(ticks) >= 3:
            return ticks[:: 1 + len(ticks) // 7]
    return [low, high]
