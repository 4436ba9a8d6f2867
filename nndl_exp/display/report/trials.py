"""The table of all trials of a study."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from nndl_exp.config import flatten, short_name, to_mapping, value_text
from nndl_exp.display.findings import StageFindings
from nndl_exp.study.search import Trial

MOST_ROWS = 2_000


@dataclass(frozen=True)
class Cell:
    """A value as text, and what it is sorted by."""

    text: str
    key: float | str


@dataclass(frozen=True)
class Table:
    """Trials, a row each; ``more`` are those without a row."""

    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    more: int = 0


def trials_table(stages: Sequence[StageFindings]) -> Table | None:
    """All trials with the settings that any stage varies; None where there are no trials."""
    begun = [stage for stage in stages if stage.trials]
    if not begun:
        return None
    varied = dict.fromkeys(chain.from_iterable(s.search.declared.settings for s in begun))
    objective = begun[0].objective
    judged = "cost" if objective.by_cost else objective.measure.label
    headings = ["stage", "trial", judged, *map(short_name, varied), "epochs",
                "seconds", "ended by"]  # fmt: skip
    rows = [list(_row(stage, trial, varied)) for stage in begun for trial in stage.trials]
    return Table(headings, rows[:MOST_ROWS], max(0, len(rows) - MOST_ROWS))


def _row(stage: StageFindings, trial: Trial, varied: dict[str, Any]) -> Iterator[Cell]:
    result, settings = trial.result, dict(flatten(to_mapping(trial.config)))
    yield Cell(stage.search.key.replace("_", " "), stage.search.key)
    yield Cell(str(trial.number), trial.number)
    value = stage.objective.value(result)
    if value is None:
        yield Cell("", -1e300 * stage.objective.sign)
    else:
        yield Cell(stage.objective.number(value), value)
    for name in varied:
        setting = settings[name]
        number = isinstance(setting, int | float) and not isinstance(setting, bool)
        yield Cell(value_text(setting), setting if number else value_text(setting))
    yield Cell(str(result.epochs), result.epochs)
    yield Cell(f"{result.seconds:.2f}", result.seconds)
    ended = result.reason if result.state == "complete" else f"{result.state}: {result.reason}"
    yield Cell(ended, ended)
