"""What a study's folder says of it: study.yaml, which identifies it, and the command that began it.

study.yaml is written once, and compared with what is asked for later. Error lines need this file,
so it imports nothing heavy.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from nndl_exp.config import SweepConfig, flatten, parse, to_mapping
from nndl_exp.errors import UserError
from nndl_exp.yaml_file import read_yaml, to_yaml

if TYPE_CHECKING:
    from nndl_exp.datasets import Dataset

FILE = "study.yaml"
FORMAT = 2
_LAST_TO_READ = {None: "0.1", 1: "0.1"}
"""The last version of nndl_exp that reads an older format."""
IDENTIFYING = ("run", "search_space", "sampler", "pruner", "study", "strategy")
"""The groups of settings that study.yaml holds."""
EXTENDABLE = {
    "study.name", "study.n_trials", "study.budget", "study.max_retries", "study.give_up_after",
    "study.dry_run",
}  # fmt: skip
"""Settings that may differ from one start of a study to the next."""
_COMMAND = "command.txt"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_MOST_CHANGES = 3
_LONGEST_VALUE = 23


@dataclass(frozen=True)
class Saved:
    """The contents of a study.yaml.

    ``identity`` is the digest of all that decides the trials, ``data`` the SHA-256 of the dataset.
    """

    config: SweepConfig
    identity: str
    data: str


def study_names(output: Path | str) -> list[str]:
    """The studies of an output folder, in the order of their names."""
    return sorted(path.parent.name for path in Path(output).glob(f"studies/*/{FILE}"))


def no_such_study(output: Path | str, name: str) -> str:
    """The error line for a study that is not there, with those that are."""
    names = study_names(output)
    folder = Path(output) / "studies"
    there = f"there are {', '.join(names)}" if names else f"{folder} has none"
    return f"no such study: {name} ({there})"


def keep_command(folder: Path, command: str) -> None:
    """Keep the command that leads a study, for those who want to continue it."""
    from nndl_exp.records import atomic

    folder.mkdir(parents=True, exist_ok=True)
    atomic.write(folder / _COMMAND, f"{command}\n".encode())


def how_to_continue(folder: Path) -> str:
    """What continues the study in a folder, as part of an error line."""
    try:
        return f"continue it with: {(folder / _COMMAND).read_text().strip()}"
    except OSError:  # led from Python
        return "continue it with the command that began it"


def load(folder: Path, output: Path | str) -> Saved:
    """The settings of the study in a folder.

    Raises:
        UserError: the file is missing or damaged, or was written by another version.
    """
    path = folder / FILE
    settings = read_yaml(path)
    _check_format(folder.name, settings.pop("format", None))
    facts = {key: str(settings.pop(key, "")) for key in ("identity", "data")}
    settings.pop("id", None)  # which an earlier version wrote
    try:
        return Saved(parse(SweepConfig, {**settings, "output": str(output)}), **facts)
    except UserError as e:
        raise UserError(f"{path} is not a study's settings: {e}") from None


def is_readable(folder: Path) -> bool:
    """Whether this version reads the study in a folder."""
    return read_yaml(folder / FILE).get("format") == FORMAT


def check_readable(folder: Path) -> None:
    """Check that this version reads the study in a folder.

    Raises:
        UserError: the study has another format.
    """
    _check_format(folder.name, read_yaml(folder / FILE).get("format"))


def _check_format(name: str, found: Any) -> None:
    if found == FORMAT:
        return
    if found in _LAST_TO_READ:
        raise UserError(
            f"the study {name} must have the format {FORMAT}: got an older one, which nndl_exp "
            f"{_LAST_TO_READ[found]} reads; train from=best.yaml still takes its result"
        )
    raise UserError(f"the study {name} must have the format {FORMAT}: got {found}")


def save(folder: Path, config: SweepConfig, identity: str, data: str) -> None:
    """Write study.yaml, to be called inside ``creating``."""
    from nndl_exp.records import atomic

    everything = to_mapping(config)
    settings = {"format": FORMAT, **{key: everything[key] for key in IDENTIFYING}}
    settings["study"] |= {"name": folder.name, "dry_run": False}
    settings |= {"identity": identity, "data": data}
    if config.tracking.experiment is not None:
        settings["tracking"] = {"experiment": config.tracking.experiment}
    header = f"# the study {folder.name}: what identifies it, and its total of trials\n"
    atomic.write(folder / FILE, (header + to_yaml(settings)).encode(), durable=True)


@contextmanager
def creating(folder: Path) -> Iterator[None]:
    """Make a folder, in which one process at a time writes settings."""
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".create.lock"):
        yield


def check_name(name: str, dataset: str, identity: str) -> str:
    """A study's name; ``auto`` is the dataset and a digest of what identifies the study.

    Raises:
        UserError: a name that can't be a folder's.
    """
    if name == "auto":
        return f"{dataset}-{identity[:6]}"
    if not is_name(name):
        raise UserError(
            "study.name must be 1 to 100 letters, digits, dots, dashes or underscores, and "
            f"start with a letter or digit: got {name!r}"
        )
    return name


def is_name(name: str) -> bool:
    """Whether a study can have this name."""
    return _NAME.fullmatch(name) is not None


def check_same_data(name: str, then: str, dataset: "Dataset") -> None:
    """Check that a study's dataset is the one with the SHA-256 ``then``.

    Raises:
        UserError: the data have changed since the study was begun.
    """
    if (now := dataset.sha256) != then:
        raise UserError(
            f"the study {name} must have the data that it was begun with (sha256 {then[:12]}...): "
            f"the dataset has changed, it is {now[:12]}... now"
        )


def other_settings(name: str, saved: SweepConfig, config: SweepConfig) -> str:
    """The error line for a study that exists with other settings: what was, and what is now."""
    then, now = _identifying(saved), _identifying(config)
    keys = [*now, *(key for key in then if key not in now)]
    changed = [key for key in keys if then.get(key) != now.get(key)]
    shown = [
        f"{key} was {_short(then.get(key))}, now {_short(now.get(key))}"
        for key in changed[:_MOST_CHANGES]
    ]
    if len(changed) > _MOST_CHANGES:
        shown.append(f"and {len(changed) - _MOST_CHANGES} more")
    said = "; ".join(shown) or "its dataset or the program has changed"
    return (
        f"the study {name} exists with other settings ({said}); give them again, or another "
        "study.name"
    )


def same_settings(saved: SweepConfig, config: SweepConfig) -> bool:
    """Whether two studies are the same one, whatever their names and their totals of trials."""
    return _identifying(saved) == _identifying(config)


def _identifying(config: SweepConfig) -> dict[str, Any]:
    groups = {key: value for key, value in asdict(config).items() if key in IDENTIFYING}
    return {key: value for key, value in flatten(groups) if key not in EXTENDABLE}


def _short(value: Any) -> str:
    text = str(value)
    if len(text) <= _LONGEST_VALUE:
        return text
    kept = (_LONGEST_VALUE - 3) // 2  # of both ends: two paths differ at either
    return f"{text[:kept]}...{text[-kept:]}"
