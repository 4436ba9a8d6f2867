"""A study in MLflow: a parent run, and a child run for each settled trial."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from nndl_exp.datasets import Dataset
from nndl_exp.records import RunDirectory
from nndl_exp.tracking import TrackingOutage
from nndl_exp.tracking.mlflow_view import Child, Parent
from nndl_exp.tracking.none import NoTracking


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
    """Shows one study. When MLflow stops answering, it says so once and the study goes on."""

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
        self.outage: str | None = None
        try:
            self._parent = tracker.open_study(name, settings, text, started, inside)
        except TrackingOutage as e:
            self._give_up(e)
            self._parent = self._tracker.open_study(name, settings, text, started, inside)

    @property
    def run_id(self) -> str:
        """The id of the study's own run."""
        return self._parent.run_id

    @property
    def page(self) -> str:
        """The part of the UI's address that shows the study; empty without tracking."""
        return self._tracker.page

    def log(self, number: int, directory: RunDirectory, dataset: Dataset) -> None:
        """Show a settled trial, unless it is there already."""
        try:
            self._tracker.log_run(f"{self._name}/{number}", directory, dataset, self._parent)
        except TrackingOutage as e:
            self._give_up(e)

    def log_figure(self, number: int, path: Path) -> None:
        """Keep a trial's picture with it, unless it is there already."""
        child = self._parent.children.get(f"{self._name}/{number}")
        try:
            if child is not None:
                self._tracker.log_figure(child, path)
        except TrackingOutage as e:
            self._give_up(e)

    def log_study(
        self, root: Path, files: Iterable[Path], winner: tuple[int, RunDirectory] | None
    ) -> None:
        """Keep the study's files, which lie below ``root``, with the parent run, and the winner's
        network with its run."""
        try:
            for path in files:
                folder = path.relative_to(root).parent.as_posix()
                self._tracker.log_file(self._parent.run_id, path, "" if folder == "." else folder)
            if winner is not None:
                number, directory = winner
                child = self._parent.children.get(f"{self._name}/{number}")
                if child is not None:
                    self._tracker.log_model(child.run_id, directory)
        except TrackingOutage as e:
            self._give_up(e)

    def close(self, *, complete: bool, tags: dict[str, str], metrics: dict[str, float]) -> None:
        """Say how the study stands, and end the parent run."""
        try:
            self._tracker.close_study(self._parent, complete=complete, tags=tags, metrics=metrics)
        except TrackingOutage as e:
            self._give_up(e)

    def _give_up(self, error: TrackingOutage) -> None:
        self.outage = str(error)
        self._tracker = NoTracking()
