"""Where the digits come from. To add a dataset: a reader, an entry in ``SOURCES``, one YAML."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nndl_exp.datasets import digits_8x8, mnist, mnist_5k
from nndl_exp.datasets.cache import Prepared, Source, prepared
from nndl_exp.datasets.dataset import Dataset, Labelled, keep_classes, keep_first
from nndl_exp.errors import UserError

__all__ = ["SOURCES", "Dataset", "Labelled", "load_dataset"]

DIGITS = tuple("0123456789")
CLOTHES = (
    "T-shirt", "trouser", "pullover", "dress", "coat",
    "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """How to read a source of pictures, the sizes of its three sets, the names of its classes, the
    (height, width) of a picture, and the grey value that becomes 1."""

    read: Callable[[], Source]
    sizes: tuple[int, int, int]
    classes: tuple[str, ...]
    shape: tuple[int, int] = (28, 28)
    white: int = 256  # the book's scale

    def prepare(self) -> Prepared:
        """The pictures as rows of float32 numbers from 0 to 1."""
        source = self.read()
        x = np.divide(source.pixels, self.white, dtype=np.float32)
        labels = source.labels.astype(np.int64)
        return Prepared(x, labels, self.sizes, source.sha256(), self.classes, self.shape)


SOURCES: dict[str, Entry] = {
    "mnist_5k": Entry(mnist_5k.read, mnist_5k.SIZES, DIGITS),
    "mnist": Entry(lambda: mnist.read(mnist.MNIST), mnist.SIZES, DIGITS),
    "fashion_mnist": Entry(lambda: mnist.read(mnist.FASHION_MNIST), mnist.SIZES, CLOTHES),
    "digits_8x8": Entry(
        digits_8x8.read, digits_8x8.SIZES, DIGITS, shape=(8, 8), white=digits_8x8.WHITE
    ),
}


def load_dataset(
    name: str,
    *,
    training_size: int | None = None,
    validation_size: int | None = None,
    test_size: int | None = None,
    classes: Sequence[int] | None = None,
    test: bool = False,
) -> Dataset:
    """Load a dataset by name, cut down as the book does: to some classes, then to the first n.

    Args:
        name: a key of ``SOURCES``.
        training_size: how many training images to keep, None for all; likewise the other two.
        classes: which classes to keep, None for all.
        test: whether to load the test set, which no study needs.

    Raises:
        UserError: no such dataset, no such size or class, or the data can't be had.
    """
    if name not in SOURCES:
        raise UserError(f"dataset.name must be one of {', '.join(SOURCES)}: got {name}")
    source = prepared(name, SOURCES[name].prepare)
    ends = np.cumsum(source.sizes).tolist()
    training, validation, testing = (
        Labelled(source.x[end - size : end], source.y[end - size : end])
        for size, end in zip(source.sizes, ends, strict=True)
    )
    whole = Dataset(
        name,
        training,
        validation,
        testing if test else None,
        source.classes,
        source.sha256,
        source.shape,
    )
    whole = keep_classes(whole, classes)
    return replace(
        whole,
        training=keep_first(whole.training, training_size, "dataset.training_size"),
        validation=keep_first(whole.validation, validation_size, "dataset.validation_size"),
        test=keep_first(whole.test, test_size, "dataset.test_size") if whole.test else None,
    )
