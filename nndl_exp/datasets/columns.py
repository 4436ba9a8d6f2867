"""The types of a table's columns, and its cells read as these types say."""

import mmap
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from nndl_exp.archive import most_unpacked
from nndl_exp.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

Type = Literal["number", "boolean", "text"]
Missing = Sequence[str | float]

NO_NUMBERS = (
    "NA", "NaN", "N/A", "null", "?", "nan", "n/a", "#N/A", "<NA>", "NULL", "Null", "None",
)  # fmt: skip
"""Cells that are missing in a column of numbers; in text only the empty cell is."""

_BOOLEANS = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0}
_LEADING_ZERO = re.compile(r"\s*[+-]?0[0-9]")
_LEADING_ZERO_CELL = re.compile(rb"(?:^|[,\"\s])[+-]?0[0-9]", re.MULTILINE)
_MOST_DIGITS = 15
"""A double keeps so many digits of any number."""


def read_frame(
    path: Path, types: Mapping[str, Type] | None = None, missing: Missing = ()
) -> "pd.DataFrame":
    """The table in a file. Without ``types`` pandas infers those of a CSV file; a Parquet file has
    types of its own.

    Raises:
        UserError: it can't be read, is empty or damaged, or its rows do not fit its header.
    """
    import pandas as pd  # takes a second: only when the cache is empty

    try:
        if path.suffix.lower() == ".parquet":
            _check_parquet(path)
            frame = pd.read_parquet(path)
        else:
            frame = pd.read_csv(path, **_csv_options(types, missing))
    except pd.errors.EmptyDataError:
        raise UserError(f"{path} must have a line of column names: it is empty") from None
    except (pd.errors.ParserError, UnicodeDecodeError) as e:
        raise UserError(f"{path} is not a CSV file in UTF-8: {_first_line(e)}") from None
    except (ValueError, OSError, OverflowError) as e:  # pyarrow's exceptions are among these
        kind = "Parquet" if path.suffix.lower() == ".parquet" else "CSV"
        raise UserError(f"{path} is not a {kind} file, or damaged: {_first_line(e)}") from None
    frame.columns = [str(name) for name in frame.columns]
    _check_header(frame, path)
    return frame


def raw_header(path: Path, names: Sequence[str]) -> list[str]:
    """The names of the columns as the file has them; pandas gives repeated ones an ending."""
    import pandas as pd

    if path.suffix.lower() == ".parquet":
        return list(names)
    first = pd.read_csv(path, header=None, nrows=1, dtype=str, keep_default_na=False)
    return [str(name) for name in first.iloc[0]]


def infer_types(
    frame: "pd.DataFrame", path: Path, given: Mapping[str, Literal["number", "text"]]
) -> dict[str, Type]:
    """The type of each column of ``frame``, which ``read_frame`` read from ``path``; ``given``
    decides. A column of a CSV file with leading zeros is text.

    Raises:
        UserError: a column is neither numbers nor text.
    """
    types: dict[str, Type] = {
        name: given.get(name) or type_of(frame[name], f"column {name}") for name in frame.columns
    }
    numbers = [name for name in types if types[name] == "number" and name not in given]
    if path.suffix.lower() == ".parquet":
        return types
    for name in (*_with_leading_zeros(path, numbers), *_without_a_number(frame, path, numbers)):
        types[name] = "text"
    return types


def column(
    values: "pd.Series[Any]", type_: Type, missing: Missing, where: str, why: str
) -> NDArray[Any]:
    """A column (n,): float64 with NaN where a value is missing; or text, objects, None there.

    Raises:
        UserError: a value that is not of the type; the message shows it, and says ``why`` it is to
            be of the type.
    """
    if type_ == "text":
        return _texts(values, missing)
    numbers, bad = _numbers(values, type_, missing)
    if bad is not None:
        what = "numbers" if type_ == "number" else "true or false"
        raise UserError(f"{where} must hold {what}{why}: got {bad!r}")
    return numbers


def labels(texts: NDArray[Any], task: str, given: str | None, where: str) -> NDArray[Any]:
    """The target of a CSV file, (n,) texts, as whole numbers, numbers, or the texts themselves.

    Leading zeros make labels text. So do exponents and more than 15 digits, which would merge
    different labels, unless the target is numbers: the task says so, or it has fractions.

    Raises:
        UserError: a number that is missing, or none where the type ``given`` is number.
    """
    different = np.array(sorted(set(texts.tolist())), dtype=object)
    numbers = _parsed(different)
    others = different[np.isnan(numbers)].tolist()
    if given == "number" and others:
        raise UserError(f"{where} must hold numbers (dataset.types): got {others[0]!r}")
    is_text = len(others) == len(different) or not set(others) <= set(NO_NUMBERS)
    if given == "text" or is_text:
        return texts
    if others:
        absent = sum(text in others for text in texts.tolist())
        name = where.removeprefix("the target ")
        remedy = f", or make {others[0]} a class by dataset.types={{{name}: text}}"
        raise unknown_target(where, absent, remedy)
    if given is None and task != "numbers" and _are_codes(different, numbers, task):
        return texts
    whole = all(re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", text) for text in different)
    number = dict(zip(different, numbers.tolist(), strict=True))
    values = np.array([number[text] for text in texts.tolist()], dtype=np.float64)
    return values.astype(np.int64) if whole else values


def unknown_target(where: str, absent: int, remedy: str = "") -> UserError:
    """The refusal of a target that is missing in some rows."""
    rows = "1 row has" if absent == 1 else f"{absent} rows have"
    return UserError(
        f"{where} must be known in every row: {rows} none; a row without one can't be learnt "
        f"from, remove it{remedy}"
    )


def _are_codes(different: NDArray[Any], numbers: NDArray[np.float64], task: str) -> bool:
    """Whether texts that are numbers are labels, to be kept as they are written."""
    if any(map(_LEADING_ZERO.match, different)):
        return True
    if task == "auto" and (numbers != np.rint(numbers)).any():
        return False
    return any("e" in text.lower() or _digits(text) > _MOST_DIGITS for text in different)


def _digits(text: str) -> int:
    return sum(c.isdigit() for c in text)


def _csv_options(types: Mapping[str, Type] | None, missing: Missing) -> dict[str, Any]:
    options: dict[str, Any] = {"low_memory": False, "keep_default_na": False}
    said = ["", *map(str, missing)]
    if types is None:
        return {**options, "na_values": [*said, *NO_NUMBERS]}
    words = {"number": [*said, *NO_NUMBERS], "boolean": [*said, *NO_NUMBERS], "text": said}
    return {
        **options,
        "usecols": lambda name: name in types,
        "dtype": {name: str for name, type_ in types.items() if type_ != "number"},
        "na_values": {name: words[type_] for name, type_ in types.items()},
    }


def _check_header(frame: "pd.DataFrame", path: Path) -> None:
    import pandas as pd

    if not frame.columns.is_unique:
        name = frame.columns[frame.columns.duplicated()][0]
        raise UserError(f"{path} must have a name of its own for each column: got {name} twice")
    # pandas takes cells that have no name for row names, and shifts the others.
    if path.suffix.lower() == ".csv" and not isinstance(frame.index, pd.RangeIndex):
        more = frame.index.nlevels
        raise UserError(
            f"{path} must have a name for each cell of a row, both separated by commas: its "
            f"header has {len(frame.columns)}, its rows have {len(frame.columns) + more} cells"
        )


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


def type_of(values: "pd.Series[Any]", where: str) -> Type:
    """The type of a column by its dtype.

    Raises:
        UserError: it is neither numbers nor text.
    """
    import pandas as pd

    types = pd.api.types
    if isinstance(values.dtype, pd.CategoricalDtype):
        return "text"
    if types.is_bool_dtype(values):
        return "boolean"
    if types.is_numeric_dtype(values) and not types.is_complex_dtype(values):
        return "number"
    inferred = types.infer_dtype(values, skipna=True)
    if inferred not in ("string", "boolean", "empty"):
        raise UserError(
            f"{where} must hold numbers, text or true/false: got {inferred} (dataset.ignore lists "
            "columns to leave out)"
        )
    return "text"


def _with_leading_zeros(path: Path, names: Sequence[str]) -> list[str]:
    """Those of some columns of numbers that have a leading zero in a CSV file, such as 007."""
    if not names:
        return []
    # Reading numbers as text takes five times as long: only where there is reason to.
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if not _LEADING_ZERO_CELL.search(content):
            return []
    frame = read_frame(path, dict.fromkeys(names, "text"))
    return [name for name in names if frame[name].str.match(_LEADING_ZERO.pattern, na=False).any()]


def _without_a_number(frame: "pd.DataFrame", path: Path, names: Sequence[str]) -> list[str]:
    """Those of some columns in which all cells stand for missing numbers, if they were numbers."""
    empty = [name for name in names if frame[name].isna().all()]
    if not empty:
        return []
    texts = read_frame(path, dict.fromkeys(empty, "text"))
    return [name for name in empty if texts[name].notna().any()]


def _texts(values: "pd.Series[Any]", missing: Missing) -> NDArray[Any]:
    absent, said = values.isna().to_numpy(dtype=bool), set(map(str, missing))
    texts = [None if none else str(v) for v, none in zip(values.tolist(), absent, strict=True)]
    return np.array([None if text in said else text for text in texts], dtype=object)


def _numbers(
    values: "pd.Series[Any]", type_: Type, missing: Missing
) -> tuple[NDArray[np.float64], str | None]:
    """A column of numbers or of true/false, and its first value that is neither."""
    import pandas as pd

    types = pd.api.types
    if type_ == "boolean" and types.is_bool_dtype(values):
        return values.to_numpy(dtype=np.float64, na_value=np.nan), None
    if types.is_numeric_dtype(values) and not types.is_bool_dtype(values) and type_ == "number":
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        said = [float(value) for value in missing if not np.isnan(_parsed([str(value)]))[0]]
        return np.where(np.isin(numbers, said), np.nan, numbers) if said else numbers, None
    texts = _texts(values, [*missing, *NO_NUMBERS])
    known = np.array([text is not None for text in texts], dtype=bool)
    numbers = np.full(len(texts), np.nan)
    if type_ == "boolean":
        numbers[known] = [_BOOLEANS.get(text.strip().lower(), np.nan) for text in texts[known]]
    else:
        numbers[known] = _parsed(texts[known])
    bad = texts[known & np.isnan(numbers)].tolist()
    return numbers, bad[0] if bad else None


def _parsed(texts: Any) -> NDArray[np.float64]:
    """Texts as numbers, exactly as pandas reads them in a CSV file; NaN for those that are none."""
    import pandas as pd

    parsed = pd.to_numeric(pd.Series(list(texts), dtype=object), errors="coerce")
    return parsed.to_numpy(dtype=np.float64, na_value=np.nan)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
