"""The public Python API: what the commands themselves are made of.

from nndl_exp.api import Study, load_config, load_dataset, run, train
"""

from collections.abc import Sequence
from pathlib import Path

from nndl_exp.cli.fitting import run_of
from nndl_exp.cli.hydra_config import compose
from nndl_exp.config import RunConfig
from nndl_exp.datasets import Dataset, load_dataset
from nndl_exp.nn import Network
from nndl_exp.records import Result, RunDirectory
from nndl_exp.run import initial_network, run
from nndl_exp.study.search import Trial
from nndl_exp.study.study import Study
from nndl_exp.study.verdict import Comparison, compare
from nndl_exp.sweep import sweep_config
from nndl_exp.training import Epoch, Settings, Streams, evaluate, train
from nndl_exp.weights import load_network

__all__ = [
    "Comparison",
    "Dataset",
    "Epoch",
    "Network",
    "Result",
    "RunConfig",
    "RunDirectory",
    "Settings",
    "Streams",
    "Study",
    "Trial",
    "compare",
    "evaluate",
    "initial_network",
    "load_config",
    "load_dataset",
    "load_network",
    "load_study",
    "run",
    "train",
]


def load_config(overrides: Sequence[str] = (), config_dir: Path | None = None) -> RunConfig:
    """The config of a run, from the same words as ``python -m nndl_exp.train`` takes.

    Args:
        overrides: the words.
        config_dir: a folder of settings of one's own, as ``--config-dir`` takes it.

    Raises:
        UserError: a setting that does not exist, or a value that it can't have.
    """
    return run_of(compose("train", overrides, config_dir))


def load_study(overrides: Sequence[str] = ()) -> Study:
    """The study that the same words of ``python -m nndl_exp.sweep`` would run; not yet run.

    Raises:
        UserError: a setting that does not exist, or a value that it can't have; or a study of this
            name exists with other settings or data.
    """
    study = Study(sweep_config(compose("sweep", overrides)))
    study.check()
    return study
