"""Training without keeping a record, and the test scores of a configuration."""

from collections.abc import Iterator
from dataclasses import replace

from nndl_exp.api import Dataset, Network, RunConfig, Streams, evaluate, initial_network, train
from nndl_exp.run import measure_of, settings_of
from nndl_exp.training.epoch import History

FRESH = range(10**9, 10**9 + 3)
"""The seeds of the networks that are judged by the test set; no search uses them."""


def test_scores(run: RunConfig, dataset: Dataset) -> list[float]:
    """The test scores, in points, of networks with fresh seeds at their best epoch.

    A training that diverged counts as a constant prediction.
    """
    assert dataset.test is not None
    scores = []
    for seed in FRESH:
        best = None
        for network, history in training(replace(run, seed=seed), dataset):
            if history[-1].diverged:
                best = None
            elif history[-1] is history.best:
                best = network.copy()
        accuracy = dataset.baseline(dataset.test) or 0.0
        if best is not None:
            test = dataset.test.examples(dataset.n_out)
            _, accuracy = evaluate(best, test, measure=measure_of(run))
        scores.append(100 * accuracy)
    return scores


def training(run: RunConfig, dataset: Dataset) -> Iterator[tuple[Network, History]]:
    """Train a run, without keeping a record: the network and all epochs, after each one."""
    network, history = initial_network(run, dataset), History(run.training.judged_by)
    settings, streams = settings_of(run, dataset), Streams(run.seed)
    for epoch in train(network, *dataset.examples(), settings, streams=streams):
        history.append(epoch)
        yield network, history
