"""What a run learns from: three sets of labelled images."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nndl_exp.errors import UserError
from nndl_exp.nn.arrays import Array, Indices


@dataclass(frozen=True)
class Labelled:
    """``x`` of shape (n, n_in), an example a row, and ``labels`` of shape (n,), 0 .. classes-1."""

    x: Array
    labels: Indices

    def __post_init__(self) -> None:
        if self.x.ndim != 2 or self.labels.shape != self.x.shape[:1]:
            raise UserError(
                "examples must be rows x (n, n_in) with labels (n,): got the shapes "
                f"{self.x.shape} and {self.labels.shape}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def examples(self, n_out: int) -> tuple[Array, Array]:
        """(x, y), with the targets y, of shape (n, n_out), 1 at the label and 0 elsewhere.

        Raises:
            UserError: a label that is not one of the ``n_out`` classes.
        """
        if len(self) and not 0 <= self.labels.min() <= self.labels.max() < n_out:
            raise UserError(
                f"labels must lie between 0 and {n_out - 1}: got {self.labels.min()} to "
                f"{self.labels.max()}"
            )
        return self.x, np.eye(n_out, dtype=self.x.dtype)[self.labels]


@dataclass(frozen=True)
class Dataset:
    """Training, validation and test set.

    ``test`` is None unless it was asked for: a study never holds the set that it is judged by in
    the end. ``classes`` are the names of the labels; ``sha256`` is that of the source, before it
    was cut down. ``shape`` is the (height, width) of an example that is a picture, else None.
    """

    name: str
    training: Labelled
    validation: Labelled
    test: Labelled | None
    classes: tuple[str, ...]
    sha256: str
    shape: tuple[int, int] | None = None

    @property
    def n_in(self) -> int:
        """Features of an example: the input neurons of a network for it."""
        return int(self.training.x.shape[1])

    @property
    def n_out(self) -> int:
        """Classes: the output neurons."""
        return len(self.classes)

    def examples(self) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """(x, y) of the training and of the validation set."""
        return self.training.examples(self.n_out), self.validation.examples(self.n_out)


def keep_classes(dataset: Dataset, classes: Sequence[int] | None) -> Dataset:
    """Only the examples of some classes, which are renumbered from 0 in the order given.

    Raises:
        UserError: fewer than two classes, or one that the dataset does not have.
    """
    if classes is None:
        return dataset
    known = range(dataset.n_out)
    if len(set(classes)) < 2 or len(set(classes)) != len(classes) or not set(classes) <= set(known):
        raise UserError(
            f"dataset.classes must be at least two different ones of 0 .. {dataset.n_out - 1}: "
            f"got {list(classes)}"
        )
    renumbered = np.full(dataset.n_out, -1, dtype=np.int64)
    renumbered[list(classes)] = range(len(classes))

    def cut(part: Labelled) -> Labelled:
        labels = renumbered[part.labels]
        return Labelled(part.x[labels >= 0], labels[labels >= 0])

    return replace(
        dataset,
        training=cut(dataset.training),
        validation=cut(dataset.validation),
        test=cut(dataset.test) if dataset.test else None,
        classes=tuple(dataset.classes[c] for c in classes),
    )


def keep_first(part: Labelled, size: int | None, setting: str) -> Labelled:
    """The first ``size`` examples, all of them where it is None.

    Raises:
        UserError: there are not that many; the message names the setting.
    """
    if size is None:
        return part
    if not 1 <= size <= len(part):
        raise UserError(f"{setting} must lie between 1 and {len(part)}: got {size}")
    return Labelled(part.x[:size], part.labels[:size])
