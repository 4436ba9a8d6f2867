"""A user's table, CSV or Parquet: columns of numbers and of text, one of them to be predicted."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nndl_exp.datasets.cache import Prepared
from nndl_exp.datasets.file import FileOptions, assemble, split_target
from nndl_exp.datasets.inputs import (
    MISSING,
    Numeric,
    categories_of,
    missing_values,
    one_hot,
)
from nndl_exp.datasets.target import read_target
from nndl_exp.errors import UserError
from nndl_exp.nn.archive import most_unpacked
from nndl_exp.nn.arrays import Array

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".parquet")


def prepare(path: Path, options: FileOptions, sha256: str) -> Prepared:
    """The sets of a table, split by its rows.

    The inputs are the columns of numbers and of true/false, standardised, in the order of the file,
    then for each column of text a neuron a category. What decides them (means, deviations, medians,
    categories) comes from the training rows.

    Raises:
        UserError: the file is damaged or empty, a column is missing or holds what can't be used.
    """
    frame = read_frame(path)
    values = _target(frame, options, path)
    features = _features(frame, options, path)
    if not len(frame):
        raise UserError(f"{path} must have at least one row below its header: got none")
    where = f"the target {options.target}"
    target = read_target(values, options.task, where)
    parts = split_target(target, options, where)
    numeric, text = _kinds(features)
    names = [f"column {name}" for name in numeric]
    columns = _numbers(features, numeric)
    fitted = Numeric.fit(columns, parts[0], missing=options.missing, names=names)
    categories = {
        name: categories_of(_texts(features, name, options.missing), parts[0], f"column {name}")
        for name in text
    }
    inputs = {"numeric": numeric, **fitted.to_mapping(), "categories": categories}
    if not fitted.standard.deviation.any() and all(len(c) < 2 for c in categories.values()):
        raise UserError(f"{path} must have a column that varies: all are constant in training rows")
    x = _encoded(features, inputs, options.missing)
    return assemble(x, inputs, target, parts, sha256=sha256, where=where)


def read_new(path: Path, inputs: Mapping[str, Any], n_in: int) -> Array:
    """Rows of another table with the same columns, as inputs (n, n_in), as ``prepare`` makes them.

    Columns that are no inputs, such as the target, are left alone. Missing values are imputed where
    they were in training.

    Raises:
        UserError: the file can't be read, or a column is missing or of another kind.
    """
    frame = read_frame(path)
    needed = [*inputs["numeric"], *inputs["categories"]]
    if absent := [name for name in needed if name not in frame.columns]:
        raise UserError(f"{path} must have the columns of the training data: got no {absent[0]}")
    numeric, _ = _kinds(frame[needed])
    for name in inputs["numeric"]:
        if name not in numeric:
            raise UserError(f"column {name} in {path} must hold numbers, as in training: got text")
    missing = "refuse" if inputs["median"] is None else "impute"
    return _encoded(frame, inputs, missing)


def read_frame(path: Path) -> "pd.DataFrame":
    """The table in a file.

    Raises:
        UserError: it can't be read, is empty, damaged, or has a column without a name.
    """
    import pandas as pd  # takes a second: only when the cache is empty

    try:
        if path.suffix.lower() == ".parquet":
            _check_parquet(path)
            frame = pd.read_parquet(path)
        else:
            frame = pd.read_csv(path, low_memory=False)
    except pd.errors.EmptyDataError:
        raise UserError(f"{path} must have a line of column names: it is empty") from None
    except (pd.errors.ParserError, UnicodeDecodeError) as e:
        raise UserError(f"{path} is not a CSV file in UTF-8: {_first_line(e)}") from None
    except (ValueError, OSError, OverflowError) as e:  # pyarrow's exceptions are among these
        kind = "Parquet" if path.suffix.lower() == ".parquet" else "CSV"
        raise UserError(f"{path} is not a {kind} file, or damaged: {_first_line(e)}") from None
    frame.columns = [str(name) for name in frame.columns]
    if not frame.columns.is_unique:
        name = frame.columns[frame.columns.duplicated()][0]
        raise UserError(f"{path} must have a name of its own for each column: got {name} twice")
    return frame


def _check_parquet(path: Path) -> None:
    """Refuse a small file that unpacks to a very large table."""
    from pyarrow.parquet import read_metadata

    metadata = read_metadata(path)
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    unpacked = sum(group.total_byte_size for group in groups)
    values = 8 * metadata.num_rows * metadata.num_columns
    most = most_unpacked(path.stat().st_size)
    if (said := max(unpacked, values)) > most:
        raise ValueError(f"it says that it unpacks to {said:,} bytes, more than {most:,}")


def _target(frame: "pd.DataFrame", options: FileOptions, path: Path) -> NDArray[Any]:
    """The target's values: true/false, whole numbers, numbers, or text."""
    import pandas as pd

    known = ", ".join(frame.columns[:10]) + (", ..." if len(frame.columns) > 10 else "")
    if options.target not in frame.columns:
        raise UserError(
            f"dataset.target must be a column of {path} ({known}): got {options.target}"
            + ("; columns are separated by commas" if len(frame.columns) == 1 else "")
        )
    column = frame[options.target]
    if absent := int(column.isna().sum()):
        rows = "1 row has" if absent == 1 else f"{absent} rows have"
        raise UserError(
            f"the target {options.target} must be known in every row: {rows} none; a row without "
            "one can't be learnt from, remove it"
        )
    name = f"the target {options.target}"
    if _is_text(column, name):
        return _as_text(column)
    if pd.api.types.is_bool_dtype(column):
        return column.to_numpy(dtype=bool)
    whole = pd.api.types.is_integer_dtype(column)
    return column.to_numpy(dtype=np.int64 if whole else np.float64)


def _features(frame: "pd.DataFrame", options: FileOptions, path: Path) -> "pd.DataFrame":
    """The columns that are inputs."""
    for name in options.ignore:
        if name not in frame.columns:
            raise UserError(f"dataset.ignore must name columns of {path}: it has no {name}")
    features = frame.drop(columns=[str(options.target), *options.ignore])
    if not len(features.columns):
        raise UserError(f"{path} must have a column besides the target {options.target}: got none")
    for name in features.columns:
        # The row numbers that pandas writes: in a sorted table they give the target away.
        if name.startswith("Unnamed: ") or not name:
            raise UserError(
                f"{path} has a column without a name ({name}): name it in the file, or leave it "
                f"out by 'dataset.ignore=[\"{name}\"]'"
            )
    return features


def _kinds(features: "pd.DataFrame") -> tuple[list[str], list[str]]:
    """The names of the columns of numbers, and of those of text."""
    text = [name for name in features.columns if _is_text(features[name], f"column {name}")]
    return [name for name in features.columns if name not in set(text)], text


def _is_text(column: "pd.Series[Any]", name: str) -> bool:
    """Whether a column is of text or categories; if not, it is of numbers or true/false.

    Raises:
        UserError: it is neither.
    """
    import pandas as pd

    types = pd.api.types
    if isinstance(column.dtype, pd.CategoricalDtype):
        return True
    if types.is_bool_dtype(column):
        return False
    if types.is_numeric_dtype(column) and not types.is_complex_dtype(column):
        return False
    inferred = types.infer_dtype(column, skipna=True)
    if inferred not in ("string", "boolean", "empty"):
        raise UserError(
            f"{name} must hold numbers, text or true/false: got {inferred} (dataset.ignore lists "
            "columns to leave out)"
        )
    return True


def _numbers(frame: "pd.DataFrame", names: Sequence[str]) -> Array:
    """Columns as float64 (n, k), NaN where a value is missing."""
    columns = np.empty((len(frame), len(names)))
    for i, name in enumerate(names):
        columns[:, i] = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
    return columns


def _texts(frame: "pd.DataFrame", name: str, missing: str) -> NDArray[Any]:
    """A column as texts (n,); missing ones are a category of their own, or refused."""
    column = frame[name]
    absent = column.isna()
    if absent.any() and missing == "refuse":
        raise missing_values(f"column {name}", int(absent.sum()))
    texts = _as_text(column)
    texts[absent.to_numpy(dtype=bool)] = MISSING
    return texts


def _as_text(column: "pd.Series[Any]") -> NDArray[Any]:
    return np.array([str(value) for value in column.tolist()], dtype=object)


def _encoded(frame: "pd.DataFrame", inputs: Mapping[str, Any], missing: str) -> Array:
    numeric = list(inputs["numeric"])
    names = [f"column {name}" for name in numeric]
    blocks = [Numeric.from_mapping(inputs).encode(_numbers(frame, numeric), names)]
    for name, categories in inputs["categories"].items():
        blocks.append(one_hot(_texts(frame, name, missing), categories))
    return np.concatenate(blocks, axis=1)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
