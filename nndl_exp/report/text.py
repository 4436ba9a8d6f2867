"""Lines of text that show a study and its trials."""

from typing import Any

from nndl_exp.config import RunConfig
from nndl_exp.datasets import Dataset
from nndl_exp.study.search_space import short_name
from nndl_exp.study.study import Study, Trial
from nndl_exp.training.epoch import Epoch, Moment
from nndl_exp.training.statistics import half_width

_SHORT = {"mini_batch_size": "m"}


class TrialLines:
    """The table of trials, a line at a time; remembers the best so far."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.by_cost = study.config.run.training.judged_by == "validation_cost"
        self._names = study.space.settings
        self._widths = {name: max(7, len(_heading(name)) + 1) for name in self._names}
        for name in study.space.settings:
            choices = getattr(study.space.distributions.get(name), "choices", ())
            longest = max((len(str(choice)) for choice in choices), default=0)
            self._widths[name] = max(self._widths[name], min(longest, 20) + 1)
        if "network.hidden" in self._widths:
            self._widths["network.hidden"] = 13
        self.best: float | None = None
        self.best_number: int | None = None

    def header(self) -> str:
        """The headings of the columns."""
        value = "cost" if self.by_cost else "accuracy"
        varied = "".join(f"{_heading(name):<{self._widths[name]}}" for name in self._names)
        return f"{'#':>4}  {value:<10} {'best':>6}   {varied}{'epochs':>6} {'s':>6}  ended by"

    def line(self, trial: Trial) -> str:
        """The line of a trial; to be asked for in the order of the numbers."""
        result = trial.result
        mark = "   ← best" if self._is_best(trial) else ""
        varied = "".join(
            f"{plain(value):<{self._widths[name]}}"
            for name, value in self.study.varied(trial.config).items()
        )
        best = "" if self.best is None else self._number(self.best)
        ended = result.reason
        if result.state == "pruned":
            ended = f"pruned ({result.reason})"
        return (
            f"{trial.number:>4}  {self._value(trial):<10} {best:>6}   {varied}"
            f"{result.epochs:>6} {result.seconds:>6.1f}  {ended}{mark}"
        )

    def _is_best(self, trial: Trial) -> bool:
        value = getattr(trial.result, self.study.config.run.training.judged_by)
        if trial.result.state != "complete" or value is None:
            return False
        sign = -1 if self.by_cost else 1
        if self.best is not None and sign * value <= sign * self.best:
            return False
        self.best, self.best_number = value, trial.number
        return True

    def _value(self, trial: Trial) -> str:
        result = trial.result
        if result.state in ("diverged", "failed"):
            return result.state
        if self.by_cost:
            return self._number(result.validation_cost or 0.0)
        accuracy = result.validation_accuracy or 0.0
        if result.state == "pruned":
            return self._number(accuracy)
        return accuracy_text(accuracy, len(self.study.dataset.validation))

    def _number(self, value: float) -> str:
        return f"{value:.4f}" if self.by_cost else f"{100 * value:.1f}"


def accuracy_text(accuracy: float, n: int) -> str:
    """An accuracy in percent with half its 95 % interval: 94.6 ±1.4."""
    digits = 1 if n < 5000 else 2
    return f"{100 * accuracy:.{digits}f} ±{100 * half_width(accuracy, n):.{digits}f}"


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


def dataset_text(dataset: Dataset) -> str:
    """The sizes of the sets; the test set is there but not loaded."""
    return (
        f"{dataset.name:<17} {len(dataset.training):,} train · {len(dataset.validation):,} "
        "validate · test set locked until `evaluate`"
    )


def run_text(config: RunConfig) -> tuple[str, str]:
    """A run's network and its training, a line each."""
    n, t = config.network, config.training
    network = f"hidden {plain(n.hidden)} · {n.activation} · {n.output} outputs · {n.cost} cost"
    training = f"eta {t.eta:g} · lmbda {t.lmbda:g} ({t.regularizer}) · mini-batches of "
    training += f"{t.mini_batch_size} · up to {t.epochs} epochs"
    return network.replace("_", "-"), training


def measured_text(at: Epoch | Moment) -> str:
    """Costs and accuracies as the columns that ``train`` prints."""
    return (
        f"{at.training_cost:>13.4f}  {100 * at.training_accuracy:>8.2f}   "
        f"{at.validation_cost:>15.4f}  {100 * at.validation_accuracy:>8.2f}"
    )


def seconds_text(seconds: float) -> str:
    """A duration as one says it: 55 s, 12 min, 3.5 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _heading(name: str) -> str:
    short = short_name(name)
    return _SHORT.get(short, short)
