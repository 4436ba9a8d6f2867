"""Expanding the data: each picture also a pixel further down, up, right and left.

Chapter 3, "Other techniques for regularization" · 3 minutes
    python -m experiments.expanding_the_data

Expected: five times the images, 250,000, improve the validation accuracy, though each run sees
as many images in all.
"""

import numpy as np

from nndl_exp.book import Experiment, main

WORDS = ("network.hidden=[100]", "training.eta=0.5", "training.stopping.name=none")
EPOCHS, COPIES = 30, 5
SEEDS = 3


def study(experiment: Experiment) -> None:
    """Train with the images as they are, and with five times as many for a fifth of the epochs."""
    n = len(experiment.data().training)
    names = {
        f"{n:,} images": (f"training.lmbda={1e-4 * n}", f"training.epochs={EPOCHS}"),
        f"{COPIES * n:,} images": (
            "training=shifts", "training.expansion.once=true",
            f"training.lmbda={1e-4 * n * COPIES}", f"training.epochs={EPOCHS // COPIES}",
        ),
    }  # fmt: skip
    runs = experiment.train({name: (*WORDS, *words) for name, words in names.items()}, seeds=SEEDS)
    once, shifted = runs.values()
    figure, (axes,) = experiment.figure()
    lines = {}
    for (name, (run, *_)), size in zip(runs.items(), (n, COPIES * n), strict=True):
        curve = 100 * run.curve("validation_accuracy")
        lines[name] = (size * np.arange(1, len(curve) + 1) / 1000, curve)
    x = "images seen (thousands)"
    experiment.lines(axes, lines, x=x, y="validation accuracy (%)", whole=False)
    experiment.save(figure)
    for name, several in runs.items():
        best = [run.best() for run in several]
        experiment.compare(f"{name}: validation accuracy, best epoch (%)", None, best)
    gains = [more.best() - less.best() for more, less in zip(shifted, once, strict=True)]
    experiment.compare("gain by the shifts (points)", None, gains)


if __name__ == "__main__":
    main(study)
