"""Overfitting: a network learns 1,000 images by heart, and what regularization does about it.

Chapter 3, "Overfitting and regularization" · 1 minute
    python -m experiments.overfitting

Expected: 82.27 % of the test set without regularization, flat after about epoch 280, the test cost
lowest near epoch 15 and rising from there, all training images right; 87.1 % with lmbda = 0.1. The
four curves of each, against the epoch.
"""

from nndl_exp.book import Experiment, main

WORDS = (
    "network=large_weights", "network.hidden=[30]", "dataset.training_size=1000",
    "dataset.monitor=test", "training.eta=0.5", "training.epochs=400",
    "training.stopping.name=none",
)  # fmt: skip
CURVES = {
    "training cost": "training_cost", "test cost": "validation_cost",
    "training accuracy (%)": "training_accuracy", "test accuracy (%)": "validation_accuracy",
}  # fmt: skip


def study(experiment: Experiment) -> None:
    """Train without and with regularization, and draw the four curves of both."""
    runs = experiment.train({
        "not regularized": WORDS,
        "lmbda 0.1": (*WORDS, "training.lmbda=0.1"),
    })  # fmt: skip
    figure, plots = experiment.draw.figure(2, 2)
    for axes, (label, name) in zip(plots, CURVES.items(), strict=True):
        lines = {}
        for title, (run, *_) in runs.items():
            lines[title] = run.curve(name) * (100 if "accuracy" in name else 1)
        experiment.draw.lines(axes, lines, x="epoch", y=label)
    experiment.draw.save(figure)
    plain, regularized = runs.values()
    full = experiment.full
    best = [run.best() for run in plain]
    experiment.compare("test accuracy, best epoch (%)", 82.27 if full else None, best)
    best = [run.best() for run in regularized]
    experiment.compare("the same, lmbda = 0.1 (%)", 87.1 if full else None, best)
    last = [100 * run.curve("training_accuracy")[-1] for run in plain]
    experiment.compare("training accuracy, last epoch (%)", 100.0, last)
    lowest = [float(run.curve("validation_cost").argmin() + 1) for run in plain]
    experiment.compare("epoch of the lowest test cost", 15.0 if full else None, lowest, within=3)


if __name__ == "__main__":
    main(study)
