"""``python -m nndl_exp.report STUDY``: what a study's trials say, as a page, tables and figures."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nndl_exp.cli.console import make_console
from nndl_exp.cli.errors import one_line_errors
from nndl_exp.cli.options import output_option, tracking_option
from nndl_exp.cli.runs import find_study
from nndl_exp.config import TrackingConfig
from nndl_exp.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from nndl_exp.display.report.story import Part
    from nndl_exp.study.stages.stage import Stage
    from nndl_exp.study.summary import Summary


@click.command(name="python -m nndl_exp.report")
@click.argument("study")
@click.option(
    "--format",
    "formats",
    type=click.Choice(["png", "svg", "pdf"]),
    multiple=True,
    help="Of the search's and the stages' figures, beside PNG and SVG; may be given several times.",
)
@output_option
@tracking_option
def command(study: str, formats: tuple[str, ...], output: str, tracking_uri: str | None) -> None:
    """Show which trials of STUDY (a name or a folder) are best, which hyper-parameters decide, and
    where the winner stands in the ranges searched.

    Writes report.html (one page that needs nothing else: open it in a browser), trials.csv,
    trials.parquet and the figures into the study's folder, and keeps the page with the study in
    MLflow. A study that is still running is shown as far as it is settled.
    """
    from nndl_exp.study.settings import no_such_study

    found = find_study(study, output)
    if found is None:
        raise UserError(no_such_study(output, study))
    show(*found, tuple(dict.fromkeys(("png", "svg", *formats))), TrackingConfig(uri=tracking_uri))


def show(output: str, name: str, formats: tuple[str, ...], tracking: TrackingConfig) -> None:
    """Print a study's report, stage by stage, and write its files."""
    from nndl_exp.display.files import write_tables
    from nndl_exp.study.study import Study
    from nndl_exp.study.summary import summary

    found, console = summary(output, name), make_console()
    tracking = replace(tracking, experiment=found.config.tracking.experiment)
    parts: list[Part] = []
    why = ""
    try:
        study = Study.open(output, name)
    except UserError as e:  # its data have gone, say: the records still tell much
        why = str(e)
        console.print(f"the study can't be opened: {why}")
    else:
        parts = [show_stage(stage, formats, console, found) for stage in study.stages()]
        files = write_tables(study.directory, [part.search for part in parts])
        console.print("\ntables   " + f"\n{'':9}".join(map(str, files)))
    _show_page(found, parts, why, tracking, console)


def show_stage(
    stage: "Stage", formats: tuple[str, ...], console: "Console", found: "Summary"
) -> "Part":
    """The report of one stage: what it decided, its figures, and of a sampled search its trials.

    The winner is the trial that the study ended with, if that is one of the stage's: the last stage
    may recommend another than the search's best.
    """
    from nndl_exp.display.figures.study_figures import missing
    from nndl_exp.display.files import report_stage
    from nndl_exp.display.findings import analyse
    from nndl_exp.display.report.story import Part
    from nndl_exp.display.study_text import report_lines

    search, decision = stage.search, stage.decision()
    trials = search.trials()
    words = decision.words if decision else ("not decided yet",)
    console.print(f"{stage.title} · {len(trials)} trial{'s' * (len(trials) != 1)}")
    for line in words:
        console.print(f"  {line}")
    analysis = analyse(search, trials)
    best = found.best.path if found.best is not None else None
    if won := [t.number for t in trials if search.run_directory(t.number).path == best]:
        analysis = replace(analysis, winner=won[0])
    if search.is_sampled and trials:
        for line in report_lines(search, trials, analysis):
            console.print(line)
        said = {"has one objective", analysis.importance_note}
        for figure, reason in missing(analysis).items():
            if reason not in said:
                console.print(f"no {figure}: {reason}")
    for path in report_stage(search, trials, analysis, formats):
        console.print(f"  {path}")
    return Part(search, trials, analysis, decision)


def _show_page(
    found: "Summary",
    parts: "list[Part]",
    why: str,
    tracking: TrackingConfig,
    console: "Console",
) -> None:
    """Write the page, keep it in MLflow where the study is, and say where it is."""
    from nndl_exp.database import mlflow_file
    from nndl_exp.display.report import Sources, write_page

    tracked = bool(tracking.uri) or mlflow_file(found.config.output).exists()
    path = write_page(Sources(found, parts, why, _looks(found), tracking if tracked else None))
    if tracked:
        _log(found, path, tracking, console)
    console.print(f"\npage     {path}")


def _looks(found: "Summary") -> str | None:
    """What the test set said, in words, None where nobody looked at it."""
    from nndl_exp.study import settings
    from nndl_exp.study.looks import looks_at_study

    data = settings.load(found.folder, found.config.output).data
    looks = looks_at_study(found.config, found.name, data)
    if not looks:
        return None
    said = []
    for look in looks:
        interval = ""
        if look.low is not None and look.high is not None:
            interval = f" (95 % interval {100 * look.low:.2f} to {100 * look.high:.2f} %)"
        said.append(f"{look.text()}{interval} of {look.images:,} {look.noun}, at {look.run}, "
                    f"{look.when}")  # fmt: skip
    return "; ".join(said)


def _log(found: "Summary", path: Path, tracking: TrackingConfig, console: "Console") -> None:
    """Keep the page with the study's run in MLflow."""
    from nndl_exp.tracking import TrackingOutage
    from nndl_exp.tracking.mlflow_view import MlflowView

    try:
        view = MlflowView(found.config.output, tracking, found.config.run.dataset.title)
        run = view.find(found.name)
        if run is not None:
            view.log_files(run, [path], path.parent)
    except (UserError, TrackingOutage) as e:
        console.print(f"MLflow does not keep the page: {e}")


@one_line_errors
def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    command(arguments, standalone_mode=False)


if __name__ == "__main__":
    main()
