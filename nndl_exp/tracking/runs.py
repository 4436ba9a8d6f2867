"""Single runs in MLflow: to show one, and to find, copy or delete those that are there."""

from pathlib import Path
from typing import TYPE_CHECKING

from nndl_exp.config import TrackingConfig
from nndl_exp.datasets import Dataset
from nndl_exp.errors import UserError
from nndl_exp.records import RunDirectory
from nndl_exp.records.run_directory import RECORD
from nndl_exp.run import measure_of
from nndl_exp.tracking import TrackingOutage
from nndl_exp.tracking.client import connect, delete_artifacts, outages, search
from nndl_exp.tracking.notes import run_note
from nndl_exp.tracking.tracker import RUN_TAG, Tracker

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


def show_run(
    output: str, tracking: TrackingConfig, directory: RunDirectory, dataset: Dataset
) -> str:
    """Show a run that has been trained by itself, and return the part of the UI's address that
    shows its experiment.

    Raises:
        UserError: MLflow does not answer.
        TrackingOutage: it stopped answering.
    """
    config, name = directory.config(), directory.name
    tracker = Tracker(output, tracking, config.dataset.title, measure_of(config))
    tracker.log_run(name, directory, dataset, run_note(name, directory, dataset, output))
    return tracker.page


def log_report(output: str, tracking: TrackingConfig, study: str, title: str, file: Path) -> None:
    """Keep a study's report with its run, if MLflow has it.

    Raises:
        UserError: MLflow does not answer.
        TrackingOutage: it stopped answering.
    """
    Tracker(output, tracking, title).log_files(study, [file], file.parent)


def name_of_run(output: Path | str, tracking: TrackingConfig, run_id: str) -> str | None:
    """Our name of an MLflow run, None where MLflow has no such run of ours."""
    client = connect(output, tracking)
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
    client = connect(output, tracking)
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
        delete_artifacts(output, model.artifact_location)
    client.delete_run(run.info.run_id)
    delete_artifacts(output, str(run.info.artifact_uri))


def _runs_of(client: "MlflowClient", experiment: str, name: str) -> "list[Run]":
    """The runs of a study, its stages and its trials, which are tagged NAME, NAME/..."""
    runs = search(client, [experiment])
    return [run for run in runs if run.data.tags.get(RUN_TAG, "").split("/")[0] == name]


def download_record(
    output: Path | str, tracking: TrackingConfig, run_id: str, folder: Path
) -> None:
    """Copy a run's record, and nothing else, from MLflow's artifacts.

    Raises:
        UserError: MLflow stopped answering.
    """
    client = connect(output, tracking)
    folder.mkdir(parents=True)
    try:
        with outages():
            for file in client.list_artifacts(run_id):
                if file.path in RECORD and not file.is_dir:
                    client.download_artifacts(run_id, file.path, str(folder))
    except TrackingOutage as e:
        raise UserError(f"MLflow does not give the record of {run_id} ({e})") from None
