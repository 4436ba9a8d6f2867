"""The plan's lines about the data."""

from collections.abc import Sequence

from nndl_exp.datasets import Dataset
from nndl_exp.display.terminal.screen import WARNING, Screen
from nndl_exp.display.words import dataset_text
from nndl_exp.records.looks import Look

_MEANT = "dataset.types={COLUMN: text} says that it is meant so"


def show_dataset(screen: Screen, dataset: Dataset, looks: Sequence[Look]) -> None:
    """Print the sizes of the sets, what a user's own file was taken for, and a warning for each
    thing in it that is suspicious."""
    screen.print(f"data     {dataset_text(dataset, looks)}")
    for note in dataset.notes:
        screen.print(f"{'':9}{note}")
    for warning in dataset.warnings:
        screen.tell(f"warning  {warning}", style=WARNING)
    if dataset.warnings:
        screen.print(f"{'':9}dataset.ignore=[COLUMN] leaves a column out; {_MEANT}")
