"""A learning-rate schedule: halve η at no improvement in ten epochs, down to 1/128 of the first.

Chapter 3, "How to choose a neural network's hyper-parameters?" · 1 minute
    python -m experiments.schedules

Expected: halving ends above the constant learning rate, by a few tenths of a point; the exercise
of the book gives no number. Beside it, early stopping by no-improvement-in-n for n = 5, 10 and 20,
and by the average gain over 10 epochs: what each would have given, and after how many epochs.
"""

from nndl_exp.book import Experiment, main
from nndl_exp.training.epoch import History
from nndl_exp.training.stopping import STOPPING

WORDS = ("network.hidden=[30]", "training.eta=0.5", "training.lmbda=5", "training.epochs=120",
         "training.stopping.name=none")  # fmt: skip
RULES = (("no_improvement", 5), ("no_improvement", 10), ("no_improvement", 20),
         ("average_gain", 10))  # fmt: skip
GAIN = 1e-4
"""Of accuracy an epoch, below which average_gain stops."""


def study(experiment: Experiment) -> None:
    """Train with both schedules, and ask each rule where it would have stopped the constant one."""
    halving = ("training.schedule.name=plateau", "training.schedule.n=10")
    runs = experiment.train({"constant": WORDS, "halving": (*WORDS, *halving)}, seeds=3)
    figure, (left, right) = experiment.draw.figure(1, 2)
    accuracy = {name: 100 * run.curve("validation_accuracy") for name, (run, *_) in runs.items()}
    experiment.draw.lines(left, accuracy, x="epoch", y="validation accuracy (%)")
    etas = {name: run.curve("eta") for name, (run, *_) in runs.items()}
    experiment.draw.lines(right, etas, x="epoch", y="learning rate η (logarithmic)")
    right.set_yscale("log", base=2)
    experiment.draw.save(figure)
    gains = [b.best() - a.best() for a, b in zip(*runs.values(), strict=True)]
    experiment.compare("points that halving gains", None, gains)
    smallest = [float(run.curve("eta").min() / run.curve("eta")[0]) for run in runs["halving"]]
    experiment.compare("smallest η, as a part of the first", None, smallest)
    for name, n in RULES:
        rule = STOPPING[name](n, GAIN)
        ends, lost = [], []
        for run in runs["constant"]:
            history = History("validation_accuracy")
            for epoch in run.epochs:
                history.append(epoch)
                if rule(history):
                    break
            assert history.best is not None
            ends.append(float(len(history)))
            lost.append(run.best() - 100 * history.best.validation_accuracy)
        title = f"{name.replace('_', ' ')} in {n}"
        experiment.compare(f"{title}: epochs", None, ends)
        experiment.compare(f"{title}: points lost", None, lost)


if __name__ == "__main__":
    main(study)
