"""Deleting a study: its folder, and what the databases below the output folder say of it."""

import shutil
from pathlib import Path

from nndl_exp.config import TrackingConfig
from nndl_exp.errors import UserError
from nndl_exp.study.leadership import is_running


def delete_study(output: Path | str, name: str) -> None:
    """Delete a study that no process runs; the folder, which is the record, goes last.

    Raises:
        UserError: a process runs it.
    """
    from nndl_exp.tracking.client import database_file
    from nndl_exp.tracking.optuna_view import forget_study
    from nndl_exp.tracking.stored_runs import delete_runs

    folder = Path(output) / "studies" / name
    if is_running(folder):
        raise UserError(f"{name} must not be running to be deleted: a process runs it")
    if database_file(output).exists():
        delete_runs(output, TrackingConfig(), name)
    forget_study(output, name)
    shutil.rmtree(folder)
