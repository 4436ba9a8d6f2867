"""What search, storage and tracking take beside training, in whole sweeps of the real command.

All is in seconds of processor, of all the processes of one and the same sweep, from the command's
first line to its exit. Training is what they spend in the trainings, each measured after every
epoch (counted.py counts it); all the rest is overhead, as a share of that. Its parts: tracking is
by how many seconds it is less with tracking=none; starting is what the plan takes
(study.dry_run=true), what each worker imports, and MLflow's import and opening; reports are the
tables and figures of all stages; what remains is search, storage and records. By the clock, times
the workers, waiting counts too.
"""

import importlib
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass
from multiprocessing import get_context
from pathlib import Path

from benchmarks.readme import table
from benchmarks.scaling.counted import REPORT, STARTING, TRAINING, Counted, read
from benchmarks.scaling.sweeps import Sweep, sweep

LONG = "full digits, 1,050 epochs of work"
"""What takes half an hour is measured once."""
CASES: dict[str, tuple[str, ...]] = {
    "the default sweep (5,000 digits)": (),
    LONG: ("dataset=mnist", "strategy.epochs=1050"),
}
WORKERS = 2


@dataclass(frozen=True)
class Overhead:
    """One round: trainings, their seconds of processor, and shares of those; by the clock, of the
    whole command, without tracking, and from the first trial's start to the last one's end."""

    trainings: float
    training: float
    search: float
    tracking: float
    starting: float
    reports: float
    clock: float
    clock_untracked: float
    window: float

    @property
    def together(self) -> float:
        """Search, storage, records and tracking."""
        return self.search + self.tracking

    @property
    def whole(self) -> float:
        """All that is not training."""
        return self.together + self.starting + self.reports


@dataclass(frozen=True)
class Led:
    """A sweep; what its trainings took, and in seconds of processor its reports and MLflow."""

    sweep: Sweep
    training: Counted
    reports: float
    mlflow: float

    @property
    def other(self) -> float:
        """Seconds of processor that were not training."""
        return self.sweep.processor - self.training.processor


def lead(words: tuple[str, ...], folder: Path) -> Led:
    """A sweep that is counted."""
    file = folder.with_suffix(".counted")
    done = sweep(words, folder, "benchmarks.scaling.counted", COUNTED=str(file))
    reports, mlflow = read(file, REPORT).processor, read(file, STARTING).processor
    return Led(done, read(file, TRAINING), reports, mlflow)


def measure(words: tuple[str, ...], workers: int = WORKERS) -> Overhead:
    """One round: the sweep, the sweep without tracking, its plan."""
    words = (*words, f"workers={workers}")
    with tempfile.TemporaryDirectory() as folder:
        tracked = lead(words, Path(folder) / "tracked")
        untracked = lead((*words, "tracking=none"), Path(folder) / "untracked")
        plan = sweep((*words, "study.dry_run=true"), Path(folder) / "plan")
        starting = plan.processor + workers * _in_new_process(import_worker)
        return compare(tracked, untracked, starting, workers)


def _in_new_process(action: Callable[[], float]) -> float:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(action).result()


def import_worker() -> float:
    """Seconds of processor of a process that has imported what a worker needs, and no more."""
    importlib.import_module("nndl_exp.study.trial")
    return time.process_time()


def compare(tracked: Led, untracked: Led, starting: float, workers: int) -> Overhead:
    """The shares, of two sweeps and of what starting took."""
    training, reports = tracked.training, tracked.reports
    more = tracked.other - untracked.other
    tracking = more - (reports - untracked.reports) - tracked.mlflow
    starting += tracked.mlflow
    return Overhead(
        trainings=training.times,
        training=training.processor,
        search=(tracked.other - tracking - starting - reports) / training.processor,
        tracking=tracking / training.processor,
        starting=starting / training.processor,
        reports=reports / training.processor,
        clock=workers * tracked.sweep.clock / training.clock - 1,
        clock_untracked=workers * untracked.sweep.clock / untracked.training.clock - 1,
        window=workers * tracked.sweep.window() / training.clock - 1,
    )


def measured(rounds: int) -> str:
    """The table."""
    rows = []
    for title, words in CASES.items():
        found = [measure(words) for _ in range(1 if title == LONG else rounds)]
        columns = zip(*(astuple(one) for one in found), strict=True)
        m = Overhead(*(statistics.median(column) for column in columns))
        shares = (m.together, m.search, m.tracking, m.starting, m.reports, m.whole, m.clock,
                  m.clock_untracked, m.window)  # fmt: skip
        cells = [f"{share:.1%}" for share in shares]
        cells[0] += f" ({', '.join(f'{one.together:.1%}' for one in found)})"
        rows.append([title, f"{m.trainings:.0f}", f"{m.training:.0f} s", *cells])
    headings = ["", "trainings", "training", "search, storage, tracking (of each round)",
                "of it search, storage", "tracking", "starting", "reports", "all of it",
                "all by the clock", "without tracking", "between first and last trial"]  # fmt: skip
    return table(headings, rows)
