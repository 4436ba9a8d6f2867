"""Entries of a search space as they are typed: limited by the data, narrowed to around a run."""

from collections.abc import Mapping
from typing import Any

from nndl_exp.config import RunConfig, flatten, to_mapping

FACTORS = {
    "training.eta": 8.0,
    "training.lmbda": 10.0,
    "training.mini_batch_size": 4.0,
    "network.hidden": 2.5,
}
"""How far a range reaches from what was found, up and down; other ranges stay as declared."""


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


def centred(entries: dict[str, Any], found: RunConfig, n: int) -> tuple[dict[str, Any], list[str]]:
    """The entries of a search space narrowed to around a run, and what was said about them.

    ``n`` training examples are the most that a mini-batch may have.
    """
    values = dict(flatten(to_mapping(found)))
    said: list[str] = []

    def walk(inner: dict[str, Any], prefix: str) -> dict[str, Any]:
        result = {}
        for key, entry in inner.items():
            name = f"{prefix}{key}"
            if isinstance(entry, dict) and name in FACTORS:
                around = _around(name, entry, values[name], said)
                result[key] = at_most(around, n) if name == "training.mini_batch_size" else around
            elif isinstance(entry, dict) and not {"low", "choices"} & set(entry):
                result[key] = walk(entry, f"{name}.")
            else:
                result[key] = entry
        return result

    return walk(entries, ""), said


def _around(name: str, entry: dict[str, Any], value: Any, said: list[str]) -> dict[str, Any]:
    factor = FACTORS[name]
    if set(entry) == {"layers", "width"}:
        layers, width = entry["layers"], entry["width"]
        middle = max(value) if value else width["low"]
        most = max(int(layers["high"]), len(value))
        narrowed = _range(f"{name}.width", width, middle, factor, said)
        return {"layers": {**layers, "high": most}, "width": narrowed}
    if "low" not in entry:
        return entry
    return _range(name, entry, value, factor, said)


def _range(
    name: str, entry: dict[str, Any], value: float, factor: float, said: list[str]
) -> dict[str, Any]:
    low, high = entry["low"], entry["high"]
    whole = all(isinstance(one, int) for one in (low, high, value))
    if value == 0:  # λ: none was best, so small ones are searched
        return {**entry, "high": min(high, max(low * factor, low + 1))}
    if not low <= value <= high:
        said.append(f"{name} {value:.3g} was found outside its declared range {low:g}..{high:g}")
        low, high = min(low, value / factor), max(high, value * factor)
    low, high = max(low, value / factor), min(high, value * factor)
    if whole:
        return {**entry, "low": max(1, int(low)), "high": int(high)}
    return {**entry, "low": float(low), "high": float(high)}
