"""Runs and studies in MLflow, made from the run directories.

Everything here is idempotent: what MLflow has already stays as it is, with what a user wrote.
"""

import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nndl_exp.config import TrackingConfig, to_mapping
from nndl_exp.datasets import Dataset
from nndl_exp.errors import UserError
from nndl_exp.records import RunDirectory
from nndl_exp.tracking import TrackingOutage, entities
from nndl_exp.tracking.client import connect, local_folder, outages, search, tagged
from nndl_exp.tracking.experiment import find_or_make, page_of
from nndl_exp.tracking.model import crown, log_model, model_of
from nndl_exp.tracking.notes import DESCRIPTION, IDENTITY, WRITTEN, Note
from nndl_exp.training.accuracy import Measure, measure_for

if TYPE_CHECKING:
    from mlflow.entities import Run, RunTag

RUN_TAG, STUDY_TAG, LOGGED = "nndl.run", "nndl.study", "nndl.logged"
_PARENT, _CHAMPION = "mlflow.parentRunId", "champion"
_LAYOUT = 4
"""To be raised when runs are shown in another way, so that ``sync`` shows older ones anew."""
_STATUS = {"complete": "FINISHED", "pruned": "KILLED", "diverged": "FAILED", "failed": "FAILED"}
_METRICS_AT_ONCE = 800
"""MLflow makes several batches of one that has more than 1,000 metrics, params and tags."""


class Tracker:
    """One experiment of MLflow, to which runs and studies are logged by their names.

    Each method raises TrackingOutage if MLflow does not answer.

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
        self._client = connect(output, tracking)
        self._runs: dict[str, Run] = {}
        name = tracking.experiment or experiment
        try:
            with outages():
                self._experiment = find_or_make(
                    self._client, output, tracking, name, measure or measure_for("auto")
                )
        except TrackingOutage as e:
            raise UserError(f"MLflow can't make the experiment {name} ({e})") from None

    @property
    def page(self) -> str:
        """The part of the UI's address that shows this experiment's runs, the best one first."""
        return page_of(self._experiment)

    def find(self, name: str) -> "Run | None":
        """A run of ours, None where MLflow does not have it."""
        if name not in self._runs:
            with outages():
                for run in search(self._client, [self._experiment], tagged(RUN_TAG, name)):
                    self._runs[name] = run
        return self._runs.get(name)

    def open(
        self,
        name: str,
        settings: Mapping[str, Any],
        note: Note,
        started: float,
        parent: str | None = None,
    ) -> None:
        """Show a study, or a stage of the study ``parent``, as running.

        ``started`` is when its first trial began, in seconds since 1970.
        """
        with outages():
            run = self.find(name)
            if run is not None and run.data.tags.get(IDENTITY) != note.tags.get(IDENTITY):
                self._set_aside(name, run.info.run_id)
                run = None
            if run is None:
                run = self._create(name, note, started, parent)
            else:
                self._client.update_run(run.info.run_id, status="RUNNING")
                self._client.set_tag(run.info.run_id, "state", "not complete")
            self._client.log_batch(run.info.run_id, params=entities.params(settings))
            # Also below a new one: somebody may have deleted the old one alone.
            for child in search(self._client, [self._experiment], tagged(STUDY_TAG, name)):
                self._runs[child.data.tags[RUN_TAG]] = child

    def close(
        self, name: str, *, complete: bool, note: Note, metrics: Mapping[str, float], ended: float
    ) -> None:
        """Show how a study or a stage stands, whose last trial ended at ``ended``."""
        state = {"state": "complete" if complete else "not complete"}
        with outages():
            run = self._client.get_run(self._runs[name].info.run_id)
            self._annotate(run, note, metrics, state)
            status = "FINISHED" if complete else "KILLED"
            self._client.set_terminated(run.info.run_id, status, int(ended * 1000))

    def mark(self, study: str, name: str | None) -> None:
        """Tag a run as the champion of a study, and no other; None tags no run."""
        with outages():
            for run in list(search(self._client, [self._experiment], tagged(_CHAMPION, study))):
                if run.data.tags[RUN_TAG] != name:
                    self._client.delete_tag(run.info.run_id, _CHAMPION)
            if name is not None:
                self._client.set_tag(self._runs[name].info.run_id, _CHAMPION, study)

    def log_model(self, name: str, directory: RunDirectory, note: Note) -> None:
        """Store a run's best network as a model, and make that the champion of the registered model
        that ``note`` is of, unless that has been done."""
        with outages():
            run_id = str(self._runs[name].info.run_id)
            model = model_of(self._client, run_id)
            model = model or log_model(self._client, run_id, directory)
            crown(self._client, self._tracking, model, note)

    def log_files(self, name: str, paths: Iterable[Path], root: Path) -> None:
        """Keep files that lie below ``root`` with a run, under the same names."""
        with outages():
            if (run := self.find(name)) is not None:
                self._keep(run, paths, root)

    def log_run(
        self,
        name: str,
        directory: RunDirectory,
        dataset: Dataset,
        note: Note | None = None,
        parent: str | None = None,
    ) -> str:
        """Log a finished run, unless it is there already, and return its id.

        ``parent`` is the name of the stage that it is a trial of. Doing it again where it was cut
        short adds nothing twice: times are those of the record.
        """
        result, note = directory.result(), note or Note(name)
        assert result is not None
        logged = f"{_LAYOUT} {result.weights['last']}"
        with outages():
            run = self._runs.get(name) if parent else self.find(name)
            if run is None:
                run = self._create(name, note, result.started, parent)
            elif run.data.tags.get(LOGGED) != logged:
                self._annotate(run, note, {}, {})
            if run.data.tags.get(LOGGED) != logged:
                self._fill(run, directory, dataset, logged)
        return str(run.info.run_id)

    def _fill(self, run: "Run", directory: RunDirectory, dataset: Dataset, logged: str) -> None:
        result, run_id = directory.result(), run.info.run_id
        assert result is not None
        config = directory.config()
        params = entities.params(to_mapping(config))
        metrics = list(entities.metrics(directory, result, config))
        files = sorted(path for path in directory.path.rglob("*") if path.is_file())
        self._client.log_inputs(run_id, [entities.dataset_input(dataset)])
        self._keep(run, files, directory.path)
        if len(metrics) > _METRICS_AT_ONCE:
            self._client.log_batch(run_id, metrics[_METRICS_AT_ONCE:])
        self._client.set_terminated(run_id, _STATUS[result.state], int(result.ended * 1000))
        tags = {"state": result.state, "ended_by": result.reason, "dataset": dataset.name}
        # MLflow writes the tags last: what was cut short before is done again.
        tags = Note("", tags={**tags, LOGGED: logged}).all_tags()
        self._client.log_batch(run_id, metrics[:_METRICS_AT_ONCE], params, _tags(tags))

    def _annotate(
        self, run: "Run", note: Note, metrics: Mapping[str, float], tags: Mapping[str, str]
    ) -> None:
        """Give a run its name, description, tags and metrics, except what a user has changed."""
        from mlflow.entities import Metric

        there = run.info.run_name or "", run.data.tags.get(DESCRIPTION, "")
        name, text, written = note.over(there, run.data.tags.get(WRITTEN, ""))
        if name != there[0]:
            self._client.update_run(run.info.run_id, name=name)
        own = {**note.all_tags(), **tags, **_described(text, written)}
        # MLflow would keep a value again that is the last one already.
        now = int(time.time() * 1000)
        new = [Metric(k, v, now, 0) for k, v in metrics.items() if run.data.metrics.get(k) != v]
        self._client.log_batch(run.info.run_id, new, tags=_tags(own))

    def _create(self, name: str, note: Note, started: float, parent: str | None) -> "Run":
        title, text, written = note.over(("", ""), "")
        tags = {RUN_TAG: name, **note.all_tags(), **_described(text, written)}
        if parent is not None:
            tags |= {STUDY_TAG: parent, _PARENT: self._runs[parent].info.run_id}
        start = int(started * 1000)
        run = self._client.create_run(self._experiment, start, tags, run_name=title)
        self._runs[name] = run
        return run

    def _set_aside(self, name: str, run_id: str) -> None:
        """Rename the runs of a study whose name another study has now, and those below it."""
        other = f"{name}~{run_id[:6]}"
        condition = f"tags.`{RUN_TAG}` LIKE '{name}%'"
        for run in list(search(self._client, [self._experiment], condition)):
            for tag in (RUN_TAG, STUDY_TAG):
                first, slash, rest = run.data.tags.get(tag, "").partition("/")
                if first == name:
                    self._client.set_tag(run.info.run_id, tag, f"{other}{slash}{rest}")
        self._client.update_run(run_id, name=other)
        self._runs.clear()

    def _keep(self, run: "Run", paths: Iterable[Path], root: Path) -> None:
        """Keep files as artifacts: as hard links below the output folder, so that they lie on the
        disk once, else as copies."""
        folder = local_folder(self._output, run.info.artifact_uri)
        for path in paths:
            inner = path.relative_to(root).parent.as_posix()
            if folder is None or not _link(path, folder / inner / path.name):
                where = None if inner == "." else inner
                self._client.log_artifact(run.info.run_id, str(path), where)


def _described(text: str, written: str) -> dict[str, str]:
    return {WRITTEN: written, **({DESCRIPTION: text} if text else {})}


def _link(path: Path, copy: Path) -> bool:
    with suppress(OSError):
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.unlink(missing_ok=True)
        os.link(path, copy)
        return True
    return False


def _tags(tags: Mapping[str, str]) -> "list[RunTag]":
    from mlflow.entities import RunTag

    return [RunTag(*tag) for tag in tags.items()]
