"""MLflow, and Optuna's database for its dashboard: views that ``sync`` rebuilds from the records.

``Tracker`` shows runs in one experiment of MLflow, ``StudyTracker`` a study while it runs or later.
"""

from nndl_exp.config import TrackingConfig


class TrackingOutage(Exception):
    """MLflow stopped answering. Nothing is lost: ``sync`` brings it up to date later."""


def outage_line(why: str, output: str, tracking: TrackingConfig) -> str:
    """The last line of a command during which MLflow stopped answering."""
    from nndl_exp.display.commands import Commands

    again = Commands(output, tracking).sync()
    return f"MLflow did not answer ({why}); nothing is lost: {again} shows it there later"
