"""What the trials of a study say, as plain values that figures and text are made from.

They are small and need no library, so that a worker that draws gets them cheaply.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # who draws needs neither the study nor Optuna
    from nndl_exp.study.search import Search, Trial


_FEW = 10


@dataclass(frozen=True)
class Parameter:
    """A hyper-parameter and its range, or its ``choices`` as text: then values are their numbers.

    ``name`` is that of the search space: training.eta, network.hidden.width_2.
    """

    name: str
    low: float
    high: float
    log: bool = False
    choices: tuple[str, ...] = ()
    whole: bool = False

    @property
    def is_coarse(self) -> bool:
        """Whether there are so few values that trials of the same one must stand side by side."""
        return self.whole and not self.log and self.high - self.low <= _FEW

    def position(self, value: float) -> float:
        """Where a value lies in the range, on its scale: 0 at the low end, 1 at the high one."""
        if self.low == self.high:
            return 0.5
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return (value - low) / (high - low)


@dataclass(frozen=True)
class Point:
    """A settled trial: its values by parameter, those that it has; and its objective.

    ``value`` is the accuracy in percent or the cost, at the best epoch; None where no epoch had
    finite costs. ``seconds`` are those of its training. ``size`` is the second objective, if any.
    """

    number: int
    state: str
    params: dict[str, float]
    value: float | None
    seconds: float
    size: int | None = None


@dataclass(frozen=True)
class Analysis:
    """A study's trials as points, what decides, and who won.

    ``importances`` are the shares of the parameters, the largest first; ``importance_note`` says
    what they are of, or why there are none. ``accuracy`` is what it is called: R² of numbers.
    ``front`` are the trials of the Pareto front, the smallest network first, with two objectives.
    """

    name: str
    by_cost: bool
    parameters: tuple[Parameter, ...]
    points: tuple[Point, ...]
    winner: int | None
    importances: dict[str, float] = field(default_factory=dict)
    importance_note: str = ""
    second_objective: str = "none"
    accuracy: str = "accuracy"
    front: tuple[int, ...] = ()

    def of(self, *states: str) -> list[Point]:
        """The points with a value whose trials ended in one of these states."""
        return [p for p in self.points if p.state in states and p.value is not None]

    def values(self, *states: str) -> list[float]:
        """The values of these points."""
        return [p.value for p in self.of(*states) if p.value is not None]

    def valueless(self) -> list[Point]:
        """The points of trials that diverged or failed: they have no value that counts."""
        drawn = {p.number for p in self.of("complete", "pruned")}
        return [p for p in self.points if p.number not in drawn]


def analyse(search: "Search", trials: "Sequence[Trial]") -> Analysis:
    """What the settled trials of a study say."""
    from nndl_exp.run import measure_of
    from nndl_exp.study import winner as winners
    from nndl_exp.study.importance import Importances, importances

    second = search.config.study.second_objective
    by_cost = search.config.run.training.judged_by == "validation_cost"
    params = [search.space.params_of(search.varied(trial.config)) for trial in trials]
    completed = [
        (params[i], value)
        for i, trial in enumerate(trials)
        if trial.result.state == "complete" and (value := value_of(trial, by_cost)) is not None
    ]
    found = Importances("the trials of a stage are chosen, not sampled")
    if search.is_sampled:
        found = importances(search.space.distributions, search.directions[0], completed)
    best = winners.winner(search, trials)
    return Analysis(
        name=search.name,
        by_cost=by_cost,
        parameters=tuple(_parameter(search, name, params) for name in search.space.distributions),
        points=tuple(
            Point(
                number=trial.number,
                state=trial.result.state,
                # A choice's number, or the number itself.
                params={
                    name: float(search.space.distributions[name].to_internal_repr(value))
                    for name, value in own.items()
                },
                value=value_of(trial, by_cost),
                seconds=trial.result.seconds,
                size=None if second == "none" else winners.size(search, trial),
            )
            for trial, own in zip(trials, params, strict=True)
        ),
        winner=best.number if best else None,
        importances=found.shares,
        importance_note=found.note,
        second_objective=second,
        accuracy=measure_of(search.config.run).name,
        front=()
        if second == "none"
        else tuple(t.number for t in winners.pareto_front(search, trials)),
    )


def _parameter(search: "Search", name: str, params: "list[dict[str, Any]]") -> Parameter:
    from nndl_exp.display.words import plain

    distribution: Any = search.space.distributions[name]
    if hasattr(distribution, "choices"):
        settings_of = search.space.settings_of
        choices = tuple(plain(settings_of({name: c}).get(name, c)) for c in distribution.choices)
        return Parameter(name, 0.0, len(choices) - 1.0, choices=choices, whole=True)
    low, high = distribution.low, distribution.high
    values = [own[name] for own in params if name in own]
    if values and not search.is_sampled:  # the space only says what the script may ask for
        low, high = min(values), max(values)
    return Parameter(name, low, high, distribution.log, whole=isinstance(low, int))


def value_of(trial: "Trial", by_cost: bool) -> float | None:
    """A trial's objective: the cost, or the accuracy in percent."""
    result = trial.result
    if by_cost:
        return result.validation_cost
    accuracy = result.validation_accuracy
    return None if accuracy is None else 100 * accuracy
