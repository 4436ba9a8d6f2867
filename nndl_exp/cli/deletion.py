"""Deleting a study: its folder, and what the databases below the output folder say of it."""

import shutil
from pathlib import Path

from nndl_exp.config import TrackingConfig
from nndl_exp.errors import UserError
from nndl_exp.study.running.claims import Leadership


def delete_study(output: Path | str, name: str) -> None:
    """Delete a study that no process leads; the folder, which is the record, goes last.

    Raises:
        UserError: a process leads it.
    """
    from nndl_exp.study.running.storage import forget_study
    from nndl_exp.tracking.client import database_file
    from nndl_exp.tracking.stored_runs import delete_runs

    folder = Path(output) / "studies" / name
    leadership = Leadership(folder)
    if not leadership.take():
        raise UserError(f"{name} must not be running to be deleted: a process leads it")
    try:
        if database_file(output).exists():
            delete_runs(output, TrackingConfig(), name)
        forget_study(output, name)
    finally:
        leadership.release()
    shutil.rmtree(folder)
