"""Choosing where runs are shown."""

from nndl_exp.config import TrackingConfig
from nndl_exp.tracking.mlflow_view import MlflowView
from nndl_exp.tracking.none import NoTracking


def make_tracker(output: str, tracking: TrackingConfig, experiment: str) -> MlflowView | NoTracking:
    """MLflow, or nothing.

    Raises:
        UserError: MLflow does not answer.
    """
    if tracking.name == "none":
        return NoTracking()
    return MlflowView(output, tracking, experiment)
