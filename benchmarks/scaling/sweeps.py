"""The real command line, timed, and what its trials left."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nndl_exp.records import Result, RunDirectory

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

    from nndl_exp.study.search import Search


@dataclass(frozen=True)
class Sweep:
    """A sweep that has ended: seconds by the clock from its start to its exit, seconds of all its
    processes together, and its study's folder."""

    clock: float
    processor: float
    folder: Path

    def trained(self) -> list[tuple[RunDirectory, Result]]:
        """The trials that were trained, not taken over from an equal one, in their order."""
        found = [RunDirectory(path.parent) for path in self.folder.glob("**/trials/*/result.json")]
        settled = [(directory, directory.result()) for directory in found]
        trained = [(d, r) for d, r in settled if r and not r.is_copy]
        return sorted(trained, key=lambda pair: pair[1].started)

    def window(self) -> float:
        """Seconds from the first trial's start to the last one's end."""
        results = [result for _, result in self.trained()]
        return max(r.ended for r in results) - min(r.started for r in results)


def sweep(
    words: Sequence[str], output: Path, module: str = "nndl_exp.sweep", **environment: str
) -> Sweep:
    """Run ``python -m nndl_exp.sweep``, or a module that does, into a new output folder.

    Raises:
        subprocess.CalledProcessError: it did not end well.
    """
    command = [sys.executable, "-m", module, *words, f"output={output}", "study.name=s"]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", **environment}
    before, start = _processor(), time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    clock = time.perf_counter() - start
    return Sweep(clock, _processor() - before, output / "studies" / "s")


def _processor() -> float:
    """Seconds of processor that the processes have taken that this one started and has ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def stored_name(search: "Search", backend: "RDBStorage") -> str:
    """What Optuna's database calls it: on a server the output folder's id follows its name."""
    import optuna

    names = optuna.get_all_study_names(backend)
    return next(name for name in names if name.partition(" ")[0] == search.name)


def on_postgresql() -> tuple[str, ...] | None:
    """The words that put a study into the database that libpq's variables name; None without."""
    if "PGPORT" not in os.environ:
        return None
    host, port = os.environ.get("PGHOST", "localhost"), os.environ["PGPORT"]
    user = os.environ.get("PGUSER", "postgres")
    database = os.environ.get("PGDATABASE", user)
    return ("storage=postgresql", f"storage.url=postgresql://{user}@{host}:{port}/{database}")
