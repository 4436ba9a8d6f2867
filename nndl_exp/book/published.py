"""A figure's curves beside those of the book's published file."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nndl_exp.book.comparison import Comparison
from nndl_exp.errors import UserError

CLOSE = 1e-10
"""Costs that are this near are equal: they are sums, taken in another order. Counts are exact."""
NEAR = 1e-6
"""Rounding has grown where costs are only this near; the curves are still the same in a plot."""


def read_published(folder: Path, name: str) -> Any:
    """The content of a figure's published file; None where the folder has no such file.

    Raises:
        UserError: the folder is not one, or the file is not JSON.
    """
    if not folder.is_dir():
        raise UserError(f"published must be a folder with the book's JSON files: got {folder}")
    path = folder / f"{name}.json"
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text())
    except ValueError as e:
        raise UserError(f"{path} must be JSON: {e}") from None


def beside_published(found: Mapping[str, Any], published: Mapping[str, Any]) -> list[Comparison]:
    """Up to which epoch each figure is equal to its published file, where there is one."""
    rows = []
    for name, content in found.items():
        if (book := published.get(name)) is not None:
            equal, near = equal_epochs(content, book), min(equal_epochs(content, book, NEAR))
            of, epochs = "sizes" if name == "more_data" else "epochs", _epochs(content, book)
            whole = equal.count(epochs)
            note = (
                f"{whole} of {len(equal)} curves to the end, all up to {of[:-1]} {min(equal)}, and "
                f"to {NEAR:g} up to {near}: rounding grows"
            )
            what = f"{name}: {of} at which all curves are equal to the published"
            note = "" if whole == len(equal) else note
            rows.append(Comparison(what, epochs, (min(equal),), note=note))
    return rows


def equal_epochs(ours: Any, published: Any, close: float = CLOSE) -> list[int]:
    """Up to which epoch each of the curves is equal to the published one.

    Args:
        ours: what the figure's file holds: a curve, or a list or an object of curves, nested.
        published: what the book's file holds; a curve that is empty in one of the two is left out.
        close: how near costs, which are sums, have to be.

    Raises:
        UserError: they are not of the same shape.
    """
    return [_agree(a, b, close) for a, b in _pairs(ours, published)]


def _epochs(ours: Any, published: Any) -> int:
    return max(len(a) for a, _ in _pairs(ours, published))


def _pairs(ours: Any, published: Any) -> list[tuple[list[float], list[float]]]:
    pairs = [(a, b) for a, b in _curves(ours, published) if a and b]
    if not pairs or any(len(a) != len(b) for a, b in pairs):
        raise UserError("the published file must have curves of as many epochs as the figure's")
    return pairs


def _curves(ours: Any, published: Any) -> Iterator[tuple[list[float], list[float]]]:
    if isinstance(ours, dict) and isinstance(published, dict) and ours.keys() == published.keys():
        for key in ours:
            yield from _curves(ours[key], published[key])
    elif isinstance(ours, list) and isinstance(published, list):
        if not any(isinstance(one, list) for one in (*ours, *published)):
            yield ours, published
        elif len(ours) == len(published):
            for one, other in zip(ours, published, strict=True):
                yield from _curves(one, other)
        else:
            raise UserError(f"the published file must have {len(ours)} curves: {len(published)}")
    else:
        raise UserError("the published file must have the shape of the figure's")


def _agree(ours: list[float], published: list[float], close: float) -> int:
    """The epochs before the first in which they differ."""
    for epoch, (x, y) in enumerate(zip(ours, published, strict=True)):
        if x != y and (isinstance(x, int) or not abs(x - y) <= close):
            return epoch
    return len(ours)
