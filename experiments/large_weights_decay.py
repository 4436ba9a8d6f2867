"""L2 regularization with large initial weights: a decay first, which tails off.

Chapter 3, "Weight initialization" (the problem) · 0.5 minutes
    python -m experiments.large_weights_decay

Expected: the root mean square of all weights, 1 in the beginning, is multiplied by about
exp(-eta lmbda / m) in each of the first epochs, until the gradient of the cost outweighs the decay.
The book has it tail off around 1/sqrt(n), n being the number of weights, 0.0065 for 30 hidden
neurons; here it does far above that, near 0.34 for lmbda = 5.
"""

import numpy as np

from nndl_exp.book import Experiment, main
from nndl_exp.book.recorded import Recorded
from nndl_exp.nn.arrays import Array

ETA, M, EPOCHS = 0.5, 10, 40
LMBDAS = (2.0, 5.0)
WORDS = (
    "network=large_weights", f"training.eta={ETA}", f"training.mini_batch_size={M}",
    f"training.epochs={EPOCHS}", "training.stopping.name=none", "training.layer_metrics=true",
)  # fmt: skip


def mean_lengths(run: Recorded) -> Array:
    """The root mean square of all weights before the first epoch, 1, and after each."""
    n = sum(w.size for w in run.network.weights)
    squares = [sum(layer.weight_norm**2 for layer in epoch.layers) for epoch in run.epochs]
    return np.sqrt([1.0, *(np.array(squares) / n)])


def study(experiment: Experiment) -> None:
    """Train with two lmbda; draw the mean length of the weights beside the decay alone."""
    names = {f"λ = {lmbda:g}": (*WORDS, f"training.lmbda={lmbda}") for lmbda in LMBDAS}
    runs = experiment.train(names)
    n = sum(w.size for w in runs["λ = 5"][0].network.weights)
    figure, (axes,) = experiment.draw.figure()
    lines = {}
    for (name, several), lmbda in zip(runs.items(), LMBDAS, strict=True):
        lengths = [mean_lengths(run) for run in several]
        epochs, factor = np.arange(len(lengths[0])), float(np.exp(-ETA * lmbda / M))
        lines[name] = (epochs, lengths[0])
        first = epochs[factor**epochs > n**-0.5]
        lines[f"exp(-ηλ/m)^epoch, {name}"] = (first, factor**first)
        for i, epoch in ((1, "first"), (2, "second")):
            factors = [some[i] / some[i - 1] for some in lengths]
            what = f"{name}: factor of the {epoch} epoch"
            note = "the gradient adds to what the decay leaves" if i == 2 else ""
            experiment.compare(what, factor, factors, within=0.03, note=note)
        factors = [some[-1] / some[-2] for some in lengths]
        experiment.compare(f"{name}: factor of the last epoch", 1.0, factors, within=0.02)
        ends = [some[-1] for some in lengths]
        note = "the gradient outweighs the decay before"
        experiment.compare(f"{name}: mean length in the end", n**-0.5, ends, note=note)
    lines["1/sqrt(n)"] = (epochs, np.full(len(epochs), n**-0.5))
    experiment.draw.lines(axes, lines, x="epoch", y="mean length of a weight (logarithmic)")
    axes.set_yscale("log")
    axes.set_ylim(bottom=5e-4)
    experiment.draw.save(figure)


if __name__ == "__main__":
    main(study)
