"""How columns become inputs: by statistics of the training rows alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nndl_exp.datasets.suspicions import looks_like
from nndl_exp.errors import UserError
from nndl_exp.nn.arrays import Array, Indices

MOST_CATEGORIES = 200
"""A column of text with more is taken for names or identifiers, and refused."""

MISSING = "(missing)"
"""The category of what is not there, where missing values are imputed."""


@dataclass(frozen=True)
class Standard:
    """The mean and the standard deviation of k columns, (k,) each; the latter is 0 for a constant
    column."""

    mean: Array
    deviation: Array

    @classmethod
    def of(cls, rows: Array, names: Sequence[str]) -> "Standard":
        """The statistics of ``rows``, (n, k).

        Raises:
            UserError: numbers so large that their squares overflow; the message names the column.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            mean, deviation = rows.mean(axis=0), rows.std(axis=0)
        for i in np.flatnonzero(~np.isfinite(deviation)).tolist():
            raise UserError(
                f"{names[i]} must be within ±1e150: got {np.abs(rows[:, i]).max():g} at most"
            )
        # The rounded mean of equal numbers may differ from them.
        constant = rows.min(axis=0) == rows.max(axis=0)
        return cls(mean, np.where(constant, 0.0, deviation))

    def apply(self, rows: Array) -> Array:
        """Rows (n, k) with mean 0 and deviation 1 in each column; 0 in a constant one."""
        varies = self.deviation > 0
        z: Array = (rows - self.mean) / np.where(varies, self.deviation, 1)
        z[:, ~varies] = 0
        return z

    def undo(self, z: Array) -> Array:
        """The inverse of ``apply``."""
        rows: Array = z * self.deviation + self.mean
        return rows

    def to_mapping(self) -> dict[str, list[float]]:
        """As plain values, exactly."""
        return {"mean": self.mean.tolist(), "deviation": self.deviation.tolist()}

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "Standard":
        """The inverse of ``to_mapping``."""
        return cls(np.array(mapping["mean"]), np.array(mapping["deviation"]))


@dataclass(frozen=True)
class Numeric:
    """Columns of numbers: ``median`` (k,) stands in for missing ones, None refuses them."""

    standard: Standard
    median: Array | None

    @classmethod
    def fit(
        cls, columns: Array, training: Indices, *, missing: str, names: Sequence[str]
    ) -> "Numeric":
        """What the training rows of ``columns``, (n, k), float64, say.

        Raises:
            UserError: infinite numbers, or missing ones (NaN) that are not to be imputed or of
                which the training rows have no other; the message names the column.
        """
        rows, median = columns[training], None
        if missing == "impute":
            absent = np.isnan(rows).all(axis=0)
            for i in np.flatnonzero(absent).tolist():
                raise UserError(f"{names[i]} must have a value in some training row: got none")
            median = np.nanmedian(rows, axis=0)
        complete = _complete(columns, median, names)
        return cls(Standard.of(complete[training], names), median)

    def encode(self, columns: Array, names: Sequence[str]) -> Array:
        """Inputs (n, k), float32, of the columns (n, k).

        Raises:
            UserError: infinite numbers, or missing ones where they are refused.
        """
        return self.standard.apply(_complete(columns, self.median, names)).astype(np.float32)

    def to_mapping(self) -> dict[str, Any]:
        """As plain values, exactly."""
        median = None if self.median is None else self.median.tolist()
        return {**self.standard.to_mapping(), "median": median}

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "Numeric":
        """The inverse of ``to_mapping``."""
        median = mapping["median"]
        return cls(Standard.from_mapping(mapping), None if median is None else np.array(median))


def _complete(columns: Array, median: Array | None, names: Sequence[str]) -> Array:
    infinite = np.isinf(columns).sum(axis=0)
    for i in np.flatnonzero(infinite).tolist():
        raise UserError(f"{names[i]} must be finite: got infinity in {_rows(infinite[i])}")
    absent = np.isnan(columns)
    if median is not None:
        return np.where(absent, median, columns)
    count = absent.sum(axis=0)
    for i in np.flatnonzero(count).tolist():
        raise missing_values(names[i], int(count[i]))
    return columns


def missing_values(name: str, count: int) -> UserError:
    """The refusal of a column with missing values."""
    return UserError(
        f"{name} must have no missing values: got {count}; dataset.missing=impute fills them in"
    )


def _rows(count: int) -> str:
    return f"{count} rows" if count > 1 else "1 row"


def categories_of(values: NDArray[Any], training: Indices, name: str) -> tuple[str, ...]:
    """The different texts of a column's training rows, in the order of the alphabet.

    Raises:
        UserError: more than ``MOST_CATEGORIES``.
    """
    categories = sorted(set(values[training].tolist()))
    if len(categories) > MOST_CATEGORIES:
        raise UserError(
            f"{name} must have at most {MOST_CATEGORIES} different texts: got {len(categories)}; "
            f"dataset.ignore lists columns to leave out{_hint(values)}"
        )
    return tuple(categories)


def _hint(values: NDArray[Any]) -> str:
    found = looks_like(values.tolist())
    return f" ({found[0]}, such as {found[1]!r})" if found else ""


def unknown_values(values: NDArray[Any], categories: Sequence[str], name: str) -> list[str]:
    """A warning if a column holds texts that no training row had; none otherwise."""
    known = set(categories)
    unknown = [value for value in values.tolist() if value not in known]
    if not unknown:
        return []
    return [
        f"{name}: {len(unknown)} of {len(values)} values unknown from training, such as "
        f"{unknown[0]!r}; the network takes them for none of its categories"
    ]


def one_hot(values: NDArray[Any], categories: Sequence[str]) -> Array:
    """Inputs (n, categories), float32: 1 at the category of each text, zeros for an unknown one."""
    number = {category: i for i, category in enumerate(categories)}
    codes = np.array([number.get(value, -1) for value in values.tolist()], dtype=np.int64)
    x = np.zeros((len(values), len(categories)), np.float32)
    rows = np.flatnonzero(codes >= 0)
    x[rows, codes[rows]] = 1
    return x
