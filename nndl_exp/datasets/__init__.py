"""Where the data come from.

To add a dataset: a reader, an entry in ``SOURCES``, one YAML.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nndl_exp.datasets import digits_8x8, mnist, mnist_5k, npz, table
from nndl_exp.datasets.cache import Prepared, Source, cached, prepared
from nndl_exp.datasets.dataset import Dataset, Labelled, Measured, cut, from_prepared
from nndl_exp.datasets.file import FileOptions, NewRows, cache_key, digest, locate, title
from nndl_exp.datasets.framing import Framing
from nndl_exp.datasets.reading import Reading
from nndl_exp.errors import UserError, one_of

__all__ = [
    "FILES",
    "SOURCES",
    "Dataset",
    "FileOptions",
    "Framing",
    "Labelled",
    "Measured",
    "NewRows",
    "Reading",
    "framing_of",
    "load_dataset",
    "read_new",
]

DIGITS = tuple("0123456789")
CLOTHES = (
    "T-shirt", "trouser", "pullover", "dress", "coat",
    "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip


_MNIST = Framing.like_digits((28, 28))
# Their longer side fills the frame (Xiao, Rasul and Vollgraf 2017, section 2).
_FASHION_MNIST = Framing((28, 28), (28, 28), by_mass=False)
# 32 x 32 dots, counted in squares of 4 x 4; nearly all digits fill 32 of them down, 20 across.
_DIGITS_8X8 = Framing((8, 8), (32, 20), by_mass=False, stretched=1.5, dots=4, peak=1.0, pen=0.11)


@dataclass(frozen=True)
class Entry:
    """How to read a source of pictures, the sizes of its three sets, the names of its classes, how
    a picture was fitted into its frame, and the grey value that becomes 1."""

    read: Callable[[], Source]
    sizes: tuple[int, int, int]
    classes: tuple[str, ...]
    framing: Framing = _MNIST
    white: int = 256  # the book's scale

    def prepare(self) -> Prepared:
        """The pictures as rows of float32 numbers from 0 to 1."""
        source = self.read()
        x = np.divide(source.pixels, self.white, dtype=np.float32)
        labels = source.labels.astype(np.int64)
        return Prepared(x, labels, self.sizes, source.sha256(), self.classes, self.framing.shape)


SOURCES: dict[str, Entry] = {
    "mnist_5k": Entry(mnist_5k.read, mnist_5k.SIZES, DIGITS),
    "mnist": Entry(lambda: mnist.read(mnist.MNIST), mnist.SIZES, DIGITS),
    "fashion_mnist": Entry(
        lambda: mnist.read(mnist.FASHION_MNIST), mnist.SIZES, CLOTHES, _FASHION_MNIST
    ),
    "digits_8x8": Entry(
        digits_8x8.read, digits_8x8.SIZES, DIGITS, _DIGITS_8X8, white=digits_8x8.WHITE
    ),
}


@dataclass(frozen=True)
class FileEntry:
    """How a user's own files are read: by their suffix, whole, and other rows for a network that
    was trained on one."""

    suffixes: tuple[str, ...]
    prepare: Callable[[Path, FileOptions, str], Prepared]
    read_new: Callable[[Path, Mapping[str, Any], int], NewRows]


FILES: dict[str, FileEntry] = {
    "table": FileEntry(table.SUFFIXES, table.prepare, table.read_new),
    "npz": FileEntry(npz.SUFFIXES, npz.prepare, npz.read_new),
}


def load_dataset(
    name: str,
    *,
    training_size: int | None = None,
    validation_size: int | None = None,
    test_size: int | None = None,
    classes: Sequence[int] | None = None,
    monitor: str = "validation",
    test: bool = False,
    **file: Any,
) -> Dataset:
    """Load a dataset by name, cut down as the book does: to some classes, then to the first n.

    Args:
        name: a key of ``SOURCES`` or ``FILES``.
        training_size: how many training examples to keep, None for all; likewise the other two.
        classes: which classes to keep, None for all.
        monitor: the set that stands in the place of the validation set: itself, or the test set.
        test: whether to load the test set, which no study needs.
        file: where a user's own file is and how it is read, the fields of ``FileOptions``.

    Raises:
        UserError: no such dataset, no such size or class, or the data can't be had.
    """
    options = FileOptions(**file)
    if name in FILES:
        chosen = None if classes is None else tuple(classes)
        options = replace(options, classes=chosen, training_size=training_size)
    source = _prepared(name, options)
    sizes = (training_size, validation_size, test_size)
    seen = test or monitor == "test"
    whole = from_prepared(title(name, file.get("path")), source, test=seen)
    parts = cut(whole, classes, sizes)
    if monitor == "test" and parts.test is not None:
        kept = parts.test if test else None
        return replace(parts, validation=parts.test, test=kept, monitor="test")
    return parts


def read_new(name: str, reading: Reading, path: Path) -> NewRows:
    """Other rows, (n, n_in), for a network that was trained on a user's own file.

    Args:
        name: the key of ``FILES`` that the dataset was loaded by.
        reading: what the network's inputs stand for.
        path: the file with the other rows.

    Raises:
        UserError: the file is not of the kind that the dataset was, or can't be read.
    """
    entry = one_of(FILES, name, "a dataset that is a file")
    if path.suffix.lower() not in entry.suffixes:
        raise UserError(
            f"{path} must end in {' or '.join(entry.suffixes)}, as the training data did"
        )
    if not path.is_file():
        raise UserError(f"no such file: {path}")
    return entry.read_new(path, reading.encoding["inputs"], reading.n_in)


def framing_of(name: str, reading: Reading) -> Framing:
    """How to make a drawing into an example for a network that was trained on a dataset.

    Args:
        name: the key of ``SOURCES`` or ``FILES`` that the dataset was loaded by. How the pictures
            of an npz file were made nobody knows; they are taken to be made as MNIST's were.
        reading: what the network's inputs stand for.

    Raises:
        UserError: its examples are no pictures.
    """
    if reading.shape is None:
        raise UserError(
            f"only a network trained on pictures ({', '.join(SOURCES)}, or an npz with x of shape "
            f"(n, height, width)) can be shown one: got {reading.name}, rows of {reading.n_in} "
            "numbers"
        )
    if name in SOURCES:
        return SOURCES[name].framing
    framing = Framing.like_digits(reading.shape)
    white = npz.white_of(reading.encoding["inputs"])
    return framing if white == 256 else replace(framing, peak=1.0)


def _prepared(name: str, options: FileOptions) -> Prepared:
    if name in FILES:
        entry = FILES[name]
        path = locate(options, name, entry.suffixes)
        sha256 = digest(path)
        # The same arrays as for "auto", where that has come to the task that is said now.
        source = cached(cache_key(name, sha256, replace(options, task="auto")))
        if source is not None and options.task == source.task:
            return source
        key = cache_key(name, sha256, options)
        return prepared(key, lambda: entry.prepare(path, options, sha256))
    if name not in SOURCES:
        known = ", ".join([*SOURCES, *FILES])
        raise UserError(f"dataset.name must be one of {known}: got {name}")
    if changed := options.changed():
        raise UserError(
            f"dataset.{changed[0]} goes with dataset={' and dataset='.join(FILES)}: got it with "
            f"dataset={name}"
        )
    return prepared(name, SOURCES[name].prepare)
