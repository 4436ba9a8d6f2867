"""The training loop as a generator of epochs, and the evaluation of a network on a set."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nndl_exp.errors import UserError
from nndl_exp.nn.arrays import Array, Indices
from nndl_exp.nn.network import Network
from nndl_exp.nn.regularizers import REGULARIZERS
from nndl_exp.training.epoch import Epoch
from nndl_exp.training.sgd import mini_batches, update_mini_batch
from nndl_exp.training.stopping import Stopping

Examples = tuple[Array, Array]
"""Inputs x of shape (n, n_in) and targets y of shape (n, n_out); rows are examples."""

_ROWS_AT_ONCE = 2000


@dataclass(frozen=True)
class Regularization:
    """A regularizer, its λ, and the size n of the training set that λ is divided by."""

    name: str
    lmbda: float
    n: int

    def term(self, network: Network) -> float:
        """λ/n R(w), the regularization term of the cost."""
        if self.lmbda == 0:
            return 0.0
        return self.lmbda / self.n * REGULARIZERS[self.name].penalty(network.weights)


def train(
    network: Network,
    training: Examples,
    validation: Examples,
    *,
    eta: float,
    mini_batch_size: int,
    epochs: int,
    order: Callable[[int, int], Indices],
    stopping: Stopping = lambda history: None,
    regularizer: str = "l2",
    lmbda: float = 0.0,
    monitor_size: int | None = None,
    history: Sequence[Epoch] = (),
) -> Iterator[Epoch]:
    """Train ``network`` in place and yield each epoch after its last update.

    Stops after ``epochs`` epochs, when ``stopping`` gives a reason, or when the network has
    diverged. The network between two ``next`` calls is the network after the yielded epoch.

    Args:
        network: the network, as it is after the epochs of ``history``.
        training: (x, y) of shapes (n, n_in) and (n, n_out).
        validation: the same for the validation set.
        eta: the learning rate η.
        mini_batch_size: m, between 1 and n.
        epochs: how many epochs in all, those of ``history`` included.
        order: (epoch, n) to the order of the n examples in that epoch.
        stopping: see ``STOPPING``.
        regularizer: a key of ``REGULARIZERS``.
        lmbda: λ; the step of the weights is scaled by 1/n.
        monitor_size: the training cost and accuracy are measured on the first that many images,
            None for all of them.
        history: the epochs that were trained before, when training is resumed.

    Raises:
        UserError: ``mini_batch_size`` is out of range, or shapes do not fit the network.
    """
    n = len(training[0])
    if not 1 <= mini_batch_size <= n:
        raise UserError(
            "training.mini_batch_size must lie between 1 and the size of the training set "
            f"({n}): got {mini_batch_size}"
        )
    regularization = Regularization(regularizer, lmbda, n)
    monitored = (training[0][:monitor_size], training[1][:monitor_size])
    past = list(history)
    while not _is_over(past, epochs, stopping):
        number = len(past) + 1
        start = time.perf_counter()
        _epoch(network, training, eta, mini_batch_size, order(number, n), regularization)
        seconds = time.perf_counter() - start
        past.append(
            Epoch(
                number,
                *evaluate(network, monitored, regularization),
                *evaluate(network, validation, regularization),
                eta,
                seconds,
            )
        )
        yield past[-1]


def evaluate(
    network: Network, examples: Examples, regularization: Regularization | None = None
) -> tuple[float, float]:
    """The cost and the accuracy (a fraction) on a set, in one pass.

    The cost is the mean of C_x plus the regularization term, when one is given; the digit that a
    network reads is the output neuron with the largest activation.
    """
    x, y = examples
    cost, correct = 0.0, 0
    with np.errstate(over="ignore", invalid="ignore"):
        for i in range(0, len(x), _ROWS_AT_ONCE):
            xs = x[i : i + _ROWS_AT_ONCE].astype(network.dtype, copy=False)
            ys = y[i : i + _ROWS_AT_ONCE].astype(network.dtype, copy=False)
            z, a = network.feedforward(xs)
            cost += float(network.cost.value(z, a, ys).sum(dtype=np.float64))
            correct += int((a.argmax(axis=1) == ys.argmax(axis=1)).sum())
        term = regularization.term(network) if regularization else 0.0
    return cost / len(x) + term, correct / len(x)


def stop_reason(history: Sequence[Epoch], epochs: int, stopping: Stopping) -> str | None:
    """Why training is over after these epochs, or None where it goes on."""
    if not history:
        return None
    if history[-1].diverged:
        return f"cost is not finite at epoch {history[-1].number}"
    reason = stopping(history)
    if reason is None and len(history) >= epochs:
        reason = f"all {epochs} epochs"
    return reason


def _is_over(history: Sequence[Epoch], epochs: int, stopping: Stopping) -> bool:
    return stop_reason(history, epochs, stopping) is not None


def _epoch(
    network: Network,
    training: Examples,
    eta: float,
    mini_batch_size: int,
    order: Indices,
    regularization: Regularization,
) -> None:
    regularizer = REGULARIZERS[regularization.name if regularization.lmbda else "none"]
    decay = eta * regularization.lmbda / regularization.n
    batches = mini_batches(*training, order, mini_batch_size, network.dtype.name)
    # A network on its way to diverging overflows; that is reported as such, at its epoch.
    with np.errstate(over="ignore", invalid="ignore"):
        for x, y in batches:
            update_mini_batch(network, x, y, eta=eta, decay=decay, regularizer=regularizer)
