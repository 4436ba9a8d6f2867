"""Optuna's dashboard: another look at the trials, in the database that shows them to Optuna."""

import importlib.util
import shlex
from pathlib import Path

from nndl_exp import database
from nndl_exp.config import SweepConfig

ADDRESS = "http://127.0.0.1:8080/"
"""Where it listens unless it is told otherwise."""


def dashboard_command(config: SweepConfig) -> str | None:
    """What to type to look at a study in Optuna's dashboard; None where that is not installed."""
    if importlib.util.find_spec("optuna_dashboard") is None:
        return None
    if config.storage.name == "sqlite":
        url = database.file_url(Path(config.output) / database.FILES["optuna"])  # as it was given
    else:
        url = database.url_of(config, "optuna")
    return f"optuna-dashboard {shlex.quote(url)}    # then open {ADDRESS}"
