"""A user's NumPy arrays: rows of features, or pictures, with labels or numbers to predict."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nndl_exp.archive import ArchiveError, read_archive
from nndl_exp.datasets.cache import Prepared
from nndl_exp.datasets.file import (
    FileOptions,
    NewRows,
    assemble,
    check_training_classes,
    kept_rows,
    split_target,
    target_note,
)
from nndl_exp.datasets.inputs import Numeric
from nndl_exp.datasets.split import split
from nndl_exp.datasets.target import Classes, read_target
from nndl_exp.errors import UserError
from nndl_exp.nn.arrays import Array, Indices

SUFFIXES = (".npz",)
_SETS = ("train", "validation", "test")
_ACCEPTED = (
    "x and y, or x_train, y_train, x_test and y_test, and x_validation and y_validation if you like"
)
_WHITE = 256  # the grey value that becomes 1, as for MNIST
_MEND = " (dataset.white=N: to N)"
_FEW_GREYS = 16
"""Whole numbers up to this one are no grey values of bytes: theirs would go on to 255."""


def prepare(path: Path, options: FileOptions, sha256: str) -> Prepared:
    """The sets of an npz file, given (x_train, y_train, ...) or split off (x, y).

    Raises:
        UserError: the file is damaged, would need pickle, or does not hold what it should.
    """
    for name in ("target", "ignore", "types", "missing_values"):
        if name in options.changed():
            raise UserError(
                f"dataset.{name} goes with dataset=table: in an npz file x are the inputs, y is "
                "the target"
            )
    x, y, sizes = _joined(read_arrays(path), path)
    where = f"y in {path}"
    target = read_target(y, options.task, where)
    parts = _parts(target, sizes, options, where)
    training = kept_rows(target, parts[0], options)
    shape, notes = None, [target_note(target, "the target y")]
    if x.ndim == 3:
        inputs, shape = _scale(x[training], options), (x.shape[1], x.shape[2])
        rows = _grey(x, inputs, path, _MEND)
        notes.insert(0, _scale_note(inputs, shape, options))
    elif options.white is not None:
        raise UserError(
            f"dataset.white goes with pictures, x of shape (n, height, width): got {x.shape}"
        )
    else:
        rows, inputs = _standardised(x, training, options, path)
    made = assemble(
        rows, inputs, target, parts, fitted=training, sha256=sha256, where=where, shape=shape
    )
    return replace(made, notes=tuple(notes))


def _standardised(
    x: NDArray[Any], training: Indices, options: FileOptions, path: Path
) -> tuple[Array, dict[str, Any]]:
    """Rows of features as inputs, and how they became that, in plain values."""
    names = _names(x.shape[1], path)
    columns = x.astype(np.float64)
    numeric = Numeric.fit(columns, training, missing=options.missing, names=names)
    if not numeric.standard.deviation.any():
        raise UserError(f"x in {path} must vary: every column is constant in the training rows")
    return numeric.encode(columns, names), numeric.to_mapping()


def read_new(path: Path, inputs: Mapping[str, Any], n_in: int) -> NewRows:
    """The array x of another npz file, as inputs (n, n_in), prepared as the training rows were.

    Raises:
        UserError: as for ``prepare``, or another number of features.
    """
    arrays = read_arrays(path)
    if "x" not in arrays:
        raise UserError(f"{path} must hold an array named x: got {_listed(arrays)}")
    x = _checked_x(arrays["x"], "x", path)
    if int(np.prod(x.shape[1:])) != n_in:
        raise UserError(f"x in {path} must have {n_in} numbers a row: got the shape {x.shape}")
    if "mean" in inputs:
        numeric = Numeric.from_mapping(inputs)
        return NewRows(numeric.encode(x.astype(np.float64), _names(n_in, path)))
    if inputs.get("whole") and x.dtype.kind not in "iu":  # pictures that have been scaled before
        inputs = {"white": 1, "whole": False}
    return NewRows(_grey(x, inputs, path, ", as in training"))


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an npz file, never by pickle.

    Raises:
        UserError: it can't be read, is damaged, or holds Python objects.
    """
    try:
        return read_archive(path, compressed=True)
    except FileNotFoundError:
        raise UserError(f"no such file: {path}") from None
    except ArchiveError as e:
        raise UserError(f"{path} is not an npz file, or damaged ({e})") from None


def _scale(training: NDArray[Any], options: FileOptions) -> dict[str, Any]:
    """The grey value ``white`` that becomes 1, decided by the training pictures unless it is given,
    and whether pictures are ``whole`` numbers."""
    whole = training.dtype.kind in "iu"
    white = options.white
    if white is None and whole:
        most = int(training.max())
        white = _WHITE if most > _FEW_GREYS else max(1, most)
    return {"white": 1 if white is None else white, "whole": whole}


def _scale_note(inputs: Mapping[str, Any], shape: Sequence[int], options: FileOptions) -> str:
    white = inputs["white"]
    if options.white is not None:
        why = "as dataset.white says"
    elif white == _WHITE:
        why = "as bytes are"
    else:
        why = "the largest of the training set" if inputs["whole"] else "as they are"
    return f"pictures of {shape[0]} x {shape[1]} · grey values divided by {white:g}, {why}"


def white_of(inputs: Mapping[str, Any]) -> float:
    """The grey value that became 1 in the pictures a network was trained on.

    Raises:
        UserError: it was not recorded.
    """
    if inputs.get("white") is None:
        raise UserError(
            "the run's dataset.json must give the grey value that becomes 1 (white): got an older "
            "one; train the run again"
        )
    return float(inputs["white"])


def _grey(x: NDArray[Any], inputs: Mapping[str, Any], path: Path, why: str) -> Array:
    """Pictures (n, height, width), or rows of them, as float32 rows, 0 for the background and 1 for
    the grey value ``white``.

    Raises:
        UserError: they are negative, or too large for this ``white``.
    """
    white, kind, high = white_of(inputs), "numbers", white_of(inputs)
    if inputs["whole"]:
        kind, high = "whole numbers", 255 if white == _WHITE else max(white, _FEW_GREYS)
    if not (x.min() >= 0 and x.max() <= high):  # NaN compares as False
        raise UserError(
            f"pictures in {path} must be {kind} from 0 to {high:g}{why}: got {x.dtype} from "
            f"{x.min():g} to {x.max():g}"
        )
    rows = x.reshape(len(x), -1)
    scaled: Array = np.divide(rows, white, dtype=np.float32, casting="unsafe")
    return scaled


def _joined(
    arrays: Mapping[str, NDArray[Any]], path: Path
) -> tuple[NDArray[Any], NDArray[Any], list[int]]:
    """x and y of all sets one after another, and the sizes of the sets that are given apart."""
    given = [name for name in _SETS if f"x_{name}" in arrays or f"y_{name}" in arrays]
    for name in given:
        for array in (f"x_{name}", f"y_{name}"):
            if array not in arrays:
                raise UserError(f"{path} must hold {array} too: got {_listed(arrays)}")
    if "x" in arrays and "y" in arrays and not given:
        pairs = [("x", "y")]
    elif {"train", "test"} <= set(given):
        pairs = [(f"x_{name}", f"y_{name}") for name in given]
    else:
        raise UserError(f"{path} must hold {_ACCEPTED}: got {_listed(arrays)}")
    xs = [_checked_x(arrays[name], name, path) for name, _ in pairs]
    ys = [_checked_y(arrays[name], name, path) for _, name in pairs]
    for (x_name, y_name), x, y in zip(pairs, xs, ys, strict=True):
        if len(x) != len(y):
            raise UserError(
                f"{x_name} and {y_name} in {path} must have the same length: "
                f"got {len(x)} and {len(y)}"
            )
    for what, names in (("inputs", xs), ("targets", ys)):
        if len({array.shape[1:] for array in names}) > 1:
            shapes = ", ".join(str(array.shape) for array in names)
            raise UserError(f"the {what} in {path} must be alike in all sets: got {shapes}")
    sizes = [len(x) for x in xs] if len(pairs) > 1 else []
    return np.concatenate(xs), np.concatenate(ys), sizes


def _checked_x(x: NDArray[Any], name: str, path: Path) -> NDArray[Any]:
    if x.ndim not in (2, 3) or x.dtype.kind not in "fiub" or not x.size:
        raise UserError(
            f"{name} in {path} must be numbers of shape (n, features) or (n, height, width): "
            f"got {x.dtype} of shape {x.shape}"
        )
    return x


def _checked_y(y: NDArray[Any], name: str, path: Path) -> NDArray[Any]:
    if y.ndim not in (1, 2):
        raise UserError(f"{name} in {path} must have the shape (n,) or (n, n_out): got {y.shape}")
    if y.dtype.kind == "S":
        return np.char.decode(y, "utf-8", "backslashreplace")
    return y


def _parts(target: Any, sizes: Sequence[int], options: FileOptions, where: str) -> list[Indices]:
    """The rows of each set. Where only training and test set are given, the validation set is
    split off the training set, in the proportion of the fractions of the two."""
    if not sizes:
        return split_target(target, options, where)
    ends = np.cumsum(sizes)
    parts: list[Indices] = list(np.split(np.arange(ends[-1]), ends[:-1]))
    if len(parts) == 2:
        labels = target.labels[: sizes[0]] if isinstance(target, Classes) else None
        training, validation, _ = options.fractions
        share = training / (training + validation)
        parts[:1] = split(sizes[0], (share, 1 - share), options.split_seed, labels)
    check_training_classes(target, parts[0], where)
    return parts


def _names(n: int, path: Path) -> list[str]:
    return [f"column {i} of x in {path}" for i in range(n)]


def _listed(arrays: Mapping[str, Any]) -> str:
    return ", ".join(arrays) or "no arrays"
