"""What the inputs and outputs of a network stand for: kept with a run, to read other rows later."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pydantic import TypeAdapter

from nndl_exp.datasets.inputs import Standard
from nndl_exp.escaping import printable


@dataclass(frozen=True)
class _Standard:
    mean: list[float]
    deviation: list[float]


@dataclass(frozen=True)
class _Inputs:
    mean: list[float] = field(default_factory=list)
    deviation: list[float] = field(default_factory=list)
    median: list[float] | None = None
    numeric: list[str] = field(default_factory=list)
    categories: dict[str, list[str]] = field(default_factory=dict)
    types: dict[str, Literal["number", "boolean", "text"]] = field(default_factory=dict)
    missing_values: list[str] = field(default_factory=list)
    white: float | None = None
    whole: bool = False


@dataclass(frozen=True)
class _Encoding:
    inputs: _Inputs = field(default_factory=_Inputs)
    target: _Standard | None = None


@dataclass(frozen=True)
class _Plain:
    """A reading as JSON has it, to check the kinds of its values; see ``Reading``."""

    name: str
    n_in: int
    classes: list[str]
    shape: tuple[int, int] | None
    encoding: _Encoding


@dataclass(frozen=True)
class Reading:
    """A dataset without its examples.

    ``name`` is the dataset's, ``n_in`` its number of inputs, ``classes`` the names of the labels,
    safe to print, none where targets are numbers. ``shape`` is the (height, width) of an example
    that is a picture, else None. ``encoding`` says how a user's own file was made into x and y.
    """

    name: str
    n_in: int
    classes: tuple[str, ...]
    shape: tuple[int, int] | None = None
    encoding: Mapping[str, Any] = field(default_factory=dict)

    @property
    def target(self) -> Standard | None:
        """How numbers were standardised; None for classes."""
        return None if self.classes else Standard.from_mapping(self.encoding["target"])

    def to_mapping(self) -> dict[str, Any]:
        """As plain values, exactly."""
        return asdict(self)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "Reading":
        """The inverse of ``to_mapping``.

        Raises:
            TypeError: names are missing or unknown.
            ValueError: a value is not of its kind; pydantic's ValidationError is one.
        """
        plain = TypeAdapter(_Plain).validate_json(json.dumps(mapping), strict=True)
        if not plain.classes and plain.encoding.target is None:
            raise ValueError("neither classes nor a target of numbers")
        classes = tuple(map(printable, plain.classes))
        kept = {"classes": classes, "shape": plain.shape}
        return cls(**{**mapping, **kept})
