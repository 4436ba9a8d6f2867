"""Learning rates: 0.025 is slow, 0.25 is fine, 2.5 oscillates.

Chapter 3, "How to choose a neural network's hyper-parameters?" · 1 minute
    python -m experiments.learning_rates

Expected: the training cost of [784, 30, 10] falls smoothly for 0.025 and 0.25, and wavers from the
start for 2.5, whose cost ends far above theirs.
"""

from nndl_exp.book import Experiment, main

WORDS = ("network.hidden=[30]", "training.lmbda=5", "training.stopping.name=none")
ETAS = (0.025, 0.25, 2.5)


def study(experiment: Experiment) -> None:
    """Train with each learning rate, and draw the training cost."""
    names = {f"η = {eta}": (*WORDS, f"training.eta={eta}") for eta in ETAS}
    runs = experiment.train(names)
    figure, (axes,) = experiment.draw.figure()
    lines = {name: run.curve("training_cost") for name, (run, *_) in runs.items()}
    experiment.draw.lines(axes, lines, x="epoch", y="training cost C")
    experiment.draw.save(figure)
    slow, fine, oscillates = (
        [float(run.curve("training_cost")[-1]) for run in several] for several in runs.values()
    )
    book = (0.3392, 0.3388) if experiment.full else (None, None)
    experiment.compare("training cost in the end, η = 0.025", book[0], slow, within=0.01)
    experiment.compare("training cost in the end, η = 0.25", book[1], fine, within=0.01)
    rises = [float((run.curve("training_cost")[1:] > run.curve("training_cost")[:-1]).sum())
             for run in runs["η = 2.5"]]  # fmt: skip
    experiment.compare("epochs in which the cost rises, η = 2.5", None, rises)
    experiment.compare("training cost in the end, η = 2.5", None, oscillates)


if __name__ == "__main__":
    main(study)
