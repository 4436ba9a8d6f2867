"""A user's own file as a source: what can be said about it, and what is done with all of them."""

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nndl_exp.datasets.cache import Prepared
from nndl_exp.datasets.inputs import Standard
from nndl_exp.datasets.split import split
from nndl_exp.datasets.target import Classes, Numbers
from nndl_exp.errors import UserError
from nndl_exp.nn.arrays import Array, Indices

Task = Literal["auto", "classes", "numbers"]


@dataclass(frozen=True)
class FileOptions:
    """Where a file is and how it is read.

    ``target`` is the column to be predicted, ``ignore`` lists columns that are left out, ``types``
    says which columns are text and which are numbers, ``missing_values`` are further cells that
    stand for a missing value (all of a table). ``task`` says whether targets are classes or
    numbers. ``missing`` inputs are refused, or imputed: by the median of the training rows, or as a
    category of their own. ``fractions`` are those of the training, validation and test set,
    ``split_seed`` decides which row is in which. ``white`` is the grey value of pictures that
    becomes 1. ``classes`` and ``training_size`` are what a run keeps of the training rows (see
    ``load_dataset``), which alone decide how columns become inputs.
    """

    path: str | None = None
    target: str | None = None
    task: Task = "auto"
    missing: Literal["refuse", "impute"] = "refuse"
    ignore: tuple[str, ...] = ()
    types: Mapping[str, Literal["number", "text"]] | None = None
    missing_values: tuple[str | float, ...] = ()
    fractions: tuple[float, ...] = (0.6, 0.2, 0.2)
    split_seed: int = 0
    white: float | None = None
    classes: tuple[int, ...] | None = None
    training_size: int | None = None

    def __post_init__(self) -> None:
        f = self.fractions
        if len(f) != 3 or not all(0 < part < 1 for part in f) or not math.isclose(sum(f), 1):
            raise UserError(
                "dataset.fractions must be three numbers between 0 and 1 with the sum 1, for "
                f"training, validation and test: got {list(f)}, with the sum {sum(f):g}"
            )

    def type_of(self, name: str) -> Literal["number", "text"] | None:
        """The type that is given for a column of a table."""
        return (self.types or {}).get(name)

    def changed(self) -> list[str]:
        """The options that are not as they are by default."""
        default = asdict(FileOptions())
        return [name for name, value in asdict(self).items() if value != default[name]]


@dataclass(frozen=True)
class NewRows:
    """Other rows, ``x`` of shape (n, n_in), for a network that was trained on a file; a warning for
    each column that holds what the network does not know."""

    x: Array
    warnings: tuple[str, ...] = ()


def title(source: str, path: str | None) -> str:
    """What runs and studies are called after: a file's name without its ending, or the source."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(path or "").stem).strip("-._")
    return stem[:60] or source


def locate(options: FileOptions, source: str, suffixes: Sequence[str]) -> Path:
    """The file that ``options.path`` names, relative to the working folder.

    Raises:
        UserError: no path, no such file, or a name that does not end as the source's files do.
    """
    accepted = " or ".join(suffixes)
    if not options.path:
        raise UserError(f"dataset={source} needs dataset.path, a file {accepted}: got none")
    path = Path(options.path).expanduser()
    if path.suffix.lower() not in suffixes:
        raise UserError(f"dataset.path must end in {accepted} with dataset={source}: got {path}")
    if not path.is_file():
        raise UserError(f"dataset.path must be a file: there is none at {path}")
    return path


READING = 2
"""To be raised when files are read in another way: then a run on the same file is another run."""


def digest(path: Path) -> str:
    """A SHA-256 of a file's bytes, and of how they are read.

    Raises:
        UserError: it can't be read.
    """
    try:
        with path.open("rb") as opened:
            begun = hashlib.sha256(f"nndl_exp reading {READING}\n".encode())
            return hashlib.file_digest(opened, lambda: begun).hexdigest()
    except OSError as e:
        raise UserError(f"{path} can't be read: {e.strerror}") from None


def cache_key(source: str, sha256: str, options: FileOptions) -> str:
    """A name for the arrays of a file: its content and every option decide them, not its path."""
    decisive = {**asdict(options), "path": None, "sha256": sha256}
    text = json.dumps(decisive, sort_keys=True)
    return f"{source}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def kept_rows(target: Classes | Numbers, training: Indices, options: FileOptions) -> Indices:
    """The training rows that a run keeps; all, where it would keep none, which is refused later."""
    kept = training
    if options.classes is not None and isinstance(target, Classes):
        kept = kept[np.isin(target.labels[kept], options.classes)]
    kept = kept[: options.training_size]
    return kept if len(kept) else training


def split_target(target: Classes | Numbers, options: FileOptions, where: str) -> list[Indices]:
    """The rows of the training, validation and test set, stratified by class.

    Raises:
        UserError: a class with fewer than two rows, or with none to train on.
    """
    if isinstance(target, Numbers):
        return split(len(target), options.fractions, options.split_seed)
    counts = np.bincount(target.labels, minlength=len(target.names))
    if counts.min() < 2:
        rare = [target.names[c] for c in np.flatnonzero(counts == counts.min())]
        raise UserError(
            f"{where} must have at least two rows of each class: got "
            f"{'one' if counts.min() else 'none'} of {_some(rare)} "
            "(numbers are learnt as such with dataset.task=numbers)"
        )
    parts = split(len(target), options.fractions, options.split_seed, target.labels)
    check_training_classes(target, parts[0], where)
    return parts


def check_training_classes(target: Classes | Numbers, training: Indices, where: str) -> None:
    """Refuse classes that no training row shows.

    Raises:
        UserError: there are some; the message names them.
    """
    if isinstance(target, Classes):
        counts = np.bincount(target.labels[training], minlength=len(target.names))
        if not counts.all():
            absent = [target.names[c] for c in np.flatnonzero(counts == 0)]
            raise UserError(
                f"{where} must have a training row of each class: got none of {_some(absent)}"
            )


def assemble(
    x: Array,
    inputs: Mapping[str, Any],
    target: Classes | Numbers,
    parts: Sequence[Indices],
    *,
    fitted: Indices,
    sha256: str,
    where: str,
    shape: tuple[int, int] | None = None,
) -> Prepared:
    """Put the sets one after another; numbers are standardised with the training rows' statistics.

    Args:
        x: the inputs of all rows, (n, n_in), in the order of the file.
        inputs: how they were made of what the file says.
        target: what is to be predicted of each row.
        parts: the rows of the training, validation and test set.
        fitted: the training rows whose statistics standardise numbers.
        sha256: the digest of the file.
        where: its name, for messages.
        shape: the (height, width) of a row that is a picture.

    Raises:
        UserError: numbers that are all the same in the training rows.
    """
    order = np.concatenate(parts)
    encoding: dict[str, Any] = {"inputs": dict(inputs)}
    if isinstance(target, Classes):
        y, names = target.labels, target.names
    else:
        names_of_all = [where] * target.values.shape[1]
        standard = Standard.of(target.values[fitted], names_of_all)
        if not standard.deviation.all():
            raise UserError(f"{where} must not be the same in all training rows")
        y, names = standard.apply(target.values).astype(np.float32), ()
        encoding["target"] = standard.to_mapping()
    training, validation, test = (len(part) for part in parts)
    return Prepared(
        np.ascontiguousarray(x[order], dtype=np.float32),
        y[order],
        (training, validation, test),
        sha256,
        names,
        shape,
        encoding,
    )


def target_note(target: Classes | Numbers, name: str) -> str:
    """What a target was taken for, in words."""
    if isinstance(target, Numbers):
        return f"{name} · numbers"
    return f"{name} · {len(target.names)} classes from {target.made_from}: {_some(target.names)}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} others" if len(names) > 3 else "")
