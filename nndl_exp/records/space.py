"""How much of a disk records take, from the config alone; see tests/test_space.py for how well."""

from collections.abc import Sequence

import numpy as np

from nndl_exp.config import RunConfig
from nndl_exp.nn.network import count_parameters

_FILES = 80 * 1024
"""Bytes of a run's small files, in whole blocks, with the picture of its curves (measured)."""

_EPOCH, _MOMENT, _LAYER = 330, 200, 90
"""Bytes of a line of epochs.jsonl, of a measurement inside the epoch and of a layer (measured)."""

MLFLOW_EPOCH = 1_500
"""Bytes that MLflow's database takes for the metrics of an epoch (measured)."""

FIXED = 4 * 2**20
"""Bytes of the empty databases, of a study's tables and figures, and of the winner's model."""


def weights_bytes(config: RunConfig, sizes: Sequence[int]) -> int:
    """The bytes of a network of these layers, the input first."""
    return count_parameters(sizes) * np.dtype(config.network.dtype).itemsize


def run_bytes(config: RunConfig, sizes: Sequence[int], n_training: int) -> int:
    """About the bytes of a settled run's folder: the best and the last network, a line an epoch."""
    return 2 * weights_bytes(config, sizes) + _history_bytes(config, sizes, n_training) + _FILES


def checkpoint_bytes(config: RunConfig, sizes: Sequence[int], n_training: int) -> int:
    """The bytes of a checkpoint while the next takes its place: the network, the best one, the
    velocities, and the history, which NumPy keeps with four bytes a character."""
    networks = 3 if config.training.momentum else 2
    history = 4 * _history_bytes(config, sizes, n_training)
    return 2 * (networks * weights_bytes(config, sizes) + history)


def _history_bytes(config: RunConfig, sizes: Sequence[int], n_training: int) -> int:
    t = config.training
    moments = n_training // t.monitor_every if t.monitor_every else 0
    return t.epochs * (_EPOCH + _MOMENT * moments + _LAYER * (len(sizes) - 1) * t.layer_metrics)
