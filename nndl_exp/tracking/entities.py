"""A run's settings and numbers as MLflow's params and metrics.

MLflow groups charts by what stands before the slash in a metric's name.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from nndl_exp.config import RunConfig, flatten
from nndl_exp.datasets import Dataset
from nndl_exp.escaping import printable
from nndl_exp.masking import masked
from nndl_exp.records import Result, RunDirectory
from nndl_exp.run import measure_of
from nndl_exp.training.epoch import Epoch

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Metric, Param

_CURVES = ("training_cost", "training_accuracy", "validation_cost", "validation_accuracy")
BEST = "best/validation_accuracy"
"""The metric that runs are sorted by; best/validation_r2 in regression."""
SUMMARY = "summary/"
"""Starts the names of the metrics of studies and stages, which are not sorted among the runs."""


def params(settings: Mapping[str, Any]) -> "list[Param]":
    """Settings by dotted name."""
    from mlflow.entities import Param

    return [Param(name, printable(masked(str(value)))) for name, value in flatten(dict(settings))]


def metrics(directory: RunDirectory, result: Result, config: RunConfig) -> "Iterator[Metric]":
    """Every number of every epoch, with times that are the same whenever this is done again."""
    from mlflow.entities import Metric

    elapsed, shown = 0.0, partial(_shown, config)
    for epoch in directory.epochs():
        elapsed += epoch.seconds
        time = int((result.started + elapsed) * 1000)
        for name, value, step in _numbers(epoch, shown):
            if math.isfinite(value):
                yield Metric(name, value, time, step)
    for name in ("validation_accuracy", "validation_cost"):
        if (value := getattr(result, name)) is not None:
            yield Metric(shown(f"best/{name}"), value, int(result.ended * 1000), result.best or 0)


def _shown(config: RunConfig, name: str) -> str:
    """The name of a metric: by its measure, and by the set that was monitored."""
    return measure_of(config).renamed(name).replace("validation", config.dataset.monitor)


def _numbers(epoch: Epoch, shown: Callable[[str], str]) -> Iterator[tuple[str, float, int]]:
    for name in _CURVES:
        yield shown(name.replace("_", "/")), getattr(epoch, name), epoch.number
    yield "training/eta", epoch.eta, epoch.number
    yield "training/seconds", epoch.seconds, epoch.number
    for number, layer in enumerate(epoch.layers, 1):
        for name, value in vars(layer).items():
            yield f"layer_{number}/{name}", value, epoch.number
    for moment in epoch.within:  # the step counts images here
        for name in _CURVES:
            yield f"within_epochs/{shown(name)}", getattr(moment, name), moment.images


def dataset_input(dataset: Dataset) -> "DatasetInput":
    """The data that a run was trained on."""
    from mlflow.entities import Dataset as Entity
    from mlflow.entities import DatasetInput, InputTag

    entity = Entity(dataset.name, dataset.sha256[:32], "code", f'{{"name": "{dataset.name}"}}')
    return DatasetInput(entity, [InputTag("mlflow.data.context", "training")])
