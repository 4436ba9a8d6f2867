"""What the inputs and outputs of a network stand for: kept with a run, to read other rows later."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from nndl_exp.datasets.inputs import Standard


@dataclass(frozen=True)
class Reading:
    """A dataset without its examples.

    ``name`` is the dataset's, ``n_in`` its number of inputs, ``classes`` the names of the labels,
    none where targets are numbers. ``shape`` is the (height, width) of an example that is a
    picture, else None. ``encoding`` says how a user's own file was made into x and y.
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
        """The inverse of ``to_mapping``; raises TypeError where names are missing or unknown."""
        shape = mapping["shape"]
        plain = {"classes": tuple(mapping["classes"]), "shape": tuple(shape) if shape else None}
        return cls(**{**mapping, **plain})
