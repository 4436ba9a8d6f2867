"""Figures of a run."""

import functools
import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nndl_exp.display.figures.saving import save
from nndl_exp.training.accuracy import Measure
from nndl_exp.training.epoch import Epoch, Moment

# Told apart in grey and by the colour-blind (Okabe and Ito).
TRAINING, VALIDATION = "#E69F00", "#0072B2"


SETS = (("training", TRAINING, "--"), ("validation", VALIDATION, "-"))
"""The training set, and the one that is monitored."""


class LearningCurves:
    """Cost and accuracy on the training and the validation set against the epoch.

    One figure, whose curves are put in the place of those of the run before: making axes and their
    ticks takes longer than drawing them, and a study has a figure for each trial.
    """

    def __init__(self, measure: Measure) -> None:
        self._measure = measure
        self.figure = Figure(figsize=(8, 3.2))
        # Fixed margins: a computed layout draws everything twice.
        self.figure.subplots_adjust(left=0.08, right=0.985, bottom=0.15, top=0.88, wspace=0.2)
        self._axes = dict(zip(("cost", "accuracy"), self.figure.subplots(1, 2), strict=True))
        self._lines, self._best = {}, []
        labels = ("cost C", "accuracy (%)" if measure.is_fraction else measure.name)
        for (kind, axes), label in zip(self._axes.items(), labels, strict=True):
            for name, colour, style in SETS:
                (line,) = axes.plot([], [], style, color=colour, label=name)
                self._lines[f"{name}_{kind}"] = line
            axes.set(xlabel="epoch", ylabel=label)
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            axes.yaxis.set_major_locator(MaxNLocator(5))
            axes.grid(alpha=0.3)
            self._best.append(axes.axvline(0, color="0.5", linewidth=1, linestyle=":"))

    def draw(
        self, history: Sequence[Epoch], best: int | None, title: str, monitor: str = "validation"
    ) -> None:
        """Show a run, ``best`` being the number of its best epoch, ``monitor`` the set that was
        measured beside the training set."""
        moments: list[Epoch | Moment] = []
        for epoch in history:
            moments += [*epoch.within, epoch]
        epochs = [m.epoch if isinstance(m, Moment) else m.number for m in moments]
        for name, line in self._lines.items():
            scale = 100 if name.endswith("accuracy") and self._measure.is_fraction else 1
            values = [scale * getattr(moment, name) for moment in moments]
            line.set_data(epochs, [v if math.isfinite(v) else math.nan for v in values])
            line.set_label("training" if name.startswith("training") else monitor)
            line.set_marker("o" if len(moments) == 1 else "")
        for line in self._best:
            line.set(visible=best is not None, label="_" if best is None else "best epoch")
            line.set_xdata([math.nan if best is None else best] * 2)
        self._fit()
        self.figure.suptitle(title, fontsize=10)

    def _fit(self) -> None:
        for axes in self._axes.values():
            axes.set_autoscale_on(True)
            axes.relim(visible_only=True)
            axes.autoscale_view()
        accuracy = self._axes["accuracy"]
        low, high = accuracy.get_ylim()
        if not self._measure.is_fraction and high > -1.0:
            # One epoch of a wild R² would flatten all the others.
            accuracy.set_ylim(bottom=max(-1.0, low))
        accuracy.legend()


@functools.cache
def _curves(measure: Measure) -> LearningCurves:
    return LearningCurves(measure)


def save_learning_curves(
    path: Path,
    history: Sequence[Epoch],
    best: int | None,
    title: str,
    measure: Measure,
    monitor: str = "validation",
) -> None:
    """Write the learning curves as a PNG; ``monitor`` is the set beside the training set."""
    curves = _curves(measure)
    curves.draw(history, best, title, monitor)
    save(curves.figure, path, dpi=100, pil_kwargs={"compress_level": 1})
