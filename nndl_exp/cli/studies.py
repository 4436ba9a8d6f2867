"""The studies and single runs of an output folder in the terminal: a list, one, two compared.

Each accuracy is named: that of a study is the mean of new seeds where its winner was trained again,
else the best of the search, which is partly luck.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from nndl_exp.display.commands import Commands
from nndl_exp.display.words import counted, when
from nndl_exp.errors import UserError
from nndl_exp.records import RunDirectory
from nndl_exp.run import measure_of
from nndl_exp.study.scores import paired_scores
from nndl_exp.study.settings import study_names
from nndl_exp.study.summary import Summary, mean_accuracy, summary
from nndl_exp.study.verdict import Comparison
from nndl_exp.study.verdict import compare as compare_scores

_SHOWN = 20
"""So many trials of a study are shown."""
_ON_THE_RIGHT = ("trial", "trials", "best epoch")


def show_list(output: str, console: Console) -> None:
    """Print a line for each study and each single run, the last one that ended first."""
    studies, unread = _rows(lambda name: _row(summary(output, name)), study_names(output))
    runs, damaged = _rows(_row_of_run, sorted(Path(output).glob("runs/*/config.yaml")))
    if not (studies or runs or unread or damaged):
        console.print(f"no studies in {output}; python -m nndl_exp.sweep makes one")
    if studies:
        headings = ("study", "data", "trials", "accuracy", "state", "last trial")
        console.print(_columns(headings, studies))
    if runs:
        if studies:
            console.print()
        console.print(_columns(("run", "data", "best epoch", "state", "ended"), runs))
    for line in (*unread, *damaged):
        console.print(f"left out  {line}")


def show_study(found: Summary, console: Console) -> None:
    """Print what each stage decided, the best trials, the best run, and what to type next."""
    ended = "no trial has ended" if found.ended is None else f"last trial {when(found.ended)}"
    trials = counted(found.trials, "trial")
    console.print(f"study    {found.name} · {found.state} · {trials} · {ended}")
    for key, words in found.decided():
        console.print(f"{key}")
        for i, line in enumerate(words):
            console.print(f"{'→ ' if i == 0 else '  '}{line}")
    _show_trials(found, console)
    if found.best is None:
        console.print("best     none: no trial trained to its end")
        return
    name, commands = found.best.name, Commands(found.config.output)
    console.print(f"best     {name} · {_named_accuracy(found)}")
    console.print(f"\nreport     {commands.report(found.name)}")
    console.print(f"reproduce  {commands.reproduce(name)}")
    if found.is_finished:
        console.print(f"evaluate   {commands.evaluate(name)}")


def compare_studies(first: Summary, second: Summary, console: Console) -> None:
    """Print the difference of the best runs of two studies, and whether it is beyond noise.

    Raises:
        UserError: one of them has no best run, or their validation sets differ.
    """
    for study in (first, second):
        if study.best is None:
            raise UserError(f"{study.name} must have a trial that trained to its end: got none")
        console.print(f"{study.name}  {_named_accuracy(study)} ({study.replicates()[0].name})")
    scores = paired_scores(first.replicates(), second.replicates())
    (seeds, examples), (found,) = scores[0].shape, compare_scores(scores)
    assert first.best is not None
    measure, interval = measure_of(first.best.config()), "no interval"
    if seeds > 1:
        interval = f"95 % interval {measure.difference(found.low, found.high)}"
    console.print(
        f"difference  {measure.difference(found.difference)} · {interval} · "
        f"{f'{seeds} seeds' if seeds > 1 else 'one seed'}, {examples:,} validation examples"
    )
    console.print(f"verdict     {_verdict(first.name, second.name, found, seeds)}")
    if seeds == 2:
        least = measure.difference((found.high - found.low) / 2, form=".2g")
        console.print(f"            with two seeds, differences below {least} cannot be detected")


def _rows(
    row: Callable[[Any], tuple[float, list[str]]], things: Iterable[Any]
) -> tuple[list[list[str]], list[str]]:
    """The rows of what can be read, the last one that ended first; and why the rest can't be."""
    rows, left_out = [], []
    for thing in things:
        try:
            rows.append(row(thing))
        except UserError as e:
            left_out.append(str(e))
    return [cells for _, cells in sorted(rows, key=lambda r: r[0], reverse=True)], left_out


def _row(study: Summary) -> tuple[float, list[str]]:
    """When the last trial of a study ended, and its line in the list."""
    ended, title = study.ended, study.config.run.dataset.title
    cells = [study.name, title, str(study.trials), _named_accuracy(study), study.state]
    return ended or 0.0, [*cells, when(ended) if ended else ""]


def _row_of_run(path: Path) -> tuple[float, list[str]]:
    """When a single run ended, and its line in the list."""
    run = RunDirectory(path.parent)
    title, result = run.config().dataset.title, run.result()
    if result is None:
        return 0.0, [run.name, title, "", "not complete", ""]
    cells = [run.name, title, _accuracy([run]), result.state, when(result.ended)]
    return result.ended, cells


def _columns(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose lines are as long as they need to be, however wide the terminal is."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    right = [name in _ON_THE_RIGHT for name in headings]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in (headings, *rows)
    )


def _show_trials(found: Summary, console: Console) -> None:
    """Print the best trials of a study, of all stages together."""
    if not found.finished:
        return
    best = sorted(found.finished, key=lambda one: -one[0].goodness)
    rows = [
        [str(trial.number), run.path.parents[1].name, trial.result.state, _accuracy([run])]
        for trial, run in best[:_SHOWN]
    ]
    console.print()
    console.print(_columns(("trial", "stage", "state", "best epoch"), rows))
    if (more := len(best) - _SHOWN) > 0:
        console.print(f"and {more} more: {Commands(found.config.output).export(found.name)}")
    console.print()


def _named_accuracy(study: Summary) -> str:
    """The accuracy of a study's best configuration, and what it is; empty where it has none."""
    runs = study.replicates()
    if not runs:
        return ""
    name = "best of the search"
    if runs[0] is not study.best:
        name = f"mean of {len(runs)} new seeds" if len(runs) > 1 else "one new seed"
    return f"{_accuracy(runs)} · {name}"


def _accuracy(runs: list[RunDirectory]) -> str:
    """The mean accuracy of some runs in words; empty where there is none."""
    accuracy = mean_accuracy(runs)
    return "" if accuracy is None else measure_of(runs[0].config()).text(accuracy)


def _verdict(first: str, second: str, found: Comparison, seeds: int) -> str:
    if seeds == 1:
        return "none: one seed says nothing about other seeds"
    if found.better is None:
        return f"{first} and {second} are statistically tied"
    return f"{first} is {'better' if found.better == 0 else 'worse'} than {second}"
