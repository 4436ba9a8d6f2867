"""The words of a command line as they were typed, and how they should have been."""

import os
from collections.abc import Iterator, Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

from nndl_exp.cli.conf import GROUPS
from nndl_exp.cli.options import FLAGS, verbosity_of
from nndl_exp.errors import UserError

_WITH_VALUE = ("--cfg", "-c", "--package", "-p", "--info", "-i", "--config-path", "-cp",
               "--config-name", "-cn", "--config-dir", "-cd", "--experimental-rerun")  # fmt: skip
_ALONE = ("--help", "-h", "--hydra-help", "--version", "--resolve", "--run", "-r", "--multirun",
          "-m", "--shell-completion", "-sc")  # fmt: skip
_ANSWERED = ("--help", "-h", "--hydra-help", "--cfg", "-c", "--info", "-i")
_COMPLETED = ("--help", "--cfg", "--multirun", "--config-dir", "--config-name", *FLAGS)
"""What tab offers after a dash."""
_MODES = ("--run", "-r", "--multirun", "-m", "--cfg", "-c", "--info", "-i")
_PATHS = ("output", "from", "dataset.path", "out", "published")
"""Settings that are paths: Hydra's grammar takes many of them for something else."""


def parsed(words: Sequence[str]) -> list[str]:
    """The words as Hydra reads them.

    Raises:
        UserError: a flag that Hydra does not know, or a setting that can't be read; with the right
            way to type it, where it can be told.
    """
    flags, settings = split(words)
    several = any(flag in ("-m", "--multirun") for flag in flags)
    settings = [_literal(word, several) for word in settings]
    parser = OverridesParser.create()
    for i, word in enumerate(settings):
        try:
            override = parser.parse_override(word)
        except HydraException:
            raise UserError(_how_to_type(settings, i)) from None
        if not override.key_or_group:
            raise UserError(_how_to_type(settings, i))
        _check_group(override)
        if override.is_sweep_override() and not several and not _chooses_mode(settings):
            raise UserError(
                f"{word} has several values: give one, or --multirun to run each of them"
            )
    return [*flags, *settings]


def split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The flags with their values, and the settings.

    Raises:
        UserError: a flag that there is not, or without its value, or two that exclude each other.
    """
    flags, settings, rest = list[str](), list[str](), iter(words)
    for word in rest:
        if not word.startswith("-"):
            settings.append(word)
            continue
        flags.append(word)
        name, equals, _ = word.partition("=")
        if name not in (*_WITH_VALUE, *_ALONE):
            raise UserError(f"unrecognized arguments: {word} (--help explains)")
        if name in _WITH_VALUE and not equals:
            value = next(rest, None)
            if value is None and name not in ("--info", "-i"):
                raise UserError(f"{name} needs a value (--help explains)")
            flags += [] if value is None else [value]
    modes = [flag for flag in flags if flag.partition("=")[0] in _MODES]
    if len(modes) > 1:
        raise UserError(f"{' and '.join(modes)} can't be given together (--help explains)")
    return flags, settings


def answers(words: Sequence[str]) -> bool:
    """True if Hydra only answers: with help, or with settings."""
    return any(word.partition("=")[0] in _ANSWERED for word in words)


def completes_a_flag(words: Sequence[str]) -> bool:
    """Answer tab after a dash, which Hydra does not; hide from it the flags that it does not know.

    Bash gives the line that is being typed as COMP_LINE.
    """
    if not any(word in ("--shell-completion", "-sc") for word in words):
        return False
    head, *typed = os.environ.get("COMP_LINE", "").split(" ")
    if typed and typed[-1].startswith("-"):
        print(" ".join(_COMPLETED))
        return True
    if typed:
        os.environ["COMP_LINE"] = " ".join([head, *verbosity_of(typed)[1]])
    return False


def _check_group(override: Override) -> None:
    """Refuse a number, or nothing, in place of an option; Hydra would show a traceback."""
    key, word = override.key_or_group, override.input_line
    if key not in GROUPS or override.is_delete() or override.is_sweep_override():
        return
    if override.value() is None or isinstance(override.value(), int | float):
        raise UserError(f"{key} is a group, {key}=OPTION chooses one of its files: got {word}")


def _chooses_mode(settings: Sequence[str]) -> bool:
    return any(word.startswith("hydra.mode=") for word in settings)


def _how_to_type(words: Sequence[str], i: int) -> str:
    """One line about a word that Hydra can't read, with what it should have been."""
    word, before = words[i], words[i - 1] if i else ""
    after = words[i + 1] if i + 1 < len(words) else ""
    if word.startswith("=") and before:
        return f"a setting is typed without spaces: {before}{word}{after if word == '=' else ''}"
    if after.startswith("="):
        value = words[i + 2] if after == "=" and i + 2 < len(words) else ""
        return f"a setting is typed without spaces: {word}{after}{value}"
    if before.endswith("="):
        return f"a setting is typed without spaces: {before}{word}"
    if opened := next((whole for whole in _closed(words[i:]) if whole), ""):
        return f"a list is typed without spaces, or in quotes: {opened}"
    key, equals, value = word.partition("=")
    if not equals or not key:
        return f"a setting is typed as NAME=VALUE: got {word}"
    if _depth(word):
        return f"{key} has a bracket that is not closed: got {value}"
    return f"{key} takes such a text in quotes within quotes, '{key}=\"{value}\"': got {value}"


def _closed(words: Sequence[str]) -> Iterator[str]:
    """A list that stands over several words as one, if it is closed."""
    if _depth(words[0]):
        for end in range(2, len(words) + 1):
            whole = "".join(words[:end])
            yield "" if _depth(whole) else whole


def _depth(text: str) -> int:
    return sum(text.count(bracket) for bracket in "[{(") - sum(
        text.count(bracket) for bracket in "]})"
    )


def _literal(word: str, several: bool) -> str:
    """A word of the command line, its path in Hydra's quotes where Hydra would not read it as one.

    With ``several`` values of a ``--multirun`` a comma separates paths.
    """
    key, _, path = word.partition("=")
    if key.lstrip("+") not in _PATHS or not path:
        return word
    try:
        override = OverridesParser.create().parse_override(word)
    except HydraException:
        pass
    else:
        value = override.value()
        in_its_words = value is None or path[0] in "'\"" or "\\" in path
        if in_its_words or value == path or (several and override.is_sweep_override()):
            return word
    return f"{key}={QuotedString(path, Quote.double).with_quotes()}"
