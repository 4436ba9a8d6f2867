"""Where a run comes from: the study that it is a trial of, or the run that it started from."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Origin:
    """What a run comes from: the name of a study, or of a single run, and its folder, empty where
    that is not known. In the same output folder it is relative to the run's."""

    name: str
    folder: str

    @classmethod
    def of_run(cls, path: Path, recorded: Any) -> "Origin | None":
        """The origin of the run in the folder ``path``; ``recorded`` is what its provenance says.

        None for a run that comes from no other.
        """
        if (folder := study_folder(path)) is not None:
            return cls(folder.name, str(folder))
        if not isinstance(recorded, dict) or not {"name", "folder"} <= set(recorded):
            return None
        return cls(str(recorded["name"]), str(recorded["folder"]))

    def seen_from(self, path: Path) -> "Origin":
        """The origin of the run in the folder ``path``, so that both can be moved together."""
        folder, output = Path(self.folder), path.resolve().parent.parent
        if not self.folder or folder.parent.parent != output:
            return self
        return Origin(self.name, os.path.relpath(folder, path.resolve()))


def study_folder(path: Path) -> Path | None:
    """The folder of the study that has its trial at ``path``, None if that is no trial's folder."""
    path = path.resolve()
    if path.parent.name != "trials" or len(path.parents) < 4:
        return None
    folder = path.parents[3]
    return folder if (folder / "study.yaml").is_file() else None
