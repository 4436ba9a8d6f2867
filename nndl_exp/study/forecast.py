"""How long a study will take, from a few mini-batches of a few of its configurations."""

import time

import numpy as np

from nndl_exp.config import RunConfig
from nndl_exp.datasets import Dataset
from nndl_exp.nn.blas import blas_threads
from nndl_exp.run import initial_network
from nndl_exp.study.study import Study
from nndl_exp.study.view import Plan, View
from nndl_exp.training import evaluate
from nndl_exp.training.sgd import Rule, mini_batches, update_mini_batch

_CONFIGURATIONS = 10
_STEPS = 8
_START = 2.0  # seconds until the workers have started


def forecast(study: Study, workers: int, trials: int) -> float:
    """About how many seconds ``trials`` trials will take; within a factor of two as a rule.

    As if each trained to its last epoch: what early stopping and pruning save is spent by the
    search, which comes to prefer larger networks and smaller mini-batches.
    """
    epochs = study.config.run.training.epochs
    with blas_threads(1):
        seconds = [_seconds_an_epoch(config, study.dataset) for config in _random_configs(study)]
    return _START + trials * float(np.mean(seconds)) * epochs / workers


def _random_configs(study: Study) -> list[RunConfig]:
    random = Plan(
        study.plan.identity, study.space, study.plan.directions[:1], {"name": "random"},
        {"name": "none"}, study.plan.seed, _CONFIGURATIONS + 1,
    )  # fmt: skip
    view = View(random)
    params = [view.ask([]).params for _ in range(_CONFIGURATIONS)]
    return [study.space.apply(study.config.run, p) for p in params]


def _seconds_an_epoch(config: RunConfig, dataset: Dataset) -> float:
    network = initial_network(config, dataset)
    x, y = dataset.training.examples(dataset.n_out)
    m = config.training.mini_batch_size
    n = min(len(x), (_STEPS + 1) * m)
    batches = mini_batches(x, y, np.arange(n), m, network.dtype.name)
    start, steps = time.perf_counter(), 0
    with np.errstate(over="ignore", invalid="ignore"):
        for steps, (xs, ys) in enumerate(batches):
            if steps == 1:
                start = time.perf_counter()  # the first call is slower than the rest
            update_mini_batch(network, xs, ys, eta=0.01, decay=0.0, rule=Rule())
    training = (time.perf_counter() - start) / max(1, steps) * len(x) / m
    start, part = time.perf_counter(), min(len(x), 500)
    evaluate(network, (x[:part], y[:part]))
    return training + (time.perf_counter() - start) / part * 2 * len(dataset.validation)
