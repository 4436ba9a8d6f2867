"""How often the verdict calls one of several equal configurations better, and what it can tell.

    python -m benchmarks.verdict                 # writes benchmarks/README.md, about 20 minutes
    python -m benchmarks.verdict --studies 50    # quicker, and coarser

Simulated: examples are easy or hard for all candidates, a little for each by itself, and the
candidates' seeds spread. Real: one configuration is entered several times, each time with other
seeds, so that whatever is called better is a false winner. Its networks are trained once, on ten
splits of each set, and drawn from for each study.
"""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
from scipy.stats import norm
from sklearn import datasets as sets

from benchmarks.readme import table, write_section
from nndl_exp.api import Dataset, RunConfig, compare, initial_network, load_config, train
from nndl_exp.datasets.dataset import Labelled, Measured
from nndl_exp.datasets.split import split
from nndl_exp.fast.blas import blas_threads
from nndl_exp.nn.arrays import Array
from nndl_exp.run import data_of, measure_of, settings_of
from nndl_exp.study.scores import example_scores
from nndl_exp.study.stages.chapter3.winner import looks

CANDIDATES, SEEDS = (2, 3, 5), (2, 3, 5, 10)
SPREADS, EXAMPLES = (0.0, 0.3, 0.75, 1.5), (1000, 10_000)
ACCURACY, DIFFERENCE = 0.95, 0.02
SPLITS, TRAINED = 10, 50
"""Splits of each real set, and networks that are trained on each: five candidates of ten seeds."""


def simulated(
    rng: np.random.Generator, accuracies: Sequence[float], *, spread: float, seeds: int, n: int
) -> list[Array]:
    """The scores of candidates of these accuracies, whose seeds have the deviation ``spread``.

    All are fractions. Examples are easy or hard for all, and a little for each by itself.
    """
    easy = np.sqrt(0.6) * rng.standard_normal(n)
    found = []
    for accuracy in accuracies:
        each = np.clip(accuracy + spread * rng.standard_normal(seeds), 0.01, 0.999)
        its = np.sqrt(0.1) * rng.standard_normal(n)
        noise = np.sqrt(0.3) * rng.standard_normal((seeds, n))
        found.append((norm.ppf(each)[:, None] + easy + its + noise > 0).astype(float))
    return found


def is_false_winner(scores: list[Array]) -> bool:
    """Whether one of equal candidates is called better."""
    return any(pair.better is not None for pair in compare(scores))


def is_race_lost(scores: list[Array]) -> bool:
    """Whether one of equal candidates is called better at any look of a race."""
    return any(
        pair.better is not None
        for look, level in looks(len(scores[0]))
        for pair in compare([one[:look] for one in scores], level)
    )


def is_found(scores: list[Array]) -> bool:
    """Whether the first candidate is called better than all others."""
    return all(pair.better == 0 for pair in compare(scores) if pair.a == 0)


def rates(c: int, studies: int) -> list[list[str]]:
    """The simulated part for c candidates, a row for each number of examples and spread."""
    rows = []
    for n in EXAMPLES:
        for spread in SPREADS:
            draw = partial(simulated, np.random.default_rng(0), spread=spread / 100, n=n)
            equal, ahead = (ACCURACY,) * c, (ACCURACY, *(ACCURACY - DIFFERENCE,) * (c - 1))
            cells = [
                *((is_false_winner, equal, seeds) for seeds in SEEDS),
                (is_race_lost, equal, 10),
                *((is_found, ahead, seeds) for seeds in SEEDS[1:3]),
            ]
            measured = [
                percent(judge(draw(accuracies, seeds=seeds)) for _ in range(studies))
                for judge, accuracies, seeds in cells
            ]
            rows.append([str(c), f"{n:,}", f"{spread:g}", *measured])
    return rows


def percent(judgements: Iterable[bool]) -> str:
    """How many are true, in percent."""
    return f"{100 * np.mean(list(judgements)):.1f}"


def problems() -> dict[str, tuple[RunConfig, Array, Array]]:
    """Real sets: the configuration, x of shape (n, n_in) and the labels or numbers."""
    digits, cancer, diabetes = sets.load_digits(), sets.load_breast_cancer(), sets.load_diabetes()
    noisy = sets.make_classification(300, 100, n_informative=10, flip_y=0.2, random_state=0)
    few = ["network.hidden=[30]", "training.epochs=20", "training.stopping.name=none"]
    classes, regression = load_config(few), load_config([
        *few, "dataset.task=numbers", "network.output=linear", "network.cost=quadratic",
        "training.eta=0.05",
    ])  # fmt: skip
    mnist = load_config(["dataset=mnist_5k", *few])

    whole = data_of(mnist)
    assert isinstance(whole.training, Labelled) and isinstance(whole.validation, Labelled)
    x = np.concatenate([whole.training.x, whole.validation.x])
    y = np.concatenate([whole.training.labels, whole.validation.labels])
    return {
        "mnist_5k": (mnist, x, y),
        "digits_8x8": (classes, digits.data / 16, digits.target),
        "breast_cancer": (classes, _standard(cancer.data), cancer.target),
        "noisy table": (classes, _standard(noisy[0]), noisy[1]),
        "diabetes": (regression, _standard(diabetes.data), _standard(diabetes.target[:, None])),
    }


def _standard(x: Array) -> Array:
    return (x - x.mean(axis=0)) / x.std(axis=0)


def trained(job: tuple[str, int]) -> Array:
    """The scores of ``TRAINED`` networks on one split of a set, (networks, examples)."""
    name, number = job
    config, x, target = problems()[name]
    is_numbers = target.ndim == 2
    parts = split(len(x), (0.6, 0.4), number, None if is_numbers else target)
    make = Measured if is_numbers else Labelled
    a, b = (make(x[rows].astype(np.float32), target[rows]) for rows in parts)
    names = () if is_numbers else tuple(map(str, np.unique(target)))
    dataset = Dataset(name, a, b, None, names, "")
    found = []
    with blas_threads(1):
        for seed in range(TRAINED):
            run = replace(config, seed=seed)
            network = initial_network(run, dataset)
            for _ in train(network, *dataset.examples(), **vars(settings_of(run, dataset))):
                pass
            inputs, y = dataset.validation.examples(dataset.n_out)
            found.append(example_scores(measure_of(run), network.predict(inputs), y))
    return np.array(found)


def entered_several_times(
    pools: list[Array], c: int, seeds: int, studies: int
) -> Iterator[list[Array]]:
    """Studies in which the configuration of the pools is entered c times."""
    rng = np.random.default_rng(0)
    for i in range(studies):
        pool = pools[i % len(pools)]
        yield list(pool[rng.permutation(len(pool))[: c * seeds]].reshape(c, seeds, -1))


def real(studies: int) -> list[list[str]]:
    """The part with real networks, a row for each set."""
    jobs = [(name, number) for name in problems() for number in range(SPLITS)]
    with ProcessPoolExecutor(2) as pool:
        found = dict(zip(jobs, pool.map(trained, jobs), strict=True))
    rows = []
    for name in problems():
        pools = [found[name, number] for number in range(SPLITS)]
        spread = np.mean([pool.mean(axis=1).std(ddof=1) for pool in pools])
        cells = [
            percent(map(is_false_winner, entered_several_times(pools, c, n, studies)))
            for c in (3, 5)
            for n in SEEDS
        ]
        rows.append([name, f"{pools[0].shape[1]:,}", f"{100 * spread:.2f}", *cells])
    return rows


def main() -> None:
    """Measure, and write both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=200, help="of each kind, with real networks")
    options = parser.parse_args()
    with ProcessPoolExecutor(2) as pool:
        some = list(pool.map(partial(rates, studies=5 * options.studies), CANDIDATES))
    seeds = [f"{n} seeds" for n in SEEDS]
    headings = ["candidates", "examples", "spread", *seeds, "race of 10", *(
        f"power, {n}" for n in seeds[1:3])]  # fmt: skip
    write_section("simulated verdicts", table(headings, [row for rows in some for row in rows]))
    headings = ["set", "examples", "spread", *(f"{c} of {n} seeds" for c in (3, 5) for n in SEEDS)]
    write_section("real verdicts", table(headings, real(options.studies)))


if __name__ == "__main__":
    main()
