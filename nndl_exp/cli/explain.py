"""One line for what Hydra says in several, with the setting or option that was probably meant."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import OmegaConfBaseException

from nndl_exp.cli.conf import CONF, GROUPS
from nndl_exp.cli.typed import split
from nndl_exp.config import flatten, no_such_setting
from nndl_exp.errors import UserError
from nndl_exp.masking import masked
from nndl_exp.yaml_file import read_yaml

Compose = Callable[[str, Sequence[str]], Any]


@contextmanager
def explained(name: str, words: Sequence[str], compose: Compose) -> Iterator[None]:
    """Turn what Hydra raises while it composes ``conf/NAME.yaml`` into a UserError of one line.

    ``compose`` composes the command's settings without the words that are wrong.
    """
    try:
        yield
    except (HydraException, OmegaConfBaseException) as e:
        raise UserError(_line(e, name, words, compose)) from None


def _line(error: Exception, name: str, words: Sequence[str], compose: Compose) -> str:
    if isinstance(error, MissingConfigException) and error.options is not None:
        group, _, option = masked(str(error.missing_cfg_file)).rpartition("/")
        return f"no such {group}: {option} (there are {', '.join(error.options)})"
    overrides = OverridesParser.create().parse_overrides(split(words)[1])
    known = compose(name, []).settings
    for override in overrides:
        if line := _about(override, name, known):
            return line
    if any(masked(word) != word for word in words):  # Hydra may have changed the address
        return "these settings can't be composed (--help explains)"
    return f"{str(error).splitlines()[0]} (--help explains)"


def _about(override: Override, name: str, known: dict[str, Any]) -> str | None:
    """What is wrong with an override, if its name tells."""
    key = str(override.key_or_group)
    if key == "experiment":
        return _about_experiment(override, name, known)
    if key.startswith("hydra") or override.is_add():
        return None
    if key in GROUPS and key not in known:
        return f"nndl_exp.{name} has no {key}: {override.input_line} is for nndl_exp.sweep"
    names = [*known, *(key for key, _ in flatten(known))]
    if any(other.startswith(f"{key}.") for other in names) and key not in GROUPS:
        return (
            f"{key} has other keys; to put something else in its place, delete it and add it: "
            f"'~{key}' '+{key}=...'"
        )
    return None if key in names else no_such_setting(key, names)


def _about_experiment(override: Override, name: str, known: dict[str, Any]) -> str | None:
    option = override.value()
    if not override.is_add():
        return f"an experiment is added, with a plus: +experiment={option}"
    path = CONF / "experiment" / f"{option}.yaml"
    if not path.is_file():
        return None
    chosen = read_yaml(path)
    groups = [str(key) for entry in chosen.get("defaults", []) if isinstance(entry, dict)
              for key in entry]  # fmt: skip
    keys = [group.removeprefix("override ").lstrip("/") for group in groups] + list(chosen)
    for key in keys:
        if key in GROUPS and key not in known:
            return (
                f"+experiment={option} is a study: it chooses {key}, which nndl_exp.{name} does "
                "not have; give it to nndl_exp.sweep"
            )
    return None
