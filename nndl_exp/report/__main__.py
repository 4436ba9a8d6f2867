"""``python -m nndl_exp.report STUDY``: what a study's trials say, as tables, figures and text."""

import click

from nndl_exp.cli.console import make_console
from nndl_exp.cli.errors import one_line_errors
from nndl_exp.cli.options import output_option
from nndl_exp.cli.runs import find_study
from nndl_exp.errors import UserError


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
    """Print a study's report and write its files."""
    from nndl_exp.report.analysis import analyse
    from nndl_exp.report.study_figures import missing
    from nndl_exp.report.study_files import start_drawing, write_tables
    from nndl_exp.report.study_text import report_lines
    from nndl_exp.study.executors import SerialExecutor
    from nndl_exp.study.study import Study

    study, console = Study.open(output, name), make_console()
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
