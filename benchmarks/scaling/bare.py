"""Recorded runs trained again with nothing around them: no search, no storage, no record."""

from nndl_exp.fast.blas import blas_threads
from nndl_exp.records import RunDirectory
from nndl_exp.run import data_of, initial_network, settings_of
from nndl_exp.training import Streams, train


def train_again(directory: RunDirectory) -> None:
    """Train the same epochs, measured as a study measures them."""
    config, result = directory.config(), directory.result()
    assert result is not None
    dataset = data_of(config)
    network, settings = initial_network(config, dataset), settings_of(config, dataset)
    examples = dataset.examples()
    with blas_threads(1):
        for epoch in train(network, *examples, settings, streams=Streams(config.seed)):
            if epoch.number == result.epochs:
                break
