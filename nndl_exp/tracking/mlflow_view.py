"""Runs and studies as MLflow shows them, made from the run directories.

Everything here can be done again at any time: what MLflow has already stays as it is.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nndl_exp.config import TrackingConfig, to_mapping
from nndl_exp.datasets import Dataset
from nndl_exp.errors import UserError
from nndl_exp.records import Result, RunDirectory
from nndl_exp.tracking import TrackingOutage, entities
from nndl_exp.tracking import client as mlflow_client
from nndl_exp.tracking.caption import IDENTITY, Caption
from nndl_exp.tracking.model import crown, log_model, model_of
from nndl_exp.tracking.saved_view import KEY, save_view
from nndl_exp.training.accuracy import Measure, measure_for

if TYPE_CHECKING:
    from mlflow.entities import Run, RunTag

RUN_TAG, STUDY_TAG, LOGGED = "nndl.run", "nndl.study", "nndl.logged"
_BEST = "best"
_LAYOUT = 3
"""To be raised when runs are shown in another way, so that ``sync`` shows older ones anew."""

_STATUS = {"complete": "FINISHED", "pruned": "KILLED", "diverged": "FAILED", "failed": "FAILED"}
_METRICS_AT_ONCE = 800
"""MLflow makes several batches of one that has more than 1,000 metrics, params and tags."""


@dataclass
class Child:
    """A run that MLflow has: its id, where its files lie, as what it was logged, and whether it is
    marked as the best of its study."""

    run_id: str
    artifacts: str = ""
    logged: str | None = None
    best: bool = False


@dataclass(frozen=True)
class Parent:
    """The MLflow run of a study: its name, itself, and the runs it has already, by name."""

    name: str
    run: Child
    children: dict[str, Child]


class MlflowView:
    """One MLflow experiment, to which runs and studies are logged.

    Raises:
        UserError: MLflow does not answer.
    """

    def __init__(
        self,
        output: Path | str,
        tracking: TrackingConfig,
        experiment: str,
        measure: Measure | None = None,
    ) -> None:
        self._output, self._tracking = output, tracking
        self._client = mlflow_client.connect(output, tracking)
        name = tracking.experiment or experiment
        try:
            with outages():
                self._experiment = mlflow_client.experiment(self._client, output, tracking, name)
                save_view(self._client, self._experiment, measure or measure_for("auto"))
        except TrackingOutage as e:
            raise UserError(f"MLflow can't make the experiment {name} ({e})") from None

    def open_study(
        self,
        name: str,
        settings: Mapping[str, Any],
        caption: Caption,
        started: float,
        inside: str | None = None,
    ) -> Parent:
        """The parent run of a study, created if it is not there, and running from now on.

        ``started`` is when the study began, in seconds since 1970, ``inside`` the id of the run
        that it stands below: a stage's.

        Raises:
            TrackingOutage: MLflow does not answer.
        """
        tags = {RUN_TAG: name, **caption.all_tags()}
        if inside is not None:
            tags["mlflow.parentRunId"] = inside
        with outages():
            run = next(self._search(tagged(RUN_TAG, name)), None)
            if run is not None and run.data.tags.get(IDENTITY) != caption.tags.get(IDENTITY):
                self._set_aside(name, run.info.run_id)
                run = None
            if run is None:
                run = self._client.create_run(
                    self._experiment, int(started * 1000), tags, run_name=caption.shown_name
                )
            else:
                self._client.update_run(run.info.run_id, status="RUNNING", name=caption.shown_name)
                self._client.set_tag(run.info.run_id, "state", "not complete")
            self._client.log_batch(run.info.run_id, params=entities.params(settings))
            children = {  # also below a new one: somebody may have deleted the old one alone
                child.data.tags[RUN_TAG]: _child(child)
                for child in self._search(tagged(STUDY_TAG, name))
            }
        return Parent(name, _child(run), children)

    def _set_aside(self, name: str, run_id: str) -> None:
        """Rename the runs of a study whose name another study has now, and those below it."""
        other = f"{name}~{run_id[:6]}"
        for run in list(self._search(f"tags.`{RUN_TAG}` LIKE '{name}%'")):
            for tag in (RUN_TAG, STUDY_TAG):
                first, slash, rest = run.data.tags.get(tag, "").partition("/")
                if first == name:
                    self._client.set_tag(run.info.run_id, tag, f"{other}{slash}{rest}")
        self._client.update_run(run_id, name=other)

    def close_study(
        self, parent: Parent, *, complete: bool, caption: Caption, metrics: Mapping[str, float]
    ) -> None:
        """Say how a study stands, and end its parent run."""
        run_id = parent.run.run_id
        tags = {**caption.all_tags(), "state": "complete" if complete else "not complete"}
        with outages():
            self._log_new(run_id, metrics, _tags(tags))
            self._client.set_terminated(run_id, "FINISHED" if complete else "KILLED")

    def mark_best(self, parent: Parent, name: str | None) -> None:
        """Let the tag ``best`` say which run of a study is the best, and of no other."""
        with outages():
            for key, child in parent.children.items():
                if child.best and key != name:
                    self._client.delete_tag(child.run_id, _BEST)
                elif key == name and not child.best:
                    self._client.set_tag(child.run_id, _BEST, "true")
                child.best = key == name

    def log_files(self, run: Child, paths: Iterable[Path], root: Path) -> None:
        """Keep files that lie below ``root`` with a run, under the same names."""
        with outages():
            artifacts = self._artifacts(run)
            for path in paths:
                folder = path.relative_to(root).parent.as_posix()
                artifacts.log_artifact(str(path), None if folder == "." else folder)

    def log_run(
        self,
        name: str,
        directory: RunDirectory,
        dataset: Dataset,
        caption: Caption | None = None,
        parent: Parent | None = None,
    ) -> Child:
        """Log a settled run, unless it is there already; without a caption by its name.

        Doing it again where it was cut short adds nothing twice: the times of metrics are those of
        the record, and params, tags and files are what they were.

        Raises:
            TrackingOutage: MLflow does not answer.
        """
        result, caption = directory.result(), caption or Caption(name)
        assert result is not None
        logged = f"{_LAYOUT} {result.weights['last']}"
        with outages():
            child = self._find(name, parent)
            if child is not None and child.logged != logged:
                self._client.update_run(child.run_id, name=caption.shown_name)
            child = child or self._create(name, caption, result, parent)
            if child.logged != logged:
                tags = _run_tags(result, dataset, caption) | {LOGGED: logged}
                self._fill(child, directory, dataset, tags)
        if parent is not None:
            parent.children[name] = child
        return child

    def _fill(
        self, child: Child, directory: RunDirectory, dataset: Dataset, tags: dict[str, str]
    ) -> None:
        result = directory.result()
        assert result is not None
        config = directory.config()
        params = entities.params(to_mapping(config))
        metrics = list(entities.metrics(directory, result, config))
        self._client.log_inputs(child.run_id, [entities.dataset_input(dataset)])
        self._artifacts(child).log_artifacts(str(directory.path))
        if len(metrics) > _METRICS_AT_ONCE:
            self._client.log_batch(child.run_id, metrics[_METRICS_AT_ONCE:])
        status, ended = _STATUS[result.state], int(result.ended * 1000)
        self._client.set_terminated(child.run_id, status, ended)
        # MLflow writes the tags last: what was cut short before is done again.
        self._client.log_batch(child.run_id, metrics[:_METRICS_AT_ONCE], params, _tags(tags))
        child.logged = tags[LOGGED]

    def log_model(self, child: Child, directory: RunDirectory, caption: Caption) -> None:
        """Store a run's best network as a model, and make that the champion of the registered model
        that ``caption`` is of, unless that has been done."""
        with outages():
            model = model_of(self._client, child.run_id)
            model = model or log_model(self._client, child.run_id, directory)
            crown(self._client, self._tracking, model, caption)

    def _log_new(self, run_id: str, metrics: Mapping[str, float], tags: "list[RunTag]") -> None:
        from mlflow.entities import Metric

        # MLflow would keep a value again that is the last one already.
        there, now = self._client.get_run(run_id).data.metrics, int(time.time() * 1000)
        new = [Metric(k, v, now, 0) for k, v in metrics.items() if there.get(k) != v]
        self._client.log_batch(run_id, new, tags=tags)

    @property
    def page(self) -> str:
        """The part of the UI's address that shows this experiment's runs, the best one first."""
        query = f"workflowType=machine_learning&viewStateShareKey={KEY}"
        return f"#/experiments/{self._experiment}/runs?{query}"

    def find(self, name: str) -> Child | None:
        """A run of ours, None where MLflow does not have it."""
        with outages():
            run = next(self._search(tagged(RUN_TAG, name)), None)
        return _child(run) if run else None

    def _find(self, name: str, parent: Parent | None) -> Child | None:
        if parent is not None:
            return parent.children.get(name)
        return self.find(name)

    def _create(self, name: str, caption: Caption, result: Result, parent: Parent | None) -> Child:
        tags = {RUN_TAG: name}
        if parent is not None:
            tags |= {STUDY_TAG: parent.name, "mlflow.parentRunId": parent.run.run_id}
        start = int(result.started * 1000)
        run = self._client.create_run(self._experiment, start, tags, run_name=caption.shown_name)
        return _child(run)

    def _artifacts(self, child: Child) -> Any:
        # The client would ask for the whole run again, to learn where its files lie.
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        uri = mlflow_client.tracking_uri(self._output, self._tracking)
        return get_artifact_repository(child.artifacts, tracking_uri=uri)

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


def tagged(tag: str, name: str) -> str:
    """MLflow's condition for runs with a tag; its language can't quote both kinds of quotes."""
    quote = '"' if "'" in name else "'"
    return f"tags.`{tag}` = {quote}{name.replace(quote, '')}{quote}"


def _child(run: "Run") -> Child:
    info, tags = run.info, run.data.tags
    return Child(str(info.run_id), str(info.artifact_uri), tags.get(LOGGED), _BEST in tags)


def _run_tags(result: Result, dataset: Dataset, caption: Caption) -> dict[str, str]:
    said = {"state": result.state, "ended_by": result.reason, "dataset": dataset.name}
    return Caption(caption.name, caption.text, said | dict(caption.tags)).all_tags()


def _tags(tags: Mapping[str, str]) -> "list[RunTag]":
    from mlflow.entities import RunTag

    return [RunTag(*tag) for tag in tags.items()]
