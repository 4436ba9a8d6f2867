"""The cross-entropy cost: 95.49 and 96.82 %, beside the quadratic cost.

Chapter 3, "The cross-entropy cost function" · 1 minute
    python -m experiments.cross_entropy

Expected: 95.49 % of the test set with 30 hidden neurons and 96.82 % with 100, large initial
weights. The quadratic cost with its own learning rate (3.0) comes close to them, unless output
neurons are saturated from the start: they are stuck for many epochs, and their digits are missed.
"""

from nndl_exp.book import Experiment, main

WORDS = ("dataset.monitor=test", "training.epochs=30", "training.stopping.name=none")
COSTS = {
    "cross-entropy": ("network=large_weights", "training.eta=0.5"),
    "quadratic": ("network=quadratic", "training.eta=3"),
}
BOOK = {30: 95.49, 100: 96.82}


def study(experiment: Experiment) -> None:
    """Train both sizes with both costs, and draw the test accuracy."""
    names = {
        f"{cost}, {hidden} hidden": (*WORDS, *words, f"network.hidden=[{hidden}]")
        for cost, words in COSTS.items()
        for hidden in BOOK
    }
    entropy, quadratic = (
        {name: words for name, words in names.items() if name.startswith(cost)} for cost in COSTS
    )
    runs = experiment.train(entropy) | experiment.train(quadratic, seeds=1)
    figure, plots = experiment.draw.figure(1, len(BOOK))
    for axes, (hidden, book) in zip(plots, BOOK.items(), strict=True):
        several = {cost: runs[f"{cost}, {hidden} hidden"] for cost in COSTS}
        lines = {
            cost: 100 * run.curve("validation_accuracy") for cost, (run, *_) in several.items()
        }
        experiment.draw.lines(axes, lines, x="epoch", y=f"test accuracy (%), {hidden} hidden")
        experiment.compare(
            f"cross-entropy, {hidden} hidden: test accuracy, best epoch (%)",
            book if experiment.full else None,
            [run.best() for run in several["cross-entropy"]],
        )
    for hidden in BOOK:
        best = [run.best() for run in runs[f"quadratic, {hidden} hidden"]]
        what = f"quadratic cost, {hidden} hidden: test accuracy, best epoch (%)"
        experiment.compare(what, None, best)
    experiment.draw.save(figure)


if __name__ == "__main__":
    main(study)
