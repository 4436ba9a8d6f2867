"""Choosing where runs are shown."""

from typing import TYPE_CHECKING

from nndl_exp.config import TrackingConfig
from nndl_exp.errors import UserError

if TYPE_CHECKING:  # MLflow and the records are heavy; an error line needs neither
    from nndl_exp.datasets import Dataset
    from nndl_exp.records import RunDirectory
    from nndl_exp.tracking.mlflow_view import MlflowView
    from nndl_exp.tracking.none import NoTracking
    from nndl_exp.training.accuracy import Measure


def outage_line(why: str, output: str, tracking: TrackingConfig) -> str:
    """What is said at the end of a command where MLflow stopped answering."""
    from nndl_exp.display.commands import Commands

    again = Commands(output, tracking).sync()
    return f"MLflow did not answer ({why}); nothing is lost: {again} shows it there later"


def make_tracker(
    output: str, tracking: TrackingConfig, experiment: str, measure: "Measure | None" = None
) -> "MlflowView | NoTracking":
    """MLflow, or nothing; ``measure`` is what accuracy means in the experiment.

    Raises:
        UserError: MLflow does not answer.
    """
    from nndl_exp.tracking.mlflow_view import MlflowView
    from nndl_exp.tracking.none import NoTracking

    if tracking.name == "none":
        return NoTracking()
    return MlflowView(output, tracking, experiment, measure)


def show_run(
    output: str, tracking: TrackingConfig, name: str, directory: "RunDirectory", dataset: "Dataset"
) -> str | None:
    """Show a run that has been trained; why MLflow does not show it, None if it does."""
    from nndl_exp.run import measure_of
    from nndl_exp.tracking import TrackingOutage
    from nndl_exp.tracking.captions import run_caption

    config = directory.config()
    try:
        tracker = make_tracker(output, tracking, config.dataset.title, measure_of(config))
        caption = run_caption(name, directory, dataset, output)
        tracker.log_run(name, directory, dataset, caption)
    except (UserError, TrackingOutage) as e:
        return str(e)
    return None
