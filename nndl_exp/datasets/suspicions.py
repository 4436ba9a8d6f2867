"""Warnings about columns of a table that are probably not what they are taken for."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DATE = re.compile(
    r"\s*([0-9]{4}[-/.][0-9]{1,2}([-/.][0-9]{1,2})?|[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{2,4})"
    r"([ T].*)?"
)
_NOTATION = re.compile(r"\s*[-+]?\s*[$€£]?\s*[0-9][0-9.,' ]*\s*[%$€£]?\s*")
_NUMBER = re.compile(r"\s*[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?\s*")
_IDENTIFIER = re.compile(r"(^|.*[_\W])id$", re.IGNORECASE)
_NEARLY_ALL = 0.9
_MANY = 10
"""Rows below which different values say nothing."""
_FEW_NUMBERS = 5
_MOST_LINES, _MOST_NAMES = 5, 5


@dataclass(frozen=True)
class Suspicion:
    """A reason to doubt a column, ``taken`` for something, with an example of its values."""

    column: str
    taken: str
    reason: str
    example: str | None = None


def of_text(name: str, values: NDArray[Any], taken: str) -> Iterator[Suspicion]:
    """What is suspicious about a column of text; ``values`` are its objects, None where missing."""
    known = [value for value in values.tolist() if value is not None]
    if found := looks_like(known):
        yield Suspicion(name, taken, *found)
    yield from _names_itself(name, known, taken)


def of_numbers(name: str, values: NDArray[np.float64], taken: str) -> Iterator[Suspicion]:
    """What is suspicious about a column of numbers, NaN where missing."""
    known = values[np.isfinite(values)]
    if len(known) < _MANY or (known % 1).any() or len(np.unique(known)) < len(known):
        return
    if (np.diff(known) == 1).all():
        yield Suspicion(name, taken, "counts the rows")
    elif _IDENTIFIER.match(name):
        yield Suspicion(name, taken, "another value in every row: an identifier?")


def of_header(
    names: Sequence[str], raw: Sequence[str], ignored: Sequence[str]
) -> Iterator[Suspicion]:
    """What is suspicious about the names; ``raw`` is the first line of the file, where pandas has
    given repeated names another ending."""
    counted = [str(i) for i in range(len(names))]
    for name, written in zip(names, raw, strict=True):
        if name in ignored:
            continue
        if raw.count(written) > 1:
            yield Suspicion(name, "", f"the header has the name {written!r} more than once")
        elif name != name.strip():
            yield Suspicion(name, "", "its name begins or ends with a space")
        if _NUMBER.fullmatch(written) and list(raw) != counted:
            yield Suspicion(name, "", "its name is a number: is the header missing?")


def looks_like(known: Sequence[str]) -> tuple[str, str] | None:
    """What texts look like if not like categories, and an example; None if they do."""
    different = sorted(set(known))
    if not different:
        return None
    numbers = [text for text in different if _NUMBER.fullmatch(text)]
    for pattern, reason in ((_DATE, "looks like dates"), (_NOTATION, _OTHER_NOTATION)):
        found = [text for text in different if pattern.fullmatch(text)]
        if len(found) >= _NEARLY_ALL * len(different) and len(numbers) < len(found):
            return reason, next(text for text in found if text not in numbers)
    if len(numbers) == len(different):
        zeros = [text for text in numbers if re.match(r"\s*[-+]?0[0-9]", text)]
        return ("text because of leading zeros", zeros[0]) if zeros else None
    if len(numbers) >= max(_FEW_NUMBERS, len(different) / 2):
        other = next(text for text in different if text not in set(numbers))
        return "mostly numbers, but for some values", other
    if len(known) >= _MANY and len(different) >= _NEARLY_ALL * len(known):
        return "another value in nearly every row: an identifier?", different[0]
    return None


_OTHER_NOTATION = "looks like numbers in another notation"


def lines(suspicions: Sequence[Suspicion]) -> list[str]:
    """A line for each suspicious column; one for all where many are so for the same reason."""
    columns: dict[str, list[Suspicion]] = {}
    for one in suspicions:
        columns.setdefault(one.column, []).append(one)
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, several in columns.items():
        groups.setdefault(tuple(one.reason for one in several), []).append(name)
    said = []
    for reasons, names in groups.items():
        if len(names) > _MOST_LINES:
            shown = ", ".join(names[:_MOST_NAMES])
            more = len(names) - _MOST_NAMES
            said.append(f"{len(names)} columns: {'; '.join(reasons)}: {shown} and {more} more")
        else:
            said += [_line(name, columns[name]) for name in names]
    return said


def _line(name: str, several: Sequence[Suspicion]) -> str:
    taken = next((f" ({one.taken})" for one in several if one.taken), "")
    reasons = (
        one.reason + (f", such as {one.example!r}" if one.example is not None else "")
        for one in several
    )
    return f"column {name}{taken}: {'; '.join(reasons)}"


def _names_itself(name: str, known: Sequence[str], taken: str) -> Iterator[Suspicion]:
    if count := known.count(name):
        cells = "1 cell repeats" if count == 1 else f"{count} cells repeat"
        yield Suspicion(name, taken, f"{cells} its name: a missing or repeated header?")
