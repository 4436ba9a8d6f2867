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
from nndl_exp.nn.arrays import Array, Indices
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
    layer, rng = bitwise_layer(), np.random.default_rng(experiment.seeds[0])
    outputs = np.concatenate([premise(rng, worst=i == 0) for i in range(DRAWS)])
    wrong = (read(layer, outputs) != np.tile(np.arange(10), DRAWS)).sum()
    experiment.compare(f"digits read wrong, premise kept, of {len(outputs):,}", 0, int(wrong))
    test = experiment.data(*WORDS).validation
    assert isinstance(test, Labelled)
    runs = experiment.train({"30 hidden": WORDS})["30 hidden"]
    outputs_of = [run.directory.network().predict(test.x) for run in runs]
    largest = [right(a.argmax(axis=1), test.labels) for a in outputs_of]
    by_bits = [right(read(layer, a), test.labels) for a in outputs_of]
    experiment.compare("test digits read by the largest output (%)", None, largest)
    experiment.compare("test digits read by the four bits (%)", None, by_bits)
    first = outputs_of[0]
    readings = {"largest output": first.argmax(axis=1), "four bits": read(layer, first)}
    bars = {
        name: [right(found[test.labels == d], d) for d in range(10)]
        for name, found in readings.items()
    }
    figure, (axes,) = experiment.draw.figure()
    experiment.draw.bars(axes, bars, labels="0123456789", x="digit", y="test accuracy (%)")
    axes.set_ylim(min(map(min, bars.values())) - 2, 100)
    experiment.draw.save(figure)


def bitwise_layer() -> Network:
    """Weights that are positive where a digit has the bit, negative elsewhere; no biases."""
    weights = STRENGTH * (2.0 * BITS.T - 1)
    return Network([weights], [np.zeros(4)], Parts())


def premise(rng: np.random.Generator, worst: bool = False) -> Array:
    """Outputs for each digit: its own at least 0.99, the others at most 0.01; or just so."""
    low, high = rng.uniform(0, 0.01, (10, 10)), rng.uniform(0.99, 1, 10)
    return np.where(np.eye(10) == 1, 0.99 if worst else high, 0.01 if worst else low)


def read(layer: Network, a: Array) -> Indices:
    """The numbers that the layer's four bits make, for rows of ten outputs."""
    number: Indices = (layer.predict(a) > 0.5) @ np.array([8, 4, 2, 1])
    return number


def right(found: Indices, labels: Indices | int) -> float:
    """How many numbers are those wanted, in percent."""
    return 100 * float((found == labels).mean())


if __name__ == "__main__":
    main(study)
