"""``python -m nndl_exp.report STUDY``: a study's trials as a report, tables and figures."""

import webbrowser
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nndl_exp.cli.console import make_console
from nndl_exp.cli.errors import command_line
from nndl_exp.cli.options import output_option, tracking_option
from nndl_exp.cli.runs import find_study
from nndl_exp.config import TrackingConfig
from nndl_exp.errors import UserError

if TYPE_CHECKING:
    from nndl_exp.study.summary import Summary


HELP = """Write the report of STUDY (a name or a folder): the recommended run, why it is
recommended, which hyper-parameters matter, and what the network has learnt.

Writes report.html (one file that needs nothing else), trials.csv, trials.parquet and figures into
the study's folder, and keeps the report with the study in MLflow. A study that is still running is
shown as far as its trials have finished. The charts can be saved as pictures with the button above
them.
"""


@click.command(name="python -m nndl_exp.report", help=HELP)
@click.argument("study")
@click.option(
    "--format",
    "formats",
    type=click.Choice(["png", "svg", "pdf"]),
    multiple=True,
    default=["png"],
    show_default=True,
    help="Of the figures written beside the report; may be given several times.",
)
@click.option("--open", "opens", is_flag=True, help="Open the report in a browser.")
@output_option
@tracking_option
def command(
    study: str, formats: tuple[str, ...], opens: bool, output: str, tracking_uri: str | None
) -> None:
    """Write the report of a study."""
    from nndl_exp.study.settings import no_such_study

    found = find_study(study, output)
    if found is None:
        raise UserError(no_such_study(output, study))
    path = write(*found, tuple(dict.fromkeys(formats)), TrackingConfig(uri=tracking_uri))
    if opens and not webbrowser.open(path.resolve().as_uri()):
        make_console().print("no browser was found: open the file yourself")


def write(output: str, name: str, formats: tuple[str, ...], tracking: TrackingConfig) -> Path:
    """Write a study's report, tables and figures, and print where the report is; its path."""
    from nndl_exp.display.files import write_tables
    from nndl_exp.display.findings import StageFindings, stage_findings
    from nndl_exp.display.report import sources_of, write_report
    from nndl_exp.study.study import Study
    from nndl_exp.study.summary import summary

    found, stages, why = summary(output, name), list[StageFindings](), ""
    tracking = replace(tracking, experiment=found.config.tracking.experiment)
    try:
        study = Study.open(output, name)
    except UserError as e:  # its data have gone, say: the records still tell much
        why = str(e)
    else:
        stages = [stage_findings(s, s.search.trials(), s.decision()) for s in study.stages()]
        write_tables(study.directory, [stage.search for stage in stages])
    sources = sources_of(found, stages, tracking, why)
    path = write_report(replace(sources, formats=formats))
    if sources.tracking:
        _log(found, path, tracking)
    make_console().print(str(path))
    return path


def _log(found: "Summary", path: Path, tracking: TrackingConfig) -> None:
    """Keep the report with the study's run in MLflow."""
    from nndl_exp.tracking import TrackingOutage
    from nndl_exp.tracking.runs import log_report

    title = found.config.run.dataset.title
    try:
        log_report(found.config.output, tracking, found.name, title, path)
    except (UserError, TrackingOutage) as e:
        make_console().print(f"MLflow does not keep the report: {e}")


main = command_line(command)


if __name__ == "__main__":
    main()
