"""Fitting the settings that a user did not type to the data."""

from dataclasses import replace
from typing import Any

from nndl_exp.cli.hydra_config import FITTED, Composed
from nndl_exp.config import RunConfig, run_config, to_mapping
from nndl_exp.study.proposing.entries import at_most, largest

ETA, MINI_BATCH_SIZE = FITTED
ETA_FOR_NUMBERS = 0.05
"""With the default of 0.5, chosen for digits, linear outputs diverge."""


def run_of(composed: Composed) -> RunConfig:
    """The run that a command line describes, fitted to its data.

    Where the data are a user's own file, its targets decide ``dataset.task``; where they are
    numbers, also the output layer, the cost and a smaller learning rate, unless these were typed.
    The default mini-batch size is at most the size of the training set. So the config that is
    recorded says all of the run.

    Raises:
        UserError: a setting that does not exist, a value that it can't have, a file that can't be
            used.
    """
    return _with_mini_batches(_with_task(run_config(composed.settings), composed), composed)


def space_of(composed: Composed, run: RunConfig) -> dict[str, Any]:
    """The search space of a command line, with no larger mini-batches than the data allow.

    A range that was typed stays as it is: the study refuses it.
    """
    space: dict[str, Any] = composed.settings["search_space"]
    group = space.get("training")
    if not isinstance(group, dict):
        return space
    entry = group.get("mini_batch_size")
    name = f"search_space.{MINI_BATCH_SIZE}"
    typed = any(f"{one}.".startswith(f"{name}.") or one == "search_space.training"
                for one in composed.typed)  # fmt: skip
    rows = None if typed else _rows(run, largest(entry))
    if rows is None:
        return space
    return {**space, "training": {**group, "mini_batch_size": at_most(entry, rows)}}


def _with_mini_batches(config: RunConfig, composed: Composed) -> RunConfig:
    m = config.training.mini_batch_size
    if MINI_BATCH_SIZE not in composed.fitted:
        return config
    rows = _rows(config, m)
    if rows is None or rows >= m:
        return config
    return replace(config, training=replace(config.training, mini_batch_size=rows))


def _rows(config: RunConfig, wanted: int) -> int | None:
    """The size of the training set; None where it is at least ``wanted`` without looking."""
    data = config.dataset
    cut = data.classes is not None or (data.training_size or wanted) < wanted
    if data.path is None and not cut:
        return None
    from nndl_exp.run import data_of

    return len(data_of(config).training)


def _with_task(config: RunConfig, composed: Composed) -> RunConfig:
    if config.dataset.path is None:
        return config
    from nndl_exp.run import FOR_NUMBERS, data_of

    settings = to_mapping(config)
    task = data_of(config).task
    settings["dataset"]["task"] = task
    if task == "numbers":
        fitting: dict[str, Any] = dict(FOR_NUMBERS)
        if ETA in composed.fitted:
            fitting[ETA] = ETA_FOR_NUMBERS
        for name, value in fitting.items():
            if name not in composed.typed:
                group, _, key = name.partition(".")
                settings[group][key] = value
    return run_config(settings)
