"""Runs that MLflow has, by their ids and names: to be found, copied, deleted."""

from pathlib import Path
from typing import TYPE_CHECKING

from nndl_exp.config import TrackingConfig
from nndl_exp.errors import UserError
from nndl_exp.records.run_directory import RECORD
from nndl_exp.tracking import TrackingOutage
from nndl_exp.tracking import client as mlflow_client
from nndl_exp.tracking.mlflow_view import RUN_TAG, outages

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


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
    found, token = [], None
    while True:
        page = client.search_runs([experiment], max_results=1000, page_token=token)
        for run in page:
            if run.data.tags.get(RUN_TAG, "").split("/")[0] == name:
                found.append(run)
        token = page.token
        if not token:
            return found


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
