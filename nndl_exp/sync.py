"""``python -m nndl_exp.sync``: bring MLflow and Optuna's database up to date with the records."""

from pathlib import Path

import click
from rich.console import Console

from nndl_exp.cli.console import make_screen, progress
from nndl_exp.cli.errors import one_line_errors
from nndl_exp.cli.options import output_option, tracking_option, verbosity_options
from nndl_exp.config import StorageConfig, TrackingConfig
from nndl_exp.display.terminal.screen import Screen, Verbosity
from nndl_exp.errors import UserError
from nndl_exp.records import RunDirectory

HELP = "Show every finished run of the output folder in MLflow; what is there already stays."


@click.command(name="python -m nndl_exp.sync", help=HELP)
@output_option
@tracking_option
@verbosity_options
def command(output: str, tracking_uri: str | None, verbosity: Verbosity) -> None:
    """Bring MLflow up to date."""
    if not Path(output).is_dir():
        raise UserError(f"no such folder: {output}")
    screen = make_screen(verbosity)
    tracking = TrackingConfig(uri=tracking_uri)
    studies = sync_studies(Path(output), tracking, screen)
    runs = sync_runs(Path(output), tracking, screen.console)
    sync_looks(Path(output), tracking)
    screen.print(f"MLflow shows {studies} studies and {runs} single runs of {output}")


def sync_studies(output: Path, tracking: TrackingConfig, screen: Screen) -> int:
    """Log all studies of an output folder; how many there are.

    Raises:
        UserError: a study has another format, MLflow stopped answering, or Optuna's database
            refused the trials.
    """
    from nndl_exp.cli.study_tracking import StudyViews
    from nndl_exp.study.settings import check_readable, study_names
    from nndl_exp.study.study import Study

    names, storage = study_names(output), _storage(tracking)
    for name in names:
        check_readable(output / "studies" / name)
    with progress(screen) as bar:
        for name in bar.track(names):
            views = StudyViews(Study.open(output, name, tracking, storage))
            views.show_all()
            if views.missed:
                raise UserError(views.missed)
            if views.outage:
                raise UserError(f"MLflow stopped answering ({views.outage}); try again later")
    return len(names)


def _storage(tracking: TrackingConfig) -> StorageConfig:
    """Where Optuna's tables are: with MLflow's, if those are in PostgreSQL."""
    is_server = (tracking.uri or "").startswith("postgresql")
    return StorageConfig("postgresql", tracking.uri) if is_server else StorageConfig()


def sync_runs(output: Path, tracking: TrackingConfig, console: Console) -> int:
    """Log all single runs of an output folder that have ended; how many there are."""
    from nndl_exp.cli.tracker import show_run
    from nndl_exp.display.figures.run import draw_learning_curves
    from nndl_exp.run import recorded_data

    directories = [RunDirectory(path.parent) for path in output.glob("runs/*/result.json")]
    for directory in directories:
        draw_learning_curves(directory, directory.name)
        dataset = recorded_data(directory)
        if outage := show_run(str(output), tracking, directory.name, directory, dataset):
            raise UserError(f"MLflow stopped answering ({outage}); try again later")
    return len(directories)


def sync_looks(output: Path, tracking: TrackingConfig) -> None:
    """Log what the test set said of runs that were evaluated.

    Raises:
        UserError: MLflow stopped answering, or a file that says it is damaged.
    """
    from nndl_exp.cli.looks import log_look
    from nndl_exp.cli.runs import find_run
    from nndl_exp.records.looks import read_all
    from nndl_exp.tracking import TrackingOutage

    for look in read_all(output):
        try:
            found = find_run(look.run, str(output), tracking)
        except UserError:
            continue  # its folder has been deleted since
        try:
            log_look(found, look, str(output), tracking)
        except TrackingOutage as e:
            raise UserError(f"MLflow stopped answering ({e}); try again later") from None


@one_line_errors
def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    command(arguments, standalone_mode=False)


if __name__ == "__main__":
    main()
