"""No tracking: the run directories are all that is kept."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nndl_exp.datasets import Dataset
from nndl_exp.records import RunDirectory
from nndl_exp.tracking.caption import Caption
from nndl_exp.tracking.mlflow_view import Child, Parent


class NoTracking:
    """Takes what ``MlflowView`` takes and does nothing with it."""

    page = ""

    def open_study(
        self,
        name: str,
        settings: Mapping[str, Any],
        caption: Caption,
        started: float,
        inside: str | None = None,
    ) -> Parent:
        """A parent without children."""
        return Parent(name, Child(""), {})

    def close_study(
        self, parent: Parent, *, complete: bool, caption: Caption, metrics: Mapping[str, float]
    ) -> None:
        """Nothing to say."""

    def mark_best(self, parent: Parent, name: str | None) -> None:
        """Nothing to mark."""

    def log_run(
        self,
        name: str,
        directory: RunDirectory,
        dataset: Dataset,
        caption: Caption | None = None,
        parent: Parent | None = None,
    ) -> Child:
        """A run without an id."""
        return Child("")

    def log_files(self, run: Child, paths: Iterable[Path], root: Path) -> None:
        """Nothing to keep."""

    def log_model(self, child: Child, directory: RunDirectory, caption: Caption) -> None:
        """Nothing to keep."""
