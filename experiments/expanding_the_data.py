"""Expanding the data: each picture also a pixel further down, up, right and left.

Chapter 3, "Other techniques for regularization" · 1 minute
    python -m experiments.expanding_the_data

Expected: five times the images, 250,000, improve the validation accuracy by about 0.3 points,
though each run sees as many images in all. Both have the same lmbda = 5: more images need less of
regularization, and with the same lmbda / n there is no gain.
"""

import numpy as np

from nndl_exp.book import Experiment, main

WORDS = ("network.hidden=[100]", "training.eta=0.25", "training.stopping.name=none")
EPOCHS, COPIES = 60, 5
SEEDS = 3


def study(experiment: Experiment) -> None:
    """Train with the images as they are, and with five times as many for a fifth of the epochs."""
    n = len(experiment.data().training)
    words = (*WORDS, f"training.lmbda={1e-4 * n}")
    names = {
        f"{n:,} images": (*words, f"training.epochs={EPOCHS}"),
        f"{COPIES * n:,} images": (
            *words, "training=shifts", "training.expansion.once=true",
            f"training.epochs={EPOCHS // COPIES}",
        ),
    }  # fmt: skip
    runs = experiment.train(names, seeds=SEEDS)
    once, shifted = runs.values()
    figure, (axes,) = experiment.draw.figure()
    lines = {}
    for (name, (run, *_)), size in zip(runs.items(), (n, COPIES * n), strict=True):
        curve = 100 * run.curve("validation_accuracy")
        lines[name] = (size * np.arange(1, len(curve) + 1) / 1000, curve)
    x = "images seen (thousands)"
    experiment.draw.lines(axes, lines, x=x, y="validation accuracy (%)", whole=False)
    experiment.draw.save(figure)
    for name, several in runs.items():
        best = [run.best() for run in several]
        experiment.compare(f"{name}: validation accuracy, best epoch (%)", None, best)
    gains = [more.best() - less.best() for more, less in zip(shifted, once, strict=True)]
    experiment.compare("gain by the shifts (points)", None, gains)


if __name__ == "__main__":
    main(study)
