"""The stages of a study as a story: what each asked, what it tried, what it decided and why."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nndl_exp.config import short_name
from nndl_exp.display.figures.stages import PICTURES
from nndl_exp.display.findings import Analysis
from nndl_exp.display.report.pictures import Picture, image, pictures_below
from nndl_exp.display.words import accuracy_text, plain, seconds_text
from nndl_exp.run import measure_of
from nndl_exp.study.search import Search, Trial
from nndl_exp.study.stages.chapter3 import STAGES
from nndl_exp.study.stages.stage import Decision
from nndl_exp.study.study import title_of
from nndl_exp.study.summary import Summary

MOST_ROWS = 200
_WHY_JOINT = (
    "Optuna searches all hyper-parameters together, around what earlier stages found, if any."
)


@dataclass(frozen=True)
class Part:
    """A stage: its finished trials, and what they say."""

    search: Search
    trials: Sequence[Trial]
    analysis: Analysis
    decision: Decision | None = None


@dataclass(frozen=True)
class Table:
    """Trials as text, a row each; ``more`` are those that it has no row for."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    more: int = 0


@dataclass(frozen=True)
class Chapter:
    """A stage as a reader gets it: what it asks, what it decided in words, the numbers behind."""

    key: str
    title: str
    asks: str
    words: Sequence[str]
    counts: str = ""
    numbers: Sequence[tuple[str, str]] = ()
    table: Table | None = None
    pictures: Sequence[Picture] = field(default_factory=list)


def chapters(found: Summary, parts: Sequence[Part]) -> list[Chapter]:
    """The stages so far; without the data only what was written down of their decisions."""
    if parts:
        return [_chapter(part) for part in parts]
    return [Chapter(key, title_of(key), _asks(key), words) for key, words in found.decided()]


def _asks(key: str) -> str:
    """The first line of a stage's description, which says what it does."""
    text = (STAGES[key].__doc__ or "") if key in STAGES else _WHY_JOINT
    first = text.strip().partition("\n")[0]
    return first.partition(": ")[2].capitalize() or first


def _chapter(part: Part) -> Chapter:
    key, decision = part.search.key, part.decision
    words = decision.words if decision else ("not decided yet",)
    return Chapter(
        key, title_of(key), _asks(key), words, counts(part.trials),
        list(_numbers(decision.numbers)) if decision else [], table(part), _pictures(part, key),
    )  # fmt: skip


def counts(trials: Sequence[Trial]) -> str:
    """How many trials there are, how they ended, and how long they trained."""
    if not trials:
        return "no trial has ended"
    states = [trial.result.state for trial in trials]
    said = ", ".join(f"{states.count(s)} {s}" for s in sorted(set(states)))
    seconds = sum(trial.result.seconds for trial in trials)
    spent = f"{seconds:.2g} s" if seconds < 10 else seconds_text(seconds)
    return f"{len(trials)} trial{'s' if len(trials) > 1 else ''} ({said}), {spent} of training"


def _numbers(numbers: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in numbers.items():
        yield name.replace("_", " "), _number(value)


def _number(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_number(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_number, value))
    if value is None:
        return "never"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def table(part: Part) -> Table:
    """The trials of a part, the first ``MOST_ROWS`` of them."""
    search = part.search
    by_cost = search.config.run.training.judged_by == "validation_cost"
    value = "cost" if by_cost else measure_of(search.config.run).name
    names = [short_name(name) for name in search.space.settings]
    rows = [_row(search, trial, by_cost) for trial in part.trials[:MOST_ROWS]]
    headings = ["trial", value, *names, "epochs", "seconds", "ended by"]
    return Table(headings, rows, max(0, len(part.trials) - MOST_ROWS))


def _row(search: Search, trial: Trial, by_cost: bool) -> list[str]:
    result, measure = trial.result, measure_of(trial.config)
    value: str = result.state
    if by_cost and result.validation_cost is not None:
        value = f"{result.validation_cost:.4f}"
    elif not by_cost and result.validation_accuracy is not None:
        value = accuracy_text(measure, result.validation_accuracy, len(search.dataset.validation))
    settings = [plain(value) for value in search.varied(trial.config).values()]
    ended = result.reason if result.state == "complete" else f"{result.state}: {result.reason}"
    return [str(trial.number), value, *settings, str(result.epochs), f"{result.seconds:.2f}", ended]


_SHOWN = {
    "training_costs": ("Training costs", "The training cost from before the first epoch on, a line "
                       "for each η. The threshold is the largest η at which it still falls."),
    "against_epoch": ("Accuracy against the epoch",
                      "The best validation accuracy so far of each trial."),
    "against_time": ("Accuracy against elapsed time", "The best validation accuracy so far of each "
                     "trial against the seconds it has trained: the time to an accuracy."),
    "candidates": ("The candidates with new seeds", "Validation accuracy of each candidate with "
                   "each of its seeds, and the mean. Where the dots of one reach as far as those "
                   "of another, more seeds would be needed to tell them apart."),
    "slices": ("Each hyper-parameter", "What each trial came to against each hyper-parameter; the "
               "star is the best of the stage."),
}  # fmt: skip


def _pictures(part: Part, key: str) -> list[Picture]:
    """The stage's own picture, or else the slices; a search has a chapter of its own."""
    if part.search.is_sampled:
        return []
    folder = part.search.directory / "figures"
    own = [PICTURES[key].__name__] if key in PICTURES else []
    found = []
    for name in pictures_below(folder, own or ["slices"]):
        title, text = _SHOWN[name]
        alt = f"{title} of the stage {title_of(key)}. {text}"
        found.append(Picture(f"{key}-{name}", name, title, text,
                             image(folder, name, f"{key}-{name}", alt)))  # fmt: skip
    return found
