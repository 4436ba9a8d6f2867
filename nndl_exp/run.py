"""One run: config -> data -> network -> training -> record."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nndl_exp.config import RunConfig, TrainingConfig, flatten, to_mapping
from nndl_exp.datasets import FILES, SOURCES, Dataset, load_dataset
from nndl_exp.errors import UserError, one_of
from nndl_exp.fast import kernels
from nndl_exp.fast.blas import blas_threads
from nndl_exp.nn.activations import ACTIVATIONS
from nndl_exp.nn.costs import OUTPUTS_OF, pair
from nndl_exp.nn.initializers import INITIALIZERS
from nndl_exp.nn.network import Network, Parts
from nndl_exp.records import Result, RunDirectory
from nndl_exp.records.looks import Look, now, read, register_of
from nndl_exp.records.origin import Origin
from nndl_exp.records.run_directory import State
from nndl_exp.training import Epoch, Settings, Streams, train
from nndl_exp.training.accuracy import Measure, measure_for
from nndl_exp.training.checkpoint import Checkpoint
from nndl_exp.training.epoch import History
from nndl_exp.training.expansion import make_expansion
from nndl_exp.training.schedules import SCHEDULES, Schedule
from nndl_exp.training.stopping import STOPPING, Stopping, first_of, seconds, target
from nndl_exp.weights import digest

SECONDS_BETWEEN_CHECKPOINTS = 2.0


def check(config: RunConfig) -> Dataset:
    """The dataset of a run, after checking that the parts of its config go together.

    Raises:
        UserError: the data can't be had, or see ``check_parts``.
    """
    check_names(config)
    kernels.check(config.kernels)  # here and in a training, not in what only looks at a record
    dataset = data_of(config)
    check_parts(config, dataset)
    return dataset


def check_names(config: RunConfig) -> None:
    """Check that the parts that a run names are there, and that its cost goes with its output.

    Raises:
        UserError: one that is not, with those that are.
    """
    network = config.network
    one_of({**SOURCES, **FILES}, config.dataset.name, "dataset.name")
    one_of(ACTIVATIONS, network.activation, "network.activation")
    one_of(ACTIVATIONS, network.output, "network.output")
    one_of(OUTPUTS_OF, network.cost, "network.cost")
    one_of(INITIALIZERS, network.initializer, "network.initializer")
    pair(network.cost, network.output)


def check_parts(config: RunConfig, dataset: Dataset) -> None:
    """Check that the parts of a run's config go together, and with its dataset.

    Raises:
        UserError: a cost that does not go with the output layer, or the two not with the targets; a
            mini-batch larger than the training set.
    """
    check_names(config)
    _check_task(config, dataset)
    settings_of(config, dataset)
    n, m = len(dataset.training), config.training.mini_batch_size
    if m > n:
        raise UserError(
            "training.mini_batch_size must lie between 1 and the size of the training set "
            f"({n}): got {m}"
        )


FOR_NUMBERS = {"network.output": "linear", "network.cost": "quadratic"}
"""What a network needs to tell numbers: outputs without bounds, and the cost of least squares."""


def _check_task(config: RunConfig, dataset: Dataset) -> None:
    if dataset.task == "classes":
        return
    needed = {"dataset.task": "numbers", **FOR_NUMBERS}
    settings = dict(flatten(to_mapping(config)))
    if wrong := [f"{name}={value}" for name, value in needed.items() if settings[name] != value]:
        raise UserError(f"targets that are numbers need {' '.join(wrong)}")


def measure_of(config: RunConfig) -> Measure:
    """What accuracy means for a run: ``dataset.task`` is "numbers" wherever its targets are."""
    return measure_for(config.dataset.task)


def data_of(config: RunConfig, *, test: bool = False) -> Dataset:
    """The dataset that a config asks for, without the test set unless ``test``."""
    return load_dataset(**asdict(config.dataset), test=test)


def recorded_data(directory: RunDirectory, *, test: bool = False) -> Dataset:
    """The dataset that a run was trained on, without the test set unless ``test``.

    Raises:
        UserError: it can't be had, or is not what it was then.
    """
    dataset = data_of(directory.config(), test=test)
    directory.check_data(dataset.sha256)
    return dataset


def sizes_of(config: RunConfig, dataset: Dataset) -> tuple[int, ...]:
    """Neurons in each layer, the input first."""
    return (dataset.n_in, *config.network.hidden, dataset.n_out)


def initial_network(config: RunConfig, dataset: Dataset) -> Network:
    """The network before its first epoch: a function of the config alone."""
    network = config.network
    return Network.initialize(
        sizes_of(config, dataset),
        Parts(network.activation, network.output, network.cost),
        rng=Streams(config.seed).initial_values(),
        initializer=network.initializer,
        dtype=network.dtype,
    )


def settings_of(config: RunConfig, dataset: Dataset) -> Settings:
    """How the run learns, as ``train`` takes it.

    Raises:
        UserError: more or fewer dropout rates than hidden layers, an expansion of examples that
            are not pictures.
    """
    t, hidden = config.training, config.network.hidden
    dropout = t.dropout if isinstance(t.dropout, tuple) else (t.dropout,) * len(hidden)
    if len(dropout) != len(hidden):
        raise UserError(
            f"training.dropout must be one rate, or one for each of the {len(hidden)} hidden "
            f"layers: got {len(dropout)}"
        )
    monitor_size = t.monitor_size or len(dataset.validation)
    return Settings(
        eta=t.eta,
        mini_batch_size=t.mini_batch_size,
        epochs=t.epochs,
        regularizer=t.regularizer,
        lmbda=t.lmbda,
        momentum=t.momentum,
        nesterov=t.nesterov,
        max_norm=t.max_norm,
        dropout=dropout,
        input_dropout=t.input_dropout,
        schedule=_schedule(t),
        stopping=_stopping(config),
        judged_by=t.judged_by,
        monitor_size=None if monitor_size == "all" else monitor_size,
        monitor_every=t.monitor_every,
        layer_metrics=t.layer_metrics,
        measure=measure_of(config),
        expansion=make_expansion(shape=dataset.shape, **vars(t.expansion)),
    )


def _schedule(t: TrainingConfig) -> Schedule:
    s = t.schedule
    return SCHEDULES[s.name](s.n, s.factor, s.end)


def _stopping(config: RunConfig) -> Stopping:
    t = config.training
    rules = [STOPPING[t.stopping.name](t.stopping.n, t.stopping.gain)]
    if t.target_accuracy is not None:
        rules.append(target(t.target_accuracy, measure_of(config)))
    if t.max_seconds is not None:
        rules.append(seconds(t.max_seconds))
    return first_of(*rules)


class Run:
    """A run being trained into its directory, resumed from there if it was begun before.

    Iterating trains, records and yields one epoch after another. When training is over by itself
    the run settles; a consumer may end it earlier, with ``prune``, or leave it with ``suspend`` for
    another time. Use it as a context: it holds the directory's lock and the BLAS threads.
    ``timeout`` is how many seconds it waits for the lock, -1 for as long as it takes; ``origin`` is
    what the config comes from. Where the test set is measured after each epoch, that is kept as a
    look at it before the first one.

    Raises:
        filelock.Timeout: another process trains the run.
    """

    def __init__(
        self,
        config: RunConfig,
        directory: RunDirectory,
        dataset: Dataset,
        timeout: float = -1,
        origin: Origin | None = None,
    ) -> None:
        self.config = config
        self.origin = origin
        self.directory = directory
        self.dataset = dataset
        self.history = History(config.training.judged_by)
        self.result: Result | None = None
        self._attrs: dict[str, Any] = {}
        self.settings = settings_of(config, dataset)
        self._last_checkpoint = time.monotonic()
        self._lock = directory.lock(timeout)

    def __enter__(self) -> "Run":
        self.network = initial_network(self.config, self.dataset)  # may not fit into memory
        with ExitStack() as stack:
            stack.enter_context(self._lock)
            self.directory.create(self.config, self.dataset, self.origin)
            if self.config.dataset.monitor == "test":
                note_look(self.directory, self.dataset)
            kernels.check(self.config.kernels)  # also of a worker that another machine started
            stack.enter_context(blas_threads(self.config.training.blas_threads))
            self.result = self.directory.result()
            self._restore()
            self._started = time.time() - self.history.seconds
            self._held = stack.pop_all()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._held.close()

    def __iter__(self) -> Iterator[Epoch]:
        if self.result is not None:
            return
        for epoch in self._train():
            self.history.append(epoch)
            self.directory.append(epoch)
            if epoch is self.history.best:
                self.best = self.network.copy()
            self._checkpoint_if_due()
            yield epoch
            if self.result is not None:
                return
        reason = self.settings.end(self.history)
        self._settle("diverged" if self.history[-1].diverged else "complete", reason or "")

    def is_over(self) -> bool:
        """Whether training would end by itself after the epochs so far."""
        return self.settings.end(self.history) is not None

    def prune(self, reason: str, attrs: dict[str, Any]) -> None:
        """End the run after the last epoch yielded."""
        self._settle("pruned", reason, attrs)

    def fail(self, reason: str) -> None:
        """End the run because training it raised an error."""
        self._settle("failed", reason)

    def note(self, attrs: dict[str, Any]) -> None:
        """Keep what a pruner noted, to be recorded when the run settles."""
        self._attrs = attrs

    def suspend(self) -> None:
        """Keep the state after the last epoch yielded, to go on there another time."""
        self.directory.save_checkpoint(
            Checkpoint(self.network, self.best, self.history, self.velocity)
        )

    def _restore(self) -> None:
        self.best = self.network
        self.velocity = self.settings.optimizer.velocity(self.network)
        if self.result is not None:
            self._remember(self.directory.epochs())
            return
        checkpoint = self.directory.load_checkpoint(self.network)
        if checkpoint is not None:
            self.network, self.best = checkpoint.network, checkpoint.best
            self._remember(checkpoint.history)
            self.velocity = list(checkpoint.velocity)
        self.directory.rewind(self.history)

    def _remember(self, epochs: Sequence[Epoch]) -> None:
        self.history = History(self.config.training.judged_by, epochs)

    def _train(self) -> Iterator[Epoch]:
        return train(
            self.network,
            *self.dataset.examples(),
            self.settings,
            streams=Streams(self.config.seed),
            history=self.history,
            velocity=self.velocity,
        )

    def _checkpoint_if_due(self) -> None:
        if time.monotonic() - self._last_checkpoint >= SECONDS_BETWEEN_CHECKPOINTS:
            self.suspend()
            self._last_checkpoint = time.monotonic()

    def _settle(self, state: State, reason: str, attrs: dict[str, Any] | None = None) -> None:
        best = self.history.best
        self.result = Result(
            state=state,
            reason=reason,
            epochs=len(self.history),
            best=best.number if best else None,
            validation_accuracy=best.validation_accuracy if best else None,
            validation_cost=best.validation_cost if best else None,
            seconds=self.history.seconds,
            weights={"best": digest(self.best), "last": digest(self.network)},
            started=self._started,
            ended=time.time(),
            attrs=self._attrs if attrs is None else attrs,
        )
        self.directory.settle(self.result, self.history, self.best, self.network)


def note_look(directory: RunDirectory, dataset: Dataset) -> None:
    """Keep a look at the test set, which a run measures after each epoch, unless it is kept."""
    path = directory.path.resolve()
    register = register_of(path, directory.origin(), path.parent.parent)
    with register.lock():
        if any(look.run == path.name for look in read(register.path)):
            return
        look = Look(path.name, now(), None, None, None, len(dataset.validation),
                    noun=dataset.noun, study=register.name, data=dataset.sha256)  # fmt: skip
        register.add(look)


def run(
    config: RunConfig,
    directory: Path | str,
    *,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> Result:
    """Train a run to its end in a directory, or finish the one that was begun there.

    Raises:
        UserError: the config does not fit together, or the directory holds another run.
    """
    with Run(config, RunDirectory(Path(directory)), check(config)) as training:
        for epoch in training:
            on_epoch(epoch)
    assert training.result is not None
    return training.result
