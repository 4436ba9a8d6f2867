"""The run and the study as values: frozen dataclasses that refuse what they can't mean.

A configuration says all of a run: equal ``RunConfig`` values give equal results, to the bit, on the
same machine. Nothing here knows of Hydra; ``parse`` takes the plain mapping that a YAML holds.
"""

import difflib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, field
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from nndl_exp.errors import UserError

T = TypeVar("T")
Setting = Mapping[str, Any]

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
"""How settings are checked: no conversions, no unknown names, finite numbers."""

Size = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Seed = Annotated[int, Field(ge=0, le=2**52)]
"""Optuna's tables hold numbers as doubles, which are exact up to 2**53."""
Text = Annotated[str, Field(pattern=r"^\P{Cc}*$")]
"""Without control characters, which a terminal would obey."""
Name = Text
"""Of a part that is looked up in its module's dictionary: ``nndl_exp.run.check`` refuses others."""
Folder = Annotated[Text, Field(min_length=1)]
Rate = Annotated[float, Field(ge=0, lt=1)]
OUTPUT = "nndl-output"
Output = Annotated[Folder, Field(json_schema_extra={"default": OUTPUT})]
"""The output folder; the schema, which the documentation is made from, has no factories."""


def default_output() -> str:
    """The output folder that is not typed: NNDL_OUTPUT, or nndl-output."""
    return os.environ.get("NNDL_OUTPUT") or OUTPUT


@dataclass(frozen=True, config=STRICT)
class DatasetConfig:
    """What to learn from: a source, cut down to some classes and to the first n of each set.

    The settings from ``path`` on are those of a user's own file, a ``table`` or an ``npz``.
    """

    name: Name = "mnist_5k"
    """The source."""
    training_size: Size | None = None
    """Only the first so many training examples; null for all."""
    validation_size: Size | None = None
    """Only the first so many validation examples; null for all."""
    test_size: Size | None = None
    """Only the first so many test examples; null for all."""
    classes: tuple[Annotated[int, Field(ge=0)], ...] | None = None
    """Only these classes; null for all."""
    monitor: Literal["validation", "test"] = "validation"
    """The set used for monitoring: the test set in some figures of the book, where that counts as a
    look at it; never in a study."""
    path: Text | None = None
    """The file, of a table or an npz."""
    target: str | None = None
    """The column of a table that is predicted."""
    task: Literal["auto", "classes", "numbers"] = "auto"
    """Whether targets are classes or numbers: auto takes text, true/false and whole numbers of at
    most 20 different values for classes."""
    missing: Literal["refuse", "impute"] = "refuse"
    """Whether missing inputs are refused, or imputed from the training rows: the median of numbers,
    a category of its own for text."""
    ignore: tuple[str, ...] = ()
    """Columns of a table that are left out."""
    types: dict[str, Literal["number", "text"]] | None = None
    """Columns of a table that are text, or numbers, whatever they look like: {COLUMN: text}. By
    itself a column is text if one of its values is no number or has a leading zero; a target also
    if whole numbers have exponents or more than 15 digits."""
    missing_values: tuple[str | int | float, ...] = ()
    """Further values of a table that mean that a value is missing. The empty cell always does; NA,
    NaN, N/A, null and ? do in columns of numbers."""
    fractions: tuple[float, ...] = (0.6, 0.2, 0.2)
    """The parts of the file that are the training, validation and test set."""
    split_seed: Seed = 0
    """Which example is in which of them; not the seed of a run, so that all runs see the same."""
    white: Positive | None = None
    """The grey value that becomes 1, of pictures in an npz; null for 256 where they are whole
    numbers with a maximum above 16 in the training set, for that maximum where it is smaller, and
    for 1 where they are other numbers."""

    @property
    def title(self) -> str:
        """What runs and studies are called after: a file's name without its ending, or ``name``."""
        from nndl_exp.datasets.file import title  # needs NumPy; an error line does not

        return title(self.name, self.path)


@dataclass(frozen=True, config=STRICT)
class NetworkConfig:
    """The network between the input and the output layer, whose sizes the dataset decides."""

    hidden: tuple[Size, ...] = (100,)
    """The neurons of each hidden layer; [] for none."""
    activation: Name = "sigmoid"
    """Of the hidden neurons."""
    output: Name = "sigmoid"
    """Of the output neurons; linear where targets are numbers, unless it is typed."""
    cost: Name = "cross_entropy"
    """Quadratic goes with any output, cross_entropy with sigmoid, log_likelihood with softmax;
    quadratic where targets are numbers, unless it is typed."""
    initializer: Name = "default"
    """The initial weights: deviation 1/sqrt(n_in), 1, Glorot's (tanh) or He's (ReLU)."""
    dtype: Literal["float32", "float64"] = "float32"
    """The precision of weights and of training."""


@dataclass(frozen=True, config=STRICT)
class StoppingConfig:
    """When to stop early."""

    name: Literal["none", "no_improvement", "average_gain"] = "no_improvement"
    """no_improvement of the best epoch in ``n`` epochs; or an average_gain an epoch, over ``n``
    epochs, of less than ``gain``."""
    n: Size = 10
    """The epochs that the rule looks back."""
    gain: NonNegative = 0.0001
    """The least gain an epoch of average_gain, as a fraction."""


@dataclass(frozen=True, config=STRICT)
class ScheduleConfig:
    """The learning rate of later epochs."""

    name: Literal["constant", "plateau", "step", "exponential"] = "constant"
    """plateau divides it by ``factor`` at no improvement in ``n`` epochs, step after each ``n``
    epochs, exponential after each one."""
    n: Size = 10
    """The epochs of plateau and step."""
    factor: Annotated[float, Field(gt=1)] = 2.0
    """What the learning rate is divided by."""
    end: Annotated[float, Field(gt=1)] = 128.0
    """plateau ends training when the learning rate would fall below eta / ``end``."""


@dataclass(frozen=True, config=STRICT)
class ExpansionConfig:
    """More training pictures, other ones in each epoch unless they are made ``once``."""

    name: Literal["none", "shifts", "distortions"] = "none"
    """shifts by whole pixels, or distortions that turn, move and bend."""
    once: bool = False
    """Make them before training: four shifts of each picture, down, up, right and left, or
    ``copies`` distortions of each."""
    copies: Size = 4
    """Distortions of each picture that are made once."""
    shift: Annotated[int, Field(ge=0)] = 1
    """The most that a picture is moved, in pixels."""
    rotation: NonNegative = 10.0
    """The most that a picture is turned, in degrees."""
    alpha: NonNegative = 34.0
    """The strength of bending."""
    sigma: Positive = 4.0
    """The smoothness of bending, in pixels."""


@dataclass(frozen=True, config=STRICT)
class TrainingConfig:
    """How the network learns."""

    eta: Positive = 0.5
    """η, the learning rate; 0.05 where targets are numbers and nothing else is said."""
    lmbda: NonNegative = 0.0
    """λ, the regularization parameter, which is divided by the size of the training set."""
    mini_batch_size: Size = 10
    """m, the examples of one step; fewer where the training set has no more."""
    epochs: Size = 30
    """The most passes through the training set."""
    regularizer: Literal["none", "l2", "l1"] = "l2"
    """What λ weighs: λ/(2n) Σ w² of l2, λ/n Σ |w| of l1."""
    dropout: Rate | tuple[Rate, ...] = 0.0
    """The rate at which hidden neurons are dropped: one for all hidden layers or one for each."""
    input_dropout: Rate = 0.0
    """The rate at which inputs are dropped."""
    max_norm: Positive | None = None
    """A bound on the length of each neuron's weight vector."""
    momentum: float = 0.0
    """μ: 0 for plain gradient descent, above 1 or below 0 to see what goes wrong."""
    nesterov: bool = False
    """Look at the gradient where momentum leads to."""
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    stopping: StoppingConfig = field(default_factory=StoppingConfig)
    target_accuracy: Annotated[float, Field(gt=0, le=1)] | None = None
    """The validation accuracy, a fraction (R² where targets are numbers), that ends a run early."""
    max_seconds: Positive | None = None
    """The seconds of training that end a run early."""
    judged_by: Literal["validation_accuracy", "validation_cost"] = "validation_accuracy"
    """Which epoch and which trial is the best; accuracy, unlike the cost, is free of the
    regularization term."""
    expansion: ExpansionConfig = field(default_factory=ExpansionConfig)
    monitor_size: Size | Literal["all"] | None = None
    """The training examples that cost and accuracy are measured on after each epoch: null for as
    many as the validation set has, all for every one."""
    monitor_every: Size | None = None
    """Measure inside an epoch too, after each so many examples."""
    layer_metrics: bool = False
    """Measure each layer's gradient, weights and saturation after each epoch."""
    blas_threads: Size = 1
    """Threads of the matrix products; other numbers give other last bits."""


@dataclass(frozen=True, config=STRICT)
class RunConfig:
    """One training, whole."""

    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    seed: Seed = 0
    """What initial weights, shuffling, dropout and expansion are drawn from, a stream each."""
    kernels: Literal["native", "portable"] = "native"
    """How BLAS computes: the fastest way of this processor, or one that every x86-64 processor with
    AVX2 has, so that runs are the same to the bit on all of them."""


@dataclass(frozen=True, config=STRICT)
class TrackingConfig:
    """Where runs are shown."""

    name: Literal["mlflow", "none"] = "mlflow"
    """In MLflow, or nowhere: the run folders are the record in any case."""
    uri: Text | None = None
    """MLflow's tracking URI; null for NNDL_TRACKING_URI, else a database in the output folder, or
    with storage=postgresql there."""
    experiment: Annotated[Text, Field(min_length=1, max_length=250)] | None = None
    """MLflow's experiment; null for the name of the dataset, or for that in which a study that is
    there is shown."""

    @property
    def is_server(self) -> bool:
        """Whether a server shows the runs, and keeps their artifacts too."""
        return bool(self.uri) and "sql" not in urlsplit(str(self.uri)).scheme


@dataclass(frozen=True, config=STRICT)
class TrainConfig:
    """What ``python -m nndl_exp.train`` does: one run, tracked."""

    run: RunConfig
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    output: Output = field(default_factory=default_output)
    """The folder that everything is kept in; null for NNDL_OUTPUT, or nndl-output."""


@dataclass(frozen=True, config=STRICT)
class StudyConfig:
    """How a study is led."""

    name: str = "auto"
    """auto is the dataset's name and a digest of what identifies the study."""
    n_trials: Size = 80
    """The total of one search, not of one start of it."""
    budget: Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?[smh]$")] | None = None
    """What ends this start by the clock: 60s, 10m, 2h."""
    lag: Size = 4
    """L: trial k is proposed from the results of the trials up to k - L."""
    seed: Seed = 0
    """Of the proposals."""
    second_objective: Literal["none", "parameters", "multiply_adds"] = "none"
    """What is to be small besides: a search then has a Pareto front."""
    enqueue: tuple[dict[str, Any], ...] = ()
    """Configurations that are tried first: [{training.eta: 0.5}]."""
    warm_start: str | None = None
    """An earlier study on the same data, whose trials TPE knows from the start."""
    max_retries: Annotated[int, Field(ge=0)] = 2
    """How often a trial is trained again that the machine broke."""
    give_up_after: Annotated[int, Field(ge=0)] = 10
    """The number of first trials that end a study where all of them failed; 0 never does."""
    dry_run: bool = False
    """Show the plan and train nothing."""


@dataclass(frozen=True, config=STRICT)
class StrategyConfig:
    """The stages of a study, in order."""

    name: str = "joint"
    """What the strategy is called."""
    stages: tuple[str, ...] = ("joint",)
    """Their names, each once; joint is a search with Optuna."""
    epochs: Size = 4000
    """The work that a study with shares may take, in epochs of a network with 100 hidden
    neurons on the training set."""
    shares: dict[str, Positive] = field(default_factory=dict)
    """The parts of that work that stages get, relative to each other; a study whose only stage is
    joint may have none, and is limited by study.n_trials alone."""
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What each stage takes."""


@dataclass(frozen=True, config=STRICT)
class ExecutorConfig:
    """What trains the trials."""

    name: Literal["processes", "serial", "dask"] = "processes"
    """Spawned processes, this process alone, or a Dask cluster."""
    address: str | None = None
    """That of a Dask scheduler; null for a cluster of its own."""


@dataclass(frozen=True, config=STRICT)
class StorageConfig:
    """Where it stands which process trains which trial, and where Optuna's dashboard looks."""

    name: Literal["sqlite", "postgresql"] = "sqlite"
    """Files below the output folder, or a database at ``url``."""
    url: str | None = None
    """postgresql://USER@HOST:PORT/DATABASE, without a password; null for NNDL_STORAGE_URL."""
    heartbeat: Size = 10
    """How often, in seconds, a process says that it still runs what it claimed; after three times
    as long without a word, others take it."""
    patience: Annotated[float, Field(ge=0)] = 300.0
    """For how many seconds a database that went away in the middle of a study is waited for; a file
    is not."""


@dataclass(frozen=True, config=STRICT)
class SweepConfig:
    """What ``python -m nndl_exp.sweep`` does: a study of variations of one run, tracked."""

    run: RunConfig
    search_space: dict[str, Any]
    """What is searched: settings, each with a range or {choices: [...]}, null for none."""
    sampler: dict[str, Any]
    """What proposes trials, with its options."""
    pruner: dict[str, Any]
    """What ends trials early, with its options."""
    study: StudyConfig = field(default_factory=StudyConfig)
    strategy: StrategyConfig = field(default_factory=StrategyConfig)
    executor: ExecutorConfig = field(default_factory=ExecutorConfig)
    storage: StorageConfig = field(default_factory=StorageConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    workers: Size | Literal["auto"] = "auto"
    """How many trials run at a time: auto is one for each processor, or worker at an address."""
    output: Output = field(default_factory=default_output)
    """The folder that everything is kept in; null for NNDL_OUTPUT, or nndl-output."""


def default_tracking_uri() -> str | None:
    """MLflow's tracking URI that is not typed: NNDL_TRACKING_URI, if it is set."""
    return os.environ.get("NNDL_TRACKING_URI") or None


def parse(cls: type[T], values: Setting, prefix: str = "") -> T:
    """A configuration from a plain mapping.

    Raises:
        UserError: a key that does not exist, or a value that its setting can't have; the first one,
            with its full name.
    """
    try:
        # JSON mode is strict about types but takes a list for a tuple.
        return TypeAdapter(cls).validate_json(json.dumps(values))
    except ValidationError as e:
        raise UserError(_explain(e, values, cls, prefix)) from None
    except (TypeError, ValueError, RecursionError) as e:
        raise UserError(f"a configuration holds text, numbers, lists and mappings only: {e}") from e


def run_config(values: Setting) -> RunConfig:
    """The run described by a composed config: only the settings that belong to the run."""
    return parse(RunConfig, {key: values[key] for key in RUN_KEYS if key in values})


RUN_KEYS = ("dataset", "network", "training", "seed", "kernels")
"""The top-level settings of a run."""


def to_mapping(config: Any) -> dict[str, Any]:
    """A configuration as plain nested mappings and lists, the inverse of ``parse``."""
    mapping: dict[str, Any] = json.loads(json.dumps(asdict(config)))
    return mapping


def flatten(mapping: Setting, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf of nested mappings with its dotted name; nothing is dropped.

    The types of a table's columns are one leaf: their keys are a user's names, not settings.
    """
    for key, value in mapping.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value and key != "types":
            yield from flatten(value, f"{name}.")
        else:
            yield name, value


def short_name(name: str) -> str:
    """A setting or parameter as a column is headed: training.eta is eta, training.schedule.name is
    schedule, training.schedule.n is schedule.n."""
    *groups, last = name.removesuffix(".name").split(".")
    return f"{groups[-1]}.{last}" if len(groups) > 1 and groups[-1] != "hidden" else last


def value_text(value: Any) -> str:
    """A setting's value as text, to two or three significant digits: 0.27, 140-20, none."""
    if isinstance(value, list | tuple):
        return "-".join(map(value_text, value)) or "none"
    if isinstance(value, float):
        return f"{value:.2g}" if abs(value) < 10 else f"{value:.3g}"
    return str(value)


def setting_text(name: str, value: Any) -> str:
    """A setting as text: eta 0.27, hidden 140-20."""
    return f"{short_name(name)} {value_text(value)}"


def settings_text(values: Mapping[str, Any]) -> str:
    """Settings in one line: eta 0.27, lmbda 0.8, hidden 140. Architectures may be JSON, as they are
    where they are a trial's choice."""
    return ", ".join(setting_text(name, _read(value)) for name, value in values.items())


def _read(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value.startswith("[") else value


def no_such_setting(name: str, known: Iterable[str]) -> str:
    """The error line for a mistyped name, with the nearest name that exists."""
    names = list(known)
    near = [other for other in names if other.endswith(f".{name}")]
    near += difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"no such setting: {name}" + (f" (did you mean {near[0]}?)" if near else "")


def seconds(budget: str) -> float:
    """A duration such as 90s, 10m or 2h in seconds."""
    return float(budget[:-1]) * {"s": 1, "m": 60, "h": 3600}[budget[-1]]


def _explain(error: ValidationError, values: Setting, cls: type, prefix: str) -> str:
    first = error.errors()[0]
    # Unions add a tag behind the name of the setting; the setting is what the mapping has.
    loc = [part for part in first["loc"] if not isinstance(part, str) or _is_name(part)]
    name = prefix + ".".join(map(str, _existing(loc, values)))
    if first["type"] == "unexpected_keyword_argument":
        known = (prefix + key for key, _ in flatten(_defaults(cls)))
        return no_such_setting(prefix + ".".join(map(str, first["loc"])), known)
    if first["type"] in ("missing", "missing_argument"):
        return f"{prefix}{'.'.join(map(str, first['loc']))} is missing"
    if first["type"] == "json_invalid":
        return "a configuration holds text in Unicode: got bytes that are none"
    if first["type"] == "string_pattern_mismatch" and "Cc" in first["ctx"]["pattern"]:
        return f"{name} must be text without control characters: got {first['input']!r}"
    if name.endswith("budget"):
        return f"{name} must be a duration such as 60s, 10m or 2h: got {first['input']!r}"
    if first["type"] in ("tuple_type", "list_type"):
        return f"{name} must be a list such as [{first['input']}]: got {first['input']!r}"
    rules = [e["msg"] for e in error.errors() if e["loc"][: len(loc)] == first["loc"][: len(loc)]]
    rule = " or ".join(
        dict.fromkeys(r.removeprefix("Input should ").removeprefix("String should ") for r in rules)
    )
    return f"{name} must {rule}: got {first['input']!r}"


def _is_name(part: str) -> bool:
    return part.isidentifier()


def _existing(loc: list[Any], values: Any) -> list[Any]:
    found: list[Any] = []
    for part in loc:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            break
        found.append(part)
    return found


def _defaults(cls: type) -> Setting:
    try:
        return to_mapping(cls())
    except ValidationError:
        return to_mapping(RunConfig())
