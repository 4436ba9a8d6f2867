"""The rescue: from a network that learns nothing to one that is tuned, as the strategy does it.

Chapter 3, "How to choose a neural network's hyper-parameters?" · 1 minute
    python -m experiments.rescue

Expected: at η = 10, λ = 1000 the accuracy stays at chance; the stages of `strategy=chapter3` find a
threshold between 0.25 and 3, a λ within a factor of ten of the book's 5, and about 96 % of the
full digits with 30 hidden neurons. Each stage's decision is printed.
"""

from nndl_exp.api import load_study
from nndl_exp.book import Experiment, main

START = ("network.hidden=[30]", "training.eta=10", "training.lmbda=1000",
         "training.stopping.name=none")  # fmt: skip
STAGES = "[any_learning,learning_rate,epochs,regularization,mini_batch_size]"


def study(experiment: Experiment) -> None:
    """Train from the start, lead the strategy, and train what it found."""
    dataset = "mnist" if experiment.full else "mnist_5k"
    words = [f"dataset={dataset}", *START[:3], f"strategy.stages={STAGES}", "tracking=none",
             f"output={experiment.output}", f"study.name=rescue-{dataset}"]  # fmt: skip
    found = {}
    for stage, _ in load_study(words).run():
        if (decision := stage.decision()) is not None:
            found[stage.key] = decision
    for key, decision in found.items():
        experiment.console.print(f"{key}: {'; '.join(decision.words)}")
    t = found["mini_batch_size"].config.training
    values = (f"training.eta={t.eta}", f"training.lmbda={t.lmbda}",
              f"training.mini_batch_size={t.mini_batch_size}")  # fmt: skip
    tuned = (START[0], *values, START[-1])
    runs = experiment.train({"at the start": START, "tuned": tuned})
    figure, (axes,) = experiment.draw.figure()
    lines = {name: 100 * run.curve("validation_accuracy") for name, (run, *_) in runs.items()}
    experiment.draw.lines(axes, lines, x="epoch", y="validation accuracy (%)")
    experiment.draw.save(figure)
    last = [100 * float(run.curve("validation_accuracy")[-1]) for run in runs["at the start"]]
    experiment.compare("validation accuracy at the start, last epoch (%)", 10.0, last, within=3)
    best = [run.best() for run in runs["tuned"]]
    experiment.compare("validation accuracy, tuned (%)", None, best)
    threshold = found["learning_rate"].numbers["threshold"]
    experiment.compare("threshold of the learning rate", None, threshold)
    experiment.compare("lmbda", None, found["regularization"].numbers["lmbda"])


if __name__ == "__main__":
    main(study)
