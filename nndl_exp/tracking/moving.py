"""MLflow's database of an output folder that was moved.

The place of an experiment's artifacts can't be changed. So ``sync`` gives the experiment another
name, shows all runs in a new one, takes over the names and descriptions that users wrote, and
deletes the old one as MLflow's UI does, which can be undone (``mlflow experiments restore``).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nndl_exp.config import TrackingConfig
from nndl_exp.tracking.client import MOVED, moved, open_client, outages, search
from nndl_exp.tracking.notes import DESCRIPTION, WRITTEN, digest
from nndl_exp.tracking.tracker import RUN_TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run


@contextmanager
def followed(output: Path, tracking: TrackingConfig) -> Iterator[None]:
    """Around showing all runs again: the experiments of a folder that was moved give way to new
    ones, which then get what users wrote.

    Raises:
        UserError: MLflow does not answer.
        TrackingOutage: it stopped answering.
    """
    client = open_client(output, tracking)
    if tracking.uri is not None:
        yield
        return
    with outages():
        _rename(client, moved(client, output))
    yield
    with outages():
        _replace(client, [experiment.experiment_id for experiment in moved(client, output)])


def _rename(client: "MlflowClient", left: "list[Experiment]") -> None:
    """Make way for new experiments where the old ones have their artifacts elsewhere."""
    for experiment in left:
        if MOVED not in experiment.tags:
            name = f"{experiment.name} (moved {experiment.experiment_id})"
            client.rename_experiment(experiment.experiment_id, name)
            client.set_experiment_tag(experiment.experiment_id, MOVED, "true")


def _replace(client: "MlflowClient", left: list[str]) -> None:
    """Take over what users wrote from the experiments that were left, and delete those."""
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
