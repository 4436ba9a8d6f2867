"""What a run learns from: three sets of examples, with labels or with numbers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nndl_exp.datasets.cache import Prepared
from nndl_exp.datasets.reading import Reading
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

    def first(self, n: int) -> "Labelled":
        """The first n examples."""
        return Labelled(self.x[:n], self.labels[:n])

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
class Measured:
    """``x`` of shape (n, n_in), an example a row, and the numbers ``y`` of shape (n, n_out).

    y is standardised: over the training rows each column has mean 0 and deviation 1.
    """

    x: Array
    y: Array

    def __post_init__(self) -> None:
        if self.x.ndim != 2 or self.y.ndim != 2 or len(self.y) != len(self.x):
            raise UserError(
                "examples must be rows x (n, n_in) with numbers y (n, n_out): got the shapes "
                f"{self.x.shape} and {self.y.shape}"
            )

    def __len__(self) -> int:
        return len(self.y)

    def first(self, n: int) -> "Measured":
        """The first n examples."""
        return Measured(self.x[:n], self.y[:n])

    def examples(self, n_out: int) -> tuple[Array, Array]:
        """(x, y), y of shape (n, n_out).

        Raises:
            UserError: there are not ``n_out`` numbers an example.
        """
        if self.y.shape[1] != n_out:
            raise UserError(f"targets must be {n_out} numbers: got {self.y.shape[1]}")
        return self.x, self.y.astype(self.x.dtype, copy=False)


Examples = Labelled | Measured


@dataclass(frozen=True)
class Dataset:
    """Training, validation and test set.

    ``name`` is that of the source, for a user's own file that of the file without its ending.
    ``test`` is None unless it was asked for: a study never holds the set that it is judged by in
    the end. ``classes`` are the names of the labels, none where the targets are numbers; ``sha256``
    is that of the source, before it was cut down. ``shape`` is the (height, width) of an example
    that is a picture, else None. ``encoding`` says how a user's own file was made into x and y,
    ``notes`` what it was taken for, in words, and ``warnings`` what in it is suspicious.
    ``monitor`` is "test" where the test set stands in the place of the validation set.
    """

    name: str
    training: Examples
    validation: Examples
    test: Examples | None
    classes: tuple[str, ...]
    sha256: str
    shape: tuple[int, int] | None = None
    encoding: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    monitor: Literal["validation", "test"] = "validation"

    @property
    def noun(self) -> str:
        """The word for its examples: images, or rows of a table."""
        return "images" if self.shape else "rows"

    @property
    def task(self) -> Literal["classes", "numbers"]:
        """What a network for it tells: one of some classes, or numbers."""
        return "classes" if self.classes else "numbers"

    @property
    def n_in(self) -> int:
        """Features of an example: the input neurons of a network for it."""
        return int(self.training.x.shape[1])

    @property
    def n_out(self) -> int:
        """Classes, or numbers to be told: the output neurons."""
        if isinstance(self.training, Measured):
            return int(self.training.y.shape[1])
        return len(self.classes)

    @property
    def reading(self) -> Reading:
        """What the inputs and outputs of a network for it stand for."""
        return Reading(self.name, self.n_in, self.classes, self.shape, dict(self.encoding))

    def baseline(self, part: Examples) -> float | None:
        """Accuracy on a part of the data of always naming the training set's commonest class.

        None where the targets are numbers: the R² of always predicting their mean is 0.
        """
        if not isinstance(part, Labelled) or not isinstance(self.training, Labelled):
            return None
        commonest = np.bincount(self.training.labels).argmax()
        return float((part.labels == commonest).mean())

    def root_mean_square_error(self, part: Examples, r2: float) -> float | None:
        """The error of a network with this R² on a part of the data, in the unit of the target.

        None for classes, and for several numbers an example, which may have different units.
        """
        target = self.reading.target
        if target is None or not isinstance(part, Measured) or part.y.shape[1] > 1:
            return None
        spread = float(np.square(part.y, dtype=np.float64).mean())
        return float(target.deviation[0]) * math.sqrt(max(0.0, 1 - r2) * spread)

    def examples(self) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """(x, y) of the training and of the validation set."""
        return self.training.examples(self.n_out), self.validation.examples(self.n_out)


def from_prepared(name: str, source: Prepared, *, test: bool) -> Dataset:
    """The sets of a source, whole; its test set only if ``test``."""
    ends = np.cumsum(source.sizes).tolist()
    training, validation, testing = (
        _examples(source.x[end - size : end], source.y[end - size : end])
        for size, end in zip(source.sizes, ends, strict=True)
    )
    return Dataset(
        name,
        training,
        validation,
        testing if test else None,
        source.classes,
        source.sha256,
        source.shape,
        source.encoding,
        source.notes,
        source.warnings,
    )


def _examples(x: Array, y: NDArray[Any]) -> Examples:
    return Labelled(x, y) if y.ndim == 1 else Measured(x, y)


def cut(dataset: Dataset, classes: Sequence[int] | None, sizes: Sequence[int | None]) -> Dataset:
    """A dataset cut down to some classes, then to the first training, validation, test examples.

    Raises:
        UserError: see ``keep_classes`` and ``keep_first``.
    """
    kept = keep_classes(dataset, classes)
    training, validation, test = sizes
    return replace(
        kept,
        training=keep_first(kept.training, training, "dataset.training_size"),
        validation=keep_first(kept.validation, validation, "dataset.validation_size"),
        test=keep_first(kept.test, test, "dataset.test_size") if kept.test else None,
    )


def keep_classes(dataset: Dataset, classes: Sequence[int] | None) -> Dataset:
    """Only the examples of some classes, which are renumbered from 0 in the order given.

    Raises:
        UserError: fewer than two classes, or one that the dataset does not have, or such that a set
            would be left empty.
    """
    if classes is None:
        return dataset
    if dataset.task == "numbers":
        raise UserError(
            f"dataset.classes must be null where the targets are numbers: got {list(classes)}"
        )
    known = range(dataset.n_out)
    if len(set(classes)) < 2 or len(set(classes)) != len(classes) or not set(classes) <= set(known):
        named = dataset.classes != tuple(map(str, known))
        names = f" ({', '.join(dataset.classes[:10])})" if named else ""
        raise UserError(
            f"dataset.classes must be at least two different ones of 0 .. {dataset.n_out - 1}"
            f"{names}: got {list(classes)}"
        )
    renumbered = np.full(dataset.n_out, -1, dtype=np.int64)
    renumbered[list(classes)] = range(len(classes))

    def kept(part: Examples, which: str) -> Examples:
        assert isinstance(part, Labelled)
        labels = renumbered[part.labels]
        if not (labels >= 0).any():
            raise UserError(
                f"dataset.classes must leave a {which} example: got {list(classes)}, of which "
                "there is none"
            )
        return Labelled(part.x[labels >= 0], labels[labels >= 0])

    return replace(
        dataset,
        training=kept(dataset.training, "training"),
        validation=kept(dataset.validation, "validation"),
        test=kept(dataset.test, "test") if dataset.test else None,
        classes=tuple(dataset.classes[c] for c in classes),
    )


def keep_first(part: Examples, size: int | None, setting: str) -> Examples:
    """The first ``size`` examples, all of them where it is None.

    Raises:
        UserError: there are not that many; the message names the setting.
    """
    if size is None:
        return part
    if not 1 <= size <= len(part):
        raise UserError(f"{setting} must lie between 1 and {len(part)}: got {size}")
    return part.first(size)
