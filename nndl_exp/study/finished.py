"""Whether a study has ended with a winner, and what to type to continue one that has not."""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from nndl_exp.masking import masked
from nndl_exp.records import atomic
from nndl_exp.study.summary import BEST, Summary

_COMMAND = "command.txt"


def is_finished(found: Summary) -> bool:
    """Whether a study has ended with a winner: complete, or as its budget was spent."""
    return (found.folder / BEST).is_file() and found.state != "running"


def command_of(words: Sequence[str], command: str = "sweep") -> str:
    """What to type to run a command, or to continue it: with the settings that were taken from the
    environment, and without passwords."""
    taken = {"output": os.environ.get("NNDL_OUTPUT"),
             "tracking.uri": os.environ.get("NNDL_TRACKING_URI")}  # fmt: skip
    typed = {word.lstrip("+").partition("=")[0] for word in words}
    added = [f"{key}={value}" for key, value in taken.items() if value and key not in typed]
    return masked(shlex.join(["python", "-m", f"nndl_exp.{command}", *words, *added]))


def keep_command(folder: Path, words: Sequence[str]) -> None:
    """Keep what was typed to lead a study, for those who want to continue it."""
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write(folder / _COMMAND, f"{command_of(words)}\n".encode())


def how_to_continue(folder: Path) -> str:
    """What continues the study in a folder, as part of an error line."""
    try:
        return f"continue it with: {(folder / _COMMAND).read_text().strip()}"
    except OSError:  # led from Python
        return "continue it with the command that began it"
