"""``python -m nndl_exp.studies``: the studies and single runs of an output folder; one study, two
compared, its table as a file, its end."""

import shutil

import click

from nndl_exp.cli.console import make_console
from nndl_exp.cli.errors import command_line
from nndl_exp.cli.options import output_of_group, output_option
from nndl_exp.cli.runs import get_study
from nndl_exp.config import TrackingConfig
from nndl_exp.errors import UserError

HELP = """List the studies and the single runs of an output folder, or look at a study.

Of each study: how many trials have finished, the validation accuracy of its best configuration
(the mean of new seeds, where it has them, else the best of the search), whether it is complete, and
when its last trial ended.
"""
COMPARE = """Compare the best runs of two studies, image by image of their validation set.

Where a study trained its winner again with new seeds, those runs are compared.
"""
DELETE = """Delete STUDY: its folder with every run, and what the databases of the output folder say
of it. A copy that an MLflow server or a PostgreSQL database has stays there."""


@click.group(name="python -m nndl_exp.studies", help=HELP, invoke_without_command=True)
@output_option
@click.pass_context
def command(context: click.Context, output: str) -> None:
    """List the studies where no command is given."""
    context.obj = output
    if context.invoked_subcommand is None:
        from nndl_exp.cli.studies import show_list

        show_list(output, make_console())


@command.command(
    help="Show STUDY: what each stage decided and why, its best trials, and what to type next."
)
@click.argument("study")
@output_of_group
def show(output: str, study: str) -> None:
    """Show a study."""
    name = get_study(study, output)
    from nndl_exp.cli.studies import show_study
    from nndl_exp.study.summary import summary

    show_study(summary(*name), make_console())


@command.command(help=COMPARE)
@click.argument("first")
@click.argument("second")
@output_of_group
def compare(output: str, first: str, second: str) -> None:
    """Compare two studies."""
    one, other = get_study(first, output), get_study(second, output)
    from nndl_exp.cli.studies import compare_studies
    from nndl_exp.study.summary import summary

    compare_studies(summary(*one), summary(*other), make_console())


@command.command(
    help="Write the trials of STUDY, or the configuration of its best run, into files."
)
@click.argument("study")
@click.option("--csv", type=click.Path(dir_okay=False), help="All trials, as CSV.")
@click.option("--parquet", type=click.Path(dir_okay=False), help="All trials, as Parquet.")
@click.option("--yaml", type=click.Path(dir_okay=False), help="The best run's configuration.")
@output_of_group
def export(output: str, study: str, csv: str | None, parquet: str | None, yaml: str | None) -> None:
    """Write files of a study."""
    name = get_study(study, output)
    if not (csv or parquet or yaml):
        raise UserError("export must have one of --csv, --parquet or --yaml and a file: got none")
    from nndl_exp.cli.export import export_study

    for path in export_study(*name, csv=csv, parquet=parquet, yaml=yaml):
        make_console().print(f"saved    {path}")


@command.command(help=DELETE)
@click.argument("study")
@click.option("--yes", is_flag=True, help="Don't ask.")
@output_of_group
def delete(output: str, study: str, yes: bool) -> None:
    """Delete a study."""
    name = get_study(study, output)
    from nndl_exp.database import mlflow_file
    from nndl_exp.study.running.members import check_not_running
    from nndl_exp.study.summary import summary
    from nndl_exp.tracking.optuna_view import forget_study
    from nndl_exp.tracking.runs import delete_runs

    found = summary(*name)
    check_not_running(found.folder)
    if not yes:
        click.confirm(f"Delete {found.folder} with {found.trials} trials?", abort=True)
        check_not_running(found.folder)  # somebody may have continued it meanwhile
    output = found.config.output
    if mlflow_file(output).exists():
        delete_runs(output, TrackingConfig(), found.name)
    forget_study(output, found.name)
    shutil.rmtree(found.folder)  # last: it is the record
    make_console().print(f"deleted  {found.name}")


main = command_line(command)

if __name__ == "__main__":
    main()
