"""The stages of a study: each one's question, its decision with the reasons, and its figure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nndl_exp.display.figures.stages import draw_stage
from nndl_exp.display.findings import StageFindings
from nndl_exp.display.report.pictures import Picture, Place, image
from nndl_exp.display.words import counted, seconds_text
from nndl_exp.study.search import Trial, states_text
from nndl_exp.study.study import summary_of, title_of
from nndl_exp.study.summary import Summary


@dataclass(frozen=True)
class Chapter:
    """A stage in the report: its question, its decision in words, and the numbers behind it."""

    key: str
    title: str
    asks: str
    words: Sequence[str]
    counts: str = ""
    numbers: Sequence[tuple[str, str]] = ()
    pictures: Sequence[Picture] = field(default_factory=list)


def chapters(found: Summary, stages: Sequence[StageFindings], place: Place) -> list[Chapter]:
    """The stages so far; without the data only the recorded words of their decisions."""
    if stages:
        return [_chapter(stage, place) for stage in stages]
    return [Chapter(key, title_of(key), summary_of(key), words) for key, words in found.decided()]


def _chapter(stage: StageFindings, place: Place) -> Chapter:
    key, decision = stage.search.key, stage.decision
    words = decision.words if decision else ("not decided yet",)
    numbers = list(_numbers(decision.numbers)) if decision else []
    return Chapter(
        key, title_of(key), summary_of(key), words, counts(stage.trials), numbers,
        _pictures(stage, place),
    )  # fmt: skip


def counts(trials: Sequence[Trial]) -> str:
    """The number of trials, how they ended, and their training time."""
    if not trials:
        return "no trial has ended"
    seconds = sum(trial.result.seconds for trial in trials)
    spent = f"{seconds:.2g} s" if seconds < 10 else seconds_text(seconds)
    return f"{counted(len(trials), 'trial')} ({states_text(trials)}), {spent} of training"


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


_SHOWN = {
    "training_costs": ("Training costs", "The training cost from before the first epoch on, a line "
                       "for each η. The threshold is the largest η at which it still falls; half "
                       "of it is chosen."),
    "against_eta": ("Accuracy against η", "What each trial came to; the dashed line is the η that "
                    "the study goes on with."),
    "against_lmbda": ("Accuracy against λ", "What each trial came to; the dashed line is the λ "
                      "that is chosen."),
    "against_epoch": ("Accuracy against the epoch",
                      "The best validation accuracy so far of each trial."),
    "against_time": ("Accuracy against estimated time", "The best validation accuracy so far of "
                     "each trial against its estimated training time: the time to an accuracy."),
    "configurations": ("Configurations with their seeds", "Validation accuracy of each "
                       "configuration with each of its seeds, and the mean. Where the dots of one "
                       "reach as far as those of another, more seeds would be needed to tell them "
                       "apart."),
}  # fmt: skip


def _pictures(stage: StageFindings, place: Place) -> list[Picture]:
    drawing = draw_stage(stage)
    if drawing is None:
        return []
    title, text = _SHOWN[drawing.name]
    own = Place(stage.search.directory / "figures", place.formats)
    return [image(drawing, own, f"{stage.search.key}-{drawing.name}", title, text)]
