"""The training loop as a generator of epochs, and the evaluation of a network on a set."""

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nndl_exp.errors import UserError, one_of
from nndl_exp.nn.arrays import Array, Indices
from nndl_exp.nn.dropout import draw_masks
from nndl_exp.nn.network import ROWS_AT_ONCE, Network
from nndl_exp.nn.regularizers import REGULARIZERS
from nndl_exp.training.accuracy import MEASURES, Measure
from nndl_exp.training.epoch import Epoch, Moment
from nndl_exp.training.expansion import Expansion
from nndl_exp.training.fused import FusedStep, can_fuse
from nndl_exp.training.layer_metrics import layer_metrics
from nndl_exp.training.schedules import Schedule, constant
from nndl_exp.training.sgd import Rule, mini_batches, update_mini_batch
from nndl_exp.training.stopping import Stopping, never
from nndl_exp.training.streams import Streams

Examples = tuple[Array, Array]
"""Inputs x of shape (n, n_in) and targets y of shape (n, n_out); rows are examples."""

_ROWS_FOR_LAYERS = 1000


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
        return (
            self.lmbda
            / self.n
            * one_of(REGULARIZERS, self.name, "a regularizer").penalty(network.weights)
        )


@dataclass(frozen=True)
class Settings:
    """How ``train`` learns, besides the data.

    ``eta`` is the first learning rate, ``lmbda`` λ, ``mini_batch_size`` m, ``epochs`` the most
    there may be. ``dropout`` has a rate for each hidden layer, or is empty; ``input_dropout`` is
    that of the inputs. ``order`` maps (epoch, n) to the order of the n examples in that epoch,
    ``dropout_stream`` an epoch to the stream of its masks, ``expansion_stream`` one to that of its
    expansion of the data.

    Training cost and accuracy are measured on the first ``monitor_size`` images as they are, on all
    where it is None; inside an epoch too, after each ``monitor_every`` images; and with
    ``layer_metrics`` the layers, on up to 1,000 of them. ``measure`` says what accuracy is.
    """

    eta: float
    mini_batch_size: int
    epochs: int
    order: Callable[[int, int], Indices]
    dropout_stream: Callable[[int], np.random.Generator] = Streams(0).dropout
    regularizer: str = "l2"
    lmbda: float = 0.0
    momentum: float = 0.0
    nesterov: bool = False
    max_norm: float | None = None
    dropout: tuple[float, ...] = ()
    input_dropout: float = 0.0
    schedule: Schedule = constant
    stopping: Stopping = never
    monitor_size: int | None = None
    monitor_every: int | None = None
    layer_metrics: bool = False
    measure: Measure = MEASURES["classes"]
    expansion: Expansion | None = None
    expansion_stream: Callable[[int], np.random.Generator] = Streams(0).expansion

    def rule(self) -> Rule:
        """What an update does with the gradient."""
        regularizer = one_of(
            REGULARIZERS, self.regularizer if self.lmbda else "none", "a regularizer"
        )
        return Rule(regularizer, self.momentum, self.nesterov, self.max_norm)

    def end(self, history: Sequence[Epoch]) -> str | None:
        """Why training is over after these epochs, or None where it goes on."""
        if not history:
            return None
        if history[-1].diverged:
            return f"cost is not finite at epoch {history[-1].number}"
        reason = self.stopping(history)
        if reason is None and self.schedule(history, self.eta) is None:
            reason = "the learning rate has come to its end"
        if reason is None and len(history) >= self.epochs:
            reason = f"all {self.epochs} epochs"
        return reason


def train(
    network: Network,
    training: Examples,
    validation: Examples,
    *,
    history: Sequence[Epoch] = (),
    velocity: Sequence[Array] | None = None,
    **settings: Any,
) -> Iterator[Epoch]:
    """Train ``network`` in place and yield each epoch after its last update.

    Stops when ``Settings.end`` says so. The network between two ``next`` calls is the network after
    the yielded epoch.

    Args:
        network: the network, as it is after the epochs of ``history``.
        training: (x, y) of shapes (n, n_in) and (n, n_out).
        validation: the same for the validation set.
        history: the epochs that were trained before, when training is resumed.
        velocity: the velocities as they are then, changed in place; None for zeros.
        settings: the fields of ``Settings``.

    Raises:
        UserError: ``mini_batch_size`` is out of range, or the examples are not ones for this
            network (see ``check_examples``).
    """
    s = Settings(**settings)
    check_examples(network, training, "training")
    check_examples(network, validation, "validation")
    monitored = (training[0][: s.monitor_size], training[1][: s.monitor_size])
    if s.expansion is not None and s.expansion.once:
        training = s.expansion.enlarge(*training, s.expansion_stream(0))
    n = len(training[0])
    if not 1 <= s.mini_batch_size <= n:
        raise UserError(
            "training.mini_batch_size must lie between 1 and the size of the training set "
            f"({n}): got {s.mini_batch_size}"
        )
    if velocity is None:
        velocity = s.rule().velocity(network)
    regularization = Regularization(s.regularizer, s.lmbda, n)

    def measure() -> tuple[float, float, float, float]:
        return (
            *evaluate(network, monitored, regularization, s.measure),
            *evaluate(network, validation, regularization, s.measure),
        )

    past = list(history)
    while s.end(past) is None:
        number, eta = len(past) + 1, s.schedule(past, s.eta)
        assert eta is not None
        seconds, start, within = 0.0, time.perf_counter(), []
        for seen in _epoch(network, training, s, eta, number, velocity):
            seconds += time.perf_counter() - start
            passed = number - 1 + seen / n
            within.append(Moment(passed, (number - 1) * n + seen, *measure()))
            start = time.perf_counter()
        seconds += time.perf_counter() - start
        layers = layer_metrics(network, *_first(monitored, network)) if s.layer_metrics else ()
        past.append(Epoch(number, *measure(), eta, seconds, tuple(within), layers))
        yield past[-1]


def check_examples(network: Network, examples: Examples, name: str) -> None:
    """Refuse a set that ``network`` can't be trained on or judged by.

    Raises:
        UserError: it is empty, x and y do not fit the network or each other, or hold values that
            are not finite.
    """
    n_in, n_out = network.sizes[0], network.sizes[-1]
    for what, array, columns in zip(("inputs", "targets"), examples, (n_in, n_out), strict=True):
        if array.ndim != 2 or array.shape[1] != columns or len(array) != len(examples[0]):
            raise UserError(
                f"the {name} {what} must have the shape ({len(examples[0])}, {columns}): "
                f"got {array.shape}"
            )
        if len(array) == 0:
            raise UserError(f"the {name} set must have at least one example: got none")
        for i in range(0, len(array), ROWS_AT_ONCE):
            if not np.isfinite(array[i : i + ROWS_AT_ONCE]).all():
                raise UserError(f"the {name} {what} must be finite: got NaN or infinity")


def evaluate(
    network: Network,
    examples: Examples,
    regularization: Regularization | None = None,
    measure: Measure = MEASURES["classes"],
) -> tuple[float, float]:
    """The cost and the accuracy (a fraction) on a set, in one pass.

    The cost is the mean of C_x plus the regularization term, when one is given. What accuracy is
    says ``measure``: by default the fraction of examples whose class, in the reading of the
    network, is right: it is the output neuron with the largest activation.
    """
    x, y = examples
    if len(x) == 0:
        raise UserError("a network is evaluated on at least one example: got none")
    cost, got, possible = 0.0, 0.0, 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for i in range(0, len(x), ROWS_AT_ONCE):
            xs = x[i : i + ROWS_AT_ONCE].astype(network.dtype, copy=False)
            ys = y[i : i + ROWS_AT_ONCE].astype(network.dtype, copy=False)
            z, a = network.feedforward(xs)
            cost += float(network.cost.value(z, a, ys).sum(dtype=np.float64))
            got += measure.got(a, ys)
            possible += measure.possible(ys)
        term = regularization.term(network) if regularization else 0.0
    return cost / len(x) + term, measure.accuracy(got, possible)


def _first(examples: Examples, network: Network) -> Examples:
    x, y = (part[:_ROWS_FOR_LAYERS].astype(network.dtype, copy=False) for part in examples)
    return x, y


def _epoch(
    network: Network,
    training: Examples,
    s: Settings,
    eta: float,
    number: int,
    velocity: Sequence[Array],
) -> Iterator[int]:
    """Train one epoch, and yield the number of images seen in it whenever it is time to measure."""
    n, rule, dtype = len(training[0]), s.rule(), network.dtype.name
    masks: Sequence[Array] | None = None
    dropping = s.input_dropout or any(s.dropout)
    stream = s.dropout_stream(number) if dropping else None
    vary = None
    if s.expansion is not None and not s.expansion.once:
        vary = functools.partial(s.expansion.vary, rng=s.expansion_stream(number))
    batches = mini_batches(*training, s.order(number, n), s.mini_batch_size, dtype, vary)
    decay = eta * s.lmbda / n
    fused = None
    if can_fuse(network, rule, stream is not None):
        fused = FusedStep(network, s.mini_batch_size, eta, decay)
    every = s.monitor_every or n
    seen, due = 0, every
    if s.monitor_every and number == 1:
        yield 0
    # A network on its way to diverging overflows; that is reported as such, at its epoch.
    with np.errstate(over="ignore", invalid="ignore"):
        for x, y in batches:
            if fused is not None and len(x) == s.mini_batch_size:
                fused(x, y)
            else:
                if stream is not None:
                    x, masks = _drop(stream, s, network, x)
                update_mini_batch(
                    network, x, y,
                    eta=eta, decay=decay, rule=rule, velocity=velocity, masks=masks,
                )  # fmt: skip
            seen += len(x)
            if due <= seen < n:
                yield seen
                due = (seen // every + 1) * every


def _drop(
    stream: np.random.Generator, s: Settings, network: Network, x: Array
) -> tuple[Array, list[Array] | None]:
    """A mini-batch without the inputs that are dropped, and the masks of the hidden layers."""
    m, dtype, masks = len(x), network.dtype.name, None
    if any(s.dropout):
        masks = draw_masks(stream, s.dropout, network.sizes[1:-1], m, dtype)
    if s.input_dropout:
        (mask,) = draw_masks(stream, (s.input_dropout,), network.sizes[:1], m, dtype)
        x = x * mask
    return x, masks
