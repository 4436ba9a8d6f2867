"""Bitwise output: a layer of four neurons, set by hand, that turns ten outputs into binary digits.

Chapter 1, "A simple network to classify handwritten digits" · 0.5 minutes
    python -m experiments.bitwise

Expected: wherever the right output of the ten is at least 0.99 and every other less than 0.01, all
four bits are right. On the outputs of a trained network, which are not always so clear, the bits
read slightly fewer test digits than the largest output does.
"""

import numpy as np

from nndl_exp.book import Experiment, main
from nndl_exp.datasets.dataset import Labelled
from nndl_exp.nn.arrays import Array
from nndl_exp.nn.network import Network, Parts

WORDS = (
    "network.hidden=[30]", "dataset.monitor=test", "training.epochs=5",
    "training.stopping.name=none",
)  # fmt: skip
STRENGTH, DRAWS = 20.0, 1000
BITS = np.arange(10)[:, None] >> np.arange(3, -1, -1) & 1
"""The binary digits of 0 .. 9, the first worth 8, the last 1."""


def study(experiment: Experiment) -> None:
    """Check the layer under the book's premise, then on the outputs of trained networks."""
    layer = bitwise_layer()
    rng = np.random.default_rng(experiment.seeds[0])
    worst = [0.99 * np.eye(10) + 0.01 * (1 - np.eye(10))]
    worst += [premise(rng) for _ in range(DRAWS)]
    wrong = sum(int((bits(layer, a) != BITS).any(axis=1).sum()) for a in worst)
    experiment.compare(f"digits read wrong, premise kept, of {10 * len(worst):,}", 0, wrong)
    test = experiment.data(*WORDS).validation
    assert isinstance(test, Labelled)
    largest, by_bits, lines = [], [], {}
    for run in experiment.train({"30 hidden": WORDS})["30 hidden"]:
        a = run.directory.network().predict(test.x)
        right = (bits(layer, a) == BITS[test.labels]).all(axis=1)
        largest.append(100 * float((a.argmax(axis=1) == test.labels).mean()))
        by_bits.append(100 * float(right.mean()))
        lines.setdefault("largest output", [
            100 * float((a.argmax(axis=1) == d)[test.labels == d].mean()) for d in range(10)
        ])  # fmt: skip
        lines.setdefault("four bits", [
            100 * float(right[test.labels == d].mean()) for d in range(10)
        ])  # fmt: skip
    experiment.compare("test digits read by the largest output (%)", None, largest)
    experiment.compare("test digits read by the four bits (%)", None, by_bits)
    figure, (axes,) = experiment.figure()
    points = {name: (np.arange(10), line) for name, line in lines.items()}
    experiment.lines(axes, points, x="digit", y="test accuracy (%)")
    experiment.save(figure)


def bitwise_layer() -> Network:
    """Weights that are positive where a digit has the bit, negative elsewhere; no biases."""
    weights = STRENGTH * (2.0 * BITS.T - 1)
    return Network([weights], [np.zeros(4)], Parts())


def premise(rng: np.random.Generator) -> Array:
    """Outputs for each digit: its own at least 0.99, the others less than 0.01."""
    low, high = rng.uniform(0, 0.01, (10, 10)), rng.uniform(0.99, 1, 10)
    return np.where(np.eye(10) == 1, high, low)


def bits(layer: Network, a: Array) -> Array:
    """The bits that the layer reads off ten outputs."""
    return layer.predict(a) > 0.5


if __name__ == "__main__":
    main(study)
