"""Where records go: whether the output folder can be written and has room, and MLflow answers."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from nndl_exp.config import SweepConfig, TrackingConfig, TrainConfig
from nndl_exp.datasets import Dataset
from nndl_exp.errors import UserError
from nndl_exp.records.space import FIXED, MLFLOW_EPOCH, checkpoint_bytes, run_bytes
from nndl_exp.run import sizes_of
from nndl_exp.tracking.client import check


def check_resources(
    config: TrainConfig | SweepConfig,
    tracking: TrackingConfig,
    dataset: Dataset,
    *,
    runs: int,
    at_once: int = 1,
) -> None:
    """Check that so many runs, of which some train at once, can be kept and shown.

    Raises:
        UserError: the output folder can't be written or has no room, its MLflow database is not
            what it should be, or the MLflow server does not answer.
    """
    check_output(config.output)
    check(config.output, tracking)
    sizes = sizes_of(config.run, dataset)
    check_space(config, sizes, len(dataset.training), runs=runs, at_once=at_once)


def check_output(output: str) -> None:
    """Make the output folder if it is not there.

    Raises:
        UserError: it can't be made or written.
    """
    folder = Path(output)
    try:
        for part in (folder, folder / "runs", folder / "studies"):
            if part != folder and not part.exists():
                continue
            part.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise UserError(f"output must be a folder: got {output} ({e.strerror})") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"output must be a folder that can be written: got {output}")


def check_space(
    config: TrainConfig | SweepConfig,
    sizes: Sequence[int],
    n_training: int,
    *,
    runs: int,
    at_once: int = 1,
) -> None:
    """Check that there is room for the records of so many runs, of which some train at once.

    Args:
        config: what is to be trained; without a server MLflow keeps a copy of each record here.
        sizes: neurons in each layer of a run, the input first.
        n_training: training examples.
        runs: how many there are still to be trained.
        at_once: how many of them have a checkpoint at a time.

    Raises:
        UserError: there is not; the message says how much there is and how much it takes.
    """
    one = run_bytes(config.run, sizes, n_training)
    if config.tracking.name == "mlflow" and not config.tracking.uri:
        one = 2 * one + MLFLOW_EPOCH * config.run.training.epochs
    checkpoints = min(runs, at_once) * checkpoint_bytes(config.run, sizes, n_training)
    needed = runs * one + checkpoints + FIXED if runs else 0
    free = shutil.disk_usage(config.output).free
    if needed > free:
        raise UserError(
            f"output must have room for {runs} run{'s' if runs > 1 else ''}, about "
            f"{_megabytes(needed)}: {config.output} has {_megabytes(free)} left"
        )


def _megabytes(n: int) -> str:
    return f"{n / 1e6:,.1f} MB"
