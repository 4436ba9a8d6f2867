"""A whole study in the order of its trials: the best until then, and how long that took."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nndl_exp.display.findings import Analysis, Point, value_of
from nndl_exp.run import measure_of

if TYPE_CHECKING:
    from nndl_exp.study.search import Search, Trial

LEVELS = (0.5, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995)
"""Accuracies (also R²) for which it is told when they were first reached."""
_LEAST = 1e-6  # seconds: a coarse clock says 0, which has no place on a log scale


@dataclass(frozen=True)
class Step:
    """The best validation accuracy rises to ``accuracy`` after ``seconds`` of training in all, in
    an epoch of the run ``name``."""

    seconds: float
    accuracy: float
    name: str


@dataclass(frozen=True)
class Climb:
    """How the best accuracy of any epoch rises with the training time of all trials, one after the
    other. ``starts`` are the parts of the study and the seconds at which each begins."""

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


Part = tuple["Search", "Sequence[Trial]"]


def climb(parts: Sequence[Part]) -> Climb:
    """The climb of a study: its stages with their finished trials."""
    steps: list[Step] = []
    starts, elapsed = [], 0.0
    for search, trials in parts:
        starts.append((search.key, elapsed))
        for trial in trials:
            if trial.result.seconds == 0:
                continue  # a record that was copied: it was reached before
            for epoch in search.run_directory(trial.number).epochs():
                elapsed += max(epoch.seconds, _LEAST)
                accuracy = epoch.validation_accuracy
                if accuracy > (steps[-1].accuracy if steps else float("-inf")):
                    steps.append(Step(elapsed, accuracy, f"{search.name}/{trial.number}"))
    return Climb(tuple(steps), tuple(starts), elapsed)


def whole(name: str, parts: Sequence[Part], winner: str | None) -> tuple[Analysis, list[str]]:
    """All trials of a study as one analysis without hyper-parameters, and their names.

    Trials are numbered through, in the order of the parts. ``winner`` is the name of the trial that
    the study ended with.
    """
    points: list[Point] = []
    names: list[str] = []
    by_cost = parts[0][0].config.run.training.judged_by == "validation_cost"
    for search, trials in parts:
        for trial in trials:
            value = value_of(trial, by_cost)
            seconds = trial.result.seconds
            points.append(Point(len(points), trial.result.state, {}, value, seconds))
            names.append(f"{search.name}/{trial.number}")
    won = names.index(winner) if winner in names else None
    accuracy = measure_of(parts[0][0].config.run).name
    return Analysis(name, by_cost, (), tuple(points), won, accuracy=accuracy), names
