"""The picture of a stage whose decision is about time: accuracy against elapsed training time."""

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from nndl_exp.report.labels import objective, symbol
from nndl_exp.report.scale import Scale
from nndl_exp.report.study_figures import DOTS_PER_INCH
from nndl_exp.report.text import plain
from nndl_exp.run import measure_of
from nndl_exp.study.study import Study, Trial

# Told apart in grey by the dashes, and by the colour-blind (Okabe and Ito).
_LINES = (
    ("#0072B2", "-"), ("#E69F00", "--"), ("#009E73", "-."), ("#D55E00", ":"),
    ("#CC79A7", "-"), ("#56B4E9", "--"), ("#000000", "-."),
)  # fmt: skip


def against_time(stage: Study, trials: Sequence[Trial]) -> Figure:
    """The best validation accuracy so far of each trial against the seconds it has trained."""
    figure = Figure(figsize=(6.4, 4.0))
    figure.subplots_adjust(left=0.11, right=0.98, bottom=0.13, top=0.91)
    axes = figure.subplots()
    name = stage.space.settings[0]
    for i, trial in enumerate(trials):
        epochs = stage.run_directory(trial.number).epochs()
        colour, dashes = _LINES[i % len(_LINES)]
        axes.plot(
            list(accumulate(epoch.seconds for epoch in epochs)),
            list(accumulate((100 * epoch.validation_accuracy for epoch in epochs), max)),
            dashes,
            color=colour,
            label=f"{symbol(name)} = {plain(stage.varied(trial.config)[name])}",
        )
    accuracy = measure_of(stage.config.run).name
    axes.set(xlabel="training time (s)", ylabel=f"best {objective(False, accuracy)} so far")
    axes.set_xscale("log")
    drawn = [float(y) for line in axes.lines for y in np.asarray(line.get_ydata())]
    if drawn:
        Scale(by_cost=False).apply(axes, drawn)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.suptitle(f"{stage.name}: accuracy against elapsed time", fontsize=10)
    return figure


def draw_against_time(stage: Study, trials: Sequence[Trial]) -> Path:
    """Draw it into the stage's figures/; the file."""
    path = stage.directory / "figures" / "against_time.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    against_time(stage, trials).savefig(path, dpi=DOTS_PER_INCH)
    return path
