"""What the stages say settings with: configs changed, distributions, numbers in words."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from nndl_exp.config import (
    RunConfig,
    ScheduleConfig,
    StoppingConfig,
    flatten,
    settings_text,
    to_mapping,
)
from nndl_exp.nn.arrays import Array
from nndl_exp.run import measure_of
from nndl_exp.study.proposing.search_space import Params
from nndl_exp.study.search import Trial, ranked, states_text
from nndl_exp.study.stages.script import Seen
from nndl_exp.study.stages.stage import Decision, Facts

LEAST_IMAGES = 1000
"""The book tunes on so many; with fewer a stage would see little but noise."""

START = "the start"
"""The name of the configuration that a study began with."""
NOT_PAID = "what is left of the work does not pay for it"


def training(config: RunConfig, **settings: Any) -> RunConfig:
    """The config with some of its training settings changed."""
    return replace(config, training=replace(config.training, **settings))


def network(config: RunConfig, **settings: Any) -> RunConfig:
    """The config with some of its network settings changed."""
    return replace(config, network=replace(config.network, **settings))


def without_stopping(config: RunConfig, epochs: int) -> RunConfig:
    """The config trained for exactly so many epochs."""
    return training(config, epochs=epochs, stopping=StoppingConfig("none"))


def plain(config: RunConfig, epochs: int, **settings: Any) -> RunConfig:
    """The config for exactly so many epochs at one η, with no dropout."""
    exactly = without_stopping(config, epochs)
    return training(exactly, schedule=ScheduleConfig(), dropout=0.0, input_dropout=0.0, **settings)


def fewer_images(facts: Facts, images: int) -> RunConfig:
    """What was found so far on at most so many training images, with λ/n as it was.

    "you can strip your network down ... speed things up" (chapter 3, "Broad strategy"); λ goes with
    n, so that weight decay stays the same.
    """
    base, n = facts.base, min(facts.n, images)
    fewer = replace(base, dataset=replace(base.dataset, training_size=n))
    return training(
        fewer,
        lmbda=base.training.lmbda * n / facts.n,
        mini_batch_size=min(base.training.mini_batch_size, n),
    )


def shorter(facts: Facts, images: int, epochs: int, trials: int) -> RunConfig:
    """What was found so far on at most so many training images, for at most so many epochs; on
    fewer images, down to 1,000, where the stage's share does not pay for so many trials."""
    epochs = min(epochs, facts.base.training.epochs)
    few = fewer_images(facts, LEAST_IMAGES)
    paid = facts.share / facts.work(few, trials * epochs) * LEAST_IMAGES
    fewer = fewer_images(facts, int(min(images, max(LEAST_IMAGES, paid))))
    return training(fewer, epochs=epochs)


def on_all_images(trial: Trial, facts: Facts) -> float:
    """The λ for the whole training set that goes with that of a trial on some of its images."""
    return trial.config.training.lmbda * facts.n / (trial.config.dataset.training_size or facts.n)


def eta() -> FloatDistribution:
    """Any learning rate; a stage decides for itself how far it goes."""
    return FloatDistribution(1e-300, 1e300, log=True)


def lmbda() -> FloatDistribution:
    """Any regularization parameter, 0 too."""
    return FloatDistribution(0, 1e300)


def seeds() -> IntDistribution:
    """Seeds of initial weights and shuffling, with room above what a user may type."""
    return IntDistribution(0, 2**53)


def architectures(hidden: Iterable[Sequence[int]]) -> CategoricalDistribution:
    """Some architectures, each the list of its hidden layers as text."""
    return CategoricalDistribution(tuple(dict.fromkeys(text(layers) for layers in hidden)))


def text(hidden: Sequence[int]) -> str:
    """An architecture as the choice that stands for it: [100, 30]."""
    return json.dumps(list(hidden))


def point(config: RunConfig, *names: str) -> Params:
    """The values that a config has for some settings, as a trial's parameters."""
    values: Params = {}
    for name in names:
        value: Any = config
        for part in name.split("."):
            value = getattr(value, part)
        values[name] = text(value) if isinstance(value, tuple) else value
    return values


def differences(configs: Sequence[RunConfig]) -> dict[str, list[Any]]:
    """The settings in which runs differ, each with the values that there are, as choices."""
    flat = [dict(flatten(to_mapping(config))) for config in configs]
    varied = {}
    for name in flat[0]:
        values = [one.get(name) for one in flat]
        kept = [json.dumps(value) if isinstance(value, list) else value for value in values]
        if len(distinct := list(dict.fromkeys(kept))) > 1:
            varied[name] = distinct
    return varied


def names(configs: Sequence[RunConfig], start: RunConfig) -> list[str]:
    """The name of each configuration: the settings in which it differs from the others, or
    ``START`` for that which the study began with."""
    varied = differences(configs)
    return [
        START if config == start else settings_text(point(config, *varied)) or "as it was"
        for config in configs
    ]


def scores(trials: Sequence[Seen]) -> Array:
    """What each validation example adds to the accuracy of some trials, (trials, examples)."""
    return np.array([trial.scores for trial in trials])


def best_of(trials: Sequence[Seen]) -> Seen:
    """The best trial, the first of equals; the first of all if none completed."""
    return next(iter(ranked(trials)), trials[0])


def nothing(facts: Facts, trials: Sequence[Trial]) -> Decision:
    """The decision of a stage in which no trial trained to its end: the run stays as it was.

    It ends the study where no stage is left that could find a run which does.
    """
    words = f"no trial trained to its end ({states_text(trials)}); the run stays as it was"
    return Decision(facts.base, (words,), stop=not facts.later)


def goodness_text(config: RunConfig, goodness: float) -> str:
    """A goodness in words: 94.6 %, R² 0.874 or cost 0.0312."""
    if config.training.judged_by == "validation_cost":
        return f"cost {-goodness:.4g}"
    return measure_of(config).text(goodness)


def baseline(facts: Facts) -> str:
    """What an accuracy has to be compared with, in words; nothing for R²."""
    words = measure_of(facts.base).baseline(facts.chance)
    return f" ({words})" if words else ""


def judged(trial: Trial) -> str:
    """What a trial came to, in words."""
    return goodness_text(trial.config, trial.goodness) if trial.ok else trial.result.state


def number(value: float) -> str:
    """A cost or a time, to three significant digits."""
    return f"{value:.3g}"
