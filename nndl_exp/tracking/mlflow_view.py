"""Runs and studies as MLflow shows them, made from the run directories.

Everything here can be done again at any time: what MLflow has already stays as it is.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nndl_exp.config import TrackingConfig, flatten, to_mapping
from nndl_exp.datasets import Dataset
from nndl_exp.errors import UserError
from nndl_exp.records import Result, RunDirectory
from nndl_exp.run import measure_of
from nndl_exp.tracking import TrackingOutage
from nndl_exp.tracking import client as mlflow_client
from nndl_exp.tracking.model import log_model

if TYPE_CHECKING:
    from mlflow.entities import Metric, Param, Run

RUN_TAG, STUDY_TAG = "nndl.run", "nndl.study"
_LOGGED, _DRAWN = "nndl.logged", "nndl.drawn"
_STATUS = {"complete": "FINISHED", "pruned": "KILLED", "diverged": "FAILED", "failed": "FAILED"}
_METRICS_AT_ONCE = 800
"""MLflow makes several batches of one that has more than 1,000 metrics, params and tags."""
_CURVES = ("training_cost", "training_accuracy", "validation_cost", "validation_accuracy")


@dataclass
class Child:
    """A run that MLflow has: its id, where its files lie, the weights it was logged with, and
    whether it is drawn."""

    run_id: str
    artifacts: str = ""
    logged: str | None = None
    drawn: bool = False


@dataclass(frozen=True)
class Parent:
    """The MLflow run of a study: its name, its id, and the runs it has already, by name."""

    name: str
    run_id: str
    children: dict[str, Child]


class MlflowView:
    """One MLflow experiment, to which runs and studies are logged.

    Raises:
        UserError: MLflow does not answer.
    """

    def __init__(self, output: Path | str, tracking: TrackingConfig, experiment: str) -> None:
        self._output, self._tracking = output, tracking
        self._client = mlflow_client.connect(output, tracking)
        name = tracking.experiment or experiment
        try:
            with outages():
                self._experiment = mlflow_client.experiment(self._client, output, tracking, name)
        except TrackingOutage as e:
            raise UserError(f"MLflow can't make the experiment {name} ({e})") from None

    def open_study(
        self,
        name: str,
        settings: dict[str, Any],
        text: str,
        started: float,
        inside: str | None = None,
    ) -> Parent:
        """The parent run of a study, created if it is not there, and running from now on.

        ``started`` is when the study began, in seconds since 1970, ``inside`` the id of the run
        that it stands below: a stage's.

        Raises:
            TrackingOutage: MLflow does not answer.
        """
        tags = {RUN_TAG: name, "mlflow.note.content": text}
        if inside is not None:
            tags["mlflow.parentRunId"] = inside
        with outages():
            parents = self._search(_tagged(RUN_TAG, name))
            run = next(parents, None) or self._client.create_run(
                self._experiment, int(started * 1000), tags, run_name=_shown(name, bool(inside))
            )
            run_id = str(run.info.run_id)
            self._client.update_run(run_id, status="RUNNING")
            self._client.log_batch(run_id, params=_params(settings))
            children = {
                child.data.tags[RUN_TAG]: _child(child)
                for child in self._search(_tagged(STUDY_TAG, name))
            }
        return Parent(name, run_id, children)

    def close_study(
        self, parent: Parent, *, complete: bool, tags: dict[str, str], metrics: dict[str, float]
    ) -> None:
        """Say how a study stands, and end its parent run."""
        with outages():
            for key, value in tags.items():
                self._client.set_tag(parent.run_id, key, value)
            self._log_new(parent.run_id, metrics)
            self._client.set_terminated(parent.run_id, "FINISHED" if complete else "KILLED")

    def log_file(self, run_id: str, path: Path, folder: str = "") -> None:
        """Keep a file with a run, in a folder of its files."""
        with outages():
            self._client.log_artifact(run_id, str(path), folder or None)

    def log_figure(self, child: Child, path: Path) -> None:
        """Keep a picture with a run, unless it has it."""
        if child.drawn:
            return
        with outages():
            self._artifacts(child).log_artifact(str(path))
            self._client.set_tag(child.run_id, _DRAWN, path.name)
        child.drawn = True

    def log_run(
        self, name: str, directory: RunDirectory, dataset: Dataset, parent: Parent | None = None
    ) -> Child:
        """Log a settled run, unless it is there already.

        Doing it again where it was cut short adds nothing twice: the times of metrics are those of
        the record, and params, tags and files are what they were.

        Raises:
            TrackingOutage: MLflow does not answer.
        """
        result = directory.result()
        assert result is not None
        with outages():
            child = self._find(name, parent) or self._create(name, result, parent)
            if child.logged != result.weights["last"]:
                self._fill(child, directory, result, dataset)
        if parent is not None:
            parent.children[name] = child
        return child

    def _fill(
        self, child: Child, directory: RunDirectory, result: Result, dataset: Dataset
    ) -> None:
        from mlflow.entities import RunTag

        params, metrics = _params(to_mapping(directory.config())), list(_metrics(directory, result))
        self._log_dataset(child.run_id, dataset)
        self._artifacts(child).log_artifacts(str(directory.path))
        tags = {
            "nndl.state": result.state,
            "nndl.reason": result.reason,
            "nndl.weights_sha256": result.weights["best"],
            _LOGGED: result.weights["last"],
        }
        self._client.log_batch(child.run_id, metrics[_METRICS_AT_ONCE:])
        self._client.log_batch(child.run_id, metrics[:_METRICS_AT_ONCE], params)
        self._end(child.run_id, result)
        # Last: what was cut short before is done again, until the run has ended there too.
        self._client.log_batch(child.run_id, tags=[RunTag(*tag) for tag in tags.items()])
        child.logged = result.weights["last"]

    def _end(self, run_id: str, result: Result) -> None:
        status, ended = _STATUS[result.state], int(result.ended * 1000)
        self._client.set_terminated(run_id, status, ended)

    def log_model(self, run_id: str, directory: RunDirectory) -> None:
        """Store the run's best network as an MLflow model, unless that has been done."""
        result = directory.result()
        assert result is not None
        with outages():
            if not self._has_model(run_id):
                log_model(self._output, self._tracking, run_id, directory)
            # Logging a model opens the run again, and ends it now; or was cut short before that.
            self._end(run_id, result)

    def _has_model(self, run_id: str) -> bool:
        from mlflow.entities import LoggedModelStatus

        outputs = self._client.get_run(run_id).outputs
        models = [output.model_id for output in outputs.model_outputs] if outputs else []
        ready = LoggedModelStatus.READY  # the others were cut short
        return any(self._client.get_logged_model(model).status == ready for model in models)

    def log_test(self, run_id: str, metrics: dict[str, float]) -> None:
        """Add what the test set said."""
        with outages():
            self._log_new(run_id, metrics)

    def _log_new(self, run_id: str, metrics: dict[str, float]) -> None:
        # MLflow would keep a value again that is the last one already.
        there = self._client.get_run(run_id).data.metrics
        for name, value in metrics.items():
            if there.get(name) != value:
                self._client.log_metric(run_id, name, value)

    @property
    def page(self) -> str:
        """The part of the UI's address that shows this experiment's runs."""
        return f"#/experiments/{self._experiment}/runs?workflowType=machine_learning"

    def find(self, name: str) -> str | None:
        """The MLflow id of a run of ours, None where MLflow does not have it."""
        with outages():
            run = next(self._search(_tagged(RUN_TAG, name)), None)
        return str(run.info.run_id) if run else None

    def _find(self, name: str, parent: Parent | None) -> Child | None:
        if parent is not None:
            return parent.children.get(name)
        run = next(self._search(_tagged(RUN_TAG, name)), None)
        return _child(run) if run else None

    def _create(self, name: str, result: Result, parent: Parent | None) -> Child:
        tags = {RUN_TAG: name}
        if parent is not None:
            tags |= {STUDY_TAG: parent.name, "mlflow.parentRunId": parent.run_id}
            tags["nndl.trial"] = name.rpartition("/")[2]
        start = int(result.started * 1000)
        run = self._client.create_run(
            self._experiment, start, tags, run_name=_shown(name, name.count("/") > 1)
        )
        return _child(run)

    def _artifacts(self, child: Child) -> Any:
        # The client would ask for the whole run again, to learn where its files lie.
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        uri = mlflow_client.tracking_uri(self._output, self._tracking)
        return get_artifact_repository(child.artifacts, tracking_uri=uri)

    def _log_dataset(self, run_id: str, dataset: Dataset) -> None:
        from mlflow.entities import Dataset as Entity
        from mlflow.entities import DatasetInput, InputTag

        digest = dataset.sha256[:32]
        entity = Entity(dataset.name, digest, "code", f'{{"name": "{dataset.name}"}}')
        tag = InputTag("mlflow.data.context", "training")
        self._client.log_inputs(run_id, [DatasetInput(entity, [tag])])

    def _search(self, condition: str) -> Iterator["Run"]:
        token: str | None = None
        while True:
            page = self._client.search_runs(
                [self._experiment], condition, max_results=1000, page_token=token
            )
            yield from page
            token = page.token
            if not token:
                return


@contextmanager
def outages() -> Iterator[None]:
    """Turn MLflow's failures into ``TrackingOutage``, without the address that they may name."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as e:
        raise TrackingOutage(type(e).__name__) from None


def _tagged(tag: str, name: str) -> str:
    """MLflow's condition for runs with a tag; its language can't quote both kinds of quotes."""
    quote = '"' if "'" in name else "'"
    return f"tags.`{tag}` = {quote}{name.replace(quote, '')}{quote}"


def _child(run: "Run") -> Child:
    tags = run.data.tags
    return Child(
        str(run.info.run_id), str(run.info.artifact_uri), tags.get(_LOGGED), _DRAWN in tags
    )


def _shown(name: str, in_stages: bool) -> str:
    """How the UI's narrow column shows a run: below a study in stages without the study's name."""
    return name.partition("/")[2] if in_stages else name


def _params(settings: dict[str, Any]) -> list["Param"]:
    from mlflow.entities import Param

    return [Param(name, str(value)) for name, value in flatten(settings)]


def _metrics(directory: RunDirectory, result: Result) -> Iterator["Metric"]:
    """Every number of every epoch, with times that are the same whenever this is done again."""
    from mlflow.entities import Metric

    elapsed, shown = 0.0, measure_of(directory.config()).renamed
    for epoch in directory.epochs():
        elapsed += epoch.seconds
        time = int((result.started + elapsed) * 1000)
        values = {shown(name): getattr(epoch, name) for name in _CURVES}
        values |= {"eta": epoch.eta, "seconds": epoch.seconds}
        for name, value in values.items():
            if math.isfinite(value):
                yield Metric(name, value, time, epoch.number)
        for number, layer in enumerate(epoch.layers, 1):
            for name, value in vars(layer).items():
                if math.isfinite(value):
                    yield Metric(f"layer_{number}/{name}", value, time, epoch.number)
        for moment in epoch.within:  # the step counts images here
            for name in _CURVES:
                if math.isfinite(value := getattr(moment, name)):
                    yield Metric(f"within_epochs/{shown(name)}", value, time, moment.images)
    for name in ("validation_accuracy", "validation_cost"):
        if (value := getattr(result, name)) is not None:
            yield Metric(f"best_{shown(name)}", value, int(result.ended * 1000), result.best or 0)
