"""Finding runs and studies by the names that a user has for them."""

import glob
import hashlib
import json
import re
import shutil
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nndl_exp.config import RunConfig, TrackingConfig, to_mapping
from nndl_exp.errors import UserError
from nndl_exp.yaml_file import read_yaml

if TYPE_CHECKING:  # the records need NumPy and SciPy; an error line does not
    from nndl_exp.records import RunDirectory

_FOLDER = re.compile(r"[A-Za-z0-9_]{1,99}")
_LONGEST = 100  # characters of a study's or a run's name
_MLFLOW_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Found:
    """A run: its name, its record, and its study's folder if it is a trial.

    ``mlflow_id`` is its id where MLflow is all that has it; then the record is a copy that is
    deleted when the process ends.
    """

    name: str
    directory: "RunDirectory"
    study: Path | None
    mlflow_id: str | None = None


def new_run_directory(
    output: Path, config: RunConfig, finished_on: str | None = None
) -> "RunDirectory":
    """Where to train a config: the folder where it was begun and not finished, or a new one.

    With ``finished_on``, the SHA-256 of the data, also a folder where it has finished on them.
    """
    from nndl_exp.records import RunDirectory

    text = json.dumps(to_mapping(config), sort_keys=True)
    stem = f"{config.dataset.title}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"
    number = 1
    while True:
        name = stem if number == 1 else f"{stem}-{number}"
        directory = RunDirectory(output / "runs" / name)
        if not directory.config_path.exists():
            return directory
        finished = directory.result() is not None
        if directory.config() == config and (
            not finished or directory.provenance().get("data") == finished_on
        ):
            return directory
        number += 1


def find_run(reference: str, output: str, tracking: TrackingConfig) -> Found:
    """A run by its name, its folder, a best.yaml or config.yaml, or its MLflow id; a study, by its
    name or folder, stands for the run that it recommends.

    Raises:
        UserError: there is no such run.
    """
    for path in (Path(reference), Path(output) / "studies" / reference):
        _check_readable(path)
    directory = _by_path(Path(reference)) or _by_name(reference, Path(output))
    directory = directory or _recommended(reference, output)
    found = _found(directory) if directory else None
    if found is None and _MLFLOW_ID.fullmatch(reference):
        found = _by_mlflow_id(reference, output, tracking)
    if found is None or not found.directory.config_path.exists():
        raise UserError(
            f"no such run: {reference} (give a name such as STUDY/17 or STUDY/STAGE/17, a study, a "
            f"run's folder, a best.yaml, or an MLflow run id; looked in {output})"
        )
    return found


def find_finished_run(reference: str, output: str, tracking: TrackingConfig, to: str) -> Found:
    """The run that ``find_run`` finds, if it has ended; ``to`` says what else it can't.

    Raises:
        UserError: there is no such run, or it has not ended.
    """
    found = find_run(reference, output, tracking)
    if found.directory.result() is None:
        raise UserError(f"{found.name} has not ended; only a finished run can {to}")
    return found


def find_study(reference: str, output: str) -> tuple[str, str] | None:
    """(output folder, name) of a study given by its name or folder, None if it is not one.

    Raises:
        UserError: the study has a format that this version does not read.
    """
    path = Path(reference)
    if (path / "study.yaml").is_file():
        _check_readable(path / "study.yaml")
        return str(path.resolve().parent.parent), path.resolve().name
    path = Path(output) / "studies" / reference
    if "/" not in reference and (path / "study.yaml").is_file():
        _check_readable(path / "study.yaml")
        return output, reference
    return None


def get_study(reference: str, output: str) -> tuple[str, str]:
    """(output folder, name) of a study given by its name or folder.

    Raises:
        UserError: there is no such study, or it has a format that this version does not read.
    """
    from nndl_exp.study.settings import no_such_study

    found = find_study(reference, output)
    if found is None:
        raise UserError(no_such_study(output, reference))
    return found


def _check_readable(path: Path) -> None:
    """Check that this version reads the study that a file or folder lies in, if it is in one.

    Raises:
        UserError: the study has another format.
    """
    for folder in path.absolute().parents:
        if folder.parent.name == "studies" and (folder / "study.yaml").is_file():
            from nndl_exp.study.settings import check_readable

            check_readable(folder)


def _by_path(path: Path) -> "RunDirectory | None":
    from nndl_exp.records import RunDirectory

    if path.is_dir() and (path / "config.yaml").is_file():
        return RunDirectory(path.resolve())
    if path.is_file() and path.name == "config.yaml":
        return RunDirectory(path.resolve().parent)
    if path.is_file() and path.suffix in (".yaml", ".yml"):
        origin = read_yaml(path).get("origin")
        inside = str(origin.get("run", "")).split("/")[1:] if isinstance(origin, dict) else []
        if len(inside) != 2 or not all(map(_FOLDER.fullmatch, inside)):
            raise UserError(f"{path} does not say which run it is from (origin)")
        stage, number = inside
        return RunDirectory(path.resolve().parent / "stages" / stage / "trials" / number)
    return None


def _by_name(name: str, output: Path) -> "RunDirectory | None":
    from nndl_exp.records import RunDirectory

    parts = name.split("/")
    if ".." in parts or name.startswith("/") or max(map(len, parts)) > _LONGEST:
        return None
    match parts:
        case [study, stage, number]:
            path = output / "studies" / study / "stages" / stage / "trials" / number
        case [study, number]:
            path = _trial(output / "studies" / study, number)
        case _:
            path = output / "runs" / name
    return RunDirectory(path.resolve()) if (path / "config.yaml").is_file() else None


def _trial(study: Path, number: str) -> Path:
    """The trial that STUDY/NUMBER means: that of the only stage, or of the joint search.

    Raises:
        UserError: several other stages have a trial of that number.
    """
    found = sorted(study.glob(f"stages/*/trials/{glob.escape(number)}/config.yaml"))
    keys = [path.parents[2].name for path in found]
    if len(keys) > 1 and "joint" not in keys:
        names = ", ".join(f"{study.name}/{key}/{number}" for key in keys)
        raise UserError(f"{study.name}/{number} must name one trial: there are {names}")
    key = "joint" if "joint" in keys or not keys else keys[0]
    return study / "stages" / key / "trials" / number


def _recommended(reference: str, output: str) -> "RunDirectory | None":
    """The run that a study's best.yaml is from, None if there is no such study."""
    found = find_study(reference, output)
    if found is None:
        return None
    folder, name = found
    best = Path(folder) / "studies" / name / "best.yaml"
    if not best.is_file():
        from nndl_exp.study.settings import how_to_continue

        raise UserError(f"{name} has no winner yet; {how_to_continue(best.parent)}")
    if read_yaml(best).get("origin", {}).get("run") is None:
        from nndl_exp.display.commands import path_setting

        raise UserError(
            f"no trial of {name} trained the run that it ended with; python -m nndl_exp.train "
            f"{path_setting('from', best)} does"
        )
    return _by_path(best)


def _found(directory: "RunDirectory") -> Found:
    from nndl_exp.records.origin import study_folder

    return Found(directory.name, directory, study_folder(directory.path))


def _by_mlflow_id(run_id: str, output: str, tracking: TrackingConfig) -> Found | None:
    """The run if its folder is here, else with a copy of its record from MLflow's artifacts."""
    from nndl_exp.records import RunDirectory
    from nndl_exp.tracking.runs import download_record, name_of_run

    name = name_of_run(output, tracking, run_id)
    if name is None:
        return None
    here = _by_name(name, Path(output))
    if here is not None:
        return _found(here)
    # The name is the server's word: nothing but letters and digits of it becomes a folder's.
    plain = re.sub(r"[^A-Za-z0-9]+", "-", name)[:100]
    folder = Path(tempfile.mkdtemp(prefix="nndl-exp-"))
    directory = RunDirectory(folder / f"run-{plain}")
    weakref.finalize(directory, shutil.rmtree, folder, ignore_errors=True)
    download_record(output, tracking, run_id, directory.path)
    shown = "".join(c for c in name if c.isprintable()) or run_id
    return Found(shown, directory, None, run_id)
