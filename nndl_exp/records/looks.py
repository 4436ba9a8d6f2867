"""Looks at the test set: a record of each, kept with the study that it counts for.

A look shows how well one network does on the test set. It counts for the study that the network
comes from: its trials, copies of their folders, and runs that were trained ``from=`` one of them.
A run that comes from no study counts for itself. docs/explanation/test-set.md has all the rules.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from nndl_exp.errors import UserError
from nndl_exp.records import atomic
from nndl_exp.records.origin import Origin
from nndl_exp.records.run_directory import RunDirectory
from nndl_exp.yaml_file import read_yaml

FILE = "test_set.json"


@dataclass(frozen=True)
class Look:
    """One look at the test set: when, at which run, and what was seen.

    Where targets are classes, ``accuracy`` is a fraction with the 95 % interval from ``low`` to
    ``high``; where they are numbers it is R², without an interval, and ``error`` the root mean
    square error in the unit of the target. It is None where the test set was measured after each
    epoch of training (dataset.monitor=test). ``images`` counts the examples, which ``noun`` names.
    ``study`` is the name of what the look counts for; ``weights`` and ``data`` are the SHA-256 of
    the network and of the dataset.
    """

    run: str
    when: str
    accuracy: float | None
    low: float | None
    high: float | None
    images: int
    error: float | None = None
    noun: str = "images"
    study: str = ""
    weights: str = ""
    data: str = ""

    @classmethod
    def from_json(cls, text: str) -> "Look":
        """The look that ``to_json`` wrote.

        Raises:
            ValueError, TypeError: the text is something else.
        """
        return cls(**json.loads(text))

    def to_json(self) -> str:
        """The look as JSON."""
        return json.dumps(asdict(self))

    def text(self) -> str:
        """What was seen, in short: 95.20 %, or R² 0.9520."""
        if self.accuracy is None:
            return "measured after each epoch"
        return f"R² {self.accuracy:.4f}" if self.low is None else f"{100 * self.accuracy:.2f} %"

    def counts_for(self, names: set[str]) -> bool:
        """Whether it counts for a study, or a single run, that has one of these names."""
        return (self.study or self.run.split("/")[0]) in names


@dataclass(frozen=True)
class Register:
    """The file that keeps the looks which count for one study, or for one single run.

    ``folder`` is the study's; None for a single run, and for a study that is not here. ``output``
    is the output folder around it, None where there is none.
    """

    name: str
    path: Path
    folder: Path | None
    output: Path | None

    def add(self, look: Look) -> None:
        """Keep a look, in the place of the one at the same run that says no accuracy if there is
        one. It is on the disk when this returns."""
        begun = [one for one in read(self.path) if one.run == look.run and one.accuracy is None]
        looks = [one for one in read(self.path) if one not in begun]
        text = json.dumps([asdict(one) for one in [*looks, look]], indent=1)
        atomic.write(self.path, text.encode(), durable=True)

    def lock(self) -> FileLock:
        """Held by the process that takes a look, so that the next one sees it."""
        return FileLock((self.output or self.path.parent) / ".test_set.lock")


def register_of(path: Path, origin: Origin | None, output: Path) -> Register:
    """Where looks are kept at the run in the folder ``path``, which comes from ``origin``.

    The origin is looked for where it was, in the run's own output folder, and in ``output``.
    """
    path = path.resolve()
    home = path.parent.parent if path.parent.name == "runs" else None
    if origin is None:
        return Register(path.name, path.with_name(f".{path.name}.{FILE}"), None, home)
    places = [(path / origin.folder).resolve()] if origin.folder else []
    for folder in (home, output.resolve()):
        if folder is not None:
            places += [folder / "studies" / origin.name, folder / "runs" / origin.name]
    for place in places:
        if (place / "study.yaml").is_file():
            return Register(place.name, place / FILE, place, place.parent.parent)
        if (place / "config.yaml").is_file():
            return register_of(place, None, output)
    return Register(origin.name, path.with_name(f".{origin.name}.{FILE}"), None, home)


def origin_of_file(path: Path) -> Origin | None:
    """The origin of a run that starts ``from`` this file: a best.yaml, or the config of a run."""
    path, values = path.resolve(), read_yaml(path).get("origin")
    if isinstance(values, dict) and (name := values.get("study") or values.get("run")):
        name = str(name).split("/")[0]
        return Origin(name, str(path.parent) if path.parent.name == name else "")
    directory = RunDirectory(path.parent)
    if path != directory.config_path or not directory.provenance():
        return None  # written by hand
    return directory.origin() or Origin(path.parent.name, str(path.parent))


def now() -> str:
    """The present moment, to the minute."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def read(path: Path) -> list[Look]:
    """The looks that a file keeps, the first one first.

    Raises:
        UserError: the file is damaged.
    """
    try:
        return [Look(**look) for look in json.loads(path.read_bytes())]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError):
        raise UserError(f"{path}, which says when the test set was looked at, is damaged") from None


def read_all(output: Path) -> Iterator[Look]:
    """All looks that are kept in an output folder."""
    for path in sorted([*output.glob(f"studies/*/{FILE}"), *output.glob(f"runs/.*.{FILE}")]):
        yield from read(path)
