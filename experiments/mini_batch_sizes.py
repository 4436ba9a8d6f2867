"""Mini-batch size: validation accuracy against elapsed time, the learning rate scaled with m.

Chapter 3, "How to choose a neural network's hyper-parameters?" · 0.5 minutes
    python -m experiments.mini_batch_sizes

Expected: m = 1 pays for many small updates, m = 1,000 for few of them; the fastest lies between.
The book gives no number: it says to plot this picture and to take the size that improves fastest.
"""

import numpy as np

from nndl_exp.book import Experiment, main

SIZES = (1, 10, 100, 1000)
ETA = 0.05
"""For m = 10."""


def study(experiment: Experiment) -> None:
    """Train with each size, one at a time since time counts, and draw accuracy against seconds."""
    runs = experiment.train(
        {
            f"m = {m}": (
                "network.hidden=[30]", "training.lmbda=1", "training.epochs=12",
                "training.stopping.name=none", f"training.mini_batch_size={m}",
                f"training.eta={ETA * m / 10}",
            )
            for m in SIZES
        },
        seeds=1,
        alone=True,
    )  # fmt: skip
    lines, seconds = {}, {}
    for name, (run,) in runs.items():
        elapsed = np.cumsum([epoch.seconds for epoch in run.epochs])
        best = np.maximum.accumulate(run.curve("validation_accuracy"))
        lines[name] = (elapsed, 100 * best)
    common = min(float(best[-1]) for _, best in lines.values())
    for name, (elapsed, best) in lines.items():
        seconds[name] = float(elapsed[int(np.argmax(best >= common))])
    fastest = min(seconds.values())
    for name, taken in seconds.items():
        what = f"time to {common:.1f} %, {name}, as a multiple of the fastest"
        experiment.compare(what, None, taken / fastest)
    figure, (axes,) = experiment.draw.figure()
    x, y = "training time (s)", "best validation accuracy so far (%)"
    experiment.draw.lines(axes, lines, x=x, y=y, whole=False)
    axes.set_xscale("log")
    axes.set_ylim(bottom=common - 4)  # the first epochs of a large m lie far below
    experiment.draw.save(figure)


if __name__ == "__main__":
    main(study)
