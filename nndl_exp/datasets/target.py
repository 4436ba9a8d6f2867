"""What a file's targets are: classes, or numbers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nndl_exp.errors import UserError
from nndl_exp.escaping import printable
from nndl_exp.nn.arrays import Array, Indices

FEW = 20
"""Whole numbers with at most so many different values are classes unless the user says else."""


@dataclass(frozen=True)
class Classes:
    """``labels`` of shape (n,), 0 .. classes-1, and the classes' ``names`` in their order, which
    are safe to print. ``made_from`` says what they were in the file."""

    labels: Indices
    names: tuple[str, ...]
    made_from: str

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Numbers:
    """``values`` of shape (n, n_out), float64."""

    values: Array

    def __len__(self) -> int:
        return len(self.values)


def read_target(values: NDArray[Any], task: str, where: str) -> Classes | Numbers:
    """Targets of shape (n,), or (n, n_out) for several numbers each, as classes or numbers.

    With the task "auto", text, true/false, whole numbers of at most ``FEW`` different values (also
    1.0) and one-hot rows are classes, other numbers are numbers. Classes are ordered by value, text
    by the alphabet.

    Raises:
        UserError: they are not what ``task`` says, are missing or not finite, or all of one class.
    """
    kind = values.dtype.kind
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if task != "numbers" and _are_one_hot(values):
        names = tuple(map(str, range(values.shape[1])))
        return Classes(values.argmax(axis=1), names, "one-hot rows")
    if kind not in "biufOU" or values.ndim > 2 or (kind in "bOU" and values.ndim != 1):
        raise UserError(
            f"{where} must be numbers, or labels of shape (n,): got {values.dtype} of shape "
            f"{values.shape}"
        )
    if kind == "f" and (bad := int((~np.isfinite(values)).sum())):
        raise UserError(f"{where} must be finite in every row: got NaN or infinity in {bad}")
    if task == "auto":
        task = "numbers" if _look_like_numbers(values) else "classes"
    if task == "numbers":
        if kind in "bOU":
            raise UserError(f"{where} must be numbers with dataset.task=numbers: got text")
        return Numbers(values.reshape(len(values), -1).astype(np.float64))
    if values.ndim == 2:
        raise UserError(
            f"{where} must be one label a row with dataset.task=classes: got the shape "
            f"{values.shape}"
        )
    different, labels = np.unique(values, return_inverse=True)
    if len(different) < 2:
        got = f"only {_name(different[0])}" if len(different) else "none"
        raise UserError(f"{where} must have at least two classes: got {got}")
    names = tuple(_name(value) for value in different)
    return Classes(labels.astype(np.int64), names, _MADE_FROM[kind])


_MADE_FROM = {
    "b": "true/false", "i": "whole numbers", "u": "whole numbers", "f": "numbers such as 1.0",
    "O": "text", "U": "text",
}  # fmt: skip


def _look_like_numbers(values: NDArray[Any]) -> bool:
    if values.ndim == 2 or (values.dtype.kind == "f" and (values != np.rint(values)).any()):
        return True
    return values.dtype.kind in "iuf" and len(np.unique(values)) > FEW


def _are_one_hot(values: NDArray[Any]) -> bool:
    if values.ndim != 2 or values.shape[1] < 2 or values.dtype.kind not in "biuf":
        return False
    ones = values == 1
    return bool(len(values) and (ones | (values == 0)).all() and (ones.sum(axis=1) == 1).all())


def _name(value: Any) -> str:
    if isinstance(value, np.floating):
        return np.format_float_positional(value, trim="-")
    return printable(str(value))
