"""``python -m nndl_exp.studies``: the studies and single runs of an output folder; one study, two
compared, its table as a file, its end."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nndl_exp.cli.console import make_console
from nndl_exp.cli.errors import one_line_errors
from nndl_exp.cli.options import output_of_group, output_option
from nndl_exp.cli.runs import find_study
from nndl_exp.config import TrackingConfig
from nndl_exp.display.commands import Commands
from nndl_exp.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pandas as pd
    from rich.console import Console
    from rich.table import Table

    from nndl_exp.records import RunDirectory
    from nndl_exp.study.summary import Summary
    from nndl_exp.study.verdict import Comparison
    from nndl_exp.training.accuracy import Measure


_SHOWN = 20
"""So many trials of a study are shown."""


@click.group(name="python -m nndl_exp.studies", invoke_without_command=True)
@output_option
@click.pass_context
def command(context: click.Context, output: str) -> None:
    """List the studies and the single runs of an output folder, or look at a study.

    Of each study: how many trials have finished, the validation accuracy of its best configuration
    (the mean of new seeds, where it has them), whether it is complete, and when its last trial
    ended.
    """
    context.obj = output
    if context.invoked_subcommand is None:
        show_list(output)


@command.command()
@click.argument("study")
@output_of_group
def show(output: str, study: str) -> None:
    """Show STUDY: what each stage decided and why, its best trials, and what to type next."""
    from nndl_exp.display.words import when

    found, console = _find(output, study), make_console()
    result = found.result
    ended = "no trial has ended" if found.ended is None else f"last trial {when(found.ended)}"
    console.print(f"study    {found.name} · {found.state} · {found.trials} trials · {ended}")
    for key, words in found.decided():
        console.print(f"{key}")
        for i, line in enumerate(words):
            console.print(f"{'→ ' if i == 0 else '  '}{line}")
    _show_trials(found, console)
    if found.best is None or result is None:
        console.print("best     none: no trial trained to its end")
        return
    name, commands, runs = found.best.name, Commands(found.config.output), found.replicates()
    how = f"in the mean of {len(runs)} new seeds" if len(runs) > 1 else f"after epoch {result.best}"
    console.print(f"best     {name} · {_accuracy(found)} · {how}")
    console.print(f"\nreport     {commands.report(found.name)}")
    console.print(f"reproduce  {commands.reproduce(name)}")
    if found.is_finished:
        console.print(f"evaluate   {commands.evaluate(name)}")


@command.command()
@click.argument("first")
@click.argument("second")
@output_of_group
def compare(output: str, first: str, second: str) -> None:
    """Compare the best runs of two studies, image by image of their validation set.

    Where a study trained its winner again with new seeds, those runs are compared.
    """
    from nndl_exp.study.scores import paired_scores
    from nndl_exp.study.verdict import compare as compare_scores

    studies, console = [_find(output, name) for name in (first, second)], make_console()
    runs = [study.replicates() for study in studies]
    for study, several in zip(studies, runs, strict=True):
        if not several:
            raise UserError(f"{study.name} must have a trial that trained to its end: got none")
        console.print(f"{study.name}  {_accuracy_of(several)} · {_which(several)}")
    scores = paired_scores(*runs)
    (seeds, examples), (found,) = scores[0].shape, compare_scores(scores)
    measure, interval = _measure(studies[0]), "no interval"
    if seeds > 1:
        interval = f"95 % interval {measure.difference(found.low, found.high)}"
    console.print(
        f"difference  {measure.difference(found.difference)} · {interval} · "
        f"{f'{seeds} seeds' if seeds > 1 else 'one seed'}, {examples:,} validation examples"
    )
    console.print(f"verdict     {_verdict([study.name for study in studies], found, seeds)}")
    if seeds == 2:
        least = measure.difference((found.high - found.low) / 2, form=".2g")
        console.print(f"            with two seeds, differences below {least} cannot be detected")


@command.command()
@click.argument("study")
@click.option("--csv", type=click.Path(dir_okay=False), help="All trials, as CSV.")
@click.option("--parquet", type=click.Path(dir_okay=False), help="All trials, as Parquet.")
@click.option("--yaml", type=click.Path(dir_okay=False), help="The best run's configuration.")
@output_of_group
def export(output: str, study: str, csv: str | None, parquet: str | None, yaml: str | None) -> None:
    """Write the trials of STUDY, or the configuration of its best run, into files."""
    from nndl_exp.config import to_mapping, to_yaml
    from nndl_exp.display.files import columnar
    from nndl_exp.records import atomic

    found, files = _find(output, study), {}
    if csv:
        files[csv] = _table(found).to_csv(index=False).encode()
    if parquet:
        files[parquet] = columnar(_table(found)).to_parquet(index=False)
    if yaml:
        if found.best is None:
            raise UserError(f"{found.name} must have a trial that trained to its end: got none")
        name = found.best.name
        config = {**to_mapping(found.best.config()), "origin": {"run": name}}
        files[yaml] = f"# {name}\n{to_yaml(config)}".encode()
    if not files:
        raise UserError("export must have one of --csv, --parquet or --yaml and a file: got none")
    for name, content in files.items():
        if not Path(name).resolve().parent.is_dir():
            raise UserError(f"no such folder: {Path(name).parent}")
        atomic.write(Path(name), content)
        make_console().print(f"saved    {name}")


@command.command()
@click.argument("study")
@click.option("--yes", is_flag=True, help="Don't ask.")
@output_of_group
def delete(output: str, study: str, yes: bool) -> None:
    """Delete STUDY: its folder with every run, and what the databases of the output folder say of
    it. A copy that an MLflow server or a PostgreSQL database has stays there."""
    found = _find(output, study)
    _check_not_running(found)
    if not yes:
        click.confirm(f"Delete {found.folder} with {found.trials} trials?", abort=True)
        _check_not_running(found)  # somebody may have continued it meanwhile
    _delete(found)
    make_console().print(f"deleted  {found.name}")


def _check_not_running(found: "Summary") -> None:
    from nndl_exp.study.running.members import is_running

    if is_running(found.folder):
        raise UserError(f"{found.name} must not be running to be deleted: a process runs it")


def _delete(found: "Summary") -> None:
    """Delete a study from its output folder's databases, and last its own folder, the record."""
    from nndl_exp.database import mlflow_file
    from nndl_exp.tracking.optuna_view import forget_study
    from nndl_exp.tracking.stored_runs import delete_runs

    output = found.config.output
    if mlflow_file(output).exists():
        delete_runs(output, TrackingConfig(), found.name)
    forget_study(output, found.name)
    shutil.rmtree(found.folder)


def show_list(output: str) -> None:
    """Print a line for each study and each single run, the last one that ended first."""
    from nndl_exp.study.settings import study_names
    from nndl_exp.study.summary import summary

    console = make_console()
    studies, unread = _rows(lambda name: _row(summary(output, name)), study_names(output))
    runs, damaged = _rows(_row_of_run, sorted(Path(output).glob("runs/*/config.yaml")))
    if not (studies or runs or unread or damaged):
        console.print(f"no studies in {output}; python -m nndl_exp.sweep makes one")
    if studies:
        console.print(_columns(("study", "data", "trials", "best", "state", "last trial"), studies))
    if runs:
        if studies:
            console.print()
        console.print(_columns(("run", "data", "best", "state", "ended"), runs))
    for line in (*unread, *damaged):
        console.print(f"left out  {line}")


def _rows(
    row: "Callable[[Any], tuple[float, list[str]]]", things: "Iterable[Any]"
) -> tuple[list[list[str]], list[str]]:
    """The rows of what can be read, the last one that ended first; and why the rest can't be."""
    rows, left_out = [], []
    for thing in things:
        try:
            rows.append(row(thing))
        except UserError as e:
            left_out.append(str(e))
    return [cells for _, cells in sorted(rows, key=lambda r: r[0], reverse=True)], left_out


def _row(study: "Summary") -> tuple[float, list[str]]:
    """When the last trial of a study ended, and its line in the list."""
    from nndl_exp.display.words import when

    ended, title = study.ended, study.config.run.dataset.title
    cells = [study.name, title, str(study.trials), _accuracy(study), study.state]
    return ended or 0.0, [*cells, when(ended) if ended else ""]


def _row_of_run(path: Path) -> tuple[float, list[str]]:
    """When a single run ended, and its line in the list."""
    from nndl_exp.display.words import when
    from nndl_exp.records import RunDirectory

    run = RunDirectory(path.parent)
    title, result = run.config().dataset.title, run.result()
    if result is None:
        return 0.0, [run.name, title, "", "not complete", ""]
    cells = [run.name, title, _accuracy_of([run]), result.state, when(result.ended)]
    return result.ended, cells


def _columns(headings: tuple[str, ...], rows: list[list[str]]) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in headings:
        table.add_column(name, justify="right" if name in ("trial", "trials", "best") else "left")
    for row in rows:
        table.add_row(*row)
    return table


def _show_trials(found: "Summary", console: "Console") -> None:
    """Print the best trials of a study, of all stages together."""
    if not found.finished:
        return
    best = sorted(found.finished, key=lambda one: -one[0].goodness)
    rows = [
        [str(trial.number), run.path.parents[1].name, trial.result.state, _accuracy_of([run])]
        for trial, run in best[:_SHOWN]
    ]
    console.print()
    console.print(_columns(("trial", "stage", "state", "best"), rows))
    if (more := len(best) - _SHOWN) > 0:
        console.print(f"and {more} more: {Commands(found.config.output).export(found.name)}")
    console.print()


def _find(output: str, study: str) -> "Summary":
    from nndl_exp.study.settings import no_such_study
    from nndl_exp.study.summary import summary

    found = find_study(study, output)
    if found is None:
        raise UserError(no_such_study(output, study))
    return summary(*found)


def _accuracy(study: "Summary") -> str:
    """The accuracy of its best configuration: the mean of new seeds where it has them."""
    return _accuracy_of(study.replicates())


def _accuracy_of(runs: "list[RunDirectory]") -> str:
    """The validation accuracy of some runs in the mean."""
    from statistics import fmean

    from nndl_exp.run import measure_of

    results = [run.result() for run in runs]
    found = [r.validation_accuracy for r in results if r and r.validation_accuracy is not None]
    return measure_of(runs[0].config()).text(fmean(found)) if found else ""


def _which(runs: "list[RunDirectory]") -> str:
    if len(runs) == 1:
        return runs[0].name
    return f"the mean of {len(runs)} runs with new seeds ({runs[0].name}, ...)"


def _measure(study: "Summary") -> "Measure":
    from nndl_exp.run import measure_of

    assert study.best is not None
    return measure_of(study.best.config())


def _verdict(names: list[str], found: "Comparison", seeds: int) -> str:
    if seeds == 1:
        return "none: one seed says nothing about other seeds"
    if found.better is None:
        return f"{names[0]} and {names[1]} are statistically tied"
    return f"{names[0]} is {'better' if found.better == 0 else 'worse'} than {names[1]}"


def _table(found: "Summary") -> "pd.DataFrame":
    """The trials of a study."""
    from nndl_exp.study.study import Study

    return Study.open(found.config.output, found.name).table()


@one_line_errors
def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    command(arguments, standalone_mode=False)


if __name__ == "__main__":
    main()
