"""A run's file as the base of settings: ``from=FILE``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nndl_exp.config import RUN_KEYS, flatten, run_config
from nndl_exp.errors import UserError
from nndl_exp.yaml_file import read_yaml


def start_from(path: Path, settings: dict[str, Any], typed: Sequence[str]) -> None:
    """Put the run that a file describes into ``settings``, under what was typed.

    Raises:
        UserError: the file can't be read or holds no run, or an experiment was chosen too.
    """
    if "experiment" in typed:
        raise UserError("from and +experiment are both a base to start from: give one of them")
    try:
        loaded = read_yaml(path)  # not by OmegaConf: what another wrote is not interpolated
    except UserError as e:
        raise UserError(f"from={e}") from None
    needed = [key for key in RUN_KEYS if key != "kernels"]  # which older ones do not have
    if not set(needed) <= set(loaded):
        raise UserError(f"from={path} must be a run's config, with {', '.join(needed)}")
    base: dict[str, Any] = {key: loaded[key] for key in RUN_KEYS if key in loaded}
    for key, value in flatten(base):
        if "${" in str(value):
            raise UserError(f"from={path} must hold plain values: got {key}={value}")
    run_config(base)
    for name in typed:
        *outer, key = name.split(".")
        if name.split(".")[0] in RUN_KEYS:
            source, target = settings, base
            for part in outer:
                source, target = source[part], target[part]
            target[key] = source[key]
    settings.update(base)
