"""Figures of a run."""

import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nndl_exp.report.saving import save
from nndl_exp.training.accuracy import Measure
from nndl_exp.training.epoch import Epoch, Moment

# Told apart in grey and by the colour-blind (Okabe and Ito).
TRAINING, VALIDATION = "#E69F00", "#0072B2"


def learning_curves(
    history: Sequence[Epoch], best: int | None, title: str, measure: Measure
) -> Figure:
    """Cost and accuracy on the training and the validation set against the epoch."""
    figure = Figure(figsize=(8, 3.2))
    # Fixed margins: a computed layout draws everything twice, and a study has many figures.
    figure.subplots_adjust(left=0.08, right=0.985, bottom=0.15, top=0.88, wspace=0.2)
    cost, accuracy = figure.subplots(1, 2)
    moments: list[Epoch | Moment] = []
    for epoch in history:
        moments += [*epoch.within, epoch]
    epochs = [m.epoch if isinstance(m, Moment) else m.number for m in moments]
    for name, colour, style in (("training", TRAINING, "--"), ("validation", VALIDATION, "-")):
        costs = [getattr(moment, f"{name}_cost") for moment in moments]
        scale = 100 if measure.is_fraction else 1
        heights = [scale * getattr(moment, f"{name}_accuracy") for moment in moments]
        drawn = [c if math.isfinite(c) else math.nan for c in costs]
        marker = "o" if len(moments) == 1 else ""
        cost.plot(epochs, drawn, style, color=colour, label=name, marker=marker)
        accuracy.plot(epochs, heights, style, color=colour, label=name, marker=marker)
    for axes, label in (
        (cost, "cost C"),
        (accuracy, "accuracy (%)" if measure.is_fraction else measure.name),
    ):
        axes.set(xlabel="epoch", ylabel=label)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.grid(alpha=0.3)
        if best is not None:
            axes.axvline(best, color="0.5", linewidth=1, linestyle=":", label="best epoch")
    if not measure.is_fraction:  # one epoch of a wild R² would flatten all the others
        accuracy.set_ylim(bottom=max(-1.0, accuracy.get_ylim()[0]))
    accuracy.legend()
    figure.suptitle(title, fontsize=10)
    return figure


def save_learning_curves(
    path: Path, history: Sequence[Epoch], best: int | None, title: str, measure: Measure
) -> None:
    """Write the learning curves as a PNG."""
    figure = learning_curves(history, best, title, measure)
    save(figure, path, dpi=100, pil_kwargs={"compress_level": 1})
