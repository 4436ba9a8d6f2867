"""Activation functions: tanh and ReLU neurons beside sigmoid ones.

Chapter 3, "Other models of artificial neuron" · 0.5 minutes
    python -m experiments.activations

Expected: with a softmax output layer, and each with the initial weights and the learning rate that
suit it, all three learn the digits nearly equally well, 96.5 to 97 % of the validation set; tanh
and ReLU neurons bring the training cost down further than sigmoid ones.
"""

from nndl_exp.book import Experiment, main

WORDS = ("network.hidden=[30]", "training.epochs=20", "training.stopping.name=none")
NEURONS = {
    "sigmoid": ("network=softmax", "training.eta=0.5"),
    "tanh": ("network=tanh", "training.eta=0.1"),
    "ReLU": ("network=relu", "training.eta=0.1"),
}


def study(experiment: Experiment) -> None:
    """Train with each activation function; draw the training cost and the accuracy."""
    lmbda = f"training.lmbda={1e-4 * len(experiment.data().training)}"
    names = {name: (*WORDS, lmbda, *words) for name, words in NEURONS.items()}
    runs = experiment.train(names, seeds=3)
    figure, (left, right) = experiment.draw.figure(1, 2)
    lines = {name: run.curve("training_cost") for name, (run, *_) in runs.items()}
    experiment.draw.lines(left, lines, x="epoch", y="training cost C")
    lines = {name: 100 * run.curve("validation_accuracy") for name, (run, *_) in runs.items()}
    experiment.draw.lines(right, lines, x="epoch", y="validation accuracy (%)")
    experiment.draw.save(figure)
    for name, several in runs.items():
        first = [100 * float(run.curve("validation_accuracy")[0]) for run in several]
        experiment.compare(f"{name}: validation accuracy after the first epoch (%)", None, first)
    for name, several in runs.items():
        best = [run.best() for run in several]
        experiment.compare(f"{name}: validation accuracy, best epoch (%)", None, best)
    for name, several in runs.items():
        cost = [float(run.curve("training_cost")[-1]) for run in several]
        experiment.compare(f"{name}: training cost in the end", None, cost)


if __name__ == "__main__":
    main(study)
