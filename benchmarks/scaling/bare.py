"""Recorded runs trained again with nothing around them: no search, no storage, no record."""

import time
from dataclasses import dataclass

from nndl_exp.nn.blas import blas_threads
from nndl_exp.records import RunDirectory
from nndl_exp.run import data_of, initial_network, settings_of
from nndl_exp.training import train


@dataclass(frozen=True)
class Bare:
    """What training and measuring alone took, by the clock and of a processor, in seconds."""

    clock: float
    processor: float


def train_again(directory: RunDirectory) -> Bare:
    """Train the same epochs, measured as a study measures them; data are there before it counts."""
    config, result = directory.config(), directory.result()
    assert result is not None
    dataset = data_of(config)
    network, settings = initial_network(config, dataset), settings_of(config, dataset)
    examples = dataset.examples()
    with blas_threads(1):
        clock, processor = time.perf_counter(), time.process_time()
        for epoch in train(network, *examples, **vars(settings)):
            if epoch.number == result.epochs:
                break
        return Bare(time.perf_counter() - clock, time.process_time() - processor)
