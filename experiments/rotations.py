"""Rotations: small ones help, and with large ones a 6 is a 9.

Chapter 3, "Other techniques for regularization" (the problem) · 1 minute
    python -m experiments.rotations

Expected: where each epoch sees the images turned by another angle, up to 15 degrees gain about one
and a half points with 5,000 images. Beyond, accuracy falls again, to 86 % at 180 degrees: a 6
turned upside down has the target 6 and looks like a 9, and about 3 % of them are confused, which
almost never happens otherwise. The validation images stand upright throughout.
"""

import numpy as np

from nndl_exp.book import Experiment, main
from nndl_exp.book.recorded import Recorded
from nndl_exp.datasets.dataset import Examples, Labelled

WORDS = (
    "dataset.training_size=5000", "network.hidden=[100]", "training.eta=0.5", "training.epochs=30",
    "training.stopping.name=none", "training=distortions", "training.expansion.shift=0",
    "training.expansion.alpha=0",
)  # fmt: skip
ANGLES = (0, 5, 15, 30, 60, 90, 180)
SEEDS = 2


def study(experiment: Experiment) -> None:
    """Train with each largest angle; draw accuracy and confusion against it."""
    runs = experiment.train({
        f"{angle} degrees": (*WORDS, f"training.expansion.rotation={angle}") for angle in ANGLES
    }, seeds=SEEDS)  # fmt: skip
    validation = experiment.data(*WORDS).validation
    best = {name: [run.best() for run in several] for name, several in runs.items()}
    mixed = {name: [confused(run, validation) for run in several] for name, several in runs.items()}
    figure, (left, right) = experiment.draw.figure(1, 2)
    x = "largest angle of rotation (degrees)"
    for axes, numbers, y in ((left, best, "validation accuracy (%)"),
                             (right, mixed, "6 read as 9, or 9 as 6 (%)")):  # fmt: skip
        means = [float(np.mean(several)) for several in numbers.values()]
        experiment.draw.lines(axes, {y: (ANGLES, means)}, x=x, y=y, whole=False)
        axes.set_xticks([0, 30, 60, 90, 120, 150, 180])
        axes.lines[0].set_marker("o")
    experiment.draw.save(figure)
    for name, several in best.items():
        experiment.compare(f"up to {name}: validation accuracy, best epoch (%)", None, several)
    for name, several in mixed.items():
        experiment.compare(f"up to {name}: 6 read as 9, or 9 as 6 (%)", None, several)


def confused(run: Recorded, validation: Examples) -> float:
    """How many of the 6s and 9s the run's network reads as the other, in percent."""
    assert isinstance(validation, Labelled)
    read, labels = run.network.predict(validation.x).argmax(axis=1), validation.labels
    turned = ((labels == 6) & (read == 9)) | ((labels == 9) & (read == 6))
    return 100 * float(turned.sum() / np.isin(labels, (6, 9)).sum())


if __name__ == "__main__":
    main(study)
