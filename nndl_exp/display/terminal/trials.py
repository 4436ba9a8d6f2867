"""The table of trials on a terminal, a line at a time."""

from nndl_exp.config import short_name, value_text
from nndl_exp.display.findings import Objective
from nndl_exp.display.words import accuracy_text
from nndl_exp.records import Result
from nndl_exp.study.search import Search, Trial
from nndl_exp.study.stages.chapter3 import BY_TRAINING_COST

_SHORT = {"mini_batch_size": "m", "training_size": "n"}
_ENDING = f"{'epochs':>6} {'s':>6}  ended by"


class TrialLines:
    """The table of trials, a line at a time; remembers the best so far, except in a stage that
    decides by the training cost."""

    def __init__(self, search: Search) -> None:
        self.search = search
        self.objective = Objective.of(search.config.run)
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
        return f"{'#':>4}  {self.objective.name:<10}"

    def _varied_headings(self) -> str:
        return "".join(f"{_heading(name):<{self._widths[name]}}" for name in self._names)

    def _varied(self, trial: Trial) -> str:
        return "".join(
            f"{value_text(value):<{self._widths[name]}}"
            for name, value in self.search.varied(trial.config).items()
        )

    def _is_best(self, trial: Trial) -> bool:
        if not trial.ok or trial.goodness <= self._goodness:
            return False
        self._goodness = trial.goodness
        self.best = self.objective.sign * trial.goodness
        self.best_number = trial.number
        return True

    def _value(self, trial: Trial) -> str:
        result = trial.result
        if result.state in ("diverged", "failed"):
            return result.state
        if self.objective.by_cost:
            return self.number(result.validation_cost or 0.0)
        accuracy = result.validation_accuracy or 0.0
        if result.state == "pruned":
            return self.number(accuracy)
        return accuracy_text(self.objective.measure, accuracy, len(self.search.dataset.validation))

    def number(self, value: float) -> str:
        """The objective: a cost, an accuracy in percent, or R²."""
        by_cost, measure = self.objective.by_cost, self.objective.measure
        return f"{value:.4f}" if by_cost else measure.number(value)


def _ended(result: Result) -> str:
    reason = f"pruned ({result.reason})" if result.state == "pruned" else result.reason
    return f"{result.epochs:>6} {result.seconds:>6.1f}  {reason}"


def _heading(name: str) -> str:
    short = short_name(name)
    return _SHORT.get(short, short)
