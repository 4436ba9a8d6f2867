"""The training loop as a generator of epochs, and the evaluation of a network on a set."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from nndl_exp.errors import UserError
from nndl_exp.fast.fused import FusedStep, can_fuse
from nndl_exp.nn.arrays import Array, as_inputs
from nndl_exp.nn.dropout import draw_masks
from nndl_exp.nn.network import ROWS_AT_ONCE, Network
from nndl_exp.nn.regularizers import UNREGULARIZED, Regularization
from nndl_exp.training.accuracy import MEASURES, Measure
from nndl_exp.training.epoch import Epoch, History, JudgedBy, Moment
from nndl_exp.training.expansion import Expansion
from nndl_exp.training.layer_metrics import layer_metrics
from nndl_exp.training.schedules import Schedule, constant
from nndl_exp.training.sgd import Optimizer, mini_batches, update_mini_batch
from nndl_exp.training.stopping import Stopping, never
from nndl_exp.training.streams import Streams

Examples = tuple[Array, Array]
"""Inputs x of shape (n, n_in) and targets y of shape (n, n_out); rows are examples."""

_Update = Callable[[Array, Array], None]
_ROWS_FOR_LAYERS = 1000


@dataclass(frozen=True)
class Settings:
    """How ``train`` learns, besides the data and its random streams.

    ``eta`` is the first learning rate, ``lmbda`` λ, ``mini_batch_size`` m, ``epochs`` the most
    there may be. ``dropout`` has a rate for each hidden layer, or is empty; ``input_dropout`` is
    that of the inputs. ``judged_by`` says which epoch is the best, for schedules and stopping.

    Training cost and accuracy are measured on the first ``monitor_size`` images as they are, on all
    where it is None; inside an epoch too, after each ``monitor_every`` images; and with
    ``layer_metrics`` the layers, on up to 1,000 of them. ``measure`` says what accuracy is.
    """

    eta: float
    mini_batch_size: int
    epochs: int
    regularizer: str = "l2"
    lmbda: float = 0.0
    momentum: float = 0.0
    nesterov: bool = False
    max_norm: float | None = None
    dropout: tuple[float, ...] = ()
    input_dropout: float = 0.0
    schedule: Schedule = constant
    stopping: Stopping = never
    judged_by: JudgedBy = "validation_accuracy"
    monitor_size: int | None = None
    monitor_every: int | None = None
    layer_metrics: bool = False
    measure: Measure = MEASURES["classes"]
    expansion: Expansion | None = None

    @property
    def optimizer(self) -> Optimizer:
        """The fields that decide about a step of an update."""
        return Optimizer(self.momentum, self.nesterov, self.max_norm)

    @property
    def drops(self) -> bool:
        """True if neurons are dropped."""
        return bool(self.input_dropout) or any(self.dropout)

    def end(self, history: History) -> str | None:
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
    settings: Settings,
    *,
    streams: Streams,
    history: Sequence[Epoch] = (),
    velocity: Sequence[Array] | None = None,
) -> Iterator[Epoch]:
    """Train ``network`` in place and yield each epoch after its last update.

    Stops when ``Settings.end`` says so. The network between two ``next`` calls is the network after
    the yielded epoch.

    Args:
        network: the network, as it is after the epochs of ``history``.
        training: (x, y) of shapes (n, n_in) and (n, n_out).
        validation: the same for the validation set.
        settings: how it learns.
        streams: what shuffling, dropout and expansion are drawn from.
        history: the epochs that were trained before, when training is resumed.
        velocity: the velocities as they are then, changed in place; None for zeros.

    Raises:
        UserError: ``mini_batch_size`` is out of range, the network can't be changed in place, or
            the examples are not ones for it (see ``check_examples``).
    """
    check_examples(network, training, "training")
    check_examples(network, validation, "validation")
    first = slice(settings.monitor_size)
    monitored = (training[0][first], training[1][first])
    if settings.expansion is not None and settings.expansion.once:
        training = settings.expansion.enlarge(*training, streams.expansion(0))
    n, m = len(training[0]), settings.mini_batch_size
    if not 1 <= m <= n:
        raise UserError(
            "training.mini_batch_size must lie between 1 and the size of the training set "
            f"({n}): got {m}"
        )
    if velocity is None:
        velocity = settings.optimizer.velocity(network)
    _check_writable(*network.weights, *network.biases, *velocity)
    shared = _Training(network, training, monitored, validation, settings, streams, velocity)
    past = History(settings.judged_by, history)
    while settings.end(past) is None:
        eta = settings.schedule(past, settings.eta)
        assert eta is not None
        past.append(shared.epoch(len(past) + 1, eta))
        yield past[-1]


@dataclass(frozen=True)
class _Training:
    """The parts that all epochs share; ``monitored`` are training examples as they are."""

    network: Network
    training: Examples
    monitored: Examples
    validation: Examples
    settings: Settings
    streams: Streams
    velocity: Sequence[Array]

    @property
    def n(self) -> int:
        return len(self.training[0])

    @property
    def regularization(self) -> Regularization:
        s = self.settings
        return Regularization(s.regularizer if s.lmbda else "none", s.lmbda, self.n)

    def epoch(self, number: int, eta: float) -> Epoch:
        """Train an epoch, and measure after it, and within it where that is asked for."""
        s, n, within = self.settings, self.n, list[Moment]()
        if s.monitor_every and number == 1:
            within.append(Moment(0.0, 0, *self.measure()))
        seconds, start = 0.0, time.perf_counter()
        for seen in self._updates(number, eta):
            seconds += time.perf_counter() - start
            passed = number - 1 + seen / n
            within.append(Moment(passed, (number - 1) * n + seen, *self.measure()))
            start = time.perf_counter()
        seconds += time.perf_counter() - start
        layers = layer_metrics(self.network, *_first(self.monitored)) if s.layer_metrics else ()
        return Epoch(number, *self.measure(), eta, seconds, tuple(within), layers)

    def measure(self) -> tuple[float, float, float, float]:
        """Cost and accuracy on the training examples, and on the validation set."""
        regularization, measure = self.regularization, self.settings.measure
        return (
            *evaluate(self.network, self.monitored, regularization, measure),
            *evaluate(self.network, self.validation, regularization, measure),
        )

    def _updates(self, number: int, eta: float) -> Iterator[int]:
        """Update by each mini-batch; yield the number of images seen when it is time to measure."""
        every = due = self.settings.monitor_every or self.n
        seen, update = 0, self._update(number, eta)
        # A network on its way to diverging overflows; that is reported as such, at its epoch.
        with np.errstate(over="ignore", invalid="ignore"):
            for x, y in self._mini_batches(number):
                update(x, y)
                seen += len(x)
                if due <= seen < self.n:
                    yield seen
                    due = (seen // every + 1) * every

    def _mini_batches(self, number: int) -> Iterator[tuple[Array, Array]]:
        vary, expansion = None, self.settings.expansion
        if expansion is not None and not expansion.once:
            vary = partial(expansion.vary, rng=self.streams.expansion(number))
        order, m = self.streams.order(number, self.n), self.settings.mini_batch_size
        return mini_batches(*self.training, order, m, self.network.dtype.name, vary)

    def _update(self, number: int, eta: float) -> _Update:
        """``update_mini_batch`` with all that an epoch says; where the faster form of it computes
        the same, that for whole mini-batches."""
        s, network = self.settings, self.network
        rng = self.streams.dropout(number) if s.drops else None
        update = partial(
            update_mini_batch, network, eta=eta, regularization=self.regularization,
            optimizer=s.optimizer, velocity=self.velocity,
        )  # fmt: skip
        whole: Callable[..., None] = update
        if s.max_norm is None and not s.nesterov and can_fuse(network, self.velocity):
            name, m = self.regularization.name, s.mini_batch_size
            decay = 0.0 if name == "none" else eta * s.lmbda / self.n
            whole = FusedStep(network, m, eta, decay, s.momentum, self.velocity, l1=name == "l1")

        def step(x: Array, y: Array) -> None:
            masks = None
            if rng is not None:
                x, masks = _drop(rng, s, network, x)
            (whole if len(x) == s.mini_batch_size else update)(x, y, masks)

        return step


def _check_writable(*arrays: Array) -> None:
    if not all(array.flags.writeable for array in arrays):
        raise UserError(
            "training changes weights, biases and velocities in place: got read-only ones; train a "
            "copy() of the network"
        )


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
    regularization: Regularization = UNREGULARIZED,
    measure: Measure = MEASURES["classes"],
) -> tuple[float, float]:
    """The cost and the accuracy (a fraction) on a set, in one pass.

    The cost is the mean of C_x plus the regularization term. What accuracy is
    says ``measure``: by default the fraction of examples whose class, in the reading of the
    network, is right: it is the output neuron with the largest activation.
    """
    x, y = examples
    if len(x) == 0:
        raise UserError("a network is evaluated on at least one example: got none")
    cost, got, possible = 0.0, 0.0, 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for i in range(0, len(x), ROWS_AT_ONCE):
            xs = as_inputs(x[i : i + ROWS_AT_ONCE], network.dtype)
            ys = y[i : i + ROWS_AT_ONCE].astype(network.dtype, copy=False)
            z, a = network.feedforward(xs)
            cost += float(network.cost.value(z, a, ys).sum(dtype=np.float64))
            got += measure.got(a, ys)
            possible += measure.possible(ys)
        term = regularization.term(network.weights)
    return cost / len(x) + term, measure.accuracy(got, possible)


def _first(examples: Examples) -> Examples:
    x, y = (part[:_ROWS_FOR_LAYERS] for part in examples)
    return x, y


def _drop(
    rng: np.random.Generator, s: Settings, network: Network, x: Array
) -> tuple[Array, list[Array] | None]:
    """A mini-batch without the inputs that are dropped, and the masks of the hidden layers."""
    m, dtype, masks = len(x), network.dtype.name, None
    if any(s.dropout):
        masks = draw_masks(rng, s.dropout, network.sizes[1:-1], m, dtype)
    if s.input_dropout:
        (mask,) = draw_masks(rng, (s.input_dropout,), network.sizes[:1], m, dtype)
        x = x * mask
    return x, masks
