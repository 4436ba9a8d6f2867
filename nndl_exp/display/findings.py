"""Facts that are shown of a study, derived once from its records.

Terminal, figures, report and MLflow print them, so they can't disagree. Three words have one
meaning each: the *best* trial of a search has its best objective (with two objectives by the rule
that ``nndl_exp.study.winner`` states), the *recommended* run is the one that a study ends with, and
the *champion* is that run's network in MLflow's registry.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nndl_exp.config import RunConfig, value_text
from nndl_exp.datasets import Dataset
from nndl_exp.nn.network import count_parameters
from nndl_exp.records import Result, RunDirectory
from nndl_exp.run import measure_of, sizes_of
from nndl_exp.study import winner as winners
from nndl_exp.study.importance import Importances, importances
from nndl_exp.study.scores import scores
from nndl_exp.study.search import Search, Trial
from nndl_exp.study.stages.chapter3.settings import names
from nndl_exp.study.stages.stage import Decision, Stage
from nndl_exp.study.summary import mean_accuracy
from nndl_exp.study.verdict import mean_interval
from nndl_exp.training.accuracy import Measure
from nndl_exp.training.statistics import wilson_interval

_FEW = 10
LEVELS = (0.5, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995)
"""The accuracies (also R²) whose times are told."""
_LEAST = 1e-6  # seconds: a coarse clock says 0, which has no place on a log scale


@dataclass(frozen=True)
class Objective:
    """What trials are judged by, as it is shown: accuracy in percent, R², or a cost."""

    measure: Measure
    by_cost: bool

    @classmethod
    def of(cls, config: RunConfig) -> "Objective":
        """The objective of a run."""
        return cls(measure_of(config), config.training.judged_by == "validation_cost")

    @property
    def name(self) -> str:
        """Its name without a unit."""
        return "cost" if self.by_cost else self.measure.name

    @property
    def label(self) -> str:
        """Its name on an axis, with the unit."""
        return "validation cost C" if self.by_cost else f"validation {self.measure.label}"

    @property
    def sign(self) -> int:
        """1 where larger is better, -1 where smaller is."""
        return -1 if self.by_cost else 1

    def shown(self, accuracy: float) -> float:
        """An accuracy in the unit that is shown: percent, or R² as it is."""
        return self.measure.scale * accuracy

    def value(self, result: Result) -> float | None:
        """A trial's objective in the unit that is shown; None without an epoch of finite costs."""
        if self.by_cost:
            return result.validation_cost
        accuracy = result.validation_accuracy
        return None if accuracy is None else self.shown(accuracy)

    def number(self, value: float) -> str:
        """A value to four significant digits, or as many: 94.63, 0.8741, 0.0312."""
        if self.by_cost:
            return f"{value:.4g}"
        return self.measure.number(value / self.measure.scale, 2)

    def text(self, value: float) -> str:
        """A value with its unit: 94.63 %, R² 0.8741, cost 0.0312."""
        if self.measure.is_fraction and not self.by_cost:
            return f"{self.number(value)} %"
        return f"{self.name} {self.number(value)}"


@dataclass(frozen=True)
class Parameter:
    """A hyper-parameter and its range, or its ``choices`` as text: then values are their numbers.

    ``name`` is that of the search space: training.eta, network.hidden.width_2. A log range whose
    ``low`` is 0 has ``floor``, the smallest positive value on its scale: 0 stands below it.
    """

    name: str
    low: float
    high: float
    log: bool = False
    choices: tuple[str, ...] = ()
    whole: bool = False
    floor: float | None = None

    @property
    def is_coarse(self) -> bool:
        """True of so few values that trials of the same one must stand side by side."""
        return self.whole and not self.log and self.high - self.low <= _FEW

    def position(self, value: float) -> float:
        """The place of a value on its scale: 0 at the low end, 1 at the high one."""
        if self.low == self.high:
            return 0.5
        low, high, start = self.low, self.high, 0.0
        if self.floor is not None:
            if value <= 0:
                return 0.0
            low, start = self.floor, 0.12
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return start + (1 - start) * (value - low) / (high - low)

    def text(self, value: float) -> str:
        """A value in words."""
        if self.choices:
            return self.choices[round(value)]
        return value_text(round(value) if self.whole else float(value))


@dataclass(frozen=True)
class Point:
    """A finished trial: its values by parameter, those that it has, and its objective.

    ``value`` is in the unit that is shown, at the best epoch; None where no epoch had finite costs.
    ``size`` is the second objective, if any.
    """

    number: int
    state: str
    params: dict[str, float]
    value: float | None
    size: int | None = None


@dataclass(frozen=True)
class StageFindings:
    """A stage: its finished trials as points, the best of them, and the decision.

    ``front`` are the trials of the Pareto front, the smallest network first, with two objectives.
    """

    stage: Stage
    trials: tuple[Trial, ...]
    decision: Decision | None
    objective: Objective
    parameters: tuple[Parameter, ...]
    points: tuple[Point, ...]
    best: int | None
    importances: Importances
    front: tuple[int, ...] = ()

    @property
    def search(self) -> Search:
        """The search of the stage."""
        return self.stage.search

    @property
    def second(self) -> str:
        """The second objective, "none" without one."""
        return self.search.config.study.second_objective

    def of(self, *states: str) -> list[Point]:
        """The points with a value whose trials ended in one of these states."""
        return [p for p in self.points if p.state in states and p.value is not None]

    def values(self, *states: str) -> list[float]:
        """The values of these points."""
        return [p.value for p in self.of(*states) if p.value is not None]

    def valueless(self) -> list[Point]:
        """The points of trials that diverged or failed: they have no value that counts."""
        valued = {p.number for p in self.of("complete", "pruned")}
        return [p for p in self.points if p.number not in valued]

    def is_chosen(self, config: RunConfig) -> bool:
        """True of a configuration that has what was decided, in all that the stage varied but the
        seed."""
        if self.decision is None:
            return False
        ours, chosen = (
            self.search.varied(without_seed(one)) for one in (config, self.decision.config)
        )
        return ours == chosen


def stage_findings(
    stage: Stage, trials: Sequence[Trial], decision: Decision | None = None
) -> StageFindings:
    """The findings of a stage with these finished trials."""
    search, objective = stage.search, Objective.of(stage.search.config.run)
    space = search.space
    params = [space.params_of(search.varied(trial.config)) for trial in trials]
    found = Importances("the trials of a stage are chosen, not sampled")
    if search.is_sampled:
        completed = [
            (own, value)
            for own, trial in zip(params, trials, strict=True)
            if trial.result.state == "complete"
            and (value := objective.value(trial.result)) is not None
        ]
        found = importances(space.distributions, search.directions[0], completed)
    best, second = winners.winner(search, trials), search.config.study.second_objective
    return StageFindings(
        stage=stage,
        trials=tuple(trials),
        decision=decision,
        objective=objective,
        parameters=tuple(_parameter(search, name, params) for name in space.distributions),
        points=tuple(_point(search, *one) for one in zip(trials, params, strict=True)),
        best=best.number if best else None,
        importances=found,
        front=() if second == "none" else tuple(_front(search, trials)),
    )


def _front(search: Search, trials: Sequence[Trial]) -> Iterator[int]:
    return (trial.number for trial in winners.pareto_front(search, trials))


def _point(search: Search, trial: Trial, params: dict[str, Any]) -> Point:
    distributions = search.space.distributions
    return Point(
        number=trial.number,
        state=trial.result.state,
        # A choice's number, or the number itself.
        params={
            name: float(distributions[name].to_internal_repr(value))
            for name, value in params.items()
        },
        value=Objective.of(search.config.run).value(trial.result),
        size=None
        if search.config.study.second_objective == "none"
        else winners.size(search, trial),
    )


def _parameter(search: Search, name: str, params: list[dict[str, Any]]) -> Parameter:
    distribution: Any = search.space.distributions[name]
    if hasattr(distribution, "choices"):
        settings_of = search.space.settings_of
        choices = tuple(
            value_text(settings_of({name: choice}).get(name, choice))
            for choice in distribution.choices
        )
        return Parameter(name, 0.0, len(choices) - 1.0, choices=choices, whole=True)
    low, high = distribution.low, distribution.high
    values = [own[name] for own in params if name in own]
    if values and not search.is_sampled:  # the space only says what the script may ask for
        low, high = min(values), max(values)
    positive = [value for value in values if value > 0]
    if name == "training.lmbda" and low == 0 and positive and high > min(positive):
        return Parameter(name, low, high, log=True, floor=min(positive))
    return Parameter(name, low, high, distribution.log, whole=isinstance(low, int))


@dataclass(frozen=True)
class Accuracy:
    """The mean accuracy of some runs of one configuration on the validation set, a fraction or R².

    ``low`` and ``high`` are its 95 % interval, None where there is none; ``how`` says where it is
    from, or why there is none.
    """

    mean: float
    seeds: int
    low: float | None
    high: float | None
    how: str


def accuracy_of(runs: Sequence[RunDirectory], dataset: Dataset | None) -> Accuracy:
    """The accuracy of a configuration, over seeds and examples where several runs have it."""
    mean, measure = mean_accuracy(runs) or 0.0, measure_of(runs[0].config())
    if dataset is None:
        return Accuracy(mean, len(runs), None, None, "no interval: the data can't be had")
    if len(runs) > 1:
        each = np.array([scores(run, dataset) for run in runs])
        return accuracy_of_scores(each, measure, dataset)
    if not measure.is_fraction:
        return Accuracy(mean, 1, None, None, "R² of one run has no interval here")
    n = len(dataset.validation)
    how = f"Wilson 1927, of {n:,} {dataset.noun}"
    return Accuracy(mean, 1, *wilson_interval(mean, n), how)


def accuracy_of_scores(each: Any, measure: Measure, dataset: Dataset) -> Accuracy:
    """The accuracy of a configuration from what each example adds with each seed, (seeds, n)."""
    mean, seeds, n = float(each.mean()), len(each), len(dataset.validation)
    found = mean_interval(each) if measure.is_fraction else None
    if found is None:
        how = f"no interval: {_no_interval(each, measure, dataset.noun)}"
        return Accuracy(mean, seeds, None, None, how)
    return Accuracy(
        mean, seeds, *found, f"over {seeds} seeds and {n:,} {dataset.noun} (Hillis 2007)"
    )


def _no_interval(each: Any, measure: Measure, noun: str) -> str:
    """The reason why what each example adds, (seeds, examples), tells no interval of its mean."""
    if not measure.is_fraction:
        return "other rows have another variance to explain, and R² may come out above 1"
    wrong, right = (int(np.count_nonzero(one.any(axis=0))) for one in (1 - each, each))
    how = "wrong" if wrong < right else "right"
    return f"only {min(wrong, right)} of the {noun} are read {how}"


@dataclass(frozen=True)
class Finalist:
    """A configuration of the race in the stage ``winner``, judged by new seeds.

    ``name`` is that of ``names_of``; ``size`` counts its weights and biases.
    """

    name: str
    accuracy: Accuracy
    size: int
    recommended: bool


def finalists(stages: Sequence[StageFindings]) -> list[Finalist]:
    """The finalists of a study's race, the best first; none where there was no race."""
    found = next((stage for stage in stages if stage.search.key == "winner"), None)
    if found is None or found.decision is None:
        return []
    search, groups = found.search, dict[RunConfig, list[Trial]]()
    for trial in found.trials:
        groups.setdefault(without_seed(trial.config), []).append(trial)
    made = []
    for name, (config, trials) in zip(names_of(list(groups), found), groups.items(), strict=True):
        each = np.array([search.scores(trial) for trial in trials])
        accuracy = accuracy_of_scores(each, measure_of(config), search.dataset)
        size = count_parameters(sizes_of(config, search.dataset))
        made.append(Finalist(name, accuracy, size, found.is_chosen(config)))
    return sorted(made, key=lambda one: -one.accuracy.mean)


def names_of(configs: Sequence[RunConfig], stage: StageFindings) -> list[str]:
    """The names of configurations without their seeds, as the stages call them."""
    return names(configs, without_seed(stage.stage.facts.start))


def without_seed(config: RunConfig) -> RunConfig:
    """The configuration, whatever its seed."""
    return replace(config, seed=0)


@dataclass(frozen=True)
class Step:
    """The best validation accuracy rises to ``accuracy`` after ``seconds`` of training in all, in
    an epoch of the run ``name``."""

    seconds: float
    accuracy: float
    name: str


@dataclass(frozen=True)
class Climb:
    """The best accuracy of any epoch against the training time of all trials, one after the other.

    ``starts`` are the stages and the seconds at which each begins.
    """

    steps: tuple[Step, ...]
    starts: tuple[tuple[str, float], ...]
    seconds: float

    def first(self, accuracy: float) -> Step | None:
        """The step that first reaches an accuracy."""
        return next((step for step in self.steps if step.accuracy >= accuracy), None)

    def starts_seen(self) -> list[tuple[int, float]]:
        """The number of each stage, from 1, and its start as it can be shown on a log scale of
        seconds; one that begins right after another, without room for its number, is left out."""
        first, seen = self.steps[0].seconds * 0.9, list[tuple[int, float]]()
        room = (self.seconds / first) ** 0.02
        for number, (_, start) in enumerate(self.starts, 1):
            at = max(start, first)
            if not seen or at > seen[-1][1] * room:
                seen.append((number, at))
        return seen if len(self.starts) > 1 else []

    def milestones(self) -> list[Step]:
        """The first epoch, the steps that first reach each of ``LEVELS``, and the best of all."""
        if not self.steps:
            return []
        first, best = self.steps[0], self.steps[-1]
        levels = [level for level in LEVELS if first.accuracy < level < best.accuracy]
        found = [replace(step, accuracy=level) for level in levels if (step := self.first(level))]
        return [first, *found, best] if best != first else [best]


def climb(stages: Sequence[StageFindings]) -> Climb:
    """The climb of a study: its stages with their finished trials."""
    steps: list[Step] = []
    starts, elapsed = [], 0.0
    for stage in stages:
        search = stage.search
        starts.append((search.key, elapsed))
        for trial in stage.trials:
            if trial.result.is_copy:
                continue  # it was reached before
            for epoch in search.run_directory(trial.number).epochs():
                elapsed += max(epoch.seconds, _LEAST)
                accuracy = epoch.validation_accuracy
                if accuracy > (steps[-1].accuracy if steps else float("-inf")):
                    steps.append(Step(elapsed, accuracy, f"{search.name}/{trial.number}"))
    return Climb(tuple(steps), tuple(starts), elapsed)
