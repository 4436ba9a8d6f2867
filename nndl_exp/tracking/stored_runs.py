"""Runs that MLflow has, by their ids and names: to be found, copied, deleted, and the looks at the
test set that are kept with them."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nndl_exp.config import TrackingConfig
from nndl_exp.errors import UserError
from nndl_exp.records.looks import Look
from nndl_exp.records.run_directory import RECORD
from nndl_exp.tracking import TrackingOutage
from nndl_exp.tracking import client as mlflow_client
from nndl_exp.tracking.mlflow_view import LOGGED, RUN_TAG, outages, tagged

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

LOOK_TAG = "nndl.test_set"


def name_of_run(output: Path | str, tracking: TrackingConfig, run_id: str) -> str | None:
    """Our name of an MLflow run, None where MLflow has no such run of ours."""
    client = mlflow_client.connect(output, tracking)
    from mlflow.exceptions import MlflowException

    try:
        return str(client.get_run(run_id).data.tags[RUN_TAG])
    except (MlflowException, KeyError):
        return None


def delete_runs(output: Path | str, tracking: TrackingConfig, name: str) -> None:
    """Delete a study's runs, with those of its stages and trials, their artifacts, and its
    registered model.

    Raises:
        UserError: MLflow does not answer.
    """
    client = mlflow_client.connect(output, tracking)
    try:
        with outages():
            for model in client.search_registered_models(f"name = '{name}'"):
                client.delete_registered_model(model.name)
            for experiment in client.search_experiments():
                for run in _runs_of(client, experiment.experiment_id, name):
                    _delete(client, output, run)
    except TrackingOutage as e:
        raise UserError(f"MLflow does not delete the runs of {name} ({e})") from None


def _delete(client: "MlflowClient", output: Path | str, run: "Run") -> None:
    for logged in run.outputs.model_outputs if run.outputs else []:
        model = client.get_logged_model(logged.model_id)
        client.delete_logged_model(model.model_id)
        mlflow_client.delete_artifacts(output, model.artifact_location)
    client.delete_run(run.info.run_id)
    mlflow_client.delete_artifacts(output, str(run.info.artifact_uri))


def _runs_of(client: "MlflowClient", experiment: str, name: str) -> "list[Run]":
    """The runs of a study, its stages and its trials, which are tagged NAME, NAME/..."""
    runs = _search(client, [experiment])
    return [run for run in runs if run.data.tags.get(RUN_TAG, "").split("/")[0] == name]


def _search(client: "MlflowClient", experiments: list[str], condition: str = "") -> "Iterator[Run]":
    token: str | None = None
    while True:
        page = client.search_runs(experiments, condition, max_results=1000, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


class StoredLooks:
    """The looks at the test set that MLflow keeps, each as a tag of the run that was evaluated.

    Raises:
        UserError: MLflow does not answer.
    """

    def __init__(self, output: Path | str, tracking: TrackingConfig) -> None:
        self._client = mlflow_client.connect(output, tracking)

    def looks(self) -> list[Look]:
        """All of them, the first one first.

        Raises:
            TrackingOutage: MLflow stopped answering.
            UserError: a tag is damaged.
        """
        with outages():
            found = list(self._runs(f"tags.`{LOOK_TAG}` LIKE '%'"))
        return sorted(map(_look, found), key=lambda look: look.when)

    def run_called(self, name: str) -> str | None:
        """The id of a run by our name of it, None where MLflow does not have it."""
        with outages():
            run = next(self._runs(tagged(RUN_TAG, name)), None)
        return str(run.info.run_id) if run else None

    def is_finished(self, study: str) -> bool:
        """Whether a study has ended, as far as MLflow knows; a single run always has."""
        with outages():
            run = next(self._runs(tagged(RUN_TAG, study)), None)
        if run is None or LOGGED in run.data.tags:
            return True
        return run.info.status != "RUNNING" and run.data.tags.get("state") == "complete"

    def log(self, run_id: str, look: Look, metrics: Mapping[str, float]) -> None:
        """Keep a look with a run, and show its numbers among the run's metrics.

        Raises:
            TrackingOutage: MLflow stopped answering.
        """
        from mlflow.entities import Metric

        with outages():
            self._client.set_tag(run_id, LOOK_TAG, look.to_json())
            # MLflow would keep a value again that is the last one already.
            there, now = self._client.get_run(run_id).data.metrics, int(time.time() * 1000)
            new = [Metric(k, v, now, 0) for k, v in metrics.items() if there.get(k) != v]
            self._client.log_batch(run_id, new)

    def forget(self, run_id: str) -> None:
        """Take a look back that nobody was shown."""
        with outages():
            self._client.delete_tag(run_id, LOOK_TAG)

    def _runs(self, condition: str) -> "Iterator[Run]":
        experiments = [e.experiment_id for e in self._client.search_experiments()]
        return _search(self._client, experiments, condition)


def _look(run: "Run") -> Look:
    try:
        return Look.from_json(run.data.tags[LOOK_TAG])
    except (ValueError, TypeError):
        raise UserError(f"the tag {LOOK_TAG} of run {run.info.run_id} is damaged") from None


def download_record(
    output: Path | str, tracking: TrackingConfig, run_id: str, folder: Path
) -> None:
    """Copy a run's record, and nothing else, from MLflow's artifacts.

    Raises:
        UserError: MLflow stopped answering.
    """
    client = mlflow_client.connect(output, tracking)
    folder.mkdir(parents=True)
    try:
        with outages():
            for file in client.list_artifacts(run_id):
                if file.path in RECORD and not file.is_dir:
                    client.download_artifacts(run_id, file.path, str(folder))
    except TrackingOutage as e:
        raise UserError(f"MLflow does not give the record of {run_id} ({e})") from None
