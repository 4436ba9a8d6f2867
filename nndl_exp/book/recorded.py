"""The runs of a script of ``experiments/``, each with its record."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nndl_exp.config import RunConfig
from nndl_exp.nn import Network
from nndl_exp.nn.arrays import Array
from nndl_exp.records import RunDirectory
from nndl_exp.run import Run, check
from nndl_exp.training import Epoch
from nndl_exp.weights import load_network


@dataclass(frozen=True)
class Recorded:
    """A run of an experiment that has ended, and its record."""

    config: RunConfig
    directory: RunDirectory

    @property
    def epochs(self) -> list[Epoch]:
        """Its epochs."""
        return self.directory.epochs()

    def curve(self, name: str) -> Array:
        """A measurement after each epoch, such as ``validation_accuracy``, a fraction."""
        return np.array([getattr(epoch, name) for epoch in self.epochs])

    @property
    def network(self) -> Network:
        """Its network after the last epoch."""
        last = self.directory.path / "weights_last.npz"
        return load_network(last) if last.exists() else self.directory.network()

    def best(self) -> float:
        """The best accuracy, in percent, on the set that is monitored."""
        return 100 * float(self.curve("validation_accuracy").max())


def train_recorded(job: tuple[RunConfig, Path]) -> None:
    """Train a run and record it in a folder, or take what is recorded there."""
    config, path = job
    with Run(config, RunDirectory(path), check(config)) as run:
        for _ in run:
            pass
