"""``python -m nndl_exp.report STUDY``: what a study's trials say, as tables, figures and text."""

from typing import TYPE_CHECKING

import click

from nndl_exp.cli.console import make_console
from nndl_exp.cli.errors import one_line_errors
from nndl_exp.cli.options import output_option
from nndl_exp.cli.runs import find_study
from nndl_exp.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from nndl_exp.study.study import Study


@click.command(name="python -m nndl_exp.report")
@click.argument("study")
@click.option(
    "--format",
    "formats",
    type=click.Choice(["png", "svg", "pdf"]),
    multiple=True,
    default=("png",),
    show_default=True,
    help="Of the figures; may be given several times.",
)
@output_option
def command(study: str, formats: tuple[str, ...], output: str) -> None:
    """Show which trials of STUDY (a name or a folder) are best, which hyper-parameters decide, and
    where the winner stands in the ranges searched.

    Writes trials.csv, trials.parquet and the figures into the study's folder. A study that is still
    running is shown as far as it is settled.
    """
    from nndl_exp.study.names import no_such_study

    found = find_study(study, output)
    if found is None:
        raise UserError(no_such_study(output, study))
    show(*found, tuple(dict.fromkeys(formats)))


def show(output: str, name: str, formats: tuple[str, ...]) -> None:
    """Print a study's report and write its files; of a study in stages, what each decided."""
    from nndl_exp.report.study_files import report_stage
    from nndl_exp.study.strategy import StagedStudy, open_study

    study, console = open_study(output, name), make_console()
    if not isinstance(study, StagedStudy):
        show_search(study, formats, console)
        return
    for stage in study.stages():
        trials, decision = stage.trials(), stage.decision()
        words = decision.words if decision else ("not decided yet",)
        console.print(f"{stage.title} · {len(trials)} trials")
        for line in words:
            console.print(f"  {line}")
        for path in [] if stage.is_search else report_stage(stage, trials, formats):
            console.print(f"  {path}")
        if stage.is_search:
            show_search(stage, formats, console)


def show_search(study: "Study", formats: tuple[str, ...], console: "Console") -> None:
    """The report of one search."""
    from nndl_exp.report.analysis import analyse
    from nndl_exp.report.study_figures import missing
    from nndl_exp.report.study_files import start_drawing, write_tables
    from nndl_exp.report.study_text import report_lines
    from nndl_exp.study.executors import SerialExecutor

    trials = study.trials()
    analysis = analyse(study, trials)
    for line in report_lines(study, trials, analysis):
        console.print(line)
    files = write_tables(study, trials)
    for drawing in start_drawing(SerialExecutor(), analysis, study, formats):
        files += drawing.result()
    console.print("\nfiles    " + f"\n{'':9}".join(map(str, files)))
    said = {"has one objective", analysis.importance_note}
    for figure, reason in missing(analysis).items():
        if reason not in said:
            console.print(f"no {figure}: {reason}")


@one_line_errors
def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    command(arguments, standalone_mode=False)


if __name__ == "__main__":
    main()
