"""What the MLflow UI says of a run beside its numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from nndl_exp.masking import masked

NOTE = "mlflow.note.content"
"""The tag that the UI shows as the description, in Markdown."""

IDENTITY = "nndl.identity"
"""The tag of a study's run that tells the study from another one of the same name."""

_LONGEST_NAME, _LONGEST_TAG = 250, 8000
"""What MLflow's tables take, in characters."""


@dataclass(frozen=True)
class Caption:
    """A run's name, its description in Markdown, and tags to filter by; none holds a password."""

    name: str
    text: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def shown_name(self) -> str:
        """The name, as long as MLflow takes it."""
        return cut(self.name, _LONGEST_NAME)

    def all_tags(self) -> dict[str, str]:
        """The tags with the description, as long as MLflow takes them."""
        note = {NOTE: self.text} if self.text else {}
        return {key: cut(text, _LONGEST_TAG) for key, text in {**note, **self.tags}.items()}


def cut(text: str, longest: int) -> str:
    """A text without passwords, cut to so many characters."""
    text = masked(text)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
