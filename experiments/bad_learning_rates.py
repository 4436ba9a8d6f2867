"""Bad learning rates: 0.001 crawls, and 100 learns nothing.

Chapter 1, "Implementing our network to classify digits" · 1.5 minutes
    python -m experiments.bad_learning_rates

Expected: with 100 hidden neurons and η = 0.001 11.39 % of the test set after the first epoch and
21.42 % after the last, little by little; with 30 hidden neurons and η = 100 about 10 %, what
guessing gives. Where the first starts from is a matter of chance: the seeds differ by several
percentage points.
"""

from nndl_exp.book import Experiment, main

WORDS = (
    "network=quadratic", "dataset.monitor=test", "training.epochs=30",
    "training.stopping.name=none",
)  # fmt: skip
SLOW, FAST = "η = 0.001, 100 hidden", "η = 100, 30 hidden"


def study(experiment: Experiment) -> None:
    """Train with both learning rates, and draw the accuracy on the test set."""
    runs = experiment.train({
        SLOW: (*WORDS, "network.hidden=[100]", "training.eta=0.001"),
        FAST: (*WORDS, "network.hidden=[30]", "training.eta=100"),
    })  # fmt: skip
    accuracy = {
        name: [100 * run.curve("validation_accuracy") for run in several]
        for name, several in runs.items()
    }
    figure, plots = experiment.draw.figure(1, 2)
    for axes, (name, several) in zip(plots, accuracy.items(), strict=True):
        seeds = {f"seed {seed}": c for seed, c in zip(experiment.seeds, several, strict=True)}
        experiment.draw.lines(axes, seeds, x="epoch", y="test accuracy (%)")
        axes.set_title(name, fontsize=10)
        axes.set_ylim(0, 40)
    experiment.draw.save(figure)
    full = experiment.full
    first, last = ([float(curve[i]) for curve in accuracy[SLOW]] for i in (0, -1))
    experiment.compare("η = 0.001: first epoch (%)", 11.39 if full else None, first)
    experiment.compare("η = 0.001: last epoch (%)", 21.42 if full else None, last)
    gains = [b - a for a, b in zip(first, last, strict=True)]
    experiment.compare("η = 0.001: gain since the first epoch", 10.03 if full else None, gains)
    end = [float(curve[-1]) for curve in accuracy[FAST]]
    experiment.compare("η = 100: last epoch (%)", 10.0 if full else None, end, within=1.5)


if __name__ == "__main__":
    main(study)
