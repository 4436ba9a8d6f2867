"""Entries of a search space as they are typed, whole numbers limited by the data."""

from collections.abc import Mapping
from typing import Any


def largest(entry: Any) -> int:
    """The largest whole number that an entry allows; 0 where it is not one of whole numbers."""
    if not isinstance(entry, Mapping):
        return 0
    ends = entry["choices"] if isinstance(entry.get("choices"), list) else [entry.get("high")]
    return max((end for end in ends if type(end) is int), default=0)


def at_most(entry: Any, most: int) -> Any:
    """An entry of whole numbers without those above ``most``; of choices, at least that one."""
    if largest(entry) <= most:
        return entry
    if "choices" in entry:
        kept = [choice for choice in entry["choices"] if type(choice) is not int or choice <= most]
        return {**entry, "choices": kept or [most]}
    low, step = entry.get("low"), entry.get("step")
    high = low + (most - low) // step * step if step and low < most else most
    return {**entry, "low": min(low, most), "high": high}
