"""MLflow's database of an output folder that was moved.

The place of an experiment's artifacts can't be changed. So ``sync`` gives the experiment another
name, shows all runs in a new one, takes over the names and descriptions that users wrote, and
deletes the old one as MLflow's UI does, which can be undone (``mlflow experiments restore``).
"""

from pathlib import Path
from typing import TYPE_CHECKING

from nndl_exp.config import TrackingConfig
from nndl_exp.tracking.client import MOVED, connect, moved, open_client, outages, search
from nndl_exp.tracking.notes import DESCRIPTION, WRITTEN, digest
from nndl_exp.tracking.tracker import RUN_TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


def leave(output: Path, tracking: TrackingConfig) -> None:
    """Make way for new experiments where the old ones have their artifacts elsewhere.

    Raises:
        UserError: MLflow does not answer.
    """
    client = open_client(output, tracking)
    if tracking.uri is not None:
        return
    with outages():
        for experiment in moved(client, output):
            if MOVED not in experiment.tags:
                name = f"{experiment.name} (moved {experiment.experiment_id})"
                client.rename_experiment(experiment.experiment_id, name)
                client.set_experiment_tag(experiment.experiment_id, MOVED, "true")


def follow(output: Path, tracking: TrackingConfig) -> None:
    """Take over what users wrote from the experiments that were left, and delete those.

    Raises:
        UserError: MLflow does not answer.
    """
    client = connect(output, tracking)
    if tracking.uri is not None:
        return
    with outages():
        left = [experiment.experiment_id for experiment in moved(client, output)]
        there = [experiment.experiment_id for experiment in client.search_experiments()]
        new = [experiment_id for experiment_id in there if experiment_id not in left]
        now = {run.data.tags.get(RUN_TAG): run for run in search(client, new)} if left else {}
        for old in search(client, left) if left else ():
            if (run := now.get(old.data.tags.get(RUN_TAG, ""))) is not None:
                _take_over(client, old, run)
        _forget_versions(client, left)
        for experiment_id in left:
            client.delete_experiment(experiment_id)


def _take_over(client: "MlflowClient", old: "Run", run: "Run") -> None:
    """Give a run the name, the description and the other tags that users gave the old one."""
    name, _, text = old.data.tags.get(WRITTEN, "").partition(" ")
    run_id = run.info.run_id
    if digest(old.info.run_name or "") != name:
        client.update_run(run_id, name=old.info.run_name)
    for key, value in old.data.tags.items():
        is_own = key in run.data.tags or key.startswith(("mlflow.", "nndl."))
        if not is_own or (key == DESCRIPTION and digest(value) != text):
            client.set_tag(run_id, key, value)


def _forget_versions(client: "MlflowClient", experiments: list[str]) -> None:
    """Delete the versions of registered models that come from runs of these experiments."""
    for version in client.search_model_versions() if experiments else ():
        run = client.get_run(str(version.run_id))
        if run.info.experiment_id in experiments:
            client.delete_model_version(version.name, version.version)
