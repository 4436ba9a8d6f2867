"""YAML files of settings, read without trusting them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from nndl_exp.errors import UserError


def to_yaml(mapping: Mapping[str, Any]) -> str:
    """A mapping as YAML, in its own order; short lists stay on one line."""
    return yaml.safe_dump(dict(mapping), sort_keys=False, default_flow_style=None, width=100)


LONGEST_YAML = 2**18
"""Bytes of a file of settings; ours have a few thousand."""

DEEPEST_YAML = 40
"""Mappings and lists inside each other in a file of settings; ours have five."""

_NOT_SETTINGS = (
    ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError,
)  # fmt: skip
"""What PyYAML raises on scalars that it can't convert."""


# The same safe loader in C, where PyYAML was built with it: a study reads hundreds of files.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file that holds a mapping.

    Raises:
        UserError: the file is missing or does not hold one.
    """
    try:
        with path.open("rb") as file:
            text = file.read(LONGEST_YAML + 1)
        if len(text) > LONGEST_YAML:
            raise UserError(f"{path} must have at most {LONGEST_YAML:,} bytes: got more")
        _check_structure(text.decode())
        mapping = yaml.load(text.decode(), Loader=_LOADER)
    except OSError as e:
        raise UserError(f"{path} can't be read: {e.strerror}") from None
    except (yaml.YAMLError, *_NOT_SETTINGS):
        raise UserError(f"{path} is not a YAML file of settings") from None
    if not isinstance(mapping, dict):
        raise UserError(f"{path} must hold settings (key: value): got {type(mapping).__name__}")
    return mapping


def _check_structure(text: str) -> None:
    """Refuse aliases, a few lines of which can stand for billions of values, and deep nesting,
    which the loader in C answers with a crash of the process."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("an alias")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST_YAML:
                raise ValueError("nested too deeply")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
