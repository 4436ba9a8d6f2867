"""A study in MLflow: a parent run, and a child run for each settled trial."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from nndl_exp.datasets import Dataset
from nndl_exp.records import RunDirectory
from nndl_exp.tracking import TrackingOutage
from nndl_exp.tracking.caption import Caption
from nndl_exp.tracking.mlflow_view import Child, Parent
from nndl_exp.tracking.none import NoTracking

_log = logging.getLogger(__name__)


class Tracker(Protocol):
    """What shows runs: ``MlflowView`` or ``NoTracking``; see there."""

    @property
    def page(self) -> str:
        """Where the runs are shown."""
        ...

    def open_study(
        self,
        name: str,
        settings: Mapping[str, Any],
        caption: Caption,
        started: float,
        inside: str | None = None,
    ) -> Parent:
        """Create or find the parent run."""
        ...

    def close_study(
        self, parent: Parent, *, complete: bool, caption: Caption, metrics: Mapping[str, float]
    ) -> None:
        """End the parent run."""
        ...

    def mark_best(self, parent: Parent, name: str | None) -> None:
        """Say which run is the best."""
        ...

    def log_run(
        self,
        name: str,
        directory: RunDirectory,
        dataset: Dataset,
        caption: Caption | None = None,
        parent: Parent | None = None,
    ) -> Child:
        """Show a settled run."""
        ...

    def log_files(self, run: Child, paths: Iterable[Path], root: Path) -> None:
        """Keep files with a run."""
        ...

    def log_model(self, child: Child, directory: RunDirectory, caption: Caption) -> None:
        """Keep a run's network as the champion of a registered model."""
        ...


class StudyView:
    """Shows one study, in a thread of its own: training does not wait for MLflow.

    When MLflow stops answering, ``outage`` says so and the study goes on.
    """

    def __init__(
        self,
        tracker: Tracker,
        name: str,
        settings: Mapping[str, Any],
        caption: Caption,
        started: float,
        inside: str | None = None,
    ) -> None:
        self._tracker = tracker
        self._name = name
        self._outage: str | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tracking")
        self._asked: list[Future[None]] = []
        self._parent = Parent(name, Child(""), {})

        def open_study(tracker: Tracker) -> None:
            self._parent = tracker.open_study(name, settings, caption, started, inside)

        self._ask(open_study)

    @property
    def run_id(self) -> str:
        """The id of the study's own run."""
        self.wait()
        return self._parent.run.run_id

    @property
    def outage(self) -> str | None:
        """Why MLflow does not show all that it was asked to, if so."""
        self.wait()
        return self._outage

    @property
    def page(self) -> str:
        """The part of the UI's address that shows the study; empty without tracking."""
        return self._tracker.page

    def wait(self) -> None:
        """Until all that was asked for is shown, or MLflow has stopped answering."""
        asked, self._asked = self._asked, []
        for action in asked:
            action.result()

    def log(self, number: int, directory: RunDirectory, dataset: Dataset, caption: Caption) -> None:
        """Show a settled trial, unless it is there already."""
        name = f"{self._name}/{number}"

        def log_run(tracker: Tracker) -> None:
            start = time.monotonic()
            tracker.log_run(name, directory, dataset, caption, self._parent)
            _log.debug("%s is logged after %.2f s", name, time.monotonic() - start)

        self._ask(log_run)

    def log_files(self, root: Path, paths: Sequence[Path]) -> None:
        """Keep the study's files, which lie below ``root``, with its run."""
        self._ask(lambda tracker: tracker.log_files(self._parent.run, paths, root))

    def log_pictures(self, number: int, paths: Sequence[Path]) -> None:
        """Keep pictures with a trial."""

        def log_pictures(tracker: Tracker) -> None:
            if (child := self._child(number)) and paths:
                tracker.log_files(child, paths, paths[0].parent)

        self._ask(log_pictures)

    def log_model(self, number: int, directory: RunDirectory, caption: Caption) -> None:
        """Keep a trial's network as the champion of the study's registered model."""

        def log_model(tracker: Tracker) -> None:
            if child := self._child(number):
                tracker.log_model(child, directory, caption)

        self._ask(log_model)

    def mark_best(self, number: int | None) -> None:
        """Tag a trial as the best of the study, and no other."""
        name = None if number is None else f"{self._name}/{number}"
        self._ask(lambda tracker: tracker.mark_best(self._parent, name))

    def close(self, *, complete: bool, caption: Caption, metrics: Mapping[str, float]) -> None:
        """Say how the study stands, end its run, and wait until all is shown."""
        self._ask(
            lambda tracker: tracker.close_study(
                self._parent, complete=complete, caption=caption, metrics=metrics
            )
        )
        self.wait()

    def _child(self, number: int) -> Child | None:
        return self._parent.children.get(f"{self._name}/{number}")

    def _ask(self, action: Callable[[Tracker], object]) -> None:
        self._asked.append(self._thread.submit(self._do, action))

    def _do(self, action: Callable[[Tracker], object]) -> None:
        try:
            action(self._tracker)
        except TrackingOutage as e:
            _log.debug("%s: the tracker does not answer: %s", self._name, e)
            self._outage = str(e)
            self._tracker = NoTracking()
            action(self._tracker)
