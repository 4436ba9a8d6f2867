"""Findings as text: accuracies, settings, names, counts, durations."""

from collections.abc import Sequence
from datetime import UTC, datetime

from nndl_exp.config import (
    RunConfig,
    SweepConfig,
    TrainingConfig,
    short_name,
    value_text,
)
from nndl_exp.datasets import Dataset
from nndl_exp.records.looks import Look
from nndl_exp.study.importance import Importances
from nndl_exp.study.proposing.entries import largest
from nndl_exp.training.accuracy import Measure, measure_for
from nndl_exp.training.epoch import Epoch, Moment
from nndl_exp.training.statistics import half_width

_TERMS = {
    "training.eta": ("learning rate", "η"),
    "training.lmbda": ("regularization", "λ"),
    "training.mini_batch_size": ("mini-batch size", "m"),
    "training.momentum": ("momentum coefficient", "μ"),
    "training.dropout": ("dropout rate", ""),
    "training.input_dropout": ("dropout rate of inputs", ""),
    "training.schedule.factor": ("factor of the learning-rate schedule", ""),
    "training.max_norm": ("largest norm of a neuron's weights", ""),
    "network.hidden": ("hidden layers (neurons)", ""),
    "network.hidden.layers": ("number of hidden layers", ""),
}
_WIDTH = "network.hidden.width_"
SECOND = {"parameters": "weights and biases", "multiply_adds": "multiply-adds for an image"}
"""The names of the second objectives."""


def label(name: str) -> str:
    """A setting's name on an axis: learning rate η; one without a term of its own by its name."""
    if name.startswith(_WIDTH):
        return f"neurons in hidden layer {name.removeprefix(_WIDTH)}"
    term, letter = _TERMS.get(name, (_plain_name(name), ""))
    return f"{term} {letter}".rstrip()


def symbol(name: str) -> str:
    """A setting's shortest name: η, layers, layer 2."""
    if name.startswith(_WIDTH):
        return f"layer {name.removeprefix(_WIDTH)}"
    _, letter = _TERMS.get(name, ("", ""))
    return letter or _plain_name(name)


def _plain_name(name: str) -> str:
    return short_name(name).replace("_", " ")


def counted(n: int, noun: str) -> str:
    """A count with its noun: 1 trial, 2 trials, 5,000 images."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def importance_text(importances: Importances) -> str:
    """The hyper-parameters that matter, in one line: eta 61 % · lmbda 20 % (PED-ANOVA); or why
    that is unknown."""
    if not importances.shares:
        return f"unknown: {importances.note}"
    percents = [(short_name(name), round(100 * s)) for name, s in importances.shares.items()]
    return " · ".join(f"{name} {percent} %" for name, percent in percents if percent) + (
        " (PED-ANOVA)"
    )


def accuracy_text(measure: Measure, accuracy: float, n: int) -> str:
    """An accuracy in percent with half its 95 % interval, 94.6 ±1.4, or R², which has none.

    Nor has an accuracy so near 0 or 100 % that ± would reach beyond.
    """
    digits = 1 if n < 5000 else 2
    text = measure.number(accuracy, digits)
    if measure.is_fraction and (half := half_width(accuracy, n)) <= min(accuracy, 1 - accuracy):
        text += f" ±{100 * half:.{digits}f}"
    return text


def result_text(measure: Measure, accuracy: float, dataset: Dataset) -> str:
    """An accuracy on the set that is monitored as a phrase, with the error in the target's unit."""
    n = len(dataset.validation)
    text = accuracy_text(measure, accuracy, n)
    if measure.is_fraction:
        return f"{text} % of {n:,} {dataset.monitor} {dataset.noun}"
    error = dataset.root_mean_square_error(dataset.validation, accuracy)
    root = "" if error is None else f" · root mean square error {error:.4g}"
    return f"{measure.name} {text} on {n:,} {dataset.monitor} {dataset.noun}{root}"


def baseline_text(dataset: Dataset) -> str:
    """The accuracy of a constant prediction; empty where targets are numbers."""
    return measure_for(dataset.task).baseline(dataset.baseline(dataset.validation))


def dataset_text(dataset: Dataset, looks: Sequence[Look]) -> str:
    """The sizes of the sets, what the targets of a user's own file were taken for, and whether the
    test set was looked at."""
    told = f"{dataset.n_out} classes" if dataset.task == "classes" else "numbers to predict"
    told, n = f" · {told}" if dataset.encoding else "", len(dataset.validation)
    sizes = f"{dataset.name:<17} {len(dataset.training):,} train"
    if dataset.monitor == "test":
        return f"{sizes}{told} · {n:,} test {dataset.noun} measured after each epoch"
    return f"{sizes} · {n:,} validate{told} · {locked_text(looks)}"


def locked_text(looks: Sequence[Look]) -> str:
    """Whether the test set is locked, or how often it was looked at, and when."""
    if not looks:
        return "test set locked until `evaluate`"
    times = "" if len(looks) == 1 else f" {len(looks)} times, last"
    return f"test set looked at{times} on {looks[-1].when} ({looks[-1].run})"


def looks_text(looks: Sequence[Look]) -> str:
    """What the test set said, each time that somebody looked; empty where nobody did."""
    said = []
    for look in looks:
        interval = ""
        if look.low is not None and look.high is not None:
            interval = f" (95 % interval {100 * look.low:.2f} to {100 * look.high:.2f} %)"
        said.append(f"{look.text()}{interval} of {look.images:,} {look.noun}, at {look.run}, "
                    f"{look.when}")  # fmt: skip
    return "; ".join(said)


def limits_text(config: SweepConfig, dataset: Dataset) -> list[str]:
    """What a result has to be compared with, and what a small training set forbids, as lines."""
    lines, training = [], config.search_space.get("training")
    if baseline := baseline_text(dataset):
        lines.append(f"{baseline} of the validation {dataset.noun}")
    entry = training.get("mini_batch_size") if isinstance(training, dict) else None
    n = len(dataset.training)
    if n in (largest(entry), config.run.training.mini_batch_size):
        lines.append(f"mini-batches of at most {n}: there are no more training {dataset.noun}")
    return lines


def run_text(config: RunConfig) -> tuple[str, str]:
    """A run's network and its training, a line each."""
    n, t = config.network, config.training
    hidden = value_text(n.hidden)
    network = f"hidden {hidden} · {n.activation} · {n.output} outputs · {n.cost} cost"
    training = f"eta {value_text(t.eta)} · lmbda {value_text(t.lmbda)} ({t.regularizer}) · "
    training += f"mini-batches of {t.mini_batch_size} · up to {t.epochs} epochs"
    return network.replace("_", "-"), " · ".join([training, *techniques_text(t)])


def network_text(config: RunConfig) -> str:
    """A run as a phrase: A network with one hidden layer of 150 neurons (η 0.8, λ 0.82, ...)."""
    hidden, t = config.network.hidden, config.training
    if not hidden:
        layers = "without a hidden layer"
    elif len(hidden) == 1:
        layers = f"with one hidden layer of {hidden[0]:,} neurons"
    else:
        layers = f"with hidden layers of {' and '.join(f'{n:,}' for n in hidden)} neurons"
    eta, lmbda = map(value_text, (t.eta, t.lmbda))
    numbers = f"η {eta}, λ {lmbda}, mini-batches of {t.mini_batch_size}"
    return f"A network {layers} ({', '.join([numbers, *techniques_text(t)])})"


def techniques_text(t: TrainingConfig) -> list[str]:
    """What a training has besides η, λ and mini-batches: momentum, dropout, expanded pictures."""
    expansion = "" if t.expansion.name == "none" else t.expansion.name
    having = (("momentum", t.momentum), ("dropout", t.dropout), ("pictures with", expansion))
    return [f"{said} {value_text(value)}" for said, value in having if value]


def headings_text(measure: Measure, monitor: str = "validation") -> str:
    """The headings above the columns of ``measured_text``; ``monitor`` is the set beside the
    training set."""
    return f"training cost  {measure.name:>8}   {f'{monitor} cost':>15}  {measure.name:>8}"


def measured_text(at: Epoch | Moment, measure: Measure) -> str:
    """Costs and accuracies as the columns that ``train`` prints."""
    training, validation = (
        measure.number(accuracy, 2) for accuracy in (at.training_accuracy, at.validation_accuracy)
    )
    return (
        f"{at.training_cost:>13.4f}  {training:>8}   {at.validation_cost:>15.4f}  {validation:>8}"
    )


def seconds_text(seconds: float) -> str:
    """A duration as one says it: 55 s, 12 min, 3.5 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def when(seconds: float) -> str:
    """A moment, in seconds since 1970, to the minute."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
