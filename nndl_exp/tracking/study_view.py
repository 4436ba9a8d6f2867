"""A study in MLflow: a parent run, and a child run for each settled trial."""

import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from nndl_exp.datasets import Dataset
from nndl_exp.records import RunDirectory
from nndl_exp.tracking import TrackingOutage
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
        settings: dict[str, Any],
        text: str,
        started: float,
        inside: str | None = None,
    ) -> Parent:
        """Create or find the parent run."""
        ...

    def close_study(
        self, parent: Parent, *, complete: bool, tags: dict[str, str], metrics: dict[str, float]
    ) -> None:
        """End the parent run."""
        ...

    def log_run(
        self, name: str, directory: RunDirectory, dataset: Dataset, parent: Parent | None = None
    ) -> Child:
        """Show a settled run."""
        ...

    def log_figure(self, child: Child, path: Path) -> None:
        """Keep a picture with a run."""
        ...

    def log_file(self, run_id: str, path: Path, folder: str = "") -> None:
        """Keep a file with a run, in a folder of its files."""
        ...

    def log_model(self, run_id: str, directory: RunDirectory) -> None:
        """Keep a run's network as a model."""
        ...


class StudyView:
    """Shows one study, in a thread of its own: training does not wait for MLflow.

    When MLflow stops answering, ``outage`` says so and the study goes on.
    """

    def __init__(
        self,
        tracker: Tracker,
        name: str,
        settings: dict[str, Any],
        text: str,
        started: float,
        inside: str | None = None,
    ) -> None:
        self._tracker = tracker
        self._name = name
        self._outage: str | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tracking")
        self._asked: list[Future[None]] = []
        self._parent = Parent(name, "", {})

        def open_study(tracker: Tracker) -> None:
            self._parent = tracker.open_study(name, settings, text, started, inside)

        self._ask(open_study)

    @property
    def run_id(self) -> str:
        """The id of the study's own run."""
        self.wait()
        return self._parent.run_id

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

    def log(self, number: int, directory: RunDirectory, dataset: Dataset) -> None:
        """Show a settled trial, unless it is there already."""
        name = f"{self._name}/{number}"

        def log_run(tracker: Tracker) -> None:
            start = time.monotonic()
            tracker.log_run(name, directory, dataset, self._parent)
            _log.debug("%s is logged after %.2f s", name, time.monotonic() - start)

        self._ask(log_run)

    def log_figure(self, number: int, path: Path) -> None:
        """Keep a trial's picture with it, unless it is there already."""

        def log_figure(tracker: Tracker) -> None:
            if child := self._child(number):
                tracker.log_figure(child, path)

        self._ask(log_figure)

    def log_study(
        self, root: Path, files: Iterable[Path], winner: tuple[int, RunDirectory] | None
    ) -> None:
        """Keep the study's files, which lie below ``root``, with the parent run, and the winner's
        network with its run."""
        paths = list(files)

        def log_study(tracker: Tracker) -> None:
            for path in paths:
                folder = path.relative_to(root).parent.as_posix()
                tracker.log_file(self._parent.run_id, path, "" if folder == "." else folder)
            if winner is not None and (child := self._child(winner[0])):
                tracker.log_model(child.run_id, winner[1])

        self._ask(log_study)

    def close(self, *, complete: bool, tags: dict[str, str], metrics: dict[str, float]) -> None:
        """Say how the study stands, end the parent run, and wait until all is shown."""
        self._ask(
            lambda tracker: tracker.close_study(
                self._parent, complete=complete, tags=tags, metrics=metrics
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
