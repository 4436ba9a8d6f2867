"""How long a study will take, from a few mini-batches of a few of its configurations."""

import time
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from nndl_exp.config import RunConfig
from nndl_exp.datasets import Dataset
from nndl_exp.fast.blas import blas_threads
from nndl_exp.nn.network import count_multiply_adds
from nndl_exp.run import initial_network, settings_of, sizes_of
from nndl_exp.study.proposing.proposer import OptunaProposer, Plan
from nndl_exp.study.search import Search
from nndl_exp.study.stages.stage import epoch_work
from nndl_exp.study.study import REFERENCE_WIDTH, Study, planned
from nndl_exp.training import Streams, evaluate, train
from nndl_exp.training.schedules import constant
from nndl_exp.training.stopping import never

_CONFIGURATIONS = 10
_STEPS = 8
_BESIDES = 4.0
"""Seconds until the workers have started, and for the report and MLflow after the last trial."""
_RECORDING = 0.06
"""Seconds that a trial takes besides its epochs: to be proposed, recorded and shown."""
_TRAINED = {"random": 0.9, "qmc": 0.9, "grid": 0.9}
_TRAINED_BY_OTHERS = 1.6
"""The time of a search's trials as a multiple of that of random configurations which are trained to
their last epoch, measured on mnist_5k with four seeds: early stopping saves a little, and a sampler
that learns comes to prefer larger networks and smaller mini-batches."""
_PRUNED = 0.5
"""The part of that which is left where trials are pruned."""


@dataclass(frozen=True)
class Forecast:
    """How long a study will take.

    ``amounts`` is the work of each stage in multiply-adds, done at ``speed`` in a second; of a
    search that nothing but its number of ``trials`` limits, that is what is counted.
    """

    amounts: dict[str, float]
    speed: float
    trials: int | None = None

    @property
    def seconds(self) -> float:
        """The whole study, in seconds."""
        return _BESIDES + sum(self.amounts.values()) / self.speed

    def seconds_of(self, key: str) -> float:
        """One stage, in seconds."""
        return self.amounts[key] / self.speed


def forecast(study: Study, workers: int) -> Forecast:
    """A forecast from a few mini-batches, within a factor of 1.5 as a rule on a free machine."""
    amounts = planned(study)
    if inf not in amounts.values():
        return Forecast(amounts, speed_of(study.config.run, study.dataset) * workers)
    search = next(study.stages()).search
    trials = search.total(0)
    left = {search.key: float(trials - len(search.trials()))}
    return Forecast(left, workers / _seconds_a_trial(search, study.dataset), trials)


def _seconds_a_trial(search: Search, dataset: Dataset) -> float:
    assert search.plan is not None
    with blas_threads(1):
        epochs = [_seconds_an_epoch(config, dataset) for config in _random_configs(search)]
    trained = _TRAINED.get(str(search.plan.sampler["name"]), _TRAINED_BY_OTHERS)
    if search.plan.pruner["name"] != "none":
        trained *= _PRUNED
    return _RECORDING + trained * float(np.mean(epochs)) * search.config.run.training.epochs


def speed_of(config: RunConfig, dataset: Dataset) -> float:
    """The multiply-adds of training that one worker does in a second.

    Measured on the network of the configuration, or on the one that work is counted in epochs of
    where that is larger: small ones are what a study leaves.
    """
    reference = replace(config, network=replace(config.network, hidden=(REFERENCE_WIDTH,)))
    config = max(config, reference, key=lambda c: count_multiply_adds(sizes_of(c, dataset)))
    with blas_threads(1):
        epoch = _seconds_an_epoch(config, dataset)
    return epoch_work(sizes_of(config, dataset), len(dataset.training)) / epoch


def _random_configs(search: Search) -> list[RunConfig]:
    random = Plan(
        search.identity, search.space, search.directions[:1], {"name": "random"},
        {"name": "none"}, search.config.study.seed, _CONFIGURATIONS + 1,
    )  # fmt: skip
    view = OptunaProposer(random)
    params = [view.ask([]).params for _ in range(_CONFIGURATIONS)]
    return [search.space.apply(search.config.run, p) for p in params]


def _seconds_an_epoch(config: RunConfig, dataset: Dataset) -> float:
    network = initial_network(config, dataset)
    x, y = dataset.training.examples(dataset.n_out)
    m = config.training.mini_batch_size
    n, part = min(len(x), _STEPS * m), min(len(x), 500)
    settings = replace(settings_of(config, dataset), epochs=2, stopping=never, schedule=constant,
                       mini_batch_size=min(m, n), monitor_size=1, monitor_every=None,
                       layer_metrics=False)  # fmt: skip
    few = (x[:n], y[:n])
    epochs = train(network, few, (x[:1], y[:1]), settings, streams=Streams(0))
    # The time of the processor: the plan is not to count what else the machine does just now.
    start = time.process_time()
    next(epochs)
    first = time.process_time() - start  # slower than the rest
    start = time.process_time()
    diverged = next(epochs, None) is None
    training = (first if diverged else time.process_time() - start) * len(x) / n
    start = time.process_time()
    evaluate(network, (x[:part], y[:part]))
    return training + (time.process_time() - start) / part * 2 * len(dataset.validation)
