"""``python -m nndl_exp.sync``: bring MLflow and Optuna's database up to date with the records."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from nndl_exp.cli.console import make_screen, progress
from nndl_exp.cli.errors import command_line
from nndl_exp.cli.options import output_option, tracking_option, verbosity_options
from nndl_exp.config import StorageConfig, TrackingConfig
from nndl_exp.display.terminal.screen import Screen, Verbosity
from nndl_exp.errors import UserError
from nndl_exp.records import RunDirectory

HELP = """Show every finished run of the output folder in MLflow; what is there already stays, with
the names and descriptions that you gave it.

A study that is running is left out: the process that runs it shows it.
"""


@click.command(name="python -m nndl_exp.sync", help=HELP)
@output_option
@tracking_option
@verbosity_options
def command(output: str, tracking_uri: str | None, verbosity: Verbosity) -> None:
    """Bring MLflow up to date."""
    from nndl_exp.study.settings import check_readable, study_names
    from nndl_exp.tracking import moving

    folder, tracking = Path(output), TrackingConfig(uri=tracking_uri)
    if not folder.is_dir():
        raise UserError(f"no such folder: {output}")
    for name in study_names(folder):
        check_readable(folder / "studies" / name)
    screen = make_screen(verbosity)
    with _no_outage(), moving.followed(folder, tracking):
        studies = sync_studies(folder, tracking, screen)
        runs = sync_runs(folder, tracking)
        sync_looks(folder, tracking)
    screen.print(f"MLflow shows {studies} studies and {runs} single runs of {output}")


@contextmanager
def _no_outage() -> Iterator[None]:
    from nndl_exp.tracking import TrackingOutage

    try:
        yield
    except TrackingOutage as e:
        raise UserError(f"MLflow stopped answering ({e}); try again later") from None


def sync_studies(output: Path, tracking: TrackingConfig, screen: Screen) -> int:
    """Log the studies of an output folder that are not running, and return how many there are.

    Raises:
        UserError: Optuna's database refused the trials.
        TrackingOutage: MLflow stopped answering.
    """
    from nndl_exp.study.running.members import Leadership, is_running
    from nndl_exp.study.settings import study_names

    names, shown = study_names(output), 0
    with progress(screen) as bar:
        for name in bar.track(names):
            folder = output / "studies" / name
            leadership = Leadership(folder)
            if is_running(folder) or not leadership.take():
                screen.tell(f"left out {name}: it is running; repeat the command when it has ended")
                continue
            try:
                _sync_study(output, name, tracking)
            finally:
                leadership.release()
            shown += 1
    return shown


def _sync_study(output: Path, name: str, tracking: TrackingConfig) -> None:
    from nndl_exp.study.study import Study
    from nndl_exp.tracking import TrackingOutage
    from nndl_exp.tracking.study import StudyTracker

    # Optuna's tables are with MLflow's, if those are in PostgreSQL.
    is_server = (tracking.uri or "").startswith("postgresql")
    storage = StorageConfig("postgresql", tracking.uri) if is_server else StorageConfig()
    tracker = StudyTracker(Study.open(output, name, tracking, storage))
    tracker.show_all()
    if tracker.missed:
        raise UserError(tracker.missed)
    if tracker.outage:
        raise TrackingOutage(tracker.outage)


def sync_runs(output: Path, tracking: TrackingConfig) -> int:
    """Log the single runs of an output folder that have ended, and return how many there are.

    Raises:
        UserError: MLflow does not answer.
        TrackingOutage: it stopped answering.
    """
    from nndl_exp.display.figures.run import draw_learning_curves
    from nndl_exp.run import recorded_data
    from nndl_exp.tracking.runs import show_run

    directories = [RunDirectory(path.parent) for path in output.glob("runs/*/result.json")]
    for directory in directories:
        draw_learning_curves(directory, directory.name)
        show_run(str(output), tracking, directory, recorded_data(directory))
    return len(directories)


def sync_looks(output: Path, tracking: TrackingConfig) -> None:
    """Log the looks at the test set.

    Raises:
        UserError: MLflow does not answer, or a file that keeps looks is damaged.
        TrackingOutage: it stopped answering.
    """
    from nndl_exp.cli.runs import find_run
    from nndl_exp.records.looks import read_all
    from nndl_exp.tracking.looks import log_look

    for look in read_all(output):
        try:
            found = find_run(look.run, str(output), tracking)
        except UserError:
            continue  # its folder has been deleted since
        log_look(look, found.directory, str(output), tracking, found.mlflow_id)


main = command_line(command)


if __name__ == "__main__":
    main()
