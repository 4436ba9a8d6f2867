"""Fitting the settings that a user did not type to the data."""

from typing import Any

from nndl_exp.cli.hydra_config import Composed
from nndl_exp.config import RunConfig, flatten, run_config, to_mapping

ETA_FOR_NUMBERS = 0.05
"""With the default of 0.5, chosen for digits, linear outputs diverge."""


def run_of(composed: Composed) -> RunConfig:
    """The run that a command line describes, fitted to its data.

    Where the data are a user's own file, its targets decide ``dataset.task``; where they are
    numbers, also the output layer, the cost and a smaller learning rate, unless these were typed.
    So the config that is recorded says all of the run.

    Raises:
        UserError: a setting that does not exist, a value that it can't have, a file that can't be
            used.
    """
    config = run_config(composed.settings)
    if config.dataset.path is None:
        return config
    from nndl_exp.run import FOR_NUMBERS, data_of

    settings = to_mapping(config)
    task = data_of(config).task
    settings["dataset"]["task"] = task
    if task == "numbers":
        fitting: dict[str, Any] = dict(FOR_NUMBERS)
        default = dict(flatten(to_mapping(RunConfig())))["training.eta"]
        if config.training.eta == default and composed.base is None:
            fitting["training.eta"] = ETA_FOR_NUMBERS
        for name, value in fitting.items():
            if name not in composed.typed:
                group, _, key = name.partition(".")
                settings[group][key] = value
    return run_config(settings)
