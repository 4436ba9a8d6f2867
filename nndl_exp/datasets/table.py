"""A user's table, CSV or Parquet: columns of numbers and of text, one of them to be predicted."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nndl_exp.datasets import suspicions
from nndl_exp.datasets.cache import Prepared
from nndl_exp.datasets.columns import (
    Missing,
    Type,
    column,
    infer_types,
    labels,
    raw_header,
    read_frame,
    type_of,
    unknown_target,
)
from nndl_exp.datasets.file import (
    FileOptions,
    NewRows,
    assemble,
    kept_rows,
    split_target,
    target_note,
)
from nndl_exp.datasets.inputs import (
    MISSING,
    Numeric,
    categories_of,
    missing_values,
    one_hot,
    unknown_values,
)
from nndl_exp.datasets.suspicions import Suspicion
from nndl_exp.datasets.target import read_target
from nndl_exp.errors import UserError
from nndl_exp.nn.arrays import Array, Indices

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".parquet")
Columns = Mapping[str, NDArray[Any]]
_GIVEN = " (dataset.types)"
_WORDS: Mapping[Type, str] = {"number": "numbers", "boolean": "true/false", "text": "text"}
_MOST_NAMES = 8


def prepare(path: Path, options: FileOptions, sha256: str) -> Prepared:
    """The sets of a table, split by its rows.

    The inputs are the columns of numbers and of true/false, standardised, in the order of the file,
    then for each column of text a neuron a category. What decides them (means, deviations, medians,
    categories) comes from the training rows.

    Raises:
        UserError: the file is damaged or empty, a column is missing or holds what can't be used.
    """
    if options.white is not None:
        raise UserError("dataset.white goes with pictures in an npz file: got it with a table")
    read = _read(path, options)
    where = f"the target {options.target}"
    target = read_target(read.target, options.task, where)
    parts = split_target(target, options, where)
    training = kept_rows(target, parts[0], options)
    inputs = _fit(read.columns, read.types, options, training)
    if not any(inputs["deviation"]) and all(len(c) < 2 for c in inputs["categories"].values()):
        raise UserError(f"{path} must have a column that varies: all are constant in training rows")
    x, _ = _encoded(read.columns, inputs)
    made = assemble(x, inputs, target, parts, fitted=training, sha256=sha256, where=where)
    notes = (*_notes(read.columns, inputs, x.shape[1]), target_note(target, where))
    doubts = [
        *suspicions.of_header(read.names, raw_header(path, read.names), options.ignore),
        *_doubts(read, inputs, options, len(made.classes)),
    ]
    return replace(made, notes=notes, warnings=tuple(suspicions.lines(doubts)))


@dataclass(frozen=True)
class _Table:
    """What a file holds: the ``names`` of all its columns, those that are inputs, the target."""

    names: list[str]
    types: dict[str, Type]
    columns: dict[str, NDArray[Any]]
    target: NDArray[Any]


def _read(path: Path, options: FileOptions) -> _Table:
    """The columns of a file, of the types that all of it shows."""
    inferred = read_frame(path, None, options.missing_values)
    _check_names(inferred, options, path)
    types = _types(inferred, options, path)
    target_type: dict[str, Type] = {str(options.target): "text"}
    frame = read_frame(path, {**types, **target_type}, options.missing_values)
    target = _target(frame[str(options.target)], options, path)
    if not len(frame):
        raise UserError(f"{path} must have at least one row below its header: got none")
    columns = _columns(frame, types, options.missing_values)
    return _Table(list(inferred.columns), types, columns, target)


def read_new(path: Path, inputs: Mapping[str, Any], n_in: int) -> NewRows:
    """Rows of another table with the same columns, as inputs (n, n_in), as ``prepare`` makes them.

    Its columns are read with the types that they had in training; those that are no inputs, such as
    the target, are left alone. Missing values are imputed where they were in training, and texts
    that no training row had are counted.

    Raises:
        UserError: the file can't be read, or a column is missing or of another kind.
    """
    needed = [*inputs["numeric"], *inputs["categories"]]
    types = inputs.get("types", {})
    if set(types) != set(needed):
        raise UserError(
            "the run's dataset.json must give the type of each input column: got an older one; "
            "train the run again"
        )
    frame = read_frame(path, types, inputs["missing_values"])
    if absent := [name for name in needed if name not in frame.columns]:
        raise UserError(f"{path} must have the columns of the training data: got no {absent[0]}")
    columns = _columns(frame, types, inputs["missing_values"], f" in {path}", ", as in training")
    return NewRows(*_encoded(columns, inputs))


def _check_names(frame: "pd.DataFrame", options: FileOptions, path: Path) -> None:
    known = ", ".join(frame.columns[:10]) + (", ..." if len(frame.columns) > 10 else "")
    if options.target not in frame.columns:
        raise UserError(
            f"dataset.target must be a column of {path} ({known}): got {options.target}"
            + ("; columns are separated by commas" if len(frame.columns) == 1 else "")
        )
    for setting, names in (("ignore", options.ignore), ("types", options.types or {})):
        for name in names:
            if name not in frame.columns:
                raise UserError(f"dataset.{setting} must name columns of {path}: it has no {name}")


def _types(frame: "pd.DataFrame", options: FileOptions, path: Path) -> dict[str, Type]:
    """The types of the columns that are inputs."""
    features = frame.drop(columns=list({str(options.target), *options.ignore}))
    if not len(features.columns):
        raise UserError(f"{path} must have a column besides the target {options.target}: got none")
    for name in features.columns:
        # The row numbers that pandas writes: in a sorted table they give the target away.
        if name.startswith("Unnamed: ") or not name:
            raise UserError(
                f"{path} has a column without a name ({name}): name it in the file, or leave it "
                f"out by 'dataset.ignore=[\"{name}\"]'"
            )
    return infer_types(features, path, options.types or {})


def _target(values: "pd.Series[Any]", options: FileOptions, path: Path) -> NDArray[Any]:
    """The target's values: true/false, whole numbers, numbers, or text."""
    import pandas as pd

    where, given = f"the target {options.target}", options.type_of(str(options.target))
    csv = path.suffix.lower() == ".csv"
    if csv or (given or type_of(values, where)) == "text":
        texts = column(values, "text", options.missing_values, where, _GIVEN)
        _check_known(sum(text is None for text in texts.tolist()), where)
        return labels(texts, options.task, given, where) if csv else texts
    _check_known(int(values.isna().sum()), where)
    if pd.api.types.is_bool_dtype(values):
        return values.to_numpy(dtype=bool)
    numbers = column(values, "number", options.missing_values, where, _GIVEN)
    _check_known(int(np.isnan(numbers).sum()), where)
    if pd.api.types.is_integer_dtype(values):
        return values.to_numpy(dtype=np.int64)  # exactly: they may be identifiers of classes
    return numbers


def _check_known(absent: int, where: str) -> None:
    if absent:
        raise unknown_target(where, absent)


def _columns(
    frame: "pd.DataFrame",
    types: Mapping[str, Type],
    missing: Missing,
    where: str = "",
    why: str = _GIVEN,
) -> dict[str, NDArray[Any]]:
    """Columns of the types that are given, by name."""
    return {
        name: column(frame[name], type_, missing, f"column {name}{where}", why)
        for name, type_ in types.items()
    }


def _fit(
    columns: Columns, types: Mapping[str, Type], options: FileOptions, training: Indices
) -> dict[str, Any]:
    """How columns become inputs, in plain values: by what the training rows hold."""
    numeric = [name for name, type_ in types.items() if type_ != "text"]
    names = [f"column {name}" for name in numeric]
    matrix = _matrix(columns, numeric)
    fitted = Numeric.fit(matrix, training, missing=options.missing, names=names)
    categories = {
        name: categories_of(_filled(columns, name, options.missing), training, f"column {name}")
        for name, type_ in types.items()
        if type_ == "text"
    }
    return {
        "numeric": numeric,
        **fitted.to_mapping(),
        "categories": categories,
        "types": dict(types),
        "missing_values": [str(value) for value in options.missing_values],
    }


def _matrix(columns: Columns, names: Sequence[str]) -> Array:
    """Columns of numbers as float64 (n, k)."""
    n = len(next(iter(columns.values())))
    matrix = np.empty((n, len(names)))
    for i, name in enumerate(names):
        matrix[:, i] = columns[name]
    return matrix


def _filled(columns: Columns, name: str, missing: str) -> NDArray[Any]:
    """A column of text (n,); missing cells are a category of their own, or refused."""
    absent = np.array([text is None for text in columns[name].tolist()], dtype=bool)
    if absent.any() and missing == "refuse":
        raise missing_values(f"column {name}", int(absent.sum()))
    return np.where(absent, MISSING, columns[name])


def _encoded(columns: Columns, inputs: Mapping[str, Any]) -> tuple[Array, tuple[str, ...]]:
    """Inputs (n, n_in), and a warning for each column with texts that are no category."""
    numeric = list(inputs["numeric"])
    names = [f"column {name}" for name in numeric]
    blocks, warnings = [Numeric.from_mapping(inputs).encode(_matrix(columns, numeric), names)], []
    missing = "refuse" if inputs["median"] is None else "impute"
    for name, categories in inputs["categories"].items():
        texts = _filled(columns, name, missing)
        blocks.append(one_hot(texts, categories))
        warnings += unknown_values(texts, categories, f"column {name}")
    return np.concatenate(blocks, axis=1), tuple(warnings)


def _doubts(
    read: _Table, inputs: Mapping[str, Any], options: FileOptions, classes: int
) -> Iterator[Suspicion]:
    """What is suspicious about the columns whose type the user has not given."""
    varies = dict(zip(inputs["numeric"], np.array(inputs["deviation"]) > 0, strict=True))
    for name, type_ in read.types.items():
        n = len(inputs["categories"].get(name, ["a number"]))
        taken = f"{_WORDS[type_]}, {n} input{'s' if n > 1 else ''}"
        if not varies.get(name, n > 1):
            yield Suspicion(name, taken, "the same in all training rows")
        elif not options.type_of(name):
            check = suspicions.of_text if type_ == "text" else suspicions.of_numbers
            yield from check(name, read.columns[name], taken)
    target = str(options.target)
    if read.target.dtype == object and not options.type_of(target):
        yield from suspicions.of_text(target, read.target, f"the target, {classes} classes")


def _notes(columns: Columns, inputs: Mapping[str, Any], n_in: int) -> Iterator[str]:
    """What the columns are taken for, and how many cells are missing, in a line each."""
    sizes = {name: f" {len(texts)}" for name, texts in inputs["categories"].items()}
    kinds = {
        type_: [f"{name}{sizes.get(name, '')}" for name, t in inputs["types"].items() if t == type_]
        for type_ in _WORDS
    }
    parts = [f"{_WORDS[type_]}: {_some(names)}" for type_, names in kinds.items() if names]
    yield f"{n_in} input{'s' if n_in > 1 else ''} · {' · '.join(parts)}"
    counts = {name: _absent(values) for name, values in columns.items()}
    if missing := [f"{name} {count}" for name, count in counts.items() if count]:
        yield f"missing values, imputed · {_some(missing)}"


def _absent(values: NDArray[Any]) -> int:
    if values.dtype == object:
        return sum(text is None for text in values.tolist())
    return int(np.isnan(values).sum())


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
