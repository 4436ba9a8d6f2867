"""No tracking: the run directories are all that is kept."""

from pathlib import Path
from typing import Any

from nndl_exp.datasets import Dataset
from nndl_exp.records import RunDirectory
from nndl_exp.tracking.mlflow_view import Child, Parent


class NoTracking:
    """Takes what ``MlflowView`` takes and does nothing with it."""

    page = ""

    def open_study(
        self,
        name: str,
        settings: dict[str, Any],
        text: str,
        started: float,
        inside: str | None = None,
    ) -> Parent:
        """A parent without children."""
        return Parent(name, "", {})

    def close_study(
        self, parent: Parent, *, complete: bool, tags: dict[str, str], metrics: dict[str, float]
    ) -> None:
        """Nothing to say."""

    def log_run(
        self, name: str, directory: RunDirectory, dataset: Dataset, parent: Parent | None = None
    ) -> Child:
        """A run without an id."""
        return Child("")

    def log_figure(self, child: Child, path: Path) -> None:
        """Nothing to keep."""

    def log_file(self, run_id: str, path: Path, folder: str = "") -> None:
        """Nothing to keep."""

    def log_model(self, run_id: str, directory: RunDirectory) -> None:
        """Nothing to keep."""
