"""Lines of text that show a study and its trials."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from nndl_exp.config import RunConfig, SweepConfig, TrainingConfig, short_name
from nndl_exp.datasets import Dataset
from nndl_exp.display.terminal.screen import WARNING, Screen
from nndl_exp.records import Result
from nndl_exp.records.looks import Look
from nndl_exp.run import measure_of
from nndl_exp.study.proposing.entries import largest
from nndl_exp.study.search import Search, Trial
from nndl_exp.study.stages.chapter3 import BY_TRAINING_COST
from nndl_exp.training.accuracy import Measure
from nndl_exp.training.epoch import Epoch, Moment
from nndl_exp.training.statistics import half_width

_SHORT = {"mini_batch_size": "m", "training_size": "n"}
_MEANT = "dataset.types={COLUMN: text} says that it is meant so"
_ENDING = f"{'epochs':>6} {'s':>6}  ended by"


class TrialLines:
    """The table of trials, a line at a time; remembers the best so far, except in a stage that
    decides by the training cost."""

    def __init__(self, search: Search) -> None:
        self.search = search
        self.by_cost = search.config.run.training.judged_by == "validation_cost"
        self._measure = measure_of(search.config.run)
        self._names = search.space.settings
        self._widths = {name: max(7, len(_heading(name)) + 1) for name in self._names}
        for name in search.space.settings:
            choices = getattr(search.space.distributions.get(name), "choices", ())
            longest = max((len(str(choice)) for choice in choices), default=0)
            self._widths[name] = max(self._widths[name], min(longest, 20) + 1)
        if "network.hidden" in self._widths:
            self._widths["network.hidden"] = 13
        self._has_best = search.key not in BY_TRAINING_COST
        self._goodness = float("-inf")
        self.best: float | None = None
        self.best_number: int | None = None

    def header(self) -> str:
        """The headings of the columns."""
        if not self._has_best:
            return self.short_header()
        return f"{self._heading()} {'best':>6}   {self._varied_headings()}{_ENDING}"

    def line(self, trial: Trial) -> str:
        """The line of a trial; to be asked for in the order of the numbers."""
        if not self._has_best:
            return self.row(trial)
        mark = "   ← best" if self._is_best(trial) else ""
        best = "" if self.best is None else self.number(self.best)
        value = f"{trial.number:>4}  {self._value(trial):<10}"
        return f"{value} {best:>6}   {self._varied(trial)}{_ended(trial.result)}{mark}"

    def short_header(self) -> str:
        """The headings of the columns of ``row``."""
        return f"{self._heading()}   {self._varied_headings()}{_ENDING}"

    def row(self, trial: Trial) -> str:
        """A trial by itself, whatever came before it."""
        value = f"{trial.number:>4}  {self._value(trial):<10}"
        return f"{value}   {self._varied(trial)}{_ended(trial.result)}"

    def _heading(self) -> str:
        value = "cost" if self.by_cost else self._measure.name
        return f"{'#':>4}  {value:<10}"

    def _varied_headings(self) -> str:
        return "".join(f"{_heading(name):<{self._widths[name]}}" for name in self._names)

    def _varied(self, trial: Trial) -> str:
        return "".join(
            f"{plain(value):<{self._widths[name]}}"
            for name, value in self.search.varied(trial.config).items()
        )

    def _is_best(self, trial: Trial) -> bool:
        if not trial.ok or trial.goodness <= self._goodness:
            return False
        self._goodness = trial.goodness
        self.best = -trial.goodness if self.by_cost else trial.goodness
        self.best_number = trial.number
        return True

    def _value(self, trial: Trial) -> str:
        result = trial.result
        if result.state in ("diverged", "failed"):
            return result.state
        if self.by_cost:
            return self.number(result.validation_cost or 0.0)
        accuracy = result.validation_accuracy or 0.0
        if result.state == "pruned":
            return self.number(accuracy)
        return accuracy_text(self._measure, accuracy, len(self.search.dataset.validation))

    def number(self, value: float) -> str:
        """The objective: a cost, an accuracy in percent, or R²."""
        return f"{value:.4f}" if self.by_cost else plain_accuracy(self._measure, value)


def _ended(result: Result) -> str:
    reason = f"pruned ({result.reason})" if result.state == "pruned" else result.reason
    return f"{result.epochs:>6} {result.seconds:>6.1f}  {reason}"


def plain_accuracy(measure: Measure, accuracy: float, digits: int = 1) -> str:
    """An accuracy in percent, 94.6, or R², 0.946."""
    if measure.is_fraction:
        return f"{100 * accuracy:.{digits}f}"
    return f"{accuracy:.{digits + 2}f}"


def accuracy_text(measure: Measure, accuracy: float, n: int) -> str:
    """An accuracy in percent with half its 95 % interval, 94.6 ±1.4, or R², which has none.

    Nor has an accuracy so near 0 or 100 % that ± would reach beyond.
    """
    digits = 1 if n < 5000 else 2
    text = plain_accuracy(measure, accuracy, digits)
    if measure.is_fraction and (half := half_width(accuracy, n)) <= min(accuracy, 1 - accuracy):
        text += f" ±{100 * half:.{digits}f}"
    return text


def result_text(measure: Measure, accuracy: float, dataset: Dataset) -> str:
    """An accuracy on the set that is monitored as a phrase, with the error in the target's unit."""
    n = len(dataset.validation)
    text = accuracy_text(measure, accuracy, n)
    if measure.is_fraction:
        return f"{text} % of {n:,} {dataset.monitor} {noun(dataset)}"
    error = dataset.root_mean_square_error(dataset.validation, accuracy)
    root = "" if error is None else f" · root mean square error {error:.4g}"
    return f"{measure.name} {text} on {n:,} {dataset.monitor} {noun(dataset)}{root}"


def noun(dataset: Dataset) -> str:
    """What its examples are: images, or rows of a table."""
    return dataset.noun


def plain(value: Any) -> str:
    """A setting's value as short as it can be read: 0.27, 140-20, none."""
    if isinstance(value, list | tuple):
        return "-".join(map(str, value)) or "none"
    if isinstance(value, float):
        return f"{value:.2g}" if abs(value) < 10 else f"{value:.3g}"
    return str(value)


def settings_text(varied: dict[str, Any]) -> str:
    """Settings in one line: eta 0.27 · lmbda 0.8 · hidden 140."""
    return " · ".join(f"{short_name(name)} {plain(value)}" for name, value in varied.items())


def dataset_text(dataset: Dataset, looks: Sequence[Look]) -> str:
    """The sizes of the sets, what the targets of a user's own file were taken for, and whether the
    test set was looked at."""
    told = f"{dataset.n_out} classes" if dataset.task == "classes" else "numbers to predict"
    told, n = f" · {told}" if dataset.encoding else "", len(dataset.validation)
    sizes = f"{dataset.name:<17} {len(dataset.training):,} train"
    if dataset.monitor == "test":
        return f"{sizes}{told} · {n:,} test {noun(dataset)} measured after each epoch"
    return f"{sizes} · {n:,} validate{told} · {locked_text(looks)}"


def locked_text(looks: Sequence[Look]) -> str:
    """Whether the test set is locked, or how often it was looked at, and when."""
    if not looks:
        return "test set locked until `evaluate`"
    times = "" if len(looks) == 1 else f" {len(looks)} times, last"
    return f"test set looked at{times} on {looks[-1].when} ({looks[-1].run})"


def show_dataset(screen: Screen, dataset: Dataset, looks: Sequence[Look]) -> None:
    """Print the plan's lines about the data: their sizes, what a user's own file was taken for,
    and a warning for each thing in it that is suspicious."""
    screen.print(f"data     {dataset_text(dataset, looks)}")
    for note in dataset.notes:
        screen.print(f"{'':9}{note}")
    for warning in dataset.warnings:
        screen.tell(f"warning  {warning}", style=WARNING)
    if dataset.warnings:
        screen.print(f"{'':9}dataset.ignore=[COLUMN] leaves a column out; {_MEANT}")


def limits_text(config: SweepConfig, dataset: Dataset) -> list[str]:
    """What a result has to be compared with, and what a small training set forbids, as lines."""
    lines, training = [], config.search_space.get("training")
    if (baseline := dataset.baseline(dataset.validation)) is not None:
        lines.append(
            f"always naming the commonest class: {100 * baseline:.1f} % of the validation "
            f"{noun(dataset)}"
        )
    entry = training.get("mini_batch_size") if isinstance(training, dict) else None
    n = len(dataset.training)
    if n in (largest(entry), config.run.training.mini_batch_size):
        lines.append(f"mini-batches of at most {n}: there are no more training {noun(dataset)}")
    return lines


def run_text(config: RunConfig) -> tuple[str, str]:
    """A run's network and its training, a line each."""
    n, t = config.network, config.training
    network = f"hidden {plain(n.hidden)} · {n.activation} · {n.output} outputs · {n.cost} cost"
    training = f"eta {t.eta:g} · lmbda {t.lmbda:g} ({t.regularizer}) · mini-batches of "
    training += f"{t.mini_batch_size} · up to {t.epochs} epochs"
    return network.replace("_", "-"), " · ".join([training, *techniques_text(t)])


def techniques_text(t: TrainingConfig) -> list[str]:
    """What a training has besides η, λ and mini-batches: momentum, dropout, expanded pictures."""
    expansion = "" if t.expansion.name == "none" else t.expansion.name
    having = (("momentum", t.momentum), ("dropout", t.dropout), ("pictures with", expansion))
    return [f"{said} {plain(value)}" for said, value in having if value]


def headings_text(measure: Measure, monitor: str = "validation") -> str:
    """The headings above the columns of ``measured_text``; ``monitor`` is the set beside the
    training set."""
    return f"training cost  {measure.name:>8}   {f'{monitor} cost':>15}  {measure.name:>8}"


def measured_text(at: Epoch | Moment, measure: Measure) -> str:
    """Costs and accuracies as the columns that ``train`` prints."""
    training, validation = (
        plain_accuracy(measure, accuracy, 2)
        for accuracy in (at.training_accuracy, at.validation_accuracy)
    )
    return (
        f"{at.training_cost:>13.4f}  {training:>8}   {at.validation_cost:>15.4f}  {validation:>8}"
    )


def seconds_text(seconds: float) -> str:
    """A duration as one says it: 55 s, 12 min, 3.5 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _heading(name: str) -> str:
    short = short_name(name)
    return _SHORT.get(short, short)


def when(seconds: float) -> str:
    """A moment, in seconds since 1970, to the minute."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
