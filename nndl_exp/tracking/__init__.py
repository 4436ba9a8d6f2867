"""Showing runs in MLflow. The run directories are the record; what is here is made from them."""


class TrackingOutage(Exception):
    """MLflow stopped answering. Nothing is lost: ``sync`` brings it up to date later."""
